"""Augmentations: what real and generated images pass before a discriminator, so that few images suffice."""

from gan_lightning.augmentations.ada import ADA
from gan_lightning.augmentations.base import Augmentation
from gan_lightning.augmentations.diff_augment import DiffAugment

__all__ = ["ADA", "Augmentation", "DiffAugment"]
