"""Format of StyleGAN2-ADA's sets of images: writing one, and reading its labels.

    dataset.json                    {"labels": [["00000/img00000000.png", 3], ...]}; or {"labels": null}
    00000/img00000000.png           and so on, a thousand in a folder; RGB or grey, not compressed

These lie in a folder, or in a zip file as they are (stored). A label is a whole number, the class, or a list of
numbers. What we add to ``dataset.json``, ``class_names`` and ``attributes``, other readers leave alone.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from datamodules.components.atomic_write import replacing
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.loading import ImageSource

LABELS = "dataset.json"
MOST_BYTES = 1 << 28
"""Of ``dataset.json``: 256 bytes for each of a million images."""
_MOST_CLASSES = 100_000  # a network has a row of weights for each
_IN_A_FOLDER = 1000
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG's numbers for grey, grey with opacity, RGB, RGB with opacity
_BATCH = 64


@dataclass(frozen=True)
class ImageLabels:
    """Labels of a set of images.

    Attributes:
        values: Classes, int64 (N,), or vectors, float32 N x A.
        num_classes: Classes are 0 ... num_classes - 1; of vectors their length A.
        class_names: The name of each class; None: they have none, or the labels are vectors.
        attributes: The name of each number of a vector; None: the labels are classes.
    """

    values: Tensor
    num_classes: int
    class_names: list[str] | None = None
    attributes: list[str] | None = None


def read_labels(content: bytes, names: Sequence[str], place: str) -> ImageLabels | None:
    """Read ``dataset.json``.

    Args:
        content: Of the file.
        names: The images, as it calls them: paths below its own folder.
        place: Where it is, for messages.

    Returns:
        Labels in the order of ``names``; None where there are none, by ``"labels": null``.

    Raises:
        ValueError: It is of another form, or an image has no label.
    """
    try:
        document = json.loads(content)
        listed = document["labels"]
        table = None if listed is None else {str(name): label for name, label in dict(listed).items()}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{place} is not of the form {{"labels": [["00000/img00000000.png", 3], ...]}}: write it so, with a label '
            "for each image."
        ) from error
    if table is None:
        return None
    labels = [table.get(name) for name in names]
    lacking = [name for name, label in zip(names, labels, strict=True) if label is None]
    if lacking:
        # StyleGAN2-ADA's tool writes ``null`` for all then, and its training is unconditional without a word.
        raise ValueError(
            f"{place} has no label for {lacking[0]}"
            + (f" and {len(lacking) - 1} more of the {len(names)} images" if len(lacking) > 1 else "")
            + ": give it one, remove the image, or set use_labels to false to train without labels."
        )
    if len(table) > len(names):
        rank_zero_warn(f"{place} has labels for {len(table)} images, and {len(names)} are there: going on with these.")
    if isinstance(labels[0], list):
        return _vectors(labels, names, document.get("attributes"), place)
    return _classes(labels, names, document.get("class_names"), place)


def _classes(labels: list[Any], names: Sequence[str], class_names: Any, place: str) -> ImageLabels:
    for name, label in zip(names, labels, strict=True):
        if type(label) is not int or not 0 <= label < _MOST_CLASSES:
            raise ValueError(
                f"{place}: the label of {name} is {_short(label)}, and that of {names[0]} {_short(labels[0])}: labels "
                f"are whole numbers from 0 to {_MOST_CLASSES - 1:,}, or lists of numbers of one length."
            )
    values = torch.tensor(labels)
    num_classes = int(values.max()) + 1
    # Names may be of more classes than have images here.
    return ImageLabels(values, *_named(num_classes, class_names, f"{place}: class_names", "classes", at_least=True))


def _vectors(labels: list[Any], names: Sequence[str], attributes: Any, place: str) -> ImageLabels:
    length = len(labels[0])
    for name, label in zip(names, labels, strict=True):
        if not isinstance(label, list) or len(label) != length or not all(type(x) in (int, float) for x in label):
            raise ValueError(
                f"{place}: the label of {name} is {_short(label)}, and that of {names[0]} {_short(labels[0])}: labels "
                "are whole numbers, or lists of numbers of one length."
            )
    try:
        values = torch.tensor(labels, dtype=torch.float64).float()
    except (OverflowError, RuntimeError):  # a whole number beyond all floating-point ones
        values = torch.tensor([torch.inf])
    if not length or not values.isfinite().all():
        raise ValueError(f"{place}: a label has no numbers, or numbers that are not finite: write finite ones.")
    _, found = _named(length, attributes, f"{place}: attributes", "numbers of a label")
    return ImageLabels(values, length, attributes=found or [str(i) for i in range(length)])


def _named(count: int, names: Any, place: str, of: str, at_least: bool = False) -> tuple[int, list[str] | None]:
    """Number of classes or attributes, and their names, which may be of more where ``at_least`` says so.

    Raises:
        ValueError: The names are other things than names, not all different, or too few or too many.
    """
    if names is None:
        return count, None
    right = isinstance(names, list) and all(isinstance(name, str) for name in names) and len({*names}) == len(names)
    if not right or len(names) < count or (len(names) > count and not at_least) or len(names) > _MOST_CLASSES:
        raise ValueError(f"{place} is {_short(names)}: it must be a list of different names for the {count} {of}.")
    return len(names), names


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def write_zip(
    source: ImageSource, file: Path, class_names: Sequence[str] | None = None, attributes: Sequence[str] | None = None
) -> tuple[int, int, int]:
    """Write images as a set in a zip file, in their order, behind a progress bar.

    The file has its name only once it is complete and on the disk. Equal images make equal files, to the bit.

    Args:
        source: The images, uint8 or uint16 of 1 to 4 channels, and their labels.
        file: The zip file; its folder is made where there is none.
        class_names: The name of each class.
        attributes: The name of each number of a label that is a vector.

    Returns:
        Channels, height and width of the images.

    Raises:
        FileExistsError: There is such a file.
        ValueError: There are no images, or PNG has no such ones.
    """
    if file.exists():
        raise FileExistsError(f"{file} exists: name a new file for the images.")
    if not len(source):
        raise ValueError("there are no images to write: choose another split.")
    names = [image_name(i) for i in range(len(source))]
    labels = None if source.labels is None else source.labels.tolist()
    document: dict[str, Any] = {"labels": None if labels is None else [*zip(names, labels, strict=True)]}
    if labels is not None and class_names:
        document["class_names"] = [*class_names]
    if labels is not None and attributes:
        document["attributes"] = [*attributes]
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as target, ZipFile(target, "w") as archive:  # stored, unless asked otherwise
        bar = tqdm(_images(source), "Writing images", len(names), unit=" images")
        for name, pixels in zip(names, bar, strict=True):
            # Of no date, so that equal images make equal files.
            archive.writestr(ZipInfo(name), _png(pixels))
        archive.writestr(ZipInfo(LABELS), json.dumps(document))
    channels, height, width = pixels.shape
    return channels, height, width


def image_name(i: int) -> str:
    """Name of image i: its number in eight digits, in a folder for every thousand."""
    return f"{i // _IN_A_FOLDER:05d}/img{i:08d}.png"


def _images(source: ImageSource) -> Iterator[NDArray[Any]]:
    for batch in source.image_batches(torch.arange(len(source)).split(_BATCH)):
        yield from batch.numpy()


def _png(pixels: NDArray[Any]) -> bytes:
    """PNG file of an image, C x H x W, neither compressed nor filtered.

    PIL filters every row, as if it were to be compressed: that takes 12 times as long to write, and twice to read.
    """
    channels, height, width = pixels.shape
    if pixels.dtype not in (np.uint8, np.uint16) or channels not in _COLOUR_TYPES:
        raise ValueError(
            f"images of {channels} channels in {pixels.dtype} cannot be written: the format has PNG files of 8 or 16 "
            "bits in 1 to 4 channels."
        )
    # Rows, each behind the number of its filter, which is none; of 16 bits the higher byte comes first.
    samples = np.ascontiguousarray(pixels.transpose(1, 2, 0).astype(pixels.dtype.newbyteorder(">"), copy=False))
    rows = np.pad(samples.view(np.uint8).reshape(height, -1), ((0, 0), (1, 0)))
    header = struct.pack(">IIBB3x", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels])
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows.tobytes(), 0), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
