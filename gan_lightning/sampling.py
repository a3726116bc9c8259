"""From a checkpoint to images, with no dataset and no trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from gan_lightning.game import AdversarialModule
from gan_lightning.loading import CheckpointError as CheckpointError
from gan_lightning.loading import load as load
from gan_lightning.loading import read_checkpoint as read_checkpoint


def check_labels(model: AdversarialModule, labels: Sequence[int]) -> None:
    """Refuse labels that the model's samples cannot have.

    Raises:
        ValueError: The model knows no classes, or not these.
    """
    num_classes = getattr(model, "num_classes", None)
    if num_classes is None:
        raise ValueError(f"{type(model).__name__} was not told any classes, so its samples cannot be chosen by label.")
    for label in labels:
        if not 0 <= label < num_classes:
            raise ValueError(f"There is no label {label}: this {type(model).__name__} has 0 to {num_classes - 1}.")


def generate(
    model: AdversarialModule, n: int, seed: int = 0, batch_size: int = 64, labels: Sequence[int] | None = None
) -> Iterator[Tensor]:
    """Samples 0 to ``n - 1`` of the sequence that ``seed`` names, in batches.

    Args:
        model: The game.
        n: How many.
        seed: Which sequence.
        batch_size: Made at a time.
        labels: The classes of the samples, repeated as often as it takes. None: as the model likes.

    Yields:
        At most ``batch_size`` x C x H x W images in [-1, 1], on the model's device.
    """
    chosen = {} if labels is None else {"labels": labels}
    for start in range(0, n, batch_size):
        yield model.sample(min(batch_size, n - start), seed=seed, start=start, **chosen)  # type: ignore[operator]
