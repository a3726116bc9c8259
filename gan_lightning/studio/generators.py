"""The models that the page offers: loaded when they are first asked for, and again when their file changes."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch

from gan_lightning.games.freezing import evaluating
from gan_lightning.games.style import StyleGame
from gan_lightning.games.translation import TranslationGame
from gan_lightning.inference.edit import Direction
from gan_lightning.inference.edit.directions import digest_of_generator, read_direction
from gan_lightning.inference.edit.encoder import LatentEncoder, read_encoder, train_encoder
from gan_lightning.inference.edit.finding import affine_map, taken
from gan_lightning.inference.edit.plain_arrays import SUFFIX
from gan_lightning.inference.edit.progress import Watch
from gan_lightning.inference.edit.spaces import SpaceName, space_of
from gan_lightning.inference.edit.unlabelled import looks_at_samples, unlabelled_directions

SEFA: Literal["sefa"] = "sefa"
TRAINED = "trained encoder"
"""Where an inversion starts: at what an encoder finds that was trained for the generator."""
STARTS = ("mean", "samples", "encoder", TRAINED)
ENCODER_STEPS = 300
_N_SEFA = 8  # as many as `gan-lightning directions` finds unless asked
_SAMPLES, _BATCH = 4000, 64  # its numbers too, so that a strength is the same


class Generator:
    """A model, and the directions that its latents can follow.

    Args:
        source: What ``--ckpt`` is given: a path, or a name of the zoo.
        load: Loads it.
        folder: Where directions are looked for, at any depth. None: nowhere.
        encoders: Where encoders are looked for, at any depth. None: nowhere.

    Attributes:
        lock: Held while the model makes a picture: some games set the network up for it.
    """

    def __init__(
        self, source: str, load: Callable[[str], Any], folder: Path | None = None, encoders: Path | None = None
    ) -> None:
        self.source = source
        self.lock = threading.RLock()
        self._load, self._folder, self._encoder_folder = load, folder, encoders
        self._loaded: tuple[Any, Any] = (None, None)
        self._directions: dict[str, Direction] | None = None
        self._encoders: dict[str, LatentEncoder] = {}

    @property
    def model(self) -> Any:
        """The model.

        Raises:
            ValueError: It cannot be loaded.
        """
        with self.lock:
            stamp, model = self._loaded
            if model is None or stamp != self._stamp():
                stamp = self._stamp()
                model = self._load(self.source)
                self._loaded, self._directions, self._encoders = (stamp, model), None, {}
            return model

    def copy(self) -> Any:
        """A model of its own, for long work beside which others move sliders."""
        with self.lock:
            return copy.deepcopy(self.model)

    @property
    def translates(self) -> bool:
        return isinstance(self.model, TranslationGame)

    @property
    def directions(self) -> dict[str, Direction]:
        """By name: those in files that were found in this generator, and SeFa's."""
        with self.lock:
            model = self.model
            if self._directions is None:
                found = [*_in_files(model, self._folder), *_sefa(model)]
                self._directions = {direction.name: direction for direction in reversed(found)}
            return self._directions

    def encoder(self, space: SpaceName | None, watch: Watch) -> LatentEncoder:
        """The encoder of its latents: from a file, or trained on its samples, once.

        Args:
            space: Of the latents. None: as of :func:`~gan_lightning.inference.edit.invert`.
            watch: Called at each step of the training.

        Raises:
            ValueError: The model makes no images of latents, or there is no such space.
        """
        with self.lock:
            original, model = self.model, self.copy()
            name = cast(SpaceName, space_of(model, space).name)
            if name in self._encoders:
                return self._encoders[name]
        found = _encoder_in_files(model, self._encoder_folder, name) or train_encoder(
            model, ENCODER_STEPS, space=name, watch=watch
        )
        with self.lock:
            if self._loaded[1] is original:
                self._encoders[name] = found
        return found

    def _stamp(self) -> Any:
        try:
            return Path(self.source).stat().st_mtime_ns
        except OSError:
            return 0  # Of the zoo, or gone: what is loaded stays.


def _in_files(model: Any, folder: Path | None) -> Sequence[Direction]:
    if folder is None or not folder.is_dir():
        return []
    found = []
    for file in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            direction = read_direction(file)
            if direction.generator == digest_of_generator(model):
                found.append(direction)
        except ValueError:
            continue  # Of another kind.
    return found


def _encoder_in_files(model: Any, folder: Path | None, space: SpaceName) -> LatentEncoder | None:
    for file in sorted(folder.rglob("*")) if folder is not None and folder.is_dir() else ():
        try:
            return read_encoder(file, model, space)
        except ValueError:
            continue  # Of another kind, space or generator.
    return None


def _sefa(model: Any) -> Sequence[Direction]:
    try:
        space = space_of(model, None)
        n = min(_N_SEFA, int(taken(affine_map(space)).sum()))
        latents = torch.empty(0)
        if looks_at_samples(space, SEFA):
            with evaluating(space.network):
                batches = [
                    space.samples(first, min(first + _BATCH, _SAMPLES), 0)[0] for first in range(0, _SAMPLES, _BATCH)
                ]
            latents = torch.cat(batches).cpu()
        return unlabelled_directions(space, SEFA, n, latents)
    except ValueError:
        return []  # It has no latents, or no affine map of them.


def space_name(model: Any) -> Any:
    """The space that the page moves samples in: each layer's style where there are styles, else z."""
    return "w+" if isinstance(model, StyleGame) else "z"
