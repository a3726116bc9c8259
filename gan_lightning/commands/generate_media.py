"""``gan-lightning generate`` of models whose samples are no images: a file a sample, and a picture beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import open_set
from gan_lightning.commands.write_images import first_missing, sample_file
from gan_lightning.visualization.image_sets import end_set

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.visualization.media import Medium

_OF_IMAGES = ("grid", "format", "latents")
"""Options that only samples which are images have."""


def generate_media(
    command: str, options: argparse.Namespace, model: AdversarialModule, n: int, deciding: Sequence[str]
) -> int:
    """Write the samples of a model with a medium, from the first one that is not there yet.

    Args:
        command: For messages.
        options: Of the command.
        model: Loaded.
        n: Number of samples.
        deciding: The options that decide what the samples are.
    """
    from gan_lightning import inference

    medium: Medium = model.medium  # type: ignore[assignment]
    with errors_in_one_sentence(command):
        refuse_image_options(options, type(model).__name__, medium.name)
        # Whole batches are made again: a sample depends on its batch by rounding.
        start = first_missing(options, [medium.suffix]) // options.batch_size * options.batch_size
        batches = inference.generate(
            model,
            n,
            options.seed,
            options.batch_size,
            options.labels,
            start=start,
            truncation=options.truncation,
        )
        open_set(command, options, n, deciding)
    with errors_in_one_sentence(command, (ModuleNotFoundError,)), disk_errors_in_one_sentence(command, options.out):
        for number, example in enumerate(_one_by_one(batches, n, start, medium.name), start):
            write_example(sample_file(options.out, number, medium.suffix), medium, example)
        end_set(options.out)
    print(f"{n} {medium.name} are in {options.out}.")
    return 0


def refuse_image_options(options: argparse.Namespace, game: str, samples: str) -> None:
    """Refuse options that are of images.

    Raises:
        ValueError: There is one.
    """
    given = [name for name in _OF_IMAGES if getattr(options, name)]
    given += [name for name, usual in (("scale", 1), ("bits", 8)) if getattr(options, name) != usual]
    if given:
        raise ValueError(f"--{given[0]} is of images, and {game} makes {samples}: leave it out.")


def write_example(file: Path, medium: Medium, example: Any) -> None:
    """Write the file of an example, and before it a picture where there is one; what is there stays."""
    from gan_lightning.visualization.images import write_png

    if file.is_file():
        return
    picture = medium.picture(example)
    if picture is not None:
        write_png(file.with_suffix(".png"), picture)
    # Last: by this file a command that goes on knows what is there.
    medium.save(file, example)


def _one_by_one(batches: Iterator[Any], n: int, start: int, samples: str) -> Iterator[Any]:
    """Examples ``start`` to ``n - 1`` of the batches, on the CPU, with a progress bar."""
    from torch import Tensor
    from tqdm import tqdm

    with tqdm(total=n, initial=start, desc="Generating", unit=f" {samples}") as bar:
        for batch in batches:
            for example in batch.cpu() if isinstance(batch, Tensor) else batch:
                yield example
                bar.update()
