"""UTKFace: ages in the names of files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import UTKFaceDataModule

AGES = [0, 18, 19, 29, 30, 39, 40, 49, 50, 59, 60, 116]


@pytest.fixture
def faces(tmp_path: Path, digit_images: np.ndarray) -> Path:
    """Twelve digits at the ages that limit the groups, each as bright as it is old."""
    (tmp_path / "part1").mkdir()
    for number, age in enumerate(AGES):
        Image.new("RGB", (9, 9), (age, age, age)).save(tmp_path / "part1" / f"{age}_{number % 2}_{number % 5}_2017.png")
    return tmp_path


def module(root: Path, **arguments) -> UTKFaceDataModule:
    return UTKFaceDataModule(
        str(root), **{"batch_size": 1, "image_size": 8, "val_size": 0, "flip": False, "num_workers": 0} | arguments
    )


def labels_by_age(data: UTKFaceDataModule) -> dict[int, int]:
    return {int(image[0, 0, 0, 0]): int(label) for image, label in data.train_dataloader()}


def test_the_groups_are_the_papers(faces: Path) -> None:
    data = module(faces)
    assert (data.num_classes, data.image_shape) == (6, (3, 8, 8))
    assert data.class_names == ["0-18", "19-29", "30-39", "40-49", "50-59", "60+"]
    assert labels_by_age(data) == dict(zip(AGES, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], strict=True))


def test_other_groups(faces: Path) -> None:
    data = module(faces, age_groups=[30])
    assert data.class_names == ["0-29", "30+"]
    assert labels_by_age(data) == {age: int(age >= 30) for age in AGES}


def test_names_without_an_age_are_told(faces: Path) -> None:
    for name in ("39_1_2017.png", "unknown.png", "7_0_2_2017.txt"):
        (faces / name).write_bytes((faces / "part1" / "19_0_2_2017.png").read_bytes())
    data = module(faces)
    told = "skipped 3 of the 15 files.*39_1_2017.png.*not named age_gender_race_date.*unknown.png.*7_0_2_2017.txt"
    with pytest.warns(UserWarning, match=told):
        assert labels_by_age(data).keys() == {*AGES}
    with pytest.raises(ValueError, match=r"3 of the 15 files under .* cannot be used"):
        module(faces, strict=True).setup()


def test_a_folder_without_such_names(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "face.png")
    with pytest.raises(ValueError, match=r"is named age_gender_race_date\.jpg, such as .*face\.png"):
        module(tmp_path).setup()
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        module(tmp_path / "nowhere")


@pytest.mark.parametrize("groups", [[], [0, 20], [30, 20], [20, 20]])
def test_groups_that_are_none(groups: list[int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each greater than the one before"):
        module(tmp_path, age_groups=groups)


def test_images_are_held_out(faces: Path) -> None:
    data = module(faces, val_size=2, test_size=1)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [9, 2, 1]
    labels = torch.cat([label for _, label in data.val_dataloader()])
    assert labels.dtype == torch.int64
