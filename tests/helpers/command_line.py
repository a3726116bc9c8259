"""The command line in this process, on a model and data that take no time."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gan_lightning.cli import main

TINY = [
    *("--model", "DCGAN", "--data", "DigitsDataModule", "--data.batch_size", "100"),
    *("--model.generator.width", "4", "--model.discriminator.width", "4", "--model.discriminator.batch_norm", "false"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false", "--trainer.log_every_n_steps", "1"),
]


def fit(*arguments: str, steps: int = 2) -> int:
    return main(["fit", *TINY, "--trainer.max_steps", str(steps), *arguments])


def run(*arguments: object) -> int:
    """The exit code of a command."""
    try:
        return main([*map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that must not start says last."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        main(list(arguments))
    assert exit.value.code == 2
    return capsys.readouterr().err


def step_of(checkpoint: Path) -> int:
    return torch.load(checkpoint, weights_only=True)["global_step"]


def repeatable_metrics(run: Path) -> list[dict[str, str]]:
    """All that a run has logged, but for its speed, which nothing can repeat."""
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name != "train/images_per_second"} for row in rows]


def printed_config(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        main([*arguments, "--print_config"])
    assert exit.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


RUN = Path("runs/dcgan_digits/version_0")
LAST = RUN / "checkpoints" / "last.ckpt"
