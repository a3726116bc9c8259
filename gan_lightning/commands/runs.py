"""Layout of a run's directory, ``<root>/<name>/version_N``."""

import re
import secrets
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from datamodules.components.atomic_write import replacing

CONFIG = "config.yaml"
LAST = Path("checkpoints") / "last.ckpt"
PREPARATIONS = {"hparams.yaml", "run_id", ".lock"}
"""What a run writes before it begins; none of it is a result."""


def new_directory(home: Path, kind: str = "version") -> Path:
    """Create the next of ``home/<kind>_0``, ``home/<kind>_1``, ...

    ``mkdir`` is atomic, so two runs that start at once get different ones. Ranks other than 0 only compute a name; they
    receive the directory of rank 0 later.
    """
    # After the highest, not the first free one: runs stay in the order of their numbers.
    number = max((number for number, _ in _numbered(home, kind)), default=-1) + 1
    while True:
        directory = home / f"{kind}_{number}"
        if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
            return directory
        try:
            # Made and not only checked: between a check and mkdir another run could take the name.
            directory.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return directory


def newest_run(home: Path) -> Path | None:
    """The newest run that began to train, even if it was killed before it saved a checkpoint."""
    runs = [directory for _, directory in sorted(_numbered(home, "version")) if (directory / CONFIG).is_file()]
    return runs[-1] if runs else None


def newest_checkpoint(home: Path) -> Path | None:
    """The ``last.ckpt`` of the newest run that has one."""
    found = [directory / LAST for _, directory in sorted(_numbered(home, "version")) if (directory / LAST).is_file()]
    return found[-1] if found else None


def save_config(directory: Path, text: str, step: int) -> None:
    """Write the config of a run; where the run was resumed with another config, both are kept.

    Args:
        directory: The run's.
        text: The config, YAML.
        step: Where the run starts or continues.
    """
    path = directory / CONFIG
    if path.is_file():
        if path.read_text(encoding="utf-8") == text:
            return
        if step > 0:
            # A resumed run keeps both configs.
            path = directory / f"config_from_step_{step:08d}.yaml"
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())


def run_id(directory: Path | None) -> str:
    """Id of the run for tracking services: 8 random characters in a file, the same when it is resumed."""
    path = None if directory is None else directory / "run_id"
    if path is not None and path.is_file():
        return path.read_text().strip()
    made = secrets.token_hex(4)
    if path is not None and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        # On the disk, since a tracking service continues a run by its id.
        path.write_text(made)
    return made


def _numbered(home: Path, kind: str) -> list[tuple[int, Path]]:
    if not home.is_dir():
        return []
    matches = ((re.fullmatch(rf"{kind}_(\d+)", path.name), path) for path in home.iterdir())
    return [(int(match[1]), path) for match, path in matches if match]
