"""Import hook for moved modules: their old names in checkpoints, configs and user code go on working."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "gan_lightning.attributes": "gan_lightning.games.attributes",
    "gan_lightning.batches": "gan_lightning.trainer.loader_batches",
    "gan_lightning.callbacks.fast": "gan_lightning.callbacks.fast_training",
    "gan_lightning.callbacks.health": "gan_lightning.callbacks.training_health",
    "gan_lightning.callbacks.measuring": "gan_lightning.callbacks.measurement",
    "gan_lightning.callbacks.pictures": "gan_lightning.callbacks.picture",
    "gan_lightning.callbacks.scatter": "gan_lightning.callbacks.scatter_plot",
    "gan_lightning.callbacks.signals": "gan_lightning.trainer.stop_signals",
    "gan_lightning.captions": "gan_lightning.visualization.captions",
    "gan_lightning.checkpoint_io": "gan_lightning.trainer.atomic_checkpoint",
    "gan_lightning.code_game": "gan_lightning.games.code",
    "gan_lightning.commands.choices": "gan_lightning.commands.class_choices",
    "gan_lightning.commands.codes": "gan_lightning.commands.code_options",
    "gan_lightning.commands.continuing": "gan_lightning.commands.start_checkpoint",
    "gan_lightning.commands.generated": "gan_lightning.commands.write_images",
    "gan_lightning.commands.names": "gan_lightning.commands.run_names",
    "gan_lightning.commands.record": "gan_lightning.commands.run_summary",
    "gan_lightning.disk": "gan_lightning.trainer.disk",
    "gan_lightning.ema": "gan_lightning.optimizers.ema",
    "gan_lightning.factories": "gan_lightning.arguments.recipes",
    "gan_lightning.game": "gan_lightning.games.base",
    "gan_lightning.historical_averaging": "gan_lightning.optimizers.historical_averaging",
    "gan_lightning.hooks": "gan_lightning.games.overridden_hooks",
    "gan_lightning.image_buffer": "gan_lightning.networks.layers.image_buffer",
    "gan_lightning.image_game": "gan_lightning.games.image",
    "gan_lightning.image_sets": "gan_lightning.visualization.image_sets",
    "gan_lightning.images": "gan_lightning.visualization.images",
    "gan_lightning.label_game": "gan_lightning.games.label",
    "gan_lightning.laplacian": "gan_lightning.networks.layers.laplacian",
    "gan_lightning.inference.published_generator": "gan_lightning.inference.published",
    "gan_lightning.inference.published_weights": "gan_lightning.inference.published.pix2pix",
    "gan_lightning.launcher": "gan_lightning.trainer.launcher",
    "gan_lightning.limits": "gan_lightning.arguments.ranges",
    "gan_lightning.loading": "gan_lightning.inference.checkpoint",
    "gan_lightning.logger_guards": "gan_lightning.loggers.guards",
    "gan_lightning.logs": "gan_lightning.loggers.step_values",
    "gan_lightning.metrics.embed": "gan_lightning.metrics.feature_pass",
    "gan_lightning.metrics.gaussian": "gan_lightning.metrics.running_moments",
    "gan_lightning.metrics.modes": "gan_lightning.metrics.mode_coverage",
    "gan_lightning.metrics.parallel": "gan_lightning.trainer.processes",
    "gan_lightning.metrics.scores": "gan_lightning.metrics.registry",
    "gan_lightning.metrics.sources": "gan_lightning.metrics.image_sources",
    "gan_lightning.modes": "gan_lightning.games.freezing",
    "gan_lightning.monitors": "gan_lightning.trainer.monitors",
    "gan_lightning.networks.attention": "gan_lightning.networks.layers.attention",
    "gan_lightning.networks.autoencoder": "gan_lightning.networks.ebgan",
    "gan_lightning.networks.bidirectional": "gan_lightning.networks.ali",
    "gan_lightning.networks.classifying": "gan_lightning.networks.acgan",
    "gan_lightning.networks.convolutional": "gan_lightning.networks.dcgan",
    "gan_lightning.networks.coupled": "gan_lightning.networks.cogan",
    "gan_lightning.networks.labels": "gan_lightning.networks.layers.labels",
    "gan_lightning.networks.last_layer": "gan_lightning.networks.layers.last_layer",
    "gan_lightning.networks.minibatch_discrimination": "gan_lightning.networks.layers.minibatch_discrimination",
    "gan_lightning.networks.patch": "gan_lightning.networks.patchgan",
    "gan_lightning.networks.points": "gan_lightning.networks.toy",
    "gan_lightning.networks.pyramid": "gan_lightning.networks.sagan",
    "gan_lightning.networks.residual_translator": "gan_lightning.networks.resnet_translator",
    "gan_lightning.networks.spectral": "gan_lightning.networks.layers.spectral",
    "gan_lightning.networks.virtual_batch_norm": "gan_lightning.networks.layers.virtual_batch_norm",
    "gan_lightning.players": "gan_lightning.games.players",
    "gan_lightning.precision": "gan_lightning.trainer.number_types",
    "gan_lightning.random": "gan_lightning.games.randomness",
    "gan_lightning.readable": "gan_lightning.trainer.readable_checkpoint",
    "gan_lightning.reference_translator": "gan_lightning.inference.published",
    "gan_lightning.reference_weights": "gan_lightning.inference.published.pix2pix",
    "gan_lightning.rounds": "gan_lightning.trainer.step_batches",
    "gan_lightning.run_lock": "gan_lightning.trainer.run_lock",
    "gan_lightning.sampling": "gan_lightning.inference",
    "gan_lightning.scatter": "gan_lightning.visualization.scatter_plot",
    "gan_lightning.schedulers": "gan_lightning.optimizers.schedulers",
    "gan_lightning.slurm": "gan_lightning.trainer.slurm",
    "gan_lightning.speed": "gan_lightning.trainer.speed",
    "gan_lightning.states": "gan_lightning.trainer.state_dict",
    "gan_lightning.strategy": "gan_lightning.trainer.ddp",
    "gan_lightning.tiles": "gan_lightning.inference.tiling",
    "gan_lightning.translating": "gan_lightning.inference.translation",
    "gan_lightning.translation_game": "gan_lightning.games.translation",
    "gan_lightning.unrolling": "gan_lightning.optimizers.look_ahead",
    "gan_lightning.verdicts": "gan_lightning.losses.accuracy",
    "gan_lightning.weights": "gan_lightning.networks.pretrained",
}
"""Old name to new name, since 0.3. A module that became a package of the same name needs no line."""


class _MovedModules(MetaPathFinder, Loader):
    """Imports a module by its old name; what is imported is the module itself, not a copy."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # None: Python asks its other finders.
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        # Python's default filters hide this where a checkpoint is loaded, and show it in a script's own import.
        warnings.warn(f"{name} is now {MOVED[name]}.", DeprecationWarning, stacklevel=2)
        sys.modules[name] = import_module(MOVED[name])  # importlib takes what it finds there


def install() -> None:
    """Let Python find the modules by their old names as well."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        # Before Python's own finders, which would look for the old file.
        sys.meta_path.insert(0, _MovedModules())
