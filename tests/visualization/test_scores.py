"""Scores as files and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.components.midi import read_notes, to_roll
from gan_lightning.visualization.scores import Score, roll_picture


def test_a_score_is_written_with_its_lowest_pitch(tmp_path: Path) -> None:
    pytest.importorskip("mido")
    example = torch.full((2, 16, 12), -1.0)
    example[0, :4, 0] = example[1, 4:, 11] = 1
    Score(lowest_pitch=48).save(tmp_path / "a.mid", example)
    roll = to_roll(read_notes(tmp_path / "a.mid"), 4)
    assert [np.flatnonzero(roll[:, pitch]).tolist() for pitch in (48, 59)] == [[*range(4)], [*range(4, 16)]]
    assert roll.sum() == 16


def test_a_picture_shows_pitch_upwards_and_time_to_the_right() -> None:
    example = torch.full((2, 32, 128), -1.0)
    example[0, 0, 48] = example[1, 17, 84] = 1
    picture = roll_picture(example)
    assert picture.shape == (3, 4 * 37, 4 * 32)
    cells = picture[:, ::4, ::4]
    assert cells[:, -1, 0].tolist() == [20, 60, 140]  # the lowest pitch, first step, first voice
    assert cells[:, 0, 17].tolist() == [190, 60, 40]
    assert cells[:, 0, 16].tolist() == [205] * 3  # the second bar begins
    assert cells[:, -2, 1].tolist() == [240] * 3  # C sharp is a black key
    assert cells[:, -3, 1].tolist() == [255] * 3
    example[0, 0, 30] = 1
    assert roll_picture(example).shape == (3, 4 * (84 - 30 + 1), 4 * 32)


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mido", None)
    with pytest.raises(ModuleNotFoundError, match=r"the package mido, .*pip install 'gan-lightning\[music\]'"):
        Score().save(tmp_path / "a.mid", torch.ones(1, 16, 128))
