"""Brushes on a generator's images: losses by hand, what moves and what stays, and the bound of the latent."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.inference.edit import (
    Dab,
    KeptLatents,
    Line,
    Warp,
    contextual_strokes,
    morph,
    paint,
    render_kept,
)
from gan_lightning.inference.edit.brushes import check_brush, constraints_of
from gan_lightning.inference.edit.hog import cell_size, hog, touched_cells
from gan_lightning.inference.edit.spaces import space_of
from gan_lightning.variants import DCGAN, ConditionalGAN, StyleGAN2
from tests.helpers.games import vivid


def hog_by_hand(image: np.ndarray, cell: int) -> np.ndarray:
    """The same of one image, C x H x W, pixel by pixel: 8 x h x w."""
    grey = np.pad((image.mean(0) + 1) / 2, 1, mode="edge")
    height, width = image.shape[1:]
    votes = np.zeros((8, height, width))
    for row in range(height):
        for column in range(width):
            seen = grey[row : row + 3, column : column + 3]
            x = (seen[:, 2] - seen[:, 0]) @ [1, 2, 1] / 4
            y = (seen[2] - seen[0]) @ [1, 2, 1] / 4
            for number in range(8):
                angle = number * math.pi / 8
                slope = abs(math.cos(angle) * x + math.sin(angle) * y)
                a = math.cos(math.pi / 8)
                votes[number, row, column] = max(0, (slope - a * math.sqrt(x * x + y * y + 1e-3)) / (1 - a))
    cells = np.zeros((8, height // cell, width // cell))
    for number, row, column in np.ndindex(votes.shape):
        for i, j in np.ndindex(cells.shape[1:]):
            # A pixel's distance from the middle of the cell, in cells: nothing from 1 on.
            down = abs(row + 0.5 - (i + 0.5) * cell) / cell
            right = abs(column + 0.5 - (j + 0.5) * cell) / cell
            cells[number, i, j] += votes[number, row, column] * max(0, 1 - down) * max(0, 1 - right)
    return cells


class TestHog:
    @pytest.mark.parametrize(("shape", "cell"), [((1, 16, 16), 4), ((3, 12, 20), 2)])
    def test_by_hand(self, shape: tuple[int, int, int], cell: int) -> None:
        image = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        expected = np.stack([hog_by_hand(each.numpy(), cell) for each in image])
        assert_close(hog(image, cell).double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-5)

    def test_an_edge_is_in_the_bin_of_its_direction(self) -> None:
        upright = torch.ones(1, 1, 32, 32)
        upright[..., :16] = -1
        assert hog(upright, 4).sum((0, 2, 3)).argmax() == 0  # the slope is along x
        assert hog(upright.mT, 4).sum((0, 2, 3)).argmax() == 4
        assert hog(torch.zeros(1, 1, 32, 32), 4).sum() == 0

    def test_it_has_a_gradient_on_a_plain_image_too(self) -> None:
        image = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
        hog(image, 2).sum().backward()
        assert image.grad is not None
        assert image.grad.isfinite().all()
        noisy = torch.randn(1, 3, 16, 16).requires_grad_()
        hog(noisy, 2).square().sum().backward()
        assert (noisy.grad != 0).all()  # type: ignore[union-attr]

    def test_cells(self) -> None:
        assert [cell_size(64, 64), cell_size(32, 48), cell_size(28, 28), cell_size(8, 8)] == [8, 4, 2, 2]
        mask = torch.zeros(1, 1, 16, 16)
        mask[..., 5, 2] = 1
        # Windows of 8 pixels begin at -2, 2, 6 and 10.
        assert touched_cells(mask, 4).nonzero().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1]]


class TestConstraints:
    def test_colors_by_hand(self) -> None:
        made = torch.zeros(2, 3, 16, 16)
        made[1] = 0.5
        asked = constraints_of(made, [Dab(3, 4, 1, (255, 0, 127)), Dab(4, 4, 0, (0, 0, 0))])
        assert asked.colored.sum() == 5
        wanted = np.array([1.0, -1.0, 127 / 127.5 - 1])
        for row, level in enumerate((0.0, 0.5)):
            # Four places of the first dab are left of the second, which is one place.
            expected = (4 * np.square(level - wanted).mean() + np.square(level + 1)) / (5 + 1e-5)
            assert asked.terms(made)["color"][row].item() == pytest.approx(expected, rel=1e-5)
        assert asked.terms(made)["edges"].tolist() == [0, 0]

    def test_a_sketch_by_hand(self) -> None:
        made = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
        asked = constraints_of(made, [Line(2, 3, 8, 6)])
        assert asked.colored.sum() == 0
        drawn = np.full((1, 16, 16), -1.0)
        for x in range(2, 9):
            drawn[0, math.floor(3 + (x - 2) / 2 + 0.5), x] = 1
        mask = touched_cells(torch.from_numpy((drawn[None] + 1) / 2), 2)[0, 0].numpy()
        square = np.square(hog_by_hand(made[0].numpy(), 2) - hog_by_hand(drawn, 2)).mean(0)
        expected = (mask * square).sum() / (mask.sum() + 1e-5)
        assert asked.terms(made)["edges"].item() == pytest.approx(expected, rel=1e-4)

    def test_a_warp_asks_for_the_patch_at_its_new_place(self) -> None:
        image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
        asked = constraints_of(image, [Warp(5, 6, 2, 4, -1)])
        assert asked.colored[0, 0].nonzero().tolist() == [[y, x] for y in range(3, 8) for x in range(7, 12)]
        assert torch.equal(asked.colors[..., 3:8, 7:12], image[..., 4:9, 3:8])
        # The image moved as a whole is what is asked for.
        moved = image.roll((-1, 4), (2, 3))
        assert asked.terms(moved)["color"].item() == 0
        assert asked.terms(image)["color"].item() > 0.1

    def test_grey_is_the_luminance(self) -> None:
        asked = constraints_of(torch.zeros(1, 1, 8, 8), [Dab(1, 1, 0, (255, 0, 0))])
        assert asked.colors[0, 0, 1, 1].item() == pytest.approx(2 * 0.299 - 1)

    @pytest.mark.parametrize(
        ("brush", "sentence"),
        [
            (Dab(16, 0, 1, (0, 0, 0)), "The dab 16,0,1,#000000 reaches 16,0, outside the image of 16 x 12 pixels"),
            (Line(0, 0, 3, 12), "The line 0,0,3,12 reaches 3,12, outside"),
            (Warp(3, 3, 1, -4, 0), "The warp 3,3,1,-4,0 reaches -1,3, outside"),
            (Dab(1, 1, -1, (0, 0, 0)), "is none: places and sizes are whole numbers"),
            (Dab(1, 1, 1, (0, 0, 256)), "is none"),
            (Dab(1.5, 1, 1, (0, 0, 0)), "is none"),  # type: ignore[arg-type]
        ],
    )
    def test_one_sentence(self, brush: Any, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            check_brush(brush, 12, 16)
        with pytest.raises(ValueError, match="Nothing is painted"):
            constraints_of(torch.zeros(1, 1, 8, 8), [])
        with pytest.raises(ValueError, match="Images of 1 x 1 pixels cannot be painted on"):
            constraints_of(torch.zeros(1, 2, 1, 1), [Dab(0, 0, 0, (0, 0, 0))])
        with pytest.raises(ValueError, match="these have 2 channels"):
            constraints_of(torch.zeros(1, 2, 8, 8), [Dab(1, 1, 0, (0, 0, 0))])


class Quarters(nn.Module):
    """A picture of four plain quarters, each as bright as a tanh of its own number of the latent."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, latent: Tensor) -> Tensor:
        quarters = (self.weight * latent).tanh().view(-1, 1, 2, 2)
        return quarters.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.fixture
def quarters() -> Any:
    return DCGAN(image_shape=(1, 8, 8), latent_dim=4, generator=Quarters)


class TestPaint:
    def test_the_region_changes_and_the_rest_stays(self, quarters: Any) -> None:
        start = KeptLatents("z", torch.tensor([[-1.0, 0.3, 0.0, 0.5], [0.0, 1.0, -0.5, 0.2]]))
        done = paint(quarters, start, [Dab(1, 1, 1, (255, 255, 255))], smoothness=0.05, edge_weight=0, steps=100)
        change = (done.images - done.before).abs().amax(1)
        assert (done.images[:, :, :4, :4] > 0.6).all()
        assert change[:, 4:].max() == change[:, :, 4:].max() == 0
        assert (done.losses["color"][-1] < done.losses["color"][0] / 3).all()
        assert torch.equal(done.images, render_kept(quarters, done.kept))

    def test_the_optimum_by_hand(self, quarters: Any) -> None:
        """Of ``(tanh z - c)^2 + 5 / 4 z^2`` for the one number that is painted."""
        done = paint(quarters, KeptLatents("z", torch.zeros(1, 4)), [Dab(1, 1, 0, (255, 255, 255))], steps=150)
        z = np.linspace(-1, 1, 20001)
        # One place: the mask's sum is 1 + 1e-5.
        best = z[np.argmin(np.square(np.tanh(z) - 1) / (1 + 1e-5) + 5 / 4 * z**2)]
        assert_close(done.kept.latents, torch.tensor([[float(best), 0, 0, 0]]), rtol=0, atol=2e-3)

    @pytest.mark.parametrize("largest", [0.1, 0.5])
    def test_the_bound_holds_and_is_reached(self, quarters: Any, largest: float) -> None:
        start = KeptLatents("z", torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
        brush = [Dab(1, 1, 1, (255, 255, 255)), Dab(6, 6, 1, (0, 0, 0))]
        done = paint(quarters, start, brush, smoothness=0, largest_move=largest, candidates=3)
        moved = (done.kept.latents - start.latents).square().mean(1).sqrt()
        assert_close(moved, torch.full((3,), largest), rtol=1e-4, atol=0)
        assert (done.losses["move"] <= largest**2 * (1 + 1e-5)).all()

    @pytest.mark.parametrize("space", ["z", "w", "w+"])
    def test_styles_move_in_their_deviations(self, space: Any) -> None:
        model: Any = vivid(StyleGAN2)
        of = space_of(model, space)
        condition: tuple[Tensor, ...] = of.condition_of_any(2)
        latents = of.drawn(2, 0, condition)
        start = KeptLatents(space, latents, of.first_noise(0, 2, 0))
        brushes: list[Any] = [Dab(5, 5, 3, (255, 255, 255)), Line(2, 12, 12, 12), Warp(8, 8, 2, 2, 0)]
        done = paint(model, start, brushes, steps=10, largest_move=0.2, frames=3)
        moved = ((done.kept.latents - latents) / of.deviation(0, condition)).flatten(1).square().mean(1).sqrt()
        assert_close(done.losses["move"][-1].sqrt(), moved, rtol=1e-3, atol=0)
        assert (moved <= 0.2 * 1.0001).all()
        assert (moved > 0.01).all()
        assert done.way is not None
        assert torch.equal(done.way[0], done.before)
        assert torch.equal(done.way[-1], done.images)
        assert len(done.kept.noise) == len(start.noise)
        assert all(map(torch.equal, done.kept.noise, start.noise))

    def test_classes_and_candidates(self) -> None:
        model: Any = vivid(ConditionalGAN)
        start = KeptLatents("z", torch.randn(2, 4), labels=torch.tensor([3, 1]))
        brush = [Dab(5, 5, 3, (255, 255, 255))]
        one, several = (paint(model, start, brush, steps=5, candidates=n, seed=1) for n in (1, 4))
        again = paint(model, start, brush, steps=5, candidates=4, seed=1)
        assert torch.equal(several.kept.latents, again.kept.latents)

        def costs(done: Any) -> Tensor:
            last = {name: values[-1] for name, values in done.losses.items()}
            return last["color"] + 0.2 * last["edges"] + 5 * last["move"]

        assert (costs(several) <= costs(one)).all()
        assert one.kept.labels is not None
        assert one.kept.labels.tolist() == [3, 1]
        relabelled = paint(model, start, brush, steps=0, label=2)
        assert relabelled.kept.labels is not None
        assert relabelled.kept.labels.tolist() == [2, 2]

    def test_the_generator_stays_as_it_is(self, quarters: Any) -> None:
        quarters.averaged_generator.train()
        paint(quarters, KeptLatents("z", torch.zeros(1, 4)), [Dab(1, 1, 1, (255, 255, 255))], steps=3)
        assert quarters.averaged_generator.training
        assert all(weight.requires_grad and weight.grad is None for weight in quarters.generator.parameters())

    def test_one_sentence(self, quarters: Any) -> None:
        start, brush = KeptLatents("z", torch.zeros(1, 4)), [Dab(1, 1, 1, (255, 255, 255))]
        with pytest.raises(ValueError, match="smoothness is -1: it must be a number of at least 0"):
            paint(quarters, start, brush, smoothness=-1.0)
        with pytest.raises(ValueError, match="largest_move is 0: it must be a number greater than 0"):
            paint(quarters, start, brush, largest_move=0.0)
        with pytest.raises(ValueError, match="The latents are 1 x 5"):
            paint(quarters, KeptLatents("z", torch.zeros(1, 5)), brush)
        with pytest.raises(ValueError, match="contextual brush paints colours alone"):
            contextual_strokes(quarters, start, [Line(1, 1, 2, 2)])  # type: ignore[list-item]


class TestContextualBrush:
    def test_two_strokes_by_hand(self, quarters: Any) -> None:
        """``z - 0.05 (1 + d) d/dz (c - tanh z)^2`` with d = 3, on places of one quarter."""
        z = 0.25
        done = contextual_strokes(
            quarters, KeptLatents("z", torch.tensor([[z, 0.1, 0.2, 0.3]])), [Dab(1, 1, 1, (0, 0, 0))], strokes=2
        )
        for _ in range(2):
            z -= 0.05 * 4 * 2 * (math.tanh(z) + 1) * (1 - math.tanh(z) ** 2)
        assert_close(done.kept.latents, torch.tensor([[z, 0.1, 0.2, 0.3]]), rtol=0, atol=1e-5)

    def test_no_stroke_is_no_change(self, quarters: Any) -> None:
        start = KeptLatents("z", torch.randn(2, 4))
        done = contextual_strokes(quarters, start, [Dab(1, 1, 1, (0, 0, 0))], strokes=0)
        assert torch.equal(done.kept.latents, start.latents)
        assert torch.equal(done.images, done.before)


def test_the_way_between_two_latents(quarters: Any) -> None:
    start, end = (KeptLatents("z", torch.randn(2, 4)) for _ in range(2))
    way = morph(quarters, start, end, frames=3)
    assert torch.equal(way[0], render_kept(quarters, start))
    assert torch.equal(way[2], render_kept(quarters, end))
    middle = (start.latents[1] + end.latents[1]) / 2
    assert_close(way[1, 1, 0, 0, 0], middle[0].tanh())
