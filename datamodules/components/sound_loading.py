"""Batches of crops of sounds, in an order and at places that are functions of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.components.loading import Batch, EpochLoader, EpochOrder
from datamodules.components.sound_cache import PackedSounds

Crop = Literal["start", "random", "pieces"]


class SoundCrops:
    """Crops of one length of some of the packed sounds, an ``ImageSource``; short sounds end in zeros.

    Args:
        packed: All sounds.
        files: Indices of the files to take, none of them broken.
        n_samples: Length of a crop.
        crop: Where crops lie, see ``SoundFolderDataModule``.
        labels: The class of each file in ``files``, int64; None: there are no classes.
    """

    def __init__(
        self, packed: PackedSounds, files: NDArray[np.int64], n_samples: int, crop: Crop, labels: Tensor | None
    ) -> None:
        self.samples = packed.samples
        self.n_samples = n_samples
        lengths, starts = packed.lengths[files], packed.starts[files]
        counts = -(-lengths // n_samples) if crop == "pieces" else np.ones(len(files), np.int64)
        # Of each crop its file's number in ``files``, and which piece of the file it is.
        self.owner = np.repeat(np.arange(len(files)), counts)
        piece = np.arange(len(self.owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        last = np.maximum(lengths - n_samples, 0)[self.owner]
        # Where a crop begins in its sound: without chances, and at the earliest and the latest with them.
        self.place = np.minimum(piece * n_samples, last)
        reach = {"start": 0, "random": int(last.max(initial=0)), "pieces": n_samples // 2}[crop]
        self.earliest = np.clip(piece * n_samples - reach, 0, last)
        self.latest = np.clip(piece * n_samples + reach, 0, last)
        self.begins, self.ends = starts[self.owner], (starts + lengths)[self.owner]
        self.labels = None if labels is None else labels[torch.from_numpy(self.owner)]

    def __len__(self) -> int:
        return len(self.owner)

    def sounds(self, indices: NDArray[np.int64], chances: NDArray[np.float64] | None = None) -> Tensor:
        """Crops, int16, n x 1 x T; with ``chances``, n numbers in [0, 1), at random places."""
        places = self.place[indices]
        if chances is not None:
            earliest, latest = self.earliest[indices], self.latest[indices]
            places = earliest + (chances * (latest - earliest + 1)).astype(np.int64)
        crops = np.zeros((len(indices), 1, self.n_samples), np.int16)
        begins = self.begins[indices] + places
        ends = np.minimum(begins + self.n_samples, self.ends[indices])
        for row, begin, end in zip(crops[:, 0], begins.tolist(), ends.tolist(), strict=True):
            row[: end - begin] = self.samples[begin:end]
        return torch.from_numpy(crops)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for indices in batches:
            yield self.sounds(indices.numpy())


class SoundLoader(EpochLoader):
    """Batches of crops, ``(sounds, labels)`` or, where there are no classes, ``sounds``: int16, n x 1 x T.

    Args:
        source: The crops.
        sampler: As in ``EpochLoader``.
        batch_size: As in ``EpochLoader``.
        training: Crops at random places, and no last batch smaller than batch_size.
        pin_memory: As in ``EpochLoader``.
    """

    source: SoundCrops

    def __init__(
        self, source: SoundCrops, sampler: EpochOrder, batch_size: int, training: bool, pin_memory: bool
    ) -> None:
        super().__init__(source, sampler, batch_size, training, pin_memory)
        self.training = training

    def batches(self, todo: slice) -> Iterator[Batch]:
        indices = self.sampler.indices().split(self.batch_size)[todo]
        # Drawn with the order, so that a resumed epoch repeats them.
        chances = self.sampler.chances(1)[:, 0].split(self.batch_size)[todo]
        labels = self.source.labels
        for chosen, drawn in zip(indices, chances, strict=True):
            sounds = self.source.sounds(chosen.numpy(), drawn.numpy() if self.training else None)
            yield sounds if labels is None else (sounds, labels[chosen])
