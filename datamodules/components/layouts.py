"""Usual layouts of image folders: names of splits and domains, and which folders are not read."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from datamodules.components.files import is_file, is_folder, is_image
from datamodules.components.first_process import rank_zero_warn

SPLITS_IN_WORDS = "`train` (training), `val` (valid, validation, dev, eval) and `test` (testing)"
_NAMES = {  # the first of the names that is there is taken
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_TRAINING = {*_NAMES["train"], "trn", "tr"}
_HELD_OUT = {*_NAMES["val"], *_NAMES["test"], "tst", "te", "holdout"}
_ADDED = re.compile(r"[ _-]?(set|data|images|imgs|split)$")  # training_set, test-images
_MOST = 10  # as many names stand in a message


def sub_folders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and is_folder(entry))
    except OSError:
        return []


def folder_named(folder: Path, name: str) -> Path | None:
    """The folder of this name in a folder, or else one whose name differs in capital letters only."""
    names = sub_folders(folder)
    # An exact match first: on some file systems ``A`` and ``a`` are two folders.
    found = [each for each in names if each == name] + [each for each in names if each.lower() == name.lower()]
    return folder / found[0] if found else None


def split_folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder that are called like splits, whatever the case.

    Returns:
        Path by split: train, val and test, in this order, as far as they are there.
    """
    names = sub_folders(folder)
    return {split: folder / name for split, name in _splits_among(dict(zip(names, names, strict=True))).items()}


def is_held_out(name: str) -> bool:
    """Whether a folder is called like the split for validation or for testing."""
    return _word(name) in _NAMES["val"] + _NAMES["test"]


def split_named(name: str) -> str | None:
    """The split that a word stands for, such as ``val`` for ``validation``; None: for none."""
    word = _word(name.strip())
    return next((split for split, words in _NAMES.items() if word in words), None)


def split_of_path(path: str) -> str | None:
    """The split that the first folder of a relative path is named after; None: none."""
    return split_named(Path(path).parts[0]) if Path(path).parts else None


def split_like(names: Collection[str]) -> list[str]:
    """The names that have a word for training in them beside names with a word for validation or testing.

    Such as ``train2017`` and ``val2017``, ``seg_train`` and ``seg_test``, ``cats_train`` and ``cats_test``.

    Returns:
        All of these names; none unless both kinds are there, since a class may be called ``train``.
    """
    words = {name: set(re.findall("[a-z]+", name.lower())) for name in names}
    # train2017 and val2017: the same word in more than one folder name
    # Both kinds are asked for, since a class may well be called ``train`` or ``test``.
    training = [name for name, parts in words.items() if parts & _TRAINING]
    held_out = [name for name, parts in words.items() if parts & _HELD_OUT and name not in training]
    return sorted(training + held_out) if training and held_out else []


def domain_folders(root: Path, a: str, b: str) -> dict[str, tuple[Path, Path]]:
    """The two folders of each split, for two domains called A and B, whatever the case.

    They are ``trainA`` and ``trainB`` (``train_A``, ...), ``A/train`` and ``B/train``, or ``train/A`` and ``train/B``.
    Where there is no split, the folders ``A`` and ``B`` are for training.

    Args:
        root: Where they lie.
        a: What stands for A.
        b: What stands for B.

    Returns:
        The folders of A and of B by split, in the order train, val, test. One of the two may not exist.
    """
    # ``trainA``, ``A/train`` and ``train/A``, in this order; the first that has the split is taken.
    layouts = [(layout(root, a), layout(root, b)) for layout in (_joined, _outer, _inner)]
    found: dict[str, tuple[Path, Path]] = {}
    for split in _NAMES:
        for of_a, of_b in layouts:
            one, other = of_a.get(split), of_b.get(split)
            if one is not None or other is not None:
                found[split] = (one or _swapped(root, other, b, a), other or _swapped(root, one, a, b))
                break
    one, other = folder_named(root, a), folder_named(root, b)
    if not found and one is not None and other is not None:
        found["train"] = (one, other)
    return found


def warn_of_unread(who: str, root: Path, used: Collection[Path], names: str = SPLITS_IN_WORDS) -> None:
    """Warn of the folders and images under ``root`` that lie beside those which are read, if there are any.

    Args:
        who: The data module.
        root: Its folder.
        used: The folders that are read.
        names: Of the folders that would be, in words.
    """
    unread = _unread(root, root, used)
    if unread:
        named = ", ".join(unread[:_MOST]) + (f" and {len(unread) - _MOST} more" if len(unread) > _MOST else "")
        rank_zero_warn(f"{who}: not read of {root}: {named}. The folders that are read are called {names}.")


def warn_of_empty(who: str, counts: Mapping[Path, int]) -> None:
    """Warn of a split that is left empty since one of its folders is, or all of them are.

    Args:
        who: The data module.
        counts: The images in each folder.
    """
    empty = [folder for folder, count in counts.items() if not count]
    full = [f"{count} in {folder}" for folder, count in counts.items() if count]
    if empty:
        rest = f", whatever else it has: {', '.join(full)}" if full else ""
        rank_zero_warn(f"{who}: no images under {', '.join(map(str, empty))}, so this split is left empty{rest}.")


def check_domains(folder_a: str, folder_b: str) -> None:
    """Raise a ValueError that names the argument which is no name of a folder."""
    for name, value in {"folder_a": folder_a, "folder_b": folder_b}.items():
        if not value or value in (".", "..") or Path(value).name != value:
            raise ValueError(f"{name} is {value!r}: it must be the name of one folder, such as `photos`.")
    if folder_a == folder_b:
        raise ValueError(f"folder_a and folder_b are both {folder_a!r}: they must be two folders.")


def folders_in_words(root: Path) -> str:
    """The sub-folders in words, for a message about missing ones."""
    names = sub_folders(root)
    return f"it has the folders {', '.join(names[:_MOST])}" if names else "it has no folders"


def _unread(root: Path, folder: Path, used: Collection[Path]) -> list[str]:
    if folder in used:
        return []
    result = []
    for name in sub_folders(folder):
        path = folder / name
        if any(each.is_relative_to(path) for each in used):
            result += _unread(root, path, used)
        else:
            result.append(str(path.relative_to(root)))
    with os.scandir(folder) as entries:
        if any(entry.name[0] != "." and is_image(entry.name) and is_file(entry) for entry in entries):
            result.append("the images in " + (str(folder.relative_to(root)) if folder != root else "the folder itself"))
    return result


def _splits_among(names: Mapping[str, str]) -> dict[str, str]:
    """The name that stands for each split.

    Args:
        names: By the part that may name a split.
    """
    # A folder serves one split only: ``eval`` is validation, or the test where validation has a folder of its own.
    free, found = dict(names), {}
    for split, words in _NAMES.items():
        # The exact name first, then names such as ``training_set``.
        parts = [part for word in words for part in (word, *sorted(free)) if part in free and _word(part) == word]
        if parts:
            found[split] = free.pop(parts[0])
    return found


def _word(name: str) -> str:
    return _ADDED.sub("", name.lower())


def _joined(root: Path, domain: str) -> dict[str, Path]:
    """``trainA``, ``train_A``."""
    names = [name for name in sub_folders(root) if name.lower().endswith(domain.lower())]
    parts = {name[: -len(domain)].rstrip("_- "): name for name in names}
    return {split: root / name for split, name in _splits_among(parts).items()}


def _outer(root: Path, domain: str) -> dict[str, Path]:
    """``A/train``."""
    folder = folder_named(root, domain)
    return {} if folder is None else split_folders(folder)


def _inner(root: Path, domain: str) -> dict[str, Path]:
    """``train/A``."""
    found = {split: folder_named(folder, domain) for split, folder in split_folders(root).items()}
    return {split: folder for split, folder in found.items() if folder is not None}


def _swapped(root: Path, path: Path | None, mine: str, other: str) -> Path:
    """Where the partner of a domain's folder would be."""
    assert path is not None
    parts = path.relative_to(root).parts
    if len(parts) == 1:
        return root / (parts[0][: -len(mine)] + other)
    return root.joinpath(*(other if part.lower() == mine.lower() else part for part in parts))
