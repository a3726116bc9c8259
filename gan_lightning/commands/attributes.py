"""Which images have what a direction is to add: tables of attributes, folders, classifiers."""

from pathlib import Path

_MOST_BYTES = 1 << 28
_VALUES = {"1": True, "0": False, "-1": False}


def read_attribute(file: Path, attribute: str) -> dict[str, bool]:
    """Read one column of a table: whether each image has the attribute, by the image's path without its suffix.

    The table has a line for each image, its name and 1, or 0 or -1, for each attribute, between commas or spaces, below
    a line with the names of the attributes: a CSV file, Kaggle's of CelebA too, or CelebA's ``list_attr_celeba.txt``.

    Raises:
        ValueError: The file is something else, or has no such attribute.
    """
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{file} has more than {_MOST_BYTES >> 20} MiB, and no table of attributes needs so many.")
    try:
        lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no text, so it is no table of attributes.") from error
    first = 1 if lines and lines[0].strip().isdecimal() else 0  # CelebA's begins with the number of images
    comma = "," if "," in "".join(lines[first : first + 1]) else None
    header, *rows = [[part.strip() for part in line.split(comma)] for line in lines[first:]] or [[]]
    # CelebA's own header does not name the column of the images.
    names = header if rows and len(rows[0]) == len(header) + 1 else header[1:]
    if attribute not in names:
        known = ", ".join(names[:40]) or "none"
        raise ValueError(f"{file} has no attribute {attribute!r}: its attributes are {known}.")
    column = names.index(attribute) + 1
    for number, row in enumerate(rows, first + 2):
        if len(row) != len(names) + 1 or row[column] not in _VALUES:
            raise ValueError(f"Line {number} of {file} is not the name of an image and {len(names)} times 1, 0 or -1.")
    return {Path(row[0]).with_suffix("").as_posix(): _VALUES[row[column]] for row in rows}


def look_up(table: dict[str, bool], names: list[str]) -> dict[int, bool]:
    """What a table says of latents, by their place in ``names``, paths without suffix; of others it may say nothing."""
    found = {place: table.get(name, table.get(Path(name).name)) for place, name in enumerate(names)}
    return {place: has for place, has in found.items() if has is not None}


def by_folder(names: list[str], folder: str) -> dict[int, bool]:
    """Whether latents lie in a sub-folder, by their place in ``names``, paths in the folder that is given.

    Raises:
        ValueError: There is no such sub-folder.
    """
    folders = [name.partition("/")[0] if "/" in name else "" for name in names]
    if folder not in folders:
        known = ", ".join(sorted({each for each in folders if each})[:40]) or "none"
        raise ValueError(f"There are no latents in a folder {folder!r}: the folders are {known}.")
    return {place: each == folder for place, each in enumerate(folders)}
