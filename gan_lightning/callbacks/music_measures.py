"""Measures of pieces of music during training, beside those of held-out bars."""

from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from gan_lightning.arguments.ranges import check_seed, check_whole
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.metrics.music import music_measures
from gan_lightning.trainer.processes import on_rank_zero

_NAMES = ("empty_bars", "pitch_classes", "long_notes", "in_scale", "polyphonic_steps", "tonal_distance")


class MusicMeasures(Measurement):
    """Logs MuseGAN's measures of samples, ``val/pitch_classes`` and others, and of held-out bars, ``real_...``.

    See :func:`gan_lightning.metrics.music.music_measures`. The samples are those that ``sample()`` makes, from the
    average of the weights, and the same latents every time. Training is in the same bits with this callback or without.

    Args:
        num_samples: How many pieces.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        seed: Which latents.
        least: Steps of a long note: 2 sixteenths are an eighth.

    Raises:
        ValueError: An argument is out of its range; before the run: the model does not make music.
    """

    def __init__(self, num_samples: int = 100, every_n_steps: int | None = None, seed: int = 0, least: int = 2) -> None:
        super().__init__(every_n_steps)
        check_whole(1, num_samples=num_samples, least=least)
        check_seed(seed=seed)
        self.num_samples = num_samples
        self.seed = seed
        self.least = least

    @property
    def names(self) -> list[str]:
        return [f"{prefix}{name}" for prefix in ("", "real_") for name in _NAMES]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            return
        super().setup(trainer, pl_module, stage)
        if not hasattr(pl_module, "bars_of"):
            raise ValueError(f"MusicMeasures measures bars of music, and {type(pl_module).__name__} makes none.")

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        # Rank 0 measures and broadcasts: the samples are the same on all ranks.
        return on_rank_zero(lambda: {**self._of_samples(game), **self._of_data(trainer, game)})

    def _of_samples(self, game: Any) -> dict[str, float]:
        bars = game.bars_of(game.sample(self.num_samples, seed=self.seed))
        return music_measures(bars, game.lowest_pitch, self.least)

    def _of_data(self, trainer: Trainer, game: Any) -> dict[str, float]:
        """Measures of all held-out bars; none without a data module that has some."""
        data: Any = getattr(trainer, "datamodule", None)
        loader: Iterable[Any] = [] if data is None else data.val_dataloader()
        bars = [raw["bars"] > 0 for raw in loader]
        if not bars:
            return {}
        measures = music_measures(torch.cat(bars), game.lowest_pitch, self.least)
        return {f"real_{name}": value for name, value in measures.items()}
