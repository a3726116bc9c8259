"""Feature extractors and distances between sets of images."""

from gan_lightning.metrics.density_coverage import density_coverage
from gan_lightning.metrics.frechet import frechet_distance, moments
from gan_lightning.metrics.inception_score import class_score
from gan_lightning.metrics.kid import kernel_distance
from gan_lightning.metrics.precision_recall import precision_recall, radii

__all__ = [
    "class_score",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "moments",
    "precision_recall",
    "radii",
]
