"""How the game goes, beside the losses, which say little about it."""

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
from gan_lightning.loggers.step_values import log
from gan_lightning.losses.reported import listen, stop_listening
from gan_lightning.trainer.step_batches import side_by_side


class TrainingHealth(Callback):
    """Logs how the game goes, with the losses, at the steps that the trainer's ``log_every_n_steps`` falls on.

    - ``train/discriminator/accuracy_real``, ``accuracy_fake``: shares, from 0 to 1, of the last update's images that
      the discriminator takes for what they are; see :func:`gan_lightning.losses.accuracy.judged`. Both at 1 for long:
      it has nothing left to learn from. Around 1/2: it is guessing. Of several discriminators each has its own, by its
      name: ``accuracy_real_A``. So is every other value that a loss or a layer reports, as ``train/<name>``; see
      :func:`gan_lightning.losses.reported.report`.
    - ``train/<player>/gradient_norm``: of the last update, before any clipping, over all processes' batches.
    - ``train/<player>/learning_rate``: of the last update; that of the first parameter group.
    - ``train/generator/diversity``: the mean distance between two samples over that between two real images of the
      batch, in pixels. Around 1 is healthy; towards 0 the generator has collapsed. For games with ``sample()``.
    - ``train/images_per_second``: real images used, in all processes, since it was logged last, by the clock on the
      wall, with all that is done between two steps. It is the one figure that a resumed run cannot repeat.

    Training goes on in the same bits with this callback or without it, and nothing is read off the device.

    Args:
        diversity_every_n_steps: Generator updates between two measurements of the diversity, at least; it is measured
            where it is logged.
        n_samples: Samples, and real images at most, whose distances are measured.

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
            listen(self._listen)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not self._due:
            return
        judge = cast(AdversarialModule, pl_module).optimizer_of("discriminator").optimizer
        player = "discriminator" if optimizer is judge else "generator"
        weights = (weight for group in optimizer.param_groups for weight in group["params"])
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        self._values[f"train/{player}/gradient_norm"] = norm
        self._values[f"train/{player}/learning_rate"] = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        batches = side_by_side(trainer.train_dataloader, batch)
        self._images += sum(_length(raw) for raw in batches)
        if not self._due:
            return
        stop_listening(self._listen)
        interval, step = trainer.log_every_n_steps, trainer.global_step  # type: ignore[attr-defined]
        # Whether a multiple lies between the last logged step and this one: the same in a run that was resumed.
        if step // self.diversity_every_n_steps > (step - interval) // self.diversity_every_n_steps:
            self._measure_diversity(pl_module, batches[-1])
        now = time.monotonic()
        self._values["train/images_per_second"] = self._images * trainer.world_size / max(now - self._since, 1e-9)
        self._images, self._since = 0, now
        log(pl_module, self._values)
        _ = trainer.callback_metrics  # Once asked for, they are remembered, for the progress bar.

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        stop_listening(self._listen)

    def _listen(self, name: str, value: Tensor) -> None:
        self._values[f"train/{name}"] = value

    def _measure_diversity(self, game: Any, raw: Any) -> None:
        if not hasattr(game, "sample"):
            return
        real = game.prepare_batch(raw).examples[: self.n_samples]
        if len(real) > 1:
            samples = game.sample(self.n_samples)
            self._values["train/generator/diversity"] = mean_distance(samples) / mean_distance(real)


def mean_distance(images: Tensor) -> Tensor:
    """The mean Euclidean distance between two of the images, N x ..., N at least 2: a scalar."""
    return torch.pdist(images.detach().flatten(1).float()).mean()


def _length(raw: Any) -> int:
    """How many examples the loader's batch has: the length of the first tensor in it."""
    if isinstance(raw, tuple | list) and isinstance(raw[0], Tensor):
        return len(raw[0])  # What most loaders yield; to look through anything is felt in a small game.
    lengths: list[int] = []
    apply_to_collection(raw, Tensor, lambda part: lengths.append(len(part)))
    return lengths[0] if lengths else 0
