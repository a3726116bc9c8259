"""Hints against the law they are drawn by, and palettes worked by hand."""

import pytest
import torch
from torch import Tensor

from gan_lightning.games.hints import Hint, draw_hints, palette_dim, palettes, place_hints

NEVER, ALWAYS = 0.0, 1.0


def drawn(images: Tensor, probability: float = 1 / 8, side: int = 1, revealed: float = NEVER) -> tuple[Tensor, Tensor]:
    """Colours and mask."""
    torch.manual_seed(0)
    planes = draw_hints(images, probability, side, revealed)
    return planes[:, :-1], planes[:, -1:]


class TestDrawing:
    def test_hints_of_one_pixel_are_the_images_own(self) -> None:
        images = torch.rand(20, 3, 9, 12) * 2 - 1
        colours, mask = drawn(images)
        assert set(mask.unique().tolist()) == {0, 1}
        assert torch.allclose(colours, images * mask, atol=1e-6)

    def test_a_hint_is_the_mean_of_its_square(self) -> None:
        images = torch.rand(300, 2, 16, 20)
        colours, mask = drawn(images, probability=0.5, side=5)
        sizes = set()
        for image, colour, where in zip(images, colours, mask[:, 0].bool(), strict=True):
            if len(colour[0][where].unique()) == 1:  # images with one hint
                sizes.add(int(where.sum()))
                for channel in range(2):
                    assert float(colour[channel][where][0]) == pytest.approx(
                        float(image[channel][where].mean()), abs=1e-5
                    )
        assert sizes >= {1, 4, 9, 16, 25}

    def test_how_many_and_where(self) -> None:
        n = 300
        _, mask = drawn(torch.zeros(n, 1, 48, 36))
        numbers = mask.flatten(1).sum(1)
        # Within four standard errors: p (1 - p)^0 = 1 / 8 have none, and (1 - p) / p = 7 is the mean, of which those
        # that fall on others are missing: 28 pairs in 4 pi 12 x 9 pixels, 0.02.
        assert float((numbers == 0).float().mean()) == pytest.approx(1 / 8, abs=4 * (7 / 64 / n) ** 0.5)
        assert float(numbers.mean()) == pytest.approx(7, abs=4 * (56 / n) ** 0.5 + 0.02)
        # About the middle with a deviation of a quarter of the side, of which clipping at two leaves 0.24.
        for axis, length in ((2, 48), (3, 36)):
            places = mask.nonzero()[:, axis].float()
            assert float(places.mean()) == pytest.approx(length / 2, abs=1)
            assert 0.22 < float(places.std()) / length < 0.25

    def test_none_and_all(self) -> None:
        images = torch.rand(3, 3, 8, 8)
        assert not torch.cat(drawn(images, probability=1.0), 1).any()
        colours, mask = drawn(images, revealed=ALWAYS)
        assert torch.equal(colours, images)
        assert mask.all()

    def test_squares_fit_into_small_images(self) -> None:
        _, mask = drawn(torch.zeros(50, 1, 2, 3), side=9)
        assert mask.any()


def test_points_of_a_user() -> None:
    planes = place_hints([(1, 2), (5, 0), (2, 2)], torch.tensor([[0.5], [-1.0], [1.0]]), 3, torch.zeros(2, 3, 4, 6))
    assert planes.shape == (2, 2, 4, 6)
    expected = torch.tensor([
        [0.0, 0.0, 0.0, 0.0, -1.0, -1.0],  # what is outside is cut off
        [0.5, 1.0, 1.0, 1.0, -1.0, -1.0],  # the third covers the first
        [0.5, 1.0, 1.0, 1.0, 0.0, 0.0],
        [0.5, 1.0, 1.0, 1.0, 0.0, 0.0],
    ])  # fmt: skip
    assert torch.equal(planes[0, 0], expected)
    assert torch.equal(planes[1, 1], (expected != 0).float())


def test_a_hint_in_words() -> None:
    hint = Hint(6, 3, (210, 47, 9))
    hint.check_inside(4, 7)
    for height, width in ((3, 7), (4, 6)):
        with pytest.raises(
            ValueError, match=rf"The hint 6,3,#d22f09 lies outside the image of {width} x {height} pixels: x"
        ):
            hint.check_inside(height, width)


def test_palettes_by_hand() -> None:
    # A quarter red, the rest white: of 8 bins a channel these are 7 0 0 and 7 7 7 in octal.
    images = torch.ones(2, 3, 4, 4)
    images[:, 1:, 0] = -1
    made = palettes(images, torch.tensor([True, False]))
    assert made.shape == (2, palette_dim(3)) == (2, 513)
    expected = torch.zeros(513)
    expected[0o700], expected[0o777], expected[512] = 0.5, 0.75**0.5, 1
    assert torch.allclose(made[0], expected)
    assert not made[1].any()
    # Of a and b 23 x 23, as Zhang et al.: of grey the bin in the middle.
    assert palettes(torch.zeros(1, 2, 5, 5)).nonzero()[:, 1].tolist() == [11 * 23 + 11, 529]


@pytest.mark.parametrize("hint", [Hint(3, 3, (300, 0, 0)), Hint(3, 3, (1, 2)), Hint(1.5, 0, (1, 2, 3))])  # type: ignore[arg-type]
def test_a_hint_that_is_none_is_refused(hint: Hint) -> None:
    with pytest.raises(ValueError, match="is none: x and y are whole numbers"):
        hint.check_inside(8, 8)
