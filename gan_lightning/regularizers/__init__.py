"""Regularisers of a discriminator: penalties on its gradients, weight clipping."""

from gan_lightning.regularizers.gradient_penalties import (
    PenaltyMethod,
    dragan_penalty,
    gradient_penalty,
    r1_penalty,
    r2_penalty,
    refuse_batch_norm,
)
from gan_lightning.regularizers.weight_clipping import clip_weights

__all__ = [
    "PenaltyMethod",
    "clip_weights",
    "dragan_penalty",
    "gradient_penalty",
    "r1_penalty",
    "r2_penalty",
    "refuse_batch_norm",
]
