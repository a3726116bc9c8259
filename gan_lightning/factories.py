"""Recipes for objects made later, such as an optimiser for parameters that do not exist yet.

A constructor that takes a recipe accepts three forms: a class, a ``functools.partial`` of one (the command line
gives these), and the plain record ``{"class_path": ..., "init_args": {...}}`` that a checkpoint holds. The record
is made of primitive values, so that a checkpoint loads with ``weights_only=True`` and needs no argument.
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType, FunctionType
from typing import Any, cast, get_type_hints

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.parsing import collect_init_args
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.limits import check_limits


def resolve(recipe: Any) -> Callable[..., Any]:
    """Turn any form of a recipe into a callable.

    Raises:
        TypeError: The recipe is none of the three forms.
        ValueError: A record names what cannot be imported, or what may not be called because a file says so:
            only what is known to make a network, an optimiser or a scheduler may. Or an argument is out of range.
    """
    if isinstance(recipe, Mapping) and "class_path" in recipe:
        path = recipe["class_path"]
        try:
            maker = import_name(path)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} cannot be imported here: {error}.") from error
        made = maker if isinstance(maker, type) else _annotated_return(maker)
        if not (isinstance(made, type) and issubclass(made, nn.Module | Optimizer | LRScheduler)):
            raise ValueError(f"{path} is not known to make a network, an optimiser or a scheduler: it is not called.")
        recipe = partial(maker, **recipe.get("init_args", {}))
    if isinstance(recipe, partial):
        check_limits(recipe.keywords)
    if callable(recipe):
        return recipe
    raise TypeError(f"{recipe!r} is no class, no partial of a class and no record with a 'class_path'.")


def _annotated_return(function: Any) -> Any:
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError):
        return None


def record(value: Any) -> Any:
    """Turn a constructor's argument into primitive values; recipes become records.

    Raises:
        TypeError: The value has no primitive form, for example a lambda.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [record(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): record(item) for key, item in value.items()}
    if isinstance(value, partial):
        # The command line's parser binds the class as an argument of its own instantiator.
        function = next((part for part in (*value.args, value.func) if isinstance(part, type)), value.func)
        return {**record(function), "init_args": record(value.keywords)}
    if callable(value) and "<" not in getattr(value, "__qualname__", "<"):
        return {"class_path": public_name(cast(type, value)), "init_args": {}}
    raise TypeError(f"{value!r} cannot be written into a checkpoint.")


def public_name(value: type | FunctionType) -> str:
    """The shortest import path of a class or function: files may be renamed, what a package exports stays."""
    parts = value.__module__.split(".")
    for depth in range(1, len(parts) + 1):
        module = ".".join(parts[:depth])
        if getattr(sys.modules.get(module), value.__name__, None) is value:
            return f"{module}.{value.__name__}"
    return f"{value.__module__}.{value.__qualname__}"


def import_name(path: str) -> Any:
    """Import ``package.module.Name``."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def primitive_arguments(frame: FrameType | None) -> dict[str, Any]:
    """The constructor arguments of the module that is being made, as a checkpoint can hold them.

    Args:
        frame: The frame of a base class's ``__init__``; the arguments of the classes derived from it are found in
            the frames that called it.

    Returns:
        Name to primitive value. Networks are left out, since their weights are in the checkpoint anyway; so is,
        with a warning, what cannot be written.
    """
    assert frame is not None
    arguments: dict[str, Any] = {}
    for level in collect_init_args(frame, [], classes=(LightningModule,)):
        arguments.update(level)
    primitive = {}
    for name, value in arguments.items():
        if isinstance(value, nn.Module):
            continue
        try:
            primitive[name] = record(value)
        except TypeError:
            warnings.warn(
                f"{name}={value!r} cannot be written into a checkpoint, so loading one will use the default: give a "
                "class or a functools.partial of a class with plain numbers instead.",
                stacklevel=2,
            )
    return primitive
