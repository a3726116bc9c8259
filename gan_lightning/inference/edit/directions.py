"""Directions in the space of latents: kept in files, and added to the latents of samples or of given images."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.plain_arrays import finite_numbers, read_content, write_arrays
from gan_lightning.inference.edit.spaces import SpaceName, space_of

_MEMBERS = "name|space|vector|unit|source|generator"
_NAME = re.compile(r"[\w.,+-]+")

DEVIATIONS = "standard deviations"
DIFFERENCES = "differences of means"


@dataclass(frozen=True)
class Direction:
    """A direction that edits images: ``G(latent + strength * vector)``.

    Attributes:
        name: Letters, digits and ``_ . , + -``.
        space: z, w or w+.
        vector: latent_dim in z, 1 x D in w, L x D in w+.
        unit: What a strength of 1 is: a standard deviation of the latents of samples along the vector, or the
            difference of two means.
        source: Where it comes from, for people.
        generator: Digest of the generator's weights; see :func:`digest_of_generator`.
    """

    name: str
    space: SpaceName
    vector: Tensor
    unit: str
    source: str
    generator: str


Edits = Sequence[tuple[Direction, float]]
"""Directions and by how much each is followed."""


def write_direction(folder: Path, direction: Direction) -> Path:
    """Write a direction into ``NAME.npz`` in a folder, a file that appears when it is complete; return its path.

    Raises:
        ValueError: Its name is no name of a file.
    """
    check_name(direction.name)
    texts = {name: np.array(getattr(direction, name)) for name in ("name", "space", "unit", "source", "generator")}
    path = folder / f"{direction.name}.npz"
    write_arrays(path, {**texts, "vector": direction.vector.float().cpu().numpy()})
    return path


def check_name(name: str) -> None:
    """Refuse names that cannot be those of a direction and of its file.

    Raises:
        ValueError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"A direction cannot be called {name!r}: give it a name of letters, digits and _ . , + -.")


def read_direction(path: str | Path) -> Direction:
    """Read a direction from a file that :func:`write_direction` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another file, or a damaged one.
    """
    return read_content(path, "direction", "directions", _MEMBERS, _direction)


def _direction(arrays: dict[str, Any]) -> Direction:
    space = str(arrays["space"])
    if space not in ("z", "w", "w+"):
        raise ValueError(f"its space is {space!r}")
    vector = finite_numbers(arrays["vector"], 1 if space == "z" else 2)
    texts = {name: str(arrays[name]) for name in ("name", "unit", "source", "generator")}
    return Direction(space=cast(SpaceName, space), vector=vector, **texts)


def digest_of_generator(model: Any) -> str:
    """SHA-256 of the weights of the generator that makes samples, in the order of their names.

    Raises:
        ValueError: The game makes no images of latents.
    """
    space_of(model, "z")
    digest = hashlib.sha256()
    for name, weight in sorted(model.image_generator.named_parameters()):
        digest.update(name.encode())
        digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def space_of_edits(model: AdversarialModule, edits: Edits) -> SpaceName:
    """The space that latents are edited in: z, w, or w+ where a direction is of single layers.

    Raises:
        ValueError: There are no directions, they are of another length, or of z and of styles at once.
    """
    if not edits:
        raise ValueError("There is no direction to edit along: give one.")
    spaces: set[SpaceName] = {direction.space for direction, _ in edits}
    if "z" in spaces and len(spaces) > 1:
        raise ValueError("Directions in z and directions of styles cannot be followed at once: take one space.")
    space: SpaceName = "w+" if "w+" in spaces else spaces.pop()
    for direction, _ in edits:
        shape = space_of(model, direction.space).shape()
        if direction.vector.shape != shape:
            wanted, got = (" x ".join(map(str, each)) for each in (shape, direction.vector.shape))
            raise ValueError(
                f"The direction {direction.name} is {got}, and this {type(model).__name__} takes {wanted} in "
                f"{direction.space}: it is of another generator."
            )
    return space


def check_generator(model: AdversarialModule, directions: Sequence[Direction]) -> None:
    """Refuse directions that were found in a generator of other weights.

    Raises:
        ValueError: There are some.
    """
    digest = digest_of_generator(model) if directions else ""
    for direction in directions:
        if direction.generator != digest:
            raise ValueError(
                f"The direction {direction.name} is of another generator: this {type(model).__name__} has other "
                "weights, so find the direction again, with `gan-lightning directions`."
            )


def moved(latents: Tensor, edits: Edits) -> Tensor:
    """Latents, N x ..., moved along directions: ``latent + sum strength * vector``; w becomes w+ by one of w+."""
    for direction, strength in edits:
        # Without a step the very same latents; otherwise N x 1 x D and L x D make N x L x D.
        if strength:
            latents = latents + strength * direction.vector.to(latents)
    return latents


def sample_edited(
    model: AdversarialModule,
    n: int,
    edits: Edits,
    *,
    seed: int = 0,
    start: int = 0,
    labels: Sequence[int] | None = None,
    texts: Sequence[str] | None = None,
    truncation: float | None = None,
) -> Tensor:
    """Samples ``start`` to ``start + n - 1`` along directions, in one batch.

    At strength 0 they are those of ``generate`` in batches of the same size, bit for bit.

    Args:
        model: A game whose generator makes images of latents.
        n: Number of samples.
        edits: Directions and strengths.
        seed: Seed of the samples.
        start: Number of the first.
        labels: Classes of the samples, in turn. None: as frequent as in the data.
        texts: The same of texts, for games of texts.
        truncation: Of the latents before they are moved.

    Returns:
        n x C x H x W in [-1, 1] on the model's device.

    Raises:
        ValueError: As :func:`space_of_edits`, or there are no such classes, texts or truncation.
    """
    of = space_of(model, "z" if space_of_edits(model, edits) == "z" else "w+")
    latents, condition = of.samples(start, start + n, seed, labels, texts, truncation)
    with evaluating(of.network):
        return of.make(moved(latents, edits), condition, [])


def edit_kept(model: AdversarialModule, kept: KeptLatents, edits: Edits) -> KeptLatents:
    """Kept latents along directions; noise, classes and text stay.

    Raises:
        ValueError: As :func:`space_of_edits`, or the latents are of another space than the directions.
    """
    space = space_of_edits(model, edits)
    if (space == "z") != (kept.space == "z"):
        raise ValueError(
            f"The direction {edits[0][0].name} is in {space}, and the latents are in {kept.space}: encode the images "
            f"with --space {space}, or find a direction in {kept.space}."
        )
    latents = moved(kept.latents, edits)
    return replace(kept, space="w+" if "w+" in (space, kept.space) else kept.space, latents=latents, errors={})
