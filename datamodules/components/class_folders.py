"""Folders of images that are classes: which are none, and names for those that are called by a code."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datamodules.components.first_process import rank_zero_warn

_SYNSETS = "LOC_synset_mapping.txt"  # ImageNet's: n01440764 tench, Tinca tinca
NAME_FILES = (_SYNSETS, "classes.json")
"""Files with the names of classes, beside their folders or those of the splits."""
_ABOVE = 3  # Kaggle's ImageNet has its list three folders above train, val and test: ILSVRC/Data/CLS-LOC
_MOST_BYTES = 1 << 24
_NUMBERED = re.compile(r"\D*(\d{5,})")


def are_numbered(folder: Path, names: Sequence[str]) -> bool:
    """Whether folders hold images by their running number, as FFHQ's and StyleGAN2-ADA's do, and are no classes.

    FFHQ has ``01000/01234.png``, StyleGAN2-ADA's tool writes ``00001/img00001234.png``. Of each folder one file is
    looked at: its number must say that it belongs there.

    Args:
        folder: Where they lie.
        names: Of the folders.
    """
    return all(len(name) >= 5 and name.isdecimal() for name in names) and all(
        _belongs(name, _first_file(folder / name)) for name in names
    )


def _first_file(folder: Path) -> str:
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if not entry.name.startswith(".")), "")


def _belongs(folder: str, file: str) -> bool:
    found = _NUMBERED.fullmatch(Path(file).stem)
    if found is None:
        return False
    number, first = found[1], int(folder)
    if len(number) == len(folder):  # 01000 is the first of a thousand
        return first % 1000 == 0 and first <= int(number) < first + 1000
    return len(number) > len(folder) and int(number) // 1000 == first


def names_of(classes: Sequence[str], root: Path) -> list[str]:
    """Names of classes for people, from ``LOC_synset_mapping.txt`` or ``classes.json`` where there is such a file.

    The first of several names of a class is taken, and the folder's is added where two classes have the same, as the
    two cranes of ImageNet. A class that is not in the file has its folder's name.

    ``classes.json`` is ``{"n01440764": "tench", ...}``, ``{"0": ["n01440764", "tench"], ...}``, or a list of names in
    the order of the folders.

    Args:
        classes: The names of the folders, sorted.
        root: Where the file is looked for; ``LOC_synset_mapping.txt`` also in the three folders above.
    """
    file = _file_of_names(root)
    if file is None:
        return [*classes]
    try:
        known = _read(file, classes)
    except (OSError, ValueError, TypeError, IndexError, RecursionError) as error:
        rank_zero_warn(f"{file} has no names of classes that can be read ({error}): they are called as their folders.")
        return [*classes]
    if not known.keys() & {*classes}:
        return [*classes]  # it is of other folders
    names = [known.get(folder, folder) for folder in classes]
    often = Counter(names)
    return [name if often[name] == 1 else f"{name} ({folder})" for name, folder in zip(names, classes, strict=True)]


def _file_of_names(root: Path) -> Path | None:
    places = [root / name for name in NAME_FILES] + [above / _SYNSETS for above in [*root.parents][:_ABOVE]]
    return next((place for place in places if place.is_file()), None)


def _read(file: Path, classes: Sequence[str]) -> Mapping[str, str]:
    """The name of each folder."""
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES:,} bytes")
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".txt":
        pairs: list[Any] = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    elif isinstance(found := json.loads(text), list):
        if len(found) != len(classes):
            raise ValueError(f"{len(found)} names for {len(classes)} folders")
        pairs = [*zip(classes, found, strict=True)]
    else:
        # By the folder, or by a number with the folder and the name.
        pairs = [(key, value) if key in classes else value for key, value in dict(found).items()]
        pairs = [pair for pair in pairs if not isinstance(pair, str)]
    return {folder: _first(name) or folder for folder, name, *_ in pairs}


def _first(names: Any) -> str:
    """The first of several names, in a list or between commas."""
    first = names[0] if isinstance(names, list) else names
    if not isinstance(first, str):
        raise ValueError(f"{first!r} is no name")
    return first.split(",")[0].strip()
