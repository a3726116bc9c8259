"""Options of Lightning's Trainer, without those that have no effect on a game, with texts that fit games."""

import argparse
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser

from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.commands.parser import mistake
from gan_lightning.commands.parser_internals import options_of
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.translation import TranslationGame

_MODEL_OPTIONS = {
    # Option of the trainer: (its default, the model's option that does it)
    "accumulate_grad_batches": (1, "accumulate"),
    "gradient_clip_val": (None, "gradient_clip_norm"),
    "gradient_clip_algorithm": (None, "gradient_clip_norm"),
}
_TEXTS = {
    "logger": "Loggers beside the run's own, which writes metrics.csv; false: not even that one.",
    "callbacks": "Callbacks beside the run's own (progress bar, LastCheckpoint, SampleGrid, InterpolationStrip, "
    "GrowthStrip, RunAnimation); one of the same kind takes the place of the run's.",
    "max_steps": "Stop after this many steps, the updates of the generator. -1: no limit.",
    "min_steps": "Train for at least this many steps, the updates of the generator.",
    "max_epochs": "Stop after this many epochs. -1: no limit; null: 1000 if max_steps sets no limit.",
    "log_every_n_steps": "Steps between two rows of metrics.csv. Default: ``50``.",
    "enable_checkpointing": "Whether checkpoints/last.ckpt is written.",
    "enable_progress_bar": "Whether there is a progress bar.",
    "enable_model_summary": "Print Lightning's table of the layers too; the number of parameters is always printed.",
    "barebones": "Measure the trainer's own cost: without checkpoints, loggers, progress bar and sanity check.",
    "default_root_dir": "Folder that holds the runs.",
}

_OURS = ("gan_lightning.", "lightning.")

_MINIMA = {
    "log_every_n_steps": 0,
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": -1,
    "min_steps": 0,
    "max_steps": -1,
    "min_epochs": 0,
    "max_epochs": -1,
    "fast_dev_run": 0,
    "num_nodes": 1,
    "reload_dataloaders_every_n_epochs": 0,
}
"""Minimum values that Lightning does not check, or only later."""
_COUNTS_OR_FRACTIONS = {
    **{f"limit_{stage}_batches": "batches" for stage in ("train", "val", "test", "predict")},
    "overfit_batches": "batches",
    "val_check_interval": "steps",
}
"""Options that take a whole number, or a fraction of an epoch."""
_MACHINE = ("accelerator", "strategy", "devices", "num_nodes", "precision", "plugins", "profiler", "max_time")


def check_trainer_options(options: Mapping[str, Any]) -> None:
    """Refuse values that Lightning accepts and cannot use.

    Raises:
        ValueError: A number is too small to mean anything, or a part of an epoch is none.
    """
    for name, least in _MINIMA.items():
        if options[name] is not None and options[name] < least:
            raise ValueError(f"trainer.{name} is {options[name]}: it must be at least {least}.")
    for name, what in _COUNTS_OR_FRACTIONS.items():
        value = options[name]
        if isinstance(value, int | float) and not (value >= 0 and (value <= 1 or value % 1 == 0)):
            raise ValueError(
                f"trainer.{name} is {value}: it must be a whole number of {what}, or a part of an epoch, 0.0 to 1.0."
            )
    if options["limit_train_batches"] == 0:
        raise ValueError("trainer.limit_train_batches is 0: nothing would be trained; validate and test only measure.")
    if options["val_check_interval"] == 0:
        raise ValueError("trainer.val_check_interval is 0: it must be a number of steps, or a part of an epoch.")


def name_the_options(error: Exception, options: Namespace) -> str:
    """Lightning's message, preceded by the options it may be about unless it names one itself."""
    # Lightning's messages have line breaks in their midst.
    said = " ".join(str(error).split())
    if any(f"{name}`" in said or f"{name}=" in said or f"trainer.{name}" in said for name in vars(options)):
        return said
    defaults = inspect.signature(Trainer).parameters
    given = [f"trainer.{name} is {options[name]}" for name in _MACHINE if options[name] != defaults[name].default]
    return f"{', '.join(given)}: {said}" if given else said


def check_monitors(model: Any, callbacks: Iterable[Callback]) -> None:
    """Refuse a ``monitor`` that nothing logs; with classes of the user's own anything may be logged.

    Raises:
        ValueError: A callback's ``monitor`` is never logged.
    """
    callbacks = [*callbacks]
    others = [each for each in callbacks if type(each) not in (EarlyStopping, ModelCheckpoint)]
    # A class of the user's own may log any name.
    if not all(type(each).__module__.startswith("gan_lightning.") for each in (model, *others)):
        return
    measured = any(isinstance(each, Measurement | TranslationGame) for each in (model, *callbacks))
    logged = ("train/", "val/") if measured else ("train/",)
    for each in callbacks:
        monitor = getattr(each, "monitor", None)
        if monitor in (None, "epoch", "step") or monitor.startswith(logged) or not getattr(each, "strict", True):
            continue
        raise ValueError(
            f"{type(each).__name__}.monitor is {monitor}, which nothing logs: it begins with train/, or with val/ if "
            "there is GenerativeMetrics or ModeCoverage among the callbacks."
        )


def measures_nothing(command: str, model: Any, callbacks: Iterable[Callback]) -> bool:
    """Whether ``validate`` or ``test`` would compute nothing; classes of the user's own may compute anything."""
    # Silent if no callback measures and the model does not override the hooks.
    stage = "validation" if command == "validate" else "test"
    hooks = (f"{stage}_step", f"on_{stage}_epoch_end")
    silent = [not isinstance(each, Measurement) and type(each).__module__.startswith(_OURS) for each in callbacks]
    return all(silent) and all(getattr(type(model), hook) is getattr(AdversarialModule, hook) for hook in hooks)


def add_trainer_options(parser: LightningArgumentParser, trainer_class: Any) -> None:
    """Add ``--trainer.*``."""
    parser.add_class_arguments(
        trainer_class, "trainer", instantiate=False, fail_untyped=False, sub_configs=True, skip={*_MODEL_OPTIONS}
    )
    for action in options_of(parser):
        group, _, name = action.dest.partition(".")
        if group == "trainer" and name in _TEXTS:
            action.help = _TEXTS[name]
    for name, (default, other) in _MODEL_OPTIONS.items():
        parser.add_argument(
            f"--trainer.{name}",
            type=_default_only(name, default, other),
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def _default_only(name: str, default: Any, other: str) -> Callable[[Any], Any]:
    """Accept only the default, and name the model's option: Lightning's own message does not apply to games."""

    def check(value: Any) -> Any:
        # A config that was printed has the default in it, and must be read again.
        if str(value) not in (str(default), "null"):
            raise mistake(
                f"trainer.{name} does nothing for a game, which updates its players itself: "
                f"give --model.{other} instead."
            )
        return default

    return check
