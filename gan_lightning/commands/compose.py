"""``gan-lightning compose``: images of several in all layers of a generator of styles."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, load_sampler, open_set
from gan_lightning.commands.latent_options import add_latents, kept_latents
from gan_lightning.commands.options import OptionParser, layers, number, path, whole
from gan_lightning.visualization.image_sets import end_set, fingerprint, refuse_to_overwrite

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.inference.edit import KeptLatents

    Results = list[tuple[str, Callable[[], Tensor]]]
    """Names of the pictures, and what makes each: 1 x C x H x W in [-1, 1]."""

_WEIGHTS = [0.0, 0.25, 0.5, 0.75, 1.0]

_ABOUT = """\
Compose images in all layers of a generator of styles, StyleGAN or StyleGAN2, which is trained no further (Chong et al.,
2021, StyleGAN of All Trades). They are of latents that `encode` has kept, or samples by their numbers.

  blend        the first image and each other one: side by side in a picture, or where --map is white
  transfer     what a box of each other image shows, such as its hair, on the first, whose pose stays
  patch        a box of each other image in the first, copied
  panorama     all images in a wide one
  extend       more of each image at both sides
  between      each image between this model and one that was trained on from it, --ckpt2
"""

_EXAMPLES = """\
examples:
  gan-lightning compose blend --ckpt last.ckpt --samples 3 8 --axis vertical --out blended
  gan-lightning compose blend --ckpt last.ckpt --samples 3 8 --map left_eye.png --out blended
  gan-lightning compose transfer --ckpt last.ckpt --latents me.npz her.npz --box 10 0 54 24 --out hair
  gan-lightning compose patch --ckpt last.ckpt --samples 3 8 --box 20 20 44 44 --to 0 20 --out patched
  gan-lightning compose panorama --ckpt landscapes.ckpt --samples 0 1 2 3 4 5 --truncation 0.7 --out wide
  gan-lightning compose extend --ckpt landscapes.ckpt --samples 3 --filling stretch --out wider
  gan-lightning compose between --ckpt faces.ckpt --ckpt2 cartoons.ckpt --latents me.npz --weights 0 0.7 1 --out toons
"""

_OF_MODES: dict[str, tuple[str, ...]] = {
    "axis": ("blend", "extend"),
    "map": ("blend",),
    "box": ("transfer", "patch"),
    "softness": ("transfer",),
    "layers": ("blend", "transfer"),
    "to": ("patch",),
    "level": ("patch", "extend"),
    "overlap": ("panorama",),
    "smoothing": ("panorama",),
    "filling": ("extend",),
    "ckpt2": ("between",),
    "weights": ("between",),
    "first_layer": ("between",),
}
"""Options by the modes that they go with."""
_COMMON = ("mode", "samples", "latent_files", "seed", "labels", "truncation", "scale", "second", "map_file")
_FILES = ("ckpt2", "map")
"""Options that name files, which are known by what is in them."""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        _check(options)
        import_packages(options.packages)
        refuse_to_overwrite(options.out)
        results = _results(options)
        # Made at once where something is wrong: before a folder is.
        results[0][1]()
        open_set(command, options, len(results), (*_COMMON, *(name for name in _OF_MODES if name not in _FILES)))
    with disk_errors_in_one_sentence(command, options.out):
        _write(results, options)
        end_set(options.out)
    print(f"{len(results)} images are in {options.out}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning compose", description=_ABOUT, epilog=_EXAMPLES)
    modes = ("blend", "transfer", "patch", "panorama", "extend", "between")
    parser.add_argument("mode", choices=modes, help="what is composed, see above")
    parser.add_argument("--ckpt", required=True, type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    parser.add_argument("--out", required=True, type=path, metavar="DIR", help="folder for the pictures; new or empty")
    add_latents(parser)
    parser.add_argument("--samples", nargs="+", type=whole(), metavar="N", help="numbers of samples of `generate`")
    parser.add_argument("--seed", type=whole(), default=0, help="of samples and of noise (default: %(default)s)")
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help="classes of the samples in turn, as of `generate`")
    parser.add_argument("--truncation", type=number, metavar="PSI", help="of the samples' styles, as of `generate`")
    _add_modes(parser)
    parser.add_argument(
        "--scale", type=whole(1), default=1, metavar="N", help="make every pixel N x N large (default: %(default)s)"
    )
    add_import(parser)
    add_device(parser)
    return parser


def _add_modes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--axis",
        choices=["horizontal", "vertical"],
        help="blend: side by side or one above the other; extend: twice as wide or as high (default: horizontal)",
    )
    parser.add_argument(
        "--map",
        type=path,
        metavar="FILE",
        help="blend: a grey picture of the images' size, black where the first image is, white where the other one is",
    )
    parser.add_argument(
        "--box",
        nargs=4,
        type=number,
        metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="transfer, patch: which part, in pixels",
    )
    parser.add_argument(
        "--softness", type=number, metavar="X", help="transfer: of the box's edges, 0 to 1 (default: 0.5)"
    )
    parser.add_argument(
        "--layers",
        type=layers,
        metavar="FIRST:LAST",
        help="blend, transfer: the first layer that is blended and the one after the last (default: all; of transfer "
        "all from 3, since the first decide the pose)",
    )
    parser.add_argument("--to", nargs=2, type=number, metavar=("LEFT", "TOP"), help="patch: where the box is put")
    parser.add_argument(
        "--level", type=whole(0), help="whose maps are changed; 0: the coarsest (default: patch 2, 16 x 16; extend 1)"
    )
    parser.add_argument("--overlap", type=number, metavar="X", help="panorama: share of an image (default: 0.5)")
    parser.add_argument(
        "--smoothing", type=number, metavar="X", help="panorama: how far styles are averaged, in images (default: 0.7)"
    )
    parser.add_argument(
        "--filling",
        choices=["reflect", "replicate", "circular", "stretch"],
        help="extend: what the coarse maps are continued with (default: reflect)",
    )
    parser.add_argument("--ckpt2", type=path, metavar="PATH", help="between: the model that was trained on from --ckpt")
    parser.add_argument(
        "--weights",
        nargs="+",
        type=number,
        metavar="A",
        help=f"between: 0: the first model, to 1: the other (default: {' '.join(f'{each:g}' for each in _WEIGHTS)})",
    )
    parser.add_argument(
        "--first_layer", type=whole(0), metavar="N", help="between: the first layer that is mixed (default: 4)"
    )


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: There are some, or one is missing.
    """
    for name, modes in _OF_MODES.items():
        if getattr(options, name) is not None and options.mode not in modes:
            raise ValueError(f"--{name} goes only with {' and '.join(modes)}, and not with {options.mode}.")
    if options.map is not None and options.axis is not None:
        raise ValueError("--map and --axis each say where the images are blended: give one of them.")
    if options.mode in _OF_MODES["box"] and options.box is None:
        raise ValueError(f"{options.mode}: give the part of the image, --box LEFT TOP RIGHT BOTTOM.")
    if options.mode == "between" and options.ckpt2 is None:
        raise ValueError("between: give the model that was trained on from this one, --ckpt2.")
    if (options.samples is None) == (options.latents is None):
        raise ValueError("Give the images: either --samples, or --latents.")
    for name in ("labels", "truncation") if options.latents else ():
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} does not go with --latents, which are of single images.")


def _images(model: Any, options: argparse.Namespace) -> "list[KeptLatents]":
    from gan_lightning.inference import check_labels
    from gan_lightning.inference.edit import kept_samples
    from gan_lightning.inference.styles import check_styles

    check_styles(model)
    if options.latents is not None:
        return [one for _, one in kept_latents(options.latents)]
    labels = None if options.labels is None else check_labels(model, options.labels)
    return kept_samples(model, options.samples, options.seed, labels, options.truncation)


def _results(options: argparse.Namespace) -> "Results":
    """The pictures and what makes them.

    Raises:
        ValueError: There are too few images, or they are of another model.
    """
    from gan_lightning.inference import edit
    from gan_lightning.metrics.digest import digest_of

    given = {name: getattr(options, name) for name in _OF_MODES if getattr(options, name) is not None}
    options.map_file = None
    options.second = None if options.ckpt2 is None else fingerprint(given.pop("ckpt2"))
    options.latent_files = None
    model: Any = load_sampler(options.ckpt, options.device)
    kept = _images(model, options)
    if options.latents is not None:
        options.latent_files = [[one.space, digest_of(one.latents)] for one in kept]
    if options.mode == "panorama":
        return [("panorama", partial(edit.panorama, model, kept, **given))]
    if options.mode == "extend":
        extended = [partial(edit.extend, model, one, seed=options.seed, **given) for one in kept]
        return [(f"{place:05d}", make) for place, make in enumerate(extended)]
    if options.mode == "between":
        return _between(model, kept, given, options)
    first, *others = kept
    if not others:
        raise ValueError(f"{options.mode}: give at least two images, the first and those that change it.")
    if options.mode == "blend":
        _, height, width = model.image_shape
        weights = edit.ramp(height, width, given.pop("axis", "horizontal"))
        if (file := given.pop("map", None)) is not None:
            weights = _weights(file, height, width)
            options.map_file = fingerprint(file)
        given = {"weights": weights, **given}
    compose: Any = {"transfer": edit.transfer_box, "patch": edit.swap_patch, "blend": edit.blend}
    made = [partial(compose[options.mode], model, first, other, **given) for other in others]
    return [(f"{place:05d}", make) for place, make in enumerate(made)]


def _weights(file: Path, height: int, width: int) -> "Tensor":
    """A picture as weights from 0, black, to 1, white: H x W.

    Raises:
        ValueError: It cannot be read, or is of another size.
    """
    import numpy as np
    import torch

    from datamodules.components.decoding import FORMATS, read_pixels
    from datamodules.components.files import reason

    try:
        pixels = read_pixels(file, 1)[..., 0]
    except Exception as error:  # PIL raises many kinds.
        raise ValueError(f"--map {file} cannot be read: {reason(error)}. Give {FORMATS}.") from error
    if pixels.shape != (height, width):
        raise ValueError(
            f"--map {file} has {pixels.shape[1]} x {pixels.shape[0]} pixels, and the images have {width} x {height}."
        )
    return torch.from_numpy(np.array(pixels, dtype=np.float32) / 255)


def _between(model: Any, kept: "list[KeptLatents]", given: dict[str, Any], options: argparse.Namespace) -> "Results":
    """One picture of all weights for each image."""
    import torch

    from gan_lightning.inference.edit import between

    other: Any = load_sampler(options.ckpt2, options.device)
    weights = given.pop("weights", _WEIGHTS)

    def strip(one: "KeptLatents") -> "Tensor":
        return torch.cat([between(model, other, one, weight, **given) for weight in weights], dim=3)

    return [(f"{place:05d}", partial(strip, one)) for place, one in enumerate(kept)]


def _write(results: "Results", options: argparse.Namespace) -> None:
    """Write one file for each picture; one that is there stays."""
    from tqdm import tqdm

    from gan_lightning.visualization.images import enlarge, file_suffix, to_uint8, write_image

    def missing() -> "Iterator[tuple[str, Callable[[], Tensor]]]":
        for name, make in results:
            if not any((options.out / f"{name}{suffix}").is_file() for suffix in (".png", ".npy")):
                yield name, make

    for name, make in tqdm([*missing()], "Composing", unit=" images"):
        (image,) = to_uint8(make()).cpu()
        write_image(options.out / f"{name}{file_suffix(len(image))}", enlarge(image, options.scale))
