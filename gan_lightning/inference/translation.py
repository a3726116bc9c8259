"""Translation of image files by a loaded model."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import UnidentifiedImageError
from torch import Tensor

from datamodules.components.decoding import FORMATS, read_pixels
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.translation import AttributeEdits, TranslationGame


class ImageError(ValueError):
    """An image cannot be translated. The message is a sentence for the user."""


def check_translation(
    model: AdversarialModule, direction: str | None = None, attributes: AttributeEdits | None = None
) -> TranslationGame:
    """Refuse a model that translates no images, and directions and attributes that it does not have.

    Returns:
        The model.

    Raises:
        ValueError: It translates no images, or has no such direction or attribute.
    """
    if not isinstance(model, TranslationGame):
        if not hasattr(model, "sample"):
            raise ValueError(f"{type(model).__name__} makes no images, so it translates none.")
        raise ValueError(f"{type(model).__name__} makes images from latents: use `gan-lightning generate`.")
    model.check_translation(direction, attributes)
    return model


def translate(
    model: AdversarialModule,
    file: str | Path,
    direction: str | None = None,
    attributes: AttributeEdits | None = None,
    seed: int = 0,
    bits: int = 8,
) -> Tensor:
    """Translate an image file of any size.

    Args:
        model: A :class:`TranslationGame`.
        file: In one of ``datamodules.components.decoding.FORMATS``. It is rotated by its EXIF orientation, and read
            with the channels that the model needs, as by ``ImageFolderDataModule``.
        direction: One of the model's directions. None: the first, or the only one.
        attributes: Attributes to set (True) or to clear (False), for a model that has attributes.
        seed: Seed of random numbers in the generator, if any.
        bits: Of each channel that are read, 8 or 16.

    Returns:
        C x s H x s W in [-1, 1] on the model's device, where s is the model's scale (1 but for SRGAN).

    Raises:
        ImageError: The file cannot be read, or the image is too large for the device.
        ValueError: The model has no such direction or attribute, see :func:`check_translation`.
    """
    game = check_translation(model, direction, attributes)
    image = game.scaled(_pixels(file, game.given_channels, bits))
    try:
        return game.translate(image[None], direction, attributes, seed)[0]
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


def _pixels(file: str | Path, channels: int, bits: int = 8) -> Tensor:
    try:
        # H x W x C of files to C x H x W of networks
        return torch.from_numpy(read_pixels(file, channels, bits=bits).transpose(2, 0, 1).copy())
    except UnidentifiedImageError as error:
        raise ImageError(f"{file} is no {FORMATS} image, or a damaged one.") from error
    except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
        raise ImageError(f"{file} cannot be read: {error}.") from error
