"""Perceptual path length: of linear generators, where it can be worked out."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning import inference
from gan_lightning.variants import DCGAN, StyleGAN2
from tests.helpers.games import small


class Linear(nn.Module):
    """Images that are a linear function of the latent."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.shape = image_shape
        self.matrix = nn.Linear(latent_dim, math.prod(image_shape), bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        return self.matrix(latent).unflatten(1, self.shape)


def squared(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().sum((1, 2, 3))


def percentiles_left_out(values: Tensor) -> float:
    low, high = (values.quantile(q, interpolation=kind).item() for q, kind in ((0.01, "lower"), (0.99, "higher")))
    return values[(values >= low) & (values <= high)].mean().item()


@pytest.mark.parametrize("ends", [True, False])
def test_of_latents_on_the_sphere(ends: bool) -> None:
    """The latent moves along an arc, whose derivative is known, and images of a linear generator with it."""
    model: Any = small(DCGAN, generator=Linear).double()
    latents = model.indexed_latents(0, 400, 3).double()
    z, b = latents[::2], latents[1::2]
    angle = torch.cosine_similarity(z, b).arccos()[:, None]
    made = inference.perceptual_path_length(model, squared, n=200, space="z", ends=ends, batch_size=64, seed=3)
    weight = model.image_generator.matrix.weight
    if ends:
        speed = angle * (b - angle.cos() * z) / angle.sin()
        expected = percentiles_left_out((speed @ weight.t()).square().sum(1))
        # Of order epsilon: the second derivative along the arc
        assert made == pytest.approx(expected, rel=1e-3)
    else:
        speeds = []
        for t in torch.linspace(0, 1, 51, dtype=torch.float64):
            speed = angle / angle.sin() * (((t * angle).cos()) * b - ((1 - t) * angle).cos() * z)
            speeds.append((speed @ weight.t()).square().sum(1))
        # The mean over t of each pair; 200 places were drawn.
        values = torch.stack(speeds)
        error = values.std() / math.sqrt(200)
        assert made == pytest.approx(values.mean().item(), abs=5 * error.item())


def test_of_styles() -> None:
    """The same pairs, worked one by one."""
    model: Any = small(StyleGAN2, num_classes=3).double().eval()
    network = model.averaged_generator
    latents = model.indexed_latents(0, 40, 0).double()
    labels = model.indexed_labels(0, 20, 0)
    values = []
    with torch.no_grad():
        for pair in range(20):
            a, b = (network.styles(latents[[2 * pair + k]], labels[[pair]]) for k in (0, 1))
            here, there = network.synthesise(a), network.synthesise(a + 1e-4 * (b - a))
            values.append(squared(here, there).item() / 1e-8)
    expected = percentiles_left_out(torch.tensor(values))
    made = inference.perceptual_path_length(model, squared, n=20, ends=True, batch_size=8)
    assert made == pytest.approx(expected, rel=1e-6)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="DCGAN has no styles"):
        inference.perceptual_path_length(small(DCGAN), squared, n=4)
    with pytest.raises(ValueError, match="epsilon is 0: it must be greater than 0"):
        inference.perceptual_path_length(small(DCGAN), squared, n=4, space="z", epsilon=0.0)
