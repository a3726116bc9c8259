"""``gan-lightning generate``: pictures from a checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.errors import told_in_a_sentence
from gan_lightning.commands.from_checkpoint import add_device, load_sampler, positive, refuse_to_overwrite

if TYPE_CHECKING:
    from gan_lightning.game import AdversarialModule


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with told_in_a_sentence(command):
        refuse_to_overwrite(options.out)
        model = load_sampler(options.ckpt, options.device)
        _check_labels(model, options.labels)
    _write(model, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-lightning generate",
        description="Write samples from a checkpoint as PNG files, at the model's own resolution. It needs neither "
        "the training data nor the config. The same seed makes the same pictures.",
    )
    parser.add_argument("--ckpt", required=True, type=Path, metavar="PATH", help="checkpoint that `fit` wrote")
    parser.add_argument("--n", type=positive, default=64, help="number of samples (default: %(default)s)")
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for 00000.png, 00001.png, ...; it must be new or empty",
    )
    parser.add_argument("--seed", type=int, default=0, help="which samples (default: %(default)s)")
    parser.add_argument(
        "--labels",
        type=int,
        nargs="+",
        metavar="LABEL",
        help="classes of the samples, in turn: `--labels 7`, `--labels 0 1 2`; for models that were told classes "
        "(default: drawn as often as in the data)",
    )
    parser.add_argument("--grid", action="store_true", help="write all samples into one picture, grid.png")
    parser.add_argument("--batch_size", type=positive, default=64, help="samples made at a time (default: %(default)s)")
    add_device(parser)
    return parser


def _check_labels(model: "AdversarialModule", labels: list[int] | None) -> None:
    from gan_lightning import sampling

    if labels is not None:
        sampling.check_labels(model, labels)


def _write(model: "AdversarialModule", options: argparse.Namespace) -> None:
    import torch
    from tqdm import tqdm

    from gan_lightning import images, sampling

    options.out.mkdir(parents=True, exist_ok=True)
    samples = []
    with tqdm(total=options.n, desc="Generating", unit=" images") as bar:
        for batch in sampling.generate(model, options.n, options.seed, options.batch_size, options.labels):
            for image in images.to_uint8(batch).cpu():
                if options.grid:
                    samples.append(image)
                else:
                    images.write_png(options.out / f"{bar.n:05d}.png", image)
                bar.update()
    if options.grid:
        images.write_png(options.out / "grid.png", images.grid(torch.stack(samples)))
    print(f"{options.n} samples are in {options.out / 'grid.png' if options.grid else options.out}.")
