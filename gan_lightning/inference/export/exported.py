"""What an exported file says of itself, and whether it makes the same images as torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.portable import Input, Portable
from gan_lightning.games.randomness import own_randomness
from gan_lightning.inference.pretrained import config_of

OUTPUT = "images"
KEY = "gan_lightning"
"""Under which the description stands, as JSON, in the metadata of a file."""

_TOLERANCE = 1 / 255
"""Of an image in [-1, 1]: half a level of 8 bits. Rounding is some 1e-6, and 1e-4 behind instance norm."""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        inputs: The axes of each input of its network by name: lengths, or ``batch``, ``height`` and ``width``, which
            are free. Empty: there is no network in it, but weights.
        difference: The largest difference of a number of its images from torch's, in trials of random inputs.
    """

    path: Path
    inputs: Mapping[str, list[int | str]] = field(default_factory=dict)
    difference: float = 0.0


def portable_of(game: AdversarialModule, domain: str | None = None) -> Portable:
    """What a game gives away of itself.

    Raises:
        ValueError: It makes no images in one pass, or has no such domain.
    """
    hook: Any = getattr(game, "portable", None)
    if hook is None:
        raise ValueError(
            f"{type(game).__name__} makes no images in one pass of a network, so there is none to export; the format "
            "safetensors holds its weights."
        )
    made: Portable = hook(domain)
    return made


def description_of(game: AdversarialModule, portable: Portable, free: Mapping[str, int]) -> dict[str, Any]:
    """What a file says of itself, as plain values.

    Args:
        game: Whose network it is.
        portable: What is exported of it.
        free: The free axes, with what each must be a multiple of.
    """
    known, axes = config_of(game), axes_of(portable, free)
    inputs = {
        name: {"shape": axes[name], "type": str(example(each, {}).dtype)[6:], "about": each.about}
        for name, each in portable.inputs.items()
    }
    return {
        **known["gan_lightning"],
        "citation": known["citation"],
        "inputs": inputs,
        "output": {"name": OUTPUT, "range": [-1, 1]},
        "multiples": {name: multiple for name, multiple in free.items() if multiple > 1},
        **{name: value for name, value in portable.facts.items() if value is not None},
    }


def axes_of(portable: Portable, free: Mapping[str, int]) -> dict[str, list[int | str]]:
    """The axes of each input, by name where they are free and by length where they are not."""
    height, width = portable.sides or (0, 0)
    fixed = {"height": height, "width": width}
    return {
        name: [axis if isinstance(axis, int) or axis in free else fixed[axis] for axis in given.shape]
        for name, given in portable.inputs.items()
    }


def example(given: Input, sizes: Mapping[str, int]) -> Tensor:
    """An example of an input, of the sizes of its named axes; 1 where they are not given."""
    return given.draw([axis if isinstance(axis, int) else sizes.get(axis, 1) for axis in given.shape])


def examples(portable: Portable, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Examples of all inputs by name."""
    return {name: example(given, sizes) for name, given in portable.inputs.items()}


def sizes_of(portable: Portable, free: Mapping[str, int], batch: int, more: int) -> dict[str, int]:
    """Sizes of the named axes: a batch, and sides of so many multiples more than the least, or those of training.

    Height and width differ, so that a network in which one took the other's place is found out.
    """
    sizes = {"batch": batch}
    for name, fixed, extra in zip(("height", "width"), portable.sides or (1, 1), (more, 2 * more), strict=True):
        least = -(-portable.smallest_side // portable.side_multiple)
        sizes[name] = (least + extra) * portable.side_multiple if name in free else fixed
    return sizes


def largest_difference(
    portable: Portable, free: Mapping[str, int], run: Callable[[dict[str, Tensor]], Tensor]
) -> float:
    """Compare an exported network with torch, in batches of one and three, and with two sizes of sides that are free.

    Args:
        portable: What was exported.
        free: The free axes.
        run: The exported network: images of inputs by name.

    Returns:
        The largest difference of a number.

    Raises:
        ValueError: It is larger than rounding may be, or the shapes differ.
    """
    differences = []
    for batch, more in ((1, 0), (3, 1)):
        inputs = examples(portable, sizes_of(portable, free, batch, more))
        with evaluating(portable.network):
            wanted = portable.network(**inputs)
        made = run(inputs)
        if made.shape != wanted.shape:
            raise ValueError(
                f"The exported network makes {tuple(made.shape)} where torch makes {tuple(wanted.shape)}, so it is not "
                "written: its code must not turn sizes into plain numbers."
            )
        allowed = _TOLERANCE * max(1.0, wanted.abs().max().item())
        differences.append((made - wanted).abs().max().item())
        if not differences[-1] <= allowed:  # NaN compares false.
            raise ValueError(
                f"The exported network makes other images than torch, by {differences[-1]:.2g} where {allowed:.2g} is "
                "allowed, so it is not written: it may draw random numbers, or choose by the values of its inputs."
            )
    return max(differences)


def same_examples() -> AbstractContextManager[None]:
    """A context in which the examples are always the same, and after which random numbers go on as before."""
    return own_randomness(0, torch.device("cpu"))
