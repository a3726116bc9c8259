"""``gan-lightning edit`` with brushes: images of kept latents, or photographs, that are painted on."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.brush_options import add_brushes
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import import_packages, load_sampler, open_set
from gan_lightning.commands.latent_options import kept_latents
from gan_lightning.commands.options import number, path, whole
from gan_lightning.visualization.image_sets import end_set, fingerprint, refuse_to_overwrite

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.inference.edit import KeptLatents, Painting

_FRAMES, _FRAME_MS, _END_MS = 7, 160, 1500  # iGAN estimates flow between 7 images
_STEPS = {"manifold": 50, "contextual": 10}
_OPTIONS = (
    *("seed", "labels", "text", "latents", "paint", "sketch", "warp", "brush", "brush_steps", "smoothness"),
    *("largest_move", "candidates", "resize", "space", "invert_steps", "keep_photo", "way", "scale"),
)
"""Options that determine the images, beside the photographs."""


def add_painting(parser: argparse.ArgumentParser) -> None:
    """Add the options of painting."""
    group = parser.add_argument_group("painting", "on the images of --latents, or on the photographs of --input")
    add_brushes(group)  # type: ignore[arg-type]
    group.add_argument(
        "--input", type=path, metavar="PATH", help="a photograph, or a folder of them; found as `encode` finds them"
    )
    group.add_argument(
        "--keep_photo",
        choices=["mask", "flow", "no"],
        default="mask",
        help="what becomes of a photograph: the edit blended in where it changes something (Neural Photo Editor), its "
        "motion and colours applied to it (iGAN), or the generator's image in its place (default: %(default)s)",
    )
    group.add_argument("--resize", action="store_true", help="crop photographs of another size in the middle")
    group.add_argument(
        "--space", choices=["z", "w", "w+"], help="where photographs are found, as of `encode` (default: w, else z)"
    )
    group.add_argument(
        "--invert_steps", type=whole(), default=300, metavar="N", help="of the inversion (default: %(default)s)"
    )
    group.add_argument(
        "--brush",
        choices=[*_STEPS],
        default="manifold",
        help="manifold: latents that fit best and stay near (iGAN); contextual: plain steps towards colours (Neural "
        "Photo Editor) (default: %(default)s)",
    )
    group.add_argument("--brush_steps", type=whole(), metavar="N", help="of the brush (default: 50; contextual: 10)")
    group.add_argument(
        "--smoothness", type=number, default=5.0, metavar="X", help="pull of the latent to its start (default: 5)"
    )
    group.add_argument(
        "--largest_move",
        type=number,
        default=1.0,
        metavar="X",
        help="bound of its move, in standard deviations (default: 1)",
    )
    group.add_argument(
        "--candidates", type=whole(1), default=1, metavar="N", help="starts of which the best is kept (default: 1)"
    )
    group.add_argument("--way", action="store_true", help="write the way to each result too, as an animation")


def is_painting(options: argparse.Namespace) -> bool:
    """Whether something is painted, or a photograph is given."""
    return bool(options.paint or options.sketch or options.warp or options.input)


def run_painting(command: str, options: argparse.Namespace) -> int:
    """Paint on each image, and write what comes of it: ``NAME.png``, and ``NAME.npz`` of its latent."""
    brushes = [*options.paint, *options.sketch, *options.warp]
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        refuse_to_overwrite(options.out)
        _check_options(options, brushes)
        if options.brush_steps is None:
            options.brush_steps = _STEPS[options.brush]
        model: Any = load_sampler(options.ckpt, options.device)
        photographs = _photographs(model, options)
        kept = _kept(model, photographs, options)
        # Made at once where something is wrong: before a folder is.
        _paint(model, kept[0][1], brushes, options, 0, "")
        made = [name for name, _ in kept]
        options.photographs = [fingerprint(file) for file, _ in photographs.values()]
        open_set(command, options, len(made), (*_OPTIONS, "photographs"))
    with disk_errors_in_one_sentence(command, options.out):
        for place, (name, one) in enumerate(kept, 1):
            target = options.out / f"{name}.npz"
            if not target.is_file():
                title = f"{name}, {place} of {len(kept)}"
                painting = _paint(model, one, brushes, options, options.brush_steps, title)
                photograph = photographs[name][1] if name in photographs else None
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(model, target, one, painting, photograph, options)
        end_set(options.out)
    print(f"{len(kept)} images are in {options.out}.")
    return 0


def _check_options(options: argparse.Namespace, brushes: Sequence[Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: There are some.
    """
    if options.followed or options.strip:
        raise ValueError("--direction and --strip do not go with brushes: paint first, then follow the latents kept.")
    if not brushes:
        raise ValueError("--input is painted on: give --paint, --sketch or --warp.")
    if not (options.latents or options.input):
        raise ValueError("--paint, --sketch and --warp need an image: give --latents, or a photograph as --input.")
    if options.latents and options.space:
        raise ValueError("--space is where photographs are found: --latents are in a space of their own.")
    if options.latents and options.input:
        raise ValueError("--latents and --input are both painted on: give one of them.")
    for name in ("n", "truncation"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} is of samples: it does not go with brushes.")
    if options.text and (options.latents or len(options.text) > 1):
        raise ValueError("--text is what all photographs of --input show, one text; --latents have their own.")
    if options.brush == "contextual" and (options.sketch or options.warp):
        raise ValueError("--brush contextual paints colours alone: --sketch and --warp need --brush manifold.")


def _photographs(model: Any, options: argparse.Namespace) -> "dict[str, tuple[Path, Tensor]]":
    """Photographs by name: the file, and its pixels, uint8, C x H x W, of the model's aspect ratio.

    Raises:
        ValueError: One cannot be read, or is of another size and not to be resized.
    """
    import numpy as np
    import torch

    from datamodules.components.decoding import central_part, read_pixels
    from datamodules.components.files import reason
    from gan_lightning.commands.input_images import targets_of

    if options.input is None:
        return {}
    channels, height, width = model.image_shape
    found = {}
    for target, file in targets_of(options.input, options.out, ".npz").items():
        try:
            if options.resize:
                # Of its own size: the photograph's detail is what is to stay.
                pixels = central_part(file, (height, width), channels).pixels
            else:
                pixels = read_pixels(file, channels)
        except Exception as error:  # PIL raises many kinds.
            raise ValueError(f"{file}: {reason(error)}.") from error
        if not options.resize and pixels.shape[:2] != (height, width):
            raise ValueError(
                f"{file}: {pixels.shape[1]} x {pixels.shape[0]} pixels, and the model makes {width} x {height}: give "
                "--resize."
            )
        name = target.relative_to(options.out).with_suffix("").as_posix()
        found[name] = (file, torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C")))
    return found


def _kept(
    model: Any, photographs: "dict[str, tuple[Path, Tensor]]", options: argparse.Namespace
) -> "list[tuple[str, KeptLatents]]":
    """The latents painted on, by name: those given, or those found of the photographs."""
    import torch

    from gan_lightning.inference import check_labels

    kept = kept_latents(options.latents) if options.latents else []
    n = len(kept or photographs)
    labels = None
    if options.labels is not None:
        if len(options.labels) not in (1, n):
            raise ValueError(f"--labels has {len(options.labels)}: give one for all {n} images, or one for each.")
        labels = torch.tensor(check_labels(model, options.labels)).expand(n)
    if not kept:
        found = _found([pixels for _, pixels in photographs.values()], model, labels, options)
        return [*zip(photographs, found.split(), strict=True)]
    if labels is None:
        return kept
    return [(name, replace(each, labels=labels[row : row + 1])) for row, (name, each) in enumerate(kept)]


def _found(
    photographs: "list[Tensor]", model: Any, labels: "Tensor | None", options: argparse.Namespace
) -> "KeptLatents":
    """The latents of photographs, by inversion of what they are in the model's size."""
    import torch

    from datamodules.components.raster import resized
    from gan_lightning.inference.edit import KeptLatents, invert

    size = model.image_shape[1:]
    small = [torch.from_numpy(resized(pixels.permute(1, 2, 0).numpy()[None], size)) for pixels in photographs]
    classes = None if labels is None else labels.tolist()
    found = invert(
        model,
        torch.cat(small),
        space=options.space,
        labels=classes,
        texts=options.text,
        steps=options.invert_steps,
        seed=options.seed,
    )
    return KeptLatents(found.space, found.latents, found.noise, labels, options.text and options.text[0])


def _paint(
    model: Any, kept: "KeptLatents", brushes: Sequence[Any], options: argparse.Namespace, steps: int, title: str
) -> "Painting":
    from gan_lightning.inference.edit import contextual_strokes, paint

    if options.brush == "contextual":
        return contextual_strokes(model, kept, brushes, strokes=steps, title=title)
    return paint(
        model,
        kept,
        brushes,
        steps=steps,
        smoothness=options.smoothness,
        largest_move=options.largest_move,
        candidates=options.candidates,
        seed=options.seed,
        title=title,
    )


def _write(
    model: Any,
    target: Path,
    start: "KeptLatents",
    painting: "Painting",
    photograph: "Tensor | None",
    options: argparse.Namespace,
) -> None:
    """Write the result, its way where asked, and last the latent: an image whose latent is there is finished."""
    from gan_lightning.inference.edit import morph, write_latents
    from gan_lightning.visualization.images import (
        drawable,
        enlarge,
        file_suffix,
        to_pil,
        to_uint8,
        write_gif,
        write_image,
    )

    if painting.kept.latents.equal(start.latents.to(painting.kept.latents)):
        way = painting.before.expand(2, -1, -1, -1)
    else:
        way = morph(model, start, painting.kept, _FRAMES)[:, 0]
    given = None if photograph is None else model.scaled(photograph).cpu()
    last = enlarge(to_uint8(_result(way.cpu(), given, options.keep_photo)), options.scale)
    write_image(target.with_suffix(file_suffix(len(last))), last)
    if options.way:
        shown = [_result(way[: end + 1].cpu(), given, options.keep_photo) for end in range(len(way))]
        pictures = [to_pil(enlarge(to_uint8(drawable(each[None]))[0], options.scale)) for each in shown]
        write_gif(target.with_suffix(".gif"), pictures, [*[_FRAME_MS] * (len(pictures) - 1), _END_MS])
    write_latents(target, painting.kept)


def _result(way: "Tensor", photograph: "Tensor | None", keep: str) -> "Tensor":
    """The last image of a way, C x H x W, or what it makes of the photograph."""
    from gan_lightning.inference.edit import transfer_by_flow, transfer_by_mask

    if photograph is None or keep == "no":
        return way[-1]
    if keep == "flow":
        return transfer_by_flow(photograph, way)
    return transfer_by_mask(photograph, way[0], way[-1])
