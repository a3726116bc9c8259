"""Measure the samples while the game is played."""

from typing import Any, cast

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from gan_lightning.callbacks.measuring import Measurement, check_at_least, unnoticed
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.scores import Options, Reference, chosen
from gan_lightning.metrics.sources import MOST_SAMPLES, SPLITS, Samples, label_of, real_images


class GenerativeMetrics(Measurement):
    """Computes metrics of the generator's samples against the data, and logs them as ``val/fid``, ``val/kid``, ...

    The samples are those that ``sample()`` makes, from the average of the weights, and the same latents every time,
    so a checkpoint has one score. Training goes on in the same bits with this callback or without it, and
    checkpoints do not know of it. ``ModelCheckpoint(monitor="val/fid", mode="min")`` keeps the best. When testing,
    the names begin with ``test/``.

    Args:
        metrics: Any of fid, kid, inception_score, precision, recall. With another extractor than
            inception, inception_score is called after that extractor: classifier_score, ...
        extractor: What the metrics look at. inception: the network that published scores use, with torch-fidelity's
            weights. classifier: a small network trained on the data's labels, for digits and the like. pixels: for
            toy data and tiny images. Also a name in torch-fidelity's registry, or a FeatureExtractor.
        weights_path: File with the extractor's weights, for machines without a network.
        split: Images to compare with: train, as the literature does, val or test.
        num_samples: How many samples. None: as many as the split has images, but at most 10000.
        num_real: How many images of the split, spread evenly over it. None: all.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        batch_size: Images embedded at a time, in each process.
        seed: Which latents.
        kid_subsets: Random subsets that KID is the mean over.
        kid_subset_size: Images in each; fewer where there are fewer.
        cache_dir: Where to keep the statistics of the real images. None: gan_lightning in the user's cache folder.

    Raises:
        ValueError: An argument is out of its range, or there is no metric, extractor or split of that name.
        FileNotFoundError: The weights of the extractor are missing.
    """

    def __init__(
        self,
        metrics: list[str] | tuple[str, ...] = ("fid",),
        extractor: str | FeatureExtractor = "inception",
        weights_path: str | None = None,
        split: str = "train",
        num_samples: int | None = None,
        num_real: int | None = None,
        every_n_steps: int | None = None,
        batch_size: int = 64,
        seed: int = 0,
        kid_subsets: int = 100,
        kid_subset_size: int = 1000,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(every_n_steps)
        chosen(metrics)
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}: choose from {', '.join(SPLITS)}.")
        check_at_least(2, num_samples=num_samples, num_real=num_real, kid_subset_size=kid_subset_size)
        check_at_least(1, batch_size=batch_size, kid_subsets=kid_subsets)
        self.metrics = list(metrics)
        self.extractor = extractor
        self.weights_path = weights_path
        self.split = split
        self.num_samples = num_samples
        self.num_real = num_real
        self.batch_size = batch_size
        self.seed = seed
        self._options = Options(kid_subsets, kid_subset_size)
        self._cache = TensorCache(cache_dir)
        self._network: FeatureExtractor | None = None
        self._judge: tuple[Evaluator, Reference, int] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Here and not at the first measurement, so that missing weights are told before hours of training.
        if stage == "predict" or self._network is not None:
            return
        if not hasattr(pl_module, "sample"):
            raise ValueError(f"GenerativeMetrics needs samples, and {type(pl_module).__name__} has no sample().")
        data = _data(trainer)
        ingredients = Ingredients(self.weights_path, lambda: real_images(data, "train"), self._cache)
        with unnoticed(torch.device("cpu")):
            self._network = make_extractor(self.extractor, ingredients)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._network = self._judge = None

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        if self._judge is None:
            self._judge = self._prepare(trainer, game.device)
        evaluator, reference, n = self._judge
        return evaluator.score(Samples(game.sample, n, self.seed), reference)

    def _prepare(self, trainer: Trainer, device: torch.device) -> tuple[Evaluator, Reference, int]:
        """Look at the real images, once, and count the samples."""
        data = _data(trainer)
        if self._network is None:  # A subclass, or who put this in late, has left out the setup.
            GenerativeMetrics.setup(self, trainer, trainer.lightning_module, str(trainer.state.fn))
        real = real_images(data, self.split, self.num_real)
        evaluator = Evaluator(
            self.metrics, cast(FeatureExtractor, self._network), self._cache, self.batch_size, device, self._options
        )
        reference = evaluator.describe(real, label_of(data, self.split))
        return evaluator, reference, self.num_samples or min(len(real), MOST_SAMPLES)


def _data(trainer: Trainer) -> LightningDataModule:
    data: LightningDataModule | None = getattr(trainer, "datamodule", None)
    if data is None:
        raise ValueError("GenerativeMetrics reads the real images from a data module: give the trainer datamodule=...")
    return data
