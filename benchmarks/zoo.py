"""A model of the zoo, `gan_lightning/zoo/NAME`, of a checkpoint: weights in half precision, and what is to be known.

    python -m benchmarks zoo conditional_gan_mnist --ckpt last.ckpt --about "MNIST's digits, by class" \\
        --command "gan-lightning fit --config conditional_gan_mnist" \\
        --data "MNIST, 55,000 of its training images" --licence "CC BY-SA 3.0" \\
        --evaluate "--data MNISTDataModule --data.root data --metrics fid"

`--evaluate` has the options of `gan-lightning evaluate` but for `--ckpt` and `--json`; its scores are those of the
weights as they are stored. The same command again replaces the model. The zoo is at most 15 MB in all.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gan_lightning import inference
from gan_lightning.inference import zoo

LARGEST = 15_000_000
"""Bytes of all models."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks zoo")
    parser.add_argument("name", help="of the model, in lower case, such as its config's")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--about", required=True, help="what it makes, in a few words")
    parser.add_argument("--command", required=True, help="the command that trained it")
    parser.add_argument("--data", required=True, help="what it has learned from")
    parser.add_argument("--licence", required=True, help="the data's licence")
    parser.add_argument("--evaluate", metavar="OPTIONS", help="options of `gan-lightning evaluate`, as one text")
    parser.add_argument("--scores", nargs="+", default=[], metavar="NAME=NUMBER", help="scores measured otherwise")
    parser.add_argument("--measured_by", default="", help="how these were measured: a command")
    parser.add_argument("--full", action="store_true", help="in float32, where half precision does harm")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[a-z0-9_]+", options.name):
        parser.error(f"{options.name!r} is no name: lower-case letters, digits and _")
    model = inference.load(options.ckpt)
    card = {name: getattr(options, name) for name in ("about", "command", "data", "licence")}
    folder = inference.save_pretrained(model, zoo.HOME / options.name, half=not options.full, card=card)
    given = {name: float(number) for name, _, number in (each.partition("=") for each in options.scores)}
    scores = {**given, **(measured(folder, options.evaluate) if options.evaluate else {})}
    by = f"gan-lightning evaluate --ckpt zoo:{options.name} {options.evaluate}" if options.evaluate else ""
    by = "; ".join(filter(None, (by, options.measured_by)))
    inference.save_pretrained(model, folder, half=not options.full, card={**card, "scores": scores, "measured_by": by})
    total = sum(model.size for model in zoo.models())
    print(f"{folder}: {sum(part.stat().st_size for part in folder.iterdir()) / 1e6:.2f} MB; {scores or 'no scores'}")
    if total > LARGEST:
        sys.exit(f"The zoo has {total / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}: make a model smaller.")


def measured(folder: Path, options: str) -> dict[str, float]:
    """The scores of a model, by `gan-lightning evaluate`."""
    with tempfile.TemporaryDirectory() as place:
        scores = Path(place, "scores.json")
        command = ["evaluate", "--ckpt", str(folder), "--json", str(scores), *shlex.split(options)]
        if code := subprocess.run([sys.executable, "-m", "gan_lightning", *command]).returncode:
            sys.exit(code)  # It has said why.
        numbers: dict[str, float | None] = json.loads(scores.read_text())
    return {name: number for name, number in numbers.items() if number is not None}
