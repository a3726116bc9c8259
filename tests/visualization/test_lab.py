"""Lab against published values, and the lightness that colours keep."""

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.visualization.images import to_uint8
from gan_lightning.visualization.lab import lab_to_displayable, lab_to_rgb, rgb_to_lab

UNITS = torch.tensor([50.0, 110.0, 110.0])[None, :, None, None]


def lab_of(levels: torch.Tensor) -> torch.Tensor:
    """L, a, b in their own units."""
    return rgb_to_lab(levels / 127.5 - 1) * UNITS + torch.tensor([50.0, 0.0, 0.0])[None, :, None, None]


@pytest.mark.parametrize(
    ("levels", "lab"),
    [
        # Published tables of sRGB under D65, two decimals.
        ([255, 0, 0], [53.24, 80.09, 67.20]),
        ([0, 255, 0], [87.73, -86.18, 83.18]),
        ([0, 0, 255], [32.30, 79.19, -107.86]),
        ([255, 255, 0], [97.14, -21.55, 94.48]),
        ([255, 255, 255], [100.0, 0.0, 0.0]),
        ([119, 119, 119], [50.03, 0.0, 0.0]),
        # Y = 1 / 255 / 12.92, so L = 24389 / 27 Y: the line below the cube root, by hand
        ([1, 1, 1], [0.2742, 0.0, 0.0]),
    ],
)
def test_published_values(levels: list[int], lab: list[float]) -> None:
    found = lab_of(torch.tensor(levels, dtype=torch.float32)[None, :, None, None])
    assert_close(found[0, :, 0, 0], torch.tensor(lab), atol=0.01, rtol=0)


def test_there_and_back() -> None:
    images = torch.rand(1, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[..., :8] = (images[..., :8] + 1) / 20 - 1  # dark ones, below the curves
    assert_close(lab_to_rgb(rgb_to_lab(images)), images, atol=1e-12, rtol=0)


def test_gradients() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 2, 3, dtype=torch.float64) * 1.8 - 0.9
    images[..., 0] = -0.999
    assert torch.autograd.gradcheck(rgb_to_lab, images.requires_grad_())
    assert torch.autograd.gradcheck(lab_to_rgb, rgb_to_lab(images).detach().requires_grad_())
    black = torch.full((1, 3, 1, 1), -1.0, requires_grad=True)
    rgb_to_lab(black).sum().backward()
    assert torch.isfinite(black.grad).all()


def test_the_lightness_is_kept_whatever_the_colours() -> None:
    lab = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = lab_to_displayable(lab)
    assert float(made.abs().max()) <= 1
    # Half a level of red, green and blue together moves L by 0.26 at most, on a grid of all colours; the tolerance of
    # what counts as displayable, an eighth of a level, by as much as 0.04.
    difference = (lab_of(to_uint8(made).float())[:, 0] / 50 - 1 - lab[:, 0]) * 50
    assert float(difference.abs().max()) < 0.3
    # Clipping would not do: saturated light blue has no such lightness.
    clipped = (rgb_to_lab(lab_to_rgb(lab).clamp(-1, 1))[:, 0] - lab[:, 0]) * 50
    assert float(clipped.abs().max()) > 10


def test_the_hue_is_kept_and_colours_that_srgb_has_stay() -> None:
    lab = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    kept = rgb_to_lab(lab_to_displayable(lab))
    cosine = torch.cosine_similarity(kept[:, 1:], lab[:, 1:], dim=1)[kept[:, 1:].norm(dim=1) > 0.05]
    assert float(cosine.min()) > 0.999
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert_close(lab_to_displayable(rgb_to_lab(images)), images, atol=1e-4, rtol=0)
