"""Callbacks: they watch a game, and a game never imports one."""

from gan_lightning.callbacks.checkpoint import LastCheckpoint as LastCheckpoint
from gan_lightning.callbacks.evaluation import GenerativeMetrics as GenerativeMetrics
