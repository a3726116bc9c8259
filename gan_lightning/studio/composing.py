"""Two images composed in all layers of a generator of styles, as the page asks for it and as ``compose`` makes it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.style import StyleGame
from gan_lightning.inference.edit import Dab, KeptLatents, blend, painted_weights, swap_patch, transfer_box
from gan_lightning.inference.edit.composition import Box
from gan_lightning.networks.layers.styles import Synthesis
from gan_lightning.studio.choices import number, whole
from gan_lightning.studio.painted import read_brushes
from gan_lightning.studio.shown_commands import LATENT_FILE, OTHER_FILE

MAP_FILE = "map.png"
_MODES = ("blend", "transfer", "patch")


@dataclass(frozen=True)
class Composition:
    """What is asked for.

    Attributes:
        mode: blend, transfer or patch.
        dabs: Where the other image is, of blend.
        softness: Of the dabs' or the box's edges, 0 to 1.
        box: What is taken of the other image, of transfer and patch.
        to: Left and top of where it is put, of patch. None: where it was.
        level: Whose maps are changed, of patch.
    """

    mode: str
    dabs: tuple[Dab, ...] = ()
    softness: float = 0.5
    box: Box | None = None
    to: tuple[float, float] | None = None
    level: int = 0

    def weights(self, height: int, width: int) -> Tensor:
        """The painted map of weights as a picture has it: H x W in steps of 1 / 255."""
        return (painted_weights(height, width, self.dabs, self.softness) * 255).round() / 255

    def made(self, model: Any, first: KeptLatents, other: KeptLatents) -> Tensor:
        """The image, 1 x C x H x W in [-1, 1].

        Raises:
            ValueError: A part lies outside of the images, or there is no such level.
        """
        if self.mode == "blend":
            return blend(model, first, other, self.weights(*model.image_shape[1:]))
        assert self.box is not None
        if self.mode == "transfer":
            return transfer_box(model, first, other, self.box, self.softness)
        return swap_patch(model, first, other, self.box, self.to, self.level)

    def command(self, source: str) -> str:
        """The command that makes the same of the two latents, saved first."""
        words: list[Any] = ["gan-lightning", "compose", self.mode, "--ckpt", source]
        words += ["--latents", LATENT_FILE, OTHER_FILE]
        words += ["--map", MAP_FILE] if self.mode == "blend" else ["--box", *_plain(self.box)]
        words += ["--softness", f"{self.softness:g}"] if self.mode == "transfer" else []
        if self.mode == "patch":
            words += [] if self.to is None else ["--to", *_plain(self.to)]
            words += ["--level", self.level]
        saved = "both latents and the map" if self.mode == "blend" else "both latents"
        return f"# save {saved} first\n{shlex.join(map(str, [*words, '--out', 'composed']))}"


def read_composition(given: Any) -> Composition:
    """A composition of what the page has sent: its mode, softness, level, brushes and boxes.

    Of two boxes, each left, top, right and bottom, the second says where a patch is put.

    Raises:
        ValueError: It is none, or nothing is painted or marked.
    """
    if not isinstance(given, dict) or given.get("mode") not in _MODES:
        raise ValueError(f"A composition is one of {', '.join(_MODES)}.")
    mode, softness = given["mode"], number("softness", given.get("softness", 0.5))
    if mode == "blend":
        brushes = read_brushes(given.get("brushes"))
        dabs = tuple(brush for brush in brushes if isinstance(brush, Dab))
        return Composition(mode, dabs, softness)
    boxes = given.get("boxes")
    if not isinstance(boxes, list) or not boxes:
        raise ValueError("Mark a part of the picture first, with the tool Box.")
    first, *more = [_box(each) for each in boxes[:2]]
    to = (more[0][0], more[0][1]) if more else None
    return Composition(mode, (), softness, first, to, whole("level", given.get("level", 0)))


def offered(model: Any) -> dict[str, int] | None:
    """How many levels of maps can be changed; None: images of the model are not composed."""
    if not isinstance(model, StyleGame):
        return None
    network: Any = model.image_generator
    if not isinstance(network, Synthesis):
        return None
    return {"levels": network.place(network.n_steps - 1)[0]}


def map_of(weights: Tensor) -> Tensor:
    """Weights as a grey picture, uint8, 1 x H x W."""
    return (weights[None] * 255).round().to(torch.uint8)


def _box(given: Any) -> Box:
    if not isinstance(given, list) or len(given) != 4:
        raise ValueError("A box is its left, top, right and bottom.")
    left, top, right, bottom = (float(whole("box", side)) for side in given)
    return left, top, right, bottom


def _plain(numbers: Any) -> list[str]:
    return [f"{each:g}" for each in numbers]
