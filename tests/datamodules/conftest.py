"""Small real images in every layout, and the complete datasets where GAN_LIGHTNING_TEST_DATA says they are."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from datamodules.base import ImageDataModule, Splits, held_out
from datamodules.components.loading import Subset, TensorImages


class Numbered(ImageDataModule):
    """40 images whose label is their own index, so that a test can see who came when."""

    def __init__(self, size: int = 40, batch_size: int = 4, val_size: int = 0, flip: bool = False, seed: int = 0):
        super().__init__((1, 4, 4), size, batch_size, flip, seed)
        self.size = size
        self.val_size = val_size

    @property
    def location(self) -> str:
        return "the numbered images"

    def load_splits(self) -> Splits:
        # The left half of image i is i, the right half 0: a flip shows.
        images = torch.zeros(self.size, 1, 4, 4, dtype=torch.uint8)
        images[..., :2] = torch.arange(self.size).view(-1, 1, 1, 1)
        source = TensorImages(images, torch.arange(self.size))
        train, val = held_out(self.size, self.location, val_size=self.val_size)
        return Splits(Subset(source, train), Subset(source, val), Subset(source, train[:6]))


@pytest.fixture
def real_data() -> Path:
    """The folder of complete datasets."""
    folder = os.environ.get("GAN_LIGHTNING_TEST_DATA")
    if not folder:
        pytest.skip("GAN_LIGHTNING_TEST_DATA does not name a folder with the complete datasets")
    return Path(folder)


@pytest.fixture
def real_folder(real_data: Path) -> Callable[[str], Path]:
    """The folder of one complete dataset, by its name."""

    def find(name: str) -> Path:
        if not (real_data / name).is_dir():
            pytest.skip(f"no folder {name} in GAN_LIGHTNING_TEST_DATA")
        return real_data / name

    return find


@pytest.fixture
def as_process() -> Callable[[ImageDataModule, int, int], ImageDataModule]:
    """Makes a data module believe that it belongs to one of several processes."""

    def attach(data: ImageDataModule, rank: int, world_size: int) -> ImageDataModule:
        data.trainer = SimpleNamespace(  # type: ignore[assignment]
            global_rank=rank,
            world_size=world_size,
            num_devices=world_size,
            overfit_batches=0,
            strategy=SimpleNamespace(root_device=torch.device("cpu")),
        )
        return data

    return attach


@pytest.fixture
def digit_images() -> np.ndarray:
    """Real digits as grey uint8 images, (1797, 8, 8)."""
    return np.rint(load_digits().images * (255 / 16)).astype(np.uint8)


@pytest.fixture
def mnist_like(tmp_path: Path, digit_images: np.ndarray) -> Path:
    """300 + 50 real digits as MNIST's and as Fashion-MNIST's idx files."""
    big = np.pad(digit_images.repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))
    labels = load_digits().target.astype(np.uint8)
    for name in ("MNIST", "FashionMNIST"):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        for prefix, part in (("train", slice(0, 300)), ("t10k", slice(300, 350))):
            _write_idx(raw / f"{prefix}-images-idx3-ubyte", big[part])
            _write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels[part])
    return tmp_path


def _write_idx(path: Path, array: np.ndarray) -> None:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def cifar_like(tmp_path: Path, digit_images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """5 x 40 + 40 coloured real digits as CIFAR-10's pickles; torchvision is told their checksums."""
    import hashlib

    from torchvision.datasets import CIFAR10

    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    grey = digit_images.repeat(4, 1).repeat(4, 2)
    images = np.stack([grey, 255 - grey, grey // 2], 1)
    labels = load_digits().target.tolist()
    checksums = {}
    for i, name in enumerate([f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]):
        part = slice(40 * i, 40 * i + 40)
        content = pickle.dumps({"data": images[part].reshape(40, -1), "labels": labels[part]})
        (folder / name).write_bytes(content)
        checksums[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"label_names": [str(i) for i in range(10)]})
    (folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": hashlib.md5(meta).hexdigest()})
    monkeypatch.setattr(CIFAR10, "train_list", [[n, s] for n, s in checksums.items() if n != "test_batch"])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", checksums["test_batch"]]])
    return tmp_path


@pytest.fixture
def write_digits(digit_images: np.ndarray) -> Callable[..., None]:
    """Writes real digits `start` ... `start + count` as PNG files into a folder."""

    def write(folder: Path, count: int, start: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(start, start + count):
            Image.fromarray(digit_images[i]).save(folder / f"{i:04d}.png")

    return write


@pytest.fixture
def damage() -> Callable[[Path], None]:
    """Cuts a file in half."""

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return cut
