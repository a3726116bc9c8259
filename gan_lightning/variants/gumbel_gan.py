"""The Gumbel-softmax GAN: tokens through which a gradient passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.drawing import gumbel_noise, relaxed_sequences
from gan_lightning.games.sequence import SequenceGame
from gan_lightning.losses import Terms, relativistic
from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.networks import LSTMDiscriminator, LSTMGenerator
from gan_lightning.optimizers import GumbelGANAdam


class GumbelGAN(
    SequenceGame,
    generator=LSTMGenerator,
    discriminator=LSTMDiscriminator,
    generator_optimizer=GumbelGANAdam,
    discriminator_optimizer=GumbelGANAdam,
    gradient_clip_norm=5.0,
):
    """Kusner, Hernández-Lobato, *GANs for Sequences of Discrete Elements with the Gumbel-softmax Distribution*, 2016,
    arXiv 1611.04051, equations 4 to 7.

    ``y_t = softmax((h_t + g_t) / temperature)`` with ``g = -log(-log u)``, which the discriminator and the next step
    read as the one-hot vector of its largest number, with the gradient of ``y_t`` (straight-through): vectors that are
    soft would tell fakes from real ones at a glance. ``L_D = E softplus(s_f - s_r)`` and ``L_G = E softplus(s_r -
    s_f)``, RSGAN's, as in RelGAN (Nie et al., ICLR 2019); the paper has the losses of the first GAN. In its experiments
    the temperature falls from 5 to 1.

    In a batch ``real`` and ``fake`` are one-hot vectors, N x T x V, and ``latent`` is the noise g.

    Args:
        temperature: Of the softmax; a number, or a schedule of the real images seen.
        pretrain_steps: Steps of maximum likelihood before the game.
    """

    def __init__(self, temperature: Schedule | float = 1.0, pretrain_steps: int = 0, **game: Any) -> None:
        super().__init__(pretrain_steps=pretrain_steps, **game)
        self.temperature = resolve_number(temperature)
        low = self.temperature.bounds[0] if isinstance(self.temperature, Schedule) else self.temperature
        if not low > 0:
            raise ValueError(f"temperature is {low} at the least: it must be greater than 0.")

    def prepare_batch(self, raw: Any) -> GameBatch:
        tokens = super().prepare_batch(raw).real
        return GameBatch(F.one_hot(tokens, self.n_tokens).to(self.number_type))

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        noise = gumbel_noise(*batch.real.shape, device=self.device, dtype=self.number_type)
        return replace(batch, latent=noise)

    def generate_fakes(self, batch: GameBatch) -> Tensor | None:
        """Relaxed sequences, N x T x V; None in steps that do not need any."""
        if not self.discriminator_learns:
            return None
        temperature = value_of(self.temperature, self.images_seen)
        return relaxed_sequences(self.generator, batch.latent, temperature, self.end)

    def adversarial_discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = self.discriminator(batch.real), self.discriminator(batch.fake)
        report_accuracies(real, fake)
        return {"adversarial": relativistic(real, fake)}

    def adversarial_generator_loss(self, batch: GameBatch) -> Terms:
        return {"adversarial": relativistic(self.discriminator(batch.fake), self.discriminator(batch.real))}
