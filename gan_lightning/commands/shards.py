"""``gan-lightning shards``: a folder of images as shards, which can be streamed."""

import argparse
from collections.abc import Sequence

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.options import OptionParser, one_or_two, path, whole

_ABOUT = """\
Write a folder of images as shards, for `ShardsDataModule`: a few large files instead of many small ones, which are read
one after the other, from a disk, a network or a storage service, and need not fit into memory or onto one machine.

The images are read, split and labelled as `ImageFolderDataModule` does it: cropped to their central part and resized,
with the folders train, val and test as splits and the folders in them as classes, if there are such. They are stored as
pixels, without loss, 12 kB for an RGB image of 64 x 64, each with a checksum; the training images in an order
drawn at random, always the same.

The set is written into DIR.unfinished, which is renamed when all is on the disk. The next run replaces what a killed
one has left there.
"""

_EXAMPLES = """\
examples:
  gan-lightning shards --input photos --out shards --image_size 64
  gan-lightning fit --model DCGAN --data ShardsDataModule --data.folder shards
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        from datamodules import ImageFolderDataModule
        from datamodules.components.shards.format import write_shards

        data = ImageFolderDataModule(
            str(options.input),
            image_size=one_or_two("image_size", options.image_size),
            channels=options.channels,
            bits=options.bits,
            val_size=options.val_size,
            test_size=options.test_size,
            strict=options.strict,
            # Each image is read once, and written.
            in_memory=False,
            num_workers=options.num_workers,
        )
        with disk_errors_in_one_sentence(command, options.out, "run the same command again"):
            index = write_shards(data, options.out, options.shard_size)
    counts = ", ".join(f"{count} {split}" for split, count in index.images.items())
    print(f"The shards are in {options.out}: {counts} images.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(
        prog="gan-lightning shards",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    parser.add_argument("--input", required=True, type=path, metavar="DIR", help="folder of images, at any depth")
    parser.add_argument(
        "--out", required=True, type=path, metavar="DIR", help="folder for the shards; it must be new or empty"
    )
    parser.add_argument(
        "--image_size",
        type=whole(1),
        nargs="+",
        default=[64],
        metavar="N",
        help="height and width, one number for both or two (default: 64)",
    )
    parser.add_argument(
        "--channels",
        type=whole(1),
        default=3,
        metavar="N",
        help="3: RGB; 1: grey; 4: RGBA; others as ImageFolderDataModule has them (default: %(default)s)",
    )
    parser.add_argument(
        "--bits", type=whole(), choices=[8, 16], default=8, help="of each channel (default: %(default)s)"
    )
    parser.add_argument(
        "--val_size",
        type=whole(0),
        metavar="N",
        help="images held out for validation, where there is no folder val (default: a tenth, at most 1,000)",
    )
    parser.add_argument(
        "--test_size",
        type=whole(0),
        default=0,
        metavar="N",
        help="images held out for testing, where there is no folder test (default: %(default)s)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse a folder with files that cannot be used, instead of skipping them"
    )
    parser.add_argument(
        "--shard_size", type=whole(1), metavar="N", help="images in a shard (default: as many as fill 16 MiB)"
    )
    parser.add_argument(
        "--num_workers", type=whole(0), metavar="N", help="processes that decode (default: one for each CPU, at most 8)"
    )
    return parser
