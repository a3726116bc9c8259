"""Games of sounds: real and fake sounds, N x 1 x T, and samples of latents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.predicting import PredictsSamples
from gan_lightning.games.randomness import indexed_uniform
from gan_lightning.trainer.loader_batches import describe, split_batch
from gan_lightning.visualization.sounds import Sound


class SoundGame(AdversarialModule):
    """A game of sounds of one channel and one length.

    The loader yields sounds, N x 1 x T or N x T, int16 or floats in [-1, 1], perhaps with labels, which are left out.

    Args:
        generator: Network that makes the fakes.
        discriminator: Network that judges them.
        n_samples: Length of a sound, T. The command line takes it from the data.
        sample_rate: Samples a second. The command line takes it from the data.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        n_samples: int = 16384,
        sample_rate: int = 16000,
        **game: Any,
    ) -> None:
        if n_samples < 1 or sample_rate < 1:
            raise ValueError(f"n_samples is {n_samples} and sample_rate {sample_rate}: both must be at least 1.")
        super().__init__(generator=generator, discriminator=discriminator, **game)
        if self.augmentation is not None:
            raise ValueError(
                f"augmentation is {type(self.augmentation).__name__}, which transforms images: {type(self).__name__} "
                "makes sounds, so leave it out."
            )
        self.n_samples = n_samples
        self.sample_rate = sample_rate

    @property
    def medium(self) -> Sound:
        """What samples are as files."""
        return Sound(self.sample_rate)

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into a ``GameBatch`` of sounds, N x 1 x T in [-1, 1]."""
        return GameBatch(self.sounds_in(raw))

    def sounds_in(self, raw: Any) -> Tensor:
        """Sounds of a loader's batch, N x 1 x T, floats in [-1, 1].

        Raises:
            ValueError: There are none, or they have another length than those that the game was made for.
        """
        sounds, _ = split_batch(raw)
        known = isinstance(sounds, Tensor) and (sounds.dtype == torch.int16 or sounds.is_floating_point())
        if not known or sounds.ndim not in (2, 3) or (sounds.ndim == 3 and sounds.shape[1] != 1):
            raise ValueError(
                f"{type(self).__name__} needs sounds of one channel, N x 1 x T, int16 or floats in [-1, 1], as "
                f"SoundFolderDataModule gives them, and the loader yields {describe(raw)}."
            )
        if sounds.shape[-1] != self.n_samples:
            raise ValueError(
                f"The data has sounds of {sounds.shape[-1]} samples, but the model was made for {self.n_samples}: "
                "change the data's or the model's n_samples."
            )
        sounds = sounds.view(len(sounds), 1, -1)
        # 32768 and not 32767, as the authors of WaveGAN: both ways of a file are then exact.
        sounds = sounds.to(torch.float32) / 32768 if sounds.dtype == torch.int16 else sounds
        return sounds.to(self.number_type)

    def check_first_batch(self, raw: Any, real: Any, condition: Any = None) -> None:
        if self.training in self._checked_modes:
            return
        self._checked_modes.add(self.training)
        sounds, _ = split_batch(raw)
        # int16 has no other range; reading floats synchronises with the device, once.
        if sounds.is_floating_point():
            self.check_range(sounds)

    def check_range(self, images: Tensor) -> None:
        """Check that the sounds of a first batch lie in [-1, 1].

        Args:
            images: The sounds, N x 1 x T or N x T.

        Raises:
            ValueError: They hold NaN or infinity, or go beyond twice the range.
        """
        loudest = float(images.abs().max()) if images.numel() else 0.0
        # NaN compares false with everything.
        if not loudest <= 2:
            raise ValueError(
                f"The loader's sounds go up to {loudest:g}, and a game plays in [-1, 1]: hand them over as int16, or "
                "scale them, sounds / 32768."
            )


class LatentSoundGame(PredictsSamples, SoundGame):
    """A game whose generator maps a latent vector, uniform in [-1, 1], to a sound.

    Args:
        generator: Network from latents, N x latent_dim, to what the discriminator judges.
        discriminator: Network that judges it.
        latent_dim: Length of the latent vector.
        **game: Arguments of :class:`SoundGame`.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent_dim: int = 100, **game: Any) -> None:
        super().__init__(generator=generator, discriminator=discriminator, **game)
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: it must be at least 1.")
        self.latent_dim = latent_dim

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        latent = torch.rand(len(batch.examples), self.latent_dim, device=self.device, dtype=batch.examples.dtype)
        return replace(batch, latent=2 * latent - 1)

    def indexed_latents(self, start: int, stop: int, seed: int) -> Tensor:
        """Latents ``start`` to ``stop - 1`` of the sequence given by ``seed``, N x latent_dim on the CPU."""
        return 2 * indexed_uniform(start, stop, self.latent_dim, seed) - 1

    def sample(self, n: int, seed: int = 0, start: int = 0, batch_size: int = 64) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, up to rounding that depends on the batch size.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.

        Returns:
            n x 1 x T on the model's device, in [-1, 1].
        """
        return self.render(self.indexed_latents(start, start + n, seed), batch_size)

    def render(self, latents: Tensor, batch_size: int = 64) -> Tensor:
        """Make the sounds of latents, N x latent_dim, in batches: N x 1 x T on the model's device."""
        sounds = [torch.empty(0, 1, self.n_samples, device=self.device)]
        with evaluating(self.averaged_generator):
            for some in latents.split(batch_size):
                made = self.averaged_generator(some.to(self.device, self.number_type))
                sounds.append(self.to_sounds(made).to(sounds[0].dtype))
        return torch.cat(sounds)

    def to_sounds(self, made: Tensor) -> Tensor:
        """Turn what the generator makes into sounds, N x 1 x T in [-1, 1]; a game of spectrograms overrides it."""
        return made

    def forward(self, latent: Tensor) -> Tensor:
        """Sounds (N x 1 x T, in [-1, 1]) of latent vectors (N x latent_dim)."""
        return self.render(latent)
