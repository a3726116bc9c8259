"""The forms of batches that loaders yield, and checks of their images, labels and ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.trainer.module import Module

IMAGES = ("image", "images", "pixel_values", "img")
"""Names of the images in a batch that is a dictionary."""
CONDITIONS = ("label", "labels", "target", "targets", "attributes")
"""Names of the labels in a batch that is a dictionary."""
CAPTIONS = ("tokens", "texts", "text", "captions", "caption")
"""Names of the texts in a batch that is a dictionary."""

_TOP_LEVELS = {torch.uint8: 255, torch.uint16: 65535}
"""The types in which a loader may yield levels, and the level of white."""
_LOWEST_LEVELS = 16.0
"""Images without a negative number that go beyond this are levels, 0 to 255, as floats: no scaling to [0, 1] does."""


# Types of their own: a plain list or dictionary is a batch of one loader, such as [images, labels].
class LoaderBatches(list[Any]):
    """A batch of each of several loaders, in their order."""


class NamedLoaderBatches(dict[Any, Any]):
    """A batch of each of several loaders, by its name."""


def split_batch(raw: Any) -> tuple[Any, Any]:
    """Split a batch into its images and their labels; None if it has no labels.

    Args:
        raw: Images; ``[images]``; ``(images, labels, ...)``, of which what follows the labels is left out; or a
            dictionary of the names above, or with one tensor of images under any name.

    Raises:
        ValueError: It is none of these, or comes from several loaders.
    """
    raw = _of_one_loader(raw, "join their data, DataLoader(ConcatDataset([first, second]), ...), or give one of them.")
    if isinstance(raw, Mapping):
        return raw[_name_of_images(raw)], next((raw[name] for name in CONDITIONS if name in raw), None)
    if isinstance(raw, tuple | list):
        if not raw:
            raise ValueError("The loader yields an empty batch: it must hold images, N x C x H x W.")
        # Further entries, such as indices, are left out; check_first_batch warns of tensors among them.
        return raw[0], raw[1] if len(raw) > 1 else None
    return raw, None


def captions_in(raw: Any, game: str) -> tuple[Any, Any, Tensor | None]:
    """Find the captions of a batch, as tokens or as a list of N texts, the wrong ones, and the images' classes.

    Args:
        raw: A dictionary with ``tokens`` (N x T, 0 is padding) or ``texts``, perhaps with ``wrong_tokens`` or
            ``wrong_texts``, and ``labels``; or a pair of images and one of the first two.
        game: Name of the game, for the error message.

    Raises:
        ValueError: It has none.
    """
    raw = _of_one_loader(raw, "yield each image with its text, from one data set.")
    if isinstance(raw, Mapping):
        found = next((raw[name] for name in CAPTIONS if name in raw), None)
        wrong = next((raw[f"wrong_{name}"] for name in CAPTIONS if f"wrong_{name}" in raw), None)
        labels = raw.get("labels")
    else:
        found = raw[1] if isinstance(raw, tuple | list) and len(raw) > 1 else None
        wrong = labels = None
    if not _are_captions(found):
        raise ValueError(
            f"{game} needs a text for every image, as CaptionedImageDataModule gives them, {{'images': ..., 'tokens': "
            f"N x T integers}}, or {{'images': ..., 'texts': N texts}}, and the loader yields {describe(raw)}."
        )
    if wrong is not None and not _are_captions(wrong):
        raise ValueError(
            f"The wrong texts of the loader's batches must be wrong_texts, N texts, or wrong_tokens, N x T integers as "
            f"{game}'s tokenizer makes them, and are {describe(wrong)}: leave them out, and texts of other images in "
            "the batch are taken."
        )
    return found, wrong, labels


def _are_captions(found: Any) -> bool:
    """Whether these are tokens, N x T, or a list of texts."""
    if isinstance(found, Tensor):
        return found.ndim == 2 and not found.is_floating_point()
    return isinstance(found, tuple | list) and len(found) > 0 and all(isinstance(text, str) for text in found)


def _of_one_loader(raw: Any, advice: str) -> Any:
    """The batch itself, where it does not come from several loaders."""
    while isinstance(raw, LoaderBatches | NamedLoaderBatches):
        if len(raw) > 1:
            raise ValueError(f"The trainer was given {len(raw)} training loaders, and this game takes one: {advice}")
        (raw,) = raw.values() if isinstance(raw, NamedLoaderBatches) else raw
    return raw


def _name_of_images(raw: Mapping[Any, Any]) -> Any:
    known = [name for name in IMAGES if name in raw]
    # A name that is known wins; else the only entry with images, if there is only one.
    found = known or [name for name, value in raw.items() if _has_images(value)]
    if not found or (not known and len(found) > 1):
        raise ValueError(
            f"The loader yields dictionaries of {', '.join(map(str, raw)) or 'nothing'}, and it is not clear which of "
            f"them are the images: call them {', '.join(IMAGES[:-1])} or {IMAGES[-1]}, or say it in the model's "
            "prepare_batch()."
        )
    return found[0]


def image_pair(raw: Any, game: str) -> tuple[Tensor, Tensor]:
    """Split a batch of pairs into target images and input images, each N x C x H x W.

    Raises:
        ValueError: The batch does not begin with two tensors of images, or comes from several loaders.
    """
    # Two loaders that are shuffled apart pair images which have nothing to do with each other.
    raw = _of_one_loader(raw, "yield each pair from one data set, such as StackDataset(targets, inputs).")
    if isinstance(raw, tuple | list) and len(raw) > 1 and all(are_images(part) for part in raw[:2]):
        return raw[0], raw[1]
    raise ValueError(
        f"{game} needs pairs, (image to be made, image given), N x C x H x W each, and the loader yields "
        f"{describe(raw)}."
    )


def clips_in(raw: Any, n_frames: int, game: str) -> Tensor:
    """Find the clips of a batch, N x T x C x H x W: the batch itself, or the first part of a list.

    Args:
        raw: The batch.
        n_frames: Least T.
        game: Name of the game, for the error message.

    Raises:
        ValueError: It has no clips, or they are too short.
    """
    raw = _of_one_loader(raw, "join their data, DataLoader(ConcatDataset([first, second]), ...), or give one of them.")
    clips = raw[0] if isinstance(raw, tuple | list) and raw else raw
    if not isinstance(clips, Tensor) or clips.ndim != 5:
        raise ValueError(
            f"{game} needs clips, N x T x C x H x W, as VideoFolderDataModule gives them, and the loader yields "
            f"{describe(raw)}."
        )
    if clips.shape[1] < n_frames:
        raise ValueError(
            f"{game} needs clips of {n_frames} frames at least, and the loader's have {clips.shape[1]}: raise the "
            "data's n_frames, or n_eval_frames of validation, or lower the model's n_given."
        )
    return clips


def images_of_domains(raw: Any, names: Sequence[str], game: str, source: str) -> dict[str, Tensor]:
    """Split a batch of several domains: the images of each, by the domain's name.

    Args:
        raw: A dictionary by the domain's name, or as many batches as there are domains, in their order. Each is a
            batch as :func:`split_batch` takes it, whose labels are left out.
        names: Of the domains.
        game: Name of the game, for the error message.
        source: Data module that fits, for the error message.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(raw, Mapping) and all(name in raw for name in names):
        parts = [raw[name] for name in names]
    elif isinstance(raw, tuple | list) and len(raw) == len(names):
        parts = [*raw]
    else:
        parts = []
    images = [split_batch(part)[0] for part in parts]
    if not images or not all(are_images(each) for each in images):
        shown = ", ".join(f"{name!r}: ..." for name in names)
        raise ValueError(
            f"{game} needs images of two domains, as {source} gives them, {{{shown}}}, and the loader yields "
            f"{describe(raw)}. Two loaders train it as they are, {{{shown}}}; to validate, join them: "
            f'CombinedLoader({{{shown}}}, "min_size").'
        )
    return dict(zip(names, images, strict=True))


def _has_images(value: Any) -> bool:
    found: list[bool] = []
    apply_to_collection(value, Tensor, lambda part: found.append(are_images(part)))
    return any(found)


def are_images(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def describe(raw: Any) -> str:
    """Describe a batch in a few words, for a message."""
    if isinstance(raw, Tensor):
        return f"{tuple(raw.shape)} of {raw.dtype}"
    if isinstance(raw, Mapping):
        return f"a dictionary of {', '.join(map(str, raw)) or 'nothing'}"
    if isinstance(raw, tuple | list):
        return f"{type(raw).__name__}s of {len(raw)}: {', '.join(describe(part) for part in raw[:4])}"
    return type(raw).__name__


def number_of_examples(raw: Any) -> int:
    """Number of examples in a batch: the length of its first tensor."""
    if isinstance(raw, tuple | list) and raw and isinstance(raw[0], Tensor):
        return len(raw[0])  # Fast path: no traversal of the batch.
    lengths: list[int] = []
    apply_to_collection(raw, Tensor, lambda part: lengths.append(len(part)))
    return lengths[0] if lengths else 0


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
