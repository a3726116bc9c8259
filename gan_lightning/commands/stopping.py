"""End a command on Ctrl-C or SIGTERM with one line instead of a traceback."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from gan_lightning.commands.errors import DEBUG

_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
_WORDS = {signal.SIGINT: "stopped by Ctrl-C", signal.SIGTERM: "stopped by SIGTERM"}
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")


def exit_code_after_signals(command: str, work: Callable[[], int]) -> int:
    """Run a command; SIGINT and SIGTERM raise a KeyboardInterrupt in it.

    ``finally`` blocks and context managers run as usual. After a signal any exception counts as the interruption: a
    KeyboardInterrupt inside an import may surface as an ImportError. A signal that already has a handler or is ignored
    (``nohup``, some schedulers) is left alone.

    Returns:
        The exit code: that of the work; 130 after Ctrl-C; 143 after SIGTERM.
    """
    received: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        # Remembered: the interruption may surface as another exception.
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    ours: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # Python's defaults only: whoever set another handler keeps it.
        ours = {number: way for number, way in _DEFAULTS.items() if signal.getsignal(number) == way}
    for number in ours:
        signal.signal(number, stop)
    try:
        return work()
    except BaseException:
        if not received or os.environ.get(DEBUG):
            raise
        # Once, by the first process: a launcher signals all of them.
        if all(os.environ.get(name, "0") == "0" for name in _RANKS):
            print(f"\ngan-lightning {command}: {_WORDS[received[0]]}.", file=sys.stderr)
        # The shell's convention for a process ended by a signal.
        return 128 + received[0]
    finally:
        for number, way in ours.items():
            signal.signal(number, way)
