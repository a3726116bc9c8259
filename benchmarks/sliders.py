"""How long the studio takes to answer a slider, and what of: generators of 64 x 64 pixels at their papers' widths.

    python -m benchmarks sliders [--moves 20] [--threads 1]

A direction's strength is moved from picture to picture, as the page asks for it, without browser and connection.
`answer` is the median by the clock, in which other work of the machine counts; `CPU` is the least time of all threads,
of which that of the network and of the PNG are told as well. `laid out` is the network without kernels that are kept,
its weights channels-last, as those of other generators are.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch

from gan_lightning.commands.from_checkpoint import laid_out, load_model
from gan_lightning.inference.edit import render_kept
from gan_lightning.inference.pretrained import save_pretrained
from gan_lightning.networks.stylegan2 import ModulatedConv2d
from gan_lightning.studio.choices import Choice
from gan_lightning.studio.data_uris import data_uri
from gan_lightning.studio.generators import Generator
from gan_lightning.studio.pictures import latents_of
from gan_lightning.studio.sessions import Session
from gan_lightning.studio.studio import Studio
from gan_lightning.trainer.speed import lay_out
from gan_lightning.variants import DCGAN, StyleGAN2

SHAPE = (3, 64, 64)


def milliseconds(work: Callable[[], Any], moves: int, clock: Callable[[], float]) -> list[float]:
    """Of each of so many calls, after two that do not count."""
    times = []
    for _ in range(moves + 2):
        start = clock()
        work()
        times.append(1000 * (clock() - start))
    return times[2:]


def plainly_laid_out(model: Any) -> Any:
    """The model as it was laid out without kernels that are kept."""
    plain = deepcopy(model)
    for part in plain.averaged_generator.modules():
        if isinstance(part, ModulatedConv2d):
            part.keeps_kernels = False
    lay_out(plain.averaged_generator, torch.channels_last)
    return plain


def row(name: str, model: Any, folder: Path, moves: int) -> str:
    """A row of the table."""
    save_pretrained(model, folder / name)
    generator = Generator(str(folder / name), lambda source: laid_out(load_model(Path(source), "cpu")))
    studio, session = Studio([generator]), Session()
    strengths = iter(range(10**6))

    def move() -> Any:
        choice = {"strengths": {"sefa_00": 1 + next(strengths) / 100}}
        return studio.picture(session, {"generator": generator.source, "choice": choice})

    move()  # Finds the directions.
    kept = latents_of(generator, Choice(strengths={"sefa_00": 1.0}))
    made = render_kept(generator.model, kept)
    before = plainly_laid_out(generator.model)
    parts: list[Callable[[], Any]] = [
        move,
        lambda: render_kept(generator.model, kept),
        lambda: render_kept(before, kept),
        lambda: data_uri(made[0]),
    ]
    answer = median(milliseconds(move, moves, perf_counter))
    of_cpu = [min(milliseconds(part, moves, process_time)) for part in parts]
    return f"| {name} | {answer:.0f} | {' | '.join(f'{each:.1f}' for each in of_cpu)} |"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks sliders")
    parser.add_argument("--moves", type=int, default=20, help="of each slider (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(
        "| generator | answer, ms | CPU, ms | its network | laid out | its PNG |",
        "|---|---|---|---|---|---|",
        sep="\n",
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, model in (
            ("DCGAN", DCGAN(image_shape=SHAPE)),
            ("StyleGAN2", StyleGAN2(image_shape=SHAPE, latent_dim=512)),
        ):
            print(row(name, model, Path(folder), options.moves), flush=True)
