"""Clips of MNIST's digits that move and bounce off the borders."""

import numpy as np
import torch
from torch import Tensor

from datamodules.base import Splits, check_at_least
from datamodules.components.examples import Chances, ClipExamples, ExampleLoader
from datamodules.components.loading import EpochLoader, EpochOrder, ImageSource
from datamodules.components.raster import Pixels
from datamodules.components.tensors import resize
from datamodules.mnist import MNISTDataModule


class BouncingMNISTDataModule(MNISTDataModule):
    """Digits of MNIST that move on straight lines at one speed, each in a direction of its own, and bounce off the
    borders: the Moving MNIST of Srivastava et al., 2015, arXiv 1502.04681, from the original digits.

    Batches are clips, uint8, n x T x 1 x H x W. Training, validation and test clips have digits of their own splits of
    MNIST. Clip ``i`` of the training set is a function of (``seed``, ``i``), the others of ``i`` alone. Digits are 28
    of 64 pixels high; where they overlap, the brighter pixel is seen.

    Args:
        data_dir: Folder that holds ``MNIST/raw``; the files are downloaded into it where they are missing.
        batch_size: Clips in a batch, in each process.
        image_size: Height and width of a frame.
        n_digits: Digits in a clip.
        n_frames: Frames of a training clip.
        n_eval_frames: Frames of a validation or test clip.
        n_clips: Training clips, as many as an epoch has.
        n_eval_clips: Validation clips, and test clips.
        speed: Way of a digit in a frame, as a fraction of the frame's side.
        background: Level of the background, 0 to 254; the digits' levels are drawn together above it. At 0 a generator
            that ends in tanh soon makes all black, where its gradient vanishes.
        val_size: Digits of the training set that validation clips are made of, and no training clip.
        seed: The training clips are functions of this seed, their order of it and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 8,
        image_size: int = 64,
        n_digits: int = 2,
        n_frames: int = 5,
        n_eval_frames: int = 6,
        n_clips: int = 10000,
        n_eval_clips: int = 500,
        speed: float = 0.05,
        background: int = 0,
        val_size: int = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__(data_dir, batch_size, image_size, val_size, seed)
        check_at_least(1, n_digits=n_digits, n_frames=n_frames, n_eval_frames=n_eval_frames, val_size=val_size)
        check_at_least(1, n_clips=n_clips, n_eval_clips=n_eval_clips)
        check_at_least(8, image_size=image_size)
        if not 0 <= speed <= 1:
            raise ValueError(f"speed is {speed}: it must be at least 0 and at most 1, a fraction of the frame's side.")
        check_at_least(0, background=background)
        if background > 254:
            raise ValueError(f"background is {background}: it must be at most 254, a level below white.")
        self.num_classes = None  # of a clip of several digits
        self.n_digits = n_digits
        self.n_frames = n_frames
        self.n_eval_frames = n_eval_frames
        self.n_clips = n_clips
        self.n_eval_clips = n_eval_clips
        self.speed = speed
        self.background = background

    def to_images(self, data: Tensor) -> Tensor:
        digits = resize(data[:, None], round(28 / 64 * self.image_shape[1]))
        lowest = self.background
        return digits if lowest == 0 else (lowest + digits * ((255 - lowest) / 255)).round().byte()

    def load_splits(self) -> Splits:
        digits = super().load_splits()
        side, held_out = self.image_shape[1], (self.n_eval_clips, self.n_eval_frames)
        # Held-out clips do not depend on the seed of the training.
        parts = {
            "train": (digits.train, self.n_clips, self.n_frames, (self.seed, 0)),
            "val": (digits.val, *held_out, (0, 1)),
            "test": (digits.test, *held_out, (0, 2)),
        }
        look = (side, self.n_digits, self.speed, self.background)
        return Splits(**{name: BouncingDigits(*part, *look) for name, part in parts.items()})

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, BouncingDigits)
        return ExampleLoader(source, order, self.batch_size, training, pin_memory)


class BouncingDigits(ClipExamples):
    """Clips that are made on demand.

    Args:
        digits: Where the digits are, d x d pixels.
        n_clips: Number of clips.
        n_frames: Frames of each.
        stream: Clip ``i`` is a function of these numbers and ``i``.
        side: Height and width of a frame, at least d.
        n_digits: Digits in a clip.
        speed: Way in a frame, as a fraction of ``side``.
        background: Level of the background.
    """

    n_chances = 0

    def __init__(
        self,
        digits: ImageSource,
        n_clips: int,
        n_frames: int,
        stream: tuple[int, int],
        side: int,
        n_digits: int,
        speed: float,
        background: int = 0,
    ) -> None:
        super().__init__(num_workers=0)  # a clip takes less time than its way between processes
        (images,) = digits.image_batches([torch.arange(len(digits))])
        self.digits = images[:, 0].numpy()  # N x d x d
        self.background = background
        self.n_clips = n_clips
        self.n_frames = n_frames
        self.stream = stream
        self.side = side
        self.n_digits = n_digits
        self.speed = speed

    def __len__(self) -> int:
        return self.n_clips

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        draw = np.random.default_rng((*self.stream, int(index)))
        chosen = draw.integers(len(self.digits), size=self.n_digits)
        size = self.digits.shape[1]
        room = self.side - size
        start = draw.random((self.n_digits, 2)) * room
        angle = draw.random(self.n_digits) * 2 * np.pi
        step = self.speed * self.side * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        # T x n_digits x 2: on an endless line, folded at 0 and at ``room``, which is a bounce at each border.
        line = start + step * np.arange(self.n_frames)[:, None, None]
        places = np.rint(room - np.abs(line % (2 * room) - room)).astype(int)
        clip = np.full((self.n_frames, 1, self.side, self.side), self.background, np.uint8)
        for frame, corners in zip(clip[:, 0], places, strict=True):
            for digit, (top, left) in zip(self.digits[chosen], corners, strict=True):
                under = frame[top : top + size, left : left + size]
                np.maximum(under, digit, out=under)
        return (clip,)
