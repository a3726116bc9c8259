"""Metrics by name: the statistics that each needs, and the function that computes it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.metrics.density_coverage import COVERAGE_NEIGHBOURS, DensityCoverage
from gan_lightning.metrics.feature_pass import Embedded
from gan_lightning.metrics.features import DINOV2, INCEPTION, VGG16, FeatureExtractor
from gan_lightning.metrics.frechet import covariance_factor, distance_to_factor
from gan_lightning.metrics.inception_score import class_score
from gan_lightning.metrics.kid import kernel_distance
from gan_lightning.metrics.precision_recall import (
    NEIGHBOURS,
    PrecisionRecall,
    nearest_distances,
    radii,
    tally_distances,
)

Reference = Mapping[str, Mapping[str, Tensor]]
"""Statistics of the real images by part, each a few named tensors."""


@dataclass(frozen=True)
class Options:
    """How the metrics are computed.

    Attributes:
        kid_subsets: Random subsets that KID is the mean over.
        kid_subset_size: Images in each; fewer where there are fewer.
        device: Where distances between features are computed.

    Raises:
        ValueError: A number is out of its range.
    """

    kid_subsets: int = 100
    kid_subset_size: int = 1000
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        check_whole(1, kid_subsets=self.kid_subsets)
        check_whole(2, kid_subset_size=self.kid_subset_size)


@dataclass(frozen=True)
class Metric:
    """One metric, or several that share their work.

    Attributes:
        names: Of the numbers that it computes.
        extractor: torch-fidelity's name of the default extractor.
        samples: Parts of :class:`Embedded` that it needs of the samples.
        real: Keys of ``REFERENCE_PARTS`` that it needs of the real images.
        score: Computes them.
    """

    names: tuple[str, ...]
    extractor: str
    samples: frozenset[str]
    real: frozenset[str]
    score: Callable[[Embedded, Reference, Options], tuple[float, ...]]


# What is kept of the real images.


def _gaussian(real: Embedded, options: Options) -> dict[str, Tensor]:
    assert real.gaussian is not None
    factor = real.gaussian.factor
    if factor is None:
        factor = covariance_factor(real.gaussian.cov)
    # The factor instead of the covariance: it is the same for all samples that are compared with these images.
    return {"mean": real.gaussian.mean, "factor": factor}


def _features(real: Embedded, options: Options) -> dict[str, Tensor]:
    assert real.features is not None
    return {"features": real.features}


def _nearest(real: Embedded, options: Options) -> dict[str, Tensor]:
    assert real.features is not None
    # They depend on the real images alone, so they are kept like their features; all that any metric looks at, once.
    k = max(min(COVERAGE_NEIGHBOURS, len(real.features) - 1), NEIGHBOURS)
    return {"distances": nearest_distances(real.features.to(options.device), k).cpu()}


REFERENCE_PARTS: dict[str, tuple[str, Callable[[Embedded, Options], dict[str, Tensor]]]] = {
    # part: (the part of Embedded that it is made from, how)
    "gaussian": ("gaussian", _gaussian),
    "features": ("features", _features),
    "nearest": ("features", _nearest),
}


# The metrics.


def _fid(samples: Embedded, real: Reference, options: Options) -> tuple[float, ...]:
    assert samples.gaussian is not None
    kept, found = real["gaussian"], samples.gaussian
    return (distance_to_factor(kept["mean"], kept["factor"], found.mean, found.cov, found.factor),)


def _kid(samples: Embedded, real: Reference, options: Options) -> tuple[float, ...]:
    x, y = _both(samples, real, options)
    size = min(options.kid_subset_size, len(x), len(y))
    return (kernel_distance(x, y, options.kid_subsets, size),)


def _inception_score(samples: Embedded, real: Reference, options: Options) -> tuple[float, ...]:
    assert samples.logits is not None
    return (class_score(samples.logits),)


def _neighbours(samples: Embedded, real: Reference, options: Options) -> tuple[float, ...]:
    """Precision, recall, density and coverage, from one pass over the distances."""
    ours, theirs = _both(samples, real, options)
    nearest = real["nearest"]["distances"].to(options.device)
    within = PrecisionRecall(nearest[:, NEIGHBOURS - 1], radii(ours))
    if nearest.shape[1] < COVERAGE_NEIGHBOURS:  # too few images for these, and then they were not asked for
        tally_distances(ours, theirs, within)
        return (*within.result(), math.nan, math.nan)
    dense = DensityCoverage(nearest[:, COVERAGE_NEIGHBOURS - 1])
    tally_distances(ours, theirs, within, dense)
    return (*within.result(), *dense.result())


def _both(samples: Embedded, real: Reference, options: Options) -> tuple[Tensor, Tensor]:
    assert samples.features is not None
    return samples.features.to(options.device), real["features"]["features"].to(options.device)


def _metric(
    score: Callable[[Embedded, Reference, Options], tuple[float, ...]],
    names: str,
    extractor: str,
    samples: str,
    real: str = "",
) -> Metric:
    return Metric(tuple(names.split()), extractor, frozenset(samples.split()), frozenset(real.split()), score)


# To add a metric: write its function above and one line here.
_ALL = (
    _metric(_fid, "fid", INCEPTION, samples="gaussian", real="gaussian"),
    _metric(_kid, "kid", INCEPTION, samples="features", real="features"),
    _metric(_inception_score, "inception_score", INCEPTION, samples="logits"),
    _metric(_neighbours, "precision recall density coverage", VGG16, samples="features", real="features nearest"),
    _metric(_fid, "fd_dinov2", DINOV2, samples="gaussian", real="gaussian"),
    _metric(_kid, "kd_dinov2", DINOV2, samples="features", real="features"),
)

_OF_DINOV2 = {"fid": "fd_dinov2", "kid": "kd_dinov2"}

METRICS: dict[str, Metric] = {name: metric for metric in _ALL for name in metric.names}

TEXT_METRICS = ("r_precision", "r_precision_std", "text_similarity")
"""Names of the metrics of samples and their texts, which look at no real images; see ``metrics/retrieval.py``."""


def select_metrics(names: Iterable[str]) -> list[Metric]:
    """The metrics that compute these numbers, each once.

    Raises:
        ValueError: There is no metric of that name, or no name at all, or a name alone in place of a list.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"metrics is {names!r}: it must be a list, of some of {', '.join(METRICS)}.")
    names = list(names)
    for name in names:
        if name in TEXT_METRICS:
            raise ValueError(
                f"{name} compares samples with their texts and not with real images: `gan-lightning evaluate` and the "
                "callback TextRetrieval measure it."
            )
        if not isinstance(name, str) or name not in METRICS:
            raise ValueError(f"There is no metric {name!r}: choose from {', '.join(METRICS)}.")
    if not names:
        raise ValueError(f"No metric was chosen: choose from {', '.join(METRICS)}.")
    return [metric for metric in _ALL if set(metric.names) & set(names)]


def reported_name(name: str, extractor: FeatureExtractor) -> str:
    """Name under which a metric is reported: with the extractor's name unless the features are the published ones.

    ``fid``, but ``fid_pixels``; ``precision``, but ``precision_inception``; ``inception_score``, but
    ``classifier_score``; ``fd_dinov2`` and ``kd_dinov2``, whether they or FID and KID of DINOv2 were asked for.

    Raises:
        ValueError: It scores classes, and the extractor gives none; or it is of DINOv2's features and these are not.
    """
    if name == "inception_score":
        if extractor.class_score is None:
            raise ValueError(
                f"inception_score needs class scores, and the extractor {extractor.name} gives none: leave that metric "
                "out, or take an extractor that does."
            )
        return extractor.class_score
    is_dinov2 = extractor.name.partition("_")[0] == DINOV2  # dinov2_vitb14, but not torch-fidelity's dinov2-vit-b-14
    if name in _OF_DINOV2.values() and not is_dinov2:
        raise ValueError(
            f"{name} is of DINOv2's features, and the extractor is {short_name(extractor.name)}: take fid and kid of "
            "its features, or leave the extractor out, which gives each metric its own."
        )
    if is_dinov2:
        # A Frechet distance in other features than Inception's is no FID; its letters are the paper's.
        letters = _OF_DINOV2.get(name, name).removesuffix(f"_{DINOV2}")
        return f"{letters}_{extractor.name}"
    if extractor.name == METRICS[name].extractor:
        return name
    return f"{name}_{short_name(extractor.name)}"


def short_name(extractor: str) -> str:
    """Name of an extractor for users."""
    return "inception" if extractor == INCEPTION else extractor
