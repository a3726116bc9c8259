"""Pictures of samples, of interpolations and of growth during training."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.picture import Picture
from gan_lightning.visualization.images import enlarge, to_uint8


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


class AttentionMaps(Picture):
    """Writes where each word of a text is in its sample, as AttnGAN attends to it, into ``attention/``.

    A row is a sample of a text, and then for each word the same sample, dark where the word counts little. Loggers that
    accept images get the pictures too.

    Args:
        every_n_steps: Generator updates between two pictures.
        rows: Texts in a picture.
        seed: Seed of the latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "attention"
    required_method = "attention_table"

    @classmethod
    def reason_to_skip(cls, game: Any) -> str | None:
        alone = getattr(game, "n_stages", None) == 1
        return (
            "the first stage does not look at words, and there is no other" if alone else super().reason_to_skip(game)
        )

    def __init__(self, every_n_steps: int = 500, rows: int = 8, seed: int = 0, scale: int | None = None) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, rows=rows)
        self.rows = rows

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        return game.attention_table(self.rows, self.seed)

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        return game.attention_captions(self.rows, n // self.rows)


class GrowthStrip(Picture):
    """Writes how the images of the same latents grow, into ``growth/`` of the run directory.

    Each row is of one latent, each column of one size, as the averaged generator made it when it had been trained at
    that size and was about to grow. A picture is written whenever that happens, and at the end of the run, where the
    last column may be of a fade. Figure 15.9 d of Prince, *Understanding Deep Learning*, MIT Press 2023.

    Args:
        n: Latents.
        seed: Seed of the latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "growth"
    required_method = "next_level"

    def __init__(self, n: int = 4, seed: int = 0, scale: int | None = None) -> None:
        super().__init__(1, seed, scale)
        check_whole(1, n=n)
        self.n = n
        # Of each size by its level, n x C x h x w, uint8; a resumed run has them from its checkpoint.
        self._sizes: dict[int, Tensor] = {}

    @classmethod
    def reason_to_skip(cls, game: Any) -> str | None:
        return None if hasattr(game, cls.required_method) else f"{type(game).__name__}'s networks do not grow"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written_step = trainer.global_step
        if trainer.global_step == 0:
            self._sizes.clear()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        game: Any = pl_module
        if self._folder is not None and math.ceil(game.next_level) > game.generator.stage:
            self._write(trainer, pl_module)

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        network = game.generator
        step = 2 ** (network.levels - network.stage)
        # Samples have the full size: those of a smaller one are enlarged, pixel by pixel.
        self._sizes[network.stage] = to_uint8(game.sample(self.n, seed=self.seed)[..., ::step, ::step]).cpu()
        columns = [enlarge(images, 2 ** (network.levels - level)) for level, images in self._sizes.items()]
        # n x sizes x C x H x W
        return torch.stack(columns, dim=1).flatten(0, 1) / 127.5 - 1, len(columns)

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        return [f"{images.shape[2]} x {images.shape[3]}" for images in self._sizes.values()], ()

    def state_dict(self) -> dict[str, Any]:
        return {"sizes": dict(self._sizes)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._sizes = dict(state_dict["sizes"])
