"""Look at the samples while the game is played."""

import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor

from gan_lightning.images import enlarge, grid, to_pil, to_uint8, write_png

_COMFORTABLE_SIDE = 512


class SampleGrid(Callback):
    """Draws the samples of the same latents again and again, into ``samples/`` of the run directory.

    The pictures are named by the step, and the last one shows the last step. Loggers that take images get them too.
    Training's random numbers are left as they are.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Samples in a picture; some fewer where full rows of one kind, such as a class, take fewer.
        seed: Which latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    def __init__(self, every_n_steps: int = 500, n: int = 64, seed: int = 0, scale: int | None = None) -> None:
        for name, count in [("every_n_steps", every_n_steps), ("n", n), ("scale", 1 if scale is None else scale)]:
            if count < 1:
                raise ValueError(f"{name} is {count}: it must be at least 1.")
        self.every_n_steps = every_n_steps
        self.n = n
        self.seed = seed
        self.scale = scale
        self._folder: Path | None = None
        self._drawn_step = -1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        log_dir = trainer.log_dir  # Every rank asks: the answer is broadcast.
        if log_dir is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._folder = None
        elif not hasattr(pl_module, "sample"):
            warnings.warn(f"{type(pl_module).__name__} has no sample(): SampleGrid draws nothing.", stacklevel=2)
        else:
            self._folder = Path(log_dir) / "samples"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._drawn_step = trainer.global_step  # A resumed run has drawn this one.
        if trainer.global_step == 0:
            self._draw(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every_n_steps == 0:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step != self._drawn_step:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._folder is None:
            return
        step = self._drawn_step = trainer.global_step
        samples, columns = _table(pl_module, self.n, self.seed)
        image = grid(to_uint8(samples).cpu(), columns)
        picture = enlarge(image, self.scale or -(-_COMFORTABLE_SIDE // image.shape[2]))
        self._folder.mkdir(parents=True, exist_ok=True)
        write_png(self._folder / f"step_{step:08d}.png", picture)
        for logger in trainer.loggers:
            _send(logger, picture, step)


def _table(game: Any, n: int, seed: int) -> tuple[Tensor, int | None]:
    """The samples and how many stand in a row, which a game may leave to us."""
    return game.sample_table(n, seed) if hasattr(game, "sample_table") else (game.sample(n, seed=seed), None)


def _send(logger: Logger, picture: Tensor, step: int) -> None:
    """Give a picture to a logger that takes pictures; a logger's trouble is no reason to stop training."""
    try:
        if hasattr(logger, "log_image"):  # Weights & Biases
            logger.log_image("samples", [to_pil(picture)], step=step)
        elif add_image := getattr(getattr(logger, "experiment", None), "add_image", None):  # TensorBoard
            add_image("samples", picture, step)
    except Exception as error:
        warnings.warn(f"{type(logger).__name__} did not take the picture of step {step}: {error}", stacklevel=2)
