"""The two sets of images that ``evaluate`` compares, read at one size."""

import argparse
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from gan_lightning.commands.options import one_or_two, refuse_unknown
from gan_lightning.visualization.image_sets import explain_incomplete

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.metrics.image_sources import Images

_COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}
_UNUSED = "batch_size"
_SUBSTITUTES = {"val": "test", "test": "val"}


@dataclass(frozen=True)
class ImageSets:
    """The two sets of images.

    Attributes:
        samples: The images that are judged.
        real: Those that they are compared with.
        label: Names the real images in the cache.
    """

    samples: "Images"
    real: "Images"
    label: str


@dataclass(frozen=True)
class ImageFormat:
    """Size and channels at which real images are read unless the user names others.

    Attributes:
        size: Height and width; None: as they are.
        channels: None: as they are, or as the data module has it.
        reason: Where these values come from, in words.
    """

    size: tuple[int, int] | None
    channels: int | None
    reason: str


def check_options(options: argparse.Namespace) -> None:
    """Refuse options without effect, and incomplete folders.

    Raises:
        ValueError: There is one.
    """
    if (options.data is None) == (options.reference is None):
        raise ValueError("give the real images with either --data or --reference.")
    if options.split and not options.data:
        raise ValueError("--split is of the images of --data: --reference takes all images of its folder.")
    if options.seed is not None and not options.ckpt:
        raise ValueError("--seed chooses the samples of --ckpt: those of --samples are the files of its folder.")
    for folder in (options.samples, options.reference):
        if folder is not None:
            _refuse_incomplete_set(folder)


def format_of_samples(options: argparse.Namespace, model: "AdversarialModule | None") -> ImageFormat:
    """Format of the samples: ``--image_size``, else the checkpoint's, else that of the first file.

    Raises:
        ValueError: The checkpoint makes no images.
    """
    from datamodules.components.raster import sides
    from gan_lightning.metrics.image_sources import FolderImages
    from gan_lightning.visualization.images import are_points

    channels, height, width = shape = getattr(model, "image_shape", None) or (0, 0, 0)
    if are_points(shape):
        raise ValueError("this model makes points and no images: judge them by the callback ModeCoverage.")
    reason = "the checkpoint makes them"
    if model is None and options.data:
        width, height = FolderImages(options.samples, None).first_size
        reason = f"those in {options.samples} are"
    given = options.image_size
    size = sides(one_or_two("image_size", given)) if given else (height, width) if height else None
    reason = "--image_size says" if given else reason
    return ImageFormat(size, channels or None, reason)


def data_module(
    options: argparse.Namespace, rest: Sequence[str], model: "AdversarialModule | None"
) -> "tuple[LightningDataModule | None, ImageFormat]":
    """Make and set up the data module of the real images; None if they are in a folder.

    Size and channels that the user does not give follow the samples, not the data module's defaults for training.
    """
    refuse_unknown(rest, takes_data=options.data is not None)
    if options.data is None:
        return None, format_of_samples(options, model)
    from lightning.pytorch import LightningDataModule

    import datamodules
    from gan_lightning.arguments.recipes import import_name
    from gan_lightning.commands.parser import parser_for

    for name in datamodules.__all__:  # A class is known by its short name once it is imported.
        getattr(datamodules, name)
    parser = parser_for("evaluate")()
    parser.add_subclass_arguments(LightningDataModule, "data")
    named = ["--data", options.data, *rest]
    # Parse twice: first for what the user gave, then with our settings before it.
    users = parser.parse_args(named).data
    path: str = users.class_path
    kind = import_name(path)
    image_format = format_of_samples(options, model)
    ours = _settings(kind, image_format)
    given = [text for name, value in ours.items() for text in (f"--data.{name}", _as_text(value))]
    parsed = parser.parse_args(["--data", path, *given, *named])  # of two values the last one counts
    # Our settings that the user has not overridden.
    kept = {name: value for name, value in ours.items() if parsed.data.init_args[name] == value}
    _print_changed_settings(
        kind, {name: kept[name] for name in kept if users.init_args[name] != kept[name]}, image_format.reason
    )
    data: LightningDataModule = parser.instantiate(parsed).data
    data.prepare_data()
    data.setup("test" if options.split == "test" else "fit")
    return data, image_format


def sets_to_compare(
    options: argparse.Namespace,
    model: "AdversarialModule | None",
    data: "LightningDataModule | None",
    image_format: ImageFormat,
) -> ImageSets:
    """Open both sets and describe them in a line on stderr.

    Raises:
        ValueError: They have different sizes, and nobody named one.
    """
    from gan_lightning.metrics.image_sources import (
        MOST_SAMPLES,
        FolderImages,
        Images,
        Samples,
        domain_note,
        label_of,
        real_images,
    )

    split = options.split or "train"
    shape = getattr(data, "image_shape", None)
    channels = shape[0] if shape else image_format.channels
    # A folder has the checkpoint's size; one beside a data module or another folder keeps its own unless one is named.
    size = image_format.size if model is not None or options.image_size else None
    real: Images
    if data is not None:
        real, label = real_images(data, split, options.num_real, model), label_of(data, split)
    else:
        real = FolderImages(options.reference, channels, size, options.num_real)
        label = f"folder-{options.reference.resolve()}" + (f"-{_shortest(size)}" if size else "")
    samples: Images
    if model is not None:
        n = options.num_samples or min(len(real), MOST_SAMPLES)
        samples = Samples(model.sample, n, options.seed or 0)  # type: ignore[arg-type]
    else:
        samples = FolderImages(options.samples, _shape(real)[0], size, options.num_samples)
    ours, theirs = _shape(samples), _shape(real)
    what = options.reference or f"the split {_split_read(data, split)} of {type(data).__name__}"
    _print_note(
        f"{_counted(samples, options.num_samples)} samples of {options.ckpt or options.samples}, {_in_words(ours)}, "
        f"are compared with {_counted(real, options.num_real)} real images of {what}, {_in_words(theirs)}."
    )
    if sentence := domain_note(model):
        _print_note(sentence)
    _check_sizes(ours, theirs, model is not None or options.image_size is not None or _settable(data))
    return ImageSets(samples, real, label)


def _check_sizes(ours: Sequence[int], theirs: Sequence[int], named: bool) -> None:
    """Refuse different sizes or channels; only print a note if the user or the checkpoint chose them."""
    if tuple(ours) == tuple(theirs):
        return
    sizes = f"the samples are {_in_words(ours)} and the real images {_in_words(theirs)}"
    if not named:
        raise ValueError(f"{sizes}: name the size to compare them at, such as --image_size {min(ours[1:])}.")
    _print_note(f"{sizes}: the numbers measure that difference as well.")


def _settings(kind: type, image_format: ImageFormat) -> dict[str, Any]:
    """Arguments of the data module that follow the samples instead of its defaults."""
    from datamodules.base import ImageDataModule
    from datamodules.components.annotated import fits

    # Only arguments that this class has, and that take such a value there.
    parameters, hints = inspect.signature(kind).parameters, _hints(kind)
    ours = {"image_size": _shortest(image_format.size), "channels": image_format.channels}
    settings = {
        name: value
        for name, value in ours.items()
        if value is not None and name in parameters and name in hints and fits(value, hints[name])
    }
    if issubclass(kind, ImageDataModule) and "batch_size" in parameters:
        settings[_UNUSED] = 1  # its loader is asked for no batch; this one suits folders of any number of images
    return settings


def _shortest(size: tuple[int, int] | None) -> tuple[int, int] | int | None:
    """The size of a square as one number."""
    return size[0] if size is not None and size[0] == size[1] else size


def _as_text(value: Any) -> str:
    """A setting as it is typed: a size as 64 or [64, 96]."""
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _print_changed_settings(kind: type, settings: dict[str, Any], reason: str) -> None:
    defaults = {name: inspect.signature(kind).parameters[name].default for name in settings}
    changed = [
        f"--data.{name} {_as_text(value)}" for name, value in settings.items() if name != _UNUSED and defaults[name]
    ]
    if changed:
        _print_note(
            f"{kind.__name__} is read with {' '.join(changed)}, since {reason} so; name others if you want them."
        )


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind.__init__)  # type: ignore[misc]
    except (NameError, TypeError):  # a class of the user's, with names that only a type checker knows
        return {}


def _settable(data: "LightningDataModule | None") -> bool:
    """Whether the data module has an ``image_size``: another size is then the user's choice."""
    return data is not None and "image_size" in inspect.signature(type(data)).parameters


def _refuse_incomplete_set(folder: Path) -> None:
    """Refuse a folder whose images are not all written yet; those above and below it count as well."""
    from datamodules.components.files import list_images

    found = list_images(folder)
    holding = {folder, folder.absolute(), *(image.parent for image in found)}
    for place in sorted({place for inner in holding for place in (inner, *inner.parents)}):
        if sentence := explain_incomplete(place):
            raise ValueError(f"{sentence} {len(found)} are in {folder} now.")


def _shape(images: "Images") -> Sequence[int]:
    import torch

    return next(iter(images.image_batches([torch.tensor([0])]))).shape[1:]


def _in_words(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} {_COLOURS.get(channels, f'of {channels} channels')}"


def _counted(images: "Images", asked: int | None) -> str:
    few = f", all that there are of the {asked} asked for," if asked is not None and len(images) < asked else ""
    return f"{len(images)}{few}"


def _split_read(data: "LightningDataModule | None", split: str) -> str:
    """Name of the split that is read: an empty val or test split is replaced by the other one."""
    own = getattr(getattr(data, "splits", None), split, None)
    return (
        f"{_SUBSTITUTES[split]} ({split} is empty)"
        if split in _SUBSTITUTES and own is not None and not len(own)
        else split
    )


def _print_note(sentence: str) -> None:
    print(f"gan-lightning evaluate: {sentence}", file=sys.stderr)
