"""Samples of games of sounds, texts and other media during training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.picture import Picture, first_batches, prepared, send_picture, write_errors_as_warnings
from gan_lightning.games.randomness import own_randomness
from gan_lightning.loggers.guards import errors_as_warnings
from gan_lightning.visualization.images import write_png
from gan_lightning.visualization.media import Medium, picture_table


class MediaSamples(Picture):
    """Writes samples of a game whose samples are no images into ``samples/`` of the run directory.

    ``step_00000500/3.wav`` is sample 3 of step 500, and ``step_00000500.png`` shows all of that step where the medium
    has pictures, such as spectrograms. Loggers that take them get both. The latents are the same at all steps. A game
    that makes examples of data and not of latents has a method ``examples_of(batch)``, which is given the first ones of
    the validation set.

    Args:
        every_n_steps: Generator updates between two sets of samples.
        n: Samples of each.
        seed: Seed of the latents.
    """

    subject = "samples"
    required_method = "medium"

    def __init__(self, every_n_steps: int = 500, n: int = 8, seed: int = 0) -> None:
        super().__init__(every_n_steps, seed, None)
        check_whole(1, n=n)
        self.n = n

    @classmethod
    def reason_to_skip(cls, game: Any) -> str | None:
        name = type(game).__name__
        if getattr(game, "medium", None) is None:
            return f"{name} makes images, which SampleGrid and other callbacks show"
        makes = hasattr(game, "sample") or hasattr(game, "examples_of")
        return None if makes else f"{name} has no sample()"

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        raise NotImplementedError("MediaSamples writes examples of a medium, which are no images.")

    def examples(self, game: Any) -> Sequence[Any]:
        """The samples that are shown, at most ``n``."""
        if hasattr(game, "sample"):
            return game.sample(self.n, seed=self.seed)
        with own_randomness(self.seed, game.device):
            return [
                example
                for raw in first_batches(game.trainer, self.n)
                for example in game.examples_of(prepared(game, raw))
            ]

    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._folder is None:
            return
        step = self._written_step = trainer.global_step
        game: Any = pl_module
        medium: Medium = game.medium
        examples = self.examples(game)
        picture = picture_table(medium, examples)
        folder: Path = self._folder / f"step_{step:08d}"
        with write_errors_as_warnings(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for number, example in enumerate(examples):
                medium.save(folder / f"{number}{medium.suffix}", example)
            if picture is not None:
                write_png(folder.with_suffix(".png"), picture)
        # After the files, which no failing service must cost.
        for logger in trainer.loggers:
            with errors_as_warnings(logger, step):
                medium.log(logger, medium.name, examples, step)
            if picture is not None:
                send_picture(logger, self._folder.name, picture, step)
