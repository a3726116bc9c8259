"""What is special to video prediction: losses at each scale, frames predicted of predicted ones, its measures."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import VideoPrediction
from tests.helpers.games import example_batch, small


class Means(nn.Module):
    """Judges frames by the mean of the last one."""

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, -1].mean(dim=(1, 2))


class LastPlus(nn.Module):
    """Predicts the last frame, brighter by 0.25."""

    n_scales = 1

    def __init__(self, condition_shape: Any, image_shape: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, frames: Tensor) -> list[Tensor]:
        return [frames[:, -1:] + 0.25 * self.weight]


def game(**arguments: Any) -> VideoPrediction:
    model = small(VideoPrediction, **arguments)
    assert isinstance(model, VideoPrediction)
    return model


def test_losses_by_hand() -> None:
    model = game()
    for side in ("8", "16"):
        model.discriminator[side] = Means()
    plane = {side: torch.ones(2, 1, side, side) for side in (8, 16)}
    given = {side: each.repeat(1, 4, 1, 1) for side, each in plane.items()}
    batch = GameBatch({8: 0.5 * plane[8], 16: 0.5 * plane[16]}, given, fake={8: 0.5 * plane[8], 16: -1.0 * plane[16]})
    d = {name: term.item() for name, term in model.discriminator_loss(batch).items()}
    # sp(-0.5) = 0.474077, sp(0.5) = 0.974077, sp(-1) = 0.313262, sp(1) = 1.313262
    assert d == pytest.approx(
        {"real_8": 0.474077, "fake_8": 0.974077, "real_16": 0.474077, "fake_16": 0.313262}, abs=1e-6
    )
    g = {name: term.item() for name, term in model.generator_loss(batch).items()}
    expected = {
        "distance": 1.5**2,
        "gradient_difference": 0,
        "adversarial_8": 0.474077 / 20,
        "adversarial_16": 1.313262 / 20,
    }
    assert g == pytest.approx(expected, abs=1e-6)
    model = game(distance="l1", gradient_weight=0.0, adversarial_weight=0.0)
    assert model.discriminator_loss(batch) == {}
    assert {name: term.item() for name, term in model.generator_loss(batch).items()} == {"distance": 1.5}


def test_later_frames_are_predicted_of_predicted_ones() -> None:
    model = game(generator=LastPlus, n_predict=3)
    batch = model.prepare_batch(torch.full((2, 6, 1, 16, 16), -0.5))
    assert batch.condition.shape == (2, 4, 16, 16)
    assert batch.real.shape == (2, 2, 16, 16)
    _, later, made = model.continued(batch)
    assert later.shape == made.shape == (2, 2, 1, 16, 16)  # as many as the clip has
    assert made[0, :, 0, 0, 0].tolist() == [-0.25, 0.0]
    clip = model.predict_step(torch.full((2, 5, 1, 16, 16), -0.5), 0)
    assert clip[0, :, 0, 0, 0].tolist() == [-0.5, -0.5, -0.5, -0.5, -0.25, 0.0, 0.25]


def test_frames_of_another_size_are_padded_and_cut() -> None:
    model = game()
    made = model.predict_frames(torch.zeros(1, 4, 21, 18), 2)
    assert made.shape == (1, 2, 1, 21, 18)


def test_validation_measures_each_frame_and_a_copy_of_the_last_given_one() -> None:
    model = game(generator=LastPlus)
    with torch.no_grad():
        model.generator.weight.zero_()  # it copies
    metrics = model.validation_metrics(model.prepare_batch(example_batch(model, 2, side=16)))
    assert len(metrics) == 2 * 9
    for name in ("psnr", "ssim", "sharpness"):
        for i in (1, 2):
            assert metrics[f"{name}_{i}"] == metrics[f"copy_{name}_{i}"]
    assert metrics["psnr_1"] < 30


def test_the_picture_has_a_caption_for_each_column() -> None:
    model = game()
    columns = model.picture_columns(model.prepare_batch(example_batch(model, 2)))
    assert len(columns) == len(model.column_captions) == 4 + 2 + 2


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (torch.zeros(2, 1, 16, 16), r"VideoPrediction needs clips, N x T x C x H x W, .* yields \(2, 1, 16, 16\)"),
        (
            torch.zeros(2, 4, 1, 16, 16),
            r"clips of 5 frames at least, and the loader's have 4: raise the data's n_frames, or n_eval_frames",
        ),
    ],
)
def test_other_batches_are_told(raw: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game().prepare_batch(raw)


def test_no_frame_given_is_told() -> None:
    with pytest.raises(ValueError, match="n_given is 0: it must be at least 1"):
        game(n_given=0)
