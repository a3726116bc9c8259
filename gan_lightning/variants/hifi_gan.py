"""HiFi-GAN: the sound of a mel spectrogram."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.sound import SoundGame
from gan_lightning.losses import Terms, feature_map_distance
from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.networks import HiFiGANDiscriminator, HiFiGANGenerator
from gan_lightning.networks.layers.mel import LogMel
from gan_lightning.optimizers import HiFiGANAdamW


class HiFiGAN(
    SoundGame,
    generator_optimizer=HiFiGANAdamW,
    discriminator_optimizer=HiFiGANAdamW,
    ema_decay=None,
):
    """Kong, Kim, Bae, *HiFi-GAN*, NeurIPS 2020, arXiv 2010.05646, equations 1 to 6.

    ``L_D = sum_k E (D_k(x) - 1)^2 + E D_k(G(s))^2`` and ``L_G = sum_k E (D_k(G(s)) - 1)^2 + feature_weight sum_k
    sum_i E |D_k^i(x) - D_k^i(G(s))| + mel_weight E |m(x) - m(G(s))|``, s the mel spectrogram of the sound x itself up
    to ``highest`` Hz, m the one up to half the sample rate, D_k^i the i-th map of discriminator k, the output among
    them. Real features keep their graph in the paper's code; the discriminators rest in that update, so it has no
    effect.

    The learning rate falls by 0.999 an epoch in the paper: ``generator_scheduler`` and ``discriminator_scheduler``,
    such as torch's ``StepLR(step_size=<steps of an epoch>, gamma=0.999)``. Data of ``peak=0.95`` and ``crop=random``
    are the paper's.

    Args:
        n_samples: Length of the crops that it is trained with, a multiple of the generator's hop. The command line
            takes it from the data.
        sample_rate: Samples a second. The command line takes it from the data.
        generator: Makes the generator from the number of mel bands; its attribute ``hop`` is the samples of a frame.
        discriminator: Makes the discriminators, which return their outputs and their maps.
        n_mels: Bands of the spectrograms.
        n_fft: Length of their windows.
        highest: Frequency in Hz up to which the generator is given the sound. None: half the sample rate.
        mel_weight: Weight of the distance of spectrograms, lambda_mel in the paper.
        feature_weight: Weight of feature matching, lambda_fm in the paper.
        adversarial_start: Step from which on there are discriminators: before, the spectrogram's loss is alone.
        **game: Arguments of :class:`~gan_lightning.games.sound.SoundGame`.

    Raises:
        ValueError: The length is no multiple of the hop, or shorter than a window.
    """

    generator: HiFiGANGenerator

    def __init__(
        self,
        n_samples: int = 8192,
        sample_rate: int = 22050,
        generator: Callable[[int], nn.Module] = HiFiGANGenerator,
        discriminator: Callable[[], nn.Module] = HiFiGANDiscriminator,
        n_mels: int = 80,
        n_fft: int = 1024,
        highest: float | None = 8000.0,
        mel_weight: float = 45.0,
        feature_weight: float = 2.0,
        adversarial_start: int = 0,
        **game: Any,
    ) -> None:
        super().__init__(
            generator=resolve(generator)(n_mels),
            discriminator=resolve(discriminator)(),
            n_samples=n_samples,
            sample_rate=sample_rate,
            **game,
        )
        hop = self.generator.hop
        if n_samples % hop or n_samples < n_fft:
            raise ValueError(
                f"n_samples is {n_samples}: it must be a multiple of the generator's hop, {hop} samples, and at least "
                f"a window, n_fft {n_fft}."
            )
        # Speech has little above 8 kHz, and sounds of a lower rate nothing.
        limit = highest if highest is None or highest < sample_rate / 2 else None
        self.given_mel = LogMel(sample_rate, n_mels, n_fft, hop, limit)
        self.loss_mel = LogMel(sample_rate, n_mels, n_fft, hop)
        self.mel_weight = mel_weight
        self.feature_weight = feature_weight
        self.adversarial_start = adversarial_start

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator(self.given_mel(batch.real).to(self.number_type))

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        if self.game_step < self.adversarial_start:
            return {}
        (real, _), (fake, _) = self.discriminator(batch.real), self.discriminator(batch.fake)
        report_accuracies(torch.cat(real, 1), torch.cat(fake, 1), boundary=0.5)
        # Sums over the discriminators: the other weights count on them.
        return {
            "real": torch.stack([(1 - each).square().mean() for each in real]).sum(),
            "fake": torch.stack([each.square().mean() for each in fake]).sum(),
        }

    def generator_loss(self, batch: GameBatch) -> Terms:
        terms = {"mel": self.mel_weight * self.mel_distance(batch.real, batch.fake)}
        if self.game_step < self.adversarial_start:
            return terms
        with torch.no_grad():
            _, wanted = self.discriminator(batch.real)
        outputs, maps = self.discriminator(batch.fake)
        return terms | {
            "adversarial": torch.stack([(1 - each).square().mean() for each in outputs]).sum(),
            "features": self.feature_weight * feature_map_distance(wanted, maps),
        }

    def mel_distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean absolute difference of logarithmic mel spectrograms, a scalar."""
        return (self.loss_mel(real) - self.loss_mel(fake)).abs().mean()

    def resynthesised(self, sounds: Tensor) -> Tensor:
        """Sounds of the spectrograms of sounds, N x 1 x T each; T is any multiple of the hop from ``n_fft`` up."""
        sounds = sounds.to(self.device, self.number_type)
        with evaluating(self.averaged_generator):
            return self.averaged_generator(self.given_mel(sounds).to(self.number_type))

    def examples_of(self, batch: GameBatch) -> Tensor:
        """Resynthesised sounds of a batch, N x 1 x T."""
        return self.resynthesised(batch.real)

    def forward(self, mels: Tensor) -> Tensor:
        """Sounds (N x 1 x T) of logarithmic mel spectrograms (N x B x T / hop)."""
        with evaluating(self.averaged_generator):
            return self.averaged_generator(mels)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the unweighted distance of spectrograms of held-out sounds, as ``val/mel_distance``."""
        super().validation_step(batch, batch_idx, dataloader_idx)
        real = self.prepare_batch(batch).real
        distance = self.mel_distance(real, self.resynthesised(real))
        self.log("val/mel_distance", distance, batch_size=len(real), sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Resynthesised sounds of a batch, N x 1 x T."""
        return self.resynthesised(self.prepare_batch(batch).real)
