"""Checks before a measurement: enough images, a suitable size, enough memory."""

import os
import warnings
from collections.abc import Collection, Mapping, Sequence

from gan_lightning.metrics.density_coverage import COVERAGE_NEIGHBOURS
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.inception_score import SPLITS
from gan_lightning.metrics.precision_recall import NEIGHBOURS
from gan_lightning.metrics.registry import METRICS, Options
from gan_lightning.metrics.running_moments import check_width

_KERNEL = {"kid", "kd_dinov2"}


def check_feasible(
    extractors: Mapping[str, FeatureExtractor],
    image_shape: Sequence[int] | None,
    n_samples: int,
    n_real: int,
    options: Options,
) -> None:
    """Refuse metrics that are not defined for this number or shape of images.

    Args:
        extractors: That of each metric, by the metric's name.
        image_shape: Channels, height, width of the images. None: not known, or no images.
        n_samples: How many samples there will be.
        n_real: How many real images.
        options: How the metrics are computed.

    Raises:
        ValueError: There are too few for a metric, the extractor cannot look at them, or their features do not fit.
    """
    check_counts(extractors, n_samples, n_real, options)
    if image_shape is None:
        return
    for extractor in {id(each): each for each in extractors.values()}.values():
        names = [name for name, each in extractors.items() if each is extractor]
        # Once for each extractor: its features serve all of its metrics.
        check_memory(names, width_of(extractor, image_shape), n_samples, n_real, options)


def width_of(extractor: FeatureExtractor, image_shape: Sequence[int]) -> int:
    """Number of features d of an image, C x H x W.

    Raises:
        ValueError: The extractor does not accept such images.
    """
    try:
        return extractor.width_of(image_shape)
    except Exception as error:  # An extractor of the user's, or of torch-fidelity's, refuses in any of many ways.
        raise ValueError(
            f"The extractor {extractor.name} cannot look at images of {' x '.join(map(str, image_shape))} (channels, "
            f"height, width): {str(error).strip().partition(chr(10))[0]}"
        ) from error


def check_counts(names: Collection[str], n_samples: int, n_real: int, options: Options) -> None:
    """Refuse numbers of images too small for a metric.

    Args:
        names: Of the metrics.
        n_samples: How many samples there will be.
        n_real: How many real images.
        options: How the metrics are computed.

    Raises:
        ValueError: A metric cannot be computed of so few.
    """
    for name in names:
        if name in ("precision", "recall", "density", "coverage"):
            k = NEIGHBOURS if name in ("precision", "recall") else COVERAGE_NEIGHBOURS
            least, why = k + 1, f"it looks at {k} neighbours of each image"
        elif name == "inception_score":
            least, why = (
                2 * SPLITS,
                f"it is the mean over {SPLITS} parts, and one of a single image is 1 whatever it is",
            )
        else:
            least, why = 2, "there is no spread of one image"
        for what, option, count in [("samples", "num_samples", n_samples), ("real images", "num_real", n_real)]:
            # The Inception Score looks at no real images.
            if count < least and (what == "samples" or METRICS[name].real):
                raise ValueError(
                    f"{name} takes at least {least} {what}, for {why}, and there are {count}: take more ({option}), "
                    "or leave that metric out."
                )
    smaller = min(n_samples, n_real)
    if _KERNEL & {*names} and options.kid_subset_size > smaller:
        warnings.warn(
            f"KID is to take subsets of {options.kid_subset_size} images (kid_subset_size), and there are {n_samples} "
            f"samples and {n_real} real images: subsets of {smaller} are taken.",
            stacklevel=2,
        )


def check_memory(names: Collection[str], width: int, n_samples: int, n_real: int, options: Options) -> None:
    """Refuse features that do not fit into this machine's memory.

    Args:
        names: Of the metrics.
        width: How many features an image has.
        n_samples: How many samples there will be.
        n_real: How many real images.
        options: How the metrics are computed.

    Raises:
        ValueError: They do not.
    """
    if {"fid", "fd_dinov2"} & {*names}:
        check_width(width)
    kept = [name for name in names if "features" in METRICS[name].samples]
    if not kept:
        return
    # Bytes per image: float32 features, and for KID float64 features and subset masks, else float32 copies.
    numbers = 8 * (width + options.kid_subsets) if _KERNEL & {*kept} else 4 * width
    takes, has = (4 * width + numbers) * (n_samples + n_real) / 1e9, _memory() / 1e9
    if takes > has:
        raise ValueError(
            f"{' and '.join(kept)} of {n_samples} samples and {n_real} real images with {width} features each takes "
            f"{takes:.0f} GB, and this machine has {has:.0f}: take fewer images (num_samples, num_real)"
            f"{', fewer kid_subsets' if _KERNEL & {*kept} else ''} or an extractor of fewer features."
        )


def _memory() -> float:
    """Bytes of the machine's memory; infinite where the system does not report it."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
