"""What is special to IAN: three classes, an encoder that reads the discriminator's maps, and dilated kernels."""

import math
from copy import deepcopy
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import map_distance, ternary_discriminator, ternary_generator
from gan_lightning.losses.reported import listen, stop_listening
from gan_lightning.networks import IANDiscriminator, IANEncoder, IANGenerator
from gan_lightning.networks.layers.multiscale import MultiscaleDilatedConv2d
from gan_lightning.variants import IAN
from tests.helpers.games import small


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


def cross_entropy(logits: list[float], own: int) -> float:
    return math.log(sum(map(math.exp, logits))) - logits[own]


REAL, REBUILT, SAMPLE = [2.0, 0.5, -1.0], [0.0, 1.5, 1.0], [-0.5, 0.25, 0.0]


class TestLosses:
    def test_three_classes_by_hand(self) -> None:
        judged = [torch.tensor([logits]) for logits in (REAL, REBUILT, SAMPLE)]
        assert values(ternary_discriminator(*judged)) == pytest.approx(
            {
                "real": cross_entropy(REAL, 0),
                "reconstruction": cross_entropy(REBUILT, 1),
                "sample": cross_entropy(SAMPLE, 2),
            }
        )
        assert values(ternary_generator(*judged[1:])) == pytest.approx(
            {"reconstruction": cross_entropy(REBUILT, 0), "adversarial": cross_entropy(SAMPLE, 0)}
        )

    def test_accuracies_are_reported(self) -> None:
        told: dict[str, float] = {}

        def note(name: str, value: Tensor) -> None:
            told[name] = value.item()

        listen(note)
        try:
            ternary_discriminator(*(torch.tensor([logits]) for logits in (REAL, REBUILT, SAMPLE)))
        finally:
            stop_listening(note)
        # The sample is taken for a reconstruction.
        assert told == {"discriminator/accuracy_real": 1.0, "discriminator/accuracy_fake": 0.5}

    def test_maps_weigh_the_same_whatever_their_size(self) -> None:
        made, given = [torch.zeros(2, 3), torch.zeros(2, 1, 4, 4)], [torch.ones(2, 3), torch.full((2, 1, 4, 4), 3.0)]
        assert map_distance(made, given).item() == (1 + 9) / 2


class Judge(nn.Module):
    """Known logits and maps of known means: the first pixel p gives (p, 0, -p) and the maps p and 2 p."""

    def maps(self, images: Tensor) -> list[Tensor]:
        return [images[:, :, :1, :1], 2 * images[:, :, :1, :1]]

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        p = images[:, 0, 0, 0]
        return torch.stack([p, 0 * p, -p], dim=1), self.maps(images)


class Head(nn.Module):
    """mu = the last map, log sigma = log 1/2."""

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean = features.flatten(1).expand(-1, 4)
        return mean, torch.full_like(mean, math.log(0.5))


class Flat(nn.Module):
    """Images as bright as half of the latent's first number."""

    def forward(self, latent: Tensor) -> Tensor:
        return (latent[:, :1, None, None] / 2).expand(-1, 1, 16, 16)


def test_the_losses_of_a_batch_by_hand() -> None:
    model: Any = small(IAN)
    model.discriminator = Judge()
    model.generator["generator"], model.generator["encoder"] = Flat(), Head()
    noise = torch.tensor([[0.4, 0.0, 0.0, 0.0]])
    batch = GameBatch(
        torch.full((1, 1, 16, 16), 0.5), latent={"prior": None, "noise": noise}, fake=torch.full((1, 1, 16, 16), -0.25)
    )
    # mu = 2 * 0.5 = 1, the latent 1 + 0.5 * 0.4 = 1.2, the reconstruction 0.6.
    assert values(model.discriminator_loss(batch)) == pytest.approx(
        {
            "real": cross_entropy([0.5, 0, -0.5], 0),
            "reconstruction": cross_entropy([0.6, 0, -0.6], 1),
            "sample": cross_entropy([-0.25, 0, 0.25], 2),
        }
    )
    assert values(model.generator_loss(batch)) == pytest.approx(
        {
            "reconstruction": cross_entropy([0.6, 0, -0.6], 0),
            "adversarial": cross_entropy([-0.25, 0, 0.25], 0),
            "pixels": 6 * 0.1,
            "features": (0.1**2 + 0.2**2) / 2,
            # 1/2 (sigma^2 + mu^2 - 1 - log sigma^2), each number the same
            "kl": 0.5 * (0.25 + 1 - 1 + 2 * math.log(2)),
        }
    )


def test_reconstruction_does_not_move_the_maps() -> None:
    """In D's loss no gradient passes the reconstruction; in the other the maps are frozen and the head is not."""
    model: Any = small(IAN)
    batch = model.draw_latents(model.prepare_batch(torch.rand(6, 1, 16, 16) * 2 - 1))
    batch = GameBatch(batch.real, None, batch.latent, model.generate_fakes(batch))
    sum(model.discriminator_loss(batch.detached()).values()).backward()
    assert all(weight.grad is None for weight in model.generator.parameters())
    terms = model.generator_loss(batch)
    for term in ("reconstruction", "pixels", "features", "kl"):
        gradients = torch.autograd.grad(
            terms[term], list(model.generator["encoder"].parameters()), retain_graph=True, allow_unused=True
        )
        assert any(gradient is not None and bool(gradient.any()) for gradient in gradients), term


def test_the_penalty_is_of_the_generators_and_the_heads_kernels() -> None:
    model: Any = small(IAN)
    expected = 0.0
    for weight in model.generator.parameters():
        if weight.ndim == 4:
            rows = weight.detach().double().flatten(1).numpy()
            expected += float(np.abs(rows @ rows.T - np.eye(len(rows))).sum())
    assert model.generator_penalty(None)["orthogonal"].item() == pytest.approx(1e-3 * expected, rel=1e-5)
    model.orthogonal_weight = 0.0
    assert model.generator_penalty(None) == {}


def test_images_are_encoded_by_running_statistics_and_reconstructed() -> None:
    model: Any = small(IAN)
    images = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8)
    before = deepcopy(model.state_dict())
    head, judge = (deepcopy(each).eval() for each in (model.generator["encoder"], model.discriminator))
    expected = head(judge.maps(images / 127.5 - 1)[-1])[0]
    assert_close(inference.encode(model, images, batch_size=2), expected)
    assert_close(inference.reconstruct(model, images), deepcopy(model.generator["generator"]).eval()(expected))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(part.training for part in model.modules())


class TestNetworks:
    @pytest.mark.parametrize("scales", [(0, 2), (2, 3, 4)])
    def test_one_kernel_at_several_dilations(self, scales: tuple[int, ...]) -> None:
        """Against sums over pixels in NumPy."""
        torch.manual_seed(0)
        layer = MultiscaleDilatedConv2d(2, 3, scales).double()
        layer.coefficients.data.normal_()
        x = torch.randn(1, 2, 9, 7, dtype=torch.double)
        kernel, c = layer.weight.detach().numpy(), layer.coefficients.detach().numpy()
        padded = np.pad(x[0].numpy(), ((0, 0), (4, 4), (4, 4)))
        expected = np.zeros((3, 9, 7))
        for j, scale in enumerate((1, *scales)):
            for row in range(3):
                for column in range(3):
                    down, right = 4 + scale * (row - 1), 4 + scale * (column - 1)
                    seen = padded[:, down : down + 9, right : right + 7]
                    w = kernel.mean((2, 3)) / 9 if scale == 0 else kernel[:, :, row, column]
                    expected += c[j][:, None, None] * np.einsum("oi,ihw->ohw", w, seen)
        assert_close(layer(x)[0].detach(), torch.from_numpy(expected))

    def test_coefficients_start_as_a_mean(self) -> None:
        layer = MultiscaleDilatedConv2d(2, 3, (2, 3, 4))
        assert layer.coefficients.shape == (4, 3)
        assert_close(layer.coefficients.sum(0), torch.ones(3))

    def test_the_sizes_are_the_papers(self) -> None:
        """Channels and sides of the full model at 64 x 64, made thin by 16."""
        judge = IANDiscriminator(width=8, n_kernels=4)
        logits, maps = judge(torch.zeros(2, 3, 64, 64))
        assert logits.shape == (2, 3)
        assert [tuple(each.shape[1:]) for each in maps] == [(8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]
        layers = [layer for layer in IANGenerator(width=8).layers if isinstance(layer, nn.ConvTranspose2d)]
        assert [(layer.in_channels, layer.out_channels) for layer in layers] == [(32, 32), (32, 16), (16, 8), (8, 8)]
        mean, log_deviation = IANEncoder((64, 4, 4), 5, hidden=6)(maps[-1])
        assert mean.shape == log_deviation.shape == (2, 5)

    def test_later_colors_are_made_of_earlier_ones(self) -> None:
        torch.manual_seed(0)
        network = IANGenerator((3, 16, 16), 4, width=4).eval()
        latent = torch.randn(1, 4)
        before = network(latent)
        with torch.no_grad():
            cast(Any, network.of_map[1]).weight.mul_(-50)  # another green
        changed = (network(latent) != before).flatten(2).any(2)[0]
        assert changed.tolist() == [False, True, True]
        assert (before.abs() < 1).all()
