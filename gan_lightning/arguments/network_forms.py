"""Check that a network's ``forward`` has the signature that a game calls, before the network is made."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

from torch import Tensor, nn


def check_network(game: type, name: str, network: Any) -> None:
    """Refuse a network whose ``forward`` differs in inputs or output from that of the game's default network.

    Args:
        game: The game's class; the default of its argument is the usual network.
        name: Of the argument, such as ``discriminator``.
        network: A class, or a ``functools.partial`` of one. What has no annotations is let through.

    Raises:
        ValueError: It takes another number of tensors, or returns another form: one tensor, a tuple, a dict.
    """
    # The command line's parser binds the class as an argument of its own instantiator.
    parts = (*network.args, network.func) if isinstance(network, partial) else (network,)
    given: Any = next((part for part in parts if isinstance(part, type)), None)
    usual = _default(game, name)
    # Functions, lambdas and records say nothing about a forward pass.
    if usual is given or not (_is_network(usual) and _is_network(given)):
        return
    returned, expected = _returned(given), _returned(usual)
    # By annotations: to run the network would take its weights and a batch.
    if returned is not None and expected is not None and not _alike(returned, expected):
        raise ValueError(
            f"{name} is {given.__name__}, which returns {_words(returned)}, and {game.__name__} needs "
            f"{_words(expected)}, as {usual.__name__} returns."
        )
    # Labels are for games that know of classes.
    unused = () if _knows(game, "num_classes") else ("labels",)
    if not any(_takes(given, number) for number in _numbers(usual, unused)):
        raise ValueError(
            f"{name} is {given.__name__}, which is called with {_inputs(given)}, and {game.__name__} calls it with "
            f"{_inputs(usual, unused)}, as {usual.__name__}."
        )


def _default(game: type, name: str) -> Any:
    """The default of a constructor's argument, its own or one that it hands on."""
    for level in game.__mro__:
        if "__init__" in vars(level) and name in (known := inspect.signature(vars(level)["__init__"]).parameters):
            return known[name].default
    return None


def _knows(game: type, name: str) -> bool:
    """Whether a class has an argument, its own or one that it hands on."""
    return any(
        name in inspect.signature(vars(level)["__init__"]).parameters
        for level in game.__mro__
        if "__init__" in vars(level)
    )


def _is_network(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, nn.Module)


def _returned(network: type[nn.Module]) -> Any:
    try:
        return get_type_hints(network.forward).get("return")
    except (NameError, TypeError):
        return None


def _alike(one: Any, other: Any) -> bool:
    kinds = [get_origin(kind) or kind for kind in (one, other)]
    if any(kind not in (Tensor, tuple, dict) for kind in kinds):
        return True  # Another annotation, which may mean either.
    # tuple[Tensor, ...] may be of any length.
    lengths = [len(get_args(kind)) for kind in (one, other) if Ellipsis not in get_args(kind)]
    return kinds[0] is kinds[1] and len({*lengths}) < 2


def _words(returned: Any) -> str:
    origin, parts = get_origin(returned) or returned, get_args(returned)
    if origin is tuple:
        return f"{len(parts)} tensors" if parts and Ellipsis not in parts else "several tensors"
    return "tensors by name" if issubclass(origin, Mapping) else "one tensor"


def _numbers(network: type[nn.Module], unused: Sequence[str] = ()) -> tuple[int, int]:
    """How many arguments ``forward`` takes at least, and at most without those that are not used."""
    parameters = _parameters(network, unused)
    some = [part for part in parameters if part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)]
    endless = any(part.kind is part.VAR_POSITIONAL for part in parameters)
    return sum(part.default is part.empty for part in some), 99 if endless else len(some)


def _takes(network: type[nn.Module], number: int) -> bool:
    least, most = _numbers(network)
    return least <= number <= most


def _inputs(network: type[nn.Module], unused: Sequence[str] = ()) -> str:
    return ", ".join(part.name for part in _parameters(network, unused)) or "nothing"


def _parameters(network: type[nn.Module], unused: Sequence[str]) -> list[inspect.Parameter]:
    """Those of ``forward`` after ``self``, without the optional ones that are not used."""
    given = [*inspect.signature(network.forward).parameters.values()][1:]
    return [part for part in given if part.name not in unused or part.default is part.empty]
