"""Layouts of published sets: which of their folders are classes, and what the classes are called."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from datamodules import ImageFolderDataModule
from datamodules.components.class_folders import names_of
from tests.datamodules.test_image_folder import module

Write = Callable[..., None]


def silent(root: Path, **arguments) -> ImageFolderDataModule:
    """The module, with its images read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = module(root, **arguments)
        data.setup()
    return data


def rename(folder: Path, name: Callable[[int], str]) -> None:
    for i, path in enumerate(sorted(folder.glob("*.png"))):
        path.rename(folder / name(i))


def test_afhq(tmp_path: Path, write_digits: Write) -> None:
    """Classes below train and val, or test in its second version."""
    for held_out in ("val", "test"):
        root = tmp_path / held_out
        for split, count in {"train": 4, held_out: 2}.items():
            for i, name in enumerate(("cat", "dog", "wild")):
                write_digits(root / split / name, count, start=20 * i)
        data = silent(root, val_size=0)
        assert (data.num_classes, data.class_names) == (3, ["cat", "dog", "wild"])
        assert data.splits.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert getattr(data.splits, held_out).labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("below", [".", "train"])
def test_ffhq(tmp_path: Path, write_digits: Write, below: str) -> None:
    """A folder for every thousand images: no classes. Of a part of them as well."""
    for first in (0, 1000, 69000):
        folder = tmp_path / below / f"{first:05d}"
        write_digits(folder, 4, start=first // 1000)
        rename(folder, lambda i, first=first: f"{first + 7 * i + 1:05d}.png")
    data = silent(tmp_path, val_size=0)
    assert (data.num_classes, data.class_names) == (None, None)
    assert len(data.splits.train) == 12
    (tmp_path / "ffhq-dataset-v2.json").write_text("{}")
    if below == ".":
        with pytest.warns(UserWarning, match=r"skipped 1 of the 13 files .*ffhq-dataset-v2.json \(not PNG"):
            module(tmp_path, val_size=0).setup()


def test_the_folders_of_stylegan2_adas_tool(tmp_path: Path, write_digits: Write) -> None:
    for number in (0, 1):
        folder = tmp_path / f"{number:05d}"
        write_digits(folder, 3, start=5 * number)
        rename(folder, lambda i, number=number: f"img{1000 * number + i:08d}.png")
    assert silent(tmp_path).num_classes is None
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    with pytest.warns(UserWarning, match=r"does not read the labels in .*dataset.json: ImageZipDataModule does"):
        module(tmp_path).setup()


@pytest.mark.parametrize(
    ("folders", "name"),
    [
        (("00000", "00001", "00042"), "{folder}_{i:05d}.png"),  # signs of traffic: the folder's number and another
        (("00000", "00001"), "{i:05d}.png"),
        (("00000", "00001"), "photo.{i}.png"),
        (("0000", "1000"), "{folder}{i}.png"),
        (("00000", "cats"), "{i:05d}.png"),
        (("0", "1"), "{i:05d}.png"),
    ],
)
def test_numbers_that_are_classes(tmp_path: Path, write_digits: Write, folders: tuple[str, ...], name: str) -> None:
    for folder in folders:
        write_digits(tmp_path / folder, 3)
        rename(tmp_path / folder, lambda i, folder=folder: name.format(folder=folder, i=i))
    assert silent(tmp_path).classes == list(folders)


@pytest.fixture
def imagenet(tmp_path: Path, write_digits: Write) -> Path:
    """Four classes, in Kaggle's layout: the folder that holds train and val."""
    root = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    for split in ("train", "val"):
        for i, folder in enumerate(("n01440764", "n02012849", "n03126707", "n09999999")):
            write_digits(root / split / folder, 2, start=3 * i)
    return root


MAPPING = "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\nn01443537 goldfish, Carassius auratus\n"
NAMES = ["tench", "crane (n02012849)", "crane (n03126707)", "n09999999"]


@pytest.mark.parametrize("above", [0, 1, 2, 3])
def test_imagenet(imagenet: Path, above: int) -> None:
    assert silent(imagenet).class_names == ["n01440764", "n02012849", "n03126707", "n09999999"]
    place = [imagenet, *imagenet.parents][above]
    (place / "LOC_synset_mapping.txt").write_text(MAPPING)
    data = silent(imagenet)
    assert data.class_names == NAMES
    assert data.classes == ["n01440764", "n02012849", "n03126707", "n09999999"]
    assert data.splits.val.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(data.splits.train.labels, data.splits.val.labels)


@pytest.mark.parametrize(
    "content",
    [
        {"n01440764": "tench", "n02012849": "crane", "n03126707": "crane"},
        {"n01440764": ["tench", "Tinca tinca"], "n02012849": ["crane"], "n03126707": "crane, machine"},
        {"0": ["n01440764", "tench"], "134": ["n02012849", "crane"], "517": ["n03126707", "crane"]},
        ["tench", "crane", "crane", ""],
    ],
)
def test_names_in_json(imagenet: Path, content: object) -> None:
    """Beside the folders of the classes the file is no image that cannot be read, and is not refused."""
    for root in (imagenet, imagenet / "train"):
        (root / "classes.json").write_text(json.dumps(content))
        data = silent(root, strict=True)
        assert data.class_names == NAMES
        (root / "classes.json").unlink()


@pytest.mark.parametrize(
    "content", ["no json", "[1, 2, 3, 4]", '["a"]', "3", '{"n01440764": 3}', '{"0": ["n01440764"]}', "[" * 10**5]
)
def test_a_file_without_names_is_named_and_the_folders_are(imagenet: Path, content: str) -> None:
    (imagenet / "classes.json").write_text(content)
    with pytest.warns(
        UserWarning, match=r"classes.json has no names of classes that can be read \(.+\): they are call"
    ):
        data = module(imagenet)
    assert data.class_names == data.classes


def test_a_file_of_other_folders_says_nothing(imagenet: Path) -> None:
    for content in ('{"cat": "cats"}', '{"labels": "cats", "colours": "red"}'):
        (imagenet / "classes.json").write_text(content)
        assert silent(imagenet).class_names == silent(imagenet).classes
    assert names_of(["a", "b"], imagenet) == ["a", "b"]
