"""Texts as files and in logs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from gan_lightning.visualization.texts import TextMedium

TOKENS = torch.tensor([[1, 2], [3, 0]])


def _decode(tokens: torch.Tensor) -> list[str]:
    return [" ".join(f"é{number}" for number in row) for row in tokens.tolist()]


def test_a_text_is_a_line_of_a_file(tmp_path: Path) -> None:
    TextMedium(_decode).save(tmp_path / "0.txt", TOKENS[1])
    assert (tmp_path / "0.txt").read_bytes() == "é3 é0\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["0.txt"]


def test_loggers_that_take_texts_get_them() -> None:
    sent: list[Any] = []
    wandb = SimpleNamespace(log_text=lambda *given, **named: sent.append((given, named)))
    tensorboard = SimpleNamespace(experiment=SimpleNamespace(add_text=lambda *given: sent.append(given)))
    for logger in (wandb, tensorboard, SimpleNamespace()):
        TextMedium(_decode).log(logger, "texts", [*TOKENS], 7)
    assert sent == [
        (("texts",), {"columns": ["text"], "data": [["é1 é2"], ["é3 é0"]], "step": 7}),
        ("texts", "    é1 é2\n\n    é3 é0", 7),
    ]
