"""Parse the option ``--codes category=3 continuous0=-2:2``."""

import math
from collections.abc import Sequence

HELP = (
    "codes of the samples by name, for models that know codes: one value (category=3), several in turn "
    "(category=0,1,2), or, for a continuous code, a range from the first sample or frame to the last "
    "(continuous0=-2:2); codes that are not named are drawn as in training"
)


def parse_codes(texts: Sequence[str], n: int) -> dict[str, list[float]]:
    """Values by code name, used by the samples in turn; a range becomes ``n`` evenly spaced values.

    Raises:
        ValueError: This is no name with a value, or a name is given twice.
    """
    codes: dict[str, list[float]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        # One value would silently win.
        if name in codes:
            raise ValueError(f"--codes: {name} is given twice; several values in turn are {name}=0,1,2.")
        try:
            codes[name] = _values(values, n)
        except ValueError as error:
            raise ValueError(
                f"--codes: {text} gives no code a finite value: write category=3, category=0,1,2 or continuous0=-2:2."
            ) from error
    return codes


def _values(text: str, n: int) -> list[float]:
    low, colon, high = text.partition(":")
    if not colon:
        return [_finite(value) for value in text.split(",")]
    # low:high, the ends included
    first, last = _finite(low), _finite(high)
    return [first + (last - first) * i / max(n - 1, 1) for i in range(n)]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is infinite")
    return number
