"""The check that every pyramid-shaped network makes of its image shape."""

import math


def log2_side(network: str, image_shape: tuple[int, int, int], smallest: int) -> int:
    """Base-2 logarithm of the side of a square power-of-two image.

    Args:
        network: Name of the network, for the message.
        image_shape: Channels, height and width.
        smallest: Smallest side that the network can make, a power of two.

    Raises:
        ValueError: If the image is not square, or its side is no power of two or below ``smallest``.
    """
    _, height, width = map(int, image_shape)  # NumPy has no bit_count
    if height == width and height >= smallest and height.bit_count() == 1:
        return height.bit_length() - 1
    if (height, width) == (1, 1):
        raise ValueError(
            f"{network} works on square images whose side is a power of two from {smallest} up, and the data has "
            "points: take networks of points, such as PointGenerator and PointDiscriminator."
        )
    # Suggest the closest power of two.
    nearest = 2 ** round(math.log2(max(smallest, min(height, width))))
    raise ValueError(
        f"{network} works on square images whose side is a power of two from {smallest} up, "
        f"not {height} x {width}: set the data's image_size to {nearest}."
    )


def coarsest_map(network: str, image_shape: tuple[int, int, int]) -> tuple[int, tuple[int, int]]:
    """How often a pyramid halves an image of any proportions, until its shorter side is 4 to 7 pixels.

    Args:
        network: Name of the network, for the message.
        image_shape: Channels, height and width.

    Returns:
        The number of halvings, and height and width of the coarsest map.

    Raises:
        ValueError: A side cannot be halved so often, or is shorter than 4.
    """
    _, height, width = map(int, image_shape)
    halvings = max((min(height, width) // 4).bit_length() - 1, 0)
    unit = 2**halvings
    if min(height, width) >= 4 and height % unit == width % unit == 0:
        return halvings, (height // unit, width // unit)
    if min(height, width) < 4:
        raise ValueError(
            f"{network} works on images from 4 x 4 up, not {height} x {width}: take networks of points, such as "
            "PointGenerator and PointDiscriminator, or larger images."
        )
    nearest = " x ".join(str(max(1, round(side / unit)) * unit) for side in (height, width))
    raise ValueError(
        f"{network} halves an image until its shorter side is 4 to 7 pixels, and {height} x {width} cannot be halved "
        f"{halvings} times: the nearest size is {nearest}."
    )
