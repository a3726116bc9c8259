"""LeCam regularisation: a discriminator's outputs are kept near what it says of the other kind of image."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.arguments.annotations import checked
from gan_lightning.arguments.ranges import check_whole
from gan_lightning.losses.reported import report
from gan_lightning.losses.terms import Terms, batch_mean
from gan_lightning.regularizers.regularizer import Game, Judgement, Regularizer
from gan_lightning.trainer.collectives import average_over_processes


def le_cam_penalty(real: Tensor, fake: Tensor, mean_real: Tensor, mean_fake: Tensor) -> Tensor:
    """LeCam regulariser (Tseng et al., CVPR 2021, arXiv 2104.03310), in the form of the authors' code.

    ``E max(0, D(x) - a_F)^2 + E max(0, a_R - D(G(z)))^2``. The paper's equation 3 has the squares without the hinge.

    Args:
        real: D(x), logits on real images, any shape.
        fake: D(G(z)), logits on generated images.
        mean_real: a_R, the moving average of ``E D(x)``, a scalar.
        mean_fake: a_F, that of ``E D(G(z))``.

    Returns:
        A scalar in [0, inf).
    """
    # Crosswise: real images are held near the average of fakes, and fakes near that of real images.
    return batch_mean(F.relu(real - mean_fake).square()) + batch_mean(F.relu(mean_real - fake).square())


@checked
class LeCam(Regularizer):
    """LeCam regularisation of the discriminator, for few images (Tseng et al., CVPR 2021, arXiv 2104.03310).

    ``L_D += weight * R``, with R of :func:`le_cam_penalty`, on the logits of the discriminator's loss. The averages are
    over the images of all ranks and carry no gradient; each update of the discriminator moves them before its penalty.
    The generator's loss is as it was. Logged as ``le_cam``; the averages are reported as
    ``discriminator/average_real`` and ``average_fake``.

    Args:
        weight: Of the regulariser. 0.3 is the authors' for BigGAN's hinge loss, whose logits stay near 1. The logits of
            logistic losses have no bound, and squares of them outweigh everything: 3e-7 to 1e-6 with StyleGAN2.
        decay: Of the averages, per update of the discriminator; 0.9 with BigGAN, 0.99 with StyleGAN2.
        start_step: Steps of the game without it, in which the averages are the current means; 1000 with BigGAN, 0 with
            StyleGAN2.
    """

    mean_real: Tensor
    mean_fake: Tensor

    def __init__(self, weight: float = 0.3, decay: float = 0.9, start_step: int = 1000) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}: it must be at least 0 and less than 1.")
        check_whole(0, start_step=start_step)
        self.weight, self.decay, self.start_step = weight, decay, start_step
        # NaN: nothing was seen yet, and the first mean is taken as it is.
        self.register_buffer("mean_real", torch.tensor(float("nan")))
        self.register_buffer("mean_fake", torch.tensor(float("nan")))

    def discriminator_terms(self, game: Game, batch: Any, real: Judgement, fake: Judgement) -> Terms:
        starts = game.game_step < self.start_step
        self._average(real.logits, fake.logits, decay=0.0 if starts else self.decay)
        report("discriminator/average_real", self.mean_real)
        report("discriminator/average_fake", self.mean_fake)
        # 0 and not left out: callbacks find the names of all terms in the first step.
        weight = 0.0 if starts else self.weight
        return {"le_cam": weight * le_cam_penalty(real.logits, fake.logits, self.mean_real, self.mean_fake)}

    @torch.no_grad()
    def _average(self, real: Tensor, fake: Tensor, decay: float) -> None:
        means = [batch_mean(logits).to(self.mean_real.dtype) for logits in (real, fake)]
        # Of the batches of all ranks: their averages, which the penalty looks at, are the same.
        average_over_processes(means)
        for average, mean in zip((self.mean_real, self.mean_fake), means, strict=True):
            average.copy_(torch.where(average.isnan(), mean, torch.lerp(mean, average, decay)))
