"""Networks of published files: which source a file is of, and a model that makes images with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.checkpoint import CheckpointError, load
from gan_lightning.inference.published import biggan_pytorch, dcgan_example, pix2pix, r3gan, stackgan, stylegan2
from gan_lightning.inference.published.networks import (
    Published,
    PublishedImageEncoder,
    PublishedTextEncoder,
    PublishedTextGenerator,
    PublishedTranslator,
)
from gan_lightning.inference.published.reading import Weights, state_dicts

Made = TypeVar("Made")


class Source(Protocol):
    """A module that knows the networks of one program."""

    ABOUT: str
    """What is recognised, in a few words."""

    def recognise(self, weights: Weights) -> Published | None:
        """The network that a state dict belongs to; None: it is not of this program."""


SOURCES: tuple[Source, ...] = (pix2pix, dcgan_example, r3gan, stylegan2, biggan_pytorch, stackgan)

_MISFIT = (IndexError, KeyError, RuntimeError, ValueError)
"""What it raises when a layer is missing, left over or of another shape."""


def recognised(path: str | Path) -> list[Published]:
    """Networks in a file that some source recognises, averages of weights first. Their weights may still not fit.

    Raises:
        CheckpointError: The file is missing, damaged or of another kind, or holds no network that is known.
    """
    parts = state_dicts(path)
    if not parts:
        raise CheckpointError(f"{path} is missing, broken, or no file of a network's weights.")
    found, reasons = [], []
    for weights in parts.values():
        for source in SOURCES:
            try:
                published = source.recognise(weights)
            except ValueError as error:  # The source knows what it is, and says what is wrong with it.
                reasons.append(str(error))
            except _MISFIT:
                continue
            else:
                found += [] if published is None else [published]
    if not found:
        raise _unusable(path, *reasons)
    return found


def load_reference(path: str | Path, map_location: Any = "cpu") -> AdversarialModule:
    """Load a generator that another program has saved, as a model that samples or translates.

    Args:
        path: File of a program in ``SOURCES``; no code in it is run.
        map_location: Device to put the weights on.

    Returns:
        An :class:`ImageGame` for generators of latents, a :class:`LabelGame` where they take classes, and a
        :class:`TranslationGame` for those of images; in evaluation mode. Its ``hparams`` hold the arguments of the
        generator.

    Raises:
        CheckpointError: The file holds something else, a generator from features of texts, or a translator whose
            images are neither grey nor RGB.
    """

    def game_of(published: Published) -> AdversarialModule | None:
        if isinstance(published, PublishedTranslator):
            given, made = published.condition_shape[0], published.image_shape[0]
            if not {given, made} <= {1, 3}:
                raise CheckpointError(
                    f"{path} holds a generator from {given} channels to {made}: only grey (1) and RGB (3) can be "
                    "translated."
                )
        if isinstance(published, PublishedTextGenerator):
            raise CheckpointError(
                f"{path} holds a generator of images from features of texts, and no encoder of texts: begin a run with "
                "it, by init_from, in a game that has one."
            )
        for kind, what in ((PublishedImageEncoder, "images"), (PublishedTextEncoder, "texts")):
            if isinstance(published, kind):
                raise CheckpointError(
                    f"{path} holds an encoder of {what}, which makes no images: give the file of a generator."
                )
        return published.game()

    model = _first_that_fits(path, game_of)
    if model is None:
        raise CheckpointError(f"{path} holds a discriminator, which makes no images: give the file of a generator.")
    return model.to(map_location).eval()


def reference_network(path: str | Path) -> nn.Module:
    """Load the network that another program has saved, of several the first, averages of weights before others.

    ``Pix2Pix().generator.load_state_dict(reference_network("latest_net_G.pth").state_dict())``

    Args:
        path: File of a program in ``SOURCES``; no code in it is run.

    Returns:
        A generator or a discriminator of :mod:`gan_lightning.networks`, in evaluation mode.

    Raises:
        CheckpointError: The file is missing, damaged or of another kind, or its network is not known.
    """
    network = _first_that_fits(path, Published.network)
    assert network is not None
    return network


def reference_players(path: str | Path) -> dict[str, nn.Module]:
    """Load the networks in a published file by player, averages of weights before others.

    Returns:
        The first ``generator`` and the first ``discriminator`` that are recognised; either may be missing.

    Raises:
        CheckpointError: As of :func:`reference_network`.
    """
    players: dict[str, nn.Module] = {}
    for published in recognised(path):
        if published.player not in players:
            with suppress(*_MISFIT):
                players[published.player] = published.network()
    if not players:
        raise _unusable(path)
    return players


def load_any(path: str | Path, map_location: Any = "cpu") -> AdversarialModule:
    """Load the model of a checkpoint, or the generator of a published file.

    Raises:
        CheckpointError: The file is neither, or cannot be read.
    """
    try:
        return load(path, map_location)
    except CheckpointError:
        # Neither kind of file: the first message stands, which says what a checkpoint is.
        if not state_dicts(path):
            raise
    return load_reference(path, map_location)


def _first_that_fits(path: str | Path, make: Callable[[Published], Made | None]) -> Made | None:
    """The first that ``make`` makes of the networks in a file; None: it made none of those that fit.

    Raises:
        CheckpointError: No network is recognised, or none fits.
    """
    made = None
    fits = False
    for published in recognised(path):
        try:
            made = make(published)
            fits = True
        except CheckpointError:
            raise
        except _MISFIT:
            continue
        if made is not None:
            break
    if not fits:
        raise _unusable(path)
    return made


def _unusable(path: str | Path, *reasons: str) -> CheckpointError:
    known = "; ".join(source.ABOUT for source in SOURCES)
    reason = reasons[0] if reasons else f"its weights fit none of the networks that are known: {known}"
    return CheckpointError(f"{path} cannot be used: {reason}.")
