"""Texts as files and in logs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from gan_lightning.visualization.texts import TextMedium, page

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


def test_a_page_has_as_many_lines_as_the_text_takes() -> None:
    short, long, endless = page("a word"), page("words " * 20), page("words " * 1000)
    assert short.dtype == torch.uint8
    assert [tuple(each.shape) for each in (short, long, endless)] == [(1, 24, 340), (1, 78, 340), (1, 114, 340)]
    assert bool((short < 100).any())  # ink
    assert bool((page("") == 255).all())
    assert bool((short[:, :, 200:] == 255).all())
    assert bool((long[:, 40:] < 100).any())
    assert torch.equal(TextMedium(lambda _: ["a word"]).picture(TOKENS[0]), short)
