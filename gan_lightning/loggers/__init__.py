"""Loggers, what guards training against their trouble, and which values of a step are logged when."""

from gan_lightning.loggers.run import RunLogger
from gan_lightning.loggers.wandb import SteadyWandbLogger

__all__ = ["RunLogger", "SteadyWandbLogger"]
