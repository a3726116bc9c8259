"""Layouts that are almost the expected ones: read, or named in a sentence, and never taken for something else."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import (
    ImageFolderDataModule,
    PairedImageDataModule,
    SuperResolutionDataModule,
    UnpairedImageDataModule,
)
from datamodules.components.files import walk
from datamodules.components.layouts import split_folders

Write = Callable[..., None]
SMALL = {"image_size": 8, "num_workers": 0}


@contextmanager
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def sizes(data) -> list[int]:
    return [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)]


@pytest.fixture
def write() -> Callable[..., None]:
    """Writes images of one size, different ones for each name."""

    def save(folder: Path, names: str, size: tuple[int, int] = (8, 8)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names.split():
            pixels = np.random.default_rng(list(name.encode())).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")

    return save


class TestSplits:
    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            ("train val test", "train val test"),
            ("train valid test", "train valid test"),
            ("training validation testing", "training validation testing"),
            ("Train Val Test", "Train Val Test"),
            ("TRAIN DEV TEST", "TRAIN DEV TEST"),
            ("train eval", "train eval -"),
            ("train dev eval", "train dev eval"),
            ("train eval test", "train eval test"),
            ("training_set test_set", "training_set - test_set"),
            ("train-images val_images testData", "train-images val_images testData"),
            ("train Train val valid", "train val -"),
            ("trains value contest", "- - -"),
        ],
    )
    def test_the_usual_names_in_any_case(self, tmp_path: Path, names: str, expected: str) -> None:
        for name in names.split():
            (tmp_path / name).mkdir()
        found = split_folders(tmp_path)
        named = [found[split].name if split in found else "-" for split in ("train", "val", "test")]
        assert named == [*expected.split(), "-"][:3]

    @pytest.mark.parametrize("names", ["train valid test", "training validation testing", "Train DEV Test"])
    def test_of_a_folder_of_images(self, tmp_path: Path, write_digits: Write, names: str) -> None:
        for count, name in zip((6, 3, 2), names.split(), strict=True):
            write_digits(tmp_path / name / "a", count)
            write_digits(tmp_path / name / "b", count, start=50)
        data = ImageFolderDataModule(str(tmp_path), **SMALL)
        with no_warning():
            assert sizes(data) == [12, 6, 4]
        assert data.classes == ["a", "b"]

    def test_of_pairs_and_of_domains(self, tmp_path: Path, write: Write) -> None:
        for name in ("Training_A", "Training_B", "valid_a", "valid_b"):
            write(tmp_path / "joined" / name, "0 1 2" if "T" in name else "3")
        for name in ("train", "Testing"):
            write(tmp_path / "inner" / name / "A", "0 1")
            write(tmp_path / "inner" / name / "B", "0 1")
            write(tmp_path / "outer" / "a" / name, "0 1")
            write(tmp_path / "outer" / "b" / name, "0 1")
            write(tmp_path / "whole" / name, "0 1", (16, 8))
        with no_warning():
            for kind in (PairedImageDataModule, UnpairedImageDataModule):
                assert sizes(kind(str(tmp_path / "joined"), **SMALL)) == [3, 1, 0]
                assert sizes(kind(str(tmp_path / "inner"), **SMALL)) == [2, 0, 2]
                assert sizes(kind(str(tmp_path / "outer"), **SMALL)) == [2, 0, 2]
            assert sizes(PairedImageDataModule(str(tmp_path / "whole"), **SMALL)) == [2, 0, 2]

    def test_of_photographs(self, tmp_path: Path, write: Write) -> None:
        for name in ("Training", "validation", "SET14"):
            write(tmp_path / name, "0 1", (32, 32))
        data = SuperResolutionDataModule(str(tmp_path), crop_size=16, crops_per_image=1, val="val", num_workers=0)
        with no_warning():
            assert sizes(data) == [2, 2, 2]

    def test_every_folder_that_is_not_read_is_named(self, tmp_path: Path, write: Write) -> None:
        for name in ("train", "test", "extra", "old/x"):
            write(tmp_path / "folder" / name, "0 1")
        write(tmp_path / "folder", "stray")
        with pytest.warns(
            UserWarning, match=r"^Image\S+: not read of \S+/folder: extra, old, the images in the folder i"
        ):
            assert sizes(ImageFolderDataModule(str(tmp_path / "folder"), **SMALL))[2] == 2
        for name in ("A", "B", "C"):
            write(tmp_path / "pairs" / "train" / name, "0 1")
        write(tmp_path / "pairs" / "spare", "0 1")
        for kind in (PairedImageDataModule, UnpairedImageDataModule):
            with pytest.warns(UserWarning, match=r": not read of \S+/pairs: spare, train/C\."):
                kind(str(tmp_path / "pairs"), **SMALL).setup()
        for name in ("train", "Set5", "valid"):
            write(tmp_path / "photos" / name, "0 1", (32, 32))
        with pytest.warns(UserWarning, match=r"^Super\S+: not read of \S+/photos: valid\."):
            SuperResolutionDataModule(str(tmp_path / "photos"), crop_size=16, test=None, num_workers=0).setup()

    @pytest.mark.parametrize("names", ["val test a", "trian valid", "test", "testing b c"])
    def test_held_out_images_are_never_trained_on(self, tmp_path: Path, write: Write, names: str) -> None:
        for name in names.split():
            write(tmp_path / name, "0 1")
        with pytest.raises(ValueError, match=r"^Image\S+: \S+ has a folder \w+ but none called train"):
            ImageFolderDataModule(str(tmp_path), **SMALL)

    def test_splits_that_lie_deeper_are_told(self, tmp_path: Path, write: Write) -> None:
        for name in ("train", "test"):
            write(tmp_path / "archive" / name, "0 1")
        with pytest.warns(UserWarning, match=r"trains on the images in archive/test too: .* set root to \S+/archive"):
            ImageFolderDataModule(str(tmp_path), **SMALL).setup()

    def test_a_class_may_be_called_training(self, tmp_path: Path, write: Write) -> None:
        for name in ("cooking", "running", "training"):
            write(tmp_path / name, "0 1")
        data = ImageFolderDataModule(str(tmp_path), **SMALL)
        with no_warning():
            data.setup()
        assert data.classes == ["cooking", "running", "training"]

    def test_an_image_beside_class_folders_is_told(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path, "preview")
        for name in ("cat", "dog"):
            write(tmp_path / name, "0 1")
        with pytest.warns(UserWarning, match=r"images beside the folders cat, dog, which are therefore no classes"):
            ImageFolderDataModule(str(tmp_path), **SMALL).setup()


class TestPairs:
    @pytest.mark.parametrize("size", [(8, 8), (16, 8), (16, 9)])
    def test_two_folders_of_other_names_are_no_pairs_side_by_side(
        self, tmp_path: Path, write: Write, size: tuple[int, int]
    ) -> None:
        write(tmp_path / "train" / "input", "0 1 2", size)
        write(tmp_path / "train" / "target", "0 1 2", size)
        with pytest.raises(
            ValueError, match=r"same names lie in sub-folders of \S+/train \(input, target\).* folder_a"
        ):
            PairedImageDataModule(str(tmp_path), **SMALL).setup()

    def test_the_two_folders_may_be_named(self, tmp_path: Path, write: Write) -> None:
        for split in ("train", "valid"):
            write(tmp_path / "inner" / split / "Input", "0 1 2")
            write(tmp_path / "inner" / split / "target", "0 1 2")
        write(tmp_path / "plain" / "photos", "0 1 2")
        write(tmp_path / "plain" / "labels", "0 1 2")
        with no_warning():
            for kind in (PairedImageDataModule, UnpairedImageDataModule):
                named = {"folder_a": "input", "folder_b": "target"}
                assert sizes(kind(str(tmp_path / "inner"), **SMALL, **named)) == [3, 3, 0]
                named = {"folder_a": "photos", "folder_b": "labels"}
                assert sizes(kind(str(tmp_path / "plain"), **SMALL, **named)) == [3, 0, 0]
        with pytest.raises(
            FileNotFoundError, match=r"set folder_a and folder_b .*; it has the folders labels, photos\."
        ):
            PairedImageDataModule(str(tmp_path / "plain"), **SMALL).setup()
        with pytest.raises(ValueError, match=r"set folder_a and folder_b; it has the folders labels, photos\."):
            UnpairedImageDataModule(str(tmp_path / "plain"), **SMALL).setup()

    @pytest.mark.parametrize("size", [(8, 8), (8, 12)])
    def test_square_and_upright_images_are_refused(self, tmp_path: Path, write: Write, size: tuple[int, int]) -> None:
        write(tmp_path / "train", "0 1 2", size)
        with pytest.raises(ValueError, match=r"0.png is 8 x \d+ pixels, as most .* hardly two images side by side: .*"):
            PairedImageDataModule(str(tmp_path), **SMALL).setup()
        assert sizes(PairedImageDataModule(str(tmp_path), **SMALL, side_by_side=True)) == [3, 0, 0]

    def test_of_the_shape_of_single_images(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train", "0 1 2", (16, 12))
        write(tmp_path / "val", "0 1 2", (24, 12))
        with pytest.warns(
            UserWarning, match=r"\S+/train is cut .* 0.png, 16 x 12 .* 2 more of 3 have the shape of sing"
        ):
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL)) == [3, 3, 0]
        with no_warning():
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL, side_by_side=True)) == [3, 3, 0]

    def test_in_sub_folders(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train" / "aachen", "0 1", (16, 8))
        write(tmp_path / "train" / "bonn", "2 3", (16, 8))
        with pytest.warns(UserWarning, match=r"sub-folders of \S+/train \(aachen, bonn\) are each cut in the middle"):
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL)) == [4, 0, 0]
        with no_warning():
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL, side_by_side=True)) == [4, 0, 0]

    def test_two_folders_are_never_cut_where_that_is_said(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train", "0 1", (16, 8))
        with pytest.raises(FileNotFoundError, match="has no training pairs"):
            PairedImageDataModule(str(tmp_path), **SMALL, side_by_side=False).setup()

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_a_held_out_split_without_partners_is_empty(self, tmp_path: Path, write: Write, split: str) -> None:
        for name in ("trainA", "trainB", f"{split}A"):
            write(tmp_path / name, "0 1")
        with pytest.warns(UserWarning, match=rf"no images under \S+/{split}B, so this split is left empty"):
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL)) == [2, 0, 0]

    def test_three_pictures_in_a_row_are_no_pair(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train", "0 1", (24, 8))
        with pytest.warns(UserWarning, match="24 x 8 pixels, and 1 more of 2 have the shape of 3 square images in a r"):
            assert sizes(PairedImageDataModule(str(tmp_path), **SMALL)) == [2, 0, 0]
        write(tmp_path / "wide" / "train", "0 1", (32, 8))
        with no_warning():
            assert sizes(PairedImageDataModule(str(tmp_path / "wide"), **SMALL)) == [2, 0, 0]

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_an_empty_split_is_named(self, tmp_path: Path, write: Write, split: str) -> None:
        empty = rf"no images under .*/{split}\S*, so this split is left empty"
        write(tmp_path / "f" / "train", "0 1")
        write(tmp_path / "p" / "train", "0 1", (16, 8))
        for name in ("trainA", "trainB"):
            write(tmp_path / "u" / name, "0 1")
        for name in ("f", "p", "uA", "uB"):
            (tmp_path / name[0] / f"{split}{name[1:]}").mkdir()
        for kind, root in ((ImageFolderDataModule, "f"), (PairedImageDataModule, "p"), (UnpairedImageDataModule, "u")):
            with pytest.warns(UserWarning, match=empty):
                assert len(getattr(kind(str(tmp_path / root), **SMALL).splits, split)) == 0

    @pytest.mark.parametrize("name", ["", ".", "a/b", "B"])
    def test_a_folder_that_cannot_be_meant(self, name: str) -> None:
        for kind in (PairedImageDataModule, UnpairedImageDataModule):
            with pytest.raises(ValueError, match=r"^folder_a"):
                kind("nowhere", folder_a=name)


class TestPhotographs:
    def test_a_photograph_and_the_same_made_small(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train" / "HR", "0 1 2", (64, 48))
        write(tmp_path / "train" / "LR_x2", "0x2 1x2 2x2", (32, 24))
        with pytest.raises(
            ValueError, match=r"3 of the 6 .*/LR_x2/0x2.png \(32 x 24 pixels, seems to be \S*HR/0.png in low"
        ):
            self.data(tmp_path).setup()
        with pytest.warns(UserWarning, match=r"not read of \S+: train/LR_x2"):
            assert len(self.data(tmp_path, train="train/HR").splits.train) == 3

    def test_side_by_side_in_one_folder(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train", "img_1_HR img_2_HR", (64, 48))
        write(tmp_path / "train", "img_1_LR img_2_LR", (32, 24))
        with pytest.raises(ValueError, match=r"2 of the 4 .*img_1_LR.png"):
            self.data(tmp_path).setup()

    def test_sub_folders_are_told(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train" / "cities", "0 1", (64, 48))
        write(tmp_path / "train" / "woods", "0 1", (60, 50))
        with pytest.warns(
            UserWarning, match=r"all photographs in sub-folders of \S+/train \(cities, woods\) are taken"
        ):
            assert len(self.data(tmp_path).splits.train) == 4

    def test_what_there_is_instead(self, tmp_path: Path, write: Write) -> None:
        write(tmp_path / "train", "0 1", (64, 48))
        with pytest.raises(
            FileNotFoundError, match=r"no images .* \S+Set5: .* or null .*; it has the folders train\.$"
        ):
            self.data(tmp_path, val="Set5").setup()

    def data(self, root: Path, **arguments) -> SuperResolutionDataModule:
        defaults = {"crop_size": 16, "crops_per_image": 1, "val": None, "test": None, "num_workers": 0}
        return SuperResolutionDataModule(str(root), **defaults | arguments)


class TestWalk:
    def test_folders_linked_to_one_another_are_each_entered_once(self, tmp_path: Path) -> None:
        names = "abcdef"
        for name in names:
            (tmp_path / name).mkdir()
            (tmp_path / name / "x.png").touch()
            for other in names:
                (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
        (tmp_path / "a" / "up").symlink_to("..")
        assert walk(str(tmp_path))[0] == [f"{tmp_path}/{name}/x.png" for name in names]

    def test_a_folder_behind_two_links_is_entered_by_the_first(self, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        (tmp_path / "far" / "x.png").touch()
        (tmp_path / "top").mkdir()
        for name in ("b", "a"):
            (tmp_path / "top" / name).symlink_to(tmp_path / "far")
        (tmp_path / "top" / "aa.png").touch()
        assert walk(str(tmp_path / "top"))[0] == [f"{tmp_path}/top/a/x.png", f"{tmp_path}/top/aa.png"]

    @pytest.mark.parametrize("in_memory", [True, False])
    def test_a_pipe_among_the_images_is_named_and_never_opened(
        self, tmp_path: Path, write: Write, in_memory: bool
    ) -> None:
        """To open a pipe is to wait for ever for someone to write to it."""
        for name in ("z.png", "notes"):
            os.mkfifo(tmp_path / name)
        write(tmp_path, "0 1 2")
        data = ImageFolderDataModule(str(tmp_path), **SMALL, in_memory=in_memory)
        with pytest.warns(UserWarning, match=r"skipped 2 of the 5 files .*z.png \(no file, but a pipe, .*notes \(not"):
            assert sizes(data) == [3, 0, 0]
        for domain in "AB":
            write(tmp_path / f"train{domain}", "0 1 2")
        os.mkfifo(tmp_path / "trainA" / "z.png")
        os.mkfifo(tmp_path / "trainB" / "z.png")
        for kind in (PairedImageDataModule, UnpairedImageDataModule):
            with pytest.raises(ValueError, match=r"z.png \(no file, but a pipe"):
                kind(str(tmp_path), **SMALL).setup()

    def test_a_file_that_is_a_link_to_itself(self, tmp_path: Path, write: Write) -> None:
        for name in ("z.png", "folder"):
            os.symlink(name, tmp_path / name)
        write(tmp_path, "0 1 2")
        assert walk(str(tmp_path))[0] == [
            f"{tmp_path}/{name}" for name in ("0.png", "1.png", "2.png", "folder", "z.png")
        ]
        with pytest.warns(UserWarning, match=r"skipped 2 of the 5 files .*z.png"):
            assert sizes(ImageFolderDataModule(str(tmp_path), **SMALL)) == [3, 0, 0]


@pytest.mark.parametrize(
    "names",
    [
        ("train2017", "val2017", "test2017"),
        ("train_64x64", "valid_64x64"),
        ("seg_train", "seg_test", "seg_pred"),
        ("cats_train", "cats_test"),
        ("trn", "tst"),
        ("DIV2K_train_HR", "DIV2K_valid_HR"),
    ],
)
def test_folders_that_are_called_like_splits_are_no_classes(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
    with pytest.raises(ValueError, match="are called like splits, and as classes all of them would be trained on"):
        ImageFolderDataModule(str(tmp_path))
    (tmp_path / "train").mkdir()
    for name in names:
        (tmp_path / name).rename(tmp_path / "train" / name)
    assert ImageFolderDataModule(str(tmp_path)).class_names == sorted(names)
