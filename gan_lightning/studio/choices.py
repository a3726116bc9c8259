"""What a user has chosen on the page, read from JSON and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_LARGEST_SEED = 2**32
_LARGEST = 100.0
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Choice:
    """A sample, and how it is moved.

    Attributes:
        seed: Of the sample, the first of the sequence that ``generate --seed`` writes.
        label: Its class, by name or number. None: drawn as in the data.
        text: What it shows. None: drawn from the data's.
        truncation: As of ``generate``. None: no truncation.
        domain: As of ``generate``. None: the first.
        codes: Values of codes by name.
        components: Numbers of the latent, by place, in z.
        strengths: How far directions are followed, by name.
        noise: Factor of the maps of noise, of games of styles.
        noise_seed: Of other maps of noise. None: the generator's own.
    """

    seed: int = 0
    label: str | None = None
    text: str | None = None
    truncation: float | None = None
    domain: str | None = None
    codes: Mapping[str, float] = field(default_factory=dict)
    components: Mapping[int, float] = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    noise: float = 1.0
    noise_seed: int | None = None

    @property
    def follows(self) -> dict[str, float]:
        """The directions that are followed at all."""
        return {name: strength for name, strength in self.strengths.items() if strength}

    @property
    def is_moved(self) -> bool:
        """Whether it is another picture than the sample."""
        return bool(self.components or self.follows) or self.changes_noise

    @property
    def changes_noise(self) -> bool:
        return self.noise != 1 or self.noise_seed is not None


def read_choice(given: Any) -> Choice:
    """A choice of what the page has sent.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(given, dict):
        raise ValueError("A choice is a JSON object.")
    if unknown := set(given) - {each.name for each in fields(Choice)}:
        raise ValueError(f"A choice has no {sorted(unknown)[0]!r}.")
    readers: dict[str, Callable[[str, Any], Any]] = {
        "seed": whole,
        "noise_seed": whole,
        "label": _text,
        "text": _text,
        "domain": _text,
        "truncation": number,
        "noise": number,
        "codes": _numbers,
        "strengths": _numbers,
        "components": _components,
    }
    return Choice(**{name: readers[name](name, value) for name, value in given.items() if value is not None})


def whole(name: str, value: Any) -> int:
    """A whole number of at least 0.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST_SEED:
        raise ValueError(f"{name} must be a whole number from 0 to {_LARGEST_SEED - 1}.")
    return value


def number(name: str, value: Any) -> float:
    """A finite number within the range of a slider.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number.")
    if abs(value) > _LARGEST:
        raise ValueError(f"{name} is {value:g}: it must lie between -{_LARGEST:g} and {_LARGEST:g}.")
    return float(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"{name} must be a text of at most {_LONGEST_TEXT} characters.")
    return value


def _numbers(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object of numbers.")
    return {key: number(key, each) for key, each in value.items()}


def _components(name: str, value: Any) -> dict[int, float]:
    read = _numbers(name, value)
    if not all(place.isdecimal() for place in read):
        raise ValueError(f"{name} are named by their places in the latent.")
    return {int(place): each for place, each in read.items()}
