"""Images composed in all layers: both ends to the bit, weights by hand, windows that repeat, patches that stay put."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.inference.edit import (
    Dab,
    KeptLatents,
    between,
    blend,
    box_weights,
    extend,
    kept_samples,
    painted_weights,
    panorama,
    ramp,
    render_kept,
    swap_patch,
    transfer_box,
)
from gan_lightning.inference.edit.layers import layered
from gan_lightning.inference.edit.panorama import _Windows
from gan_lightning.networks.layers.styles import Maps, Noise, mix
from gan_lightning.variants import DCGAN, StyleGAN, StyleGAN2
from tests.helpers.games import small


def made(variant: Any, noise: float = 0.3, side: int = 16) -> Any:
    """A small game whose samples differ, with noise that is not 0."""
    model: Any = small(variant, side)
    with torch.no_grad():
        for part in model.averaged_generator.modules():
            if isinstance(part, Noise):
                part.strength.fill_(noise)
        for name, weight in model.averaged_generator.named_parameters():
            if "affine.weight" in name:
                weight.mul_(3)
    if isinstance(model, StyleGAN):
        model.averaged_generator.level = model.averaged_generator.levels
    return model.eval()


@pytest.fixture(params=[StyleGAN, StyleGAN2])
def model(request: pytest.FixtureRequest) -> Any:
    return made(request.param)


def with_noise(model: Any, number: int) -> KeptLatents:
    """A sample with maps of noise of its own."""
    (kept,) = kept_samples(model, [number])
    maps = [part.constant for part in model.averaged_generator.modules() if isinstance(part, Noise)]
    rng = torch.Generator().manual_seed(number)
    return KeptLatents("w+", kept.latents, [torch.randn(each.shape, generator=rng) for each in maps])


class TestPaintedWeights:
    def test_by_hand(self) -> None:
        """One dab of radius 2 that falls on half of it: ``(3 - d) / 2``, at most 1."""
        row = painted_weights(5, 9, [Dab(4, 2, 2, (0, 0, 0))])[2]
        assert_close(row, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]))
        sharp = painted_weights(5, 9, [Dab(4, 2, 2, (0, 0, 0))], softness=0)
        assert_close(sharp[2], torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))
        assert float(sharp[1, 2]) == pytest.approx(3 - 5**0.5)

    def test_the_larger_of_two_counts(self) -> None:
        one, two = Dab(2, 2, 2, (0, 0, 0)), Dab(6, 2, 1, (255, 255, 255))
        alone = [painted_weights(5, 9, [dab]) for dab in (one, two)]
        assert torch.equal(painted_weights(5, 9, [one, two]), alone[0].maximum(alone[1]))

    def test_mistakes(self) -> None:
        for dabs, softness, word in [([], 0.5, "No weight"), ([Dab(9, 0, 1, (0, 0, 0))], 0.5, "outside the image")]:
            with pytest.raises(ValueError, match=word):
                painted_weights(5, 9, dabs, softness)
        with pytest.raises(ValueError, match="softness is 2"):
            painted_weights(5, 9, [Dab(1, 1, 1, (0, 0, 0))], 2)


class TestBlend:
    def test_a_constant_map_gives_either_image_to_the_bit(self, model: Any) -> None:
        one, other = with_noise(model, 0), with_noise(model, 1)
        assert torch.equal(blend(model, one, other, torch.zeros(16, 16)), render_kept(model, one))
        assert torch.equal(blend(model, one, other, torch.ones(16, 16)), render_kept(model, other))
        assert (render_kept(model, one) - render_kept(model, other)).abs().max() > 0.1

    def test_of_itself_it_is_the_same_image(self, model: Any) -> None:
        one = with_noise(model, 0)
        assert_close(blend(model, one, one, ramp(16, 16)), render_kept(model, one), rtol=1e-4, atol=1e-5)

    def test_layers_of_weight_1_are_mixed_styles(self, model: Any) -> None:
        one, other = kept_samples(model, [0, 1])
        expected = model.averaged_generator.synthesise(mix(one.latents, other.latents, 2, 4))
        assert_close(blend(model, one, other, torch.ones(16, 16), (2, 4)), expected, rtol=1e-4, atol=1e-5)

    def test_both_branches_take_the_blended_maps(self) -> None:
        """The first two layers and the image of StyleGAN2 by hand."""
        model = made(StyleGAN2, side=8)
        network = model.averaged_generator
        one, other = kept_samples(model, [0, 1])
        a, b = one.latents, other.latents
        weights = ramp(8, 8)
        # Averages of 2 x 2
        coarse = weights.view(4, 2, 4, 2).mean((1, 3))
        x = network.constant
        x = (1 - coarse) * network.layers[0](x, a[:, 0]) + coarse * network.layers[0](x, b[:, 0])
        image = (1 - coarse) * network.to_images[0](x, a[:, 1]) + coarse * network.to_images[0](x, b[:, 1])
        for layer in (1, 2):
            x = (1 - weights) * network.layers[layer](x, a[:, layer]) + weights * network.layers[layer](x, b[:, layer])
        made_of = [network.upsample(image) + network.to_images[1](x, each[:, 3]) for each in (a, b)]
        expected = (1 - weights) * made_of[0] + weights * made_of[1]
        assert_close(blend(model, one, other, weights), expected, rtol=1e-4, atol=1e-5)

    def test_weights(self) -> None:
        assert ramp(2, 8)[0].tolist() == [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
        assert torch.equal(ramp(8, 2, "vertical"), ramp(2, 8).t())
        hard = box_weights(6, 6, (1, 2, 4, 5), softness=0)
        assert hard.sum() == 9
        assert hard[2:5, 1:4].min() == 1
        soft = box_weights(64, 64, (16, 16, 48, 48))
        assert soft[32, 32] == 1
        assert soft[7, 32] == 0  # beyond a quarter of the side
        # Half at the edge, between the pixels 15 and 16
        assert_close(soft[32, 15] + soft[32, 16], torch.tensor(1.0), rtol=0, atol=1e-6)
        # By numbers: the mask under a cut Gaussian of deviation 16, at the middle of pixel 20
        t = torch.linspace(-8, 8, 160001, dtype=torch.float64)
        kernel = torch.exp(-((t / 16) ** 2) / 2)
        share = (kernel * ((20.5 + t >= 16) & (20.5 + t < 48))).sum() / kernel.sum()
        assert_close(soft[32, 20].double(), share, rtol=0, atol=1e-4)

    def test_transfer_keeps_what_is_far_from_the_box(self, model: Any) -> None:
        one, other = with_noise(model, 0), with_noise(model, 1)
        of_box = transfer_box(model, one, other, (8, 0, 16, 16), softness=0, layers=(4, None))
        change = (of_box - render_kept(model, one)).abs()
        assert change[..., 9:].max() > 0.02
        if not isinstance(model, StyleGAN2):  # Its instance norms see the whole map.
            return
        # Two layers of 3 x 3 at this size reach two pixels beyond the box.
        assert change[..., :5].max() < 1e-6

    def test_mistakes(self, model: Any) -> None:
        one, other = kept_samples(model, [0, 1])
        for weights in (torch.zeros(8, 8), torch.full((16, 16), 1.5), torch.full((16, 16), torch.nan)):
            with pytest.raises(ValueError, match="weights must be 16 x 16 numbers from 0 to 1"):
                blend(model, one, other, weights)
        with pytest.raises(ValueError, match="The box 4 0 2 8 is no part of an image of 16 x 16 pixels"):
            box_weights(16, 16, (4, 0, 2, 8))
        with pytest.raises(ValueError, match="softness is 2"):
            box_weights(16, 16, (0, 0, 2, 8), 2)
        for layers in ((2, 2), (0, 9), (-1, 3)):
            with pytest.raises(ValueError, match=f"layers is {layers[0]}:{layers[1]}: this"):
                blend(model, one, other, ramp(16, 16), layers)
        with pytest.raises(ValueError, match="DCGAN has no styles"):
            blend(small(DCGAN), one, other, torch.zeros(16, 16))
        with pytest.raises(ValueError, match="The latents are 1 x 2 x 6"):
            blend(model, one, KeptLatents("w+", torch.zeros(1, 2, 6)), torch.zeros(16, 16))
        with pytest.raises(ValueError, match="The maps of noise are not those of this"):
            blend(model, one, KeptLatents("w", torch.zeros(1, 1, 6), [torch.zeros(1, 1, 4, 4)]), torch.zeros(16, 16))


class TestPatch:
    def test_its_own_patch_changes_nothing(self, model: Any) -> None:
        one = with_noise(model, 0)
        assert torch.equal(swap_patch(model, one, one, (4, 4, 12, 12), level=1), render_kept(model, one))

    def test_the_whole_of_it_is_mixed_styles(self) -> None:
        model = made(StyleGAN)
        one, other = kept_samples(model, [0, 1])
        whole = swap_patch(model, one, other, (0, 0, 16, 16), level=1)
        expected = model.averaged_generator.synthesise(mix(other.latents, one.latents, 4))
        assert_close(whole, expected, rtol=1e-4, atol=1e-5)

    def test_the_image_so_far_is_swapped_too(self, model: Any) -> None:
        one, other = (layered(model, with_noise(model, number)) for number in (0, 1))
        end = one.end_of_level(1)
        with torch.no_grad():
            expected = one.steps(other.steps(other.begin(), 0, end), end, one.network.n_steps).image
        assert expected is not None
        whole = swap_patch(model, with_noise(model, 0), with_noise(model, 1), (0, 0, 16, 16), level=1)
        assert_close(whole, expected, rtol=1e-4, atol=1e-5)

    def test_only_the_patch_moves(self) -> None:
        model = made(StyleGAN2, side=32)
        one, other = with_noise(model, 0), with_noise(model, 1)
        change = (swap_patch(model, one, other, (0, 0, 8, 8)) - render_kept(model, one)).abs()[0, 0]
        assert change[:8, :8].min() > 0
        # At 16 x 16 its edge is at pixel 4; the layers after it reach less than 4 pixels of 32 x 32 further.
        assert change[14:].max() == 0
        assert change[:, 14:].max() == 0
        moved = (swap_patch(model, one, other, (0, 0, 8, 8), to=(24, 20)) - render_kept(model, one)).abs()[0, 0]
        assert moved[:14].max() == 0
        assert moved[21:27, 25:].min() > 0

    def test_mistakes(self, model: Any) -> None:
        one, other = kept_samples(model, [0, 1])
        with pytest.raises(ValueError, match="level is 2: this generator has the levels 0"):
            swap_patch(model, one, other, (0, 0, 8, 8), level=2)
        with pytest.raises(ValueError, match="The box 12 0 20 8 is no part"):
            swap_patch(model, one, other, (0, 0, 8, 8), to=(12, 0), level=1)
        with pytest.raises(ValueError, match="smaller than a pixel of the maps of level 0, which are 4 pixels"):
            swap_patch(model, one, other, (0, 0, 1, 1), level=0)


class TestWide:
    def test_a_panorama_of_one_is_the_image(self, model: Any) -> None:
        one = with_noise(model, 0)
        assert torch.equal(panorama(model, [one]), render_kept(model, one))

    @pytest.mark.parametrize("overlap", [0.25, 0.5])
    def test_a_panorama_of_equal_latents_repeats(self, overlap: float) -> None:
        model = made(StyleGAN2)
        n, stride = 10, round(16 * (1 - overlap))
        image = panorama(model, [with_noise(model, 0)] * n, overlap)
        assert image.shape == (1, 1, 16, 16 + (n - 1) * stride)
        middle = image.shape[3] // 2
        # Far from both ends, which have no neighbour: the layers of 4, 8 and 16 pixels reach less than 16 columns.
        period = image[..., middle - stride : middle], image[..., middle : middle + stride]
        assert_close(*period, rtol=1e-3, atol=1e-4)
        assert image.std() > 0.1

    def test_windows_are_mixed_where_they_overlap(self) -> None:
        windows = _Windows(2, columns=4, shared=2)
        features, image = windows.joined(
            [Maps(torch.full((1, 1, 1, 4), i), torch.full((1, 1, 1, 8), i)) for i in (1.0, 2.0)]
        )
        assert features[0, 0, 0].tolist() == [1, 1, 1.25, 1.75, 2, 2]
        assert image is not None
        # The image is of the size before a doubling or after it.
        assert image[0, 0, 0].tolist() == [1, 1, 1, 1, 1.125, 1.375, 1.625, 1.875, 2, 2, 2, 2]
        wide = Maps(torch.arange(6.0).view(1, 1, 1, 6), torch.arange(12.0).view(1, 1, 1, 12))
        within = windows.of(wide, 1)
        assert within.features[0, 0, 0].tolist() == [2, 3, 4, 5]
        assert within.image is not None
        assert within.image[0, 0, 0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]

    def test_styles_are_smoothed(self) -> None:
        model = made(StyleGAN2)
        kept = kept_samples(model, [0, 1])
        # exp(-1 / (2 0.7^2)) = 0.3604
        share = 0.36044779 / 1.36044779
        styles = [torch.lerp(kept[i].latents, kept[1 - i].latents, share) for i in (0, 1)]
        by_hand = panorama(model, [KeptLatents("w+", each) for each in styles], smoothing=0)
        assert_close(panorama(model, kept), by_hand, rtol=1e-4, atol=1e-5)
        assert (by_hand - panorama(model, kept, smoothing=0)).abs().max() > 0.01

    @pytest.mark.parametrize(("axis", "shape"), [("horizontal", (32, 64)), ("vertical", (64, 32))])
    def test_more_of_an_image(self, axis: Any, shape: Any) -> None:
        model = made(StyleGAN2, noise=0.0, side=32)
        (kept,) = kept_samples(model, [0])
        image = extend(model, kept, axis, "circular")
        assert image.shape[2:] == shape
        if axis == "vertical":
            image = image.transpose(2, 3)
        # It repeats after the image's width, but for the borders, which lie 16 columns away.
        assert_close(image[..., 15:17], image[..., 47:49], rtol=1e-4, atol=1e-5)
        # The middle is the image, but for what its own borders reach.
        plain = model.averaged_generator.synthesise(kept.latents)
        plain = plain.transpose(2, 3) if axis == "vertical" else plain
        assert_close(image[..., 31:33], plain[..., 15:17], rtol=1e-4, atol=1e-5)
        reflected = extend(model, kept, axis, "reflect")
        assert (reflected - extend(model, kept, axis, "circular")).abs().max() > 0.01

    def test_a_grown_generator_and_fresh_noise(self, model: Any) -> None:
        one = with_noise(model, 0)
        images = [extend(model, one, filling="stretch", seed=seed) for seed in (0, 0, 1)]
        assert torch.equal(images[0], images[1])
        assert not torch.equal(images[0], images[2])

    def test_mistakes(self, model: Any) -> None:
        (kept,) = kept_samples(model, [0])
        with pytest.raises(ValueError, match=r"overlap is 0\.3: this generator's images can overlap by 0\.25, 0\.5 of"):
            panorama(model, [kept, kept], 0.3)
        with pytest.raises(ValueError, match="at least one image"):
            panorama(model, [])
        with pytest.raises(ValueError, match="smoothing is -1"):
            panorama(model, [kept], smoothing=-1)
        with pytest.raises(ValueError, match="so give 0 to 1"):
            extend(model, kept, level=5)


class TestBetween:
    def test_both_ends_to_the_bit(self, model: Any) -> None:
        other = made(type(model))
        with torch.no_grad():
            for weight in other.averaged_generator.parameters():
                weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        kept = with_noise(model, 0)
        assert torch.equal(between(model, other, kept, 0.0), render_kept(model, kept))
        assert torch.equal(between(model, other, kept, 1.0, first_layer=0), render_kept(other, kept))
        half = between(model, other, kept, 0.5)
        # Layers 0 to 3 are the first model's: steps 0 to 5 of either kind of generator, for images are steps too.
        late, theirs = layered(model, kept), layered(other, kept)
        maps = late.steps(late.begin(), 0, 6)
        expected = theirs.steps(maps, 6, late.network.n_steps).image
        assert_close(between(model, other, kept, 1.0), expected, rtol=1e-4, atol=1e-5)
        assert expected is not None
        assert (half - expected).abs().max() > 0.01

    def test_mistakes(self, model: Any) -> None:
        (kept,) = kept_samples(model, [0])
        with pytest.raises(ValueError, match="weight is 2"):
            between(model, model, kept, 2.0)
        with pytest.raises(ValueError, match="The two generators have other layers or sizes"):
            between(model, made(StyleGAN2 if isinstance(model, StyleGAN) else StyleGAN), kept, 0.5)
