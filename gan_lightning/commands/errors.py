"""Mistakes of the user are told in one sentence; mistakes in the code keep their traceback."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DEBUG = "GAN_LIGHTNING_DEBUG"


@contextmanager
def errors_in_one_sentence(
    command: str,
    kinds: tuple[type[Exception], ...] = (ValueError, FileNotFoundError, FileExistsError, ModuleNotFoundError),
    applies: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Turn an error that says what the user can change into one sentence on stderr and exit code 2.

    Args:
        command: The command that is running.
        kinds: What is raised, here and in Lightning, about arguments and files.
        applies: Asked when an error arrives. A command says no once its real work has begun: whatever is raised
            then is a bug until proven otherwise. The environment variable ``GAN_LIGHTNING_DEBUG=1`` says no as well.
    """
    try:
        yield
    except kinds as error:
        if os.environ.get(DEBUG) or not applies():
            raise
        sentence = " ".join(_error_text(_first_cause(error)).split())
        print(f"gan-lightning {command}: {sentence}", file=sys.stderr)
        raise SystemExit(2) from None


@contextmanager
def disk_errors_in_one_sentence(
    command: str, place: Path, then: str = "run the same command again, which goes on with what is missing"
) -> Iterator[None]:
    """Turn what the disk refuses while results are written into one sentence on stderr and exit code 1.

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


def _error_text(error: BaseException) -> str:
    """What an error says; what the system says of a file, without its number."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
    return str(error)


def _first_cause(error: BaseException) -> BaseException:
    """What was wrong with a value: the parser tells besides how it fails to be everything else that it could be."""
    while "Does not validate against any of the Union" in str(error) and error.__cause__ is not None:
        error = error.__cause__
    return error
