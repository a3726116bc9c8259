"""Image-to-image games: a generator that maps an image to an image."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.hints import Hint
from gan_lightning.games.portable import Applied, Portable, images_of
from gan_lightning.games.randomness import own_randomness
from gan_lightning.losses import Terms
from gan_lightning.trainer.layer_kinds import BATCH_NORMS, DROPOUTS
from gan_lightning.trainer.loader_batches import image_pair

AttributeEdits = Mapping[str, bool]
"""Attributes that a translated image is to have (True) or not to have (False), by name."""


class TranslationGame(AdversarialModule):
    """A game whose generator turns images into images.

    A variant overrides :meth:`translate_batch`, :meth:`picture_columns` and, if validation measures something,
    :meth:`validation_metrics`.

    Args:
        generator: Network from images to images.
        discriminator: Network that judges them.
        ema_decay: Decay of the moving average of the generator's weights, which makes all translations. None, as in the
            papers: no average.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    directions: ClassVar[tuple[str, ...]] = ()
    """Names of the directions of translation, if there are several; the first is the default."""

    guidance: ClassVar[tuple[str, ...]] = ()
    """What :meth:`translate_batch` takes beside images, as arguments of these names: hints, reference, strength."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, ema_decay: float | None = None, **game: Any
    ) -> None:
        super().__init__(generator=generator, discriminator=discriminator, ema_decay=ema_decay, **game)

    # Hooks of a variant.

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        """Translate images, N x C x H x W, whose sides are multiples of :attr:`side_multiple`.

        What :attr:`guidance` names are further arguments, with defaults.
        """
        return self.averaged_generator(images)

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """Metrics of a validation batch, which has no fakes: named scalars, means over its examples."""
        return {}

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Columns of a picture with a row per example: images, N x C x H x W each."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what a picture of an example shows: picture_columns."
        )

    @property
    def column_captions(self) -> Sequence[str]:
        """Captions of :meth:`picture_columns`, one each; empty: no captions."""
        return ()

    @property
    def target_domains(self) -> Sequence[str]:
        """Names of the domains that images can be translated to, if they have names."""
        return ()

    @property
    def every_edit(self) -> Mapping[str, AttributeEdits]:
        """Edits for each class, or of each single attribute, by their names in a strip; empty: there are none."""
        return {}

    def of_domain(self, name: str) -> tuple[str | None, AttributeEdits]:
        """Direction and attributes, as of :meth:`translate`, of images that are to be of a domain.

        Raises:
            ValueError: There is no such domain.
        """
        known = f"choose {', '.join(self.target_domains)}" if self.target_domains else "it translates one way only"
        raise ValueError(f"{type(self).__name__} has no domain {name!r}: {known}.")

    # Translation of images of any size.

    @property
    def side_multiple(self) -> int:
        """Number of which the generator's input sides must be multiples."""
        return self._largest("side_multiple")

    @property
    def given_channels(self) -> int:
        """Channels of the input images: 1 (grey) or 3 (RGB)."""
        # The condition's shape where the game has one, such as pix2pix; else that of its images; else RGB.
        shape = self.hparams.get("condition_shape") or self.hparams.get("image_shape") or (3,)
        return int(shape[0])

    @property
    def reference_channels(self) -> int:
        """Channels of a reference, those of the images made: 1 (grey) or 3 (RGB)."""
        return int((self.hparams.get("image_shape") or (3,))[0])

    def translate(
        self,
        images: Tensor,
        direction: str | None = None,
        attributes: AttributeEdits | None = None,
        seed: int = 0,
        hints: Sequence[Hint] = (),
        reference: Tensor | None = None,
        strength: float | None = None,
    ) -> Tensor:
        """Translate images of any size by the averaged generator.

        Sides that are too small, or no multiple of :attr:`side_multiple`, are padded by reflection, and the result is
        cropped.

        Args:
            images: N x C x H x W in [-1, 1].
            direction: One of :attr:`directions`. None: the first, or the only one.
            attributes: Attributes to set (True) or to clear (False), for games that have attributes.
            seed: Seed of random numbers in the generator, if any; one sequence for the whole batch.
            hints: Colours at points of the images, for games that take them.
            reference: Images whose palettes are to be used, 1 or N x C' x any x any in [-1, 1], for games that take
                them.
            strength: How far to go from the images' own attributes, 0, to those asked for, 1; less and more go beyond.
                For games that have attributes or classes.

        Returns:
            N x C' x s H x s W on the model's device, in [-1, 1], where s is the generator's scale (1 but for SRGAN).

        Raises:
            ValueError: The game has no such direction or attribute, takes no hints or no reference, or a hint lies
                outside the images.
        """
        self.check_translation(direction, attributes)
        given = {"hints": hints or None, "reference": reference, "strength": strength}
        guidance = {name: value for name, value in given.items() if value is not None}
        self.check_guidance(guidance)
        height, width = images.shape[2:]
        for hint in hints:
            hint.check_inside(height, width)
        chosen = direction or next(iter(self.directions), None)
        with own_randomness(seed, self.device):
            return self.fitted(images, lambda each: self.translate_batch(each, chosen, attributes or {}, **guidance))

    def portable(self, domain: str | None = None) -> Portable:
        """The network from images to images, whose sides fit it, for ``gan-lightning export``.

        Args:
            domain: To which images are translated, for games of several. None: by the first of :attr:`directions`.

        Raises:
            ValueError: The game has no such domain.
        """
        direction = next(iter(self.directions), None) if domain is None else self.of_domain(domain)[0]
        shape = self.hparams.get("condition_shape") or self.hparams.get("image_shape")
        return Portable(
            Applied(lambda image: self.translate_batch(image, direction, {}), self.averaged_generator),
            {"image": images_of(self.given_channels, "the images given")},
            shape and (int(shape[1]), int(shape[2])),
            self.side_multiple,
            self._largest("smallest_side"),
            {} if direction is None else {"direction": direction},
        )

    def fitted(self, images: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Translate images of any size by what takes sides that fit the averaged generator, in evaluation mode.

        Args:
            images: N x C x H x W.
            network: From N x C x H' x W' to N x C' x s H' x s W'.

        Returns:
            N x C' x s H x s W.
        """
        height, width = images.shape[2:]
        # N x C x H' x W', with sides that the generator takes.
        padded = mirrored_to_multiple(images.to(self.device), self.side_multiple, self._largest("smallest_side"))
        with evaluating(self.averaged_generator):
            made = network(padded)
        scale = made.shape[2] // padded.shape[2]
        # What was padded is cut off again, at the result's scale.
        return made[:, :, : height * scale, : width * scale]

    def check_translation(self, direction: str | None, attributes: AttributeEdits | None) -> None:
        """Refuse a direction or an attribute that the game does not have.

        Raises:
            ValueError: The game has no such direction or attribute.
        """
        name = type(self).__name__
        if direction is not None and direction not in self.directions:
            known = f"choose {' or '.join(self.directions)}" if self.directions else "it translates one way only"
            raise ValueError(f"{name} has no direction {direction!r}: {known}.")
        known_attributes = getattr(self, "attributes", None) or ()
        for attribute in attributes or ():
            if attribute not in known_attributes:
                known = f"it knows {', '.join(known_attributes)}" if known_attributes else "it knows none"
                raise ValueError(f"{name} has no attribute {attribute!r}: {known}.")

    def check_guidance(self, names: Collection[str]) -> None:
        """Refuse guidance that the game does not take.

        Args:
            names: Of what a user gives: hints, reference, strength.

        Raises:
            ValueError: It is none of :attr:`guidance`.
        """
        for name in names:
            if name not in self.guidance:
                raise ValueError(f"{type(self).__name__} takes no {name}: leave it out.")

    def _largest(self, name: str) -> int:
        """Largest value of an attribute over the generator's modules; 1 if none has it."""
        return max(getattr(part, name, 1) for part in self.generator.modules())

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_metrics(batch, "val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_metrics(batch, "test")

    def _log_metrics(self, raw: Any, split: str) -> None:
        batch = self.checked_batch(raw)
        terms = {f"{split}/{name}": term for name, term in self.validation_metrics(batch).items()}
        self.log_dict(terms, batch_size=len(batch.examples), sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Translations of the condition images of a batch, N x C x H x W in [-1, 1]."""
        return self.translate(self.checked_batch(batch).condition)


class PairedTranslationGame(TranslationGame):
    """A game that learns a translation from pairs: the image to be made (``real``) and the one given (``condition``).

    The loader yields (image to be made, image given), N x C x H x W each. Arguments are those of
    :class:`TranslationGame`.
    """

    def prepare_batch(self, raw: Any) -> GameBatch:
        target, condition = image_pair(raw, type(self).__name__)
        return GameBatch(self.scaled(target), self.scaled(condition))

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        # No latent: what varies, if anything, is dropout in the generator.
        return self.generator(batch.condition)


def mirrored_to_multiple(images: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """Pad images by reflection at the right and at the bottom, up to multiples of a number.

    Unlike ``F.pad(mode="reflect")`` it reflects as often as needed, so the padding may exceed the image.

    Args:
        images: N x C x H x W.
        multiple: At least 1.
        smallest: Smallest side of the result.
    """
    for axis in (2, 3):
        size = images.shape[axis]
        # Coordinates of the padded side: ceil(size / multiple) * multiple of them.
        places = torch.arange(-(-max(size, smallest) // multiple) * multiple, device=images.device)
        period = max(2 * (size - 1), 1)
        # Position within a reflection's period: 0 1 2 3 2 1 | 0 1 2 ... for a side of 4.
        bounced = places % period
        images = images.index_select(axis, torch.where(bounced < size, bounced, period - bounced))
    return images


@contextmanager
def published_mode(network: nn.Module) -> Iterator[None]:
    """Dropout and batch statistics as in training, without updates of running statistics: how pix2pix tests."""
    dropouts = [part for part in network.modules() if isinstance(part, DROPOUTS)]
    norms = [part for part in network.modules() if isinstance(part, BATCH_NORMS)]
    before = [(part, part.training) for part in (*dropouts, *norms)]
    tracking = [(norm, norm.track_running_stats) for norm in norms]
    for part, _ in before:
        part.train()
    # Without this the forward passes of a test would move the statistics that training has learned.
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for part, training in before:
            part.training = training
        for norm, tracks in tracking:
            norm.track_running_stats = tracks


def __getattr__(name: str) -> Any:
    if name == "Wishes":
        warnings.warn("Wishes is now called AttributeEdits. The old name works until 0.4.", FutureWarning, stacklevel=2)
        return AttributeEdits
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
