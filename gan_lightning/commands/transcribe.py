"""``gan-lightning translate`` of models that write programs of screenshots."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.browser import camera
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import open_set
from gan_lightning.commands.input_images import targets_of
from gan_lightning.visualization.image_sets import end_set, write_atomically

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule

_OF_IMAGES = ("direction", "domain", "attributes", "frames", "hints", "reference", "strip", "every_class", "back")
_SIZE = 800


def transcribe_all(command: str, options: argparse.Namespace, model: AdversarialModule) -> int:
    """Write the program of each screenshot, its page, and with ``--pages`` a screenshot of that.

    Args:
        command: For messages.
        options: Of the command.
        model: Loaded; it has ``transcribe``.

    Returns:
        1 if a file could not be read, else 0.
    """
    medium: Any = model.medium
    with errors_in_one_sentence(command):
        given = [name for name in _OF_IMAGES if getattr(options, name)]
        if given:
            raise ValueError(f"--{given[0]} is of images, and {type(model).__name__} writes programs: leave it out.")
        targets = targets_of(options.input, options.out, medium.suffix)
        options.source = str(options.input.resolve())
        open_set(command, options, len(targets), ("source", "pages"))
        shooting: AbstractContextManager[Callable[[str], bytes] | None] = (
            camera(_SIZE) if options.pages else nullcontext()
        )
        with shooting as shoot, disk_errors_in_one_sentence(command, options.out):
            failures, invalid = _write(targets, model, medium, shoot)
            end_set(options.out)
    if failures:
        print(f"gan-lightning {command}: {len(failures)} of {len(targets)} images could not be read:", file=sys.stderr)
        print(*(f"  {failure}" for failure in failures), sep="\n", file=sys.stderr)
    print(f"{len(targets) - len(failures)} programs are in {options.out}.")
    if invalid:
        print(f"The language does not allow {invalid} of them, which have no page.")
    return 1 if failures else 0


def _write(
    targets: dict[Path, Path], model: AdversarialModule, medium: Any, shoot: Callable[[str], bytes] | None
) -> tuple[list[str], int]:
    """Write what is not there yet; return a sentence for each file that cannot be read, and how many have no page."""
    from tqdm import tqdm

    from gan_lightning import inference

    failures: list[str] = []
    for target, file in tqdm(targets.items(), "Translating", unit=" images"):
        if target.is_file():
            continue
        try:
            text = inference.transcribe(model, file)
        except inference.ImageError as error:
            failures.append(str(error))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        page = medium.page(text)
        if shoot is not None and page is not None:
            write_atomically(target.with_suffix(".png"), shoot(page))
        # Last: by this file a command that goes on knows what is there.
        medium.save(target, text)
    written = [target for target in targets if target.is_file()]
    return failures, sum(not target.with_suffix(".html").is_file() for target in written)
