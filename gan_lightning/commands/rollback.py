"""Continue a run that has diverged from its last good checkpoint, in the same process."""

from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Trainer

from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.callbacks.divergence import DivergenceError, DivergenceGuard
from gan_lightning.commands import runs
from gan_lightning.commands.start_checkpoint import print_once
from gan_lightning.inference.checkpoint import read_checkpoint


def with_rollbacks(start: Callable[[Path | None, int], Trainer], run: Callable[[], None]) -> None:
    """Train; on divergence restart from the last checkpoint, at most ``DivergenceGuard.max_rollbacks`` times.

    Lightning cannot go back within a run: loaders, loops and callbacks have advanced. So all objects are made again, as
    when a killed run is resumed.

    Args:
        start: Makes model, data and trainer from the directory to continue in (None at first) and the attempt's number.
        run: Trains.

    Raises:
        DivergenceError: The run is to stop, or has been rolled back to one checkpoint too often.
    """
    directory: Path | None = None
    attempt, last_step = 0, -1
    while True:
        trainer = start(directory, attempt)
        try:
            return run()
        except DivergenceError as error:
            callbacks = trainer.callbacks  # type: ignore[attr-defined]
            guard = next(callback for callback in callbacks if isinstance(callback, DivergenceGuard))
            keepers = [callback for callback in callbacks if isinstance(callback, LastCheckpoint)]
            directory = error.directory
            # A user or a scheduler that stops the run goes before its repair.
            stops = any(one.is_stop_pending(trainer) for one in keepers) or trainer.received_sigterm
            if not error.rolls_back or directory is None or stops:
                raise
            step = _step(directory)
            # Attempts count at one checkpoint: a later one starts from 1 again.
            attempt = attempt + 1 if step == last_step else 1
            last_step = step
            if attempt > guard.max_rollbacks:
                raise DivergenceError(
                    f"{error} It was rolled back to step {step} {guard.max_rollbacks} times: lower the learning rates, "
                    "or clip the gradients."
                ) from None
            print_once(
                f"{error} Rolling back to step {step}, with other draws: attempt {attempt} of {guard.max_rollbacks}."
            )


def _step(directory: Path) -> int:
    # No checkpoint yet: the run begins again.
    path = directory / runs.LAST
    return read_checkpoint(path).get("global_step", 0) if path.is_file() else 0
