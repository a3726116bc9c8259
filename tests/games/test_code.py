"""Codes of one's choice, and the ways between samples that have codes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.games.code import CodeGame
from gan_lightning.variants import InfoGAN
from tests.helpers.games import vivid


@pytest.fixture
def model() -> Any:
    return vivid(InfoGAN)


def fed(model: Any) -> list[Tensor]:
    """Filled with what the averaged generator will be given, batch by batch."""
    batches: list[Tensor] = []
    model.ema.module.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    return batches


def test_codes_that_are_named_are_taken_in_turn_and_the_others_are_drawn(model: CodeGame) -> None:
    latents = fed(model)
    model.sample(5, seed=3, start=2, batch_size=2, codes={"category": [3, 8], "continuous1": [-2, 0.5, 7]})
    noise, category, continuous = model.parts(torch.cat(latents))
    drawn = model.parts(model.indexed_latents(2, 7, seed=3))
    assert_close(noise, drawn[0])
    assert_close(category, torch.eye(10)[[3, 8, 3, 8, 3]])
    assert_close(continuous[:, 0], drawn[2][:, 0])
    assert_close(continuous[:, 1], torch.tensor([7, -2, 0.5, 7, -2]))


def test_no_codes_leave_the_samples_as_they_are(model: CodeGame) -> None:
    assert torch.equal(model.sample(3, codes={}), model.sample(3))


def test_a_walk_goes_evenly_from_the_codes_of_one_sample_to_those_of_the_other(model: CodeGame) -> None:
    latents = fed(model)
    images = model.interpolate_between(5, 2, [0, 0.25, 1], seed=1)
    samples = model.indexed_latents(0, 6, seed=1)
    start, quarter, end = latents[0]
    assert torch.equal(start, samples[5])
    assert torch.equal(end, samples[2])
    assert_close(quarter[4:], 0.75 * samples[5, 4:] + 0.25 * samples[2, 4:])
    assert samples[5, 4:14].argmax() != samples[2, 4:14].argmax()
    assert_close(images[[0, 2]], model.sample(6, seed=1)[[5, 2]], rtol=1e-4, atol=1e-5)


def test_from_a_sample_to_itself_only_the_chosen_code_changes(model: CodeGame) -> None:
    latents = fed(model)
    model.interpolate_between(4, 4, [0, 0.5, 1], codes={"continuous0": [-2, 2], "category": [6]})
    expected = model.indexed_latents(4, 5, seed=0).repeat(3, 1)
    expected[:, 4:14] = torch.eye(10)[6]
    expected[:, 14] = torch.tensor([-2.0, 0, 2])
    assert_close(latents[0], expected, rtol=1e-4, atol=1e-5)


def test_the_ways_of_a_picture_keep_a_category_each(model: CodeGame) -> None:
    latents = fed(model)
    model.interpolation_table(rows=11, frames=2)
    assert [model.parts(row)[1].argmax(dim=1).tolist() for row in latents] == [[i, i] for i in [*range(10), 0]]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ({"digit": [3]}, "There is no code 'digit': this InfoGAN has category, continuous0, continuous1."),
        ({"continuous2": [0]}, "There is no code 'continuous2'"),
        ({"category": [0, 10]}, "There is no category 10: this InfoGAN has 0 to 9"),
        ({"category": [-1]}, "There is no category -1"),
        ({"category": [2.5]}, r"There is no category 2\.5: .*nothing in between"),
        ({"category": [math.nan]}, "There is no category nan"),
        ({"continuous1": [0, math.inf]}, "continuous1 is inf: it must be a finite number"),
        ({"continuous1": [math.nan]}, "continuous1 is nan"),
        ({"continuous1": [-1e39]}, "continuous1 is -1e[+]39"),  # infinite in single precision
        ({"category": []}, "The code category was given no value"),
    ],
)
def test_codes_that_there_are_not(model: CodeGame, codes: dict[str, list[float]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        model.sample(2, codes=codes)
    with pytest.raises(ValueError, match=told):
        model.interpolate_between(0, 1, [0, 1], codes=codes)
