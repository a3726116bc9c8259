"""Digits that bounce: straight ways, folded at the borders, each clip a function of its number."""

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import BouncingMNISTDataModule
from datamodules.bouncing_mnist import BouncingDigits
from datamodules.components.loading import TensorImages


@pytest.fixture
def data(mnist_like: Path) -> BouncingMNISTDataModule:
    return BouncingMNISTDataModule(str(mnist_like), 4, 32, n_clips=12, n_eval_clips=5, val_size=50)


def test_a_digit_bounces_at_every_border() -> None:
    dot = TensorImages(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8), None)
    clips = BouncingDigits(dot, n_clips=3, n_frames=40, stream=(0, 0), side=8, n_digits=1, speed=0.125)
    (clip,) = clips.make(0, None)
    assert clip.shape == (40, 1, 8, 8)
    assert (clip.reshape(40, -1) == 255).sum(axis=1).tolist() == [1] * 40
    ways = np.argwhere(clip[:, 0])[:, 1:]
    # A pixel a frame: rounded places differ by two at most, along an axis by one.
    assert np.abs(np.diff(ways, axis=0)).max() == 1
    # In 40 frames at least one of the axes, on which it makes 0.7 pixels a frame or more, meets both borders.
    assert any({0, 7} <= set(axis) for axis in ways.T.tolist())


def test_a_clip_is_a_function_of_its_number(data: BouncingMNISTDataModule) -> None:
    splits = data.splits
    train, val = splits.train, splits.val
    first, again = train.make(3, None)[0], train.make(3, None)[0]
    assert (first == again).all()
    assert (first != train.make(4, None)[0]).any()
    other = BouncingMNISTDataModule(data.data_dir, 4, 32, n_clips=12, n_eval_clips=5, val_size=50, seed=1).splits
    assert (other.train.make(3, None)[0] != first).any()
    # What is held out is the same whatever the seed.
    assert (other.val.make(3, None)[0] == val.make(3, None)[0]).all()


def test_the_background_is_of_its_level(mnist_like: Path) -> None:
    data = BouncingMNISTDataModule(str(mnist_like), 4, 32, n_clips=4, background=64, val_size=50)
    clip = data.splits.train.make(0, None)[0]
    assert clip.min() == 64
    assert clip[0, 0, 0, 0] == 64 or clip[0, 0, -1, -1] == 64
    assert clip.max() > 200


def test_splits_have_digits_of_their_own(data: BouncingMNISTDataModule) -> None:
    assert [len(getattr(data.splits, split).digits) for split in ("train", "val", "test")] == [250, 50, 50]


def test_batches_are_clips(data: BouncingMNISTDataModule) -> None:
    assert (data.image_shape, data.num_classes) == ((1, 32, 32), None)
    shapes = [tuple(batch.shape) for batch in data.train_dataloader()]
    assert shapes == [(4, 5, 1, 32, 32)] * 3
    assert [tuple(batch.shape) for batch in data.val_dataloader()] == [(4, 6, 1, 32, 32), (1, 6, 1, 32, 32)]


def test_a_speed_that_cannot_be_is_told() -> None:
    with pytest.raises(ValueError, match="speed is 2: it must be at least 0 and at most 1"):
        BouncingMNISTDataModule("nowhere", speed=2)
