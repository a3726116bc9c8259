"""The check that every pyramid-shaped network makes of its image shape; weights of another shape under its names."""

import re
from collections.abc import Mapping

from torch import Tensor


def coarsest_map(
    network: str, image_shape: tuple[int, int, int], smallest: int = 4, start: int = 4
) -> tuple[int, tuple[int, int]]:
    """The coarsest map of a pyramid, which a network doubles up to the image, or to which it halves the image.

    The shorter side of the coarsest map is ``start`` for images whose shorter side is a power of two, 4 x 4 for 64 x 64
    and 4 x 6 for 64 x 96; in general it is from ``start`` to ``2 start - 1``, 6 x 6 for 96 x 96.

    Args:
        network: Name of the network, for the message.
        image_shape: Channels, height and width.
        smallest: Smallest side that the network can make or judge, ``start`` times a power of two.
        start: Smallest side of the coarsest map, a power of two.

    Returns:
        The number of doublings, and height and width of the coarsest map.

    Raises:
        ValueError: A side is no multiple of 2 to this number, or the shorter one is below ``smallest``.
    """
    _, height, width = map(int, image_shape)  # NumPy has no bit_length
    shorter = max(min(height, width), smallest)
    n = shorter.bit_length() - start.bit_length()
    if min(height, width) >= smallest and height % 2**n == 0 and width % 2**n == 0:
        return n, (height >> n, width >> n)
    if (height, width) == (1, 1):
        raise ValueError(
            f"{network} works on images from {smallest} x {smallest} up, and the data has points: take networks of "
            "points, such as PointGenerator and PointDiscriminator."
        )
    # Suggest the closest multiples.
    fitting = [max(smallest, round(side / 2**n) * 2**n) for side in (height, width)]
    size = str(fitting[0]) if height == width else str(fitting)
    raise ValueError(
        f"{network} works on images from {smallest} x {smallest} up whose sides are multiples of {2**n} where the "
        f"shorter one is {shorter}, not {height} x {width}: set the data's image_size to {size}."
    )


def numbered_by_resolution(weights: Mapping[str, Tensor], sequence: str, length: int) -> dict[str, Tensor]:
    """Rename a discriminator's weights so that equal numbers are equal resolutions, not distances from the image.

    The last part of its sequence is of the coarsest map, so the parts are counted from there, as the names in
    StyleGAN2-ADA's files have it.

    Args:
        weights: Of a discriminator of images of any resolution.
        sequence: Name of its sequence of parts, a resolution each, the first of them behind a layer ``from_image``.
        length: Of that sequence in the discriminator that is to have them.

    Returns:
        The weights; those of resolutions that this one does not have, and ``from_image`` of another one, begin with
        ``other.``, which is the name of no layer.
    """
    pattern = re.compile(rf"{sequence}\.(\d+)(?=\.)")
    places = {name: int(found[1]) for name in weights if (found := pattern.match(name))}
    shift = length - 1 - max(places.values(), default=length - 1)
    renamed = {}
    for name, weight in weights.items():
        new = f"other.{name}"
        if name in places and places[name] + shift >= 0:
            new = pattern.sub(f"{sequence}.{places[name] + shift}", name)
        elif name not in places and not (shift and name.startswith("from_image.")):
            new = name
        renamed[new] = weight
    return renamed
