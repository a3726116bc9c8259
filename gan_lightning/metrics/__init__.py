"""Feature extractors and distances between sets of images."""

from gan_lightning.metrics.frechet import frechet_distance, moments

__all__ = ["frechet_distance", "moments"]
