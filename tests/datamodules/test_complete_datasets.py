"""The complete MNIST, Fashion-MNIST and CIFAR-10, where GAN_LIGHTNING_TEST_DATA says they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from datamodules import FashionMNISTDataModule, ImageFolderDataModule, MNISTDataModule
from tests.datamodules.test_arrays import as_set, everything


@pytest.mark.parametrize("module", [MNISTDataModule, FashionMNISTDataModule])
def test_the_pixels_are_torchvisions(module: type[MNISTDataModule], real_data: Path) -> None:
    data = module(str(real_data), image_size=28, batch_size=100)
    original = getattr(datasets, module.dataset)(str(real_data), train=False)
    images, labels = everything(data.test_dataloader())
    assert torch.equal(images[:, 0], original.data)
    assert torch.equal(labels, original.targets)

    original = getattr(datasets, module.dataset)(str(real_data))
    (train, train_labels), (val, val_labels) = everything(data.train_dataloader()), everything(data.val_dataloader())
    assert (len(train), len(val)) == (55_000, 5_000)
    assert as_set(torch.cat([train, val])) == as_set(original.data)
    counts = train_labels.bincount() + val_labels.bincount()
    assert torch.equal(counts, original.targets.bincount())
    # A picture keeps its label: of the images that occur once, every pair is found again.
    pairs = {(image.numpy().tobytes(), int(label)) for image, label in zip(train, train_labels, strict=True)}
    originals = {(image.numpy().tobytes(), int(label)) for image, label in zip(*_tensors(original), strict=True)}
    assert pairs <= originals


def _tensors(dataset: datasets.MNIST) -> tuple[torch.Tensor, torch.Tensor]:
    return dataset.data, dataset.targets


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_cifar10_folder(real_data: Path, in_memory: bool) -> None:
    root = real_data / "cifar10"
    if not root.is_dir():
        pytest.skip(f"no {root.name} folder there")
    data = ImageFolderDataModule(str(root), batch_size=100, image_size=32, in_memory=in_memory, val_size=5000)
    assert data.image_shape == (3, 32, 32)
    assert data.num_classes == 10
    assert data.classes[:2] == ["airplane", "automobile"]
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [45_000, 5_000, 10_000]
    assert data.splits.test.labels is not None
    assert data.splits.test.labels.bincount().tolist() == [1000] * 10
    images, labels = next(iter(data.test_dataloader()))
    assert labels.tolist() == [0] * 100
    for image, path in zip(images, sorted((root / "test" / "airplane").iterdir()), strict=False):
        assert np.array_equal(image.permute(1, 2, 0), np.asarray(Image.open(path)))
    assert len(data.train_dataloader()) == 450
