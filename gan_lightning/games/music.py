"""Games of music: bars of piano rolls, and pieces made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.components.midi import N_PITCHES
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.predicting import PredictsSamples
from gan_lightning.games.randomness import indexed_normal
from gan_lightning.trainer.loader_batches import describe
from gan_lightning.visualization.scores import Score

BarShape = tuple[int, int, int]

_BEATS = 4


class MusicGame(PredictsSamples, AdversarialModule):
    """A game of bars of piano rolls, whose samples are pieces of ``n_bars`` bars.

    The loader yields dictionaries, as ``ChoralesDataModule`` and ``MidiFolderDataModule`` do: ``bars``, N x V x T x P,
    uint8; ``before``, the bars before them; ``chords``, N x 13. In a batch ``real`` are the bars, -1 where nothing
    sounds and 1 where a note does, and ``condition`` is a dictionary of the other two. A variant has :meth:`compose`.

    Args:
        generator: Network that makes bars.
        discriminator: Network that judges them.
        image_shape: Voices, steps and pitches of a bar. The command line takes it from the data.
        latent_dim: Length of the latent vector of a bar.
        n_bars: Bars of a sample.
        lowest_pitch: MIDI's number of the lowest pitch.
        tempo: Quarter notes a minute of the samples' files.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        image_shape: BarShape = (1, 16, 128),
        latent_dim: int = 100,
        n_bars: int = 8,
        lowest_pitch: int = 0,
        tempo: float = 90.0,
        **game: Any,
    ) -> None:
        voices, steps, pitches = image_shape
        if steps % _BEATS:
            raise ValueError(f"image_shape is {tuple(image_shape)}: a bar of four beats has 4, 8, 12, ... steps.")
        if not 0 <= lowest_pitch <= N_PITCHES - pitches:
            raise ValueError(
                f"lowest_pitch is {lowest_pitch}: it must be 0 to {N_PITCHES - pitches}, for {pitches} pitches are "
                f"taken from it up, and MIDI has {N_PITCHES}."
            )
        if not 10 <= tempo <= 1000:
            raise ValueError(f"tempo is {tempo:g}: it must be 10 to 1000 quarter notes a minute.")
        super().__init__(generator=generator, discriminator=discriminator, **game)
        self.image_shape = (voices, steps, pitches)
        self.latent_dim = latent_dim
        self.n_bars = n_bars
        self.lowest_pitch = lowest_pitch
        self.tempo = tempo

    @property
    def medium(self) -> Score:
        """What samples are as files."""
        return Score(self.lowest_pitch, self.image_shape[1] // _BEATS, self.tempo)

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into bars with the bars before and their chords."""
        names = ("bars", "before", "chords")
        if not isinstance(raw, Mapping) or any(not isinstance(raw.get(name), Tensor) for name in names):
            raise ValueError(
                f"{type(self).__name__} needs bars, the bars before and chords, as ChoralesDataModule gives them, "
                f"{{'bars': ..., 'before': ..., 'chords': ...}}, and the loader yields {describe(raw)}."
            )
        if raw["bars"].shape[1:] != self.image_shape or raw["before"].shape != raw["bars"].shape:
            raise ValueError(
                f"The data has bars of {' x '.join(map(str, raw['bars'].shape[1:]))}, but the model was made for "
                f"{' x '.join(map(str, self.image_shape))} (voices x steps x pitches): change the data's options or "
                "the model's image_shape."
            )
        given = {"before": self.scaled(raw["before"]), "chords": raw["chords"].to(self.number_type)}
        return GameBatch(self.scaled(raw["bars"]), given)

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        latent = torch.randn(len(batch.real), self.latent_dim, device=self.device, dtype=batch.real.dtype)
        return replace(batch, latent=latent)

    def indexed_latents(self, start: int, stop: int, seed: int) -> Tensor:
        """Latents of samples ``start`` to ``stop - 1`` of the sequence given by ``seed``: N x n_bars x latent_dim."""
        latents = indexed_normal(start * self.n_bars, stop * self.n_bars, self.latent_dim, seed)
        return (
            latents.unflatten(0, (-1, self.n_bars)) if len(latents) else latents.view(0, self.n_bars, self.latent_dim)
        )

    @abstractmethod
    def compose(self, latents: Tensor) -> Tensor:
        """Make pieces by the averaged generator, which is in evaluation mode.

        Args:
            latents: N x n_bars x latent_dim.

        Returns:
            N x V x (n_bars T) x P, -1 or 1.
        """

    def sample(self, n: int, seed: int = 0, start: int = 0, batch_size: int = 64) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, up to rounding that depends on the batch size.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.

        Returns:
            n x V x (n_bars T) x P on the model's device, -1 or 1.
        """
        return self(self.indexed_latents(start, start + n, seed), batch_size)

    def forward(self, latents: Tensor, batch_size: int = 64) -> Tensor:
        """Pieces, N x V x (n_bars T) x P, -1 or 1, of latents, N x n_bars x latent_dim."""
        voices, steps, pitches = self.image_shape
        pieces = [torch.empty(0, voices, self.n_bars * steps, pitches, device=self.device)]
        with evaluating(self.averaged_generator):
            for some in latents.split(batch_size):
                pieces.append(self.compose(some.to(self.device, self.number_type)).float())
        return torch.cat(pieces)

    def bars_of(self, pieces: Tensor) -> Tensor:
        """Cut pieces, N x V x (B T) x P, into bars of what sounds, bool, (N B) x V x T x P."""
        return (pieces > 0).unflatten(2, (-1, self.image_shape[1])).transpose(1, 2).flatten(0, 1)


def highest_activation(bars: Tensor) -> Tensor:
    """Keep the pitch of the highest activation of each voice and step: N x V x T x P to -1 and 1."""
    only = torch.full_like(bars, -1)
    return only.scatter_(-1, bars.argmax(dim=-1, keepdim=True), 1)
