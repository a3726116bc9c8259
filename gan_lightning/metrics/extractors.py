"""Feature extractors by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datamodules.components.loading import ImageSource
from gan_lightning.arguments.recipes import import_name
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.classifier import trained_classifier
from gan_lightning.metrics.dinov2 import DINOv2
from gan_lightning.metrics.features import (
    DINOV2,
    INCEPTION,
    FeatureExtractor,
    Pixels,
    RegisteredExtractor,
    registered_extractors,
)
from gan_lightning.metrics.registry import METRICS, reported_name, select_metrics, short_name

WeightsPath = str | Path | Mapping[str, str | Path]
"""A file of weights; or several, each by the name of its extractor."""


@dataclass(frozen=True)
class Ingredients:
    """Weights, data and cache from which an extractor is made.

    Attributes:
        weights_path: File with weights, or one for each extractor by its name; None if the user gave none.
        training_images: Makes the data's training images, with labels; called only by what learns from them.
        cache: Where to keep what was learnt.
    """

    weights_path: WeightsPath | None = None
    training_images: Callable[[], ImageSource] | None = None
    cache: TensorCache = field(default_factory=TensorCache)


def extractors_of(
    metrics: Iterable[str], extractor: str | type[FeatureExtractor] | FeatureExtractor | None, ingredients: Ingredients
) -> dict[str, FeatureExtractor]:
    """Map each metric to its extractor; metrics of the same features share one.

    Args:
        metrics: Names from ``METRICS``.
        extractor: For all of them; see :func:`make_extractor`. None: to each its own, as torch-fidelity has it,
            Inception's features to FID, KID and Inception Score, VGG16's to precision, recall, density and coverage,
            and DINOv2's to the distances of that name.
        ingredients: What they may be made from.

    Raises:
        ValueError: There is no such metric or extractor, or one file of weights for two extractors, or the extractor
            gives no classes to score.
        FileNotFoundError: The weights are missing.
    """
    names = list(metrics)
    select_metrics(names)
    kinds = {name: short_name(METRICS[name].extractor) if extractor is None else extractor for name in names}
    # One file of weights cannot serve two extractors.
    different = list(dict.fromkeys(kinds.values()))
    given = ingredients.weights_path
    if len(different) > 1 and given is not None and not isinstance(given, Mapping):
        raise ValueError(
            f"weights_path is one file, {given}, and {', '.join(names)} take two extractors, "
            f"{' and '.join(map(str, different))}: name the file of each, {different[0]}=FILE {different[1]}=FILE, or "
            "choose one extractor for all."
        )
    made = {kind: make_extractor(kind, ingredients) for kind in different}
    found = {name: made[kind] for name, kind in kinds.items()}
    for name, each in found.items():
        # It raises where the Inception Score would be of no classes: now, and not after the first pass.
        reported_name(name, each)
    return found


def _inception(ingredients: Ingredients) -> FeatureExtractor:
    return RegisteredExtractor(INCEPTION, _own_file("inception", ingredients))


def _dinov2(ingredients: Ingredients) -> FeatureExtractor:
    return DINOv2(_own_file(DINOV2, ingredients))


def _classifier(ingredients: Ingredients) -> FeatureExtractor:
    _refuse_weights("classifier", ingredients)
    if ingredients.training_images is None:
        raise ValueError("The extractor 'classifier' learns from labels: give it a data module that has some.")
    return trained_classifier(ingredients.training_images(), ingredients.cache)


def _pixels(ingredients: Ingredients) -> FeatureExtractor:
    _refuse_weights("pixels", ingredients)
    return Pixels()


def _refuse_weights(name: str, ingredients: Ingredients) -> None:
    if _own_file(name, ingredients) is not None:
        raise ValueError(f"The extractor {name!r} takes no weights_path.")


def _own_file(name: str, ingredients: Ingredients) -> str | Path | None:
    """The file of weights of one extractor."""
    given = ingredients.weights_path
    if not isinstance(given, Mapping):
        return given
    known = [*EXTRACTORS, *registered_extractors()]
    for other in given:
        if other not in known:
            raise ValueError(f"weights_path names an extractor {other!r}, and there is none: choose from {known}.")
    return next((path for other, path in given.items() if short_name(other) == short_name(name)), None)


EXTRACTORS: dict[str, Callable[[Ingredients], FeatureExtractor]] = {
    "inception": _inception,
    DINOV2: _dinov2,
    "classifier": _classifier,
    "pixels": _pixels,
}


def make_extractor(
    extractor: str | type[FeatureExtractor] | FeatureExtractor, ingredients: Ingredients
) -> FeatureExtractor:
    """An extractor from whatever names it.

    Args:
        extractor: inception, dinov2, classifier, pixels, a name in torch-fidelity's registry, the import path of a
            FeatureExtractor, or the class or object itself.
        ingredients: What it may be made from.

    Raises:
        ValueError: Nothing has that name, or it takes no weights.
        FileNotFoundError: Its weights are missing.
    """
    if isinstance(extractor, str) and extractor in EXTRACTORS:
        return EXTRACTORS[extractor](ingredients)
    if isinstance(extractor, str) and extractor in registered_extractors():
        return RegisteredExtractor(extractor, _own_file(extractor, ingredients))
    found = _imported(extractor)
    if ingredients.weights_path is not None and not isinstance(ingredients.weights_path, Mapping):
        raise ValueError(f"The extractor {found.name!r} takes no weights_path.")
    # A class is made without arguments: what it needs it finds itself.
    return found if isinstance(found, FeatureExtractor) else found()


def _imported(extractor: Any) -> type[FeatureExtractor] | FeatureExtractor:
    found = extractor
    if isinstance(extractor, str):
        try:
            found = import_name(extractor)
        except (ImportError, AttributeError, ValueError):
            found = None
    if isinstance(found, FeatureExtractor) or (isinstance(found, type) and issubclass(found, FeatureExtractor)):
        return found
    names = ", ".join([*EXTRACTORS, *registered_extractors()])
    raise ValueError(
        f"There is no extractor {extractor!r}: choose from {names}, or give the import path of a FeatureExtractor."
    )
