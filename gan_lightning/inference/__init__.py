"""From a checkpoint to images, without data and without a trainer: load, generate, interpolate, encode, translate."""

from gan_lightning.games.hints import Hint
from gan_lightning.inference.checkpoint import CheckpointError, from_pretrained, load, read_checkpoint
from gan_lightning.inference.initialisation import Initialisation, init_from
from gan_lightning.inference.perceptual_path_length import perceptual_path_length
from gan_lightning.inference.pretrained import save_pretrained
from gan_lightning.inference.published import load_any, load_reference, reference_network
from gan_lightning.inference.sampling import (
    check_codes,
    check_domain,
    check_labels,
    check_texts,
    check_truncation,
    encode,
    generate,
    interpolate,
    reconstruct,
    traverse,
)
from gan_lightning.inference.standing_statistics import set_standing_statistics
from gan_lightning.inference.style_encoder import train_style_encoder, transfer_style
from gan_lightning.inference.styles import check_styles, mixing_table, noise_table, scale_noise
from gan_lightning.inference.transcription import transcribe
from gan_lightning.inference.translation import (
    Column,
    ImageError,
    check_translation,
    read_reference,
    translate,
    translate_columns,
)
from gan_lightning.inference.video import check_video, continue_video
from gan_lightning.inference.weight_path import WeightPath

__all__ = [
    "CheckpointError",
    "Column",
    "Hint",
    "ImageError",
    "Initialisation",
    "WeightPath",
    "check_codes",
    "check_domain",
    "check_labels",
    "check_styles",
    "check_texts",
    "check_translation",
    "check_truncation",
    "check_video",
    "continue_video",
    "encode",
    "from_pretrained",
    "generate",
    "init_from",
    "interpolate",
    "load",
    "load_any",
    "load_reference",
    "mixing_table",
    "noise_table",
    "perceptual_path_length",
    "read_checkpoint",
    "read_reference",
    "reconstruct",
    "reference_network",
    "save_pretrained",
    "scale_noise",
    "set_standing_statistics",
    "train_style_encoder",
    "transcribe",
    "transfer_style",
    "translate",
    "translate_columns",
    "traverse",
]
