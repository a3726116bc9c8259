"""The latents of given images, and what can be done with them."""

from gan_lightning.inference.edit.brushes import Dab, Line, Warp
from gan_lightning.inference.edit.composition import (
    between,
    blend,
    box_weights,
    kept_samples,
    painted_weights,
    ramp,
    swap_patch,
    transfer_box,
)
from gan_lightning.inference.edit.directions import (
    Direction,
    edit_kept,
    read_direction,
    sample_edited,
    write_direction,
)
from gan_lightning.inference.edit.distances import Distance, network_of
from gan_lightning.inference.edit.encoder import LatentEncoder, read_encoder, train_encoder, write_encoder
from gan_lightning.inference.edit.inversion import Inversion, invert
from gan_lightning.inference.edit.kept_latents import KeptLatents, read_latents, write_latents
from gan_lightning.inference.edit.painting import Painting, contextual_strokes, morph, paint
from gan_lightning.inference.edit.panorama import extend, panorama
from gan_lightning.inference.edit.rendering import render_each, render_kept
from gan_lightning.inference.edit.transfer import transfer_by_flow, transfer_by_mask

__all__ = [
    "Dab",
    "Direction",
    "Distance",
    "Inversion",
    "KeptLatents",
    "LatentEncoder",
    "Line",
    "Painting",
    "Warp",
    "between",
    "blend",
    "box_weights",
    "contextual_strokes",
    "edit_kept",
    "extend",
    "invert",
    "kept_samples",
    "morph",
    "network_of",
    "paint",
    "painted_weights",
    "panorama",
    "ramp",
    "read_direction",
    "read_encoder",
    "read_latents",
    "render_each",
    "render_kept",
    "sample_edited",
    "swap_patch",
    "train_encoder",
    "transfer_box",
    "transfer_by_flow",
    "transfer_by_mask",
    "write_direction",
    "write_encoder",
    "write_latents",
]
