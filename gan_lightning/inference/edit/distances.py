"""By what two images are compared: their pixels, and the features of any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import import_name
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.networks.layers.frozen import Frozen
from gan_lightning.networks.vgg import VGG19Features

VGG19 = "vgg19"


def network_of(name: str, weights: str | Path | None = None) -> nn.Module:
    """The network by whose features images are compared.

    Args:
        name: ``vgg19``, or the import path of a network, of a class of one, or of a function that makes one, such as
            ``mine.faces.FaceEmbedding``.
        weights: File with VGG19's weights; see :class:`~gan_lightning.networks.vgg.VGG19Features`.

    Raises:
        ValueError: There is nothing of that name, it makes no network, or it takes no weights.
    """
    if name == VGG19:
        return VGG19Features(pooling=3, convolution=3, weights=weights)
    if weights is not None:
        raise ValueError(f"{name} takes no file of weights: only {VGG19} does.")
    try:
        found = import_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"There is no network {name!r} ({str(error).rstrip('.')}): give {VGG19}, or the import path of a network "
            "of your own, such as mine.faces.FaceEmbedding."
        ) from error
    try:
        made = found() if callable(found) and not isinstance(found, nn.Module) else found
    except TypeError as error:  # It takes arguments.
        raise ValueError(
            f"{name} cannot be called without arguments ({error}): give a network, or a function that makes one."
        ) from error
    if not isinstance(made, nn.Module):
        raise ValueError(f"{name} makes a {type(made).__name__}, and no network: give the import path of one.")
    return made


class Distance:
    """How far images are from given ones, by their pixels and by the features of a network.

    ``pixel_weight * mean (x - y)^2 + feature_weight * mean (f(x) - f(y))^2``, means over the pixels and over the
    features of an image.

    Args:
        network: f, of images N x C x H x W in [-1, 1]; a :class:`~gan_lightning.metrics.features.FeatureExtractor` that
            has a gradient is given levels from 0 to 255. It returns N x ..., several of these, or an ``Embedding``. Its
            weights are frozen, and it is in evaluation mode from now on. None: pixels alone.
        pixel_weight: Of the pixels, at least 0.
        feature_weight: Of the features, at least 0.

    Raises:
        ValueError: A weight is negative, or nothing would be compared.
    """

    def __init__(
        self, network: nn.Module | None = None, pixel_weight: float = 1.0, feature_weight: float = 1.0
    ) -> None:
        for name, weight in (("pixel_weight", pixel_weight), ("feature_weight", feature_weight)):
            if not weight >= 0:
                raise ValueError(f"{name} is {weight:g}: it must be at least 0.")
        if pixel_weight == 0 and (network is None or feature_weight == 0):
            raise ValueError("Neither pixels nor features are compared: give one of them a weight greater than 0.")
        self.network = None if network is None else Frozen(network)
        self.weights = {"pixels": pixel_weight, "features": feature_weight}

    def described(self, images: Tensor) -> dict[str, Tensor]:
        """What is compared of images, N x ... each: their pixels, and their features where there is a network."""
        described = {"pixels": images.flatten(1)}
        if self.network is not None:
            described["features"] = self._features(images)
        return described

    def _features(self, images: Tensor) -> Tensor:
        assert self.network is not None
        name = type(self.network.network).__name__
        takes_levels = isinstance(self.network.network, FeatureExtractor)
        try:
            found: Any = self.network.to(images.device)((images + 1) * 127.5 if takes_levels else images)
        except (RuntimeError, ValueError, TypeError) as error:
            shape = " x ".join(map(str, images.shape[1:]))
            raise ValueError(f"{name} cannot compare images of {shape}: {str(error).partition(chr(10))[0]}") from error
        found = getattr(found, "features", found)
        parts = [found] if isinstance(found, Tensor) else [*found]
        features = torch.cat([part.flatten(1).float() for part in parts], dim=1)
        if images.requires_grad and not features.requires_grad:
            raise ValueError(f"{name} has no gradient with respect to its images, so no latent can follow it.")
        return features

    def terms(self, made: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Mean squared differences of each image, N each, without weights."""
        return {name: (made[name] - given[name]).square().mean(1) for name in given}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of :meth:`terms`, of the shape of each."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum(0)

    def between(self, made: dict[str, Tensor], given: dict[str, Tensor]) -> Tensor:
        """The distance of each of K images from each of N given ones, N x K."""
        squares = {name: torch.cdist(given[name], made[name]).square() / given[name].shape[1] for name in given}
        return self.total(squares)
