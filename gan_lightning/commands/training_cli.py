"""Options of ``fit``, ``validate``, ``test`` and ``predict``, and the model, data and trainer made from them."""

import argparse
import inspect
import json
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import datamodules
import gan_lightning.optimizers.historical_averaging  # A class is known by its short name once it is imported.
import gan_lightning.optimizers.schedulers
import gan_lightning.variants  # noqa: F401
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recipes import import_name
from gan_lightning.callbacks.fast_training import FastTraining
from gan_lightning.callbacks.kept_memory import KeptMemory
from gan_lightning.commands import from_data, runs, start_checkpoint
from gan_lightning.commands.class_choices import check_recipes, selectable_subclasses
from gan_lightning.commands.configs import by_name
from gan_lightning.commands.default_callbacks import with_defaults
from gan_lightning.commands.parser import parser_for
from gan_lightning.commands.run_names import run_name
from gan_lightning.commands.run_summary import RunRecord, use_of
from gan_lightning.commands.trainer_options import (
    add_trainer_options,
    check_monitors,
    check_trainer_options,
    measures_nothing,
    name_the_options,
)
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.checkpoint import CheckpointError, local_path, other_version, read_checkpoint
from gan_lightning.loggers import RunLogger, SteadyWandbLogger
from gan_lightning.trainer.launcher import report_failures
from gan_lightning.trainer.speed import keep_freed_memory

# Lightning's warnings about itself, which a user cannot act on.
warnings.filterwarnings("ignore", ".*isinstance\\(treespec, LeafSpec\\).*")
warnings.filterwarnings("ignore", ".*infer the batch indices.*")
# Of networks that are kept beside the players and never trained.
warnings.filterwarnings("ignore", r".*module\(s\) in eval mode at the start of training.*")
# A discriminator without updates (warm-up) has a scheduler all the same: it counts the game's steps.
warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`")

for _name in datamodules.__all__:
    getattr(datamodules, _name)

_ABOUT = {
    "fit": "Train a model.",
    "validate": "Measure a checkpoint by the metrics that the config's GenerativeMetrics names.",
    "test": "Measure a checkpoint as validate does, with the names test/fid, ...",
    "predict": "Write the image that the model makes for every image of the test set.",
}
_HOW = """

Everything can stand in a config (--config, several are merged in their order) or on the command line, which has the
last word. What neither says can come from the environment, but for the arguments of the model and of the data:
GAN_LIGHTNING_TRAINER__MAX_STEPS=1000 is --trainer.max_steps 1000, GAN_LIGHTNING_NAME=mine is --name mine.

  gan-lightning {command} --config dcgan_mnist --config trainer/gpu
  gan-lightning {command} --model WGANGP --data CIFAR10DataModule --model.n_critic 3 --data.batch_size 128
  gan-lightning {command} --model DCGAN --data MNISTDataModule --model.generator.width 32
  gan-lightning {command} --model.help WGANGP                        what a class takes
  gan-lightning {command} --config dcgan_mnist --print_config > my.yaml

`gan-lightning configs` lists the configs that are shipped; a path is taken as well as a name.
In a config, `callbacks:` replaces the list of an earlier config and `callbacks+:` adds to it."""


_OF_FIT = ("init_from", "fast")
"""Options of fit alone."""


class TrainingCLI(LightningCLI):
    """Lightning's command line for one command, without Lightning's subcommands.

    Only one parser is built, and a config or an environment variable applies to all commands.
    """

    def __init__(self, command: str, arguments: Sequence[str], record: RunRecord) -> None:
        self.command = command
        self.record = record
        # save_config_callback=None: RunRecord writes the config into the run's folder. run=False: the command is no
        # subcommand, and is run by run() below.
        super().__init__(
            AdversarialModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            trainer_defaults={"default_root_dir": "runs", "enable_model_summary": False},
            parser_kwargs={
                "usage": f"gan-lightning {command} [--config FILE] [--model CLASS] [--data CLASS] [options]",
                "description": _ABOUT[command] + _HOW.format(command=command),
                "default_env": True,
                "allow_abbrev": False,  # a name cut short is more often a mistake
                "env_prefix": "GAN_LIGHTNING",
            },
            parser_class=parser_for(command),
            args=by_name(arguments),
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
        if self.command == "fit":
            parser.add_argument(
                "--init_from",
                type=str | dict[str, str] | None,
                help="Begin at step 0 with the weights of a checkpoint of another run, or of a published network: what "
                "fits by name and shape is taken, and what does not is named. One file for both players, or "
                "'{generator: netG.pth, discriminator: netD.pth}', or one of the two, or a part: generator.AtoB.",
            )
            parser.add_argument(
                "--fast",
                nargs="?",
                const=True,
                default=False,
                type=bool | str,
                help="Turn on what makes this game faster on this machine, and say what and why: FastTraining. With "
                "names, such as channels_last,bf16 or none, these are on and nothing is tried, so that the run can be "
                "repeated to the bit; the config of a run names what was chosen.",
            )
        else:
            # A run's config.yaml has them, and applies to all commands.
            for name in _OF_FIT:
                parser.add_argument(f"--{name}", help=argparse.SUPPRESS)

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for key, kind in [("model", AdversarialModule), ("data", LightningDataModule)]:
            # With a default of None the type becomes "or None", and an error is reported twice.
            parser.add_subclass_arguments(
                kind,
                key,
                required=True,
                fail_untyped=False,
                default=inspect.Parameter.empty,
                metavar="CLASS",
                help=f"The {key}: a class, by its name; --{key}.OPTION VALUE sets what it takes.",
            )
            assert parser.groups is not None
            parser.groups[key].title = key.capitalize()
        add_trainer_options(parser, self.trainer_class)
        parser.set_defaults({f"trainer.{name}": value for name, value in self.trainer_defaults.items()})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        from_data.link(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        of_fit = () if self.command == "fit" else _OF_FIT
        for name in of_fit:
            if any(argument.partition("=")[0] == f"--{name}" for argument in args):
                raise ValueError(f"{self.command} has no option {name}: it is of fit.")
        self.config = parser.parse_args(args)  # Lightning warns if these are not sys.argv.
        self.config.update(Namespace(**dict.fromkeys(of_fit)))
        trainer, seed = self.config.trainer, self.config.seed_everything
        if not isinstance(trainer, Namespace):
            raise ValueError(f"trainer is {trainer}: it must be a mapping of the trainer's options.")
        # Lightning takes None for "do not seed", and the run could not be repeated.
        if seed is None:
            raise ValueError("seed_everything is null: leave it out to take the default.")
        check_recipes(self.config.model, "model")
        if not 0 <= seed < 2**32:  # before Lightning uses it
            raise ValueError(f"seed_everything is {seed}: it must be at least 0 and less than 2^32.")

    # Objects.

    def before_instantiate_classes(self) -> None:
        check_trainer_options(self.config.trainer)
        if self.config.name is None:
            self.config.name = run_name(*(import_name(self.config[key].class_path) for key in ("model", "data")))
        if self.config.name in ("", ".", "..") or Path(self.config.name).name != self.config.name:
            raise ValueError(f"name is {self.config.name!r}: it must be the name of one folder.")

    def instantiate_classes(self) -> None:
        self.ckpt_path = self.record.start = self._find_places(self.config.trainer)
        instantiators = [(self._make_model, AdversarialModule, True), (self._make_logger, Logger, True)]
        # The data module first, by the links: the model is given its image_shape.
        self.config_init = self.parser.instantiate(self.config, instantiators=instantiators)
        self.datamodule = self.config_init.data
        self.model = self.config_init.model
        if self.ckpt_path is None and (files := self.config.get("init_from")) is not None:
            start_checkpoint.initialise(self.model, files)
        self.record.use = use_of(self.model)
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = {**self.config_init.trainer, **kwargs}
        config["callbacks"] = [*with_defaults(self.command, self.model, config, self.config.get("fast")), self.record]
        if self.command == "fit":
            check_monitors(self.model, config["callbacks"])
        elif self.command != "predict" and measures_nothing(self.command, self.model, config["callbacks"]):
            start_checkpoint.print_once(
                f"There is nothing for {self.command} to measure: add --trainer.callbacks+=GenerativeMetrics, or "
                "--config trainer/metrics."
            )
        if (directory := self.record.directory) is not None:
            # The first logger decides where Lightning writes everything else.
            config["logger"] = _loggers(config["logger"], directory)
            if not config["logger"]:
                config["default_root_dir"] = directory
        # config.yaml of the run, complete with defaults
        config_of_run = self.config.clone()
        config_of_run.ckpt_path = None  # Where a run was continued from is no part of what it is.
        self.record.config = self.parser.dump(config_of_run, skip_unset=False)
        if config_of_run.get("fast") is True:
            self._name_choice_later(config_of_run, config["callbacks"])
        self.record.settings = json.loads(self.parser.dump(config_of_run, skip_unset=False, format="json"))
        try:
            trainer = self.trainer_class(**config)
        except (TypeError, ValueError, MisconfigurationException, ModuleNotFoundError) as error:
            raise ValueError(name_the_options(error, self.config.trainer)) from error
        if trainer.strategy.root_device.type == "cpu" and trainer.precision in ("16-true", "16-mixed"):
            raise ValueError(f"trainer.precision is {trainer.precision}, which is for GPUs: on a CPU take bf16-mixed.")
        # After the trainer has chosen its strategy, and before any process is started.
        report_failures(trainer)
        return trainer

    def _name_choice_later(self, config: Namespace, callbacks: list[Callback]) -> None:
        """Let the config of the run name what ``--fast`` chooses, in place of ``true``, once it has."""
        fast = next(callback for callback in callbacks if isinstance(callback, FastTraining))

        def config_with_choice() -> str:
            return str(self.parser.dump(Namespace(**{**vars(config), "fast": fast.names}), skip_unset=False))

        self.record.config_with_choice = config_with_choice

    def _make_model(
        self,
        class_type: type[AdversarialModule],
        *args: Any,
        applied_instantiation_links: dict[str, Any],
        **kwargs: Any,
    ) -> Any:
        """Make the model, with the arguments that come from the data."""
        if class_type.generator_loss is AdversarialModule.generator_loss:
            games = ", ".join(sorted(kind.__name__ for kind in selectable_subclasses(AdversarialModule)))
            raise ValueError(f"{class_type.__name__} does not say what its players minimise: choose from {games}.")
        linked = {target.rpartition(".")[2] for target in applied_instantiation_links}
        data = self.config.data.class_path.rpartition(".")[2]
        kwargs = from_data.merge_with_data(class_type, data, self.config.model.init_args, linked, kwargs)
        for name, value in kwargs.items():
            if isinstance(value, partial):  # The model checks it as well, and does not know its key.
                check_limits(value.keywords, f"model.{name}.")
        return class_type(*args, **kwargs)

    def _make_logger(self, class_type: type, *args: Any, **kwargs: Any) -> Any:
        """Make a logger; ``{run}`` and ``{run_id}`` in its arguments stand for the run's directory and id."""
        directory = str(self.record.directory or self.config.trainer.default_root_dir or ".")
        for name, value in kwargs.items():
            if isinstance(value, str) and "{run" in value:
                value = value.replace("{run}", directory)
                kwargs[name] = value.replace("{run_id}", runs.run_id(self.record.directory))
        # Only for Lightning's own class: a subclass is the user's.
        return (SteadyWandbLogger if class_type is WandbLogger else class_type)(*args, **kwargs)

    # Places.

    def _find_places(self, config: dict[str, Any]) -> Path | str | None:
        """Find the checkpoint to start from, and set the run's directory unless this is a trial run."""
        home = Path(config["default_root_dir"] or ".") / self.config.name
        path, directory = self.config.ckpt_path, self.record.directory
        if path is None and self.command != "fit":
            start_checkpoint.print_once(
                f"No --ckpt_path was given: {self.command} takes the weights that the model begins with."
            )
        if directory is not None:  # The run has been rolled back.
            # Rolled back: the same directory, from its last checkpoint.
            resumable = (directory / runs.LAST).is_file()
            path = directory / runs.LAST if resumable else None if path == "last" else path
        elif path == "last":
            path, directory = (
                start_checkpoint.last(home) if self.command == "fit" else (start_checkpoint.newest(home), None)
            )
        if path is not None:
            # Read once before anything is made: a broken checkpoint must not cost a new folder.
            path = local_path(path)
            try:
                start_checkpoint.check(path, self.command, self.config.model.class_path, self.config.trainer.max_steps)
            except CheckpointError as error:
                others = start_checkpoint.others(Path(path)) if self.config.ckpt_path == "last" else []
                if not others:
                    raise
                raise CheckpointError(f"{error} Whole beside it: {', '.join(others)}; give --ckpt_path one.") from error
            start_checkpoint.check_start(path, self.config.get("init_from"))
        if not (config["fast_dev_run"] or config["barebones"]):
            self.record.directory = directory
            if directory is None:
                self.record.make_directory(home, "version" if self.command == "fit" else self.command)
            self.record.lock()
        return path

    # Running.

    def run(self) -> None:
        # Predictions go to files as they are made, not into memory.
        extra = {"return_predictions": False} if self.command == "predict" else {}
        # With or without --fast: results are the same, and freed pages are not zeroed again in every step.
        if self.command == "fit":
            self.trainer.callbacks.append(KeptMemory())  # type: ignore[attr-defined]
        elif self.trainer.strategy.root_device.type == "cpu":
            keep_freed_memory()
        try:
            with warnings.catch_warnings():
                # Steps count what is logged, whatever the length of an epoch.
                if self.trainer.max_steps >= self.trainer.log_every_n_steps:  # type: ignore[attr-defined]
                    warnings.filterwarnings("ignore", ".*is smaller than the logging interval.*")
                getattr(self.trainer, self.command)(
                    self.model, datamodule=self.datamodule, ckpt_path=self.ckpt_path, weights_only=True, **extra
                )
        except RuntimeError as error:
            if "Error(s) in loading state_dict" not in str(error):
                raise
            assert self.ckpt_path is not None
            raise CheckpointError(
                f"{self.ckpt_path} was trained with other networks than this command's"
                f"{other_version(read_checkpoint(self.ckpt_path))}: give the --model arguments of its run, which are "
                "in the config.yaml beside its checkpoints."
            ) from error


def _loggers(given: Logger | Iterable[Logger] | bool | None, directory: Path) -> list[Logger]:
    """The run's own logger first, since the trainer takes its directory; then the user's. None for ``false``."""
    if given is False:
        return []
    # The same three parts of which Lightning makes a path: <root>/<name>/version_N.
    own = RunLogger(str(directory.parent.parent), directory.parent.name, directory.name)
    if given is None or given is True:
        return [own]
    return [own, *(given if isinstance(given, Iterable) else [given])]
