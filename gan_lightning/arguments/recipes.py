"""Recipes for objects made later, such as an optimiser for parameters that do not exist yet.

A constructor that takes a recipe accepts three forms: a class, a ``functools.partial`` of one (the command line
gives these), and the plain record ``{"class_path": ..., "init_args": {...}}`` that a checkpoint holds. The record
is made of primitive values, so that a checkpoint loads with ``weights_only=True`` and needs no argument.
"""

import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType, FunctionType
from typing import Any, cast, get_type_hints

import numpy as np
from torch import nn

from gan_lightning.arguments.class_defaults import OWN_CONSTRUCTOR
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recordable import Recordable
from gan_lightning.arguments.schedules import Schedule

_OPEN = {"gan_lightning", "torch"}
"""Packages that may be imported because a file names them; importing others would run their code."""


def open_package(name: str) -> None:
    """Import a module, and allow checkpoints to name classes in it and in its sub-modules.

    Raises:
        ImportError: It cannot be imported.
    """
    # By the user's own word, on the command line or in Python.
    importlib.import_module(name)
    _OPEN.add(name)


def resolve(recipe: Any, kind: type = nn.Module) -> Callable[..., Any]:
    """Turn any form of a recipe into a callable.

    Args:
        recipe: A class, a partial of one, or a record of one.
        kind: What it must make, if it is a record. A record may come from a file, and what a file names is called only
            if it is a class of this kind or a function that is annotated to return one.

    Raises:
        TypeError: The recipe is none of the three forms.
        ValueError: A record names what is not there, or what is not known to make this kind. Or an argument is out of
            range.
    """
    if isinstance(recipe, Mapping) and "class_path" in recipe:
        path = recipe["class_path"]
        try:
            maker = find_name(path)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{path} cannot be imported here: {error}.") from error
        # Found is not yet trusted: a file could name os.system.
        check_maker(maker, kind, path)
        # A record from a checkpoint becomes a partial, as if the command line had given it.
        recipe = partial(maker, **recipe.get("init_args", {}))
    if isinstance(recipe, partial):
        check_limits(recipe.keywords)
    if callable(recipe):
        return recipe
    raise TypeError(f"{recipe!r} is no class, no partial of a class and no record with a 'class_path'.")


def resolve_number(value: Schedule | float | Mapping[str, Any]) -> Schedule | float:
    """A number or a schedule as it is; the record of a schedule, as a checkpoint holds it, is made into one.

    Raises:
        ValueError: The record names something else.
    """
    number: Schedule | float = resolve_object(value, Schedule)
    return number


def resolve_object(value: Any, kind: type) -> Any:
    """An object as it is; the record of one, as a checkpoint holds it, is made into one.

    Raises:
        ValueError: The record names what is not of this kind.
    """
    return resolve(value, kind)() if isinstance(value, Mapping) else value


def check_maker(maker: Any, kinds: type | tuple[type, ...], name: object) -> None:
    """Refuse to call a name from a file unless it makes an object of the wanted kind.

    Raises:
        ValueError: It is no class of these kinds, and no function that is annotated to return one.
    """
    made = maker if isinstance(maker, type) else _annotated_return(maker)
    if not (isinstance(made, type) and issubclass(made, kinds)):
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        raise ValueError(
            f"{name} is not known to make a {' or '.join(map(public_name, wanted))}, so it is not called: name a "
            "class of that kind, or a function that is annotated to return one."
        )


def _annotated_return(function: Any) -> Any:
    try:
        return get_type_hints(function).get("return")
    except (AttributeError, NameError, TypeError):
        return None


def record(value: Any) -> Any:
    """Convert a constructor's argument into primitive values; recipes become records.

    Raises:
        TypeError: The value has no primitive form, for example a lambda.
    """
    # NumPy's scalars would need code to be unpickled.
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [record(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): record(item) for key, item in value.items()}
    # It is made already, and is recorded by the arguments that would make it again.
    if isinstance(value, Recordable):
        return {**record(type(value)), "init_args": record(value.arguments())}
    if isinstance(value, partial):
        # The command line's parser binds the class as an argument of its own instantiator.
        function = next((part for part in (*value.args, value.func) if isinstance(part, type)), value.func)
        return {**record(function), "init_args": record(value.keywords)}
    # No lambdas and no local functions: they have no import path.
    if callable(value) and "<" not in getattr(value, "__qualname__", "<"):
        return {"class_path": public_name(cast(type, value)), "init_args": {}}
    raise TypeError(f"{value!r} cannot be written into a checkpoint.")


def public_name(value: type | FunctionType) -> str:
    """The shortest import path of a class or function: files may be renamed, what a package exports stays."""
    parts = value.__module__.split(".")
    # gan_lightning, gan_lightning.networks, ...: the shortest package that exports the object.
    for depth in range(1, len(parts) + 1):
        module = ".".join(parts[:depth])
        if getattr(sys.modules.get(module), value.__name__, None) is value:
            return f"{module}.{value.__name__}"
    return f"{value.__module__}.{value.__qualname__}"


def import_name(path: str) -> Any:
    """Import ``package.module.Name``, which the user has named. For what a file names, see :func:`find_name`."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def find_name(path: Any) -> Any:
    """Find ``package.module.Name``, which a file names: to import a module is to run its code.

    Only our modules and torch's are imported, and those that :func:`open_package` was given; of all others, those
    that are imported already are looked into.

    Raises:
        ValueError: This is no name, or the name of what would have to be imported from elsewhere.
        ImportError: There is no such module.
        AttributeError: The module has no such name.
    """
    module = path.rpartition(".")[0] if isinstance(path, str) else ""
    if not module:
        raise ValueError(f"{path!r} is no import path.")
    # A package allows its sub-modules.
    opened = any(f"{module}.".startswith(f"{package}.") for package in _OPEN)
    if module not in sys.modules and not opened:
        raise ValueError(
            f"{path} is in a package that has not been imported, and to import it would run its code. If you trust "
            f"it, give --import {module} on the command line; in Python, import {module} first."
        )
    return import_name(path)


def primitive_arguments(frame: FrameType | None) -> dict[str, Any]:
    """Constructor arguments of the module under construction, as primitive values for a checkpoint.

    Args:
        frame: The frame of a base class's ``__init__``; the arguments of the classes derived from it are found in
            the frames that called it.

    Returns:
        Name to primitive value. Networks are left out, since their weights are in the checkpoint anyway; so is,
        with a warning, what cannot be written.
    """
    primitive = {}
    # Read off the frames, so that a variant needs no save_hyperparameters() of its own.
    for name, value in _constructor_arguments(frame).items():
        # The name stays out of the hyper-parameters: loading then needs the network to be given.
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


def _constructor_arguments(frame: FrameType | None) -> dict[str, Any]:
    """The arguments of the constructors that are running for one object, from a base class's outwards."""
    arguments: dict[str, Any] = {}
    made = None
    while frame is not None and frame.f_code.co_name in ("__init__", OWN_CONSTRUCTOR):
        (this, *names), _, others, values = inspect.getargvalues(frame)
        made = values[this] if made is None else made
        if values[this] is not made:  # The constructor of another object, which makes this one.
            break
        # Outwards, so that a subclass's value of an argument replaces that which it handed on.
        arguments |= {name: values[name] for name in names} | (values[others] if others else {})
        frame = frame.f_back
    return arguments
