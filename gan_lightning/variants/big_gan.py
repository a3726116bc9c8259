"""BigGAN: wide residual networks, class vectors shared by all layers, orthogonal regularisation, truncation."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame
from gan_lightning.losses import Terms, hinge_discriminator, hinge_generator
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator
from gan_lightning.networks.layers.labels import one_hot
from gan_lightning.optimizers import BigGANAdam, BigGANDiscriminatorAdam
from gan_lightning.regularizers import orthogonal_penalty


class BigGAN(
    LabelGame,
    image_shape=(3, 128, 128),
    # 20 for the first layer and for each of five blocks
    latent_dim=120,
    num_classes=1000,
    generator=BigGANGenerator,
    discriminator=BigGANDiscriminator,
    generator_optimizer=BigGANAdam,
    discriminator_optimizer=BigGANDiscriminatorAdam,
    n_critic=2,
    ema_decay=0.9999,
    ema_start=1000,
):
    """Brock, Donahue, Simonyan, *Large Scale GAN Training for High Fidelity Natural Image Synthesis*, ICLR 2019.

    arXiv 1809.11096: ``L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y'), y'))`` and
    ``L_G = -E D(G(z, y'), y') + b sum_W ||W^T W * (1 - I)||_F^2`` (equation 3) over the weights of G, with
    ``D(x, y) = w . phi(x) + <e_y, phi(x)>``. Latents and classes ``y'`` are drawn afresh for each update of either
    player, the classes as frequent as in the data.

    Samples are made with z truncated where asked, ``sample(n, truncation=0.5)``: fewer kinds of images, better ones.
    BatchNorm's statistics are those of another distribution then; see ``standing_statistics``.

    The authors' code averages BatchNorm's statistics as it does the weights; here the average has a copy of G's.

    Args:
        orthogonal_weight: b; it counts each pair of filters twice, as the equation does. 0: no regularisation, as in
            the scripts of the authors' PyTorch code.
        ema_start: Step from which on the average is one, counted from 1: before, it is a copy of the generator. 20,000
            in the authors' script for ImageNet, 1000 in that for CIFAR-10.
    """

    shares_fakes = False  # the generator's update has latents and classes of its own
    differentiates_twice = False  # its penalty needs no gradient of a gradient: compiled networks stay so

    def __init__(self, orthogonal_weight: float = 1e-4, **game: Any) -> None:
        super().__init__(**game)
        self.orthogonal_weight = orthogonal_weight

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        noise: Tensor = super().draw_latents(batch).latent
        labels = torch.multinomial(self.class_counts.float(), len(noise), replacement=True)
        # One vector: z, and y' as zeros and ones
        return replace(batch, latent=torch.cat([noise, one_hot(labels, noise, len(self.class_counts))], dim=1))

    def parts(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents of training into noise (N x latent_dim) and the labels of fakes (N,)."""
        noise, classes = latent.split([self.latent_dim, len(self.class_counts)], dim=1)
        return noise, classes.argmax(dim=1)

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator(*self.parts(batch.latent))

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        _, labels = self.parts(batch.latent)
        return hinge_discriminator(
            self.discriminator(batch.real, batch.condition), self.discriminator(batch.fake, labels)
        )

    def generator_loss(self, batch: GameBatch) -> Terms:
        _, labels = self.parts(batch.latent)
        return hinge_generator(self.discriminator(batch.fake, labels))

    def generator_penalty(self, batch: GameBatch) -> Terms:
        if self.orthogonal_weight == 0:
            return {}
        return {"orthogonal": self.orthogonal_weight * orthogonal_penalty(self.generator)}
