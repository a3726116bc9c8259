"""Evaluate samples against real images, with the real images' statistics cached."""

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from gan_lightning.metrics.cache import Key, TensorCache, Tensors
from gan_lightning.metrics.digest import digest_of_images
from gan_lightning.metrics.feature_pass import Embedded, embed
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.image_sources import Images
from gan_lightning.metrics.registry import REFERENCE_PARTS, Options, Reference, reported_name, select_metrics
from gan_lightning.trainer.processes import on_rank_zero, rank_and_size


class Evaluator:
    """Computes metrics of samples against real images, in all processes together.

    Args:
        metrics: Names from ``METRICS``.
        extractor: What the metrics look at.
        cache: Where the statistics of real images are kept. None: they are not.
        batch_size: Images embedded at a time.
        device: Where to compute.
        options: How to compute the metrics.

    Raises:
        ValueError: There is no such metric, or the extractor has no classifier.
    """

    def __init__(
        self,
        metrics: Iterable[str],
        extractor: FeatureExtractor,
        cache: TensorCache | None = None,
        batch_size: int = 64,
        device: torch.device | str = "cpu",
        options: Options | None = None,
    ) -> None:
        self.names = list(metrics)
        self.metrics = select_metrics(self.names)
        self._called = {name: reported_name(name, extractor) for name in self.names}
        self.extractor = extractor.eval().to(device)
        self.cache = cache
        self.batch_size = batch_size
        self.device = device
        self.options = replace(options or Options(), device=device)

    def describe(self, real: Images, label: str = "images", title: str | None = None) -> Reference:
        """Statistics of the real images that the metrics need, from the cache or computed now. Collective.

        Args:
            real: Their images.
            label: Names the data and its split in the cache, where a newer version replaces an older one.
            title: Of a progress bar; None: no bar.

        Returns:
            The statistics on rank 0, an empty mapping on the other ranks.
        """
        wanted = sorted({part for metric in self.metrics for part in metric.real})
        known: dict[str, Tensors] = {}
        key: dict[str, str | int] = {}

        def missing() -> list[str]:
            if self.cache is None or not wanted:
                return wanted
            key.update(self._key(real))
            for part in wanted:
                if (tensors := self.cache.load(self._entry(label, real, part), key)) is not None:
                    known[part] = tensors
            return [part for part in wanted if part not in known]

        # Rank 0 alone reads the cache; all ranks learn what is missing, since embedding is collective.
        todo = on_rank_zero(missing)
        if todo:
            embedded = self._embed(real, {REFERENCE_PARTS[part][0] for part in todo}, title)
            if rank_and_size()[0] == 0:
                for part in todo:
                    known[part] = self._keep(part, embedded, self._entry(label, real, part), key)
        return known

    def score(self, samples: Images, reference: Reference, title: str | None = None) -> dict[str, float]:
        """The metrics of samples by name, the same numbers in every process; NaN if a sample is not a number.

        Their names are those of :func:`gan_lightning.metrics.registry.reported_name`.
        """
        parts = {part for metric in self.metrics for part in metric.samples}
        embedded = self._embed(samples, parts, title)
        return on_rank_zero(lambda: self._scores(embedded, reference))

    def _scores(self, embedded: Embedded, reference: Reference) -> dict[str, float]:
        if not embedded.is_finite():
            warnings.warn(
                "Some samples, or what the extractor makes of them, are infinite or not a number: every metric is NaN.",
                stacklevel=2,
            )
            # NaN and no error: a diverged run goes on or ends by its own rules.
            return dict.fromkeys(self._called.values(), math.nan)
        # Before the metrics: a clear message instead of a matrix product's.
        _check_dimensions(embedded, reference)
        _warn_of_rank(embedded)
        scores: dict[str, float] = {}
        with _full_precision():
            for metric in self.metrics:
                scores |= zip(metric.names, metric.score(embedded, reference, self.options), strict=True)
        return {self._called[name]: scores[name] for name in self.names}

    def _embed(self, images: Images, parts: set[str], title: str | None) -> Embedded:
        with _full_precision():
            return embed(images, self.extractor, parts, self.batch_size, self.device, title)

    def _keep(self, part: str, embedded: Embedded, entry: str, key: Key) -> Tensors:
        with _full_precision():
            # What is cached is the part's result, such as a factor of the covariance: it serves all samples to come.
            tensors = REFERENCE_PARTS[part][1](embedded, self.options)
        if self.cache is not None:
            self.cache.store(entry, key, tensors)
        return tensors

    def _entry(self, label: str, real: Images, part: str) -> str:
        return f"statistics/{label}-{len(real)}/{self.extractor.name}/{part}"

    def _key(self, real: Images) -> dict[str, str | int]:
        return {
            "images": digest_of_images(real),
            "extractor weights": self.extractor.fingerprint(),
            "number of images": len(real),
        }


def _check_dimensions(embedded: Embedded, reference: Reference) -> None:
    # d, the number of features, from whatever is known of either side.
    known = [embedded.features, embedded.gaussian and embedded.gaussian.mean]
    real = [reference.get("features", {}).get("features"), reference.get("gaussian", {}).get("mean")]
    for ours, theirs in zip(known, real, strict=True):
        if isinstance(ours, Tensor) and theirs is not None and ours.shape[-1] != theirs.shape[-1]:
            raise ValueError(
                f"A sample has {ours.shape[-1]} features and a real image has {theirs.shape[-1]}: the extractor takes "
                "images of one size and number of channels only."
            )


def _warn_of_rank(embedded: Embedded) -> None:
    gaussian = embedded.gaussian
    if gaussian is not None and gaussian.count <= len(gaussian.mean):
        warnings.warn(
            f"FID from {gaussian.count} samples in {len(gaussian.mean)} feature dimensions: their covariance cannot "
            "have full rank, and the distance comes out too large. Take more samples, or an extractor of fewer "
            "dimensions, before you compare it with other numbers of samples.",
            stacklevel=2,
        )


@contextmanager
def _full_precision() -> Iterator[None]:
    """Disable TensorFloat-32 on GPUs: it changes the third digit of the scores."""
    matmul = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolutions
