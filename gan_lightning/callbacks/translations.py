"""Pictures of translated images during training."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.picture import Picture, first_batches, prepared
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.randomness import own_randomness
from gan_lightning.visualization.images import drawable, stack


class TranslationGrid(Picture):
    """Writes translations of examples of the validation set into ``translations/`` of the run directory.

    One example per row: for pix2pix the input, the translation and the target; for CycleGAN both cycles. All pictures
    show the same examples and are named by the step. Loggers that accept images get them too. Images of different sizes
    are centre-cropped to the smallest.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Examples in a picture; fewer where the validation set has fewer.
        seed: Seed of random numbers in the translation, such as dropout's.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "translations"
    required_method = "picture_columns"

    def __init__(self, every_n_steps: int = 500, n: int = 4, seed: int = 0, scale: int | None = None) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, n=n)
        self.n = n
        self._examples: list[Any] | None = None
        self._spans: list[int] = []  # columns of each panel

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._examples = None

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        rows: list[list[Tensor]] = []
        # Dropout in the generator draws the same masks for every picture, and training's random numbers are left alone.
        with own_randomness(self.seed, game.device), torch.no_grad():
            if self._examples is None:
                # Kept as the loader gives them, on the CPU: the pictures of a run show the same examples.
                self._examples = first_batches(game.trainer, self.n)
            for raw in self._examples:
                panels = self.picture_columns(game, prepared(game, raw))
                # Of an image that is neither grey, RGB nor RGBA every channel is a column.
                cells = [drawable(panel).unflatten(0, (len(panel), -1)) for panel in panels]
                self._spans = [each.shape[1] for each in cells]
                # From columns of N images to rows of one example each.
                rows += [[cell for each in cells for cell in each[i]] for i in range(len(panels[0]))]
        return stack([image for row in rows for image in row]), len(rows[0])

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        # A game that shows other columns than it names gets none, rather than wrong ones.
        names = self.panel_captions(game)
        if len(names) != len(self._spans):
            return (), ()
        return [text for name, span in zip(names, self._spans, strict=True) for text in (name, *[""] * (span - 1))], ()

    def panel_captions(self, game: Any) -> Sequence[str]:
        """Names of the images of :meth:`picture_columns`; empty: none."""
        return getattr(game, "column_captions", ())

    def picture_columns(self, game: Any, batch: GameBatch) -> list[Tensor]:
        """Images of every example from left to right, N x C x H x W each."""
        return game.picture_columns(batch)
