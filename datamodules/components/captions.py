"""Images with texts as they are distributed: lists of captions, and text files beside the images or in folders."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamodules.components.files import is_image, walk
from datamodules.components.layouts import split_named, split_of_path

TEXT_KEYS = ("text", "texts", "caption", "captions", "description", "descriptions", "prompt")
"""Names under which lists have the texts of an image; the first that is there is taken."""
SPLIT_KEY = "split"

_LISTS = ("metadata.jsonl", "metadata.csv")
_LARGEST_TEXT = 1 << 20
_LARGEST_LIST = 1 << 30
_LONGEST_FIELD = 1 << 24
_MOST_CAPTIONS = 1000
"""Captions of one image."""
_ABOUT = ("readme", "read_me", "license", "licence", "attribution", "copying", "classes")
_CLASS_LISTS = {"train": ("trainclasses.txt",), "val": ("valclasses.txt",), "test": ("testclasses.txt",)}


@dataclass
class Captioned:
    """An image and its texts.

    Attributes:
        path: Of the image.
        texts: Its captions, none of them empty.
        split: train, val or test; None: the data do not say.
        class_name: None: it has none.
    """

    path: str
    texts: list[str] = field(default_factory=list)
    split: str | None = None
    class_name: str | None = None


@dataclass
class CaptionsFound:
    """What is in a folder.

    Attributes:
        images: Those that have texts, sorted by path.
        silent: Images without any, by path.
        lost: Texts whose image is not there, by the name of the image or of the text's file.
        n_empty: Captions that are empty.
        unreadable: Text files that cannot be read, with the reason.
    """

    images: list[Captioned]
    silent: list[str]
    lost: list[str]
    n_empty: int
    unreadable: dict[str, str]


class _Collected:
    """Collects captions by image."""

    def __init__(self) -> None:
        self.images: dict[str, Captioned] = {}
        self.n_empty = 0

    def add(self, path: str, texts: Sequence[str], split: str | None = None, class_name: str | None = None) -> None:
        image = self.images.setdefault(path, Captioned(path))
        image.split = image.split or split
        image.class_name = image.class_name or class_name
        for text in texts:
            words = " ".join(text.split())
            self.n_empty += not words
            if words and words not in image.texts and len(image.texts) < _MOST_CAPTIONS:
                image.texts.append(words)

    def found(self, files: Sequence[str], lost: Sequence[str], unreadable: dict[str, str]) -> CaptionsFound:
        told = sorted((image for image in self.images.values() if image.texts), key=lambda image: image.path)
        known = {image.path for image in told}
        silent = [path for path in files if is_image(path) and path not in known]
        return CaptionsFound(told, silent, [*lost], self.n_empty, unreadable)


def find_captions(who: str, root: Path, text_key: str | None = None, join: Sequence[str] = ()) -> CaptionsFound:
    """Find the images under a folder and their texts, whatever the layout.

    Args:
        who: The data module, for messages.
        root: The folder.
        text_key: Name of the texts in ``metadata.jsonl`` or ``.csv``. None: the first of :data:`TEXT_KEYS`.
        join: Further names there, whose values are joined to each text.

    Raises:
        FileNotFoundError: There are no texts.
        ValueError: A list cannot be read.
    """
    files, _ = walk(str(root))
    places = {os.path.normpath(path): path for path in files}
    by_name: dict[str, list[str]] = {}
    for path in files:
        by_name.setdefault(os.path.basename(path).lower(), []).append(path)
    lists = [path for name in _LISTS for path in by_name.get(name, [])]
    if lists:
        # Of a folder with both, the jsonl: csv knows no lists.
        folders = {os.path.dirname(path): path for path in reversed(lists)}
        return _from_metadata(who, root, files, places, [*folders.values()], text_key, join)
    if text_key is not None or join:
        raise ValueError(
            f"{who}: text_key and join name what a metadata.jsonl or metadata.csv has, and there is none in {root}."
        )
    if (tables := by_name.get("captions.txt", [])) or [name for name in by_name if name.endswith(".token.txt")]:
        tables = tables or [path for name in by_name if name.endswith(".token.txt") for path in by_name[name]]
        return _from_tables(who, root, files, by_name, tables)
    return _from_text_files(who, root, files, by_name)


def listed_splits(who: str, root: Path) -> dict[Path, str]:
    """The splits that ``metadata.jsonl`` or ``metadata.csv`` in a folder gives to files: train, val or test.

    Args:
        who: The data module, for messages.
        root: The folder. Without a list in it the result is empty.

    Raises:
        ValueError: The list cannot be read, or has another split.
    """
    file = next((str(root / name) for name in _LISTS if (root / name).is_file()), None)
    if file is None:
        return {}
    _check_size(who, file)
    found = {}
    for line, row in _rows(who, file):
        where = f"{who}: line {line} of {file}"
        if (split := _split_said(row, where)) is not None:
            found[root / os.path.normpath(_name_said(row, where))] = split
    return found


# Hugging Face's imagefolder.


def _from_metadata(
    who: str,
    root: Path,
    files: Sequence[str],
    places: Mapping[str, str],
    lists: Sequence[str],
    text_key: str | None,
    join: Sequence[str],
) -> CaptionsFound:
    collected, lost = _Collected(), []
    for file in lists:
        _check_size(who, file)
        folder = os.path.dirname(file)
        of_folder = split_of_path(os.path.relpath(folder, root))
        for line, row in _rows(who, file):
            where = f"{who}: line {line} of {file}"
            name = _name_said(row, where)
            key = text_key or next((key for key in TEXT_KEYS if key in row), None)
            missing = [each for each in (key, *join) if each not in row]
            if key is None or missing:
                raise ValueError(
                    f"{where} has no {missing[0] or 'text'}, but {', '.join(map(str, row))}: set text_key and join to "
                    "the names of the texts."
                )
            added = ", ".join(filter(None, (", ".join(_texts(row[each], where)) for each in join)))
            texts = [f"{text.strip()}, {added}" if added else text for text in _texts(row[key], where)]
            path = places.get(os.path.normpath(os.path.join(folder, name)))
            if path is None or not is_image(path):
                lost.append(name)
                continue
            collected.add(path, texts, _split_said(row, where) or of_folder)
    return collected.found(files, lost, {})


def _name_said(row: Mapping[str, Any], where: str) -> str:
    name = row.get("file_name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where} has no file_name, which says what image it is of.")
    return name


def _split_said(row: Mapping[str, Any], where: str) -> str | None:
    said = row.get(SPLIT_KEY)
    if not isinstance(said, str) or not said.strip():
        return None
    split = split_named(said)
    if split is None:
        raise ValueError(f"{where} has the {SPLIT_KEY} {said[:40]!r}: it must be train, val or test.")
    return split


def _texts(value: Any, where: str) -> list[str]:
    """Texts of a value: one, or those of a list."""
    if value is None:
        return []
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise ValueError(f"{where} has a text that is neither a text nor a list of texts: {str(value)[:40]}.")


def _rows(who: str, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a metadata list with their line numbers."""
    return _rows_of_json(who, file) if file.endswith("l") else _rows_of_csv(who, file)


def _rows_of_json(who: str, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in _lines(who, file):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{who}: line {line} of {file} is no JSON object: {error}.") from error
        if not isinstance(row, dict):
            raise ValueError(f"{who}: line {line} of {file} is no JSON object, but {text[:40]}.")
        yield line, row


def _rows_of_csv(who: str, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            # All values are texts: a number in a caption column stays as it is written.
            reader = csv.DictReader(opened)
            for row in reader:
                yield reader.line_num, {name: value for name, value in row.items() if name is not None}
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{who}: {file} cannot be read as comma-separated UTF-8 text: {error}.") from error
    finally:
        csv.field_size_limit(before)


# A list of captions, or one in the folder of each split: Flickr8k's and Flickr30k's.


def _from_tables(
    who: str, root: Path, files: Sequence[str], by_name: Mapping[str, list[str]], tables: Sequence[str]
) -> CaptionsFound:
    collected, lost = _Collected(), []
    for table in tables:
        _check_size(who, table)
        folder = os.path.dirname(table)
        split = split_of_path(os.path.relpath(folder, root))
        for number, line in _lines(who, table):
            name, text = _row_of_table(line)
            if number == 1 and (name, text) == ("image", "caption"):
                continue
            if not line.strip():
                continue
            if text is None or not is_image(name):
                raise ValueError(
                    f"{who}: line {number} of {table} is no name of an image and its caption: {line[:60]}."
                )
            paths = [path for path in by_name.get(name.lower(), []) if is_image(path)]
            # Splits may have images of the same names: those beside or below the list come first.
            paths.sort(key=lambda path: not path.startswith(os.path.join(folder, "")))
            if paths:
                collected.add(paths[0], [text], split)
            else:
                lost.append(name)
    # The official lists of each split, if they are there.
    for split in ("train", "val", "test"):
        names = ("dev", "val") if split == "val" else (split,)
        for path in (path for name in names for path in by_name.get(f"flickr_8k.{name}images.txt", [])):
            for _, line in _lines(who, path):
                for image in by_name.get(line.strip().lower(), []):
                    if image in collected.images:
                        collected.images[image].split = split
    return collected.found(files, list(dict.fromkeys(lost)), {})


def _row_of_table(line: str) -> tuple[str, str | None]:
    """Image and caption: ``name.jpg,caption`` or ``name.jpg#0<tab>caption``; None: there is no caption."""
    comma = "," if "\t" not in line else "\t"
    name, found, text = line.strip("\r\n").partition(comma)
    text = text.strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1].replace('""', '"')
    return name.strip().partition("#")[0], text if found else None


# A text file for each image: CUB's and the flowers' folders, and files beside the images.


def _from_text_files(who: str, root: Path, files: Sequence[str], by_name: Mapping[str, list[str]]) -> CaptionsFound:
    texts: dict[str, list[str]] = {}
    for path in files:
        if path.lower().endswith(".txt"):
            texts.setdefault(_stem(path), []).append(path)
    collected, unreadable, used = _Collected(), {}, set()
    for path in filter(is_image, files):
        file = _text_of(path, texts.get(_stem(path), []))
        if file is None:
            continue
        used.add(file)
        try:
            if os.path.getsize(file) > _LARGEST_TEXT:
                raise ValueError("it is larger than 1 MiB")
            lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            unreadable[file] = "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            continue
        beside = os.path.dirname(file) == os.path.dirname(path)
        folder = os.path.basename(os.path.dirname(file))
        split = split_of_path(os.path.relpath(os.path.dirname(path), root))
        # An empty file has one caption, which is empty.
        collected.add(path, lines or [""], split, None if beside else folder)
    if not collected.images and not unreadable:
        raise FileNotFoundError(
            f"{who}: {root} has no images with texts: put a metadata.jsonl with file_name and text into it, Flickr8k's "
            "captions.txt, folders of text files as CUB and the Oxford flowers have them, or a .txt of the same name "
            "beside each image."
        )
    _split_by_lists(who, by_name, collected)
    _forget_one_class(collected)
    # Read-me files are texts too, but no image's; so are lists of classes, which lie in no folder of captions.
    homes = {os.path.dirname(file) for file in used}
    unused = [file for stem, some in texts.items() if stem not in _ABOUT for file in some if file not in used]
    return collected.found(files, [file for file in unused if os.path.dirname(file) in homes], unreadable)


def _text_of(image: str, files: Sequence[str]) -> str | None:
    """The text file of an image among those of its name: beside it, in a folder of the same name, or the only one."""
    folder = os.path.dirname(image)
    beside = [file for file in files if os.path.dirname(file) == folder]
    alike = [file for file in files if os.path.basename(os.path.dirname(file)) == os.path.basename(folder)]
    for some in (beside, alike, files):
        if len(some) == 1:
            return some[0]
    return None


def _split_by_lists(who: str, by_name: Mapping[str, list[str]], collected: _Collected) -> None:
    """Splits by classes (``trainclasses.txt``, ...), or else by CUB's own ``train_test_split.txt``."""
    of_class: dict[str, str] = {}
    for split, names in {**_CLASS_LISTS, "trainval": ("trainvalclasses.txt",)}.items():
        for path in (path for name in names for path in by_name.get(name, [])):
            for _, line in _lines(who, path):
                # Classes of trainvalclasses.txt that valclasses.txt does not have are for training.
                of_class.setdefault(line.strip(), "train" if split == "trainval" else split)
    if of_class:
        for image in collected.images.values():
            image.split = of_class.get(image.class_name or "", image.split)
        return
    numbers, marks = by_name.get("images.txt", []), by_name.get("train_test_split.txt", [])
    if not numbers or not marks:
        return
    is_train = dict(line.split()[:2] for _, line in _lines(who, marks[0]) if len(line.split()) == 2)
    tails = dict(line.split()[1::-1] for _, line in _lines(who, numbers[0]) if len(line.split()) == 2)
    for image in collected.images.values():
        mark = is_train.get(tails.get("/".join(Path(image.path).parts[-2:]), ""))
        if mark is not None:
            image.split = "train" if mark == "1" else "test"


def _forget_one_class(collected: _Collected) -> None:
    """A single folder of texts is no class."""
    if len({image.class_name for image in collected.images.values()}) < 2:
        for image in collected.images.values():
            image.class_name = None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0].lower()


def _check_size(who: str, file: str) -> None:
    if os.path.getsize(file) > _LARGEST_LIST:
        raise ValueError(f"{who}: {file} is larger than 1 GiB: it is hardly a list of captions.")


def _lines(who: str, file: str) -> Iterator[tuple[int, str]]:
    """Lines of a file with their numbers, counted from 1."""
    try:
        with open(file, encoding="utf-8-sig") as opened:
            yield from enumerate(opened, 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{who}: {file} is no UTF-8 text: {error}.") from error
