"""Stop a run on SIGTERM or Ctrl-C between two steps, on all ranks after the same one."""

import os
import signal
import threading
from typing import Any

from lightning.pytorch import Trainer

from gan_lightning.trainer.internals import stop_after_step, when_signals_are_registered


class StopSignals:
    """Records SIGTERM and SIGINT during training, and stops the run after the step.

    Lightning stops on SIGTERM between two steps only with one rank: with several, its handler starts a collective in
    the middle of a step, and the ranks deadlock. On Ctrl-C it stops in the middle of a step.

    Attributes:
        received: Number of the first signal; None if there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def listen_from_the_start(self, trainer: Trainer) -> None:
        """Install the handlers right after Lightning's. A run that is stopped before it trains makes one step."""
        when_signals_are_registered(trainer, lambda: self.listen(trainer))

    def listen(self, trainer: Trainer) -> None:
        """Install handlers that only record a signal; a second Ctrl-C interrupts at once.

        Lightning restores the handlers from before the run when it ends.
        """
        alone = trainer.world_size == 1

        def record_signal(number: int, _: Any) -> None:
            # A step may hang, in a collective or a loader: the second Ctrl-C does not wait for its end.
            if number == signal.SIGINT and self.received == signal.SIGINT:
                raise KeyboardInterrupt
            self.received = self.received or number
            if number == signal.SIGINT and trainer.is_global_zero:  # print may not be called twice at a time
                os.write(2, b"\nStopping after this step, to save; Ctrl-C again stops at once, without.\n")
            if alone:
                stop_after_step(trainer)

        # Python installs handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, record_signal)

    def stop_if_requested(self, trainer: Trainer) -> None:
        """Stop all ranks if one has received a signal. Collective: all ranks call it after the same step."""
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            stop_after_step(trainer)
