"""Differentiable optimiser steps on a functional copy of a network (unrolled GAN)."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Adam, Optimizer

from gan_lightning.optimizers.adam import DCGANAdam
from gan_lightning.trainer.speed import running_eagerly

Weights = dict[str, Tensor]
NetworkFunction = Callable[..., Any]
"""A network as a function of its inputs alone."""


def unrolled_network(
    network: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[NetworkFunction], Tensor],
    steps: int,
    clip_norm: float | None = None,
) -> NetworkFunction:
    """The network after some steps of its optimiser on a loss, as a function.

    ``theta^{k+1} = theta^k - step(grad L(theta^k))`` (Metz et al., 2017, arXiv 1611.02163, section 2). The steps are
    those of the network's own optimiser, from its present state, and differentiable: outputs of the result have a
    gradient with respect to all inputs of the loss. Network, gradients, buffers and optimiser are left unchanged; the
    copy has buffers of its own, which its forward passes update.

    Args:
        network: Network whose weights take part if the optimiser holds them, frozen or not.
        optimizer: SGD, Adam or AdamW, or a subclass that changes only defaults.
        loss: Scalar loss as a function of the copy.
        steps: Number of steps; 0 gives the network itself.
        clip_norm: Clip the gradient's norm to this before each step, as the engine does. None: no clipping.

    Returns:
        The network's function at ``theta^steps``. Compiled networks run in eager mode, since compiled code has no
        second derivative.

    Raises:
        ValueError: The optimiser, or one of its options, is not supported.
    """
    check_unrollable(optimizer)
    # Leaves of a graph of their own: gradients do not reach the network's weights.
    weights = {name: weight.detach().requires_grad_() for name, weight in network.named_parameters()}
    # BatchNorm's statistics must not move in steps that are taken back.
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    groups = {weight: group for group in optimizer.param_groups for weight in group["params"]}
    # A copy of the optimiser's state: the steps go on from its moments, and leave them as they are.
    moving = {
        name: _Step(groups[weight], dict(optimizer.state.get(weight, {})))
        for name, weight in network.named_parameters()
        if weight in groups
    }

    def at(weights: Weights) -> NetworkFunction:
        def forward(*inputs: Any) -> Any:
            with running_eagerly(network):
                return functional_call(network, {**weights, **buffers}, inputs)

        return forward

    for _ in range(steps):
        found = torch.autograd.grad(
            # create_graph: without it the steps would be constants to the generator, and this no unrolled GAN.
            loss(at(weights)),
            [weights[name] for name in moving],
            create_graph=True,
            allow_unused=True,
        )
        # A weight without a gradient is not updated, whatever its momentum, as in torch.
        gradients = {name: gradient for name, gradient in zip(moving, found, strict=True) if gradient is not None}
        if clip_norm is not None:
            # torch.nn.utils.clip_grad_norm_, differentiable.
            norm = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients.values()]).norm()
            scale = (clip_norm / (norm + 1e-6)).clamp(max=1)
            gradients = {name: gradient * scale for name, gradient in gradients.items()}
        weights = weights | {name: moving[name](weights[name], gradient) for name, gradient in gradients.items()}
    return at(weights)


Judge, looked_ahead = NetworkFunction, unrolled_network
"""Their names until 0.3."""


def check_unrollable(optimizer: Optimizer) -> None:
    """Refuse an optimiser whose steps are not implemented here.

    Raises:
        ValueError: It is neither SGD nor Adam, or has an unsupported option.
    """
    name = type(optimizer).__name__
    # The function itself is compared: a subclass with a step of its own computes something else.
    own = inspect.unwrap(type(optimizer).step)  # torch wraps a class's step when it first makes one
    if own not in [inspect.unwrap(kind.step) for kind in (SGD, Adam, DCGANAdam)]:
        raise ValueError(f"The look-ahead cannot follow the steps of {name}: choose SGD, Adam or AdamW.")
    for option in ("amsgrad", "maximize"):
        if any(group.get(option) for group in optimizer.param_groups):
            raise ValueError(f"The look-ahead cannot follow {name} with {option}=True: leave it out.")


@dataclass
class _Step:
    """Functional optimiser step of one weight: options and state, never changed in place."""

    options: dict[str, Any]
    memory: dict[str, Any]

    def __call__(self, weight: Tensor, gradient: Tensor) -> Tensor:
        if self.options["weight_decay"]:
            # AdamW shrinks the weight itself; Adam and SGD add the decay to the gradient, before any moment.
            if self.options.get("decoupled_weight_decay"):
                weight = weight * (1 - self.options["lr"] * self.options["weight_decay"])
            else:
                gradient = gradient + self.options["weight_decay"] * weight
        return weight - self.options["lr"] * (self._adam if "betas" in self.options else self._sgd)(gradient)

    def _sgd(self, gradient: Tensor) -> Tensor:
        momentum = self.options["momentum"]
        if not momentum:
            return gradient
        before = self.memory.get("momentum_buffer")
        # torch's first buffer is the gradient itself, without dampening.
        after = gradient if before is None else momentum * before + (1 - self.options["dampening"]) * gradient
        self.memory["momentum_buffer"] = after
        return gradient + momentum * after if self.options["nesterov"] else after

    def _adam(self, gradient: Tensor) -> Tensor:
        (beta1, beta2), memory = self.options["betas"], self.memory
        zeros = torch.zeros_like(gradient)
        # In double: in float32, 1 - beta2^t would lose four digits. The count stays on its device.
        count = memory["step"] = torch.as_tensor(memory.get("step", 0)).double() + 1
        mean = memory["exp_avg"] = torch.lerp(memory.get("exp_avg", zeros), gradient, 1 - beta1)
        square = memory["exp_avg_sq"] = beta2 * memory.get("exp_avg_sq", zeros) + (1 - beta2) * gradient * gradient
        # The square root has an infinite slope at 0, and dead units have a gradient of 0: 0 times inf is NaN.
        alive = square > 0
        root = torch.where(alive, torch.where(alive, square, 1).sqrt(), 0)
        return mean / (1 - beta1**count) / (root / (1 - beta2**count).sqrt() + self.options["eps"])
