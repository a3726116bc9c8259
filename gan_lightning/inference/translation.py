"""Translation of image files by a loaded model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import torch
from PIL import UnidentifiedImageError
from torch import Tensor

from datamodules.components.decoding import FORMATS, read_pixels
from datamodules.components.files import reason
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.hints import Hint
from gan_lightning.games.translation import AttributeEdits, TranslationGame
from gan_lightning.inference.weight_path import WeightPath


class ImageError(ValueError):
    """An image cannot be translated. The message is a sentence for the user."""


class Column(NamedTuple):
    """A translation in a picture of several.

    Attributes:
        caption: Its name in the picture.
        attributes: As in :func:`translate`.
        strength: As in :meth:`~gan_lightning.games.translation.TranslationGame.translate`, or on a path of weights.
    """

    caption: str
    attributes: AttributeEdits
    strength: float | None = None


def check_translation(
    model: AdversarialModule,
    direction: str | None = None,
    attributes: AttributeEdits | None = None,
    guidance: Collection[str] = (),
) -> TranslationGame:
    """Refuse a model that translates no images, and directions, attributes and guidance that it does not have.

    Args:
        model: A game.
        direction: As in :func:`translate`.
        attributes: As in :func:`translate`.
        guidance: Which of hints and reference are given.

    Returns:
        The model.

    Raises:
        ValueError: It translates no images, has no such direction or attribute, or takes no such guidance.
    """
    if not isinstance(model, TranslationGame):
        if not hasattr(model, "sample"):
            raise ValueError(f"{type(model).__name__} makes no images, so it translates none.")
        medium = getattr(model, "medium", None)
        makes = "images from latents" if medium is None else f"{medium.name}, not images of images"
        raise ValueError(f"{type(model).__name__} makes {makes}: use `gan-lightning generate`.")
    model.check_translation(direction, attributes)
    model.check_guidance(guidance)
    return model


def read_reference(model: AdversarialModule, file: str | Path | IO[bytes]) -> Tensor:
    """Read the picture whose palette a translation is to use: 1 x C x H x W in [-1, 1].

    Args:
        model: A :class:`TranslationGame` that takes a reference.
        file: In one of ``datamodules.components.decoding.FORMATS``.

    Raises:
        ImageError: The file cannot be read.
        ValueError: The model takes no reference.
    """
    game = check_translation(model, guidance=["reference"])
    return game.scaled(_pixels(file, game.reference_channels))[None]


def translate(
    model: AdversarialModule,
    file: str | Path | IO[bytes],
    direction: str | None = None,
    attributes: AttributeEdits | None = None,
    seed: int = 0,
    bits: int = 8,
    hints: Sequence[Hint] = (),
    reference: str | Path | Tensor | None = None,
) -> Tensor:
    """Translate an image file of any size.

    Args:
        model: A :class:`TranslationGame`.
        file: In one of ``datamodules.components.decoding.FORMATS``. It is rotated by its EXIF orientation, and read
            with the channels that the model needs, as by ``ImageFolderDataModule``. Messages name it by its text.
        direction: One of the model's directions. None: the first, or the only one.
        attributes: Attributes to set (True) or to clear (False), for a model that has attributes.
        seed: Seed of random numbers in the generator, if any.
        bits: Of each channel that are read, 8 or 16.
        hints: Colours at points of the image, for a model that takes them.
        reference: Picture whose palette is to be used, a file or what :func:`read_reference` has read, for a model that
            takes one.

    Returns:
        C x s H x s W in [-1, 1] on the model's device, where s is the model's scale (1 but for SRGAN).

    Raises:
        ImageError: A file cannot be read, the image is too large for the device, or a hint lies outside it.
        ValueError: The model has no such direction or attribute, or takes no such guidance, see
            :func:`check_translation`.
    """
    guidance = [name for name, given in {"hints": bool(hints), "reference": reference is not None}.items() if given]
    game = check_translation(model, direction, attributes, guidance)
    if isinstance(reference, str | Path):
        reference = read_reference(game, reference)
    image = game.scaled(_pixels(file, game.given_channels, bits))
    for hint in hints:
        try:
            hint.check_inside(*image.shape[1:])
        except ValueError as error:
            raise ImageError(f"{file}: {error}") from error
    with _memory_errors(game, file, image):
        return game.translate(image[None], direction, attributes, seed, hints, reference)[0]


def translate_columns(
    model: AdversarialModule,
    file: str | Path,
    columns: Sequence[Column],
    direction: str | None = None,
    seed: int = 0,
    back: bool = False,
    path: WeightPath | None = None,
) -> list[Tensor]:
    """Translate an image file in several ways, for a picture.

    Args:
        model: A :class:`TranslationGame`.
        file: As in :func:`translate`.
        columns: The translations; at least one.
        direction: As in :func:`translate`.
        seed: As in :func:`translate`.
        back: Translate the last one back as well, by a model that does.
        path: Where the generator's weights go from and to by the strengths of the columns. None: they stay.

    Returns:
        The image, each translation, and the last one translated back: C x H x W each, in [-1, 1].

    Raises:
        ImageError: The file cannot be read, or the image is too large for the device.
        ValueError: The model has no such direction or attribute, or knows no strength.
    """
    for column in columns:
        of_attributes = column.strength is not None and path is None
        check_translation(model, direction, column.attributes, ["strength"] if of_attributes else [])
    game = cast("Any", model)
    image = game.scaled(_pixels(file, game.given_channels))[None]
    made = [image]
    with _memory_errors(game, file, image[0]):
        for column in columns:
            with nullcontext() if path is None else path.at(column.strength or 0.0):
                strength = column.strength if path is None else None
                made.append(game.translate(image, direction, column.attributes, seed, strength=strength))
                if back and column is columns[-1]:
                    made.append(game.translate_back(made[-1], image, direction))
    return [each[0].cpu() for each in made]


@contextmanager
def _memory_errors(game: TranslationGame, file: str | Path | IO[bytes], image: Tensor) -> Iterator[None]:
    """Turn a lack of memory into an :class:`ImageError` that names the file."""
    try:
        yield
    except RuntimeError as error:
        # torch raises OutOfMemoryError for a GPU and a plain RuntimeError for the CPU.
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        height, width = image.shape[1:]
        instead = "" if game.device.type == "cpu" else ", or translate it on the CPU"
        raise ImageError(
            f"{file}, {width} x {height} pixels, does not fit into the memory of {game.device}: make it smaller"
            f"{instead}."
        ) from error


def _pixels(file: str | Path | IO[bytes], channels: int, bits: int = 8) -> Tensor:
    try:
        # H x W x C of files to C x H x W of networks
        return torch.from_numpy(read_pixels(file, channels, bits=bits).transpose(2, 0, 1).copy())
    except UnidentifiedImageError as error:
        raise ImageError(f"{file} is no {FORMATS} image, or a damaged one.") from error
    except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
        # An OSError's text would name the file once more.
        why = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
        raise ImageError(f"{file} cannot be read: {why}.") from error
