"""``gan-lightning edit``: samples, or images of kept latents, along directions; images that are painted on."""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, load_sampler, open_set
from gan_lightning.commands.latent_options import add_latents, kept_latents
from gan_lightning.commands.options import OptionParser, number, path, whole
from gan_lightning.commands.painting import add_painting, is_painting, run_painting
from gan_lightning.commands.strips import add_scale, add_strip, strengths
from gan_lightning.commands.write_images import sample_file
from gan_lightning.visualization.image_sets import end_set, fingerprint, refuse_to_overwrite

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.inference.edit import Direction

    Images = Callable[[int, int, list[tuple[Direction, float]]], Tensor]
    """Images of the rows from a first one up to a last one, along directions: n x C x H x W in [-1, 1]."""

_N, _ROWS = 64, 6
_OPTIONS = (
    *("n", "seed", "labels", "text", "truncation", "latents", "batch_size", "strip", "scale"),
    *("followed", "direction_files"),
)
"""Options that determine the images."""

_ABOUT = """\
Write samples, or images of latents that `encode` has kept, moved along directions that `directions` has found. Each
direction is NAME=STRENGTH; several are added. With --strip, a direction without a strength makes a picture of its own,
NAME.png: a row for each sample, and a column for each strength. At strength 0 samples are those of `generate`.

With --paint, --sketch or --warp, latents move so that their images show what is painted, and stay near to where they
were. Of a photograph, --input, only what changes is changed. NAME.npz is the new latent of NAME.png.
"""

_EXAMPLES = """\
examples:
  gan-lightning edit --ckpt last.ckpt --direction smile=2 --n 16 --out smiling
  gan-lightning edit --ckpt last.ckpt --direction smile=2 sefa_03=-1.5 --latents latents --out edited
  gan-lightning edit --ckpt last.ckpt --direction sefa_00 sefa_01 --strip -3 3 7 --out strips
  gan-lightning edit --ckpt last.ckpt --input face.png --resize --paint 40,52,4,#a03040 --out painted
  gan-lightning edit --ckpt last.ckpt --latents latents --sketch 20,50,44,46 --warp 32,20,6,0,-4 --way --out drawn
  gan-lightning edit --ckpt stylegan2.pkl --direction far/away/pose.npz --strip -2 2 5 --truncation 0.7 --out pose
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if is_painting(options):
        return run_painting(command, options)
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        refuse_to_overwrite(options.out)
        steps = strengths(options.strip)
        fixed, walked = _directions(options)
        names, images = _rows(options, [*walked, *(direction for direction, _ in fixed)])
        # Made at once where something is wrong: before a folder is.
        images(0, 1, [*fixed, *((direction, 0.0) for direction in walked)])
        open_set(command, options, len(walked) or len(names), _OPTIONS)
    with disk_errors_in_one_sentence(command, options.out):
        if options.strip:
            for direction in walked:
                _write_strip(direction, fixed, steps, names, images, options)
        else:
            _write_images(fixed, len(names), images, options)
        end_set(options.out)
    print(f"{len(walked)} strips are in {options.out}." if walked else f"{len(names)} images are in {options.out}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning edit", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument("--ckpt", required=True, type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    parser.add_argument(
        "--direction",
        nargs="+",
        type=_followed,
        dest="followed",
        default=[],
        metavar="NAME=STRENGTH",
        help="directions by name, or by file, and how far to go; with --strip, some or all without =STRENGTH",
    )
    parser.add_argument(
        "--directions",
        type=path,
        default=Path("directions"),
        metavar="DIR",
        help="folder in which directions are looked for by name, at any depth (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=path,
        metavar="DIR",
        help="folder for the pictures, such as 00000.png; new or empty",
    )
    add_strip(parser, "a picture for each direction without a strength")
    parser.add_argument("--n", type=whole(1), help=f"number of samples (default: {_N}, or {_ROWS} rows of a strip)")
    parser.add_argument("--seed", type=whole(), default=0, help="which samples (default: %(default)s)")
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="classes of the samples in turn, by name or number, as of `generate`",
    )
    parser.add_argument("--text", nargs="+", metavar="TEXT", help="for models of texts: what the samples show, in turn")
    parser.add_argument(
        "--truncation", type=number, metavar="TAU", help="of latents or styles before they are moved, as of `generate`"
    )
    add_latents(parser)
    add_painting(parser)
    add_scale(parser)
    parser.add_argument("--batch_size", type=whole(1), default=64, help="images made at a time (default: %(default)s)")
    add_import(parser)
    add_device(parser)
    return parser


def _followed(text: str) -> tuple[str, float | None]:
    """The type of a direction: its name or file, and the strength if there is one."""
    name, equals, strength = text.rpartition("=")
    if not equals:
        return text, None
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no direction and a finite strength, such as smile=2")
    return name, value


def _directions(options: argparse.Namespace) -> "tuple[list[tuple[Direction, float]], list[Direction]]":
    """Directions that are followed by a strength, and those that strips are made of.

    Raises:
        ValueError: One is not found, or has no strength and there are no strips, or the other way round.
    """
    from gan_lightning.inference.edit import read_direction

    if not options.followed:
        raise ValueError("Nothing is edited: give --direction, or what is painted, such as --paint.")
    files = [_find(name, options.directions) for name, _ in options.followed]
    options.direction_files = [fingerprint(file) for file in files]
    found = [(read_direction(file), strength) for file, (_, strength) in zip(files, options.followed, strict=True)]
    fixed = [(direction, strength) for direction, strength in found if strength is not None]
    walked = [direction for direction, strength in found if strength is None]
    if walked and not options.strip:
        name = walked[0].name
        raise ValueError(f"--direction {name} has no strength: give {name}=2, or --strip -3 3 7.")
    if options.strip and not walked:
        raise ValueError("--strip needs a direction without a strength, which it walks along: leave out one =STRENGTH.")
    if len({direction.name for direction in walked}) < len(walked):
        raise ValueError("--direction: two strips would have the same name: make them in two commands.")
    return fixed, walked


def _find(name: str, folder: Path) -> Path:
    """The file of a direction.

    Raises:
        ValueError: There is none, or there are several.
    """
    from gan_lightning.inference.edit.directions import check_name

    if name.endswith(".npz"):
        if not Path(name).is_file():
            raise ValueError(f"--direction: there is no file {name}.")
        return Path(name)
    check_name(name)
    known = sorted(folder.rglob("*.npz"))
    found = [file for file in known if file.stem == name]
    if not found:
        some = ", ".join([file.stem for file in known][:40]) or "none"
        raise ValueError(f"There is no direction {name!r} in the folder {folder}, which has {some}: see --directions.")
    if len(found) > 1:
        raise ValueError(f"There are several directions {name!r}, {found[0]} and {found[1]}: give the file of one.")
    return found[0]


def _rows(options: argparse.Namespace, directions: "list[Direction]") -> "tuple[list[str], Images]":
    """Names of the samples or of the kept latents, and what makes their images.

    Raises:
        ValueError: The model makes points, the directions are of another, or options do not go together.
    """
    from gan_lightning.inference import check_labels
    from gan_lightning.inference.edit.directions import check_generator
    from gan_lightning.visualization.images import are_points

    for name in ("n", "text", "truncation") if options.latents else ():
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} does not go with --latents, which are of single images.")
    kept = None if options.latents is None else kept_latents(options.latents)
    model: Any = load_sampler(options.ckpt, options.device)
    if are_points(getattr(model, "image_shape", ())):
        raise ValueError("This model makes points in the plane, and no images that could be edited.")
    check_generator(model, directions)
    labels = None if options.labels is None else check_labels(model, options.labels)
    if kept is not None:
        return [name for name, _ in kept], _of_kept(model, [one for _, one in kept], labels)
    n = options.n or (_ROWS if options.strip else _N)
    return [str(row) for row in range(n)], _of_samples(model, labels, options)


def _of_samples(model: Any, labels: list[int] | None, options: argparse.Namespace) -> "Images":
    from gan_lightning.inference import check_texts
    from gan_lightning.inference.edit import sample_edited

    if options.text is not None:
        check_texts(model, options.text)
    chosen = {"labels": labels, "texts": options.text, "truncation": options.truncation}
    return lambda first, last, edits: sample_edited(
        model, last - first, edits, seed=options.seed, start=first, **chosen
    )


def _of_kept(model: Any, kept: list[Any], labels: list[int] | None) -> "Images":
    """Each alone, as ``generate --latents`` makes it."""
    import torch

    from gan_lightning.inference.edit import edit_kept, render_kept

    def images(first: int, last: int, edits: "list[tuple[Direction, float]]") -> "Tensor":
        return torch.cat(
            [
                render_kept(
                    model, edit_kept(model, kept[row], edits), None if labels is None else labels[row % len(labels)]
                )
                for row in range(first, last)
            ]
        )

    return images


def _batches(n: int, size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + size, n)) for first in range(0, n, size))


def _write_images(
    edits: "list[tuple[Direction, float]]", n: int, images: "Images", options: argparse.Namespace
) -> None:
    """Write one file a sample, named as those of ``generate``; one that is there stays."""
    from tqdm import tqdm

    from gan_lightning.visualization.images import enlarge, file_suffix, to_uint8, write_image

    with tqdm(total=n, desc="Editing", unit=" images") as bar:
        for first, last in _batches(n, options.batch_size):
            files = [sample_file(options.out, row, ".png") for row in range(first, last)]
            if not all(file.is_file() or file.with_suffix(".npy").is_file() for file in files):
                for file, image in zip(files, to_uint8(images(first, last, edits)).cpu(), strict=True):
                    write_image(file.with_suffix(file_suffix(len(image))), enlarge(image, options.scale))
            bar.update(last - first)


def _write_strip(
    direction: "Direction",
    fixed: "list[tuple[Direction, float]]",
    steps: list[float],
    names: list[str],
    images: "Images",
    options: argparse.Namespace,
) -> None:
    """Write ``NAME.png``, a row for each sample and a column for each strength; one that is there stays."""
    from tqdm import tqdm

    from gan_lightning.visualization.captions import cells, table
    from gan_lightning.visualization.images import write_png

    place = options.out / f"{direction.name}.png"
    if place.is_file():
        return
    made: list[Tensor] = []
    with tqdm(total=len(names) * len(steps), desc=direction.name, unit=" images") as bar:
        for first, last in _batches(len(names), options.batch_size):
            columns = []
            for strength in steps:
                columns.append(cells(images(first, last, [*fixed, (direction, strength)]), options.scale).cpu())
                bar.update(last - first)
            made += [column[row] for row in range(last - first) for column in columns]
    above = [f"{strength:.3g}" for strength in steps]
    write_png(place, table(made, len(steps), above, names, options.scale))
