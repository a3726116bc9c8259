"""Checks of what loaders yield: classes, tokens, attributes, and the range of images, which are scaled to [-1, 1]."""

from __future__ import annotations

from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.trainer.loader_batches import LoaderBatches, describe
from gan_lightning.trainer.module import Module

_TOP_LEVELS = {torch.uint8: 255, torch.uint16: 65535}
"""The types in which a loader may yield levels, and the level of white."""
_LOWEST_LEVELS = 16.0
"""Images without a negative number that go beyond this are levels, 0 to 255, as floats: no scaling to [0, 1] does."""


def find_float_images(value: Any) -> list[Tensor]:
    """Find the tensors of a batch that may be images: floats, N x C x H x W, of more than one pixel."""
    found: list[Tensor] = []
    apply_to_collection(value, Tensor, found.append)
    return [each for each in found if each.is_floating_point() and each.ndim == 4 and each[0, 0].numel() > 1]


def are_masks(images: Tensor) -> bool:
    """Whether images hold only 0 and 1, such as a segmentation map. Synchronises with the device."""
    return bool(((images == 0) | (images == 1)).all())


def unused_tensors(raw: Any) -> list[Tensor]:
    """Tensors of a batch after the first two entries, which no game reads."""
    is_long = isinstance(raw, tuple | list) and not isinstance(raw, LoaderBatches)
    return [part for part in raw[2:] if isinstance(part, Tensor)] if is_long else []


def check_labels(labels: Tensor, classes: int, who: str = "the model") -> None:
    """Check that labels are classes, 0 to ``classes - 1``. Synchronises with the device.

    Args:
        labels: Integers of any shape.
        classes: Number of classes.
        who: What was made for these classes, for the error message.

    Raises:
        ValueError: Some are not.
    """
    # An empty tensor has no least and no greatest label, and aminmax() raises.
    if labels.numel() == 0:
        return
    low, high = (int(end) for end in labels.long().aminmax())
    if not 0 <= low <= high < classes:
        span = f"labels up to {high}" if low >= 0 else f"labels from {low} to {high}"
        raise ValueError(
            f"The data has {span}, but {who} was made for {classes} classes, 0 to {classes - 1}: change num_classes, "
            "or the labels."
        )


def check_tokens(tokens: Tensor, n_tokens: int) -> None:
    """Check that tokens are 0 to ``n_tokens - 1``. Synchronises with the device.

    Raises:
        ValueError: Some are not.
    """
    low, high = (int(end) for end in tokens.aminmax()) if tokens.numel() else (0, 0)
    if not 0 <= low <= high < n_tokens:
        raise ValueError(
            f"The data has tokens from {low} to {high}, but the model's tokenizer has {n_tokens}, 0 to {n_tokens - 1}: "
            "train with the data whose captions the tokenizer was made of, or give the data its tokenizer."
        )


def check_attributes(labels: Tensor) -> None:
    """Check that attributes, N x A, lie in [0, 1]. Synchronises with the device.

    Raises:
        ValueError: Some are not, as in CelebA's own files, where -1 stands for no.
    """
    if labels.numel() == 0:
        return
    low, high = (float(end) for end in labels.float().aminmax())
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"The data has attributes from {low:g} to {high:g}, and 0 stands for no and 1 for yes: change them, such "
            "as (attributes > 0)."
        )


def has_levels(raw: Any) -> bool:
    """Whether a batch holds images of uint8 or uint16, which the game scales to [-1, 1] itself."""
    found: list[bool] = []
    # More than two dimensions: labels may be uint8 as well.
    apply_to_collection(raw, Tensor, lambda part: found.append(part.dtype in _TOP_LEVELS and part.ndim > 2))
    return any(found)


def check_range(images: Tensor) -> None:
    """Check that images lie in [-1, 1]; warn if they are near it. Synchronises with the device.

    Args:
        images: N x C x H x W, float.

    Raises:
        ValueError: They hold NaN or infinity, or are levels, 0 to 255.
    """
    if images.numel() == 0:
        return
    low, high = (float(end) for end in images.detach().aminmax())
    # NaN compares false with everything, so the question is asked the other way round.
    if not abs(low) + abs(high) < float("inf"):
        raise ValueError("The loader's images hold NaN or infinity: look at what reads or transforms them.")
    if low >= 0 and high > _LOWEST_LEVELS:
        raise ValueError(
            f"The loader's images are floats from {low:g} to {high:g}, and a game plays in [-1, 1]: hand them over as "
            "uint8, or scale them, images / 127.5 - 1."
        )
    span = f"The loader's images are floats from {low:.3g} to {high:.3g}, and a game plays in [-1, 1]"
    if low >= 0 and 0 < high <= 1:
        rank_zero_warn(
            f"{span}: after ToTensor(), which makes [0, 1], put Normalize((0.5,), (0.5,)), or hand them over as uint8. "
            "If they merely have no dark pixel, all is well."
        )
    # Some slack: interpolation overshoots at edges.
    elif not -1.1 <= low <= high <= 1.1:
        rank_zero_warn(
            f"{span}, which is where most generators end: scale them by Normalize((0.5,), (0.5,)), or hand them over "
            "as uint8. A model whose data have another range says so in its check_range()."
        )


class ChecksImages(Module):
    """A module that scales images to [-1, 1] and checks the range of the first batch.

    Attributes:
        number_type: Dtype of the images within a step.
    """

    number_type: torch.dtype

    def __init__(self) -> None:
        super().__init__()
        self._checked_modes: set[bool] = set()

    def scaled(self, images: Tensor) -> Tensor:
        """Convert images to the dtype of the networks: uint8 and uint16 become [-1, 1], floats keep their range.

        Raises:
            ValueError: They are neither uint8, uint16 nor floats.
        """
        if not isinstance(images, Tensor) or not (images.dtype in _TOP_LEVELS or images.is_floating_point()):
            raise ValueError(
                f"{type(self).__name__} needs images, N x C x H x W, uint8, uint16 or floats in [-1, 1], and the "
                f"loader yields {describe(images)}."
            )
        if images.dtype in _TOP_LEVELS:
            # In float32, rounded once at the end: in bfloat16 both operations would round.
            half = _TOP_LEVELS[images.dtype] / 2
            images = images.to(torch.promote_types(self.number_type, torch.float32)) / half - 1
        return images.to(self.number_type)

    def check_next_batch(self) -> None:
        """Check the next batch again, in training and in validation."""
        self._checked_modes.clear()

    def check_first_batch(self, raw: Any, real: Any, condition: Any = None) -> None:
        """Check the range of images once in training and once in validation.

        A check of every batch would synchronise with the device in every step.

        Args:
            raw: The batch as the loader yields it.
            real: The images in it.
            condition: Labels, or images, which may be masks of 0 and 1.
        """
        # Once each in training and validation, whose loaders may differ in their transforms.
        if self.training in self._checked_modes:
            return
        self._checked_modes.add(self.training)
        if rest := unused_tensors(raw):
            rank_zero_warn(
                f"The loader yields {describe(raw)}, of which {type(self).__name__} reads the first two at most: "
                f"{len(rest)} of them {'is' if len(rest) == 1 else 'are'} left out."
            )
        if not has_levels(raw):  # The game scales these itself.
            for each in (
                *find_float_images(real),
                *(given for given in find_float_images(condition) if not are_masks(given)),
            ):
                self.check_range(each)

    def labels_are_checked(self, labels: Tensor) -> bool:
        """Whether labels are checked: always on the CPU, elsewhere only in the first batch, to avoid synchronising."""
        return labels.device.type == "cpu" or self.training not in self._checked_modes

    def check_range(self, images: Tensor) -> None:
        """Check that the images of a first batch lie in [-1, 1]. Override it for data of another range.

        Args:
            images: N x C x H x W, float.

        Raises:
            ValueError: They hold NaN, or are 0 to 255.
        """
        check_range(images)
