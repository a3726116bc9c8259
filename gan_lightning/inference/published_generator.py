"""Translation by generators that the authors of pix2pix and CycleGAN published."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.games.image import ImageShape
from gan_lightning.games.translation import AttributeEdits, TranslationGame, published_mode
from gan_lightning.inference.checkpoint import CheckpointError
from gan_lightning.inference.published_weights import Weights, network_of
from gan_lightning.networks import PatchDiscriminator


class ReferenceTranslator(TranslationGame):
    """A single generator of pix2pix or CycleGAN, for translation only.

    As in the authors' tests, images are translated one at a time with dropout and batch statistics as in training; the
    generators of CycleGAN have neither.

    Args:
        generator: Network from images to images.
        condition_shape: Channels, height, width of the input images.
    """

    def __init__(self, generator: nn.Module, condition_shape: ImageShape) -> None:
        # There is nothing to train: a game needs a discriminator, so it gets an empty one.
        super().__init__(generator, nn.Identity())

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        with published_mode(self.generator):
            # One by one, as in the authors' test script: BatchNorm takes the statistics of one image.
            return torch.cat([self.generator(image) for image in images.split(1)])


def load_reference(path: str | Path, map_location: Any = "cpu") -> ReferenceTranslator:
    """Load a generator that the authors' PyTorch code saved: ``latest_net_G.pth``, ``latest_net_G_A.pth``.

    Args:
        path: See :func:`reference_network`.
        map_location: Device to put the weights on.

    Raises:
        CheckpointError: The file holds something else, or a generator whose images are neither grey nor RGB.
    """
    network = reference_network(path)
    if isinstance(network, PatchDiscriminator):
        raise CheckpointError(f"{path} holds a discriminator, which makes no images: give the file of a generator.")
    # The first weight has the shape out x in x k x k; the last bias has one entry per output channel.
    first, *_, last_bias = network.parameters()
    given, made = first.shape[1], len(last_bias)
    if not {given, made} <= {1, 3}:
        raise CheckpointError(
            f"{path} holds a generator from {given} channels to {made}: only grey (1) and RGB (3) can be translated."
        )
    return ReferenceTranslator(network, (given, 256, 256)).to(map_location).eval()


def reference_network(path: str | Path) -> nn.Module:
    """Load a generator or discriminator that the authors' PyTorch code saved, for example to fine-tune it.

    ``Pix2Pix().generator.load_state_dict(reference_network("latest_net_G.pth").state_dict())``

    Args:
        path: File with the weights of one network; no code in it is run. For the networks that are recognised see
            :func:`~gan_lightning.inference.published_weights.network_of`.

    Returns:
        A :class:`UNet`, a :class:`ResidualTranslator` or a :class:`PatchDiscriminator`, in evaluation mode.

    Raises:
        CheckpointError: The file is missing, damaged or of another kind, or its network is not recognised.
    """
    weights = bare_weights(path)
    if weights is None:
        raise CheckpointError(f"{path} is missing, broken, or no file of one network's weights.")
    try:
        return network_of(weights)
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be used: {error}.") from error


def bare_weights(path: str | Path) -> Weights | None:
    """Read a file that holds a state dict and nothing else, of any version of torch; None for other files."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                # torch.load does not compare checksums.
                if parts.testzip() is not None:
                    return None
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # A file of another kind raises any of many errors.
        return None
    is_bare = isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())
    return content if is_bare and content else None
