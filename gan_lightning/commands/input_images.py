"""Image files that a command is given, and the files that it makes of them."""

import argparse
from pathlib import Path

from gan_lightning.commands.options import path
from gan_lightning.visualization.image_sets import refuse_to_overwrite


def add_files(parser: argparse.ArgumentParser, results: str) -> None:
    """Add ``--input`` and ``--out``; ``results`` says what is written there."""
    parser.add_argument(
        "--input", required=True, type=path, metavar="PATH", help="an image, or a folder of images at any depth"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=path,
        metavar="DIR",
        help=f"folder for {results}; it must be new or empty, or what the same command, which was cut off, has left",
    )


def targets_of(source: Path, out: Path, suffix: str = ".png") -> dict[Path, Path]:
    """Map each result's file to its image.

    Args:
        source: An image, or a folder of images at any depth.
        out: Folder of the results, which are named like their images.
        suffix: Ending of the results.

    Raises:
        FileNotFoundError: There are no images.
        ValueError: Two images would be written into one file.
    """
    from datamodules.components.files import SUFFIXES, list_images

    if not source.exists():
        raise FileNotFoundError(f"There is no file or folder {source}: give --input an image or a folder of images.")
    folder, files = (source, list_images(source)) if source.is_dir() else (source.parent, [source])
    if not files:
        raise FileNotFoundError(f"There are no images ({', '.join(SUFFIXES)}) in the folder {source}.")
    # a.jpg and a.png would both become a.png: refuse before anything is written.
    targets: dict[Path, Path] = {}
    for file in files:
        target = out / file.relative_to(folder).with_suffix(suffix)
        if target in targets:
            raise ValueError(f"{targets[target]} and {file} would both become {target}: rename one of them.")
        targets[target] = file
    for target, file in targets.items():
        for folder in target.parents:
            if folder in targets:
                raise ValueError(f"{targets[folder]} would become {folder}, the folder of {file}: rename one of them.")
    return targets


def check_place(source: Path, out: Path, done: str) -> None:
    """Refuse a folder of results that holds something else, or lies among the images.

    Args:
        source: The images.
        out: Folder of the results.
        done: What the command would do with its own results the next time.

    Raises:
        ValueError: It lies among the images.
        FileExistsError: It holds something else.
    """
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{out} lies in {source}, so its files would be {done} next time: give another --out.")
    refuse_to_overwrite(out)
