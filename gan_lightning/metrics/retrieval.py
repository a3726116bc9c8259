"""Do images show their texts? Measures of features of images and of texts in one space, by their cosine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

_FOLDS = 10
_ROWS = 1024  # as many images are compared with all texts at a time


class ImageTextEncoder(Protocol):
    """Two encoders into one space, such as CLIP's, or an :class:`~gan_lightning.games.embedding.EmbeddingGame`."""

    def encode_images(self, images: Tensor) -> Tensor:
        """Features, N x E, of images N x C x H x W in [-1, 1]."""

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Features of N texts, N x E, or what has them as ``sentence``."""


class RPrecision(NamedTuple):
    """Share of images whose own text comes first among the candidates, in [0, 1].

    Attributes:
        mean: Over all images.
        std: Standard deviation over ten folds of the images; NaN for fewer than ten images.
    """

    mean: float
    std: float


def r_precision(images: Tensor, texts: Tensor, own: Tensor, n_candidates: int = 100, seed: int = 0) -> RPrecision:
    """R-precision with one relevant text (Xu et al., CVPR 2018, arXiv 1711.10485, section 4).

    Each image is compared, by cosine, with the text that it was made of and ``n_candidates - 1`` others at random. It
    counts if no other is as near. By chance the result is ``1 / n_candidates``. A generator trained by the same
    encoders that measure it has learned to please them.

    Args:
        images: Features of N images, N x E.
        texts: Features of T texts that all differ, T x E.
        own: Which of the texts each image was made of, N.
        n_candidates: 100 in the paper; at most T.
        seed: Of the choice of the others.

    Raises:
        ValueError: There are fewer texts than candidates, no images, or not a text for each.
    """
    if not 2 <= n_candidates <= len(texts):
        raise ValueError(
            f"n_candidates is {n_candidates}, and there are {len(texts)} different texts: it must be at least 2 and at "
            "most as many."
        )
    if not len(images):
        raise ValueError("R-precision is a share of images, and there are none.")
    _check_own(images, texts, own)
    # Random numbers on the CPU: the same candidates on every device.
    random = torch.Generator().manual_seed(seed)
    hits = []
    for scores, mine in zip(_cosines(images, texts), own.split(_ROWS), strict=True):
        order = torch.rand(len(mine), len(texts), generator=random, dtype=torch.float32).to(scores.device)
        order.scatter_(1, mine[:, None].to(scores.device), -1.0)  # its own is no other
        others = order.topk(n_candidates - 1, dim=1).indices
        best = scores.gather(1, others).amax(1)
        hits.append(scores.gather(1, mine[:, None].to(scores.device))[:, 0] > best)
    found = torch.cat(hits).double()
    folds = torch.stack([fold.mean() for fold in found.tensor_split(_FOLDS)])
    return RPrecision(found.mean().item(), folds.std().item() if len(found) >= _FOLDS else float("nan"))


def retrieval_accuracy(images: Tensor, texts: Tensor, own: Tensor, k: int = 1) -> tuple[float, float]:
    """Shares of images whose own text is among the ``k`` nearest of all, and of texts whose image is.

    Args:
        images: Features of N images, N x E.
        texts: Features of T texts that all differ, T x E.
        own: Which of the texts goes with each image, N; of images of one text any counts.
        k: How many may be found.

    Raises:
        ValueError: ``k`` is not from 1 up, there are no images, or not a text for each.
    """
    if k < 1 or not len(images):
        raise ValueError(f"k is {k} and there are {len(images)} images: both must be at least 1.")
    _check_own(images, texts, own)
    scores = torch.cat([*_cosines(images, texts)])
    own = own.to(scores.device)
    nearest = scores.topk(min(k, len(texts)), dim=1).indices
    of_images = (nearest == own[:, None]).any(1).double().mean()
    # Texts that go with an image, each with the nearest images.
    some = own.unique()
    found = own[scores[:, some].topk(min(k, len(images)), dim=0).indices]
    return of_images.item(), (found == some).any(0).double().mean().item()


def clip_score(images: Tensor, texts: Tensor) -> float:
    """Mean of ``100 max(cos(image, text), 0)`` over N pairs (Hessel et al., 2021, arXiv 2104.08718).

    The paper's factor is 2.5; 100 is that of most programs.

    Args:
        images: Features, N x E, such as CLIP's.
        texts: Features of their texts, N x E.
    """
    return 100 * torch.cosine_similarity(images.double(), texts.double(), dim=1).clamp(min=0).mean().item()


def _check_own(images: Tensor, texts: Tensor, own: Tensor) -> None:
    low, high = (int(end) for end in own.aminmax()) if own.numel() else (0, 0)
    if own.shape != (len(images),) or not 0 <= low <= high < len(texts):
        raise ValueError(
            f"own says which of {len(texts)} texts each of {len(images)} images was made of, and has shape "
            f"{tuple(own.shape)} and numbers from {low} to {high}."
        )


def _cosines(images: Tensor, texts: Tensor) -> list[Tensor]:
    """Cosines of some images with all texts, n x T each."""
    columns = F.normalize(texts.float(), dim=1).T
    return [F.normalize(some.float(), dim=1) @ columns for some in images.split(_ROWS)]
