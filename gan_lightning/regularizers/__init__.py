"""Regularisers: penalties on gradients and weights, weight clipping, and what any game may add to its losses."""

from gan_lightning.regularizers.consistency import BCR, CR, ZCR
from gan_lightning.regularizers.gradient_penalties import (
    PenaltyMethod,
    dragan_penalty,
    gradient_penalty,
    r1_penalty,
    r2_penalty,
    refuse_batch_norm,
)
from gan_lightning.regularizers.le_cam import LeCam, le_cam_penalty
from gan_lightning.regularizers.orthogonal import orthogonal_penalty, orthonormal_penalty
from gan_lightning.regularizers.path_length import path_lengths
from gan_lightning.regularizers.regularizer import Judgement, Regularizer
from gan_lightning.regularizers.top_k import TopK
from gan_lightning.regularizers.weight_clipping import clip_weights

__all__ = [
    "BCR",
    "CR",
    "ZCR",
    "Judgement",
    "LeCam",
    "PenaltyMethod",
    "Regularizer",
    "TopK",
    "clip_weights",
    "dragan_penalty",
    "gradient_penalty",
    "le_cam_penalty",
    "orthogonal_penalty",
    "orthonormal_penalty",
    "path_lengths",
    "r1_penalty",
    "r2_penalty",
    "refuse_batch_norm",
]
