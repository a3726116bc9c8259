"""Classes that the help and error messages offer for an option."""

import argparse
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import BaseFinetuning, BasePredictionWriter, Checkpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from torch import nn
from torch.optim import LBFGS, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

import gan_lightning.networks
from gan_lightning.arguments.recipes import check_maker, import_name, public_name
from gan_lightning.commands.parser_internals import type_of
from gan_lightning.regularizers import Regularizer

_BASE_CLASSES = {
    *(LightningDataModule, LightningModule, Logger, Optimizer, LRScheduler),
    *(Callback, BaseFinetuning, BasePredictionWriter, Checkpoint, ProgressBar),
    Regularizer,
}
_REFUSED = {LBFGS, ReduceLROnPlateau}
"""Classes that cannot train a game: they need a closure, or a monitored value."""
_KNOWN = re.compile(r", known subclasses: (?P<paths>[^)]*)")


def choices(action: argparse.Action) -> list[str]:
    """Classes to offer for an option, ours first: short names, or import paths where a name is ambiguous."""
    # The annotation of a network is a callable, of which jsonargparse knows no subclasses.
    if networks := _networks(action):
        return networks
    # jsonargparse lists the known subclasses in its help text only.
    match = _KNOWN.search(action.extra_help()) if hasattr(action, "extra_help") else None
    known = match["paths"].split(", ") if match else []
    names = Counter(path.rpartition(".")[2] for path in known)
    selectable = [path for path in known if (kind := _imported(path)) is not None and is_selectable(kind)]
    # Ours first: they are what a game is most often made of.
    selectable.sort(key=lambda path: (not path.startswith(("gan_lightning.", "datamodules.")), path.rpartition(".")[2]))
    return [path.rpartition(".")[2] if names[path.rpartition(".")[2]] == 1 else path for path in selectable]


def _imported(path: str) -> type | None:
    try:
        kind: type = import_name(path)
    except (ImportError, AttributeError):  # Lightning derives a class from each optimiser that it has seen.
        return None
    return kind


def is_selectable(kind: type) -> bool:
    """Whether to offer a class: neither a base class nor private to its package."""
    is_shipped = kind.__module__.startswith(("gan_lightning.", "datamodules.", "lightning.", "torch."))
    if kind in _BASE_CLASSES | _REFUSED or inspect.isabstract(kind) or not is_shipped:
        return False
    if kind.__module__.startswith("datamodules.components."):
        return False
    if kind.__module__.startswith("gan_lightning."):
        # The base classes of games have no losses, and what the commands add themselves is not for the user to add.
        is_engine = issubclass(kind, LightningModule) and not kind.__module__.startswith("gan_lightning.variants.")
        return not is_engine and not kind.__module__.startswith("gan_lightning.commands.")
    # What Lightning means for its users is in a package, the rest in the modules of that package.
    path = public_name(kind)
    return not path.startswith("lightning.") or hasattr(sys.modules[path.rpartition(".")[0]], "__path__")


def check_recipes(value: Any, place: str) -> None:
    """Refuse functions that are not known to make what a model is made of: the parser looks at classes alone.

    Raises:
        ValueError: There is one.
    """
    if isinstance(value, Namespace):
        path = value.get("class_path")
        if path is not None and not isinstance(maker := import_name(path), type):
            check_maker(maker, (nn.Module, Optimizer, LRScheduler), f"{place}: {path}")
        for name, part in vars(value).items():
            check_recipes(part, place if name == "init_args" else f"{place}.{name}")
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            check_recipes(part, place)


def selectable_subclasses(kind: type) -> list[type]:
    """Subclasses, at any depth, that can be selected."""
    kinds: dict[type, None] = {}
    child: type
    # A dictionary keeps the order of definition, and a class with two parents only once.
    for child in kind.__subclasses__():
        kinds |= dict.fromkeys([child, *selectable_subclasses(child)])
    return [kind for kind in kinds if is_selectable(kind)]


def _networks(action: argparse.Action) -> list[str]:
    """Our networks for an option that takes a network class: those with the default's signature."""
    hint = type_of(action)
    recipe = next((part for part in (hint, *get_args(hint)) if get_origin(part) is Callable), None)
    if recipe is None or get_args(recipe)[1] is not nn.Module:
        return []
    # Callable[[image_shape, ...], nn.Module]: how many arguments the game passes.
    takes = len(get_args(recipe)[0])
    ours = {name: getattr(gan_lightning.networks, name) for name in gan_lightning.networks.__all__}
    # The default shows what the game calls: a generator is called otherwise than a discriminator.
    default = _default(action)
    if default is None:
        return [*ours]
    return [name for name, kind in ours.items() if _calls(kind, takes) == _calls(default, takes)]


def _default(action: argparse.Action) -> Any:
    default = action.default
    if isinstance(default, Mapping) or hasattr(default, "class_path"):
        return import_name(default["class_path"])
    return default


def _calls(kind: Any, takes: int) -> tuple[object, ...]:
    """Signature of a network class: constructor arguments, whether they suffice, inputs and output of ``forward``."""
    made = [*inspect.signature(kind).parameters.values()]
    suffices = all(parameter.default is not parameter.empty for parameter in made[takes:])
    called = inspect.signature(getattr(kind, "forward", kind))
    return [parameter.name for parameter in made[:takes]], suffices, [*called.parameters][:2], called.return_annotation
