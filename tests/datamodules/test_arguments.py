"""What no data module can take is refused by the name of the argument, before a file is read."""

import inspect

import numpy as np
import pytest

import datamodules
from datamodules import (
    CaptionedImageDataModule,
    ImageDataModule,
    ImageFolderDataModule,
    ImageZipDataModule,
    ShardsDataModule,
)

KINDS = [getattr(datamodules, name) for name in datamodules.__all__]
# These look at their images first, and have this test in files of their own.
_LOOK = (CaptionedImageDataModule, ShardsDataModule, ImageFolderDataModule, ImageZipDataModule)
KINDS = [kind for kind in KINDS if kind not in (ImageDataModule, *_LOOK)]


@pytest.mark.parametrize("value", [None, "many", 1.5, True, [4], {}, float("nan"), -1])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_no_number_is_told(kind: type, value: object) -> None:
    parameters = inspect.signature(kind).parameters
    root = {"root": "nowhere"} if "root" in parameters else {}
    for name, parameter in parameters.items():
        if type(parameter.default) is not int and name not in ("image_size", "n_labels", "load_size"):
            continue
        if value is None and (parameter.default is None or name == "image_size"):
            continue  # which says something there
        with pytest.raises(ValueError, match=rf"^{name} is "):
            kind(**root, **{name: value})


def test_switches_and_numbers_of_other_libraries() -> None:
    for value in (None, "yes", 1):
        with pytest.raises(ValueError, match=r"^flip is .*: it must be true or false"):
            datamodules.CIFAR10DataModule("nowhere", flip=value)
    assert datamodules.DigitsDataModule(batch_size=np.int64(4)).batch_size == 4


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ImageFolderDataModule", {"root": 3}),
        ("ImageFolderDataModule", {"root": None}),
        ("ImageFolderDataModule", {"root": "nowhere", "cache": 3.5}),
        ("ImageFolderDataModule", {"root": "nowhere", "in_memory": "yes"}),
        ("ImageZipDataModule", {"root": None}),
        ("ImageZipDataModule", {"root": "nowhere", "use_labels": "yes"}),
        ("ImageZipDataModule", {"root": "nowhere", "image_size": "64"}),
        ("PairedImageDataModule", {"root": "nowhere", "side_by_side": "no"}),
        ("CelebADataModule", {"attributes": "Male"}),
        ("CelebADataModule", {"attributes": [3]}),
        ("LSUNDataModule", {"categories": 3}),
        ("ShardsDataModule", {"folder": None}),
        ("ShardsDataModule", {"folder": "nowhere", "cache_gb": "big"}),
        ("ToyDataModule", {"shape": None}),
    ],
)
def test_other_kinds_than_the_annotated_are_named(name: str, arguments: dict) -> None:
    with pytest.raises(ValueError, match=rf"^{list(arguments)[-1]} is .*: it must be "):
        getattr(datamodules, name)(**arguments)


def test_a_path_is_taken_for_a_text(tmp_path) -> None:
    with pytest.raises(ValueError, match="no images under"):
        ImageFolderDataModule(tmp_path).setup()
