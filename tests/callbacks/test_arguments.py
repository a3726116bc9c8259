"""Odd values of the arguments of the run's own callbacks: one sentence that names the argument."""

import inspect
from typing import Any

import pytest
from lightning.pytorch import Callback

from gan_lightning.callbacks.animation import RunAnimation
from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.callbacks.divergence import DivergenceGuard
from gan_lightning.callbacks.fast_training import FastTraining
from gan_lightning.callbacks.progress import RunProgressBar
from gan_lightning.callbacks.reconstructions import Reconstructions
from gan_lightning.callbacks.samples import GrowthStrip, InterpolationStrip, SampleGrid
from gan_lightning.callbacks.scatter_plot import ScatterPlot
from gan_lightning.callbacks.translations import TranslationGrid

CALLBACKS: list[type[Callback]] = [
    *(SampleGrid, InterpolationStrip, GrowthStrip, TranslationGrid, Reconstructions, ScatterPlot, RunAnimation),
    *(LastCheckpoint, DivergenceGuard, FastTraining, RunProgressBar),
]
CASES = [(kind, name) for kind in CALLBACKS for name in inspect.signature(kind).parameters]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind.__name__}.{name}" for kind, name in CASES])
def test_what_an_argument_cannot_be(kind: Any, name: str) -> None:
    default = inspect.signature(kind).parameters[name].default
    odd: list[Any] = ["5", [], {}, float("nan"), object()]
    odd += [] if default is None else [None]
    odd += [] if isinstance(default, bool) or kind is FastTraining else [True]
    odd += [] if name == "seed" else [-1, 0]
    for value in odd:
        with pytest.raises(ValueError, match=rf"^{name} is .*: (it must be|choose)"):
            kind(**{name: value})
