"""SIGTERM and Ctrl-C end a run between two steps, in all of its processes after the same one."""

import os
import signal
import threading
from typing import Any

from lightning.pytorch import Trainer

from gan_lightning.trainer.internals import stop_after_step, when_signals_are_registered


class StopSignals:
    """What this process was told while it trained.

    Lightning stops on SIGTERM between two steps, but only a single process: of several, each exchanges messages in the
    handler, in the middle of a step, and they wait for each other for ever. On Ctrl-C it stops in the middle of a step.

    Attributes:
        received: The number of the first signal; None: there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def listen_from_the_start(self, trainer: Trainer) -> None:
        """Listen as soon as Lightning has put its own handlers in; a run that is told before it trains plays a step."""
        when_signals_are_registered(trainer, lambda: self.listen(trainer))

    def listen(self, trainer: Trainer) -> None:
        """From now on, only remember that a signal came; a second Ctrl-C interrupts at once.

        When the run is over, Lightning gives all signals back to whom they belonged before it.
        """
        alone = trainer.world_size == 1

        def remember(number: int, _: Any) -> None:
            if number == signal.SIGINT and self.received == signal.SIGINT:
                raise KeyboardInterrupt
            self.received = self.received or number
            if number == signal.SIGINT and trainer.is_global_zero:  # print may not be called twice at a time
                os.write(2, b"\nStopping after this step, to save; Ctrl-C again stops at once, without.\n")
            if alone:
                stop_after_step(trainer)

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, remember)

    def heed(self, trainer: Trainer) -> None:
        """Stop all processes if one was told to. All of them must ask, after the same step."""
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            stop_after_step(trainer)
