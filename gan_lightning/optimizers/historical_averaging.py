"""Historical averaging: a penalty on the distance of weights from their mean over training."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.arguments import checked
from gan_lightning.optimizers.adam import DCGANAdam
from gan_lightning.trainer.internals import foreach_add_, foreach_div_, foreach_sub


@checked
class HistoricalAveragingAdam(DCGANAdam, lr=2e-4):
    """DCGAN's Adam on the loss plus ``averaging_weight * ||theta - 1/t sum_{i=1}^t theta_i||^2``.

    Salimans et al., 2016, arXiv 1606.03498, section 3.3, for either player of any game. theta_i are the weights after
    update i, which count as constants: to the gradient comes ``2 * averaging_weight * (theta - mean)``. The mean is
    kept with Adam's moments, so a resumed run goes on in the same bits. The authors' published code has no such term.

    Args:
        averaging_weight: Weight of the term. The paper names none.
    """

    def __init__(self, averaging_weight: float = 1e-3, **adam: Any) -> None:
        super().__init__(**adam)
        self.averaging_weight = averaging_weight

    def _update(self) -> None:
        moving = [weight for group in self.param_groups for weight in group["params"] if weight.grad is not None]
        # The first update has no mean yet.
        self._add_gradient([weight for weight in moving if "mean" in self.state[weight]])
        super()._update()
        # After the move: the mean is over weights after updates, and the initial ones are not among them.
        self._update_means(moving)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; the means keep their precision, where torch casts a state to the dtype of the weights."""
        super().load_state_dict(state_dict)
        order = (weight for group in self.param_groups for weight in group["params"])
        for number, weight in enumerate(order):
            if "mean" in (saved := state_dict["state"].get(number, {})):
                self.state[weight]["mean"] = saved["mean"].to(weight.device, _mean_dtype(weight), copy=True)

    def _add_gradient(self, weights: list[Tensor]) -> None:
        """Add the gradient of the penalty."""
        if weights:
            distances = foreach_sub(weights, [self.state[weight]["mean"] for weight in weights])
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            terms = [one.to(gradient.dtype) for one, gradient in zip(distances, gradients, strict=True)]
            foreach_add_(gradients, terms, alpha=2 * self.averaging_weight)

    def _update_means(self, weights: list[Tensor]) -> None:
        """Update the means: ``mean_t = mean_{t-1} + (theta_t - mean_{t-1}) / t``."""
        states = [self.state[weight] for weight in weights]
        for weight, state in zip(weights, states, strict=True):
            # With t = 1 whatever is here is replaced by the weights.
            state.setdefault("mean", torch.zeros_like(weight, dtype=_mean_dtype(weight)))
            state["n_averaged"] = state.get("n_averaged", 0) + 1
        if weights:
            means = [state["mean"] for state in states]
            distances = foreach_sub(weights, means)
            foreach_div_(distances, [state["n_averaged"] for state in states])
            foreach_add_(means, distances)


def _mean_dtype(weight: Tensor) -> torch.dtype:
    """dtype of a weight's mean: float32 at least, since bfloat16 would round its updates away."""
    return torch.promote_types(weight.dtype, torch.float32)
