"""Coverage of the modes of a known mixture."""

from typing import NamedTuple

import torch
from torch import Tensor


class Coverage(NamedTuple):
    """What samples cover.

    Attributes:
        modes: How many modes are covered.
        high_quality: Share of the samples that lie near a mode, from 0 to 1.
    """

    modes: int
    high_quality: float


def mode_coverage(samples: Tensor, centres: Tensor, std: float, min_share: float = 0.08) -> Coverage:
    """Count the modes that samples cover, and the samples that are near one.

    A sample is of high quality if it lies within three standard deviations of a centre, and belongs to the nearest
    (Srivastava et al., *VEEGAN*, NeurIPS 2017, arXiv 1705.07761). Of true Gaussian samples in the plane,
    ``1 - exp(-9 / 2)`` or 98.9 % are. A mode is covered if at least ``min_share`` of its fair share, 1 / K, of all the
    samples are its own.

    Args:
        samples: N x ..., N at least 1; those that are not numbers are near nothing.
        centres: K x D, of modes that have equal shares.
        std: Standard deviation of the modes.
        min_share: See above. 0.08: of eight modes each takes 1 % of the samples.
    """
    # Nearest centre of each sample: N x D against K x D.
    nearest = torch.cdist(samples.flatten(1).double(), centres.to(samples.device).double()).min(dim=1)
    # Within three standard deviations (VEEGAN)
    near = nearest.values <= 3 * std
    # A sample counts for its nearest mode only, so that one between two does not cover both.
    counts = torch.bincount(nearest.indices[near], minlength=len(centres))
    # Number of samples of a mode if all had the same.
    fair = len(samples) / len(centres)
    return Coverage(int((counts >= min_share * fair).sum()), near.double().mean().item())
