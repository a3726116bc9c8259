"""Do images show their texts? Measures of features of images and of texts in one space, by their cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from datamodules.components.tokens import TextTokenizer
from gan_lightning.metrics.image_sources import Images

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

    Returns:
        NaN where a feature is infinite or not a number.

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
    if not _are_finite(images, texts):
        return RPrecision(math.nan, math.nan)
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
    return RPrecision(found.mean().item(), folds.std().item() if len(found) >= _FOLDS else math.nan)


def retrieval_accuracy(images: Tensor, texts: Tensor, own: Tensor, k: int = 1) -> tuple[float, float]:
    """Shares of images whose own text is among the ``k`` nearest of all, and of texts whose image is.

    Args:
        images: Features of N images, N x E.
        texts: Features of T texts that all differ, T x E.
        own: Which of the texts goes with each image, N; of images of one text any counts.
        k: How many may be found.

    Returns:
        NaN where a feature is infinite or not a number.

    Raises:
        ValueError: ``k`` is not from 1 up, there are no images, or not a text for each.
    """
    if k < 1 or not len(images):
        raise ValueError(f"k is {k} and there are {len(images)} images: both must be at least 1.")
    _check_own(images, texts, own)
    if not _are_finite(images, texts):
        return math.nan, math.nan
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


def text_scores(
    pair: ImageTextEncoder,
    samples: Images,
    texts: Sequence[str],
    own: Tensor,
    n_candidates: int = 100,
    seed: int = 0,
    batch_size: int = 64,
    title: str | None = None,
) -> dict[str, float]:
    """``r_precision``, its ``r_precision_std`` and ``text_similarity``, the :func:`clip_score`, of samples of texts.

    Args:
        pair: The encoders.
        samples: N images in [-1, 1].
        texts: Those that the encoders do not tell apart count as one.
        own: Which of the texts each sample is of, N.
        n_candidates: Texts that each sample is compared with, its own included.
        seed: Of the choice of the others.
        batch_size: Samples at a time.
        title: Of a progress bar; None: no bar.

    Raises:
        ValueError: There are fewer texts than candidates.
    """
    different, places = distinct_texts(pair, texts)
    own = places[own]
    features = []
    with tqdm(total=len(samples), desc=title, unit=" images", disable=title is None) as bar:
        for images in samples.image_batches(torch.arange(len(samples)).split(batch_size)):
            features.append(encode_images(pair, images))
            bar.update(len(images))
    of_images, of_texts = torch.cat(features), sentence_features(pair, different)
    mean, std = r_precision(of_images, of_texts, own, n_candidates, seed)
    similarity = clip_score(of_images, of_texts[own.to(of_texts.device)])
    return {"r_precision": mean, "r_precision_std": std, "text_similarity": similarity}


def distinct_texts(pair: Any, texts: Sequence[str]) -> tuple[list[str], Tensor]:
    """Texts that encoders tell apart, and which of them each of N texts is, N.

    Texts may differ in words alone that the encoders' tokenizer does not know, or cuts off.
    """
    tokenizer = getattr(pair, "tokenizer", None)
    read: Sequence[Any] = texts
    if isinstance(tokenizer, TextTokenizer):
        read = [*map(tuple, tokenizer.encode(texts).tolist())]
    first: dict[Any, str] = {}
    for tokens, text in zip(read, texts, strict=True):
        first.setdefault(tokens, text)
    number = {tokens: i for i, tokens in enumerate(first)}
    return [*first.values()], torch.tensor([number[tokens] for tokens in read], dtype=torch.int64)


def encode_images(pair: ImageTextEncoder, images: Tensor) -> Tensor:
    """Features of images, which are resized where the encoders were made for another size."""
    shape = getattr(pair, "image_shape", None)
    if shape is not None and tuple(shape[1:]) != tuple(images.shape[2:]):
        images = F.interpolate(images, tuple(shape[1:]), mode="bilinear", antialias=True)
    with torch.no_grad():
        return pair.encode_images(images)


def sentence_features(pair: Any, texts: Sequence[str]) -> Tensor:
    """Features of texts, N x E."""
    with torch.no_grad():
        found = pair.encode_texts(texts)
    return found if isinstance(found, Tensor) else found.sentence


def _are_finite(images: Tensor, texts: Tensor) -> bool:
    return bool(images.isfinite().all() and texts.isfinite().all())


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
