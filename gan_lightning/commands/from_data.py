"""Arguments that the model takes from the data module, such as ``image_shape``."""

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import LightningArgumentParser

LINKED_ATTRIBUTES = (
    "image_shape",
    "num_classes",
    "condition_shape",
    "attributes",
    "class_names",
    "domain_names",
    "scale",
    "tokenizer",
    "n_tokens",
    "max_tokens",
    "texts",
    "n_samples",
    "sample_rate",
)
"""Attributes of a data module that are passed to a model with an argument of that name."""
_DEFAULTS = ("scale", "n_samples", "sample_rate")
"""Those of which a model may have a default for data that does not know them."""
_SHAPES = ("image_shape", "condition_shape")
_LONGEST = 80  # characters of a value in a message


def link(parser: LightningArgumentParser) -> None:
    """Link the attributes of the data module to the arguments of the model."""
    # On instantiation: a data module knows its shape when it is made, not when its options are parsed.
    for name in LINKED_ATTRIBUTES:
        parser.link_arguments(
            "data", f"model.init_args.{name}", compute_fn=partial(_value_from_data, name), apply_on="instantiate"
        )


def _value_from_data(name: str, data: LightningDataModule) -> Any:
    """Read an attribute of the data module; None: it has none.

    Raises:
        ValueError: The value cannot be right.
    """
    value = getattr(data, name, None)
    if value is None:
        return None
    place = f"{type(data).__name__}.{name}"
    if name in _SHAPES:
        if not (_is_sequence(value) and len(value) == 3 and all(_is_count(side) for side in value)):
            raise ValueError(f"{place} is {value!r}: it must be (channels, height, width), three numbers from 1 up.")
        # A list or a tensor's size becomes what the games compare with.
        return tuple(int(side) for side in value)
    if name == "num_classes" and not _is_count(value):
        raise ValueError(f"{place} is {value!r}: it must be a whole number from 1 up, or None.")
    return value


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__iter__") and not isinstance(value, str | Mapping)


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and int(value) >= 1


def merge_with_data(
    class_type: type, data: str, given: Namespace, linked: set[str], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Merge the user's arguments of a model with those from the data.

    Args:
        class_type: The model's class.
        data: The class of the data module.
        given: The arguments that the user has given.
        linked: The arguments that the data module could know.
        kwargs: All arguments, those of the data among them.

    Raises:
        ValueError: The user and the data disagree, or neither gives ``image_shape``.
    """
    kwargs = {**kwargs}
    for name in LINKED_ATTRIBUTES:
        mine, says = given.get(name), kwargs.get(name) if name in linked else None
        # The user may give what the data does not know, and must not contradict it.
        if says is None and mine is not None:
            kwargs[name] = mine
        elif mine is not None and mine != says:
            raise ValueError(
                f"model.{name} is {_in_short(mine)}, but the data says {_in_short(says)}: leave it out, and change the "
                "data's options instead."
            )
        # A game without classes is not given any, although the data has them.
        unknown = mine is None and (name not in linked or (says is None and name in _DEFAULTS))
        if unknown or (name in kwargs and not _takes(class_type, name)):
            kwargs.pop(name, None)
    if "image_shape" in kwargs and kwargs["image_shape"] is None:
        raise ValueError(
            f"{data} does not say what shape its images have: give the class an attribute `image_shape`, (channels, "
            "height, width), that is there as soon as it is made, or give --model.image_shape."
        )
    return kwargs


def _takes(class_type: type, name: str) -> bool:
    """Whether a constructor takes an argument, itself or through ``**kwargs`` of a base class."""
    for level in class_type.__mro__:
        if "__init__" in vars(level):
            parameters = inspect.signature(level.__init__).parameters  # type: ignore[misc]
            if name in parameters:
                return True
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                return False
    return False


def _in_short(value: Any) -> str:
    """A value for a message: of a tokenizer or a list of texts its beginning."""
    said = str(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
