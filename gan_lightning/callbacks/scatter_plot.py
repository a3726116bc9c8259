"""Scatter plots of two-dimensional samples during training."""

import warnings
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_flag, check_whole
from gan_lightning.callbacks.picture import Picture, first_batches
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.randomness import own_randomness
from gan_lightning.visualization.images import are_points
from gan_lightning.visualization.scatter_plot import Window, plot_scatter


class ScatterPlot(Picture):
    """Plots samples among real points into ``samples/`` of the run directory.

    For games whose images are points, 2 x 1 x 1, such as those of ``ToyDataModule``. Samples are blue, real points of
    the validation set orange; samples outside the window lie on its edge. The background is the discriminator's output,
    the lighter the more real, in twelve equal bands.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Samples in a picture, and real points at most.
        seed: Seed of the latents.
        contours: Whether to show the discriminator's output. It is left out, with a warning, where the discriminator
            does not map a point to one number.
    """

    subject = "samples"
    required_method = "sample"

    def __init__(self, every_n_steps: int = 500, n: int = 1000, seed: int = 0, contours: bool = True) -> None:
        super().__init__(every_n_steps, seed, scale=1)
        check_whole(1, n=n)
        self.n = n
        check_flag(contours=contours)
        self.contours = contours
        self._real: Tensor | None = None

    @classmethod
    def reason_to_skip(cls, game: Any) -> str | None:
        if hasattr(game, cls.required_method) and not are_points(getattr(game, "image_shape", ())):
            return f"{type(game).__name__} makes images and no points"
        return None if hasattr(game, cls.required_method) else super().reason_to_skip(game)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._real = None

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        with own_randomness(self.seed, game.device), torch.no_grad():
            if self._real is None:
                # Real points, M x 2, read once.
                batches = first_batches(game.trainer, self.n)
                self._real = torch.cat([game.prepare_batch(raw).real.flatten(1) for raw in batches]).cpu()
            samples = game.sample(self.n, seed=self.seed).flatten(1).cpu()
            # Around the real points only: the window must not move with the samples from picture to picture.
            window = Window.around(self._real)
            outputs = self._discriminator_outputs(game, window.cells()) if self.contours else None
        return plot_scatter(samples, window, self._real, outputs)[None] / 127.5 - 1, 1

    def _discriminator_outputs(self, game: Any, points: Tensor) -> Tensor | None:
        """Output of the discriminator at each point, N; None if it takes other inputs or has another output."""
        # Dropout and batch statistics off: the background is a function of the point alone.
        with evaluating(game.discriminator):
            try:
                # Points as images, N x 2 x 1 x 1.
                outputs = game.discriminator(points.to(game.device)[..., None, None])
            except (AttributeError, TypeError, ValueError, RuntimeError):  # It needs labels, pairs, ...
                outputs = None
        if isinstance(outputs, Tensor) and outputs.numel() == len(points):
            return outputs.flatten()
        name, self.contours = type(game.discriminator).__name__, False
        warnings.warn(
            f"{name} does not give one number to one point: ScatterPlot leaves out the contours.", stacklevel=2
        )
        return None
