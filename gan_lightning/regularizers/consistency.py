"""Consistency regularisation: a discriminator judges an image and a slightly changed one alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.arguments.annotations import checked
from gan_lightning.losses.terms import Terms, batch_mean
from gan_lightning.regularizers.regularizer import Game, Judgement, Regularizer

_LARGEST_SHIFT = 1 / 8


def mean_squared_difference(one: Tensor, other: Tensor) -> Tensor:
    """``E (a - b)^2`` over every axis, in float32 at least: a scalar. Both receive its gradient."""
    dtype = torch.promote_types(one.dtype, torch.float32)  # the outputs lie close together
    return batch_mean((one.to(dtype) - other.to(dtype)).square())


def flip_and_shift(images: Tensor) -> Tensor:
    """Flip each image left to right with probability 1/2, and shift it by up to an eighth of its sides.

    Pixels from beyond an edge are mirrored at it. Every image has draws of its own.

    Args:
        images: N x C x H x W.

    Raises:
        ValueError: The images are too small for any change, such as points of toy data.
    """
    n, _, height, width = images.shape
    if width == 1 and height < 1 / _LARGEST_SHIFT:
        raise ValueError(
            f"Images of {height} x {width} pixels cannot be flipped or shifted: CR and BCR are not for them."
        )
    rows, columns = (_shifted(n, side, images.device) for side in (height, width))
    flipped = torch.rand(n, 1, device=images.device) < 0.5
    columns = torch.where(flipped, columns.flip(1), columns)
    # One gather: N x H x 1 with N x 1 x W indices, channels last.
    moved = images[torch.arange(n, device=images.device)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _shifted(n: int, side: int, device: torch.device) -> Tensor:
    """Indices of the pixels along one axis after a random shift, n x side."""
    most = int(side * _LARGEST_SHIFT)
    shift = torch.randint(-most, most + 1, (n, 1), device=device)
    index = shift + torch.arange(side, device=device)
    # Mirrored at pixel 0, then at the last one.
    return (side - 1) - ((side - 1) - index.abs()).abs()


@checked
class CR(Regularizer):
    """Consistency regularisation (Zhang et al., *Consistency Regularization for GANs*, ICLR 2020, arXiv 1910.12027).

    ``L_D += weight E (D(T(x)) - D(x))^2``, T of :func:`flip_and_shift`. The rest of the loss is of x as it is, and both
    outputs receive gradient. One pass of the discriminator more. Logged as ``consistency``.

    Args:
        weight: lambda, 10 in the paper.
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__()
        self.weight = weight

    def discriminator_terms(self, game: Game, batch: Any, real: Judgement, fake: Judgement) -> Terms:
        return {"consistency": self.weight * _consistency(real)}


@checked
class BCR(Regularizer):
    """Balanced consistency regularisation (Zhao et al., *Improved Consistency Regularization*, AAAI 2021,
    arXiv 2002.04724).

    ``L_D += real_weight E (D(T(x)) - D(x))^2 + fake_weight E (D(T(G(z))) - D(G(z)))^2``, T of :func:`flip_and_shift`.
    CR alone teaches the generator to make T's artefacts. Two passes of the discriminator more. With :class:`ZCR` it is
    the paper's ICR. Logged as ``consistency`` and ``consistency_fake``.

    Args:
        real_weight: lambda_real, 10 in the paper.
        fake_weight: lambda_fake, 10 in the paper.
    """

    def __init__(self, real_weight: float = 10.0, fake_weight: float = 10.0) -> None:
        super().__init__()
        self.real_weight, self.fake_weight = real_weight, fake_weight

    def discriminator_terms(self, game: Game, batch: Any, real: Judgement, fake: Judgement) -> Terms:
        return {
            "consistency": self.real_weight * _consistency(real),
            "consistency_fake": self.fake_weight * _consistency(fake),
        }


def _consistency(judged: Judgement) -> Tensor:
    return mean_squared_difference(judged.of(flip_and_shift(judged.images)), judged.logits)


@checked
class ZCR(Regularizer):
    """Latent consistency regularisation (Zhao et al., *Improved Consistency Regularization*, AAAI 2021,
    arXiv 2002.04724).

    ``L_D += discriminator_weight E (D(G(z)) - D(G(z + e)))^2`` and ``L_G -= generator_weight E (G(z) - G(z + e))^2``,
    ``e ~ N(0, sigma^2)``: the discriminator is not to see a small change of the latent, and the generator is to show
    it. Codes and classes stay as they are. One pass more of the generator for each player, one of the discriminator.
    Logged as ``latent_consistency`` and, of the generator, negative, ``latent_diversity``.

    Args:
        discriminator_weight: lambda_dis; 5 with SNDCGAN in the paper, 20 with BigGAN.
        generator_weight: lambda_gen, 0.5.
        sigma: Deviation of the change of latents; 0.03 with SNDCGAN, 0.07 with BigGAN.
    """

    def __init__(self, discriminator_weight: float = 5.0, generator_weight: float = 0.5, sigma: float = 0.03) -> None:
        super().__init__()
        if not 0 < sigma < float("inf"):
            raise ValueError(f"sigma is {sigma}: it must be greater than 0.")
        self.discriminator_weight, self.generator_weight, self.sigma = discriminator_weight, generator_weight, sigma

    def discriminator_terms(self, game: Game, batch: Any, real: Judgement, fake: Judgement) -> Terms:
        with torch.no_grad():  # the generator takes no gradient in this update
            neighbours = game.generate_fakes(self._moved(game, batch))
        difference = mean_squared_difference(fake.logits, fake.of(neighbours))
        return {"latent_consistency": self.discriminator_weight * difference}

    def generator_terms(self, game: Game, batch: Any) -> Terms:
        neighbours = game.generate_fakes(self._moved(game, batch))
        # Minus: a generator that ignores its latent would be consistent too.
        return {"latent_diversity": -self.generator_weight * mean_squared_difference(batch.fake, neighbours)}

    def _moved(self, game: Game, batch: Any) -> Any:
        """The batch with latents near its own, and without fakes."""
        length, latent = getattr(game, "latent_dim", None), batch.latent
        # Classes of fakes may come with the noise (BigGAN), and codes after it (InfoGAN): neither is to be moved.
        noise, *classes = latent if isinstance(latent, tuple) else (latent,)
        if length is None or not isinstance(noise, Tensor) or noise.ndim != 2:
            raise ValueError(
                f"ZCR moves latent vectors, N x latent_dim, and {type(game).__name__} has none: leave it out."
            )
        moved = noise + F.pad(self.sigma * torch.randn_like(noise[:, :length]), (0, noise.shape[1] - length))
        return replace(batch, latent=(moved, *classes) if isinstance(latent, tuple) else moved, fake=None)
