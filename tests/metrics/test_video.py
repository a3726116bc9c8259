"""Measures of predicted frames, against cases worked by hand and torchmetrics."""

import math

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from gan_lightning.metrics.video import frame_measures, moving_areas, optical_flow, sharpness_difference


def noise(seed: int, channels: int = 1, side: int = 24) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, channels, side, side), generator=draw, dtype=torch.uint8)


def waves(shift: float) -> torch.Tensor:
    """Smooth waves of levels around 128 along both sides, moved to the right by so many pixels."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0) - shift, indexing="ij")
    return (128 + 50 * torch.sin(x / 3) + 50 * torch.sin(y / 4)).round().to(torch.uint8)[None, None]


def test_psnr_is_of_each_frame_and_of_all_channels() -> None:
    truth = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    images = truth.clone()
    images[0, 0] = 51  # mean squared error 51^2 / 3
    measured = frame_measures(images, truth)["psnr"]
    # Equal frames have as many decibels as an error of 1e-4 squared levels.
    assert measured.tolist() == pytest.approx([20 * math.log10(5) + 10 * math.log10(3), 10 * math.log10(255**2 * 1e4)])


def test_ssim_is_torchmetrics() -> None:
    images, truth = noise(0), noise(1) // 2 + noise(0) // 2
    _, everywhere = structural_similarity_index_measure(
        images.float(), truth.float(), data_range=255.0, return_full_image=True
    )
    inside = everywhere[:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))
    torch.testing.assert_close(frame_measures(images, truth)["ssim"], inside)


def test_sharpness_by_hand() -> None:
    truth = torch.tensor([[[[0, 0, 0], [0, 51, 51]]]], dtype=torch.uint8)
    images = torch.tensor([[[[0, 0, 0], [0, 0, 51]]]], dtype=torch.uint8)
    # In [-1, 1] a step of 51 is 0.4. Pixels of the second row: down 0.4 and 0.4 of Y, 0 and 0.4 of X; along 0.4 and 0
    # of Y, 0 and 0.4 of X. Differences 0.4 + 0.4 and 0 + 0.4, their mean 0.6.
    expected = 10 * math.log10(255**2 / (127.5**2 * 0.6))
    assert sharpness_difference(images, truth).tolist() == pytest.approx([expected])


def test_flow_of_a_small_motion() -> None:
    flow = optical_flow(waves(0), waves(0.6))[..., 6:-6, 6:-6]
    assert flow[0, 0].mean().item() == pytest.approx(0.6, abs=0.1)  # damped, and in one step
    assert flow[0, 1].mean().abs().item() < 0.05


def test_only_what_moves_counts() -> None:
    before = torch.zeros(1, 1, 48, 48, dtype=torch.uint8)
    after = before.clone()
    before[..., 8:16, 8:16] = after[..., 8:16, 9:17] = 200
    moving = moving_areas(before, after)
    assert moving[..., 10:14, 8].all()
    assert not moving[..., 24:, 24:].any()
    # An error where nothing moves is not seen.
    wrong = after.clone()
    wrong[..., 40, 40] = 255
    for name, values in frame_measures(wrong, after, moving).items():
        assert values.item() == pytest.approx(frame_measures(after, after)[name].item()), name
    # Where nothing moves, the whole frame counts.
    assert moving_areas(after, after).all()
