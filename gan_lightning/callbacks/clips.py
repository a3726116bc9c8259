"""Animations of predicted videos during training."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.animation import send_animation
from gan_lightning.callbacks.picture import Picture, first_batches, prepared, write_errors_as_warnings
from gan_lightning.games.randomness import own_randomness
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import enlarge, grid, to_pil, to_uint8, write_gif
from gan_lightning.visualization.videos import durations

_SIDE = 256
"""Pixels that an animation is wide at least."""


class ClipAnimation(Picture):
    """Writes true and predicted clips of the validation set as GIF files into ``clips/`` of the run directory.

    Loggers that accept videos or images get them too. One example a row: at the left the true clip, at the right its
    given frames and the predicted ones. All animations show the same examples and are named by the step.

    Args:
        every_n_steps: Generator updates between two animations.
        n: Examples in an animation; fewer where the validation set has fewer.
        seed: Seed of random numbers in the prediction, if any.
        scale: Side of a pixel. None: as large as it takes to make the animation 256 pixels wide.
        rate: Frames a second.
    """

    subject = "clips"
    required_method = "continued"

    def __init__(
        self, every_n_steps: int = 500, n: int = 4, seed: int = 0, scale: int | None = None, rate: int = 4
    ) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, n=n, rate=rate)
        self.n = n
        self.rate = rate
        self._examples: list[Any] | None = None
        self._n_frames = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._examples = None

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        """The frames one after the other, of each a table of true and predicted ones: (T N 2) x C x H x W."""
        clips: list[Tensor] = []
        with own_randomness(self.seed, game.device), torch.no_grad():
            if self._examples is None:
                self._examples = first_batches(game.trainer, self.n)
            for raw in self._examples:
                given, later, made = game.continued(prepared(game, raw))
                # N x 2 x T x C x H x W
                clips.append(torch.stack([torch.cat([given, part], dim=1).cpu() for part in (later, made)], dim=1))
        tables = torch.cat(clips).permute(2, 0, 1, 3, 4, 5)
        self._n_frames = len(tables)
        return tables.flatten(0, 2), 2

    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._folder is None:
            return
        self._written_step = trainer.global_step
        images, _ = self.images(pl_module)
        scale = self.scale or -(-_SIDE // (2 * images.shape[3]))
        frames = [
            to_pil(captioned(enlarge(grid(table, 2), scale), ["true", "made"]))
            for table in to_uint8(images).chunk(self._n_frames)
        ]
        path: Path = self._folder / f"step_{trainer.global_step:08d}.gif"
        with write_errors_as_warnings(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_gif(path, frames, durations(len(frames), self.rate))
            for logger in trainer.loggers:
                send_animation(logger, self._folder.name, path, trainer.global_step)
