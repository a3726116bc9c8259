"""The run's directory and config, and the summary that is printed at the end."""

import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from gan_lightning.commands import runs
from gan_lightning.commands.errors import is_raised_by_us
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.games.translation import TranslationGame
from gan_lightning.loggers import RunLogger
from gan_lightning.trainer import run_lock


class RunRecord(Callback):
    """Record of a run: its directory, its config once it trains, and whether it has begun.

    Its hooks may run in forked or spawned processes while the first process waits: ``begun`` lies in shared memory.
    """

    def __init__(self) -> None:
        # Shared memory: the process that reports errors is not always the one that trains.
        self._begun = RawValue("b", 0)
        self._stepped = RawValue("b", 0)
        self.directory: Path | None = None
        self.start: Path | str | None = None
        self.config = ""
        self.config_with_choice: Callable[[], str] | None = None
        self.settings: dict[str, Any] = {}
        self.use = use_of(None)
        self._made: list[Path] = []

    @property
    def begun(self) -> bool:
        """Whether any process has begun the command's work; a later error may be a bug."""
        return bool(self._begun.value)

    @begun.setter
    def begun(self, begun: bool) -> None:
        self._begun.value = int(begun)

    def is_refusal(self, error: Exception) -> bool:
        """Whether an error is about arguments or data: any before the work has begun, and ours in the first step.

        Only there a game sees whether its images, networks, augmentation and regularisers go together.
        """
        return not self.begun or (not self._stepped.value and is_raised_by_us(error))

    def make_directory(self, home: Path, kind: str) -> None:
        """Create the next directory ``<kind>_N`` in the home of the run."""
        # Remember which folders are new: only those are removed again.
        self._made = [folder for folder in (home, *home.parents) if not folder.exists()]
        self.directory = runs.new_directory(home, kind)
        self._made.insert(0, self.directory)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # All processes must agree on the places: each has found its own before it could ask the others.
        mine = str(self.start)
        first = trainer.strategy.broadcast(mine)
        self.directory = trainer.strategy.broadcast(self.directory)
        if not trainer.strategy.reduce_boolean_decision(mine == first, all=True):
            raise ValueError(
                f"Process {trainer.global_rank} starts from {mine}, but another one does not: "
                "trainer.default_root_dir must be on a disk that all nodes share."
            )
        for logger in trainer.loggers:
            if not isinstance(logger, RunLogger):  # The run's own has the config beside it.
                logger.log_hyperparams(self.settings)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            print(sizes(pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True
        # Not before training: the config marks a run that has begun, see runs.newest_run.
        if self.config_with_choice is None:
            self._save_config(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        # This callback is the last, so FastTraining has chosen by now.
        if self.config_with_choice is not None:
            self.config, self.config_with_choice = self.config_with_choice(), None
            self._save_config(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self._stepped.value = 1

    def _save_config(self, trainer: Trainer) -> None:
        if self.directory is not None and trainer.is_global_zero:
            runs.save_config(self.directory, self.config, trainer.global_step)

    @rank_zero_only
    def lock(self) -> None:
        """Lock the directory against other runs, before anything writes into it."""
        if self.directory is not None:
            run_lock.acquire(self.directory)

    @rank_zero_only
    def remove_if_empty(self) -> None:
        """Unlock the directory; remove it, and the folders made for it, if the run has written no result."""
        if self.directory is not None:
            run_lock.release(self.directory)
        with suppress(OSError):  # It could not be made, or another run has a directory beside it by now.
            # Only what this run has made, and only if nothing but preparations is in it.
            if not self._made or {*os.listdir(self._made[0])} - runs.PREPARATIONS:
                return
            for name in runs.PREPARATIONS:
                (self._made[0] / name).unlink(missing_ok=True)
            for folder in self._made:
                folder.rmdir()

    @rank_zero_only
    def print_summary(self, *news: str) -> None:
        """Print the summary of the run: its files and the commands that continue from there."""
        if self.directory is None or not self.begun:
            return
        last = self.directory / runs.LAST
        lines = [*news, f"Run directory: {self.directory}"]
        for folder in ("samples", "translations", "clips", "retrievals", "predictions"):
            if (self.directory / folder).is_dir():
                lines.append(f"  {folder:14}{self.directory / folder}")
        if last.is_file():
            title, command = self.use
            if (self.directory / "clips").is_dir():
                command = "translate --ckpt {} --input video.mp4 --frames 8 --out results"
            lines.append(f"  {title:14}gan-lightning {command.format(last)}")
            finished = "" if news else "; a finished one with more --trainer.max_steps"
            lines.append(f"  continue      the same command with --ckpt_path last{finished}")
        print("\n".join(["", *lines]))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = self.begun or not trainer.sanity_checking

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = True


def use_of(model: LightningModule | None) -> tuple[str, str]:
    """What to do with a model's checkpoint: a title, and a command in which the file stands for ``{}``."""
    if isinstance(model, TranslationGame):
        return "draw more", "translate --ckpt {} --input photos --out results"
    if isinstance(model, EmbeddingGame):
        return "begin with it", "fit --model GANCLS ... --init_from '{{text_encoder: {}}}'"
    return "draw more", "generate --ckpt {} --n 64 --out samples"


def sizes(model: LightningModule) -> str:
    """How many parameters are trained: ``DCGAN: generator 26,212 parameters, discriminator 10,272``."""
    # Trainable parameters only: a frozen network has none.
    counts = {
        name: sum(parameter.numel() for parameter in child.parameters() if parameter.requires_grad)
        for name, child in model.named_children()
    }
    first, *others = (f"{name} {count:,}" for name, count in counts.items() if count)
    return f"{type(model).__name__}: {', '.join([f'{first} parameters', *others])}"
