"""The shape that image-to-image papers share: a generator that is given an image and makes another of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.randomness import own_randomness
from gan_lightning.losses import Terms
from gan_lightning.trainer.layer_kinds import BATCH_NORMS, DROPOUTS

AttributeEdits = Mapping[str, bool]
"""Attributes that a translated image is to have (True) or not to have (False), by name."""


class TranslationGame(AdversarialModule):
    """A game whose generator turns images into images.

    A variant overrides :meth:`translate_batch`, :meth:`picture_columns` and, if validation measures something,
    :meth:`validation_metrics`.

    Args:
        generator: Makes images of images.
        discriminator: Judges them.
        ema_decay: Decay of the average of the generator's weights that makes all translations. None, as in the
            papers: no average.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    directions: ClassVar[tuple[str, ...]] = ()
    """Names of the ways it translates, if there are several; the first is taken unless another is asked for."""

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, ema_decay: float | None = None, **game: Any
    ) -> None:
        super().__init__(generator=generator, discriminator=discriminator, ema_decay=ema_decay, **game)

    # What a variant says.

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        """Translate images, N x C x H x W, whose sides are multiples of :attr:`side_multiple`."""
        return self.averaged_generator(images)

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """What validation measures of an exchange without fakes: named scalars, the mean over its examples."""
        return {}

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """What a picture shows of every example, from left to right: images, N x C x H x W each."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what a picture of an example shows: picture_columns."
        )

    @property
    def column_captions(self) -> Sequence[str]:
        """The captions of :meth:`picture_columns`, a name each; none: the picture has no captions."""
        return ()

    # What follows from it.

    @property
    def side_multiple(self) -> int:
        """Height and width that the generator takes are multiples of this."""
        return self._demanded("side_multiple")

    @property
    def given_channels(self) -> int:
        """Channels of the images it is given: 1, grey, or 3, RGB."""
        shape = self.hparams.get("condition_shape") or self.hparams.get("image_shape") or (3,)
        return int(shape[0])

    def translate(
        self, images: Tensor, direction: str | None = None, attributes: AttributeEdits | None = None, seed: int = 0
    ) -> Tensor:
        """Translate images of any size by the averaged generator.

        Where a side is no multiple of what the generator takes, or too small for it, the image is mirrored at its
        borders, and the result cut back.

        Args:
            images: N x C x H x W in [-1, 1].
            direction: One of :attr:`directions`. None: the first, or the only one.
            attributes: What the results are to have, for a game that knows attributes.
            seed: Of what chance decides in the generator, if anything; it goes on from image to image of a batch.

        Returns:
            N x C' x H' x W' on the model's device, in [-1, 1]: of the same size, or as many times larger as the
            generator enlarges.

        Raises:
            ValueError: The game has no such direction or attribute.
        """
        self.check_translation(direction, attributes)
        height, width = images.shape[2:]
        fitted = mirrored_to_multiple(images.to(self.device), self.side_multiple, self._demanded("smallest_side"))
        with own_randomness(seed, self.device), evaluating(self.averaged_generator):
            answer = self.translate_batch(fitted, direction or next(iter(self.directions), None), attributes or {})
        scale = answer.shape[2] // fitted.shape[2]
        return answer[:, :, : height * scale, : width * scale]

    def check_translation(self, direction: str | None, attributes: AttributeEdits | None) -> None:
        """Refuse what the game cannot do.

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

    def _demanded(self, name: str) -> int:
        """What the most demanding part of the generator says of the sides that it takes."""
        return max(getattr(part, name, 1) for part in self.generator.modules())

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_judgement(batch, "val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_judgement(batch, "test")

    def _log_judgement(self, raw: Any, split: str) -> None:
        batch = self.checked_batch(raw)
        terms = {f"{split}/{name}": term for name, term in self.validation_metrics(batch).items()}
        self.log_dict(terms, batch_size=len(batch.examples), sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """The translations of what the batch gives, N x C x H x W in [-1, 1]."""
        return self.translate(self.checked_batch(batch).condition)


def mirrored_to_multiple(images: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """Continue images to the right and downwards, mirrored as often as it takes, to multiples of a number.

    Args:
        images: N x C x H x W.
        multiple: At least 1.
        smallest: Sides are made at least as large.
    """
    for axis in (2, 3):
        size = images.shape[axis]
        places = torch.arange(-(-max(size, smallest) // multiple) * multiple, device=images.device)
        period = max(2 * (size - 1), 1)
        bounced = places % period
        images = images.index_select(axis, torch.where(bounced < size, bounced, period - bounced))
    return images


@contextmanager
def published_mode(network: nn.Module) -> Iterator[None]:
    """Dropout on and the batch's own statistics, as in training, for papers that test so; nothing is remembered."""
    dropouts = [part for part in network.modules() if isinstance(part, DROPOUTS)]
    norms = [part for part in network.modules() if isinstance(part, BATCH_NORMS)]
    before = [(part, part.training) for part in (*dropouts, *norms)]
    tracking = [(norm, norm.track_running_stats) for norm in norms]
    for part, _ in before:
        part.train()
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
