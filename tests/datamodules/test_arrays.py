"""The datasets that live in memory whole: digits, MNIST, Fashion-MNIST, CIFAR-10."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torchvision import datasets
from torchvision.transforms.functional import pil_to_tensor

import datamodules
from datamodules import CIFAR10DataModule, DigitsDataModule, FashionMNISTDataModule, MNISTDataModule
from datamodules.base import ImageDataModule
from datamodules.components.loading import BatchLoader
from datamodules.components.tensors import resize


def everything(loader: BatchLoader) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*loader, strict=True)
    return torch.cat(images), torch.cat(labels)


def as_set(images: torch.Tensor) -> list[bytes]:
    return sorted(image.numpy().tobytes() for image in images)


def test_the_package_is_cheap_to_import_and_exports_every_module() -> None:
    code = "import sys, datamodules; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    for name in datamodules.__all__:
        assert getattr(datamodules, name).__name__ == name
    assert set(datamodules.__all__) <= set(dir(datamodules))
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        _ = datamodules.Missing


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (DigitsDataModule(), (1, 8, 8)),
        (DigitsDataModule(image_size=16), (1, 16, 16)),
        (MNISTDataModule(), (1, 32, 32)),
        (MNISTDataModule(image_size=None), (1, 28, 28)),
        (FashionMNISTDataModule(image_size=64), (1, 64, 64)),
        (CIFAR10DataModule(), (3, 32, 32)),
    ],
)
def test_shape_and_classes_are_known_before_any_file_is_read(data: ImageDataModule, shape: tuple[int, ...]) -> None:
    assert data.image_shape == shape
    assert data.num_classes == 10


class Marker:
    """A pickle of it writes a file when it is read without limits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_another_file_in_the_place_of_cifar10_is_not_unpickled(tmp_path: Path) -> None:
    """torchvision unpickles the batches, once their checksums are the published ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, _ in [*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list, ["batches.meta", ""]]:
        (folder / name).write_bytes(pickle.dumps(Marker(tmp_path / "marker")))
    with pytest.raises(FileNotFoundError, match="The files of CIFAR10 are not complete"):
        CIFAR10DataModule(str(tmp_path)).setup()
    assert not (tmp_path / "marker").exists()
    pickle.loads((folder / "batches.meta").read_bytes())
    assert (tmp_path / "marker").exists()  # else this test would say nothing


def test_digits_are_scikit_learns_own_split_without_overlap() -> None:
    data = DigitsDataModule(batch_size=1)
    parts = [everything(loader) for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    assert [len(images) for images, _ in parts] == [1597, 100, 100]
    images = torch.cat([images for images, _ in parts])
    labels = torch.cat([labels for _, labels in parts])
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    assert images.max() == 255
    back = np.rint(images[:, 0].numpy() * (16 / 255))
    by_pixels = {(p.tobytes(), int(t)) for p, t in zip(load_digits().images, load_digits().target, strict=True)}
    assert {(p.tobytes(), int(t)) for p, t in zip(back, labels, strict=True)} == by_pixels


def test_the_held_out_images_do_not_depend_on_the_seed() -> None:
    first, second = DigitsDataModule(seed=0), DigitsDataModule(seed=1)
    assert torch.equal(everything(first.val_dataloader())[0], everything(second.val_dataloader())[0])
    assert not torch.equal(everything(first.train_dataloader())[0], everything(second.train_dataloader())[0])


@pytest.mark.parametrize("module", [MNISTDataModule, FashionMNISTDataModule])
def test_mnist_is_padded_with_zeros_to_32_pixels(module: type[MNISTDataModule], mnist_like: Path) -> None:
    images, labels = everything(module(str(mnist_like), val_size=50).test_dataloader())
    native, _ = everything(module(str(mnist_like), image_size=28, val_size=50).test_dataloader())
    assert images.shape == (50, 1, 32, 32)
    assert torch.equal(images[..., 2:-2, 2:-2], native)
    assert images.sum(dtype=torch.int64) == native.sum(dtype=torch.int64)
    original = getattr(datasets, module.dataset)(str(mnist_like), train=False)
    assert torch.equal(native[:, 0], original.data)
    assert torch.equal(labels, original.targets)


def test_other_sizes_are_resized_from_the_padded_image(mnist_like: Path) -> None:
    small, _ = everything(MNISTDataModule(str(mnist_like), image_size=16, val_size=50).test_dataloader())
    padded, _ = everything(MNISTDataModule(str(mnist_like), val_size=50).test_dataloader())
    expected = torch.nn.functional.avg_pool2d(padded.float(), 2)
    assert small.shape == (50, 1, 16, 16)
    assert (small.float() - expected).abs().mean() < 6


@pytest.mark.parametrize("size", [5, 13, 48])
def test_resizing_keeps_an_even_grey(size: int) -> None:
    for grey in (0, 101, 255):
        resized = resize(torch.full((2, 3, 32, 32), grey, dtype=torch.uint8), size)
        assert (resized == grey).all()


def test_mnist_and_digits_offer_no_flip() -> None:
    for module in (MNISTDataModule, DigitsDataModule):
        with pytest.raises(TypeError, match="flip"):
            module(flip=True)  # type: ignore[call-arg]
        assert not module().flip
    assert not FashionMNISTDataModule().flip
    assert CIFAR10DataModule().flip


def test_cifar10_gives_torchvisions_images(cifar_like: Path) -> None:
    data = CIFAR10DataModule(str(cifar_like), val_size=50, batch_size=10, flip=False)
    test_images, test_labels = everything(data.test_dataloader())
    original = datasets.CIFAR10(str(cifar_like), train=False)
    assert torch.equal(test_images, torch.stack([pil_to_tensor(image) for image, _ in original]))
    assert test_labels.tolist() == original.targets
    train, val = everything(data.train_dataloader())[0], everything(data.val_dataloader())[0]
    assert (len(train), len(val)) == (150, 50)
    originals = torch.stack([pil_to_tensor(image) for image, _ in datasets.CIFAR10(str(cifar_like))])
    assert as_set(torch.cat([train, val])) == as_set(originals)


def test_without_held_out_images_validation_uses_the_test_images(mnist_like: Path) -> None:
    data = MNISTDataModule(str(mnist_like), val_size=0)
    assert len(data.splits.train) == 300
    assert torch.equal(everything(data.val_dataloader())[0], everything(data.test_dataloader())[0])
    assert torch.equal(everything(data.predict_dataloader())[0], everything(data.test_dataloader())[0])


def test_preparing_needs_no_network_where_the_files_are(mnist_like: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.MNIST, "download", lambda self: pytest.fail("asked for a download"))
    MNISTDataModule(str(mnist_like)).prepare_data()


def test_missing_files_are_downloaded(mnist_like: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = mnist_like / "elsewhere"
    monkeypatch.setattr(
        datasets.MNIST, "download", lambda self: shutil.copytree(mnist_like / "MNIST", target / "MNIST")
    )
    data = MNISTDataModule(str(target), val_size=50)
    data.prepare_data()
    assert len(everything(data.test_dataloader())[0]) == 50


def _no_network(self: object) -> None:
    raise RuntimeError("Name or service not known")


@pytest.mark.parametrize("module", [MNISTDataModule, FashionMNISTDataModule, CIFAR10DataModule])
def test_missing_files_without_a_network(
    module: type[MNISTDataModule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getattr(datasets, module.dataset), "download", _no_network)
    data = module(str(tmp_path))
    expected = f"files of {module.dataset} are not complete in {tmp_path / module.folder}: put .* set data_dir"
    with pytest.raises(FileNotFoundError, match=f"{expected}.*failed: Name or service not known"):
        data.prepare_data()
    with pytest.raises(FileNotFoundError, match=expected):
        data.setup()


def test_a_truncated_file_of_mnist(mnist_like: Path) -> None:
    file = mnist_like / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"files of MNIST in .* are damaged .*: delete that folder"):
        MNISTDataModule(str(mnist_like)).setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be at least 1."),
        ({"batch_size": -3}, "batch_size is -3: it must be at least 1."),
        ({"image_size": 0}, "image_size is 0: it must be at least 1."),
        ({"val_size": -1}, "val_size is -1: it must be at least 0."),
        ({"seed": -1}, "seed is -1: it must be at least 0."),
    ],
)
@pytest.mark.parametrize("module", [DigitsDataModule, MNISTDataModule, FashionMNISTDataModule, CIFAR10DataModule])
def test_arguments_out_of_range(module: type[MNISTDataModule], arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(**arguments)  # type: ignore[arg-type]


def test_holding_out_everything() -> None:
    with pytest.raises(
        ValueError, match=r"val_size 1700 and test_size 97 would leave nothing to train on: .* 1797 images"
    ):
        DigitsDataModule(val_size=1700, test_size=97)


def test_holding_out_more_than_there_is(mnist_like: Path) -> None:
    with pytest.raises(
        ValueError, match=f"val_size 300 would leave nothing to train on: MNIST under {mnist_like} has 300"
    ):
        MNISTDataModule(str(mnist_like), val_size=300).setup()


def test_fewer_images_than_a_batch(mnist_like: Path, as_process) -> None:
    data = MNISTDataModule(str(mnist_like), val_size=0, batch_size=301)
    with pytest.raises(
        ValueError, match=f"batch_size 301 is larger than the 300 training .* MNIST under {mnist_like}: "
    ):
        data.train_dataloader()
    data = as_process(MNISTDataModule(str(mnist_like), val_size=0, batch_size=151), 0, 2)
    with pytest.raises(ValueError, match="batch_size 151 is larger than the 150 training images of each process"):
        data.train_dataloader()
