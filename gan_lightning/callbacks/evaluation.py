"""Measure the samples while the game is played."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.features import FeatureExtractor, make_extractor
from gan_lightning.metrics.scores import Reference, chosen
from gan_lightning.metrics.sources import Images, Samples

_SPLITS = ("train", "val", "test")


class GenerativeMetrics(Callback):
    """Computes metrics of the generator's samples against the data, and logs them as ``val/fid``, ``val/kid``, ...

    The samples are those that ``sample()`` makes, from the average of the weights, and the same latents every time,
    so a checkpoint has one score. Training goes on in the same bits with this callback or without it, and
    checkpoints do not know of it. ``ModelCheckpoint(monitor="val/fid", mode="min")`` keeps the best. When testing,
    the names begin with ``test/``.

    Args:
        metrics: Any of fid, kid, inception_score, precision, recall.
        extractor: What the metrics look at: pixels (of toy data and tiny images).
        split: Images to compare with: train, as the literature does, val or test.
        num_samples: How many samples. None: as many as the split has images, but at most 10000.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        batch_size: Images embedded at a time.
        seed: Which latents.
    """

    def __init__(
        self,
        metrics: list[str] | tuple[str, ...] = ("fid",),
        extractor: str | FeatureExtractor = "pixels",
        split: str = "train",
        num_samples: int | None = None,
        every_n_steps: int | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        chosen(metrics)
        if split not in _SPLITS:
            raise ValueError(f"split is {split!r}: choose from {', '.join(_SPLITS)}.")
        for name, count, least in [
            ("num_samples", num_samples, 2),
            ("every_n_steps", every_n_steps, 1),
            ("batch_size", batch_size, 1),
        ]:
            if count is not None and count < least:
                raise ValueError(f"{name} is {count}: it must be at least {least}.")
        self.metrics = list(metrics)
        self.extractor = extractor
        self.split = split
        self.num_samples = num_samples
        self.every_n_steps = every_n_steps
        self.batch_size = batch_size
        self.seed = seed
        self._evaluator: Evaluator | None = None
        self._reference: Reference | None = None
        self._step = -1

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        standing_alone = trainer.state.fn == TrainerFn.VALIDATING
        if standing_alone or (self.every_n_steps is None and not trainer.sanity_checking):
            pl_module.log_dict(self._measure(trainer, pl_module, "val"), prog_bar=True)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log_dict(self._measure(trainer, pl_module, "test"), prog_bar=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self.every_n_steps is None or step % self.every_n_steps or step == self._step:
            return
        self._step = step  # Batches that end without a step must not be measured again.
        scores = self._measure(trainer, pl_module, "val")
        pl_module.log_dict(scores, prog_bar=True, logger=False)
        # Lightning's own logging would leave out steps that log_every_n_steps does not fall on. It counts from 0.
        for logger in trainer.loggers:
            logger.log_metrics(scores, step=step - 1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._evaluator = self._reference = None

    def _measure(self, trainer: Trainer, pl_module: LightningModule, prefix: str) -> dict[str, float]:
        devices = [pl_module.device.index or 0] if pl_module.device.type == "cuda" else []
        # What is made here may be used in training too, where tensors of inference mode cannot be.
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
            real = real_images(trainer, self.split)
            if self._evaluator is None or self._reference is None:
                extractor = make_extractor(self.extractor)
                self._evaluator = Evaluator(self.metrics, extractor, self.batch_size, pl_module.device)
                self._reference = self._evaluator.describe(real)
            n = self.num_samples or min(len(real), _MOST_SAMPLES)
            samples = Samples(pl_module.sample, n, self.seed)  # type: ignore[arg-type]
            scores = self._evaluator.score(samples, self._reference)
        return {f"{prefix}/{name}": score for name, score in scores.items()}


_MOST_SAMPLES = 10_000


def real_images(trainer: Trainer, split: str) -> Images:
    """The images of a split of the trainer's data module, unflipped and each once, whatever the process.

    Raises:
        ValueError: There is no data module, or it has no such images.
    """
    data = getattr(trainer, "datamodule", None)
    if data is None:
        raise ValueError("GenerativeMetrics reads the real images from a data module: give the trainer datamodule=...")
    loader = getattr(data, f"{split}_dataloader")()
    source = getattr(loader, "source", None)
    if source is None:
        raise ValueError(f"{type(data).__name__} has no images in its {split} split.")
    return source
