"""Any folder of images: layouts, splits, classes, memory or files, and files that are no images."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import ImageFolderDataModule
from datamodules.components.loading import BatchLoader

Write = Callable[..., None]


def module(root: Path, **arguments) -> ImageFolderDataModule:
    return ImageFolderDataModule(str(root), **{"batch_size": 2, "image_size": 8, "num_workers": 0} | arguments)


def images_of(loader: BatchLoader) -> torch.Tensor:
    return torch.cat([batch[0] if isinstance(batch, tuple) else batch for batch in loader])


def labels_of(loader: BatchLoader) -> list[int]:
    return torch.cat([labels for _, labels in loader]).tolist()


def test_a_flat_folder_has_no_classes_and_yields_images_alone(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path, 30)
    data = module(tmp_path, channels=1)
    assert data.image_shape == (1, 8, 8)
    assert data.num_classes is None
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, torch.Tensor)
    assert (batch.dtype, batch.shape) == (torch.uint8, (2, 1, 8, 8))
    assert batch.is_contiguous()


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_pixels_are_those_of_the_files_in_sorted_order(
    tmp_path: Path, write_digits: Write, digit_images: np.ndarray, in_memory: bool
) -> None:
    write_digits(tmp_path / "train", 4)
    write_digits(tmp_path / "test" / "deeper", 5)
    data = module(tmp_path, channels=1, in_memory=in_memory)
    assert np.array_equal(images_of(data.test_dataloader())[:, 0], digit_images[:5])
    colour = images_of(module(tmp_path, in_memory=in_memory).test_dataloader())
    assert np.array_equal(colour, np.repeat(digit_images[:5, None], 3, 1))


@pytest.mark.parametrize("workers", [0, 2])
def test_files_and_memory_give_the_same_batches(tmp_path: Path, write_digits: Write, workers: int) -> None:
    write_digits(tmp_path / "a", 9)
    write_digits(tmp_path / "b", 8, start=20)
    loaders = [
        module(tmp_path, in_memory=in_memory, num_workers=workers).train_dataloader() for in_memory in (True, False)
    ]
    for loader in loaders:
        loader.sampler.set_epoch(4)
    for (kept, kept_labels), (read, read_labels) in zip(*loaders, strict=True):
        assert torch.equal(kept, read)
        assert torch.equal(kept_labels, read_labels)
        assert read.is_contiguous()


def test_reading_files_leaves_the_global_random_state_alone(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path, 9)
    before = torch.get_rng_state()
    images_of(module(tmp_path, in_memory=False).train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_is_used_up_to_one_gibibyte(tmp_path: Path, write_digits: Write, monkeypatch) -> None:
    write_digits(tmp_path, 10)
    kept = module(tmp_path).splits.train
    monkeypatch.setattr("datamodules.components.file_base._GIBIBYTE", 10 * 3 * 8 * 8 - 1)
    read = module(tmp_path).splits.train
    assert [type(each.source).__name__ for each in (kept, read)] == ["TensorImages", "FileImages"]


def test_class_folders_are_the_labels(tmp_path: Path, write_digits: Write) -> None:
    for i, name in enumerate(("cat", "bird", "dog")):
        write_digits(tmp_path / name, 3 + i, start=10 * i)
    (tmp_path / ".cache").mkdir()
    data = module(tmp_path, val_size=0, test_size=0)
    assert data.classes == ["bird", "cat", "dog"]
    assert data.num_classes == 3
    counts = np.bincount(data.splits.train.labels)
    assert counts.tolist() == [4, 3, 5]


def test_a_single_sub_folder_or_images_beside_folders_make_no_classes(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path / "one" / "images", 5)
    assert module(tmp_path / "one").num_classes is None
    write_digits(tmp_path / "mixed", 2)
    write_digits(tmp_path / "mixed" / "a", 2)
    write_digits(tmp_path / "mixed" / "b", 2)
    data = module(tmp_path / "mixed", val_size=0)
    assert data.num_classes is None
    assert len(data.splits.train) == 6


def test_split_folders(tmp_path: Path, write_digits: Write) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 2)):
        write_digits(tmp_path / split / "a", count)
        write_digits(tmp_path / split / "b", count, start=50)
    data = module(tmp_path, batch_size=1)
    assert data.num_classes == 2
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [12, 6, 4]
    assert labels_of(data.test_dataloader()) == [0, 0, 1, 1]
    assert labels_of(data.val_dataloader()) == [0] * 3 + [1] * 3


def test_splits_without_folders_are_held_out_of_the_training_images(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path / "flat", 40)
    data = module(tmp_path / "flat", val_size=5, test_size=7, batch_size=1, flip=False)
    parts = [images_of(loader) for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    assert [len(part) for part in parts] == [28, 5, 7]
    assert len({image.numpy().tobytes() for part in parts for image in part}) == 40
    assert len(module(tmp_path / "flat").splits.val) == 4  # by default a tenth
    write_digits(tmp_path / "two" / "train", 20)
    write_digits(tmp_path / "two" / "test", 3)
    two = module(tmp_path / "two")
    assert [len(part) for part in (two.splits.train, two.splits.val, two.splits.test)] == [18, 2, 3]


def test_a_missing_split_borrows_the_other_and_without_both_there_is_no_loader(
    tmp_path: Path, write_digits: Write
) -> None:
    write_digits(tmp_path, 20)
    data = module(tmp_path, val_size=3)
    assert torch.equal(images_of(data.test_dataloader()), images_of(data.val_dataloader()))
    data = module(tmp_path, val_size=0, test_size=3)
    assert torch.equal(images_of(data.test_dataloader()), images_of(data.val_dataloader()))
    data = module(tmp_path, val_size=0)
    assert data.val_dataloader() == data.test_dataloader() == []


@pytest.fixture
def damaged(tmp_path: Path, write_digits: Write) -> Path:
    """12 good images, a truncated JPEG, a truncated PNG, a text named .png, an empty file, a text file."""
    write_digits(tmp_path, 12)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    for name in ("truncated.jpg", "truncated.png"):
        noise.save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("not an image at all")
    (tmp_path / "empty.webp").touch()
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".hidden").write_text("not counted")
    return tmp_path


@pytest.mark.parametrize("in_memory", [True, False])
def test_unusable_files_are_named_counted_and_skipped_with_one_warning(damaged: Path, in_memory: bool) -> None:
    data = module(damaged, in_memory=in_memory, val_size=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.setup("fit")
        data.setup("test")
        images = images_of(data.train_dataloader())
    assert len(images) == 12
    (message,) = [str(warning.message) for warning in caught if "ImageFolderDataModule" in str(warning.message)]
    assert f"skipped 5 of the 17 files under {damaged}" in message
    for name in ("truncated.jpg", "truncated.png", "text.png (not an image)", "empty.webp", "notes.txt (not PNG"):
        assert name in message


@pytest.mark.parametrize("in_memory", [True, False])
def test_unusable_files_are_refused_when_strict(damaged: Path, in_memory: bool) -> None:
    data = module(damaged, in_memory=in_memory, strict=True)
    with pytest.raises(
        ValueError, match=r"5 of the 17 files under .* cannot be used: .*empty.webp.*notes.txt.* set strict to"
    ):
        data.setup()
    for name in ("truncated.jpg", "truncated.png", "text.png", "empty.webp", "notes.txt"):
        (damaged / name).unlink()
    assert len(module(damaged, in_memory=in_memory, strict=True, val_size=0).splits.train) == 12


def test_a_long_list_of_unusable_files_is_cut(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path, 3)
    for i in range(13):
        (tmp_path / f"{i}.txt").touch()
    (tmp_path / "z.png").touch()  # a broken image is named before a file that never was one
    with pytest.warns(UserWarning, match=r"skipped 14 of the 17 files .*: \S*z.png .* and 4 more\."):
        module(tmp_path).setup()


def test_skipping_moves_no_other_image(damaged: Path, tmp_path: Path, write_digits: Write) -> None:
    clean = damaged / "clean"
    write_digits(clean, 12)
    for name in clean.iterdir():
        (damaged / name.name).unlink()
    with pytest.warns(UserWarning, match="skipped 5 of the 17"):
        skipped = images_of(module(damaged).train_dataloader())
    assert torch.equal(skipped, images_of(module(clean).train_dataloader()))


def test_a_file_that_disappears_during_training_is_named(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path, 6)
    loader = module(tmp_path, in_memory=False, val_size=0).train_dataloader()
    (tmp_path / "0003.png").unlink()
    with pytest.raises(RuntimeError, match=r"0003.png was readable when training started, but no longer"):
        images_of(loader)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no folder {tmp_path / 'nowhere'}: set root"):
        module(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"no images under {tmp_path} \(looked for .png, .jpg, .jpeg, .webp, .*\)"):
        module(tmp_path).setup()


def test_a_folder_of_broken_images_only(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    with (
        pytest.warns(UserWarning, match="skipped 1 of the 1 files"),
        pytest.raises(ValueError, match=f"none of the images under {tmp_path} can be read"),
    ):
        module(tmp_path).setup()


def test_an_empty_class_folder(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path / "a", 3)
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match=f"no images in the class folders b of {tmp_path}"):
        module(tmp_path).setup()


def test_a_class_that_the_training_images_lack(tmp_path: Path, write_digits: Write) -> None:
    for name in ("train/a", "train/b", "val/c"):
        write_digits(tmp_path / name, 3)
    with pytest.raises(ValueError, match=r"0000.png is in none of the class folders that .*train has \(a, b\)"):
        module(tmp_path).setup()


def test_fewer_images_than_a_batch(tmp_path: Path, write_digits: Write, as_process) -> None:
    write_digits(tmp_path, 20)
    with pytest.raises(
        ValueError, match=f"batch_size 64 is larger than the 20 training images .* in {tmp_path}: lower"
    ):
        module(tmp_path, batch_size=64, val_size=0).train_dataloader()
    with pytest.raises(ValueError, match="batch_size 11 is larger than the 10 training images of each process"):
        as_process(module(tmp_path, batch_size=11, val_size=0), 1, 2).train_dataloader()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be at least 1."),
        ({"image_size": 0}, "image_size is 0: it must be at least 1."),
        ({"val_size": -1}, "val_size is -1: it must be at least 0."),
        ({"test_size": -1}, "test_size is -1: it must be at least 0."),
        ({"num_workers": -1}, "num_workers is -1: it must be at least 0."),
        ({"seed": -1}, "seed is -1: it must be at least 0."),
        (
            {"channels": 0},
            r"channels is 0: it must be 1 \(grey\), 2 .*, 3 \(RGB\), 4 .*, or as many as the arrays have.",
        ),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(tmp_path, **arguments)


def test_holding_out_everything(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path, 20)
    with pytest.raises(ValueError, match=f"val_size 10 and test_size 10 would leave nothing .*{tmp_path} has 20"):
        module(tmp_path, val_size=10, test_size=10).setup()
