"""Batches of images with captions: one of an image's own, and one that is none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.components.loading import Batch, BatchLoader, ImageSource, Subset, mirror

_FLIP, _OWN, _WRONG = range(3)


class CaptionedImages(Subset):
    """Some of a source's images, with their captions as tokens.

    Args:
        source: Where the images are.
        indices: Which of them, int64, (N,).
        captions: Tokens of the captions of each of the N images, one at least, int64, n x T.
    """

    def __init__(self, source: ImageSource, indices: Tensor, captions: Sequence[Tensor]) -> None:
        super().__init__(source, indices)
        self.counts = np.array([len(some) for some in captions], np.int64)
        self.starts = np.concatenate([[0], self.counts.cumsum()])
        # All captions below each other, C x T, and the number of the text that each is: equal texts have one.
        self.tokens = torch.cat([*captions]) if captions else torch.empty(0, 1, dtype=torch.int64)
        _, texts = np.unique(self.tokens.numpy(), axis=0, return_inverse=True)
        self._text = texts.reshape(-1)
        self._by_text = np.argsort(self._text, kind="stable")
        self._text_starts = np.searchsorted(self._text[self._by_text], np.arange(len(texts) + 1))

    def first(self, images: Tensor) -> Tensor:
        """First caption of each of some images, n x T."""
        return self.tokens[torch.from_numpy(self.starts[images.numpy()])]

    def draw(self, images: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a caption of each of some images, and a wrong one.

        Args:
            images: Their numbers, int64, (n,).
            chances: n x 2 uniform numbers in [0, 1).

        Returns:
            One of the image's own captions, each as likely; one of all others of the split that is neither of the
            image nor equal to one of its own, nor of an image of its class. Both n x T.
        """
        numbers, (of_own, of_wrong) = images.numpy(), chances.numpy().T
        own = self.starts[numbers] + (of_own * self.counts[numbers]).astype(np.int64)
        wrong = [self._wrong(number, chance) for number, chance in zip(numbers, of_wrong, strict=True)]
        return self.tokens[torch.from_numpy(own)], self.tokens[torch.from_numpy(np.array(wrong, np.int64))]

    def _wrong(self, image: int, chance: float) -> int:
        barred = self.barred(image)
        # The k-th of the captions that are not barred: k and all barred ones before it.
        k = int(chance * (len(self.tokens) - len(barred)))
        return k + int(np.searchsorted(barred - np.arange(len(barred)), k, side="right"))

    def barred(self, image: int) -> NDArray[np.int64]:
        """Captions that are no wrong ones of an image, sorted."""
        texts = np.unique(self._text[self.starts[image] : self.starts[image + 1]])
        parts = [self._by_text[self._text_starts[text] : self._text_starts[text + 1]] for text in texts]
        if self.labels is not None:
            parts += [
                np.arange(self.starts[each], self.starts[each + 1])
                for each in (self.labels == self.labels[image]).nonzero()[:, 0].tolist()
            ]
        return np.unique(np.concatenate(parts))


class CaptionLoader(BatchLoader):
    """Dictionaries of ``images``, uint8, n x C x H x W, and ``tokens``, int64, n x T; ``labels``, n, if there are any.

    In training a caption is drawn anew for each image in each epoch, and ``wrong_tokens``, n x T, beside it; otherwise
    it is the first.

    Args:
        source: The images.
        training: Draw captions.
        arguments: As in ``BatchLoader``, after the source.
    """

    source: CaptionedImages

    def __init__(self, source: CaptionedImages, training: bool, *arguments: Any) -> None:
        super().__init__(source, *arguments)
        self.training = training

    def batches(self, todo: slice) -> Iterator[Batch]:
        indices = self.sampler.indices().split(self.batch_size)[todo]
        # By the position in the epoch alone, so that a resumed run and any number of processes repeat them.
        chances = self.sampler.chances(3).split(self.batch_size)[todo]
        labels = self.source.labels
        for images, some, drawn in zip(self.source.image_batches(indices), indices, chances, strict=True):
            if self.flip:
                mirror(images, drawn[:, _FLIP] < 0.5)
            batch = {"images": images, "tokens": self.source.first(some)}
            if self.training:
                batch["tokens"], batch["wrong_tokens"] = self.source.draw(some, drawn[:, [_OWN, _WRONG]])
            yield batch if labels is None else {**batch, "labels": labels[some]}
