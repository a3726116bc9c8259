"""Semi-supervised training: images of which only a few have labels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.components.loading import Batch, BatchLoader, EpochOrder, ImageSource

_REPEATS_STREAM, _CHOICE_STREAM = 2, 3


def choose_labelled(labels: Tensor, n_labels: int, num_classes: int, seed: int, location: str) -> Tensor:
    """Which images keep their label: equally many of each class, drawn at random by the seed.

    Args:
        labels: Int64, (N,).
        n_labels: How many labels are kept.
        num_classes: Labels are 0 ... num_classes - 1.
        seed: At least 0.
        location: Where the images are, for the message.

    Returns:
        Their indices, sorted, int64, (n_labels,).

    Raises:
        ValueError: N_labels is no multiple of num_classes, or a class has too few images.
    """
    # Equally many of each class
    each, rest = divmod(n_labels, num_classes)
    if each < 1 or rest:
        raise ValueError(
            f"n_labels is {n_labels}: it must be a multiple of the {num_classes} classes, at least one each."
        )
    # Stratified, as in the paper: of 100 labels drawn freely some digits would have few.
    fewest = int(torch.bincount(labels, minlength=num_classes).min())
    if each > fewest:
        raise ValueError(
            f"n_labels is {n_labels}, {each} of each class, but {location} has a class of {fewest} training images: "
            f"it must be at most {fewest * num_classes}."
        )
    # By the seed and no epoch: the choice is the same for the whole run.
    draws = np.random.default_rng((seed, 0, _CHOICE_STREAM))
    chosen = [draws.permutation((labels == label).nonzero().flatten().numpy())[:each] for label in range(num_classes)]
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


class RepeatedOrder(EpochOrder):
    """Order that repeats a few images, reshuffled each time, up to the length of an epoch.

    Args:
        chosen: Their indices, int64.
        order: That of the others, whose seed and processes it shares.
    """

    def __init__(self, chosen: Tensor, order: EpochOrder) -> None:
        super().__init__(order.size, True, order.seed, order.rank, order.world_size)
        self.chosen = chosen

    def indices(self) -> Tensor:
        draws = self._draws(_REPEATS_STREAM)
        # ceil(size / n_labels) permutations
        permutations = [draws.permutation(self.chosen.numpy()) for _ in range(-(-self.size // len(self.chosen)))]
        return self._share(np.concatenate(permutations)[: self.size])


class PartlyLabelledLoader(BatchLoader):
    """Batches of unlabelled images with equally many labelled ones, the few of them repeated.

    Iterating yields dictionaries of ``images`` and ``labelled``, uint8, contiguous, n x C x H x W, and ``labels``,
    int64, (n,), of the latter. The labelled images are among the others too.

    Args:
        source: As in ``BatchLoader``, with labels.
        sampler: As in ``BatchLoader``.
        labelled: Indices of the images that keep their label.
        arguments: As in ``BatchLoader``.
    """

    def __init__(self, source: ImageSource, sampler: EpochOrder, labelled: Tensor, *arguments: Any) -> None:
        super().__init__(source, sampler, *arguments)
        self.labelled = BatchLoader(source, RepeatedOrder(labelled, sampler), *arguments)

    def batches(self, todo: slice) -> Iterator[Batch]:
        # Lightning knows of the outer loader's sampler only.
        self.labelled.sampler.set_epoch(self.sampler.epoch)
        for unlabelled, labelled in zip(super().batches(todo), self.labelled.batches(todo), strict=True):
            assert isinstance(unlabelled, tuple)
            assert isinstance(labelled, tuple)
            yield {"images": unlabelled[0], "labelled": labelled[0], "labels": labelled[1]}
