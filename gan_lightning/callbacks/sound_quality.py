"""Quality and variety of generated sounds, during training."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_seed, check_whole
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.games.sound import SoundGame
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.sound import neighbour_distances, sound_scores, trained_sound_classifier
from gan_lightning.trainer.processes import on_rank_zero


class SoundQuality(Measurement):
    """Measures the samples of a game of sounds, and logs ``val/frechet_sound_classifier`` and others.

    - ``frechet_<extractor>``: Frechet distance of the features of samples and of training sounds.
    - ``classifier_score`` of samples and ``real_classifier_score`` of training sounds: how sure the classifier is of a
      sound's kind, and how many kinds there are; it is the Inception score's formula.
    - ``self_distance`` and ``training_distance``: mean distance of a sample to the nearest other one and to the nearest
      training sound, and ``real_self_distance`` of training sounds, in logarithmic mel spectrograms.

    Samples are those of ``sample()``, of the same latents every time. Scores of few samples are biased: compare equal
    numbers only.

    Args:
        num_samples: How many samples, and training sounds at most.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        extractor: Import path of a ``FeatureExtractor`` of sounds, N x 1 x T in [-1, 1]. None: a small classifier,
            trained on the labels of the data before the first measurement.
        seed: Of the samples.

    Raises:
        ValueError: An argument is out of its range; before the run: the model makes no sounds of latents, or the data
            module has no labels for a classifier.
    """

    def __init__(
        self,
        num_samples: int = 500,
        every_n_steps: int | None = None,
        extractor: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(every_n_steps)
        check_whole(2, num_samples=num_samples)
        check_seed(seed=seed)
        self.num_samples = num_samples
        self.extractor = extractor
        self.seed = seed
        self._made: tuple[FeatureExtractor, Tensor] | None = None
        self._names: list[str] = []

    @property
    def names(self) -> list[str]:
        return self._names

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            return
        if not isinstance(pl_module, SoundGame) or not hasattr(pl_module, "sample"):
            raise ValueError(f"SoundQuality measures sounds of latents, and {type(pl_module).__name__} makes none.")
        data: Any = getattr(trainer, "datamodule", None)
        if not hasattr(data, "splits") or (self.extractor is None and not getattr(data, "num_classes", None)):
            raise ValueError(
                "SoundQuality compares samples with the data's sounds, by their classes: give the trainer a data "
                "module that has them, such as SoundFolderDataModule of a folder for each class, or an extractor."
            )
        name, score = "sound_classifier", "classifier_score"
        if self.extractor is not None:
            made = make_extractor(self.extractor, Ingredients())
            name, score = made.name, made.class_score or ""
        self._names = [
            f"frechet_{name}",
            *([score, f"real_{score}"] if score else []),
            *("self_distance", "training_distance", "real_self_distance"),
        ]
        super().setup(trainer, pl_module, stage)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._made = None

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        # Rank 0 measures and broadcasts: the samples are the same on all ranks.
        return on_rank_zero(lambda: self._scores(trainer, game))

    def _scores(self, trainer: Trainer, game: SoundGame) -> dict[str, float]:
        if self._made is None:
            self._made = self._prepared(trainer, game)
        extractor, training = self._made
        samples = game.sample(self.num_samples, seed=self.seed).cpu().float()  # type: ignore[operator]
        places = torch.arange(min(len(training), self.num_samples)) * len(training) // self.num_samples
        real = training[places] if len(training) > self.num_samples else training
        among, to_training = neighbour_distances(samples, training, game.sample_rate)
        return sound_scores(samples, real, extractor) | {
            "self_distance": among,
            "training_distance": to_training,
            "real_self_distance": neighbour_distances(real, training, game.sample_rate)[0],
        }

    def _prepared(self, trainer: Trainer, game: SoundGame) -> tuple[FeatureExtractor, Tensor]:
        """The extractor, and the training sounds, N x 1 x T, as evaluation crops them."""
        source = trainer.datamodule.splits.train  # type: ignore[attr-defined]
        indices = torch.arange(len(source))
        sounds = torch.cat([*source.image_batches([*indices.split(256)])]).float() / 32768
        if self.extractor is not None:
            return make_extractor(self.extractor, Ingredients()), sounds
        return trained_sound_classifier(sounds, source.labels, game.sample_rate), sounds
