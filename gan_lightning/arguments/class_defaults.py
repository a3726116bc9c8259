"""Other defaults of inherited constructor arguments, stated in the class statement.

``class WGAN(ImageGame, n_critic=5)`` is an ``ImageGame`` whose ``n_critic`` is 5 unless another is given. A class with
new arguments writes these alone, and hands the others on: ``def __init__(self, clip_limit=0.01, **game)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

OWN_CONSTRUCTOR = "__init__.own"
"""Name of the code of a constructor that is called with the stated defaults filled in."""


class ClassDefaults:
    """Base of classes whose subclasses may state other defaults: ``class SNGAN(ImageGame, n_critic=5)``."""

    def __init_subclass__(cls, **defaults: Any) -> None:
        if defaults:
            state_defaults(cls, defaults)
        super().__init_subclass__()


def state_defaults(made: type, defaults: Mapping[str, Any]) -> None:
    """Give a class a constructor with other defaults of the arguments that the classes above it take.

    Its signature lists the arguments of the class above, then the class's own, and those of ``defaults`` that come from
    further above. Help texts are those of the classes that declare the arguments.

    Args:
        made: The class. Its own ``__init__``, if it has one, takes ``**others`` and hands them on.
        defaults: Value by the name of the argument.

    Raises:
        TypeError: There is no such argument, or the class's own constructor cannot hand it on.
    """
    own = vars(made).get("__init__")
    own_parameters = [] if own is None else _parameters(own)
    above, known = _inherited(made)
    # When the class is defined: a misspelt argument shows on import.
    _check(made, defaults, own_parameters, known)
    own_names = [parameter.name for parameter in own_parameters if _named(parameter)]
    # The signature is what the command line shows and what checkpoints record, so it must have the stated defaults.
    known = {name: p.replace(default=defaults.get(name, p.default)) for name, p in known.items()}
    first = [known[name] for name in above if name in known and name not in own_names]
    last = [known[name] for name in defaults if name not in above]
    # What has no default cannot stand behind what has one, unless it is given by name.
    mine = [
        p.replace(kind=p.KEYWORD_ONLY) if first and p.default is p.empty else p for p in own_parameters if _named(p)
    ]
    ordered = [*mine, *first, *last] if {*own_names} & {*above} else [*first, *mine, *last]
    handed_on = [p for p in above.values() if p.kind is p.VAR_KEYWORD]
    taken = Signature(
        [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *sorted([*ordered, *handed_on], key=lambda p: p.kind)]
    )
    type.__setattr__(made, "__init__", _filled(made, own or _handing_on(made), taken, defaults))


def _filled(made: type, own: Callable[..., None], taken: Signature, defaults: Mapping[str, Any]) -> Callable[..., None]:
    """A constructor that takes arguments by ``taken`` and gives them to ``own`` by name, with the defaults."""
    # Lightning reads the frames of constructors, and expects in one what the class's signature says.
    own.__code__ = own.__code__.replace(co_name=OWN_CONSTRUCTOR)
    rest = next((p.name for p in taken.parameters.values() if p.kind is p.VAR_KEYWORD), None)

    @wraps(own)
    def __init__(self: Any, *args: Any, **named: Any) -> None:
        try:
            # Bound to the full signature, so that positions mean what help and documentation say.
            given = taken.bind(self, *args, **named).arguments
        except TypeError as error:
            raise TypeError(f"{made.__name__}.__init__() {error}") from None
        given.pop("self")
        others = given.pop(rest, {}) if rest else {}
        own(self, **{**defaults, **given, **others})

    __init__.__name__, __init__.__qualname__ = "__init__", f"{made.__qualname__}.__init__"
    __init__.__module__ = made.__module__
    __init__.__signature__ = taken  # type: ignore[attr-defined]
    __init__.__annotations__ = {p.name: p.annotation for p in taken.parameters.values() if p.annotation is not p.empty}
    return __init__


def _handing_on(__class__: type) -> Callable[..., None]:
    """The constructor of a class that has none of its own; ``super()`` reads the cell ``__class__``."""

    def __init__(self: Any, **game: Any) -> None:
        super().__init__(**game)  # type: ignore[misc]

    return __init__


def _inherited(made: type) -> tuple[dict[str, Parameter], dict[str, Parameter]]:
    """The arguments of the constructor above, and those that can be named: also what it hands on with ``**others``."""
    above: dict[str, Parameter] | None = None
    known: dict[str, Parameter] = {}
    for level in made.__mro__[1:]:
        if "__init__" not in vars(level):
            continue
        parameters = {parameter.name: parameter for parameter in _parameters(vars(level)["__init__"])}
        above = parameters if above is None else above
        known = {**{name: p for name, p in parameters.items() if _named(p)}, **known}
        # A constructor without **others hands nothing on: what is above it cannot be reached by name.
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return above or {}, known


def _parameters(function: Callable[..., Any]) -> list[Parameter]:
    """A constructor's parameters but ``self``, with their types where these can be resolved."""
    try:
        hints = get_type_hints(function)
    except NameError:  # A name that only a type checker knows.
        hints = {}
    _, *parameters = signature(function).parameters.values()
    return [parameter.replace(annotation=hints.get(parameter.name, parameter.annotation)) for parameter in parameters]


def _named(parameter: Parameter) -> bool:
    return parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def _check(
    made: type, defaults: Mapping[str, Any], own_parameters: list[Parameter], known: Mapping[str, Parameter]
) -> None:
    """Refuse defaults that would not reach the constructor above."""
    own_names = [parameter.name for parameter in own_parameters]
    for name in defaults:
        if name in own_names:
            raise TypeError(f"class {made.__name__} states {name} twice: its own __init__ has the default.")
        if name not in known:
            raise TypeError(
                f"class {made.__name__} states a default of {name}, and the classes above it have no such argument: "
                f"they take {', '.join(known)}."
            )
    if own_parameters and own_parameters[-1].kind is not Parameter.VAR_KEYWORD:
        raise TypeError(
            f"class {made.__name__} states defaults of {', '.join(defaults)}, which its own __init__ does not hand on: "
            "it must take **others and call super().__init__(**others)."
        )
