"""The latents of given images, and what can be done with them."""

from gan_lightning.inference.edit.directions import (
    Direction,
    edit_kept,
    read_direction,
    sample_edited,
    write_direction,
)
from gan_lightning.inference.edit.distances import Distance, network_of
from gan_lightning.inference.edit.inversion import Inversion, invert, render_each, render_kept
from gan_lightning.inference.edit.kept_latents import KeptLatents, read_latents, write_latents

__all__ = [
    "Direction",
    "Distance",
    "Inversion",
    "KeptLatents",
    "edit_kept",
    "invert",
    "network_of",
    "read_direction",
    "read_latents",
    "render_each",
    "render_kept",
    "sample_edited",
    "write_direction",
    "write_latents",
]
