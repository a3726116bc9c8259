"""The metrics by name: what each needs to know of the samples and of the real images, and how it is computed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from gan_lightning.metrics.embed import Embedded
from gan_lightning.metrics.frechet import covariance_root, distance_to_root

Reference = Mapping[str, Mapping[str, Tensor]]
"""What is kept of the real images: the parts below, each a few named tensors."""

REFERENCE_PARTS: dict[str, tuple[str, Callable[[Embedded], dict[str, Tensor]]]] = {
    # part: (what it is made from, how)
    "gaussian": ("gaussian", lambda real: _gaussian(real)),
}


@dataclass(frozen=True)
class Metric:
    """One metric, or several that share their work.

    Attributes:
        names: Of the numbers that it gives.
        samples: Parts of :class:`Embedded` that it needs of the samples.
        real: Keys of ``REFERENCE_PARTS`` that it needs of the real images.
        score: Computes them.
    """

    names: tuple[str, ...]
    samples: frozenset[str]
    real: frozenset[str]
    score: Callable[[Embedded, Reference], dict[str, float]]


def _gaussian(real: Embedded) -> dict[str, Tensor]:
    assert real.gaussian is not None
    return {"mean": real.gaussian.mean, "root": covariance_root(real.gaussian.cov)}


def _fid(samples: Embedded, real: Reference) -> dict[str, float]:
    assert samples.gaussian is not None
    mean, root = real["gaussian"]["mean"], real["gaussian"]["root"]
    return {"fid": distance_to_root(mean, root, samples.gaussian.mean, samples.gaussian.cov)}


_ALL = (Metric(("fid",), frozenset({"gaussian"}), frozenset({"gaussian"}), _fid),)

METRICS: dict[str, Metric] = {name: metric for metric in _ALL for name in metric.names}


def chosen(names: Iterable[str]) -> list[Metric]:
    """The metrics that give these numbers, each once.

    Raises:
        ValueError: There is no metric of that name, or no name at all.
    """
    names = list(names)
    for name in names:
        if name not in METRICS:
            raise ValueError(f"There is no metric {name!r}: choose from {', '.join(METRICS)}.")
    if not names:
        raise ValueError(f"No metric was chosen: choose from {', '.join(METRICS)}.")
    return [metric for metric in _ALL if set(metric.names) & set(names)]
