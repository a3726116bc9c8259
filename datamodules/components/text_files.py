"""Texts in files: one a line, or a field of a list's objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from datamodules.components.captions import SPLIT_KEY, TEXT_KEYS
from datamodules.components.layouts import split_named, split_of_path

SPLITS = ("train", "val", "test")
_WHO = "TextLinesDataModule"
_LARGEST_FILE = 1 << 28
_MOST_TEXTS = 10_000_000

Texts = dict[str, list[str]]


def read_texts(root: Path, text_key: str | None) -> Texts:
    """Different texts of each split, in the order of the files; ``""`` has those of which nothing says the split."""
    files = _files(root)
    found: Texts = {name: [] for name in ("", *SPLITS)}
    seen: set[str] = set()
    for file in files:
        of_file = split_named(file.stem) or split_of_path(str(file.relative_to(root))) if root.is_dir() else None
        lines = _objects(file, text_key) if file.suffix.lower() == ".jsonl" else ((line, None) for line in _lines(file))
        for text, said in lines:
            text = " ".join(text.split())
            if not text or text in seen:
                continue
            seen.add(text)
            found[said or of_file or ""].append(text)
            if len(seen) > _MOST_TEXTS:
                raise ValueError(f"{_WHO}: {root} has more than {_MOST_TEXTS:,} texts: give fewer.")
    if not seen:
        raise FileNotFoundError(f"{_WHO}: there are no texts in {root}: all its lines are blank.")
    return found


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise FileNotFoundError(
            f"{_WHO}: there is no {root}: set root to a .txt file of lines, a .jsonl file, or a folder of these."
        )
    if (root / "metadata.jsonl").is_file():
        return [root / "metadata.jsonl"]
    files = sorted(file for suffix in ("txt", "jsonl") for file in root.rglob(f"*.{suffix}") if file.is_file())
    if not files:
        raise FileNotFoundError(f"{_WHO}: there is no .txt and no .jsonl file in {root}.")
    return files


def _lines(file: Path) -> Iterator[str]:
    """Lines of a file.

    Raises:
        ValueError: It is huge, or not UTF-8.
    """
    if file.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{_WHO}: {file} is larger than 256 MiB: divide it, or give a part of it.")
    # A byte order mark is no part of the text.
    with file.open(encoding="utf-8-sig", errors="strict") as lines:
        try:
            yield from lines
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{_WHO}: line {_line_that_is_not_utf8(file)} of {file} is not UTF-8: convert the file, such as by "
                "iconv -f latin1 -t utf8."
            ) from error


def _line_that_is_not_utf8(file: Path) -> int:
    """Number of the first such line: the decoder, which reads ahead, tells only which block has it."""
    with file.open("rb") as lines:
        return next((number for number, line in enumerate(lines, 1) if not _is_utf8(line)), 0)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _objects(file: Path, text_key: str | None) -> Iterator[tuple[str, str | None]]:
    """Texts of a list, and the split that each is of.

    Raises:
        ValueError: A line is no object, or has no text.
    """
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        place = f"{_WHO}: line {number} of {file}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{place} is no JSON: {str(error)[:80]}.") from error
        if not isinstance(entry, dict):
            raise ValueError(f"{place} is no JSON object.")
        key = text_key or next((name for name in TEXT_KEYS if name in entry), None)
        if key is None or key not in entry:
            names = ", ".join(map(str, entry))[:80]
            raise ValueError(f"{place} has no {text_key or 'text'}, but {names or 'nothing'}: set text_key.")
        texts = entry[key] if isinstance(entry[key], list) else [entry[key]]
        said = entry.get(SPLIT_KEY)
        split = split_named(said) if isinstance(said, str) else None
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(f"{place}: {key} is {str(text)[:40]!r}, and must be a text or a list of texts.")
            yield text, split
