"""Adaptive discriminator augmentation (ADA)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from gan_lightning.arguments import Schedule, checked, value_of
from gan_lightning.arguments.ranges import check_whole
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.augmentations.pipeline import TransformationPipeline
from gan_lightning.losses.reported import is_wanted, listen, report, stop_listening
from gan_lightning.trainer.collectives import average_over_processes
from gan_lightning.trainer.number_types import keeping_float32

_ACCURACY = "discriminator/accuracy_real"


@checked
class ADA(TransformationPipeline):
    """Karras et al., *Training Generative Adversarial Networks with Limited Data*, NeurIPS 2020, arXiv 2006.06676.

    p follows the overfitting of the discriminator (section 3): ``r_t = E sign D(T(x))`` on real images, equation 1, is
    0 where it guesses and 1 where it knows all images. After every ``interval`` steps p rises by the share of
    ``images_to_one`` that these took if r_t exceeds the target, and falls by it, to 0 at least, if r_t is below. As
    long as p is less than 0.8 the generator does not learn to make augmented images (section 2.2).

    Losses report r_t as ``2 accuracy_real - 1``. For logits that is the paper's. For critics, energies and relativistic
    losses, which have no boundary, it counts from half-way between the mean outputs on real images and on fakes, and a
    fixed p may be the better choice. Images of all processes and all discriminators count alike.
    ``TrainingHealth`` logs ``train/augmentation/p`` and ``train/augmentation/r_t``; checkpoints hold both.

    Args:
        p: Probability, fixed or a schedule in real images; R3GAN (arXiv 2501.05441) has half a cosine from 0 to 0.55.
            None: adaptive, from 0.
        target: r_t at which an adaptive p stays.
        interval: Steps between two changes of an adaptive p.
        images_to_one: Real images in which an adaptive p can rise from 0 to 1.
        **pipeline: The transformations' shares and strengths, arguments of
            :class:`~gan_lightning.augmentations.pipeline.TransformationPipeline`.

    Raises:
        ValueError: An argument is out of its range.
    """

    adaptive_p: Tensor
    r_t: Tensor
    pending: Tensor

    def __init__(
        self,
        p: Schedule | float | None = None,
        target: float = 0.6,
        interval: int = 4,
        images_to_one: int = 500_000,
        **pipeline: Any,
    ) -> None:
        super().__init__(**pipeline)
        self.p = None if p is None else resolve_number(p)
        bounds = self.p.bounds if isinstance(self.p, Schedule) else (self.p or 0.0,)
        if not all(0 <= each <= 1 for each in bounds):
            raise ValueError(f"p is {self.p}: it must be a probability, from 0 to 1.")
        if not -1 <= target <= 1:
            raise ValueError(f"target is {target}: it must be a mean of signs, from -1 to 1.")
        check_whole(1, interval=interval, images_to_one=images_to_one)
        self.target = target
        self.interval = interval
        self.images_to_one = images_to_one
        self._has_heard = False
        if self.p is None:
            self.register_buffer("adaptive_p", torch.zeros(()))
            self.register_buffer("r_t", torch.zeros(()))
            # Since the last change: sum and number of this process's r_t, and the real images of all processes.
            self.register_buffer("pending", torch.zeros(3))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # In bfloat16 p would not rise: a step of 64 images adds 0.0005 to it.
        return super()._apply(keeping_float32(fn, self.buffers()), recurse)

    def probability(self, images: Tensor) -> Tensor:
        if self.p is None:
            return self.adaptive_p
        return torch.full((), value_of(self.p, self.images_seen), dtype=images.dtype, device=images.device)

    @contextmanager
    def before(self, discriminators: Iterable[nn.Module], joined: Sequence[int] | None = None) -> Iterator[None]:
        # The generator's losses report no accuracy, and those of simulated updates none that is heard.
        if self.p is None:
            listen(self._add, _ACCURACY)
        try:
            with super().before(discriminators, joined):
                yield
        finally:
            stop_listening(self._add)

    def _add(self, name: str, accuracy: Tensor) -> None:
        self.pending[0] += 2 * accuracy - 1
        self.pending[1] += 1
        self._has_heard = True

    def end_step(self, images: int, step: int) -> None:
        if self.p is None:
            if not self._has_heard:
                raise ValueError(
                    "ADA follows the discriminator's accuracy on real images, and this game's losses report none: call "
                    "gan_lightning.losses.accuracy.report_accuracies there, or give ADA a fixed p, such as "
                    "--model.augmentation.p 0.2."
                )
            self.pending[2] += images
            if step % self.interval == 0:
                self._adapt()
            if is_wanted("augmentation/r_t"):
                report("augmentation/r_t", self.r_t.clone())
        if is_wanted("augmentation/p"):
            now = self.adaptive_p.clone() if self.p is None else torch.tensor(value_of(self.p, self.images_seen))
            report("augmentation/p", now)

    def _adapt(self) -> None:
        signs = self.pending[:2].clone()
        average_over_processes([signs])
        self.r_t.copy_(signs[0] / signs[1])
        change = (self.r_t - self.target).sign() * self.pending[2] / self.images_to_one
        # No limit above, as in the authors' code: a share below 1 of a larger p still means something.
        self.adaptive_p.add_(change).clamp_(min=0)
        self.pending.zero_()
