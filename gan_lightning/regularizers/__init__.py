"""Regularisers: penalties on a discriminator's gradients, weight clipping, orthogonal filters."""

from gan_lightning.regularizers.gradient_penalties import (
    PenaltyMethod,
    dragan_penalty,
    gradient_penalty,
    r1_penalty,
    r2_penalty,
    refuse_batch_norm,
)
from gan_lightning.regularizers.orthogonal import orthogonal_penalty
from gan_lightning.regularizers.weight_clipping import clip_weights

__all__ = [
    "PenaltyMethod",
    "clip_weights",
    "dragan_penalty",
    "gradient_penalty",
    "orthogonal_penalty",
    "r1_penalty",
    "r2_penalty",
    "refuse_batch_norm",
]
