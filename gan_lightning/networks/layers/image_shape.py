"""The check that every pyramid-shaped network makes of its image shape."""


def doublings(
    network: str, image_shape: tuple[int, int, int], smallest: int, start: int = 4
) -> tuple[int, tuple[int, int]]:
    """How often a network doubles the sides of its smallest map up to the image, or halves those of the image.

    The shorter side of the smallest map is ``start`` for images whose shorter side is a power of two, 4 x 4 for 64 x 64
    and 4 x 6 for 64 x 96; in general it is from ``start`` to ``2 start - 1``, 6 x 6 for 96 x 96.

    Args:
        network: Name of the network, for the message.
        image_shape: Channels, height and width.
        smallest: Smallest side that the network can make or judge, ``start`` times a power of two.
        start: Smallest side of the smallest map, a power of two.

    Returns:
        The number of doublings, and height and width of the smallest map.

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
