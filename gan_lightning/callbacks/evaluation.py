"""FID, KID, Inception Score, precision, recall, density and coverage of the samples during training."""

import warnings
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from gan_lightning.arguments.ranges import check_paths, check_seed, check_whole, check_whole_if_given
from gan_lightning.callbacks.measurement import Measurement, without_side_effects
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.extractors import Ingredients, extractors_of
from gan_lightning.metrics.feasible import check_feasible
from gan_lightning.metrics.features import FeatureExtractor
from gan_lightning.metrics.image_sources import (
    MOST_SAMPLES,
    SPLITS,
    Samples,
    count_of,
    domain_note,
    label_of,
    real_images,
)
from gan_lightning.metrics.joint import JointEvaluator
from gan_lightning.metrics.registry import Options, Reference, reported_name, select_metrics


class GenerativeMetrics(Measurement):
    """Computes metrics of the generator's samples against the data, and logs them as ``val/fid``, ``val/kid``, ...

    Samples come from the averaged generator and from the same latents each time. The callback changes neither training
    nor checkpoints. ``ModelCheckpoint(monitor="val/fid", mode="min")`` keeps the best; when testing, names begin with
    ``test/``.

    Plain names have the published features, by torch-fidelity: Inception for FID, KID and Inception Score, VGG16 for
    precision, recall, density and coverage. With other features the name says so: ``val/fid_pixels``,
    ``val/precision_inception``, ``val/classifier_score``; ``monitor`` takes the plain name too. Games of several
    domains, such as CoGAN, are measured in the first, with a warning.

    Args:
        metrics: Any of fid, kid, inception_score, precision, recall, density, coverage, fd_dinov2, kd_dinov2; the last
            two are the Frechet and the kernel distance in DINOv2's features.
        extractor: Features of all metrics: inception, vgg16 (torch-fidelity's), dinov2, classifier (a small network
            trained on the data's labels, for digits), pixels (for tiny images), a name in torch-fidelity's registry, or
            a FeatureExtractor. None: each metric's own, see above; each extractor makes one pass.
        weights_path: File with the extractor's weights, for machines without a network; for several extractors, a file
            each: ``{inception: FILE, vgg16: FILE, dinov2: FILE}``.
        split: Images to compare with: train (as in the literature), val or test.
        num_samples: Number of samples. None: as many as the split has images, at most 10000.
        num_real: Number of images of the split, evenly spaced. None: all.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        batch_size: Images per forward pass of the extractor, in each process.
        seed: Seed of the latents.
        kid_subsets: Random subsets that KID is averaged over.
        kid_subset_size: Images per subset; fewer, with a warning, where there are fewer.
        cache_dir: Folder for the statistics of the real images. None: gan_lightning in the user's cache folder.

    Raises:
        ValueError: An argument is out of its range, or a metric, extractor or split is unknown. Before the run: the
            metrics cannot be computed on this data, or never will be.
        FileNotFoundError: The weights of the extractor are missing.
    """

    def __init__(
        self,
        metrics: list[str] | tuple[str, ...] = ("fid",),
        extractor: str | FeatureExtractor | None = None,
        weights_path: str | dict[str, str] | None = None,
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
        select_metrics(metrics)
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}: choose from {', '.join(SPLITS)}.")
        check_whole_if_given(2, num_samples=num_samples, num_real=num_real)
        check_whole(1, batch_size=batch_size)
        check_seed(seed=seed)
        check_paths(weights_path=weights_path, cache_dir=cache_dir)
        self.metrics = list(dict.fromkeys(metrics))
        self.extractor = extractor
        self.weights_path = weights_path
        self.split = split
        self.num_samples = num_samples
        self.num_real = num_real
        self.batch_size = batch_size
        self.seed = seed
        self._options = Options(kid_subsets, kid_subset_size)
        self._cache = TensorCache(cache_dir)
        self._extractors: dict[str, FeatureExtractor] = {}
        self._evaluation: tuple[JointEvaluator, list[Reference], int] | None = None

    @property
    def names(self) -> list[str]:
        return [reported_name(name, extractor) for name, extractor in self._extractors.items()]

    def _monitor_names(self) -> list[str]:
        return [*self.names, *self.metrics]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Here and not at the first measurement: missing weights must not show after hours of training.
        if stage == "predict" or self._extractors:
            return
        if not hasattr(pl_module, "sample"):
            raise ValueError(f"GenerativeMetrics needs samples, and {type(pl_module).__name__} has no sample().")
        if medium := getattr(pl_module, "medium", None):
            raise ValueError(
                f"GenerativeMetrics compares images, and {type(pl_module).__name__} makes {medium.name}: leave it out."
            )
        if sentence := domain_note(pl_module):
            warnings.warn(sentence, stacklevel=2)
        data = _data(trainer)
        ingredients = Ingredients(self.weights_path, lambda: real_images(data, "train"), self._cache)
        # Making an extractor draws initial weights before it loads its own.
        with without_side_effects(torch.device("cpu")):
            self._extractors = extractors_of(self.metrics, self.extractor, ingredients)
            # If the size of the split is known beforehand, settings that cannot work are refused before the run.
            n_real = count_of(data, self.split)
            if n_real is not None:
                n_real = min(n_real, self.num_real or n_real)
                n_samples = self.num_samples or min(n_real, MOST_SAMPLES)
                image_shape = getattr(pl_module, "image_shape", None)
                check_feasible(self._extractors, image_shape, n_samples, n_real, self._options)
        super().setup(trainer, pl_module, stage)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Statistics and networks of gigabytes: a notebook keeps its callbacks after the run.
        self._extractors, self._evaluation = {}, None

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        if self._evaluation is None:
            self._evaluation = self._prepare(trainer, game.device)
        evaluator, references, n = self._evaluation
        return evaluator.score(Samples(game.sample, n, self.seed), references)

    def _log(self, pl_module: LightningModule, scores: dict[str, float], **how: Any) -> None:
        super()._log(pl_module, scores, **how)
        # Plain names as well, for monitors alone: in a log they are kept for the published features.
        prefix = next(iter(scores)).partition("/")[0]
        # scores and self.metrics have the same order.
        plain = {f"{prefix}/{name}": score for name, score in zip(self.metrics, scores.values(), strict=True)}
        others = {name: score for name, score in plain.items() if name not in scores}
        pl_module.log_dict(others, **{**how, "logger": False})

    def _prepare(self, trainer: Trainer, device: torch.device) -> tuple[JointEvaluator, list[Reference], int]:
        """Compute the reference statistics of the real images, and the number of samples."""
        data = _data(trainer)
        if not self._extractors:  # setup() was not called: a subclass, or the callback was added late.
            GenerativeMetrics.setup(self, trainer, trainer.lightning_module, str(trainer.state.fn))
        real = real_images(data, self.split, self.num_real, trainer.lightning_module)
        evaluator = JointEvaluator(
            self._extractors, cache=self._cache, batch_size=self.batch_size, device=device, options=self._options
        )
        references = evaluator.describe(real, label_of(data, self.split))
        return evaluator, references, self.num_samples or min(len(real), MOST_SAMPLES)


def _data(trainer: Trainer) -> LightningDataModule:
    data: LightningDataModule | None = getattr(trainer, "datamodule", None)
    if data is None:
        raise ValueError("GenerativeMetrics reads the real images from a data module: give the trainer datamodule=...")
    return data
