"""Screenshots with their programs: splits by the programs, and pairs that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import ScreenshotsDataModule
from datamodules.components.screens import END, START, encode, random_program


def write(folder: Path, *programs: str, first: int = 0) -> None:
    """Pairs; the brightness of a screenshot is its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, program in enumerate(programs, first):
        Image.fromarray(np.full((64, 64, 3), number, np.uint8)).save(folder / f"{number}.png")
        (folder / f"{number}.gui").write_text(program)


def test_each_screenshot_comes_with_its_program(tmp_path: Path) -> None:
    programs = [random_program(0, i) for i in range(20)]
    write(tmp_path, *programs)
    data = ScreenshotsDataModule(str(tmp_path), image_size=48, batch_size=4, val_share=0.3, num_workers=0)
    assert data.image_shape == (3, 48, 48)
    seen = set()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for batch in loader:
            for image, tokens in zip(batch["images"], batch["tokens"], strict=True):
                number = int(image.max())
                seen.add(number)
                assert tokens.tolist() == encode(programs[number]).tolist()
                assert tokens[0] == START
                assert (tokens == END).sum() == 1
    assert len(data.splits.train) + len(data.splits.val) == 20
    assert len(seen) >= 17  # whole batches only, in training
    assert 1 <= len(data.splits.val) <= 12


def test_equal_programs_are_in_one_split(tmp_path: Path) -> None:
    """Though their files have other names and blanks."""
    programs = [random_program(0, i) for i in range(15)]
    write(tmp_path, *programs, *(program.replace(", ", " ,\n") for program in programs))
    data = ScreenshotsDataModule(str(tmp_path), image_size=48, batch_size=1, val_share=0.4, test_share=0.2)
    splits = [
        {tuple(row) for row in part.tokens.tolist()}
        for part in (data.splits.train, data.splits.val, data.splits.test)  # type: ignore[attr-defined]
    ]
    assert all(splits)
    assert not splits[0] & splits[1]
    assert not splits[0] & splits[2]
    assert not splits[1] & splits[2]
    assert sum(map(len, splits)) == 15


def test_folders_of_splits_tell_what_they_share(tmp_path: Path) -> None:
    programs = [random_program(0, i) for i in range(6)]
    write(tmp_path / "train", *programs)
    write(tmp_path / "val", programs[0], random_program(1, 0), first=10)
    with pytest.warns(UserWarning, match="1 of 2 programs of val in .* are training programs too"):
        splits = ScreenshotsDataModule(str(tmp_path), image_size=48, batch_size=2).splits
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [6, 2, 0]


def test_pairs_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    write(tmp_path, *(random_program(0, i) for i in range(5)))
    (tmp_path / "alone.gui").write_text(random_program(0, 9))
    (tmp_path / "1.gui").write_text("header {")
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "3.gui").write_bytes(b"\xff\xfe")
    with pytest.warns(UserWarning, match="4 of 6 pairs cannot be used") as told:
        splits = ScreenshotsDataModule(str(tmp_path), image_size=48, batch_size=1, val_share=0.0).splits
    (sentence,) = (str(each.message) for each in told)
    assert "4 of 6 pairs cannot be used" in sentence
    for reason in (
        "1.gui (line 1: a brace is never closed)",
        "2.png (not an image)",
        "3.gui (it is no text)",
        "alone.gui (it has no screenshot, a .png of its name)",
    ):
        assert reason in sentence
    assert len(splits.train) == 2
    with pytest.raises(ValueError, match=r"4 of 6 pairs cannot be used: .* repair or remove them"):
        ScreenshotsDataModule(str(tmp_path), image_size=48, strict=True).setup()


def test_no_programs_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no programs \(\.gui\): set root to a folder that `gan-lightning"):
        ScreenshotsDataModule(str(tmp_path)).setup()
    with pytest.raises(ValueError, match="would leave nothing to train on"):
        ScreenshotsDataModule(str(tmp_path), val_share=0.6, test_share=0.5)
