"""Callbacks: they watch a game, and a game never imports one."""

from gan_lightning.callbacks.animation import RunAnimation as RunAnimation
from gan_lightning.callbacks.artifacts import RunArtifacts as RunArtifacts
from gan_lightning.callbacks.checkpoint import LastCheckpoint as LastCheckpoint
from gan_lightning.callbacks.clips import ClipAnimation as ClipAnimation
from gan_lightning.callbacks.coverage import ModeCoverage as ModeCoverage
from gan_lightning.callbacks.divergence import DivergenceGuard as DivergenceGuard
from gan_lightning.callbacks.evaluation import GenerativeMetrics as GenerativeMetrics
from gan_lightning.callbacks.fast_training import FastTraining as FastTraining
from gan_lightning.callbacks.kept_memory import KeptMemory as KeptMemory
from gan_lightning.callbacks.media_samples import MediaSamples as MediaSamples
from gan_lightning.callbacks.music_measures import MusicMeasures as MusicMeasures
from gan_lightning.callbacks.reconstructions import Reconstructions as Reconstructions
from gan_lightning.callbacks.retrieval import RetrievalGrid as RetrievalGrid
from gan_lightning.callbacks.retrieval import TextRetrieval as TextRetrieval
from gan_lightning.callbacks.samples import AttentionMaps as AttentionMaps
from gan_lightning.callbacks.samples import GrowthStrip as GrowthStrip
from gan_lightning.callbacks.samples import InterpolationStrip as InterpolationStrip
from gan_lightning.callbacks.samples import SampleGrid as SampleGrid
from gan_lightning.callbacks.scatter_plot import ScatterPlot as ScatterPlot
from gan_lightning.callbacks.sequences import SequenceQuality as SequenceQuality
from gan_lightning.callbacks.sound_quality import SoundQuality as SoundQuality
from gan_lightning.callbacks.training_health import TrainingHealth as TrainingHealth
from gan_lightning.callbacks.translations import TranslationGrid as TranslationGrid
