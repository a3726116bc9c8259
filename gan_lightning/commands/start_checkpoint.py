"""The checkpoint that a command starts from."""

from contextlib import suppress
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from gan_lightning.commands import runs
from gan_lightning.inference.checkpoint import CheckpointError, read_checkpoint

print_once = rank_zero_only(print)


def last(home: Path) -> tuple[Path | None, Path | None]:
    """The checkpoint and the directory of the run to continue.

    The newest run counts even if it was killed before it saved anything: it begins again, in its own directory.
    """
    directory = runs.newest_run(home)
    if directory is None:
        print_once(f"There is no run in {home} to continue: starting from scratch.")
        return None, None
    if not (directory / runs.LAST).is_file():
        print_once(f"{directory} has no checkpoint yet: starting it from scratch.")
        return None, directory
    print_once(f"Continuing {directory}.")
    return directory / runs.LAST, directory


def others(path: Path) -> list[str]:
    """The checkpoints beside one that cannot be read, as ModelCheckpoint keeps them: the newest first."""
    whole = {}
    for other in path.parent.glob("*.ckpt"):
        # A damaged one beside it is no help.
        with suppress(CheckpointError):
            whole[other] = read_checkpoint(other).get("global_step", 0)
    return [f"{other} of step {whole[other]}" for other in sorted(whole, key=lambda other: -whole[other])]


def newest(home: Path) -> Path:
    """The newest checkpoint of the runs of a name."""
    path = runs.newest_checkpoint(home)
    if path is None:
        raise CheckpointError(f"There is no checkpoint in {home}: give --ckpt_path a file, or --name another run's.")
    return path
