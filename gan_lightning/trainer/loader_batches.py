"""The forms of batches that loaders yield: images, labels, texts, pairs, clips and domains in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

IMAGES = ("image", "images", "pixel_values", "img")
"""Names of the images in a batch that is a dictionary."""
CONDITIONS = ("label", "labels", "target", "targets", "attributes")
"""Names of the labels in a batch that is a dictionary."""
CAPTIONS = ("tokens", "texts", "text", "captions", "caption")
"""Names of the texts in a batch that is a dictionary."""


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


def tokens_in(raw: Any, game: str) -> Any:
    """Find the sequences of a batch: tokens, N x T, or a list of N texts.

    Args:
        raw: These; a list that holds only them; or a dictionary with one of the names in ``CAPTIONS``.
        game: Name of the game, for the error message.

    Raises:
        ValueError: It has none.
    """
    raw = _of_one_loader(raw, "join their data, DataLoader(ConcatDataset([first, second]), ...), or give one of them.")
    found = raw
    if isinstance(raw, Mapping):
        found = next((raw[name] for name in CAPTIONS if name in raw), None)
    elif isinstance(raw, tuple | list) and raw and isinstance(raw[0], Tensor):
        found = raw[0]
    if not _are_captions(found):
        raise ValueError(
            f"{game} needs sequences of tokens, N x T integers, or N texts, as TextLinesDataModule gives them, and the "
            f"loader yields {describe(raw)}."
        )
    return found


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
