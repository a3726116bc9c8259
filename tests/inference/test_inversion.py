"""Latents of given images: optima that are known, samples that come back, and nothing that moves but latents."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.inference.edit import Dab, Distance, KeptLatents, Line, invert, network_of, paint
from gan_lightning.inference.edit.inversion import schedule
from gan_lightning.inference.edit.spaces import noise_correlation, normalise_noise
from gan_lightning.metrics.classifier import Classifier
from gan_lightning.metrics.features import Embedding, FeatureExtractor
from gan_lightning.variants import ALI, DCGAN, GANCLS, LAPGAN, AgeCGAN, BigGAN, CoGAN, CycleGAN, InfoGAN, StyleGAN2
from tests.helpers.games import small, vivid

ROOT = torch.linalg.qr(torch.randn(64, 4, generator=torch.Generator().manual_seed(0))).Q
"""64 x 4, with orthonormal columns."""


class Linear(nn.Module):
    """``x = Q z``: the latent that is nearest to an image is ``Q^T x``."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(ROOT.clone())

    def forward(self, latent: Tensor) -> Tensor:
        return (latent @ self.weight.t()).view(-1, 1, 8, 8)


@pytest.fixture
def linear() -> Any:
    return DCGAN((1, 8, 8), 4, generator=Linear)


class TestOptimum:
    @pytest.mark.parametrize("start", ["mean", "samples", "given"])
    def test_it_is_the_projection(self, linear: Any, start: Any) -> None:
        images = torch.randn(3, 1, 8, 8).clamp(-1, 1)
        chosen = torch.randn(3, 4) if start == "given" else start
        found = invert(linear, images, start=chosen, steps=200, candidates=8)
        optimum = images.flatten(1) @ ROOT
        assert_close(found.latents, optimum, rtol=0, atol=1e-3)
        assert_close(found.images.flatten(1), optimum @ ROOT.t(), rtol=0, atol=1e-3)
        rest = (images.flatten(1) - optimum @ ROOT.t()).square().mean(1)
        assert_close(found.losses["pixels"][-1], rest, rtol=0, atol=1e-4)
        assert found.losses["pixels"].shape == (201, 3)

    def test_regularised_it_is_shorter(self, linear: Any) -> None:
        images = torch.randn(2, 1, 8, 8).clamp(-1, 1)
        found = invert(linear, images, start="mean", steps=200, latent_weight=0.25)
        # mean (x - Q z)^2 over 64 pixels + 1/4 mean z^2 over 4 numbers: (1/64 + 1/16) z = 1/64 Q^T x
        assert_close(found.latents, images.flatten(1) @ ROOT / 5, rtol=0, atol=1e-3)

    def test_features_alone(self, linear: Any) -> None:
        seen = nn.Linear(64, 4, bias=False)
        seen.weight.data = ROOT.t().clone()
        half = nn.Sequential(nn.Flatten(), seen)
        images = torch.randn(2, 1, 8, 8).clamp(-1, 1)
        found = invert(linear, images, distance=Distance(half, pixel_weight=0), start="mean", steps=200)
        assert set(found.losses) == {"pixels", "features"}
        assert_close(found.latents, images.flatten(1) @ ROOT, rtol=0, atol=1e-3)
        assert not any(weight.requires_grad for weight in half.parameters())


class TestGames:
    def test_a_sample_comes_back(self) -> None:
        model: Any = vivid(DCGAN)
        images = model.sample(2, seed=5)
        found = invert(model, images, steps=150, candidates=64, seed=1)
        assert found.losses["pixels"][-1].max() < 0.01 * images.var()
        assert found.losses["pixels"][0].min() > 0.05 * images.var()

    def test_the_class_is_kept(self) -> None:
        model: Any = vivid(AgeCGAN)
        images = model.sample(2, seed=5, labels=[3])
        found = invert(model, images, labels=[3], start="samples", steps=100, candidates=64)
        assert found.losses["pixels"][-1].max() < 0.02 * images.var()
        assert_close(found.images, model.render(found.latents, torch.tensor([3, 3])), rtol=1e-3, atol=1e-3)
        first = invert(model, images, labels=[3, 4], steps=0)
        assert_close(first.latents, model.encode(images, labels=[3, 4]), rtol=1e-3, atol=1e-3)
        with pytest.raises(ValueError, match="give those of the images as labels"):
            invert(model, images, steps=0)
        with pytest.raises(ValueError, match="labels has 3: give one for all 2 images, or one for each"):
            invert(model, images, labels=[1, 2, 3], steps=0)

    @pytest.mark.parametrize("variant", [ALI, BigGAN, CoGAN, GANCLS, InfoGAN, LAPGAN])
    def test_any_image_game(self, variant: Any) -> None:
        model: Any = small(variant)
        chosen: dict[str, Any] = {GANCLS: {"texts": ["big one"]}, BigGAN: {"labels": [1]}}.get(variant, {})
        images = model.sample(2, seed=5, **chosen)
        found = invert(model, images, steps=3, candidates=4, frames=2, **chosen)
        assert found.images.shape == images.shape
        assert found.way is not None
        assert found.way.shape == (2, *images.shape)
        # Start and result
        assert (found.way[0] - found.way[1]).abs().max() > 0
        assert_close(found.way[1], found.images, rtol=1e-3, atol=1e-3)
        # And painted on.
        labels = torch.tensor(2 * chosen["labels"]) if "labels" in chosen else None
        kept = KeptLatents(found.space, found.latents, labels=labels, text=chosen.get("texts", [None])[0])
        painted = paint(model, kept, [Dab(4, 4, 2, (255, 255, 255)), Line(2, 2, 9, 9)], steps=3)
        assert torch.equal(painted.before, found.images)
        assert (painted.kept.latents != kept.latents).flatten(1).any(1).all()

    def test_what_makes_no_images_of_latents(self) -> None:
        with pytest.raises(ValueError, match="CycleGAN makes no images of latents"):
            invert(small(CycleGAN), torch.zeros(1, 1, 16, 16))
        model = small(DCGAN)
        with pytest.raises(ValueError, match="images of 1 x 8 x 8"):
            invert(model, torch.zeros(1, 1, 8, 8))
        with pytest.raises(ValueError, match="DCGAN has no styles"):
            invert(model, torch.zeros(1, 1, 16, 16), space="w")
        with pytest.raises(ValueError, match="DCGAN has no encoder"):
            invert(model, torch.zeros(1, 1, 16, 16), start="encoder")
        with pytest.raises(ValueError, match="The latents are 1 x 3: DCGAN takes 1 x 4"):
            invert(model, torch.zeros(1, 1, 16, 16), start=torch.zeros(1, 3))

    def test_nothing_moves_but_latents(self) -> None:
        model: Any = small(DCGAN, ema_decay=None).train()  # The generator itself makes the images.
        before = {name: value.clone() for name, value in model.state_dict().items()}
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        one = invert(model, model.sample(3), steps=4, candidates=4, batch_size=1)
        assert torch.equal(torch.rand(1), expected)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(weight.requires_grad and weight.grad is None for weight in model.generator.parameters())
        assert model.averaged_generator.training
        again = invert(model, model.sample(3), steps=4, candidates=4, batch_size=1)
        assert torch.equal(one.latents, again.latents)
        assert torch.equal(one.images, again.images)
        together = invert(model, model.sample(3), steps=4, candidates=4, batch_size=2)
        assert_close(together.latents, one.latents, rtol=1e-3, atol=1e-3)


class TestStyles:
    @pytest.fixture
    def model(self) -> Any:
        return small(StyleGAN2)

    @pytest.mark.parametrize("space", ["w", "w+"])
    def test_a_sample_comes_back(self, model: Any, space: Any) -> None:
        images = model.sample(2, seed=5)
        found = invert(model, images, space=space, steps=30)
        layers = 1 if space == "w" else model.image_generator.n_styles
        assert found.latents.shape == (2, layers, 6)
        assert [each.shape[1:] for each in found.noise] == [(1, s, s) for s in (4, 8, 8, 16, 16)]
        for each in found.noise:
            assert_close(each.mean((1, 2, 3)), torch.zeros(2), rtol=0, atol=1e-5)
            assert_close(each.square().mean((1, 2, 3)), torch.ones(2), rtol=0, atol=1e-4)
        assert (found.losses["pixels"][-1] < found.losses["pixels"][0] / 4).all()
        assert (found.losses["noise"][-1] < found.losses["noise"][0] / 2).all()

    def test_the_start_is_the_mean_style(self, model: Any) -> None:
        found = invert(model, model.sample(2, seed=5), steps=0)
        latents = model.indexed_latents(0, 4000, 77)
        expected = model.image_generator.styles(latents)[:, 0].mean(0)
        deviation = model.image_generator.styles(latents)[:, 0].std(0)
        # Two means of 10,000 and 4,000: five standard errors
        assert ((found.latents[:, 0] - expected).abs() < 5 * deviation / 4000**0.5 * 1.2).all()

    def test_classes_have_means_of_their_own(self) -> None:
        model: Any = small(StyleGAN2, num_classes=3)
        one, other, same = invert(model, model.sample(3), labels=[0, 1, 0], steps=0).latents
        assert torch.equal(one, same)
        assert (one - other).abs().max() > 1e-3

    def test_correlation_of_noise_by_hand(self) -> None:
        # 2 x 2, one level: products with the neighbour in x are 2, 2, 12, 12, in y 3, 8, 3, 8.
        assert_close(noise_correlation([torch.tensor([[[[1.0, 2], [3, 4]]]])]), torch.tensor([7.0**2 + 5.5**2]))
        # 16 x 16 of ones: two levels of 1 + 1
        assert_close(noise_correlation([torch.ones(1, 1, 16, 16), torch.ones(1, 1, 8, 8)]), torch.tensor([6.0]))
        maps = [torch.tensor([[[[1.0, 2], [3, 6]]]])]
        normalise_noise(maps)
        # -2, -1, 0, 3 over the root of 14 / 4
        assert_close(maps[0].flatten() * 3.5**0.5, torch.tensor([-2.0, -1, 0, 3]))


def test_the_schedule_is_the_projectors() -> None:
    assert [schedule(t) for t in (0, 0.025, 0.05, 0.5, 0.75)] == pytest.approx([0, 0.5, 1, 1, 1])
    assert [schedule(t) for t in (0.875, 1)] == pytest.approx([0.5, 0])


class Blind(FeatureExtractor):
    name = "blind"

    def forward(self, images: Tensor) -> Embedding:
        assert float(images.detach().max()) > 1
        return Embedding(images.detach().flatten(1))


class TestDistance:
    def test_by_hand(self) -> None:
        distance = Distance(nn.Flatten(), pixel_weight=0.5, feature_weight=2.0)
        given = distance.described(torch.tensor([[[[0.0, 1.0]]]]))
        made = distance.described(torch.tensor([[[[0.0, 0.0]]], [[[1.0, 1.0]]], [[[1.0, 0.0]]]]))
        assert_close(distance.total(distance.terms(made, given)), torch.tensor([1.25, 1.25, 2.5]))
        assert_close(distance.between(made, given), torch.tensor([[1.25, 1.25, 2.5]]))

    def test_extractors(self, linear: Any) -> None:
        images = torch.zeros(1, 1, 8, 8)
        found = invert(linear, images, distance=Distance(Classifier(1, 3), pixel_weight=0), steps=2, start="mean")
        assert found.losses["features"].shape == (3, 1)
        with pytest.raises(ValueError, match="Blind has no gradient"):
            invert(linear, images, distance=Distance(Blind()), steps=1)
        with pytest.raises(ValueError, match="Linear cannot compare images of 1 x 8 x 8"):
            invert(linear, images, distance=Distance(nn.Linear(3, 3)), steps=1)

    def test_networks_by_name(self) -> None:
        assert isinstance(network_of("torch.nn.Flatten"), nn.Flatten)
        for name, why in {"nowhere.Net": "no network 'nowhere.Net'", "builtins.list": "makes a list"}.items():
            with pytest.raises(ValueError, match=why):
                network_of(name)
        with pytest.raises(ValueError, match="takes no file of weights"):
            network_of("torch.nn.Flatten", "weights.pth")

    @pytest.mark.parametrize(("weights", "network"), [((-1, 1), True), ((0, 1), False), ((0, 0), True)])
    def test_weights_out_of_range(self, weights: tuple[float, float], network: bool) -> None:
        with pytest.raises(ValueError, match=r"at least 0|Neither pixels nor features"):
            Distance(nn.Flatten() if network else None, *weights)
