"""``gan-lightning fit | validate | test | predict``: Lightning's command line, taught where a run lives."""

import inspect
import logging
import shutil
import signal
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

import datamodules
import gan_lightning.variants  # noqa: F401  A class is known by its short name once it is imported.
from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.callbacks.predictions import PredictionWriter
from gan_lightning.callbacks.progress import RunProgressBar
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.commands import runs
from gan_lightning.commands.errors import told_in_a_sentence
from gan_lightning.commands.parser import Parser
from gan_lightning.factories import public_name
from gan_lightning.game import AdversarialModule
from gan_lightning.loggers import RunLogger
from gan_lightning.sampling import CheckpointError, read_checkpoint

# What Lightning says of itself, and a user cannot change.
warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
warnings.filterwarnings("ignore", ".*infer the batch indices.*")

for _name in datamodules.__all__:
    getattr(datamodules, _name)

_ABOUT = {
    "fit": "Train a model.",
    "validate": "Compute the metrics on the validation images.",
    "test": "Compute the metrics on the test images.",
    "predict": "Write the image that the model makes for every image of the test set.",
}
_HOW = """

Everything can stand in a config (--config, several are merged in their order), in the environment
(GAN_LIGHTNING_TRAINER__MAX_STEPS=1000 is --trainer.max_steps 1000) or on the command line, which has the last word.

  gan-lightning {command} --config configs/dcgan_mnist.yaml --config configs/trainer/gpu.yaml
  gan-lightning {command} --model WGANGP --data CIFAR10DataModule --model.n_critic 3 --data.batch_size 128
  gan-lightning {command} --model DCGAN --data MNISTDataModule --model.generator.width 32
  gan-lightning {command} --model.help WGANGP                        what a class takes
  gan-lightning {command} --config configs/dcgan_mnist.yaml --print_config > my.yaml

In a config, `callbacks:` replaces the list of an earlier config and `callbacks+:` adds to it."""

_CALLBACKS: dict[str, dict[type[Callback], type[Callback]]] = {
    # What each command puts in where the user has not put one of that kind.
    "fit": {ProgressBar: RunProgressBar, LastCheckpoint: LastCheckpoint, SampleGrid: SampleGrid},
    "validate": {ProgressBar: RunProgressBar},
    "test": {ProgressBar: RunProgressBar},
    "predict": {ProgressBar: RunProgressBar, PredictionWriter: PredictionWriter},
}
_SWITCHES: dict[type[Callback], str] = {
    ProgressBar: "enable_progress_bar",
    LastCheckpoint: "enable_checkpointing",
}


def run(command: str, arguments: Sequence[str]) -> int:
    _hush()
    record = RunRecord()
    kinds = (ValueError, FileNotFoundError, ModuleNotFoundError, MisconfigurationException)
    with told_in_a_sentence(command, kinds, applies=lambda: not record.begun):
        try:
            TrainingCLI(command, arguments, record).run()
        except SIGTERMException:  # Lightning would leave with 0, as if the job were done.
            record.say_where()
            return 128 + signal.SIGTERM
        except SystemExit:  # Ctrl-C, which Lightning has handled.
            record.say_where()
            raise
        finally:
            record.withdraw()
        record.say_where()
    return 0


def _hush() -> None:
    """Leave out what Lightning says that helps nobody here: advertisements, and a word to its own authors."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda message: "Tip: For seamless cloud" not in message.getMessage())
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


class RunRecord(Callback):
    """What became of a run: where it is, with its config once it trains, and whether it ever began."""

    def __init__(self) -> None:
        self.begun = False
        self.directory: Path | None = None
        self.is_new = False
        self.config = ""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True
        if self.directory is not None and trainer.is_global_zero:
            runs.save_config(self.directory, self.config, trainer.global_step)

    @rank_zero_only
    def withdraw(self) -> None:
        """Give the directory back if nothing ever happened in it."""
        if self.is_new and not self.begun and self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @rank_zero_only
    def say_where(self) -> None:
        """Tell where the results are, and what can be done with them."""
        if self.directory is None or not self.begun:
            return
        last = self.directory / runs.LAST
        lines = [f"Run directory: {self.directory}"]
        for folder in ("samples", "predictions"):
            if (self.directory / folder).is_dir():
                lines.append(f"  {folder:12}{self.directory / folder}")
        if last.is_file():
            lines.append(f"  draw more   gan-lightning generate --ckpt {last} --n 64 --out samples")
            lines.append(
                "  continue    the same command with --ckpt_path last; a finished one with more --trainer.max_steps"
            )
        print("\n".join(["", *lines]))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = not trainer.sanity_checking

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True


class TrainingCLI(LightningCLI):
    """One command and its options.

    It is a flat Lightning command line, without Lightning's own subcommands: only one command's parser is built,
    and a config or an environment variable serves all commands.
    """

    def __init__(self, command: str, arguments: Sequence[str], record: RunRecord) -> None:
        self.command = command
        self.record = record
        super().__init__(
            AdversarialModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={"default_root_dir": "runs"},
            parser_kwargs={
                "prog": f"gan-lightning {command}",
                "usage": f"gan-lightning {command} [--config FILE] [--model CLASS] [--data CLASS] [options]",
                "description": _ABOUT[command] + _HOW.format(command=command),
                "default_env": True,
                "env_prefix": "GAN_LIGHTNING",
            },
            parser_class=Parser,
            args=list(arguments),
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    # Options.

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--name", type=str | None, help="Folder of the run, under default_root_dir; null: <model>_<data>."
        )
        parser.add_argument(
            "--ckpt_path",
            type=str | None,
            help="Checkpoint to continue from. 'last': the newest run of that name, in its own folder; fit starts "
            "from scratch if there is none.",
        )
        parser.add_argument(
            "--seed_everything",
            type=bool | int,
            default=self.seed_everything_default,
            help="Seed of all random numbers; true: draw one.",
        )

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for key, kind in [("model", AdversarialModule), ("data", LightningDataModule)]:
            # With a default of None the type becomes "or None", and a mistake is told once for either.
            parser.add_subclass_arguments(kind, key, required=True, fail_untyped=False, default=inspect.Parameter.empty)
            assert parser.groups is not None
            parser.groups[key].title = key.capitalize()
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        parser.set_defaults({f"trainer.{name}": value for name, value in self.trainer_defaults.items()})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for name in ("image_shape", "num_classes"):
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = parser.parse_args(args)  # Lightning warns if these are not sys.argv.

    # Objects.

    def before_instantiate_classes(self) -> None:
        if self.config.name is None:
            model, data = (self.config[key].class_path.rpartition(".")[2] for key in ("model", "data"))
            self.config.name = f"{model}_{data.removesuffix('DataModule')}".lower()

    def instantiate_classes(self) -> None:
        instantiators = [(_make_model, AdversarialModule, True)]
        self.config_init = self.parser.instantiate(self.config, instantiators=instantiators)
        self.datamodule = self.config_init.data
        self.model = self.config_init.model
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = {**self.config_init.trainer, **kwargs}
        config["callbacks"] = self._callbacks(config)
        self.ckpt_path = self._find_places(config)
        if (directory := self.record.directory) is not None:
            config["logger"] = _loggers(config["logger"], directory)
            if not config["logger"]:
                config["default_root_dir"] = directory
        config_of_run = self.config.clone()
        config_of_run.ckpt_path = None  # Where a run was continued from is no part of what it is.
        self.record.config = self.parser.dump(config_of_run, skip_unset=False)
        return self.trainer_class(**config)

    def _callbacks(self, config: dict[str, Any]) -> list[Callback]:
        given = config["callbacks"] or []
        callbacks = [*given] if isinstance(given, Iterable) else [given]
        for kind, make in _CALLBACKS[self.command].items():
            wanted = config.get(_SWITCHES.get(kind, "")) is not False
            if wanted and not any(isinstance(callback, kind) for callback in callbacks):
                callbacks.append(make())
        return [*callbacks, self.record]

    # Places.

    def _find_places(self, config: dict[str, Any]) -> Path | str | None:
        """The checkpoint to start from; the directory to write to goes on record, unless this is a trial run."""
        home = Path(config["default_root_dir"] or ".") / self.config.name
        path, directory = self.config.ckpt_path, None
        if path == "last":
            path, directory = _last(home) if self.command == "fit" else (_newest(home), None)
        if path is not None and "://" not in str(path):
            self._check(path)
        if not (config["fast_dev_run"] or config["barebones"]):
            self.record.is_new = directory is None
            kind = "version" if self.command == "fit" else self.command
            self.record.directory = directory or runs.new_directory(home, kind)
        return path

    def _check(self, path: Path | str) -> None:
        variant = read_checkpoint(path)["gan_lightning"]["variant"]
        own = public_name(type(self.model))
        if variant != own:
            raise CheckpointError(f"{path} holds a {variant}, but the model of this command is a {own}.")

    # Running.

    def run(self) -> None:
        extra = {"return_predictions": False} if self.command == "predict" else {}
        try:
            getattr(self.trainer, self.command)(
                self.model, datamodule=self.datamodule, ckpt_path=self.ckpt_path, weights_only=True, **extra
            )
        except RuntimeError as error:
            if "Error(s) in loading state_dict" not in str(error):
                raise
            raise CheckpointError(
                f"{self.ckpt_path} was trained with other networks than this command's: give the --model arguments "
                "of its run, which are in the config.yaml beside its checkpoints."
            ) from error


def _make_model(class_type: type, *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any) -> Any:
    """Make the model with what it takes of what the data tells."""
    for target in applied_instantiation_links:
        name = target.rpartition(".")[2]
        if not _takes(class_type, name):
            kwargs.pop(name, None)
    return class_type(*args, **kwargs)


def _takes(class_type: type, name: str) -> bool:
    """Whether a class has a constructor argument, its own or one that it hands on by ``**kwargs``."""
    for level in class_type.__mro__:
        if "__init__" in vars(level):
            parameters = inspect.signature(level.__init__).parameters  # type: ignore[misc]
            if name in parameters:
                return True
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                return False
    return False


def _loggers(given: Logger | Iterable[Logger] | bool | None, directory: Path) -> list[Logger]:
    """The run's own logger, which makes the directory the trainer's, then the user's; none if they said false."""
    if given is False:
        return []
    own = RunLogger(str(directory.parent.parent), directory.parent.name, directory.name)
    if given is None or given is True:
        return [own]
    return [own, *(given if isinstance(given, Iterable) else [given])]


def _last(home: Path) -> tuple[Path | None, Path | None]:
    """The checkpoint and the directory of the run to continue.

    The newest run counts even if it was killed before it saved anything: it begins again, in its own directory.
    """
    directory = runs.newest_run(home)
    if directory is None:
        _tell(f"There is no run in {home} to continue: starting from scratch.")
        return None, None
    if not (directory / runs.LAST).is_file():
        _tell(f"{directory} has no checkpoint yet: starting it from scratch.")
        return None, directory
    _tell(f"Continuing {directory}.")
    return directory / runs.LAST, directory


def _newest(home: Path) -> Path:
    path = runs.newest_checkpoint(home)
    if path is None:
        raise CheckpointError(f"There is no checkpoint in {home}: give --ckpt_path a file, or --name another run's.")
    return path


_tell = rank_zero_only(print)
