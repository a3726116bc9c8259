"""Format of a set of shards: writing it, and reading its index.

    shards.json             image_shape, num_classes, shard_size, the number of images in each split, and a checksum
    train/, val/, test/     each a data set of litdata: index.json, and the shards chunk-0-0.bin, chunk-0-1.bin, ...
    train/labels.npy        where there are labels

An image is its pixels, C x H x W, uint8 or, where ``shards.json`` has bits of 16, uint16, and their CRC-32, four bytes;
all little-endian.
"""

import json
import math
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from datamodules.base import ImageDataModule
from datamodules.components.files import reason
from datamodules.components.loading import ImageSource
from datamodules.components.raster import dtype_of

if TYPE_CHECKING:
    from types import ModuleType

INDEX = "shards.json"
LIST = "index.json"  # litdata's own, of the shards of a split
_LABELS = "labels.npy"
_VERSION = 1
_SHARD_BYTES = 16 << 20
CHECKSUM_BYTES = 4
# What litdata's list may say of how the images are decoded; of whatever else it knows, nothing.
_LEAF = '[1, {"type": null, "context": null, "children_spec": []}]'
_PLAIN: dict[str, tuple[Any, ...]] = {
    "data_format": (["bytes"],),
    "data_spec": (_LEAF,),
    "item_loader": ("PyTreeLoader", None),
    "types": ("bytes", None),
}
_SIZES = ("chunk_bytes", "chunk_size")
# Neighbours in a folder are alike: a shard is to hold images from everywhere. The set must not depend on a run's seed.
_WRITING_SEED = 0


@dataclass(frozen=True)
class ShardIndex:
    """Index of a set of shards.

    Args:
        image_shape: (channels, height, width).
        num_classes: None: there are no labels.
        shard_size: Images in a shard; the last of a split may have fewer.
        images: In each split that is not empty, by its name.
        checksum: CRC-32 of the pixels of all images: it distinguishes copies of an older set.
        class_names: The name of each class; None: they have none but their numbers.
        bits: Of each channel, 8 or 16.
    """

    image_shape: tuple[int, int, int]
    num_classes: int | None
    shard_size: int
    images: dict[str, int]
    checksum: int
    class_names: list[str] | None = None
    bits: int = 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the pixels, as they are in the shards."""
        return dtype_of(self.bits).newbyteorder("<")

    @property
    def image_bytes(self) -> int:
        """The bytes of the pixels of an image."""
        return math.prod(self.image_shape) * self.dtype.itemsize


def write_shards(data: ImageDataModule, folder: Path, shard_size: int | None = None) -> ShardIndex:
    """Write all splits of a data module as a set of shards, the training images in an order drawn at random.

    The set is written into ``<folder>.unfinished``, flushed to the disk and then renamed: under its own name there is a
    complete set or none. An unfinished one, left by a kill, is overwritten.

    Args:
        data: Where the images and their labels come from.
        folder: For the set; it must be new or empty.
        shard_size: Images in a shard; None: as many as fill 16 MiB.

    Raises:
        FileExistsError: ``folder`` is neither new nor empty.
        ModuleNotFoundError: The package litdata is not installed.
    """
    import_litdata()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not an empty folder: name a new one for the shards.")
    sources = {name: getattr(data.splits, name) for name in ("train", "val", "test")}
    counts = {name: len(source) for name, source in sources.items() if len(source)}
    size = shard_size or max(1, _SHARD_BYTES // (math.prod(data.image_shape) * data.dtype.itemsize))
    # Write beside the target, flush, rename: a kill leaves no half set under the final name.
    unfinished = folder.with_name(folder.name + ".unfinished")
    # What a killed run has left: its images may have been others.
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    checksum = 0
    with tqdm(total=sum(counts.values()), desc="Writing shards", unit=" images") as bar:
        for name, count in counts.items():
            # Training images in random order: a shard then is a random sample of them.
            order = np.random.default_rng(_WRITING_SEED).permutation(count) if name == "train" else np.arange(count)
            checksum = _write_split(sources[name], torch.from_numpy(order), unfinished / name, size, bar, checksum)
    index = ShardIndex(data.image_shape, data.num_classes, size, counts, checksum, data.class_names, data.bits)
    content = {"version": _VERSION, **asdict(index)}
    if index.bits == 8:
        del content["bits"]  # so that older programs read the set
    for file in unfinished.rglob("*"):
        _flush(file)
    # The index last: a set without one is not complete.
    (unfinished / INDEX).write_text(json.dumps(content, indent=1) + "\n")
    _flush(unfinished / INDEX)
    _flush(unfinished)
    unfinished.replace(folder)
    _flush(folder.absolute().parent)
    return index


def _write_split(source: ImageSource, order: Tensor, folder: Path, shard_size: int, bar: Any, checksum: int) -> int:
    """Write images in an order; return the checksum continued over their pixels."""
    from litdata.streaming import Cache

    shards = Cache(str(folder), chunk_size=shard_size)
    written = 0
    for images in source.image_batches(order.split(64)):
        for image in images.numpy():
            # C x H x W numbers, then their CRC-32
            pixels = image.astype(image.dtype.newbyteorder("<"), copy=False).tobytes()
            shards[written] = pixels + checksum_of(pixels)
            # Continued over all images: it names the set, so that caches of an older one are not taken for it.
            checksum = zlib.crc32(pixels, checksum)
            written += 1
            bar.update()
    shards.done()
    shards.merge()
    if source.labels is not None:
        np.save(folder / _LABELS, source.labels[order].numpy())
    return checksum


def checksum_of(pixels: bytes) -> bytes:
    """CRC-32 that follows the pixels of an image, 4 bytes."""
    return zlib.crc32(pixels).to_bytes(CHECKSUM_BYTES, "little")


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def import_litdata() -> "ModuleType":
    """The package litdata.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import litdata
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Shards are written and read with the package litdata, which is not installed: pip install "
            "'gan-lightning[shards]'."
        ) from error
    return litdata


def is_remote(folder: str) -> bool:
    """Whether a set is at an address from which its shards must be copied, such as ``s3://bucket/faces``."""
    return "://" in folder or folder.startswith("local:")


def read_index(folder: str) -> ShardIndex:
    """Read the index of a set.

    Raises:
        FileNotFoundError: There is no set.
        ModuleNotFoundError: The package litdata is not installed, and ``folder`` is an address.
        ValueError: The index cannot be read, or another version has written it.
    """
    try:
        content = _fetch(folder, INDEX)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"ShardsDataModule: there is no {folder}/{INDEX}: set folder to a complete set of shards; `gan-lightning "
            "shards` writes one."
        ) from error
    except ModuleNotFoundError:
        raise
    except Exception as error:  # what a storage service raises is anybody's guess
        why = shorten(reason(error), 200, placeholder=" ...")
        raise ValueError(
            f"ShardsDataModule: {folder}/{INDEX} cannot be read ({why}): check the address, and that this machine may "
            "read there."
        ) from error
    try:
        found = json.loads(content)
        version, shape = found.pop("version"), tuple(found.pop("image_shape"))
        # Unknown names raise here, and are reported as another format.
        index = ShardIndex(shape, **found)
        if version == _VERSION:
            _check_index(index)
    except Exception as error:
        raise ValueError(
            f"ShardsDataModule: {folder}/{INDEX} is no index of a set of shards ({reason(error)}): write the set again."
        ) from error
    if version != _VERSION:
        raise ValueError(
            f"ShardsDataModule: {folder} has version {version} of the format, and this program reads version "
            f"{_VERSION}: write the set again."
        )
    return index


def _check_index(index: ShardIndex) -> None:
    """Raise a ValueError that names an invalid value."""

    def is_count(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0

    shape, images, names = index.image_shape, index.images, index.class_names
    right = {
        "image_shape": len(shape) == 3 and all(map(is_count, shape)),
        "num_classes": index.num_classes is None or is_count(index.num_classes),
        "shard_size": is_count(index.shard_size),
        "images": isinstance(images, dict) and "train" in images and all(map(is_count, images.values())),
        "checksum": isinstance(index.checksum, int),
        "bits": index.bits in (8, 16),
        "class_names": names is None
        or (
            isinstance(names, list) and len(names) == index.num_classes and all(isinstance(each, str) for each in names)
        ),
    }
    for name, holds in right.items():
        if not holds:
            raise ValueError(f"its {name} is {getattr(index, name)!r}")


def read_list(folder: str, split: str, count: int) -> tuple[bytes, dict[str, int]]:
    """Read and verify litdata's list of the shards of a split.

    litdata decodes images as its list says, and may unpickle or import what it names. A set may come from any address:
    nothing but plain bytes is accepted, before litdata sees the list.

    Args:
        folder: The set, or its address.
        split: The name of the split.
        count: The images that it is to have.

    Returns:
        Its content, and the size of every shard in bytes, by its name.

    Raises:
        ValueError: It cannot be read, is of other images, or names another decoder than plain bytes.
    """
    name = f"{folder}/{split}/{LIST}"
    try:
        content = _fetch(folder, f"{split}/{LIST}")
        found = json.loads(content)
        shards, config = found["chunks"], dict(found["config"])
        sizes = {str(shard["filename"]): int(shard["chunk_bytes"]) for shard in shards}
        images = sum(int(shard["chunk_size"]) for shard in shards)
    except Exception as error:  # of a storage service, too
        raise ValueError(f"ShardsDataModule: {name} cannot be read ({reason(error)}): copy the set again.") from error
    # Anything but plain bytes may name code to run: refuse it before litdata reads it.
    strange = [key for key in config if config[key] not in _PLAIN.get(key, (None,)) and key not in _SIZES]
    if strange or config.get("data_format") != ["bytes"] or [*sizes] != [shard_name(i) for i in range(len(shards))]:
        named = f"{strange[0]} {shorten(json.dumps(config[strange[0]]), 80)}" if strange else "other files or formats"
        raise ValueError(
            f"ShardsDataModule: {name} names {named}, but a set of images has shards of plain bytes only, and others "
            "could run a program of their author's: write the set again with `gan-lightning shards`."
        )
    if images != count:
        raise ValueError(f"ShardsDataModule: {name} is of {images} images, and {INDEX} of {count}: copy the set again.")
    return content, sizes


def shard_name(number: int) -> str:
    """The file of a shard, as litdata calls it."""
    return f"chunk-0-{number}.bin"


def read_labels(folder: str, split: str, count: int) -> Tensor:
    """The labels of a split.

    Raises:
        ValueError: They cannot be read, or there are not ``count``.
    """
    name = f"{split}/{_LABELS}"
    try:
        labels = torch.from_numpy(np.load(BytesIO(_fetch(folder, name))))
    except Exception as error:
        raise ValueError(
            f"ShardsDataModule: {folder}/{name} cannot be read ({reason(error)}): write the set again."
        ) from error
    if len(labels) != count:
        raise ValueError(
            f"ShardsDataModule: {folder}/{name} has {len(labels)} labels for {count} images: write the set again."
        )
    return labels


def copy(folder: str, name: str, target: Path) -> None:
    """Copy one file of a set, so that under the name of the copy there is all of it or nothing."""
    # Copy under a private name, then rename.
    # By process: several may copy the same shard at once.
    part = target.with_name(f".{target.name}.{os.getpid()}")
    if is_remote(folder):
        import_litdata()
        from litdata.streaming.downloader import get_downloader

        get_downloader(folder, str(part.parent), []).download_file(f"{folder}/{name}", str(part))
        part.with_name(part.name + ".lock").unlink(missing_ok=True)
    else:
        shutil.copyfile(Path(folder, name), part)
    part.replace(target)


def _fetch(folder: str, name: str) -> bytes:
    """The content of one of the small files of a set."""
    with TemporaryDirectory() as here:
        target = Path(here, "file")
        copy(folder, name, target)
        return target.read_bytes()
