"""The extractors by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from datamodules.loading import ImageSource
from gan_lightning.factories import import_name
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.classifier import trained_classifier
from gan_lightning.metrics.features import INCEPTION, FeatureExtractor, Pixels, RegisteredExtractor


@dataclass(frozen=True)
class Ingredients:
    """What an extractor can be made from.

    Attributes:
        weights_path: File with weights; None if the user gave none.
        training_images: Makes the data's training images, with labels; called only by what learns from them.
        cache: Where to keep what was learnt.
    """

    weights_path: str | Path | None = None
    training_images: Callable[[], ImageSource] | None = None
    cache: TensorCache = field(default_factory=TensorCache)


def _inception(ingredients: Ingredients) -> FeatureExtractor:
    return RegisteredExtractor(INCEPTION, ingredients.weights_path)


def _classifier(ingredients: Ingredients) -> FeatureExtractor:
    _refuse_weights("classifier", ingredients)
    if ingredients.training_images is None:
        raise ValueError("The extractor 'classifier' learns from labels: give it a data module that has some.")
    return trained_classifier(ingredients.training_images(), ingredients.cache)


def _pixels(ingredients: Ingredients) -> FeatureExtractor:
    _refuse_weights("pixels", ingredients)
    return Pixels()


def _refuse_weights(name: str, ingredients: Ingredients) -> None:
    if ingredients.weights_path is not None:
        raise ValueError(f"The extractor {name!r} takes no weights_path.")


EXTRACTORS: dict[str, Callable[[Ingredients], FeatureExtractor]] = {
    "inception": _inception,
    "classifier": _classifier,
    "pixels": _pixels,
}


def make_extractor(
    extractor: str | type[FeatureExtractor] | FeatureExtractor, ingredients: Ingredients
) -> FeatureExtractor:
    """An extractor from whatever names it.

    Args:
        extractor: inception, classifier, pixels, a name in torch-fidelity's registry, the import path of a
            FeatureExtractor, or the class or object itself.
        ingredients: What it may be made from.

    Raises:
        ValueError: Nothing has that name.
        FileNotFoundError: Its weights are missing.
    """
    if isinstance(extractor, FeatureExtractor):
        return extractor
    if isinstance(extractor, type):
        return extractor()
    if extractor in EXTRACTORS:
        return EXTRACTORS[extractor](ingredients)
    if extractor in FEATURE_EXTRACTORS_REGISTRY:
        return RegisteredExtractor(extractor, ingredients.weights_path)
    return _imported(extractor)()


def _imported(path: str) -> type[FeatureExtractor]:
    try:
        found = import_name(path)
    except (ImportError, AttributeError, ValueError):
        found = None
    if isinstance(found, type) and issubclass(found, FeatureExtractor):
        return found
    names = ", ".join([*EXTRACTORS, *FEATURE_EXTRACTORS_REGISTRY])
    raise ValueError(
        f"There is no extractor {path!r}: choose from {names}, or give the import path of a FeatureExtractor."
    )
