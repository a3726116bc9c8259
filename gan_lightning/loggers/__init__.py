"""Loggers, guards against their failures, and which values of a step are logged when."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.loggers.run import RunLogger
    from gan_lightning.loggers.wandb import SteadyWandbLogger

__all__ = ["RunLogger", "SteadyWandbLogger"]

_HOMES = {"RunLogger": "run", "SteadyWandbLogger": "wandb"}


def __getattr__(name: str) -> Any:
    """Import a logger on first use: they are Lightning's, which commands that train nothing do without."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
