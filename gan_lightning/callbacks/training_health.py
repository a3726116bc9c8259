"""Diagnostics of training beside the losses: accuracies, gradient norms, diversity, speed."""

import time
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.losses.reported import listen, stop_listening
from gan_lightning.trainer.step_batches import join_loaders


class TrainingHealth(Callback):
    """Logs diagnostics of training at the steps that are multiples of the trainer's ``log_every_n_steps``.

    - ``train/discriminator/accuracy_real``, ``accuracy_fake``: shares of the last update's images, from 0 to 1, that
      the discriminator classifies correctly. Both near 1: it has won; around 1/2: it is guessing. With several
      discriminators: ``accuracy_real_A``. All other values given to :func:`gan_lightning.losses.reported.report` are
      logged too, as ``train/<name>``.
    - ``train/<player>/gradient_norm``: of the last update, before clipping, over all ranks' batches.
    - ``train/<player>/learning_rate``: of the last update, of the first parameter group.
    - ``train/generator/diversity``: mean pixel distance between two samples over that between two real images of the
      batch. Around 1 is healthy; near 0 is mode collapse. For games with ``sample()``.
    - ``train/images_per_second``: real images per second of wall-clock time, over all ranks, since the last logged
      step. It is the one value that a resumed run does not reproduce.

    Training is bit-identical with and without this callback, and nothing is read off the device.

    Args:
        diversity_every_n_steps: Generator updates between two measurements of the diversity, at least; it is rounded up
            to a logged step.
        n_samples: Number of samples, and largest number of real images, whose distances are averaged.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, diversity_every_n_steps: int = 100, n_samples: int = 64) -> None:
        check_whole(1, diversity_every_n_steps=diversity_every_n_steps)
        check_whole(2, n_samples=n_samples)
        self.diversity_every_n_steps = diversity_every_n_steps
        self.n_samples = n_samples
        self._values: dict[str, Any] = {}
        self._due = False
        self._images = 0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._images, self._since = 0, time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
        self._due = interval > 0 and (trainer.global_step + 1) % interval == 0
        if self._due:
            self._values = {}
            # Only for the steps that are logged: in others nothing is computed for the report.
            listen(self._record)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not self._due:
            return
        discriminators = cast(AdversarialModule, pl_module).optimizer_of("discriminator").optimizer
        player = "discriminator" if optimizer is discriminators else "generator"
        # Here and not in the step: under fp16 the gradients have just been unscaled, and nothing is clipped yet.
        weights = (weight for group in optimizer.param_groups for weight in group["params"])
        # It stays on the device; the logger reads it off, once a row.
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        self._values[f"train/{player}/gradient_norm"] = norm
        self._values[f"train/{player}/learning_rate"] = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        batches = join_loaders(trainer.train_dataloader, batch)
        self._images += sum(_length(raw) for raw in batches)
        if not self._due:
            return
        stop_listening(self._record)
        interval, step = trainer.log_every_n_steps, trainer.global_step  # type: ignore[attr-defined]
        # True if a multiple lies between the last logged step and this one. No state: a resumed run agrees.
        if step // self.diversity_every_n_steps > (step - interval) // self.diversity_every_n_steps:
            self._measure_diversity(pl_module, batches[-1])
        now = time.monotonic()
        self._values["train/images_per_second"] = self._images * trainer.world_size / max(now - self._since, 1e-9)
        self._images, self._since = 0, now
        pl_module.log_dict(self._values)
        _ = trainer.callback_metrics  # Reading them makes Lightning keep them, for the progress bar.

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        stop_listening(self._record)

    def _record(self, name: str, value: Tensor) -> None:
        self._values[f"train/{name}"] = value

    def _measure_diversity(self, game: Any, raw: Any) -> None:
        # Of sounds and texts the samples need not be what the discriminator is given.
        if not hasattr(game, "sample") or getattr(game, "medium", None) is not None:
            return
        real = game.prepare_batch(raw).examples[: self.n_samples]
        if len(real) > 1:
            # Of the averaged generator, whose samples the user sees.
            samples = game.sample(self.n_samples)
            # Of a pixel each: the real images of a game that grows are smaller than its samples so far.
            pixels = real[0].numel() / samples[0].numel()
            self._values["train/generator/diversity"] = mean_distance(samples) / mean_distance(real) * pixels**0.5


def mean_distance(images: Tensor) -> Tensor:
    """Mean Euclidean distance over all pairs of images, N x ... with N at least 2: a scalar."""
    return torch.pdist(images.detach().flatten(1).float()).mean()


def _length(raw: Any) -> int:
    """Number of examples in a batch of the loader: the length of the first tensor in it."""
    if isinstance(raw, tuple | list) and isinstance(raw[0], Tensor):
        return len(raw[0])  # Fast path: (images, labels), which most loaders yield.
    lengths: list[int] = []
    apply_to_collection(raw, Tensor, lambda part: lengths.append(len(part)))
    return lengths[0] if lengths else 0
