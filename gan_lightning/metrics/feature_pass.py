"""One pass of an extractor over images, in all processes together."""

from collections.abc import Set
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from gan_lightning.metrics.features import Embedding, FeatureExtractor
from gan_lightning.metrics.image_sources import Images
from gan_lightning.metrics.running_moments import Gaussian, RunningMoments
from gan_lightning.trainer.processes import gather_rows, rank_and_size, share
from gan_lightning.visualization.images import to_uint8


@dataclass(frozen=True)
class Embedded:
    """Features of a set of images; parts that were not requested are None.

    Attributes:
        count: How many images, N.
        gaussian: Mean and covariance of their features.
        features: N x d, on the CPU.
        logits: N x classes, on the CPU.
    """

    count: int
    gaussian: Gaussian | None = None
    features: Tensor | None = None
    logits: Tensor | None = None

    def is_finite(self) -> bool:
        """Whether no image and no feature was infinite or not a number."""
        parts = [self.features, self.logits, self.gaussian and self.gaussian.cov]
        return all(bool(part.isfinite().all()) for part in parts if isinstance(part, Tensor))


@torch.no_grad()
def embed(
    images: Images,
    extractor: FeatureExtractor,
    parts: Set[str],
    batch_size: int = 64,
    device: torch.device | str = "cpu",
    title: str | None = None,
) -> Embedded:
    """Compute features of images, each rank of its share. Collective: the same arguments on all ranks.

    Args:
        images: At least two.
        extractor: On ``device``, in evaluation mode.
        parts: Attributes of :class:`Embedded` to fill. Unless ``features`` or ``logits`` are among them, no more than
            a batch of them is held.
        batch_size: Images embedded at a time.
        device: Where to embed.
        title: Of a progress bar; None: no bar.
    """
    rank, world_size = rank_and_size()
    batches = torch.arange(len(images)).split(batch_size)
    # Whole batches, so that the features are the same bits for any number of ranks.
    own = share(batches, rank, world_size)
    moments = RunningMoments()
    kept: dict[str, list[Tensor]] = {name: [] for name in ("features", "logits") if name in parts}
    # A rank without a batch embeds one all the same, to know the width d of its empty share (0 x d).
    todo = own or [batches[0]]
    with tqdm(total=sum(map(len, own)), desc=title, unit=" images", disable=title is None or rank > 0) as bar:
        for indices, batch in zip(todo, images.image_batches(todo), strict=True):
            embedding = _embed(batch.to(device), extractor)
            if not own:
                embedding = Embedding(
                    embedding.features[:0], None if embedding.logits is None else embedding.logits[:0]
                )
            if "gaussian" in parts:
                # Added up batch by batch: FID needs no features in memory.
                moments.add(embedding.features)
            for name, rows in kept.items():
                rows.append(getattr(embedding, name))
            bar.update(len(indices))
    # Rows of all ranks, in the order of the images.
    found = {name: gather_rows(torch.cat(rows), batches).cpu() for name, rows in kept.items()}
    return Embedded(len(images), moments.result() if "gaussian" in parts else None, **found)


def _embed(images: Tensor, extractor: FeatureExtractor) -> Embedding:
    """Features of one batch. Those of an image that is not a number are not numbers either."""
    if not images.is_floating_point():
        return extractor(to_uint8(images))
    # NaN or infinite pixels: embed zeros, then set the features to NaN.
    broken = ~images.isfinite().flatten(1).all(dim=1)
    embedding: Embedding = extractor(to_uint8(images.nan_to_num()))
    for rows in (embedding.features, embedding.logits):
        if rows is not None:
            rows[broken] = torch.nan
    return embedding
