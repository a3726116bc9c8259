"""What ``encode`` and ``reconstruct`` share: their options, and the latents of image files."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, load_sampler, open_set
from gan_lightning.commands.input_images import add_files, check_place, targets_of
from gan_lightning.commands.options import number, path, whole
from gan_lightning.visualization.image_sets import end_set, fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.inference.edit import Inversion

LATENT_OPTIONS = (
    *("seed", "batch_size", "labels", "text", "space", "start", "candidates", "steps", "learning_rate", "resize"),
    *("distance", "pixel_weight", "feature_weight", "latent_weight", "noise_weight", "encoder_file"),
)
"""Options that determine the latents, beside the images."""


_ENCODER_STEPS = 1000


class Found(NamedTuple):
    """The latent of one image.

    Attributes:
        target: Its file.
        given: The image, uint8, C x H x W.
        found: Its inversion, of one image.
        label: Its class; None: the model has none.
        model: The game.
    """

    target: Path
    given: "Tensor"
    found: "Inversion"
    label: int | None
    model: Any


def add_inversion(parser: argparse.ArgumentParser) -> None:
    """Add the options of the images, of the start, of the loss, and of the optimisation."""
    parser.add_argument("--ckpt", required=True, type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    add_files(parser, "the results, named after their images")
    parser.add_argument(
        "--resize",
        action="store_true",
        help="crop images of another size in the middle and resize them to the model's, as in training",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="for models with classes: that of all images, or one for each, sorted by name; by the data's names for "
        "them or by number (default: the sub-folders of --input, where these are called as classes)",
    )
    parser.add_argument("--text", metavar="TEXT", help="for models of texts: what the images show")
    _add_start(parser)
    _add_loss(parser)
    parser.add_argument(
        "--steps", type=whole(0), default=1000, metavar="N", help="of Adam; 0: the start alone (default: %(default)s)"
    )
    parser.add_argument(
        "--learning_rate", type=number, default=0.1, metavar="RATE", help="the largest (default: %(default)s)"
    )
    parser.add_argument(
        "--batch_size", type=whole(1), default=16, metavar="N", help="images at a time (default: %(default)s)"
    )
    parser.add_argument("--seed", type=whole(), default=0, help="of all that is drawn (default: %(default)s)")
    add_import(parser)
    add_device(parser)


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--space",
        choices=["z", "w", "w+"],
        help="z: latents; of StyleGAN and StyleGAN2 also w: one style for all layers, and w+: one for each, which is "
        "nearer to the image and edits worse (default: w for these, else z)",
    )
    parser.add_argument(
        "--start",
        choices=["mean", "encoder", "samples"],
        help="the mean latent, what the model's encoder finds, or for each image the best of --candidates samples "
        "(default: mean in w and w+; else encoder, or samples of a model that has none)",
    )
    parser.add_argument(
        "--encoder",
        type=path,
        metavar="FILE",
        help="start from what an encoder of this generator finds, which is read from FILE; where there is none, it is "
        "trained on the model's own samples first, and kept there",
    )
    parser.add_argument(
        "--encoder_steps", type=whole(1), metavar="N", help=f"of that training (default: {_ENCODER_STEPS})"
    )
    parser.add_argument(
        "--candidates", type=whole(1), default=256, metavar="N", help="random latents compared (default: %(default)s)"
    )


def _add_loss(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--distance",
        metavar="NETWORK",
        help="compare images by the features of a network too: vgg19, or the import path of one of your own, of images "
        "in [-1, 1], such as a network that recognises faces",
    )
    parser.add_argument(
        "--distance_weights", type=path, metavar="FILE", help="VGG19's weights (default: torchvision's, downloaded)"
    )
    for name, default, what in (
        ("pixel", 1.0, "the mean squared difference of pixels"),
        ("feature", 1.0, "that of features"),
        ("latent", 0.0, "that of latents from their mean"),
        ("noise", 1e5, "the regulariser of StyleGAN's noise"),
    ):
        parser.add_argument(
            f"--{name}_weight",
            type=number,
            default=default,
            metavar="X",
            help=f"weight of {what} (default: %(default)g)",
        )


def invert_files(
    command: str,
    options: argparse.Namespace,
    further: tuple[str, ...],
    check: Callable[[Any], None],
    files_of: Callable[[Path], list[Path]],
    write: Callable[[Found], None],
) -> int:
    """Find the latents of the images, and write what is made of each.

    Args:
        command: The command.
        options: Its options.
        further: Names of those that decide what is written, beside ``LATENT_OPTIONS``.
        check: Called with the model before any image is read; raises a ValueError.
        files_of: The files that are written of an image, from that of its latent.
        write: Writes them; one that is there stays.

    Returns:
        The exit code: 1 if there are images that cannot be used.
    """
    from gan_lightning.inference.edit import Distance, network_of

    with errors_in_one_sentence(command):
        import_packages(options.packages)
        targets = targets_of(options.input, options.out, ".npz")
        check_place(options.input, options.out, "inverted")
        if options.distance is None and options.distance_weights is not None:
            raise ValueError("--distance_weights goes only with --distance vgg19, whose weights they are.")
        network = None if options.distance is None else network_of(options.distance, options.distance_weights)
        distance = Distance(network, options.pixel_weight, options.feature_weight)
        model = load_sampler(options.ckpt, options.device)
        labels = _labels(model, targets, options)
        _check(model, labels, options, distance)
        check(model)
        encoder = _encoder(model, options)
        options.source = str(options.input.resolve())
        open_set(command, options, len(targets), ("source", *LATENT_OPTIONS, *further))
    with disk_errors_in_one_sentence(command, options.out):
        failures = []
        for begin, batch in _batches(targets, options.batch_size):
            if all(file.is_file() for target, _ in batch for file in files_of(target)):
                continue
            read, errors = _read([file for _, file in batch], model, options.resize)
            failures += errors
            for found in _invert(model, batch, read, labels, begin, len(targets), options, distance, encoder):
                found.target.parent.mkdir(parents=True, exist_ok=True)
                write(found)
        end_set(options.out)
    if failures:
        print(
            f"gan-lightning {command}: {len(failures)} of {len(targets)} images could not be used:",
            *failures,
            sep="\n  ",
            file=sys.stderr,
        )
    _tell_errors([target for target in targets if target.is_file()], options.out)
    return 1 if failures else 0


def _batches(targets: dict[Path, Path], size: int) -> Iterator[tuple[int, list[tuple[Path, Path]]]]:
    pairs = [*targets.items()]
    for begin in range(0, len(pairs), size):
        yield begin, pairs[begin : begin + size]


def _labels(model: Any, targets: dict[Path, Path], options: argparse.Namespace) -> list[Any] | None:
    """The class of each image; None: they have none."""
    names = [str(name) for name in getattr(model, "class_names", None) or ()]
    if options.labels is not None:
        given = [*options.labels]
        if len(given) not in (1, len(targets)):
            raise ValueError(
                f"--labels has {len(given)}: give one for all {len(targets)} images, or one for each, sorted by name."
            )
        return given * len(targets) if len(given) == 1 else given
    folders = [file.relative_to(options.input).parts[0] for file in targets.values()] if options.input.is_dir() else []
    return folders if folders and set(folders) <= set(names) else None


def _check(model: Any, labels: list[Any] | None, options: argparse.Namespace, distance: Any) -> None:
    """Refuse what the model cannot do, by the inversion of a black image in no step."""
    import torch

    from gan_lightning.inference.edit import invert
    from gan_lightning.inference.edit.spaces import space_of

    space_of(model, options.space)  # First: a game of other samples than images has no shape of images.
    classes = None if labels is None else sorted(set(labels))
    invert(
        model,
        torch.zeros(len(classes or [0]), *model.image_shape),
        labels=classes,
        texts=None if options.text is None else [options.text],
        space=options.space,
        start=options.start,
        candidates=1,
        distance=distance,
        latent_weight=options.latent_weight,
        noise_weight=options.noise_weight,
        learning_rate=options.learning_rate,
        steps=0,
    )


def _encoder(model: Any, options: argparse.Namespace) -> Any:
    """The encoder of ``--encoder``, read or trained and kept; None: none is asked for."""
    from gan_lightning.inference.edit.encoder import read_encoder, train_encoder, write_encoder

    options.encoder_file = None
    if options.encoder is None:
        if options.encoder_steps is not None:
            raise ValueError("--encoder_steps goes only with --encoder, which is trained for so many steps.")
        return None
    if options.start is not None:
        raise ValueError("--encoder and --start each say where the optimisation starts: give one of them.")
    if not options.encoder.is_file():
        if not options.encoder.absolute().parent.is_dir():
            raise ValueError(f"--encoder: there is no folder {options.encoder.parent} to keep it in.")
        steps = options.encoder_steps or _ENCODER_STEPS
        write_encoder(
            options.encoder,
            train_encoder(model, steps, space=options.space, seed=options.seed),
            model,
            options.space,
        )
    encoder = read_encoder(options.encoder, model, options.space)
    options.encoder_file = fingerprint(options.encoder)
    return encoder


def _read(files: list[Path], model: Any, resize: bool) -> "tuple[dict[Path, Tensor], list[str]]":
    """The images that can be used, uint8, and a sentence for each other one."""
    import numpy as np
    import torch

    from datamodules.components.decoding import decode, read_pixels
    from datamodules.components.files import reason

    channels, height, width = model.image_shape
    images, failures = {}, []
    for file in files:
        try:
            if resize:
                pixels = decode(file, (height, width), channels)
            else:
                pixels = read_pixels(file, channels).transpose(2, 0, 1)
                if pixels.shape[1:] != (height, width):
                    raise ValueError(
                        f"{pixels.shape[2]} x {pixels.shape[1]} pixels, and the model makes {width} x {height}: give "
                        "--resize"
                    )
            images[file] = torch.from_numpy(np.array(pixels, order="C"))
        except Exception as error:  # PIL raises many kinds.
            failures.append(f"{file}: {reason(error)}.")
    return images, failures


def _invert(
    model: Any,
    batch: list[tuple[Path, Path]],
    read: "dict[Path, Tensor]",
    labels: list[Any] | None,
    begin: int,
    total: int,
    options: argparse.Namespace,
    distance: Any,
    encoder: Any,
) -> Iterator[Found]:
    import torch

    from gan_lightning.inference import check_labels
    from gan_lightning.inference.edit import invert

    if not read:
        return
    rows = [row for row, (_, file) in enumerate(batch) if file in read]
    images = torch.stack([read[batch[row][1]] for row in rows])
    chosen = None if labels is None else check_labels(model, [labels[begin + row] for row in rows])
    start = options.start
    if encoder is not None:
        with torch.no_grad():
            start = encoder(model.scaled(images.to(model.device)).float())
    found = invert(
        model,
        images,
        space=options.space,
        labels=chosen,
        texts=None if options.text is None else [options.text],
        start=start,
        candidates=options.candidates,
        distance=distance,
        latent_weight=options.latent_weight,
        noise_weight=options.noise_weight,
        steps=options.steps,
        learning_rate=options.learning_rate,
        batch_size=len(images),
        seed=options.seed,
        first=begin,
        frames=getattr(options, "frames", None) or 0,
        title=f"Images {begin + 1} to {begin + len(batch)} of {total}",
    )
    for place, row in enumerate(rows):
        label = None if chosen is None else chosen[place]
        yield Found(batch[row][0], images[place], found.of(place), label, model)


def write_found(made: Found, text: str | None) -> None:
    """Write the latent of an image; a file that is there stays."""
    import torch

    from gan_lightning.inference.edit import KeptLatents, write_latents

    if made.target.is_file():
        return
    found = made.found
    errors: dict[str, Tensor] = {
        name: found.losses[name][-1] for name in ("pixels", "features") if name in found.losses
    }
    labels = None if made.label is None else torch.tensor([made.label])
    write_latents(made.target, KeptLatents(found.space, found.latents, found.noise, labels, text, errors))


def _tell_errors(targets: list[Path], out: Path) -> None:
    """Print the mean of the errors of all images."""
    from gan_lightning.inference.edit import read_latents

    kept = [read_latents(target) for target in targets]
    names = kept[0].errors if kept else ()
    means = {name: sum(float(each.errors[name][0]) for each in kept) / len(kept) for name in names}
    told = "; ".join(f"mean squared difference of {name}: {mean:.4g}" for name, mean in means.items())
    print(f"The latents of {len(kept)} images are in {out}{f'; {told}' if told else ''}.")
