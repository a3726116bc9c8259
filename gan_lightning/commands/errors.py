"""Error messages: one sentence for a mistake of the user, a traceback for a mistake in the code."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEBUG = "GAN_LIGHTNING_DEBUG"


@contextmanager
def errors_in_one_sentence(
    command: str,
    kinds: tuple[type[Exception], ...] = (ValueError, FileNotFoundError, FileExistsError, ModuleNotFoundError),
    applies: Callable[[Exception], bool] = lambda error: True,
) -> Iterator[None]:
    """Turn an error that the user can fix into one sentence on stderr and exit code 2.

    Args:
        command: The command that is running.
        kinds: Exceptions that are about arguments and files.
        applies: Called with an error that arrives. False once the real work has begun: an error is then a bug, and
            keeps its traceback, as it does under the environment variable ``GAN_LIGHTNING_DEBUG=1``.
    """
    try:
        yield
    except kinds as error:
        if os.environ.get(DEBUG) or not applies(error):
            raise
        # One line, whatever line breaks the error has.
        sentence = " ".join(_error_text(_first_cause(error)).split())
        print(f"gan-lightning {command}: {sentence}", file=sys.stderr)
        # 2, as argparse has it for a mistake in the options; 1 is for a run that failed.
        raise SystemExit(2) from None


@contextmanager
def disk_errors_in_one_sentence(
    command: str, place: Path, then: str = "run the same command again, which goes on with what is missing"
) -> Iterator[None]:
    """Turn a disk error during the writing of results into one sentence on stderr and exit code 1.

    Args:
        command: The command that is running.
        place: Where it writes.
        then: What to do once there is room.
    """
    try:
        yield
    except OSError as error:
        if os.environ.get(DEBUG) or error.errno is None:  # the second is a sentence of ours, not the system's
            raise
        print(
            f"gan-lightning {command}: {error.filename or place} cannot be written ({error.strerror or error}): make "
            f"room, and {then}.",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


def is_raised_by_us(error: BaseException) -> bool:
    """Whether a line of this project raised an error, and none of the user's code or of a library."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(modules) and modules[-1].partition(".")[0] in ("gan_lightning", "datamodules")


def _error_text(error: BaseException) -> str:
    """Text of an error; of an ``OSError`` the file and the reason, without errno."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
    return str(error)


def _first_cause(error: BaseException) -> BaseException:
    """First cause of a failed union type: the parser lists every alternative, and the first is the relevant one."""
    while "Does not validate against any of the Union" in str(error) and error.__cause__ is not None:
        error = error.__cause__
    return error
