"""Seconds of CPU of whole commands that train nothing, against the import of torch and of Lightning.

    python -m benchmarks commands [--before CHECKOUT]

Every contestant is a process of its own on one core, its bytecode is cached, and they take turns. A small game makes
one image, another translates one, and two folders of two images are compared by their pixels, and by the features of
Inception with random weights: that is the start. DCGAN at 64 x 64 writes 512 images. CHECKOUT is another state of the
project, whose commands take turns with these.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from gan_lightning.networks import UNet
from gan_lightning.variants import DCGAN, Pix2Pix
from tests.helpers.games import save_checkpoint
from tests.metrics.stand_ins import inception_weights

Command = tuple[str, ...]
HERE = Path(__file__).parents[1]
IMPORT_TORCH = "import torch"


def prepare(folder: Path) -> None:
    """Write the checkpoints and the images that the commands read."""
    torch.manual_seed(0)
    save_checkpoint(DCGAN((3, 16, 16)), folder / "small.ckpt")
    save_checkpoint(
        Pix2Pix((3, 32, 32), condition_shape=(3, 32, 32), generator=partial(UNet, width=4)), folder / "pix2pix.ckpt"
    )
    save_checkpoint(DCGAN((3, 64, 64)), folder / "dcgan.ckpt")
    torch.save(inception_weights(), folder / "inception.pth")
    for name, n in (("one", 1), ("two", 2)):
        (folder / name).mkdir()
        for number in range(n):
            pixels = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / name / f"{number}.png")


def contestants(folder: Path) -> dict[str, Command]:
    """Command lines by their names; results go into the folder ``out``."""

    def python(code: str) -> Command:
        return ("-c", code)

    def command(*arguments: object) -> Command:
        return ("-m", "gan_lightning", *(str(argument) for argument in arguments))

    out, compared = (
        ("--out", folder / "out"),
        ("--metrics", "kid", "--kid_subset_size", 2, "--cache_dir", folder / "out"),
    )
    evaluate = ("evaluate", "--samples", folder / "two", "--reference", folder / "two")
    return {
        IMPORT_TORCH: python(IMPORT_TORCH),
        "import lightning.pytorch": python("import lightning.pytorch"),
        "generate --help": command("generate", "--help"),
        "generate --n 1": command("generate", "--ckpt", folder / "small.ckpt", "--n", 1, *out),
        "translate": command("translate", "--ckpt", folder / "pix2pix.ckpt", "--input", folder / "one", *out),
        "evaluate": command(*evaluate, "--extractor", "pixels", *compared),
        "evaluate, Inception": command(
            *(*evaluate, "--extractor", "inception", "--weights_path", folder / "inception.pth", *compared)
        ),
        "generate --n 512": command("generate", "--ckpt", folder / "dcgan.ckpt", "--n", 512, *out),
    }


def cpu_seconds(command: Command, checkout: Path) -> float:
    """Seconds of CPU of a Python process, user's and system's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], env=environment, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def table(seconds: dict[str, list[float]]) -> list[str]:
    """Rows of medians, and of ratios to ``import torch`` in the same round with the lowest and the highest."""
    rows = ["| | seconds of CPU | import torch = 1 |", "|---|---|---|"]
    for name, taken in seconds.items():
        ratios = [one / torch_alone for one, torch_alone in zip(taken, seconds[IMPORT_TORCH], strict=True)]
        rows.append(f"| {name} | {median(taken):.2f} | {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")
    return rows


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks commands")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another state of the project")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default: %(default)s)")
    options = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    checkouts = {"": HERE} | ({", before": options.before.resolve()} if options.before else {})
    seconds: dict[str, list[float]] = {}
    with TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder)
        for turn in range(-1, options.rounds):  # the first turn writes bytecode, and does not count
            for name, command in contestants(folder).items():
                for which, checkout in checkouts.items():
                    if which and command[0] == "-c":
                        continue
                    shutil.rmtree(folder / "out", ignore_errors=True)
                    taken = cpu_seconds(command, checkout)
                    if turn >= 0:
                        seconds.setdefault(name + which, []).append(taken)
    print(*table(seconds), sep="\n")
