"""The callbacks that a command adds to those that the user has given."""

from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ProgressBar

from gan_lightning.callbacks.animation import RunAnimation
from gan_lightning.callbacks.artifacts import RunArtifacts
from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.callbacks.clips import ClipAnimation
from gan_lightning.callbacks.divergence import DivergenceGuard
from gan_lightning.callbacks.fast_training import FastTraining
from gan_lightning.callbacks.media_samples import MediaSamples
from gan_lightning.callbacks.picture import Picture
from gan_lightning.callbacks.predictions import PredictionWriter
from gan_lightning.callbacks.progress import RunProgressBar
from gan_lightning.callbacks.reconstructions import Reconstructions
from gan_lightning.callbacks.retrieval import RetrievalGrid
from gan_lightning.callbacks.samples import AttentionMaps, GrowthStrip, InterpolationStrip, SampleGrid
from gan_lightning.callbacks.scatter_plot import ScatterPlot
from gan_lightning.callbacks.training_health import TrainingHealth
from gan_lightning.callbacks.translations import TranslationGrid
from gan_lightning.games.base import AdversarialModule

_DEFAULTS: dict[str, dict[type[Callback], type[Callback]]] = {
    # Of each command: {kind that the user may give instead: class to add}.
    "fit": {
        ProgressBar: RunProgressBar,
        LastCheckpoint: LastCheckpoint,
        TrainingHealth: TrainingHealth,
        DivergenceGuard: DivergenceGuard,
        SampleGrid: SampleGrid,
        MediaSamples: MediaSamples,
        ScatterPlot: ScatterPlot,
        InterpolationStrip: InterpolationStrip,
        GrowthStrip: GrowthStrip,
        AttentionMaps: AttentionMaps,
        TranslationGrid: TranslationGrid,
        ClipAnimation: ClipAnimation,
        Reconstructions: Reconstructions,
        RetrievalGrid: RetrievalGrid,
        RunAnimation: RunAnimation,
        RunArtifacts: RunArtifacts,
    },
    "validate": {ProgressBar: RunProgressBar},
    "test": {ProgressBar: RunProgressBar},
    "predict": {ProgressBar: RunProgressBar, PredictionWriter: PredictionWriter},
}
_SWITCHES: dict[type[Callback], str] = {
    ProgressBar: "enable_progress_bar",
    LastCheckpoint: "enable_checkpointing",
}


def with_defaults(
    command: str, game: AdversarialModule, trainer: Mapping[str, Any], fast: bool | str = False
) -> list[Callback]:
    """The user's callbacks, and the command's own that the user has neither replaced nor switched off.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.
        game: A picture that it cannot have is left out.
        trainer: The trainer's options, with ``callbacks`` and the switches.
        fast: ``--fast``: whether speed options are tried, or the names of those that are on.
    """
    given = trainer["callbacks"] or []
    callbacks = [*given] if isinstance(given, Iterable) else [given]
    for kind, make in _DEFAULTS[command].items():
        # Predictions are what the command is for, whatever is switched off.
        wanted = kind is PredictionWriter or not trainer["barebones"]
        wanted = wanted and trainer.get(_SWITCHES.get(kind, "")) is not False
        wanted = wanted and not (issubclass(kind, Picture) and kind.reason_to_skip(game))
        if wanted and not any(isinstance(callback, kind) for callback in callbacks):
            callbacks.append(make())
    if fast and not any(isinstance(callback, FastTraining) for callback in callbacks):
        callbacks.append(FastTraining.of(fast) if isinstance(fast, str) else FastTraining())
    return callbacks
