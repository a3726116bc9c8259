"""``gan-lightning generate``: pictures from a checkpoint."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.code_options import HELP, parse_codes
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import (
    add_device,
    add_import,
    add_standing_statistics,
    import_packages,
    load_sampler,
    open_set,
)
from gan_lightning.commands.generate_media import generate_media
from gan_lightning.commands.latent_options import add_latents, check_latents, kept_images
from gan_lightning.commands.options import OptionParser, layers, number, path, whole
from gan_lightning.commands.style_options import add_style, check_style, style_table, write_style
from gan_lightning.commands.text_options import add_texts, read_texts, tell_of_texts
from gan_lightning.commands.write_images import (
    NOISES,
    first_missing,
    with_progress_bar,
    write_interpolation,
    write_points,
    write_samples,
    write_table,
)
from gan_lightning.visualization.image_sets import end_set, refuse_to_overwrite

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.games.base import AdversarialModule

_N = 64
_FRAMES = 16
_TABLE = 6
_OF_A_TEXT = 8
_IMAGE_OPTIONS = (
    "seed",
    "batch_size",
    "labels",
    "codes",
    "domain",
    "text",
    "truncation",
    "standing_statistics",
    "grid",
    "interpolate",
    "mix",
    "vary_noise",
    "style",
    "style_steps",
    "latents",
    "noise",
    "video",
    "scale",
    "format",
    "bits",
)
"""Options that determine the images; an interrupted command continues only with the same ones."""

_ABOUT = """\
Write samples from a checkpoint as PNG or .npy files, or the way from one sample to another, at the model's own
resolution. It needs neither the training data nor the config. The same seed makes the same pictures. Of a model whose
samples are points in the plane it writes scatter.png and points.csv; of a model of sounds or texts a file for each
sample, such as 00000.wav, with a picture of it beside where there is one.
"""

_EXAMPLES = """\
examples:
  gan-lightning generate --ckpt last.ckpt --n 100 --grid --out samples
  gan-lightning generate --ckpt last.ckpt --labels 7 --out sevens
  gan-lightning generate --ckpt last.ckpt --truncation 0.5 --standing_statistics --out typical
  gan-lightning generate --ckpt stylegan2.pkl --truncation 0.7 --mix 0:4 --n 6 --out coarse_styles
  gan-lightning generate --ckpt last.ckpt --text "a red apple" --n 8 --out apples
  gan-lightning generate --ckpt last.ckpt --texts texts.txt --n 6 --out rows_of_texts
  gan-lightning generate --ckpt last.ckpt --style a.png b.png --text "red heart" "a blue car" --out styles
  gan-lightning generate --ckpt last.ckpt --interpolate 0 0 --text "red heart" "green heart" --out changing
  gan-lightning generate --ckpt last.ckpt --latents latents --grid --out again
  gan-lightning generate --ckpt last.ckpt --codes category=3 continuous0=-2:2 --out codes
  gan-lightning generate --ckpt last.ckpt --interpolate 0 5 --frames 60 --video --out way
  gan-lightning generate --ckpt last.ckpt --interpolate 0 1 2 --interpolate 3 4 5 --frames 6 --out two_ways
  gan-lightning generate --ckpt last.ckpt --interpolate 0 0 --codes continuous0=-2:2 --out one_code
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    # torch takes its time: not before the arguments are known to be right
    from gan_lightning.visualization.captions import cells
    from gan_lightning.visualization.images import are_points, enlarge, to_uint8, to_uint16

    make, write = _mode(options)
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        _check_modes(options)
        read_texts(options)
        refuse_to_overwrite(options.out)
        # Continue at the batch of the first missing file: batches are a function of the seed.
        size = 1 if options.latents else options.batch_size
        start = first_missing(options) // size * size
        # Nothing is computed yet: batches are a generator.
        model, n, batches = make(options, start)
    if getattr(model, "medium", None) is not None:
        return generate_media(command, options, model, n, _IMAGE_OPTIONS)
    with errors_in_one_sentence(command):
        points = are_points(getattr(model, "image_shape", ()))
        if points and (options.grid or options.video or options.scale > 1):
            raise ValueError(
                "this model makes points, which all go into scatter.png: leave out --grid, --video and --scale."
            )
        _check_scale(options.scale, model)
        _check_format(options, model)
        open_set(command, options, n, _IMAGE_OPTIONS)
        # On the device, a batch at a time: a quarter of the bytes leave a GPU.
        if options.grid or options.interpolate or options.mix or options.vary_noise or options.style:
            batches = map(cells, batches)
        elif not points:
            batches = map(to_uint16 if options.bits == 16 else to_uint8, batches)
    with disk_errors_in_one_sentence(command, options.out), closing(with_progress_bar(batches, n, start)) as images:
        if points:
            write_points(images, options)
        else:
            write((enlarge(image, options.scale) for image in images), options, start)
        end_set(options.out)
    return 0


def _check_scale(scale: int, model: "AdversarialModule") -> None:
    """Refuse enlarged pictures that our own reader would refuse.

    Raises:
        ValueError: They are.
    """
    from datamodules.components.decoding import MOST_PIXELS

    _, height, width = getattr(model, "image_shape", (1, 1, 1))
    if scale > 1 and scale**2 * height * width > MOST_PIXELS:
        raise ValueError(
            f"--scale: {scale} makes pictures of {scale * width} x {scale * height} pixels, and {MOST_PIXELS // 10**6} "
            "million are the most: give a smaller one."
        )


def _check_format(options: argparse.Namespace, model: "AdversarialModule") -> None:
    """Refuse files that cannot hold the samples, and options without effect.

    Raises:
        ValueError: There are some.
    """
    from gan_lightning.visualization.images import file_suffix

    channels = getattr(model, "image_shape", (3, 1, 1))[0]
    one_picture = options.grid or options.interpolate or options.mix or options.vary_noise or options.style
    if (options.format or options.bits != 8) and one_picture:
        raise ValueError(
            "--format and --bits are of a file for each sample: leave out --grid, --interpolate, --mix, --vary_noise "
            "and --style."
        )
    if options.format == "png" and file_suffix(channels) != ".png":
        raise ValueError(f"--format png: a PNG has 1, 3 or 4 channels, and the samples have {channels}: give npy.")


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(
        prog="gan-lightning generate",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    parser.add_argument("--ckpt", required=True, type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    parser.add_argument(
        "--n", type=whole(1), help=f"number of samples, or of samples of each text (default: {_N}, or {_OF_A_TEXT})"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=path,
        metavar="DIR",
        help="folder for the pictures, such as 00000.png; it must be new or empty, or what the same command, which was "
        "cut off, has left: it goes on there",
    )
    parser.add_argument("--seed", type=whole(), default=0, help="which samples (default: %(default)s)")
    parser.add_argument(
        "--labels",
        type=str,
        nargs="+",
        metavar="LABEL",
        help="classes of the samples, in turn, by the data's names for them or by number: `--labels cat dog`, "
        "`--labels 7`; for models with classes "
        "(default: drawn as often as in the data)",
    )
    parser.add_argument("--codes", nargs="+", metavar="NAME=VALUE", default=[], help=HELP)
    parser.add_argument(
        "--domain", metavar="NAME", help="for models of two domains, such as CoGAN: `A` or `B` (default: the first)"
    )
    add_texts(parser)
    parser.add_argument(
        "--truncation",
        type=number,
        metavar="TAU",
        help="draw the numbers of latents again until they lie in [-TAU, TAU]; of StyleGAN and StyleGAN2 the psi that "
        "draws styles to their mean: the smaller, the less samples differ, and as a rule the better each looks "
        "(default: as in training)",
    )
    add_standing_statistics(parser)
    _add_pictures(parser)
    _add_files(parser)
    parser.add_argument("--batch_size", type=whole(1), default=64, help="images made at a time (default: %(default)s)")
    add_import(parser)
    add_device(parser)
    return parser


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    """What is made instead of single samples, and the noise of styles."""
    parser.add_argument("--grid", action="store_true", help="write all samples into one picture, grid.png")
    parser.add_argument(
        "--interpolate",
        type=whole(),
        nargs="+",
        action="append",
        metavar=("A", "B"),
        help="instead of samples, write the way from sample A to sample B, and on to others if there are more, side by "
        "side, as interpolation.png; given again, it writes another row; `--labels` and `--codes` then take one value "
        "for the whole way or one for each sample on it, and a class changes half-way, but that of StyleGAN2 little by "
        "little",
    )
    parser.add_argument(
        "--mix",
        type=layers,
        metavar="FIRST:LAST",
        help="for StyleGAN and StyleGAN2: instead of samples, write the table mixing.png of N rows and columns: each "
        "image is the sample on its left with the layers from FIRST on, up to LAST and without it, of the sample above",
    )
    parser.add_argument(
        "--vary_noise",
        action="store_true",
        help="for StyleGAN and StyleGAN2: instead of samples, write noise.png: a row for each of N samples, with four "
        "kinds of noise, and on the right how much it changes each pixel",
    )
    parser.add_argument(
        "--noise",
        type=number,
        metavar="FACTOR",
        help="for StyleGAN and StyleGAN2: noise so many times as loud; 0 turns it off (default: 1)",
    )
    parser.add_argument(
        "--frames",
        type=whole(1),
        metavar="N",
        help=f"images on the way from one sample to the next, ends included (default: {_FRAMES})",
    )
    add_style(parser)
    add_latents(parser, "; `--labels` then takes the place of their own classes")
    parser.add_argument("--video", action="store_true", help="write the way as an animation too, interpolation.gif")


def _add_files(parser: argparse.ArgumentParser) -> None:
    """How pictures and samples are written."""
    parser.add_argument(
        "--scale",
        type=whole(1),
        default=1,
        metavar="N",
        help="make every pixel N x N pixels large: for images too small to look at (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        choices=["png", "npy"],
        help="of the file of a sample; npy is NumPy's, H x W x C (default: png for grey, RGB and RGBA, npy for other "
        "numbers of channels; a grid shows those one by one)",
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=[8, 16],
        default=8,
        help="of each channel in the file of a sample (default: %(default)s)",
    )


def _mode(options: argparse.Namespace) -> "tuple[Callable[..., Any], Callable[..., None]]":
    """What makes the images, and what writes them."""
    if options.style:
        return style_table, write_style
    if options.latents:
        return kept_images, write_samples
    if options.mix or options.vary_noise:
        return _table, write_table
    return (_interpolation, write_interpolation) if options.interpolate else (_samples, write_samples)


def _check_modes(options: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: There are some.
    """
    modes = [name for name in ("interpolate", "mix", "vary_noise", "style") if getattr(options, name)]
    if len(modes) > 1:
        raise ValueError(f"--{modes[0]} and --{modes[1]} each write a picture of their own: leave one out.")
    for name in ("grid", "codes", "domain", "text", "texts"):
        if (options.mix or options.vary_noise) and getattr(options, name):
            raise ValueError(f"--{name} does not go with --{modes[0]}, which writes one table of styles.")
    check_style(options)
    check_latents(options)
    _check_interpolation_options(options)


def _check_interpolation_options(options: argparse.Namespace) -> None:
    if len({len(way) for way in options.interpolate or ()}) > 1:
        raise ValueError("--interpolate: the ways are the rows of one picture: give each as many samples.")
    for name in ("n", "grid") if options.interpolate else ("frames", "video"):
        if getattr(options, name) not in (None, False):
            goes = "does not go with" if options.interpolate else "goes only with"
            raise ValueError(f"--{name} {goes} --interpolate, which writes the way from one sample to another.")


def _samples(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """Load the model; return it, the number of images and batches of them from image ``start`` on."""
    from gan_lightning import inference

    of_each = options.n or (_N if options.text is None else _OF_A_TEXT)
    texts = None if options.text is None else [text for text in options.text for _ in range(of_each)]
    n = of_each if texts is None else len(texts)
    codes = parse_codes(options.codes, n)
    model = load_sampler(options.ckpt, options.device)
    chosen = (options.labels, codes, options.domain)
    batches = inference.generate(
        model, n, options.seed, options.batch_size, *chosen, start, truncation=options.truncation, texts=texts
    )
    tell_of_texts(model, options.text)
    _set_statistics(options, model)
    return model, n, batches


def _interpolation(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """The same for interpolations between samples, one after the other."""
    from gan_lightning import inference

    n = _FRAMES if options.frames is None else options.frames
    through = len(options.interpolate[0])
    codes = parse_codes(options.codes, through)
    model = load_sampler(options.ckpt, options.device)
    chosen = (options.labels, codes, options.domain)
    ways = [
        inference.traverse(
            model,
            *(way, n, options.seed, options.batch_size, *chosen),
            truncation=options.truncation,
            texts=options.text,
        )
        for way in options.interpolate
    ]
    tell_of_texts(model, options.text)
    _set_statistics(options, model)
    return model, len(ways) * ((through - 1) * (n - 1) + 1), chain.from_iterable(ways)


def _table(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """The same for a table of mixed styles or of noise, all in one batch."""
    from gan_lightning import inference

    n = options.n or _TABLE
    model = load_sampler(options.ckpt, options.device)
    _set_statistics(options, model)
    labels = None if options.labels is None else inference.check_labels(model, options.labels)
    if options.mix:
        first, last = options.mix
        images = inference.mixing_table(model, n, first, last, options.seed, labels, options.truncation)
    else:
        images = inference.noise_table(model, n, NOISES, options.seed, labels, options.truncation)
    return model, len(images), iter([images])


def _set_statistics(options: argparse.Namespace, model: "AdversarialModule") -> None:
    from gan_lightning import inference

    if options.noise is not None:
        inference.scale_noise(model, options.noise)
    if options.standing_statistics is not None:
        inference.set_standing_statistics(
            model, options.standing_statistics, seed=options.seed, truncation=options.truncation
        )
