"""Top-k training: the generator learns from the fakes that fool the discriminator best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from gan_lightning.arguments.annotations import checked
from gan_lightning.arguments.ranges import check_whole_if_given
from gan_lightning.losses.reported import is_wanted, report, without_reports
from gan_lightning.regularizers.regularizer import Game, Regularizer, judgement_of, judgements


@checked
class TopK(Regularizer):
    """Top-k training (Sinha et al., *Top-k Training of GANs*, NeurIPS 2020, arXiv 2002.06224).

    The generator's loss is the mean over the k fakes of a batch that the discriminator, after its update, gives the
    highest logits: ``k = max(gamma^t, nu) N``, t in epochs, rounded down. Their real images, conditions and latents go
    with them. Where a discriminator gives a map, its mean counts. The scores are those of one more forward pass of the
    generator's loss; where the discriminator has BatchNorm, that pass normalises by N fakes and the loss by k.
    ``generator/top_k`` is reported.

    Each process chooses the k of its own batch, and so does each of ``accumulate`` batches: the best halves of two
    batches are not the best half of both, and several processes are not one with a larger batch.

    Args:
        gamma: What k is multiplied by at the end of each epoch; 0.99 in the paper.
        nu: Smallest share of the batch; 0.5 in the paper.
        decay_images: Real images after each of which k is multiplied, for data without an end. None: an epoch.
    """

    def __init__(self, gamma: float = 0.99, nu: float = 0.5, decay_images: int | None = None) -> None:
        super().__init__()
        for name, share in {"gamma": gamma, "nu": nu}.items():
            if not 0 < share <= 1:
                raise ValueError(f"{name} is {share}: it must be greater than 0 and at most 1.")
        check_whole_if_given(1, decay_images=decay_images)
        self.gamma, self.nu, self.decay_images = gamma, nu, decay_images

    def kept(self, game: Game, n: int) -> int:
        """k of a batch of ``n`` fakes."""
        times = game.current_epoch if self.decay_images is None else game.images_seen // self.decay_images
        k = int(max(self.gamma**times, self.nu) * n)
        return min(max(k, game.smallest_batch), n)

    def generator_batch(self, game: Game, batch: Any) -> Any:
        n = len(batch.fake)
        k = self.kept(game, n)
        if is_wanted("generator/top_k"):
            report("generator/top_k", torch.tensor(float(k)))
        if k == n:
            return batch
        # As the loss itself calls the discriminator, with the same condition. Not under
        # no_grad: a loss may take gradients.
        with without_reports(), judgements(game.discriminator) as calls:
            game.generator_loss(batch)
        logits = judgement_of(batch.fake, calls, "the fakes", game).logits.detach()
        best = logits.reshape(n, -1).mean(dim=1).topk(k).indices

        def of_the_best(part: Tensor) -> Tensor:
            return part[best] if part.ndim and len(part) == n else part

        parts = {name: apply_to_collection(part, Tensor, of_the_best) for name, part in vars(batch).items()}
        return replace(batch, **parts)
