"""``gan-lightning reconstruct``: image files beside what a checkpoint makes of their latents."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import errors_in_one_sentence
from gan_lightning.commands.inverting import Found, add_inversion, invert_files, write_found
from gan_lightning.commands.options import OptionParser
from gan_lightning.commands.strips import add_scale

if TYPE_CHECKING:
    from torch import Tensor

_FRAMES = 24
_FRAME_MS, _END_MS = 80, 1500

_ABOUT = """\
Find the latents of which a checkpoint's generator makes given images, as `encode` does, and write a picture of each
image beside its reconstruction: photos/a/b.jpg becomes DIR/a/b.png, and DIR/a/b.npz is its latent. The error is printed
at the end. With `--every_class` the picture goes on with the same latent at every class, such as a face at every age.
"""

_PROJECT = """
It is `reconstruct` by the name that StyleGAN2's program has for it. Of StyleGAN and StyleGAN2 it finds one style for
all layers, and maps of noise, as that program does; --space w+ comes nearer to the image.
"""

_EXAMPLES = """\
examples:
  gan-lightning reconstruct --ckpt last.ckpt --input photos --resize --out pairs
  gan-lightning reconstruct --ckpt last.ckpt --input photos --resize --way --scale 4 --out ways
  gan-lightning project --ckpt stylegan2.pkl --input photo.png --resize --space w+ --video mp4 --out projected
  gan-lightning project --ckpt last.ckpt --input photos --resize --encoder encoder.safetensors --out projected
  gan-lightning reconstruct --ckpt age_cgan.ckpt --input faces --resize --labels Young --every_class --out ages
  gan-lightning reconstruct --ckpt age_cgan.ckpt --input face.jpg --resize --labels 30-39 --every_class \\
      --distance mine.faces.FaceEmbedding --import mine --pixel_weight 0 --out ages
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser(command).parse_args(arguments)
    if options.way == "mp4":
        from datamodules.components.video import imported_av

        with errors_in_one_sentence(command):
            imported_av()
    if options.way:
        options.frames = _FRAMES

    def check(model: Any) -> None:
        if options.every_class and getattr(model, "num_classes", None) is None:
            raise ValueError(f"--every_class: {type(model).__name__} has no classes.")

    def files_of(target: Path) -> list[Path]:
        return [
            target.with_suffix(suffix) for suffix in (".npz", ".png", *([f".{options.way}"] if options.way else []))
        ]

    def write(made: Found) -> None:
        _write_picture(made, options)
        if options.way:
            _write_way(made, options.scale, options.way)
        # Last: an image whose latent is there is finished.
        write_found(made, options.text)

    return invert_files(command, options, ("every_class", "way", "scale"), check, files_of, write)


def _parser(command: str) -> argparse.ArgumentParser:
    about = _ABOUT + (_PROJECT if command == "project" else "")
    parser = OptionParser(prog=f"gan-lightning {command}", description=about, epilog=_EXAMPLES)
    add_inversion(parser)
    parser.add_argument(
        "--every_class",
        action="store_true",
        help="for models with classes: go on with the same latent at each class, named above",
    )
    parser.add_argument(
        "--way",
        "--video",
        nargs="?",
        const="gif",
        choices=["gif", "mp4"],
        dest="way",
        help="write the way from the start to the reconstruction too, as an animation (default: of a GIF)",
    )
    add_scale(parser)
    return parser


def _write_picture(made: Found, options: argparse.Namespace) -> None:
    import torch

    from gan_lightning.visualization.captions import cells, table
    from gan_lightning.visualization.images import write_png

    images, names = [made.model.scaled(made.given[None]), made.found.images.cpu()], ["given", "made"]
    if options.every_class:
        images.append(_of_every_class(made).cpu())
        names += made.model.class_names or map(str, range(made.model.num_classes))
    picture = table([*cells(torch.cat(images), options.scale)], len(names), names, gap=options.scale)
    write_png(made.target.with_suffix(".png"), picture)


def _of_every_class(made: Found) -> "Tensor":
    import torch

    from gan_lightning.inference.edit import render_each

    n = made.model.num_classes
    latents, noise = (made.found.latents, made.found.noise)
    repeated = [each.expand(n, *each.shape[1:]) for each in noise]
    return render_each(
        made.model, made.found.space, latents.expand(n, *latents.shape[1:]), (torch.arange(n),), repeated
    )


def _write_way(made: Found, scale: int, kind: str) -> None:
    import torch

    from gan_lightning.visualization.captions import cells, table
    from gan_lightning.visualization.image_sets import write_atomically
    from gan_lightning.visualization.images import to_pil, write_gif
    from gan_lightning.visualization.videos import mp4

    assert made.found.way is not None
    given = made.model.scaled(made.given[None])
    pairs = [table([*cells(torch.cat([given, frame.cpu()]), scale)], 2, gap=scale) for frame in made.found.way]
    if kind == "mp4":
        last = pairs[-1:] * (_END_MS // _FRAME_MS)  # It stays longer.
        write_atomically(made.target.with_suffix(".mp4"), mp4(torch.stack(pairs + last), 1000 / _FRAME_MS))
        return
    durations = [*[_FRAME_MS] * (len(pairs) - 1), _END_MS]
    write_gif(made.target.with_suffix(".gif"), [to_pil(pair) for pair in pairs], durations)
