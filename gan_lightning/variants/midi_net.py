"""MidiNet: bars of a melody from noise, the chord and the bar before."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.components.scores import CHORD_DIM, chord_named
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.music import BarShape, MusicGame, highest_activation
from gan_lightning.losses import Terms, feature_matching, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import MidiNetDiscriminator, MidiNetGenerator
from gan_lightning.optimizers import MidiNetAdam
from gan_lightning.variants.feature_matching_gan import with_joint_mean

MidiGeneratorFactory = Callable[[BarShape, int, int], nn.Module]
MidiDiscriminatorFactory = Callable[[BarShape, int], nn.Module]


class MidiNet(MusicGame, generator_optimizer=MidiNetAdam, discriminator_optimizer=MidiNetAdam):
    """Yang, Chou, Yang, *MidiNet: A Convolutional Generative Adversarial Network for Symbolic-domain Music Generation*,
    ISMIR 2017, arXiv 1703.10847, equations 1 to 3.

    With bars x, chords y and the bar before b: ``L_D = BCE(D(x, y), .9) + BCE(D(G(z, y, b), y), 0)`` and
    ``L_G = BCE(D(G), 1) + feature_weight / 2 ||E f(x) - E f(G)||^2 + bar_weight / 2 ||E x - E G||^2``, f the maps of
    D's first convolution. The norms are sums, of means over the batch, as in the authors' code, whose bars are 0 and 1.

    The generator is updated twice for each update of the discriminator. Here a step is one update of the generator, and
    the discriminator's comes at every ``discriminator_interval``-th. Departure: its two updates have bars and noise of
    their own, where the authors' code repeats them.

    Samples are made bar by bar, each from the one before as it is written: the pitch of the highest activation at every
    step, so that there are no rests.

    Args:
        image_shape: Voices, steps and pitches of a bar. The command line takes it from the data.
        latent_dim: Length of the noise.
        chord_dim: 13: bars have chords; 0: chords are left out.
        generator: Makes the generator from the shape of a bar and the lengths of noise and chord.
        discriminator: Makes the discriminator from the shape of a bar and the length of a chord.
        progression: Chords of the bars of a sample, in turn, such as ``C``, ``F#`` or ``Am``.
        feature_weight: Weight of the distance between features.
        bar_weight: Weight of the distance between bars.
        real_target: Target of the real bars' probability; below 1: one-sided label smoothing.
        discriminator_interval: Updates of the generator for each of the discriminator.

    Raises:
        ValueError: An argument is out of its range.
    """

    progression: Tensor

    def __init__(
        self,
        image_shape: BarShape = (1, 16, 128),
        latent_dim: int = 100,
        chord_dim: int = CHORD_DIM,
        generator: MidiGeneratorFactory = MidiNetGenerator,
        discriminator: MidiDiscriminatorFactory = MidiNetDiscriminator,
        progression: Sequence[str] = ("C", "G", "Am", "F"),
        feature_weight: float = 0.1,
        bar_weight: float = 0.01,
        real_target: float = 0.9,
        discriminator_interval: int = 2,
        **game: Any,
    ) -> None:
        if chord_dim not in (0, CHORD_DIM):
            raise ValueError(f"chord_dim is {chord_dim}: it must be {CHORD_DIM}, or 0 for bars without chords.")
        if not progression:
            raise ValueError("progression is empty: name a chord at least, such as C.")
        named = torch.stack([chord_named(name) for name in progression])
        super().__init__(
            resolve(generator)(image_shape, latent_dim, chord_dim),
            resolve(discriminator)(image_shape, chord_dim),
            image_shape,
            latent_dim,
            **game,
        )
        self.chord_dim = chord_dim
        # Not in checkpoints: they hold the names.
        self.register_buffer("progression", named[:, :chord_dim], persistent=False)
        self.feature_weight = feature_weight
        self.bar_weight = bar_weight
        self.real_target = real_target
        self.discriminator_interval = discriminator_interval

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator(batch.latent, batch.condition["before"], self._chords(batch))

    def _chords(self, batch: GameBatch) -> Tensor:
        return batch.condition["chords"][:, : self.chord_dim]

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # At the last of each round, so that steps of round numbers, which are logged, have an update.
        if (self.game_step + 1) % self.discriminator_interval:
            return {}
        chords = self._chords(batch)
        real, fake = (self.discriminator(bars, chords)[0] for bars in (batch.real, batch.fake))
        return minimax_discriminator(real, fake, self.real_target)

    def generator_loss(self, batch: GameBatch) -> Terms:
        chords = self._chords(batch)
        logits, fake = self.discriminator(batch.fake, chords)
        with torch.no_grad():
            _, real = self.discriminator(batch.real, chords)
        return {
            **non_saturating_generator(logits),
            "features": self.feature_weight / 2 * _distance_of_means(real, fake),
            # From [-1, 1] to [0, 1], in which the weight is meant.
            "bars": self.bar_weight / 2 * _distance_of_means((batch.real + 1) / 2, (batch.fake + 1) / 2),
        }

    def compose(self, latents: Tensor) -> Tensor:
        n, n_bars = latents.shape[:2]
        bar = torch.full((n, *self.image_shape), -1.0, device=latents.device, dtype=latents.dtype)
        bars = []
        for number in range(n_bars):
            chord = self.progression[number % len(self.progression)].to(latents.dtype).expand(n, -1)
            bar = highest_activation(self.averaged_generator(latents[:, number], bar, chord))
            bars.append(bar)
        return torch.cat(bars, dim=2)


def _distance_of_means(real: Tensor, fake: Tensor) -> Tensor:
    """Squared distance between means over the batches of all processes, summed over all else."""
    return feature_matching(with_joint_mean(real.flatten(1)), with_joint_mean(fake.flatten(1)))
