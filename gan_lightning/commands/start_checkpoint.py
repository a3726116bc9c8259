"""The checkpoint that a command starts from."""

from contextlib import suppress
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from gan_lightning.arguments.recipes import find_name, import_name, public_name
from gan_lightning.commands import runs
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.checkpoint import CheckpointError, read_checkpoint
from gan_lightning.inference.initialisation import Files, files_by_player, init_from

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


def initialise(model: AdversarialModule, files: Files) -> None:
    """Give a model the weights of ``--init_from``, and say what was taken."""
    for report in init_from(model, files):
        print_once(f"Initial weights of the {report}")


def check_start(path: Path | str, files: Files | None) -> None:
    """Refuse ``--init_from`` beside a run that did not begin so; one that did goes on, and needs the files no more.

    Raises:
        CheckpointError: The run of the checkpoint began with other weights.
    """
    if files is not None and read_checkpoint(path)["gan_lightning"].get("initialised_from") != files_by_player(files):
        raise CheckpointError(
            f"--init_from begins a run, and --ckpt_path continues that of {path}, which did not begin with these "
            "weights: give one of them."
        )


def check(path: Path | str, command: str, model: str, max_steps: int) -> None:
    """Check that a command can start from a checkpoint; print a line where there is nothing left to train.

    Args:
        path: The checkpoint.
        command: The command.
        model: Import path of the class that the command line names.
        max_steps: The trainer's; -1: no limit.

    Raises:
        CheckpointError: It cannot be read, is of another class, or holds weights alone where training goes on from it.
    """
    checkpoint = read_checkpoint(path)
    variant, own = checkpoint["gan_lightning"]["variant"], public_name(import_name(model))
    with suppress(ImportError, AttributeError, ValueError):
        variant = public_name(find_name(variant))  # Earlier versions wrote the longer name.
    if variant != own:
        raise CheckpointError(f"{path} holds a {variant}, but the model of this command is a {own}.")
    if command == "fit" and not checkpoint.get("optimizer_states"):
        raise CheckpointError(
            f"{path} holds weights alone, and training goes on from a whole state only: give --ckpt_path a "
            "checkpoint that was not saved with save_weights_only, such as last.ckpt."
        )
    step = checkpoint.get("global_step", 0)
    if command == "fit" and 0 <= max_steps <= step:
        print_once(
            f"{path} is at step {step} already: to train on, give a larger --trainer.max_steps than {max_steps}."
        )
