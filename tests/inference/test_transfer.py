"""What an edit does to a photograph: known motions and colours, and a photograph that nothing touches."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.inference.edit import transfer_by_flow, transfer_by_mask
from gan_lightning.inference.edit.transfer import Change, change_between, moved_by


def waves(height: int, width: int, right: float = 0.0, down: float = 0.0, channels: int = 3) -> Tensor:
    """A smooth pattern, moved by any part of a pixel: C x H x W in [-1, 1]."""
    y, x = torch.arange(height)[:, None] - down, torch.arange(width) - right
    phases = [(0.0, 0.0), (1.0, 2.0), (2.0, 0.5)][:channels]
    return torch.stack(
        [(x / 4 + a).sin() * (y / 5 + b).cos() * 0.5 + (x / 9 - y / 7 + b).sin() * 0.3 for a, b in phases]
    )


class TestMotion:
    def test_positions_are_linear_between_pixels_and_exact_on_them(self) -> None:
        image = torch.rand(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
        assert torch.equal(moved_by(image, torch.zeros(1, 2, 4, 5)), image)
        motion = torch.zeros(1, 2, 4, 5)
        motion[:, 0], motion[:, 1] = 1.0, -2.0
        moved = moved_by(image, motion)
        assert torch.equal(moved[..., 2:, :4], image[..., :2, 1:])
        assert torch.equal(moved[..., 0, :4], image[..., 0, 1:])  # beyond the border
        motion[:, 0], motion[:, 1] = 0.25, 0.0
        assert_close(moved_by(image, motion)[..., :4], 0.75 * image[..., :4] + 0.25 * image[..., 1:])

    @pytest.mark.parametrize(("right", "down"), [(1.0, -0.5), (4.0, 3.0)])
    def test_a_known_motion_is_found(self, right: float, down: float) -> None:
        """After the motion the pixel p shows what was at p - (right, down)."""
        found = change_between(waves(64, 64)[None], waves(64, 64, right, down)[None]).motion
        inside = found[0, :, 8:-8, 8:-8].flatten(1)
        assert_close(inside.median(1).values, torch.tensor([-right, -down]), rtol=0, atol=0.25)

    def test_a_known_change_of_colors_is_found(self) -> None:
        spots = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
        before = F.interpolate(spots, (32, 32), mode="nearest")
        matrix = torch.eye(3) * 0.5 + 0.1
        after = torch.einsum("ij,njhw->nihw", matrix, before) + 0.2
        change = change_between(before, after)
        # The fit leans towards no change, by the share of its noise in the variance of a window.
        assert_close(change.color[0, :, :3].mean((2, 3)), matrix - torch.eye(3), rtol=0, atol=0.1)
        assert_close(change.color[0, :, 3].mean((1, 2)), torch.full((3,), 0.2), rtol=0, atol=0.03)
        assert (change.of(before) - after).abs().mean() < (before - after).abs().mean() / 5
        assert change.motion.abs().mean() < 0.1

    def test_motion_alone_changes_no_color_however_often(self) -> None:
        """Each of six steps of a quarter of a pixel blurs the image that it is estimated of; no map sharpens it."""
        spots = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.4
        large = F.interpolate(spots, (160, 160), mode="bicubic").clamp(-1, 1)
        way = [F.interpolate(large[..., 8:136, 8 - step : 136 - step], (32, 32), mode="area") for step in range(7)]
        total = change_between(*way[:2])
        for before, after in pairwise(way[1:]):
            total = change_between(before, after).after(total)
        inside = (..., slice(6, -6), slice(6, -6))
        assert abs(total.motion[0, 0][inside].median() + 1.5) < 0.4
        gains = total.color[0, [0, 1, 2], [0, 1, 2]][inside]
        # Without a blur before the fit they double the contrast.
        assert abs(gains.mean()) < 0.15

    def test_two_changes_are_one_after_the_other(self) -> None:
        torch.manual_seed(0)
        x = waves(24, 24)[None]
        first, second = (
            Change(torch.randint(-1, 2, (1, 2, 24, 24)).float(), torch.randn(1, 3, 4, 24, 24) / 10) for _ in range(2)
        )
        # Within the border, beyond which both go on with the last pixels, one after the other.
        inside = (..., slice(2, -2), slice(2, -2))
        assert_close(second.after(first).of(x)[inside], second.of(first.of(x))[inside])


class TestTransfer:
    @pytest.mark.parametrize("size", [(16, 16), (40, 40), (48, 32)])
    def test_no_change_leaves_the_photograph_to_the_bit(self, size: tuple[int, int]) -> None:
        photograph = torch.randint(0, 256, (3, *size)) / 127.5 - 1
        still = waves(16, 16)
        assert torch.equal(transfer_by_flow(photograph, still.expand(4, -1, -1, -1)), photograph)
        assert torch.equal(transfer_by_mask(photograph, still, still), photograph)

    def test_detail_that_the_generator_lacks_moves_along(self) -> None:
        """A photograph of four times the side, with a grain that is not in the generated images."""
        grain = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
        both = F.interpolate(waves(32, 32)[None], (128, 128), mode="bilinear")
        photograph = (both + F.interpolate(grain, (128, 128), mode="bilinear") / 2)[0].clamp(-1, 1)
        # A pixel of the generated images is four of the photograph's.
        way = torch.stack([waves(32, 32, right=step / 6) for step in range(7)])
        result = transfer_by_flow(photograph, way)
        inside = (slice(None), slice(24, -24), slice(24, -24))
        error = (result - photograph.roll(4, 2))[inside].abs().mean()
        still = (photograph - photograph.roll(4, 2))[inside].abs().mean()
        assert error < still / 3

    def test_the_mask_by_hand(self) -> None:
        rng = np.random.default_rng(0)
        x, before, after = (rng.uniform(-1, 1, (3, 9, 9)) for _ in range(3))
        edit = after - before
        mask = np.minimum(np.abs(edit).mean(0), 1)
        side = np.arange(-3, 4)
        weights = np.exp(-(side**2) / (2 * 0.7**2))
        weights /= weights.sum()
        padded = np.pad(mask, 3, mode="edge")
        blurred = np.zeros((9, 9))
        for row, column in np.ndindex(9, 9):
            blurred[row, column] = weights @ padded[row : row + 7, column : column + 7] @ weights
        expected = np.clip(before + blurred * edit + (1 - blurred) * (x - before), -1, 1)
        result = transfer_by_mask(*(torch.from_numpy(each).float() for each in (x, before, after)))
        assert_close(result.double(), torch.from_numpy(expected), rtol=0, atol=1e-5)

    def test_a_large_photograph_keeps_what_the_edit_does_not_reach(self) -> None:
        photograph = torch.randint(0, 256, (1, 64, 64)) / 127.5 - 1
        before = torch.zeros(1, 16, 16)
        after = before.clone()
        after[:, 2:7, 2:7] = 1.0
        result = transfer_by_mask(photograph, before, after)
        # The mask reaches 3 pixels further, and its enlargement half of one; its middle is the edited image.
        assert torch.equal(result[:, 42:], photograph[:, 42:])
        assert torch.equal(result[:, :, 42:], photograph[:, :, 42:])
        assert (result[:, 16:20, 16:20] > 0.95).all()
