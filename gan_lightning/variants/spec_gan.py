"""SpecGAN: spectrograms of sounds as images, by a DCGAN, and sounds of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import SpecGANDiscriminator, SpecGANGenerator
from gan_lightning.networks.layers.log_spectrogram import LogSpectrogram
from gan_lightning.trainer.internals import before_batch_transfer
from gan_lightning.trainer.step_batches import batches_of
from gan_lightning.variants.wave_gan import WaveGAN


class SpecGAN(WaveGAN):
    """Donahue, McAuley, Puckette, *Adversarial Audio Synthesis*, ICLR 2019, arXiv 1802.04208, section 3.4.

    WaveGAN's losses, ``L_D = E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x')||_2 - 1)^2`` and
    ``L_G = -E D(G(z))``, on the logarithmic spectrograms of sounds, whose frequencies are scaled by their means and
    deviations over the training set; these are measured as the first training begins and kept in checkpoints. Samples
    are made audible by Griffin and Lim's algorithm. There is no phase shuffle, with which it sounded worse.

    The norm of the gradient is over all of a spectrogram; the authors' code leaves the channel out, of which there is
    one.

    Args:
        n_samples: Length of a sound, whose root is the spectrogram's side: 64, 256, 1024, 4096, 16384 or more. The
            command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the spectrogram's side and the length of the latent.
        discriminator: Makes the critic from the side. It must carry no BatchNorm.
        iterations: Of Griffin and Lim's algorithm.
        **game: Arguments of :class:`~gan_lightning.variants.wave_gan.WaveGAN`.

    Raises:
        ValueError: The length is no square of 8, 16, 32, ...
    """

    def __init__(
        self,
        n_samples: int = 16384,
        latent_dim: int = 100,
        generator: Callable[[int, int], nn.Module] = SpecGANGenerator,
        discriminator: Callable[[int], nn.Module] = SpecGANDiscriminator,
        iterations: int = 16,
        **game: Any,
    ) -> None:
        side = math.isqrt(n_samples)
        if side < 8 or side**2 != n_samples:
            raise ValueError(
                f"n_samples is {n_samples}: SpecGAN's spectrograms are square, so it must be the square of 8, 16, 32, "
                "..., such as 16384."
            )
        super().__init__(
            n_samples=n_samples,
            latent_dim=latent_dim,
            generator=lambda _, length: resolve(generator)(side, length),
            discriminator=lambda _: resolve(discriminator)(side),
            **game,
        )
        self.spectrogram = LogSpectrogram(side, iterations)

    def on_train_start(self) -> None:
        super().on_train_start()
        if not self.spectrogram.measured:
            moments = self.spectrogram.moments_of(self._training_sounds()).to(self.device)
            # Of all ranks, which have equally many sounds.
            self.spectrogram.set_moments(self.trainer.strategy.reduce(moments, reduce_op="mean"))

    def _training_sounds(self) -> Iterator[Tensor]:
        """Sounds of an epoch of this process, N x 1 x T."""
        data = getattr(self.trainer, "datamodule", None)
        # A loader of its own: the trainer's may be in use, and yields the batches of a whole step.
        loaders = self.trainer.train_dataloader if data is None else data.train_dataloader()
        for raw in batches_of(loaders):
            moved = self.trainer.strategy.batch_to_device(before_batch_transfer(self, raw), self.device)
            yield self.sounds_in(moved)

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into a ``GameBatch`` of spectrograms, N x 1 x side x side in [-1, 1]."""
        return GameBatch(self.spectrogram(self.sounds_in(raw)))

    def to_sounds(self, made: Tensor) -> Tensor:
        return self.spectrogram.inverse(made.to(torch.float32))
