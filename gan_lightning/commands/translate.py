"""``gan-lightning translate``: translate image files with a checkpoint."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.brush_options import hint
from gan_lightning.commands.continue_videos import continue_one, video_targets
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import (
    add_device,
    add_import,
    import_packages,
    load_model,
    open_set,
)
from gan_lightning.commands.input_images import add_files, check_place, targets_of
from gan_lightning.commands.options import OptionParser, path, whole
from gan_lightning.commands.transcribe import transcribe_all
from gan_lightning.commands.translation_pictures import (
    OPTIONS,
    add_pictures,
    asks_for_pictures,
    columns_of,
    path_of,
    write_picture,
)
from gan_lightning.visualization.image_sets import FULL, end_set

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.games.base import AdversarialModule

_ABOUT = """\
Translate images by a checkpoint of a model that turns images into images. It needs neither the training data nor the
config. Images of any size are read, PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF and .npy, turned upright, and with the
channels that the model takes: grey, RGB, RGBA, or as many as an array has.

Every result is a PNG file named like its image: photos/a/b.jpg becomes DIR/a/b.png; one of 2 or more than 4 channels is
a .npy file. A file that cannot be read is left
out and named at the end, and the exit code is then 1.

With --strip, --every_class or --back a result is a picture of the image beside several translations, with their names.

A model of videos, with --frames, predicts the frames after the last ones of each video file or folder of frames; its
results are GIF and MP4 files that begin with the frames it was given.

A model of screenshots, such as pix2code, writes the program of each, a.gui, and the page that it is compiled to,
a.html; with --pages also a screenshot of that page, a.png.
"""

_EXAMPLES = """\
examples:
  gan-lightning translate --ckpt last.ckpt --input photos --out results
  gan-lightning translate --ckpt last.ckpt --input painting.jpg --out results --direction BtoA
  gan-lightning translate --ckpt last.ckpt --input faces --out results --attributes Smiling Young=0
  gan-lightning translate --ckpt last.ckpt --input faces --out strips --domain Blond_Hair --strip 0 1 5 --back
  gan-lightning translate --ckpt last.ckpt --input horses --out results --domain zebras --back
  gan-lightning translate --ckpt early.ckpt --input horses --out results --towards last.ckpt --strip 0 1 5
  gan-lightning translate --ckpt last.ckpt --input walk.mp4 --out results --frames 8
  gan-lightning translate --ckpt last.ckpt --input apple.png --out results --hints 16,20,#d22f27 --reference autumn.jpg
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        find: Callable[[Path, Path], dict[Path, Any]] = targets_of if options.frames is None else video_targets
        targets = find(options.input, options.out)
        check_place(options.input, options.out, "translated")
        model = load_model(options.ckpt, options.device)
    if hasattr(model, "transcribe"):
        return transcribe_all(command, options, model)
    with errors_in_one_sentence(command):
        if options.pages:
            raise ValueError(f"--pages is of models that write programs, and {type(model).__name__} makes images.")
        reference = _checked_options(model, options)
        columns = columns_of(model, options)
        way = path_of(model, options)
        options.source = str(options.input.resolve())
        options.reference = options.reference and str(options.reference.resolve())
        # A command without them has no such entries, as before there were any.
        newer = [name for name in ("frames", "hints", "reference") if getattr(options, name)]
        newer += OPTIONS if asks_for_pictures(options) else ()
        open_set(command, options, len(targets), ("source", "direction", "attributes", "seed", "bits", *newer))
    with disk_errors_in_one_sentence(command, options.out):
        if asks_for_pictures(options):
            write = partial(write_picture, model, columns=columns, way=way, options=options)
        elif options.frames is None:
            write = partial(_translate_one, model, options=options, reference=reference)
        else:
            write = partial(continue_one, model, n=options.frames)
        failures = _write(targets, options, write)
        end_set(options.out)
    if failures:
        what = "images" if options.frames is None else "videos"
        print(
            f"gan-lightning {command}: {len(failures)} of {len(targets)} {what} could not be translated:",
            *failures,
            sep="\n  ",
            file=sys.stderr,
        )
    print(f"{len(targets) - len(failures)} translations are in {options.out}.")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(
        prog="gan-lightning translate",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--ckpt",
        required=True,
        type=path,
        metavar="PATH",
        help="checkpoint that `fit` wrote, or a generator of the PyTorch code by the authors of pix2pix and CycleGAN "
        "(latest_net_G.pth)",
    )
    add_files(parser, "the results")
    parser.add_argument(
        "--direction",
        metavar="NAME",
        help="for models that translate in several: `AtoB` or `BtoA` (default: the model's first)",
    )
    parser.add_argument(
        "--domain",
        metavar="NAME",
        help="in place of --direction and --attributes: domain, class or attribute that the results are to be of, by "
        "the data's name for it",
    )
    parser.add_argument(
        "--attributes",
        type=_attribute_value,
        nargs="+",
        default=[],
        metavar="NAME[=0]",
        help="for models that know attributes: those that the results are to have, or with =0 not to have",
    )
    parser.add_argument(
        "--frames",
        type=whole(1),
        metavar="N",
        help="for models of videos: predict N frames after the last ones of each video file or folder of frames",
    )
    _add_guidance(parser)
    parser.add_argument(
        "--pages", action="store_true", help="for models that write programs of screenshots: a screenshot of each page"
    )
    add_pictures(parser)
    parser.add_argument(
        "--bits",
        type=int,
        choices=[8, 16],
        default=8,
        help="of each channel that is read and written (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole(), default=0, help="of what chance decides, if anything (default: %(default)s)"
    )
    add_import(parser)
    add_device(parser)
    return parser


def _add_guidance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hints",
        type=hint,
        nargs="+",
        default=[],
        metavar="X,Y,#RRGGBB",
        help="for models that colour images: colours at points, in pixels from the upper left corner",
    )
    parser.add_argument(
        "--reference",
        type=path,
        metavar="IMAGE",
        help="for models that colour images: picture whose colours are to be used",
    )


def _attribute_value(text: str) -> tuple[str, bool]:
    name, _, value = text.partition("=")
    if not name or value not in ("", "0", "1") or text.endswith("="):
        raise argparse.ArgumentTypeError(f"{text!r} is neither NAME nor NAME=0")
    return name, value != "0"


def _names(target: Path) -> tuple[Path, Path]:
    """The files that a result may be in, by the number of its channels."""
    return target, target.with_suffix(".npy")


def _checked_options(model: "AdversarialModule", options: argparse.Namespace) -> "Tensor | None":
    """Refuse what the model does not do, and read the reference, if there is one, before anything is made.

    ``domain`` becomes the direction and the attributes that lead to it.
    """
    from gan_lightning import inference

    if options.domain is not None:
        for name in ("direction", "attributes"):
            if getattr(options, name):
                raise ValueError(f"--domain and --{name} both say what the results are to be: leave one out.")
        options.direction, edits = inference.check_translation(model).of_domain(options.domain)
        options.attributes = [*edits.items()]
    names = [name for name, _ in options.attributes]
    for name in names:
        # Smiling Smiling=0 would contradict itself.
        if names.count(name) > 1:
            raise ValueError(f"--attributes names {name} {names.count(name)} times: say once what it is to be.")
    guidance = [name for name in ("hints", "reference") if getattr(options, name)]
    inference.check_translation(model, options.direction, dict(options.attributes), guidance)
    inference.check_video(model, options.frames)
    return inference.read_reference(model, options.reference) if options.reference else None


def _write(targets: dict[Path, Any], options: argparse.Namespace, write: Callable[[Any, Path], None]) -> list[str]:
    """Translate every image, or continue every video; return a sentence for each that failed."""
    from tqdm import tqdm

    from gan_lightning import inference

    failures = []
    # Continue an interrupted command: only the missing files.
    todo = {target: file for target, file in targets.items() if not any(map(Path.is_file, _names(target)))}
    done = len(targets) - len(todo)
    # An image is one step; of a video every predicted frame is.
    steps, unit = (1, " images") if options.frames is None else (options.frames, " frames")
    with tqdm(desc="Translating", unit=unit, initial=done * steps, total=len(targets) * steps) as bar:
        for target, file in todo.items():
            try:
                write(file, target)
            except inference.ImageError as error:
                failures.append(str(error))
            except OSError as error:
                # A full disk fails for every file: stop. Other errors concern this file alone.
                if error.errno in FULL:
                    raise
                place = getattr(file, "path", file)
                failures.append(f"{place}: {target} cannot be written: {error.strerror}.")
            bar.update(steps)
    return failures


def _translate_one(
    model: "AdversarialModule", file: Path, target: Path, options: argparse.Namespace, reference: "Tensor | None"
) -> None:
    from gan_lightning import inference
    from gan_lightning.visualization import images

    chosen = (options.direction, dict(options.attributes), options.seed, options.bits, options.hints)
    image = inference.translate(model, file, *chosen, reference)
    target.parent.mkdir(parents=True, exist_ok=True)
    levels = images.to_uint16(image) if options.bits == 16 else images.to_uint8(image)
    images.write_image(target.with_suffix(images.file_suffix(len(image))), levels.cpu())
