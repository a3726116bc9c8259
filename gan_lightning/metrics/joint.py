"""Evaluation with several extractors: one pass over the images for each."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.image_sources import Images
from gan_lightning.metrics.registry import Reference, reported_name


class JointEvaluator:
    """Computes metrics of samples against real images, each of its own extractor's features, in all processes together.

    Args:
        extractors: That of each metric, by the metric's name.
        arguments: Of each :class:`Evaluator`, beside its metrics and its extractor.

    Raises:
        ValueError: There is no such metric, or the extractor has no classifier.
    """

    def __init__(self, extractors: Mapping[str, FeatureExtractor], **arguments: Any) -> None:
        self.names = [reported_name(name, extractor) for name, extractor in extractors.items()]
        different = {id(extractor): extractor for extractor in extractors.values()}
        self.evaluators = [
            # One evaluator an extractor, with all metrics of its features.
            Evaluator([name for name, own in extractors.items() if own is extractor], extractor, **arguments)
            for extractor in different.values()
        ]

    def describe(self, real: Images, label: str = "images", title: str | None = None) -> list[Reference]:
        """Statistics of the real images for each extractor; see :meth:`Evaluator.describe`."""
        return [evaluator.describe(real, label, title) for evaluator in self.evaluators]

    def score(self, samples: Images, references: Sequence[Reference], title: str | None = None) -> dict[str, float]:
        """The metrics of samples by name, in the order requested; see :meth:`Evaluator.score`."""
        scores: dict[str, float] = {}
        for evaluator, reference in zip(self.evaluators, references, strict=True):
            scores |= evaluator.score(samples, reference, title)
        return {name: scores[name] for name in self.names}
