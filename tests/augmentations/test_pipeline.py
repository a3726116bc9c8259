"""Each transformation of ADA's pipeline against NumPy and SciPy, by what its results show; and what is drawn."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.stats import kstest
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gan_lightning.arguments import LinearSchedule
from gan_lightning.augmentations import ADA
from gan_lightning.augmentations.draws import Draws

GEOMETRY = (
    *("flip", "quarter_turn", "integer_translation", "scaling", "rotation"),
    *("anisotropic_scaling", "fractional_translation"),
)
COLORS = ("brightness", "contrast", "luma_flip", "hue", "saturation")
OTHERS = ("band_filter", "noise", "cutout")


def only(*names: str, p: float = 1.0, **strengths: Any) -> ADA:
    """A pipeline with some of the transformations."""
    off = dict.fromkeys({*GEOMETRY, *COLORS, *OTHERS} - {*names}, 0.0)
    return ADA(p=p, **off, **dict.fromkeys(names, 1.0), **strengths)


class Scripted(Draws):
    """Draws that are given, one list of numbers for each transformation in their order."""

    def __init__(self, like: Tensor, *values: Any) -> None:
        super().__init__(like, torch.ones(()))
        object.__setattr__(self, "values", [torch.as_tensor(each, dtype=like.dtype) for each in values])

    def some(self, values: Tensor, neutral: float, share: float) -> Tensor:
        return self.values.pop(0)  # type: ignore[attr-defined, no-any-return]

    def with_probability(self, probability: Tensor, values: Tensor, neutral: float) -> Tensor:
        return self.values.pop(0)  # type: ignore[attr-defined, no-any-return]


def matrix(*numbers: Any) -> np.ndarray:
    return np.array([[*numbers[:3]], [*numbers[3:]], [0, 0, 1]], dtype=float)


def turned(angle: float) -> np.ndarray:
    return matrix(math.cos(angle), -math.sin(angle), 0, math.sin(angle), math.cos(angle), 0)


def test_geometry_is_the_transformations_in_their_order() -> None:
    """What moves a pixel of the image, multiplied in NumPy, is undone by the map from the result to the image."""
    height, width = 20, 30
    draws = Scripted(
        torch.zeros(2, 1, 1, 1, dtype=torch.float64),
        *([1, 0], [1, 3], [[0.1, -0.05], [0.124, 0]], [1.2, 0.8], [0.3, -2], [2, 0.1], [0.9, 1.1]),
        [[0.05, -0.11], [0, 0.2]],
    )
    found = only(*GEOMETRY)._to_source(draws, height, width).numpy()
    turns = [matrix(0, -1, 0, 1, 0, 0), matrix(0, 1, 0, -1, 0, 0)]
    shifts = [matrix(1, 0, 3, 0, 1, -1), matrix(1, 0, 4, 0, 1, 0)]  # 0.1 * 30, -0.05 * 20; 0.124 * 30 is 3.72
    for i, (flip, scale, one, other, wide) in enumerate([(-1, 1.2, 0.3, 2, 0.9), (1, 0.8, -2, 0.1, 1.1)]):
        x, y = [(0.05 * 30, -0.11 * 20), (0, 0.2 * 20)][i]
        moved = matrix(flip, 0, 0, 0, 1, 0)
        for step in (
            *(turns[i], shifts[i], matrix(scale, 0, 0, 0, scale, 0), turned(one)),
            *(matrix(wide, 0, 0, 0, 1 / wide, 0), turned(other), matrix(1, 0, x, 0, 1, y)),
        ):
            moved = step @ moved
        np.testing.assert_allclose(found[i] @ moved, np.eye(3), atol=1e-9)


def maps(name: str, n: int, p: float = 1.0, side: int = 40) -> np.ndarray:
    """Drawn maps of one transformation, from the image to the result, n x 3 x 3."""
    torch.manual_seed(0)
    like = torch.zeros(n, 1, 1, 1, dtype=torch.float64)
    return np.linalg.inv(only(name, p=p)._to_source(Draws(like, torch.tensor(p)), side, side).numpy())


def test_the_distributions_of_geometry() -> None:
    """Seeded, so that a bound on a p-value fails always or never."""
    n = 3000

    def even(values: np.ndarray, kinds: int) -> None:
        _, counts = np.unique(values.round(6), return_counts=True)
        assert len(counts) == kinds
        assert np.abs(counts - n / kinds).max() < 5 * np.sqrt(n / kinds)

    even(maps("flip", n)[:, 0, 0], 2)
    turns = maps("quarter_turn", n)
    even(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]) % (2 * np.pi), 4)
    shifts = maps("integer_translation", n)[:, :2, 2]
    np.testing.assert_allclose(shifts, shifts.round(), atol=1e-9)
    # Shares of the side from -1/8 to 1/8, rounded: +-5 pixels of 40, the ends half as often.
    for axis in range(2):
        _, counts = np.unique(shifts[:, axis].round(), return_counts=True)
        expected = n / 10 * np.array([0.5, *[1] * 9, 0.5])
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()
    scale = maps("scaling", n)
    np.testing.assert_allclose(scale[:, 0, 0], scale[:, 1, 1])
    assert kstest(np.log2(scale[:, 0, 0]), "norm", (0, 0.2)).pvalue > 0.01
    wide = maps("anisotropic_scaling", n)
    np.testing.assert_allclose(wide[:, 0, 0] * wide[:, 1, 1], 1)
    assert kstest(np.log2(wide[:, 0, 0]), "norm", (0, 0.2)).pvalue > 0.01
    for axis in range(2):
        assert kstest(maps("fractional_translation", n)[:, axis, 2], "norm", (0, 0.125 * 40)).pvalue > 0.01
    rotation = maps("rotation", n)
    angle = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    assert kstest(angle, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_is_drawn_with_the_probability(name: str) -> None:
    n, p = 4000, 0.3
    changed = (np.abs(maps(name, n, p) - np.eye(3)) > 1e-9).any(axis=(1, 2)).mean()
    # Of flips and turns a half and a quarter come out as the identity; of whole pixels (1/10)^2. A rotation, twice
    # drawn with 1 - sqrt(1 - p), is there with the probability p.
    share = {"flip": 1 / 2, "quarter_turn": 3 / 4, "integer_translation": 0.99}.get(name, 1.0)
    assert abs(changed - p * share) < 5 * math.sqrt(p * share * (1 - p * share) / n)


def test_the_mean_map_of_turns_is_the_identity_as_far_as_none_is_drawn() -> None:
    """E = (1 - p) 1: of the four turns, and of the two flips in x. At p = 1 nothing of the direction is left."""
    for p in (0.4, 1.0):
        mean = maps("quarter_turn", 4000, p).mean(axis=0)
        np.testing.assert_allclose(mean[:2, :2], (1 - p) * np.eye(2), atol=5 / math.sqrt(4000))
        assert maps("flip", 4000, p).mean(axis=0)[0, 0] == pytest.approx(1 - p, abs=5 / math.sqrt(4000))


def test_colors_are_the_transformations_in_their_order() -> None:
    """Against the 4 x 4 matrices of the paper's appendix, multiplied one after the other."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64) * 2 - 1
    settings = {
        "brightness": [0.2, -0.3],
        "contrast": [1.3, 0.6],
        "flip": [1, 0],
        "hue": [0.7, -2.5],
        "saturation": [0.4, 2],
    }
    draws = Scripted(images, *settings.values())
    found = only(*COLORS)._change_colors(images, draws, [3]).numpy()
    axis = np.ones(3) / math.sqrt(3)
    for i in range(2):
        b, c, flip, hue, s = (each[i] for each in settings.values())
        steps = [np.eye(4) for _ in range(5)]
        steps[0][:3, 3] = b
        steps[1][:3, :3] *= c
        steps[2][:3, :3] -= 2 * flip * np.outer(axis, axis)
        steps[3][:3, :3] = Rotation.from_rotvec(hue * axis).as_matrix()
        steps[4][:3, :3] = np.outer(axis, axis) + s * (np.eye(3) - np.outer(axis, axis))
        chain = np.linalg.multi_dot(steps[::-1])
        pixels = np.concatenate([images[i].reshape(3, -1).numpy(), np.ones((1, 20))])
        np.testing.assert_allclose(found[i].reshape(3, -1), (chain @ pixels)[:3], atol=1e-12)


def changed(name: str, images: Tensor, p: float = 1.0) -> np.ndarray:
    torch.manual_seed(0)
    (out,) = only(name, p=p)(images)
    return out.numpy()


def test_the_distributions_of_colors() -> None:
    n = 3000
    images = (torch.rand(n, 3, 2, 2, dtype=torch.float64) + 0.1) * torch.tensor([0.3, 1.0, 0.6]).reshape(3, 1, 1)
    x = images.numpy()
    grey = x.mean(axis=1, keepdims=True)
    added = changed("brightness", images) - x
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], x.shape), atol=1e-12)
    assert kstest(added[:, 0, 0, 0], "norm", (0, 0.2)).pvalue > 0.01
    factor = changed("contrast", images) / x
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1, :1], x.shape), atol=1e-12)
    assert kstest(np.log2(factor[:, 0, 0, 0]), "norm", (0, 0.5)).pvalue > 0.01
    flipped = changed("luma_flip", images)
    is_flipped = np.abs(flipped - x).max(axis=(1, 2, 3)) > 0
    np.testing.assert_allclose(flipped[is_flipped], (x - 2 * grey)[is_flipped], atol=1e-12)
    assert abs(is_flipped.mean() - 0.5) < 5 * 0.5 / math.sqrt(n)
    saturated = (changed("saturation", images) - grey) / (x - grey)
    assert kstest(np.log2(saturated[:, 0, 0, 0]), "norm", (0, 1)).pvalue > 0.01
    hue = changed("hue", images) - grey
    before, after = (x - grey)[:, :, 0, 0], hue[:, :, 0, 0]
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), atol=1e-12)
    sine = np.cross(before, after) @ np.ones(3) / math.sqrt(3)
    angle = np.arctan2(sine, (before * after).sum(axis=1))
    assert kstest(angle, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.01


@pytest.mark.parametrize("name", [*COLORS, *OTHERS])
def test_other_transformations_are_drawn_with_the_probability(name: str) -> None:
    n, p = 2000, 0.3
    images = torch.rand(n, 3, 8, 8)
    share = (changed(name, images, p) != images.numpy()).any(axis=(1, 2, 3)).mean()
    # A gain is drawn for each of four bands.
    expected = {"luma_flip": p / 2, "band_filter": 1 - (1 - p) ** 4}.get(name, p)
    assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_without_colors_have_brightness_and_contrast(channels: int) -> None:
    images = torch.rand(8, channels, 4, 4)
    for name in ("luma_flip", "hue", "saturation"):
        np.testing.assert_array_equal(changed(name, images), images.numpy())
    assert not np.array_equal(changed("brightness", images), images.numpy())
    np.testing.assert_allclose(np.ptp(changed("contrast", images) / images.numpy(), axis=(1, 2, 3)), 0, atol=1e-5)


def test_transparency_is_moved_and_not_coloured() -> None:
    images = torch.rand(8, 4, 12, 12)
    for name in COLORS:
        np.testing.assert_array_equal(changed(name, images)[:, 3], images[:, 3].numpy())
        np.testing.assert_array_equal(changed(name, images)[:, :3], changed(name, images[:, :3]))
    np.testing.assert_array_equal(changed("rotation", images)[:, 3:], changed("rotation", images[:, 3:]))


def test_several_images_are_transformed_alike() -> None:
    images = torch.rand(8, 3, 12, 9)
    torch.manual_seed(0)
    one, other = ADA(p=0.9)(images, images)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert (one - images).abs().max() > 0.1


def test_noise_is_the_absolute_value_of_a_normal_number() -> None:
    noise = changed("noise", torch.zeros(1500, 1, 30, 30, dtype=torch.float64))
    assert kstest(noise.std(axis=(1, 2, 3)), "halfnorm", (0, 0.1)).pvalue > 0.01


def test_gains_of_bands_keep_the_expected_power() -> None:
    """A picture of one low frequency is multiplied by the gain of the lowest band over the root mean square."""
    torch.manual_seed(0)
    flat = torch.ones(1000, 1, 4, 4, dtype=torch.float64)
    found = changed("band_filter", flat)[:, 0, 0, 0]
    # Along both axes: the gain's square. Each band's gain is divided by the root of the expected power: the lowest
    # band's tends to stay, 10 of 13 parts, and those of others make it smaller or larger by a little.
    assert (found > 0).all()
    assert np.quantile(np.sqrt(found), 0.999) < math.sqrt(13 / 10) * math.sqrt(13 / 12) ** 3


@pytest.mark.parametrize("shape", [(6, 3, 16, 16), (6, 1, 9, 14), (6, 4, 8, 8)])
@pytest.mark.parametrize("p", [0.0, LinearSchedule(0.0, 0.5, 1000)])
def test_nothing_is_changed_at_probability_0(shape: tuple[int, ...], p: Any) -> None:
    images = torch.rand(shape)
    augmentation = ADA(p=p, band_filter=1, noise=1, cutout=1)
    assert torch.equal(augmentation(images)[0], images)
    augmentation.images_seen = 1000
    assert torch.equal(augmentation(images)[0], images) == (p == 0.0)
    # An adaptive one begins there.
    assert torch.equal(ADA(band_filter=1, noise=1, cutout=1)(images)[0], images)


def test_images_that_are_not_drawn_keep_their_bits() -> None:
    torch.manual_seed(0)
    images = torch.rand(4000, 3, 8, 8)
    (out,) = ADA(p=0.1)(images)
    kept = (out == images).flatten(1).all(dim=1).double().mean()
    # No geometry and no colour drawn. Of 7 and of 5 transformations 1 - 0.1 each, but for identities among the drawn.
    expected = 0.95 * 0.925 * (1 - 0.1 * 0.9) * 0.9**4 * 0.9**4 * 0.95
    assert abs(kept - expected) < 0.03


@pytest.mark.parametrize("names", [GEOMETRY, COLORS, OTHERS, (*GEOMETRY, *COLORS, *OTHERS)])
def test_it_is_differentiable_twice(names: tuple[str, ...]) -> None:
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    augmentation = only(*names, p=0.8)

    def seeded(x: Tensor) -> Any:
        torch.manual_seed(5)
        return augmentation(x)[0].square()

    assert not torch.equal(seeded(images), images.square())
    # Fast: along random directions, which a wrong entry of the Jacobian does not miss.
    assert gradcheck(seeded, images, fast_mode=True)
    assert gradgradcheck(seeded, images, fast_mode=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ADA(p=1.5), "p is 1.5: it must be a probability, from 0 to 1"),
        (lambda: ADA(p=LinearSchedule(0, 2, 100)), "it must be a probability, from 0 to 1"),
        (lambda: ADA(hue=-1), "hue is -1: it must be at least 0"),
        (lambda: ADA(scaling_std=float("nan")), "scaling_std is nan"),
        (lambda: ADA(target=2), "target is 2: it must be a mean of signs, from -1 to 1"),
        (lambda: ADA(interval=0), "interval is 0: it must be a whole number, at least 1"),
        (lambda: ADA(images_to_one=0), "images_to_one is 0: it must be a whole number"),
        (lambda: ADA(hues=0.5), "hues"),
    ],
)
def test_arguments_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def transitions(p: float) -> np.ndarray:
    """How often a picture in each of its four orientations is seen in each of them: 4 x 4, of the pipeline itself."""
    picture = torch.zeros(1, 12, 12)
    picture[:, 1:6, 2:5] = 1.0
    orientations = torch.stack([picture.rot90(turn, (1, 2)) for turn in range(4)])
    rows = []
    for turn in range(4):
        (seen,) = only("quarter_turn", p=p)(orientations[turn].expand(4000, 1, 12, 12))
        nearest = torch.cdist(seen.flatten(1), orientations.flatten(1)).argmin(dim=1)
        rows.append(torch.bincount(nearest, minlength=4) / 4000)
    return torch.stack(rows).double().numpy()


@pytest.mark.parametrize(("p", "is_clean"), [(0.0, True), (0.5, True), (0.79, True), (1.0, False)])
def test_augmentations_do_not_leak_while_some_images_are_seen_as_they_are(p: float, is_clean: bool) -> None:
    """Figure 3 of the paper, exactly: real pictures are upright, and the generator has a share for each orientation.

    Both are seen through the augmentation, D is optimal for these, and G descends the non-saturating loss. The map of
    distributions that the augmentation is, (1 - p) 1 + p / 4, has an inverse unless p is 1.
    """
    torch.manual_seed(0)
    seen = torch.tensor(transitions(p))
    real = seen[0]  # all upright
    logits = torch.tensor([0.0, 0.5, 0.2, 0.1], dtype=torch.float64, requires_grad=True)
    start = logits.detach().softmax(0)
    optimizer = torch.optim.SGD([logits], lr=5.0)
    for _ in range(2000):
        fake = logits.softmax(0) @ seen
        with torch.no_grad():
            discriminator = real / (real + fake)
        loss = -(fake * discriminator.clamp(min=1e-12).log()).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    upright = logits.detach().softmax(0)[0]
    if is_clean:
        assert upright > 0.95
    else:
        # All orientations look alike to D, but for the chance of 4000 draws: the generator stays where it began.
        assert abs(upright - start[0]) < 0.05
