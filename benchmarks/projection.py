"""Inversion of an image of StyleGAN2 against the public projector, on the same network and in the same steps.

    python -m benchmarks projection --peers DIR [--steps 100] [--side 64] [--rounds 3]

DIR holds the user's own checkout of stylegan2-pytorch, whose `projector.py` runs as it is, but on a CPU and with the
mean squared difference of pixels in the place of LPIPS, which would take the same time on both sides; ours is compared
by pixels too. The network is that program's of the side given, with random weights and its own file; the image is a
sample of it. Both move one style and the maps of noise by Adam, and each takes a process of its own, in turns. Printed
are the seconds of CPU of a step, medians over the rounds, and the mean squared difference at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import process_time
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

NETWORK, IMAGE = "network.pt", "image.png"


def prepare(checkout: Path, folder: Path, side: int) -> None:
    """Write the peer's generator with random weights, and a picture of a sample of it."""
    generator = _peer_model(checkout).Generator(side, 512, 8).eval()
    torch.save({"g_ema": generator.state_dict()}, folder / NETWORK)
    from gan_lightning.visualization.images import to_uint8, write_png

    with torch.no_grad():
        image, _ = generator([torch.randn(1, 512, generator=torch.Generator().manual_seed(1))])
    write_png(folder / IMAGE, to_uint8(image / image.abs().max())[0])


def _peer_model(checkout: Path) -> Any:
    import torch.utils.cpp_extension

    # Its operators have a form in plain torch for CPUs, beside kernels that would be compiled at the import.
    torch.utils.cpp_extension.load = lambda *_, **__: None  # type: ignore[assignment]
    sys.path.insert(0, str(checkout))
    import model

    return model


def peer(checkout: Path, folder: Path, side: int, steps: int) -> float:
    """Run the peer's projector; return the mean squared difference of its result."""
    _peer_model(checkout)
    distance = ModuleType("lpips")
    found: list[Tensor] = []

    def pixels(made: Tensor, given: Tensor) -> Tensor:
        found.append((made - given).square().mean((1, 2, 3)))
        return found[-1]

    distance.PerceptualLoss = lambda **_: pixels  # type: ignore[attr-defined]
    sys.modules["lpips"] = distance
    os.chdir(folder)
    sys.argv = ["projector.py", "--ckpt", NETWORK, "--size", str(side), "--step", str(steps), IMAGE]
    source = (checkout / "projector.py").read_text().replace('device = "cuda"', 'device = "cpu"')
    exec(compile(source, "projector.py", "exec"), {"__name__": "__main__"})
    return float(found[-1])


def ours(folder: Path, steps: int) -> float:
    """Invert the same image; return the mean squared difference of the result."""
    import numpy as np

    from datamodules.components.decoding import read_pixels
    from gan_lightning.commands.from_checkpoint import load_sampler
    from gan_lightning.inference.edit import invert

    model = load_sampler(folder / NETWORK, "cpu")
    pixels = torch.from_numpy(np.ascontiguousarray(read_pixels(folder / IMAGE, 3).transpose(2, 0, 1)))
    return float(invert(model, pixels[None], space="w", steps=steps).losses["pixels"][-1])


def contestant(name: str, checkout: Path, folder: Path, side: int, steps: int) -> None:
    """Run one side in this process, and print its seconds of CPU of a step and its error."""
    times: list[float] = []
    register_optimizer_step_post_hook(lambda *_: times.append(process_time()))
    error = peer(checkout, folder, side, steps) if name == "peer" else ours(folder, steps)
    print(json.dumps({"cpu": (times[-1] - times[0]) / (len(times) - 1), "error": error}))


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks projection")
    parser.add_argument("--peers", type=Path, required=True, metavar="DIR", help="folder of the peers' checkouts")
    parser.add_argument("--steps", type=int, default=100, help="of Adam, at least 100: the peer keeps every hundredth")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    checkout = (options.peers / "stylegan2-pytorch").resolve()
    if options.contestant:
        name, folder = options.contestant
        contestant(name, checkout, Path(folder), options.side, options.steps)
        return
    costs: dict[str, list[dict[str, float]]] = {"peer": [], "ours": []}
    with tempfile.TemporaryDirectory() as place:
        prepare(checkout, Path(place), options.side)
        for number in range(options.rounds):
            for name in list(costs)[:: -1 if number % 2 else 1]:
                command = [sys.executable, "-m", "benchmarks", "projection", *arguments, "--contestant", name, place]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                costs[name].append(json.loads(said.strip().splitlines()[-1]))
    print("| | CPU s a step | mean squared difference |\n|---|---|---|")
    for name, rounds in costs.items():
        print(f"| {name} | {median(one['cpu'] for one in rounds):.4f} | {median(one['error'] for one in rounds):.2e} |")
    ratios = [a["cpu"] / b["cpu"] for a, b in zip(costs["peer"], costs["ours"], strict=True)]
    print(f"\npeer / ours: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main(sys.argv[1:])
