"""Pictures of samples and of interpolations during training."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.picture import Picture


class SampleGrid(Picture):
    """Writes a grid of samples into ``samples/`` of the run directory.

    All pictures show samples of the same latents and are named by the step. Loggers that accept images get them too.
    Games of classes or codes have one class or category per row.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Samples in a picture; fewer where rows of one class each do not divide it.
        seed: Seed of the latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "samples"
    required_method = "sample"

    def __init__(self, every_n_steps: int = 500, n: int = 64, seed: int = 0, scale: int | None = None) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, n=n)
        self.n = n

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        # A game of the user's own may have ``sample`` alone.
        if hasattr(game, "sample_table"):
            return game.sample_table(self.n, self.seed)
        return game.sample(self.n, seed=self.seed), None

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        return game.table_captions(self.n) if hasattr(game, "table_captions") else ((), ())


class InterpolationStrip(Picture):
    """Writes interpolations between samples, one per row, into ``interpolations/`` of the run directory.

    A row is named by the numbers of the samples at its ends. Smooth transitions show that the generator has not
    memorised the data.

    Args:
        every_n_steps: Generator updates between two pictures.
        rows: Interpolations in a picture.
        frames: Images in each, both ends included.
        seed: Seed of the latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "interpolations"
    required_method = "interpolation_table"

    def __init__(
        self, every_n_steps: int = 500, rows: int = 4, frames: int = 16, seed: int = 0, scale: int | None = None
    ) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, rows=rows)
        check_whole(2, frames=frames)
        self.rows = rows
        self.frames = frames

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        return game.interpolation_table(self.rows, self.frames, seed=self.seed), self.frames

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        return (), [f"{2 * row} to {2 * row + 1}" for row in range(self.rows)]
