"""``gan-lightning zip``: images and labels as one zip file, in StyleGAN2-ADA's format."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.options import OptionParser, one_or_two, path, refuse_unknown, whole

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

_COLOURS = {1: "grey", 2: "grey with opacity", 3: "RGB", 4: "RGBA"}
_ABOUT = """\
Write images with their labels as one zip file, for `ImageZipDataModule`, and for StyleGAN2-ADA, StyleGAN3 and other
programs that read their format: PNG files, not compressed, and `dataset.json` with the labels.

The images are those of a folder, cropped to their central square and resized as `ImageFolderDataModule` does it, with
its sub-folders as classes; or those of a split of any data module, as it yields them. Names of classes and attributes
are written too. Those programs train on squares with sides of a power of two, RGB or grey.

The zip file has its name only once all of it is on the disk.
"""

_EXAMPLES = """\
examples:
  gan-lightning zip --input photos --out photos.zip --image_size 64
  gan-lightning zip --data CelebADataModule --data.attributes '[Smiling, Male]' --split val --out val.zip
  gan-lightning fit --model DCGAN --data ImageZipDataModule --data.root photos.zip
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    with errors_in_one_sentence(command):
        _check_options(options, rest)
        from datamodules.components.image_zip import write_zip
        from gan_lightning.metrics.image_sources import real_images

        data = _folder(options) if options.data is None else _data_module(command, options.data, rest)
        data.prepare_data()
        data.setup("test" if options.split == "test" else "fit")
        # Validation borrows the test images where it has none, and the other way round: here that would be a surprise.
        splits = getattr(data, "splits", None)
        if splits is not None and not len(getattr(splits, options.split)):
            raise ValueError(f"{type(data).__name__} has no images in its split {options.split!r}: choose another one.")
        source = real_images(data, options.split)
        names = {name: getattr(data, name, None) for name in ("class_names", "attributes")}
        with disk_errors_in_one_sentence(command, options.out, "run the same command again"):
            shape = write_zip(source, options.out, **names)
    labels = "without labels" if source.labels is None else "with labels"
    print(f"The images are in {options.out}: {len(source)} of {_in_words(shape)}, {labels}.")
    channels, height, width = shape
    deep = getattr(data, "bits", 8) == 16
    if deep or height != width or height.bit_count() != 1 or channels not in (1, 3):
        print(
            "gan-lightning zip: ImageZipDataModule reads them" + (" with --data.bits 16" if deep else "") + "; "
            "StyleGAN2-ADA trains on squares with sides of a power of two only, RGB or grey, of 8 bits.",
            file=sys.stderr,
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning zip", description=_ABOUT, epilog=_EXAMPLES)
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--input", type=path, metavar="DIR", help="folder of images, at any depth")
    images.add_argument("--data", metavar="CLASS", help="data module of the images; its options are --data.OPTION")
    parser.add_argument("--out", required=True, type=path, metavar="FILE", help="the zip file; it must be new")
    parser.add_argument(
        "--split",
        choices=["train", "val", "test"],
        default="train",
        help="which images; of a folder without such folders all are `train` (default: %(default)s)",
    )
    parser.add_argument(
        "--image_size",
        type=whole(1),
        nargs="+",
        metavar="N",
        help="height and width of the images of --input, one number for both or two (default: 64)",
    )
    parser.add_argument(
        "--channels",
        type=whole(),
        choices=[1, 3, 4],
        help="of the images of --input, 3: RGB; 1: grey; 4: RGBA (default: 3)",
    )
    parser.add_argument(
        "--bits",
        type=whole(),
        choices=[8, 16],
        help="of each channel of the images of --input; 16 is read by ImageZipDataModule alone, with --data.bits 16 "
        "(default: 8)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse an --input with files that cannot be used, instead of skipping"
    )
    return parser


def _check_options(options: argparse.Namespace, rest: Sequence[str]) -> None:
    """Refuse options without effect, and a file that other programs would not open.

    Raises:
        ValueError: There is one.
    """
    if options.out.suffix.lower() != ".zip":
        raise ValueError(f"--out {options.out}: its name must end with .zip, by which other programs know the format.")
    if options.out.exists():  # before all images are read
        raise FileExistsError(f"{options.out} exists: name a new file for the images.")
    refuse_unknown(rest, takes_data=options.data is not None)
    if options.data is None:
        return
    for name in ("image_size", "channels", "bits", "strict"):
        if getattr(options, name):
            raise ValueError(f"--{name} is of the images of --input: give --data.{name} if {options.data} has it.")


def _folder(options: argparse.Namespace) -> "LightningDataModule":
    from datamodules import ImageFolderDataModule

    return ImageFolderDataModule(
        str(options.input),
        image_size=one_or_two("image_size", options.image_size or [64]),
        channels=options.channels or 3,
        bits=options.bits or 8,
        # All images: those to be held out are so when the zip file is read.
        val_size=0,
        test_size=0,
        strict=options.strict,
        batch_size=1,
        # Each image is read once, and written.
        in_memory=False,
    )


def _data_module(command: str, name: str, rest: Sequence[str]) -> "LightningDataModule":
    from lightning.pytorch import LightningDataModule

    import datamodules
    from gan_lightning.commands.parser import parser_for

    for each in datamodules.__all__:  # a class is known by its short name once it is imported
        getattr(datamodules, each)
    parser: Any = parser_for(command)()
    parser.add_subclass_arguments(LightningDataModule, "data")
    data: LightningDataModule = parser.instantiate(parser.parse_args(["--data", name, *rest])).data
    return data


def _in_words(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} {_COLOURS[channels]}"
