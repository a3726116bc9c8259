"""``gan-lightning directions``: find directions of latents that change images."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.attributes import by_folder, look_up, read_attribute
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, load_sampler, open_set
from gan_lightning.commands.latent_options import add_latents, kept_latents
from gan_lightning.commands.options import OptionParser, layers, path, whole
from gan_lightning.visualization.image_sets import end_set, refuse_to_overwrite

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.inference.edit import Direction

_N = 8
_SAMPLES = 4000
_OPTIONS = (
    *("method", "n", "space", "layers", "samples", "seed", "latents", "labels_from", "attribute", "name"),
    "orthogonal_to",
)
"""Options that determine the directions."""
_TABLES = (".csv", ".txt")

_ABOUT = """\
Find directions in the space of a generator's latents, and write a file of each, which `edit` follows.

Without labels: `sefa` takes the eigenvectors of the first layer's weights, `ganspace` the principal components of
styles or of first features. Of latents whose parts go into several layers, such as LAPGAN's, `sefa` moves the part that
the first of them takes. With labels: `means` is the mean of the latents of images with an attribute, less that of
those without; `hyperplane` is the normal of the plane between them, and its accuracy on held-out images is printed.
Labels are of the latents that `encode` has kept (the sub-folders of the images, or a table such as CelebA's), or of
samples (a classifier of yours, or a table with the numbers of samples, such as 00012).
"""

_EXAMPLES = """\
examples:
  gan-lightning directions --ckpt last.ckpt --method sefa --n 5 --out directions/sefa
  gan-lightning directions --ckpt stylegan2.pkl --method ganspace --layers 0:4 --out directions/coarse
  gan-lightning directions --ckpt last.ckpt --method means --latents latents \\
      --attribute smiling --out directions/smiling
  gan-lightning directions --ckpt last.ckpt --method hyperplane --latents latents \\
      --labels_from list_attr_celeba.txt --attribute Smiling --out directions/celeba
  gan-lightning directions --ckpt last.ckpt --method hyperplane --labels_from mine.faces.Smile --attribute 1 \\
      --name smile --orthogonal_to directions/celeba/Male.npz --out directions/smile
  gan-lightning edit --ckpt last.ckpt --direction sefa_00 --strip -3 3 7 --out strips
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        _check(options)
        refuse_to_overwrite(options.out)
        model = load_sampler(options.ckpt, options.device)
        found = _labelled(model, options) if options.method in ("means", "hyperplane") else _unlabelled(model, options)
        open_set(command, options, len(found), _OPTIONS)
    with disk_errors_in_one_sentence(command, options.out):
        from gan_lightning.inference.edit import write_direction

        for direction in found:
            write_direction(options.out, direction)
        end_set(options.out)
    names = found[0].name + (f" to {found[-1].name}" if len(found) > 1 else "")
    print(f"{names} in {found[0].space}, {found[0].source}: in {options.out}. A strength of 1 is in {found[0].unit}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning directions", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument("--ckpt", required=True, type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    parser.add_argument(
        "--method", required=True, choices=["sefa", "ganspace", "means", "hyperplane"], help="how directions are found"
    )
    parser.add_argument("--out", required=True, type=path, metavar="DIR", help="folder for the files; new or empty")
    parser.add_argument("--n", type=whole(1), help=f"of sefa and ganspace: how many directions (default: {_N})")
    parser.add_argument(
        "--space",
        choices=["z", "w"],
        help="z: latents; w: styles, of StyleGAN and StyleGAN2 (default: that of --latents, else w where there is one)",
    )
    parser.add_argument(
        "--layers",
        type=layers,
        metavar="FIRST:LAST",
        help="in w: the direction changes these layers alone, up to LAST and without it; sefa looks at their weights",
    )
    parser.add_argument(
        "--samples",
        type=whole(2),
        default=_SAMPLES,
        metavar="N",
        help="samples that are looked at, where there are no --latents (default: %(default)s)",
    )
    parser.add_argument("--seed", type=whole(), default=0, help="of samples and of the split (default: %(default)s)")
    add_latents(parser)
    parser.add_argument(
        "--labels_from",
        metavar="SOURCE",
        help="a CSV file, or CelebA's list_attr_celeba.txt: a line for each image, its name and 1, or 0 or -1, for "
        "each attribute; or the import path of a classifier of images in [-1, 1] (default: sub-folders of --latents)",
    )
    parser.add_argument(
        "--attribute",
        metavar="NAME",
        help="what the direction adds: a column of the table, a sub-folder, or a class of the classifier by its number",
    )
    parser.add_argument("--name", metavar="NAME", help="of a labelled direction's file (default: the attribute's)")
    parser.add_argument(
        "--orthogonal_to",
        nargs="+",
        type=path,
        default=[],
        metavar="FILE",
        help="directions whose changes a labelled direction leaves out",
    )
    parser.add_argument(
        "--batch_size", type=whole(1), default=64, metavar="N", help="images at a time (default: %(default)s)"
    )
    add_import(parser)
    add_device(parser)
    return parser


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: There are some.
    """
    from gan_lightning.inference.edit.directions import check_name

    labelled = options.method in ("means", "hyperplane")
    for name in ("n",) if labelled else ("latents", "labels_from", "attribute", "name", "orthogonal_to"):
        if getattr(options, name):
            raise ValueError(f"--{name} does not go with --method {options.method}.")
    options.orthogonal_to = [str(file) for file in options.orthogonal_to]
    if not labelled:
        return
    if options.latents and options.space:
        raise ValueError("--space does not go with --latents, which have a space of their own.")
    if options.latents is None and options.labels_from is None:
        raise ValueError("There are no labels: give --latents with sub-folders, or --labels_from.")
    is_classifier = options.labels_from is not None and Path(options.labels_from).suffix not in _TABLES
    if options.attribute is None and not is_classifier:
        raise ValueError("--attribute is missing: say which column or folder the direction leads to.")
    if is_classifier and options.attribute is not None and not options.attribute.isdecimal():
        raise ValueError(
            f"--attribute {options.attribute}: of a classifier it is the number of a class; tables end in .csv or .txt."
        )
    if is_classifier and options.name is None:
        raise ValueError("--name is missing: say what the classifier finds, such as --name smile.")
    check_name(options.name or options.attribute)


def _unlabelled(model: Any, options: argparse.Namespace) -> "list[Direction]":
    import torch

    from gan_lightning.inference.edit.spaces import space_of
    from gan_lightning.inference.edit.unlabelled import in_layers, looks_at_samples, unlabelled_directions

    space = space_of(model, options.space)
    in_layers(space, options.layers)  # Refused before anything is sampled.
    latents = torch.empty(0)
    if looks_at_samples(space, options.method):
        latents = torch.cat([some for some, _ in _samples(space, options)])
    return unlabelled_directions(space, options.method, options.n or _N, latents, options.layers, options.seed)


def _labelled(model: Any, options: argparse.Namespace) -> "list[Direction]":
    """The direction from images without an attribute to those with it."""

    from gan_lightning.inference.edit import Direction, read_direction
    from gan_lightning.inference.edit.directions import (
        DEVIATIONS,
        DIFFERENCES,
        check_generator,
        digest_of_generator,
        space_of_edits,
    )
    from gan_lightning.inference.edit.finding import hyperplane, mean_difference, orthogonalised
    from gan_lightning.inference.edit.spaces import space_of
    from gan_lightning.inference.edit.unlabelled import in_layers

    kept = None if options.latents is None else kept_latents(options.latents)
    if kept is not None and len({(one.space, one.latents.shape) for _, one in kept}) > 1:
        raise ValueError("--latents: they are of several spaces or generators: give those of one.")
    space = space_of(model, options.space if kept is None else kept[0][1].space)  # type: ignore[arg-type]
    name, shape = in_layers(space, options.layers)
    others = [read_direction(file) for file in options.orthogonal_to]
    check_generator(model, others)
    if others:
        space_of_edits(model, [(other, 0.0) for other in others])
    if any(other.space != name for other in others):
        raise ValueError(f"--orthogonal_to: the directions must be in {name}, as the new one.")
    latents, has = _latents_and_labels(space, kept, options)
    if options.method == "means":
        vector, unit, told = mean_difference(latents, has), DIFFERENCES, ""
    else:
        vector, accuracy = hyperplane(latents, has, options.seed)
        unit, told = DEVIATIONS, f", accuracy {accuracy:.3f} on held-out images"
    vector = orthogonalised(shape(vector), [other.vector for other in others])
    count = f"{int(has.sum())} images with it and {int((~has).sum())} without"
    source = f"{options.method} of {count}{told}"
    digest = digest_of_generator(model)
    return [Direction(options.name or options.attribute, name, vector.cpu(), unit, source, digest)]


def _samples(space: Any, options: argparse.Namespace) -> "Iterator[tuple[Tensor, tuple[Tensor, ...]]]":
    """Latents of samples on the CPU, and what the generator takes beside them, in batches with a progress bar."""
    from tqdm import tqdm

    from gan_lightning.games.freezing import evaluating

    with tqdm(total=options.samples, desc="Sampling", unit=" latents") as bar:
        for first in range(0, options.samples, options.batch_size):
            last = min(first + options.batch_size, options.samples)
            with evaluating(space.network):
                latents, condition = space.samples(first, last, options.seed)
            yield latents.cpu(), condition
            bar.update(last - first)


def _latents_and_labels(space: Any, kept: Any, options: argparse.Namespace) -> "tuple[Tensor, Tensor]":
    """Latents, N x ..., and whether each has the attribute, N.

    Raises:
        FileNotFoundError: There is no such table.
        ValueError: There are no labels of the latents.
    """
    import torch

    if options.labels_from is not None and Path(options.labels_from).suffix not in _TABLES:
        return _classified(space, kept, options)
    if kept is None:
        latents = torch.cat([some for some, _ in _samples(space, options)])
        names = [f"{number:05d}" for number in range(len(latents))]
    else:
        latents = space.check(torch.cat([one.latents for _, one in kept]), len(kept)).cpu()
        names = [name for name, _ in kept]
    if options.labels_from is None:
        labels = by_folder(names, options.attribute)
    else:
        file = Path(options.labels_from)
        if not file.is_file():
            raise FileNotFoundError(f"There is no file {file}: give --labels_from a table of attributes.")
        labels = look_up(read_attribute(file, options.attribute), names)
        if not labels:
            raise ValueError(f"{file} names none of the {len(names)} images, such as {names[0]}.")
    return latents[[*labels]], torch.tensor([*labels.values()])


def _classified(space: Any, kept: Any, options: argparse.Namespace) -> "tuple[Tensor, Tensor]":
    """The same by a classifier of the images."""
    import torch
    from tqdm import tqdm

    from gan_lightning.games.freezing import evaluating
    from gan_lightning.inference.edit import network_of, render_kept
    from gan_lightning.inference.edit.finding import labels_by

    classifier = network_of(options.labels_from).to(space.game.device).eval()
    number = None if options.attribute is None else int(options.attribute)
    latents, has = [], []
    if kept is None:
        for some, condition in _samples(space, options):
            with evaluating(space.network):
                images = space.make(some.to(space.game.device), condition, [])
            latents.append(some)
            has.append(labels_by(classifier, images, number).cpu())
    else:
        for _, one in tqdm(kept, desc="Classifying", unit=" images"):
            latents.append(one.latents)
            has.append(labels_by(classifier, render_kept(space.game, one), number).cpu())
    return torch.cat(latents), torch.cat(has)
