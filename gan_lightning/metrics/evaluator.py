"""Judge samples against real images: the metrics, the extractor and the real images' statistics together."""

import math
import warnings
from collections.abc import Iterable

import torch

from gan_lightning.metrics.embed import Embedded, embed
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.parallel import on_rank_zero, rank_and_size
from gan_lightning.metrics.scores import REFERENCE_PARTS, Reference, chosen
from gan_lightning.metrics.sources import Images


class Evaluator:
    """Computes metrics of samples against one set of real images.

    Args:
        metrics: Names from ``METRICS``.
        extractor: What the metrics look at.
        batch_size: Images embedded at a time.
        device: Where to embed.
    """

    def __init__(
        self,
        metrics: Iterable[str],
        extractor: FeatureExtractor,
        batch_size: int = 64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.names = list(metrics)
        self.metrics = chosen(self.names)
        self.extractor = extractor.eval().to(device)
        self.batch_size = batch_size
        self.device = device

    def describe(self, real: Images, title: str | None = None) -> Reference:
        """What the metrics need of the real images. All processes call this; the first one gets the answer."""
        wanted = sorted({part for metric in self.metrics for part in metric.real})
        if not wanted:
            return {}
        sources = {REFERENCE_PARTS[part][0] for part in wanted}
        embedded = embed(real, self.extractor, sources, self.batch_size, self.device, title)
        if rank_and_size()[0] > 0:
            return {}
        return {part: REFERENCE_PARTS[part][1](embedded) for part in wanted}

    def score(self, samples: Images, reference: Reference, title: str | None = None) -> dict[str, float]:
        """The metrics of samples; the same numbers in every process. NaN where a sample is not a number."""
        parts = {part for metric in self.metrics for part in metric.samples}
        embedded = embed(samples, self.extractor, parts, self.batch_size, self.device, title)
        return on_rank_zero(lambda: self._scores(embedded, reference))

    def _scores(self, embedded: Embedded, reference: Reference) -> dict[str, float]:
        if not embedded.is_finite():
            warnings.warn("Some samples are infinite or not a number: every metric is NaN.", stacklevel=2)
            return dict.fromkeys(self.names, math.nan)
        scores: dict[str, float] = {}
        for metric in self.metrics:
            scores |= metric.score(embedded, reference)
        return {name: scores[name] for name in self.names}
