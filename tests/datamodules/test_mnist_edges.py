"""Digits and the edges of other digits: no digit in both, and edges that are what they are said to be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import grey_dilation
from torchvision import datasets

from datamodules import MNISTDataModule, MNISTEdgesDataModule
from datamodules.components.tensors import edges


def test_edges_by_hand() -> None:
    image = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    image[0, 0, 1:3, 1:3] = torch.tensor([[200, 200], [200, 90]])
    assert edges(image)[0, 0].tolist() == [
        [200, 200, 200, 200, 0],
        [200, 0, 0, 200, 0],
        [200, 0, 110, 200, 0],
        [200, 200, 200, 90, 0],
        [0, 0, 0, 0, 0],
    ]


def test_edges_are_scipys(digit_images: np.ndarray) -> None:
    digits = digit_images[:50]
    expected = grey_dilation(digits, size=(1, 3, 3), mode="nearest") - digits
    assert np.array_equal(edges(torch.from_numpy(digits)[:, None])[:, 0].numpy(), expected)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_each_digit_is_in_one_domain(mnist_like: Path, split: str) -> None:
    data = MNISTEdgesDataModule(str(mnist_like), val_size=41)
    assert (data.image_shape, data.num_classes) == ((1, 28, 28), None)
    whole = getattr(MNISTDataModule(str(mnist_like), image_size=28, val_size=41).splits, split)
    (digits,) = whole.image_batches([torch.arange(len(whole))])
    both = getattr(data.splits, split)
    assert torch.equal(both.a.images, digits[0::2])
    assert torch.equal(both.b.images, edges(digits[1::2]))
    assert torch.equal(both.labels, whole.labels[0::2])  # for evaluation, which looks at A
    assert len(both) == len(digits[0::2])


def test_batches_have_both_domains_in_orders_of_their_own(mnist_like: Path) -> None:
    data = MNISTEdgesDataModule(str(mnist_like), batch_size=10, val_size=40)
    train = data.splits.train
    places = []
    for batch in data.train_dataloader():
        assert {name: (images.shape, images.dtype) for name, images in batch.items()} == dict.fromkeys(
            "AB", ((10, 1, 28, 28), torch.uint8)
        )
        for a, b in zip(batch["A"], batch["B"], strict=True):
            found = [(source.images == image).flatten(1).all(1).nonzero()[0].item()
                     for source, image in ((train.a, a), (train.b, b))]  # fmt: skip
            places.append(found)
    of_a, of_b = np.array(places).T
    assert sorted(of_a) == sorted(of_b) == list(range(130))
    assert (of_a == of_b).mean() < 0.1
    assert [len(batch["B"]) for batch in data.val_dataloader()] == [10, 10]


def test_a_loader_resumes_in_the_middle(mnist_like: Path) -> None:
    whole, again = (MNISTEdgesDataModule(str(mnist_like), 10, val_size=0).train_dataloader() for _ in range(2))
    batches = iter(whole)
    next(batches)
    again.load_state_dict(whole.state_dict())
    rest = list(batches)
    resumed = list(again)
    assert len(rest) == len(resumed) == 14
    assert all(torch.equal(mine[x], theirs[x]) for mine, theirs in zip(rest, resumed, strict=True) for x in "AB")


def test_the_real_mnist(real_data: Path) -> None:
    data = MNISTEdgesDataModule(str(real_data), val_size=0)
    original = datasets.MNIST(str(real_data))
    assert torch.equal(data.splits.train.a.images[:, 0], original.data[0::2])
    assert torch.equal(data.splits.train.b.images, edges(original.data[1::2, None]))
