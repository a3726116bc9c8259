"""What a published network is, once it is recognised, and the game that samples or translates with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.image import ImageGame, ImageShape
from gan_lightning.games.label import LabelGame
from gan_lightning.games.style import StyleGame
from gan_lightning.games.translation import AttributeEdits, TranslationGame, published_mode
from gan_lightning.inference.published.reading import Weights


@dataclass(frozen=True)
class Published:
    """A network of a known kind with its published weights.

    Attributes:
        recipe: Makes our network: a class, or a ``functools.partial`` of one with plain arguments.
        weights: Its complete state dict, under our names.
        player: ``generator`` or ``discriminator``.
    """

    recipe: Callable[..., nn.Module]
    weights: Weights
    player: ClassVar[str] = "generator"

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the recipe is called with, as the games call it."""
        raise NotImplementedError

    def network(self) -> nn.Module:
        """Make the network and load its weights; in evaluation mode.

        Raises:
            RuntimeError, ValueError: They do not fit.
        """
        network = self.recipe(*self.arguments)
        network.load_state_dict(self.weights)
        return network.eval()

    def game(self) -> AdversarialModule | None:
        """Make the game that samples or translates with it; None: a discriminator, which makes no images.

        Raises:
            RuntimeError, ValueError: The weights do not fit.
        """
        return None


@dataclass(frozen=True)
class PublishedDiscriminator(Published):
    """A discriminator.

    Attributes:
        image_shape: Channels, height, width of the images judged.
        num_classes: Number of classes; None: it is given images alone.
    """

    image_shape: ImageShape
    num_classes: int | None = None
    player: ClassVar[str] = "discriminator"

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.image_shape, *_given(self.num_classes))


@dataclass(frozen=True)
class PublishedGenerator(Published):
    """A generator from latents, and from labels if there are classes.

    Attributes:
        image_shape: Channels, height, width of the images made.
        latent_dim: Length of the latent.
        num_classes: Number of classes; None: it is given latents alone.
    """

    image_shape: ImageShape
    latent_dim: int
    num_classes: int | None = None

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.image_shape, self.latent_dim, *_given(self.num_classes))

    @property
    def kind(self) -> Callable[..., AdversarialModule]:
        """The game that samples with it."""
        return ReferenceGenerator if self.num_classes is None else ReferenceLabelGenerator

    def game(self) -> AdversarialModule:
        named = dict(zip(("image_shape", "latent_dim", "num_classes"), self.arguments, strict=False))
        model: AdversarialModule = self.kind(**named, generator=self.recipe)
        model.generator.load_state_dict(self.weights)
        return model


@dataclass(frozen=True)
class PublishedTextGenerator(Published):
    """A generator from latents and features of texts, whose encoder is not in its file.

    Attributes:
        image_shape: Channels, height, width of the images made.
        latent_dim: Length of the latent.
        embed_dim: Length of the features.
    """

    image_shape: ImageShape
    latent_dim: int
    embed_dim: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.image_shape, self.latent_dim, self.embed_dim)


@dataclass(frozen=True)
class PublishedTextDiscriminator(Published):
    """A discriminator of images and features of texts.

    Attributes:
        image_shape: Channels, height, width of the images judged.
        embed_dim: Length of the features.
    """

    image_shape: ImageShape
    embed_dim: int
    player: ClassVar[str] = "discriminator"

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.image_shape, self.embed_dim)


@dataclass(frozen=True)
class PublishedImageEncoder(PublishedTextDiscriminator):
    """An encoder of images to features like those of texts; it stands where games of encoders have it."""


@dataclass(frozen=True)
class PublishedTextEncoder(Published):
    """An encoder of texts, without its vocabulary; it stands where games of encoders have it.

    Attributes:
        n_tokens: Words of the vocabulary, padding among them.
    """

    n_tokens: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.n_tokens,)


@dataclass(frozen=True)
class PublishedStyleGenerator(PublishedGenerator):
    """The same with a style for each layer."""

    @property
    def kind(self) -> Callable[..., AdversarialModule]:
        return ReferenceStyleGenerator if self.num_classes is None else ReferenceLabelStyleGenerator


@dataclass(frozen=True)
class PublishedTranslator(Published):
    """A generator from images to images of the same sides.

    Attributes:
        condition_shape: Channels, height, width of the images given.
        image_shape: The same of the images made.
    """

    condition_shape: ImageShape
    image_shape: ImageShape

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (self.condition_shape, self.image_shape)

    def game(self) -> AdversarialModule:
        return ReferenceTranslator(self.network(), self.condition_shape)


def no_discriminator(*shapes: Any) -> nn.Identity:
    """There is nothing to train: a game needs a discriminator, so it gets an empty one."""
    return nn.Identity()


class ReferenceGenerator(ImageGame, discriminator=no_discriminator, ema_decay=None):
    """A single published generator of latents, for samples only: arguments of :class:`ImageGame`."""


class ReferenceLabelGenerator(LabelGame, discriminator=no_discriminator, ema_decay=None):
    """The same with classes: arguments of :class:`LabelGame`."""


class ReferenceStyleGenerator(StyleGame, ReferenceGenerator):
    """A single published generator of styles: arguments of :class:`ImageGame`."""


class ReferenceLabelStyleGenerator(StyleGame, ReferenceLabelGenerator):
    """The same with classes: arguments of :class:`LabelGame`."""


class ReferenceTranslator(TranslationGame):
    """A single generator of pix2pix or CycleGAN, for translation only.

    As in the authors' tests, images are translated one at a time with dropout and batch statistics as in training; the
    generators of CycleGAN have neither.

    Args:
        generator: Network from images to images.
        condition_shape: Channels, height, width of the input images.
    """

    def __init__(self, generator: nn.Module, condition_shape: ImageShape) -> None:
        super().__init__(generator, no_discriminator())

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        with published_mode(self.generator):
            # One by one, as in the authors' test script: BatchNorm takes the statistics of one image.
            return torch.cat([self.generator(image) for image in images.split(1)])


def _given(num_classes: int | None) -> tuple[int, ...]:
    return () if num_classes is None else (num_classes,)
