"""Standing statistics of BatchNorm (Brock et al., 2019, arXiv 1809.11096, section 3.1 and appendix A)."""

from typing import Any

import torch
from torch import nn

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.randomness import fold
from gan_lightning.trainer.layer_kinds import BATCH_NORMS

_STREAM = 3  # their latents are not the samples' own


@torch.no_grad()
def set_standing_statistics(
    model: AdversarialModule, n_batches: int = 16, batch_size: int = 64, seed: int = 0, truncation: float | None = None
) -> None:
    """Replace the means and variances of BatchNorm in the network that makes samples, by those of fresh samples.

    Running averages of training are of generators of some steps ago, and of latents that were not truncated. Here they
    are reset, and become the means over ``n_batches`` batches that are normalised by themselves, as in training. Of the
    published results some are made so; the authors' PyTorch code has it as an option. Other layers stay in evaluation
    mode. Two calls with the same arguments set the same statistics.

    Args:
        model: The game; changed in place.
        n_batches: Batches.
        batch_size: Samples in each, with classes as frequent as in the data. At least 2.
        seed: Seed of their latents.
        truncation: That of the samples to come; see :meth:`ImageGame.truncated_latents`.

    Raises:
        ValueError: The network has no BatchNorm, or a number is out of its range.
    """
    check_whole(1, n_batches=n_batches)
    check_whole(2, batch_size=batch_size)
    norms: list[Any] = [part for part in model.averaged_generator.modules() if isinstance(part, BATCH_NORMS)]
    if not norms:
        raise ValueError(
            f"{type(model).__name__}'s generator has no BatchNorm, so it has no statistics to replace: leave out the "
            "standing statistics."
        )
    momenta = [norm.momentum for norm in norms]
    # `sample` puts all of the network into evaluation mode; BatchNorm alone leaves it again before it computes.
    hooks = [norm.register_forward_pre_hook(_train) for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch: the mean over all batches since the reset
        chosen = {} if truncation is None else {"truncation": truncation}
        for batch in range(n_batches):
            model.sample(  # type: ignore[operator]
                batch_size, seed=fold(seed, _STREAM), start=batch * batch_size, batch_size=batch_size, **chosen
            )
    finally:
        for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
            norm.momentum = momentum
            hook.remove()


def _train(norm: nn.Module, inputs: Any) -> None:
    norm.train()
