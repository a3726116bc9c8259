"""Digests of images and weights: keys of cached statistics."""

import hashlib
import os
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from datamodules.components.cache import MappedImages
from datamodules.components.decoding import DECODER
from datamodules.components.files import FileImages
from datamodules.components.loading import Subset, TensorImages
from datamodules.components.raster import sides

if TYPE_CHECKING:
    from gan_lightning.metrics.image_sources import Images


def digest_of(*parts: Any) -> str:
    """Digest of tensors, strings and numbers together."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Tensor):
            # Type and shape as well: the same bytes may be other numbers.
            hasher.update(f"{part.dtype}{tuple(part.shape)}".encode())
            hasher.update(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        else:
            # With its length, so that "ab", "c" is not "a", "bc".
            hasher.update(f"{len(str(part))}:{part}".encode())
    return hasher.hexdigest()


def digest_of_weights(network: nn.Module) -> str:
    """Digest of a network: its class and its weights."""
    state = network.state_dict()
    parts = [part for name in sorted(state) for part in (name, state[name])]
    return digest_of(type(network).__qualname__, *parts)


@singledispatch
def digest_of_images(images: "Images") -> str:
    """Digest of the pixels of all images."""
    batches = torch.arange(len(images)).split(256)
    return digest_of(*[digest_of(batch) for batch in images.image_batches(batches)])


@digest_of_images.register
def _(images: TensorImages) -> str:
    return digest_of(images.images)


@digest_of_images.register
def _(images: Subset) -> str:
    # The source once, however many subsets there are of it.
    return digest_of(digest_of_images(images.source), images.indices)


@digest_of_images.register
def _(images: FileImages) -> str:
    # Reading every image would take as long as embedding it; a file that was written to has another time.
    files = [os.fsdecode(path) for path in images.paths]
    # Members of a zip file change with the whole file.
    on_disk = files if images.archive is None else [images.archive.path]
    states: list[tuple[Any, ...]] = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in on_disk]
    states += [] if images.archive is None else [(path,) for path in files]
    height, width = sides(images.size)
    size = height if height == width else (height, width)  # what the digest of squares has always been made of
    how = [*(["draft"] if images.draft else []), *(["16 bits"] if images.bits == 16 else [])]
    return digest_of(DECODER, size, images.channels, *how, *states)


@digest_of_images.register
def _(images: MappedImages) -> str:
    # The file's name says how its images were decoded, its key from what.
    return digest_of(images.cached.file.name, images.cached.key)
