"""Penalties on a discriminator: pure functions of the network and its inputs, unweighted.

``grad`` is the gradient of a discriminator's output with respect to its input image, one gradient per image.
Where the output is a map of patches, it is the gradient of the sum over that image's patches. The
discriminator must judge each image by itself: BatchNorm in it would mix the gradients of the batch.

Penalties are computed in float32 outside autocast (double inputs stay double), because second derivatives in
bfloat16 are off by a percent. They have a gradient with respect to the discriminator's weights, not to the images.
The exact ones need the eager network: compiled code has no double backward.

``finite_difference`` estimates them without a second derivative: ``d = (D(x + s n) - D(x)) / s`` with normal n is
``grad . n`` to the first order in s, so ``E d^2 = ||grad||^2`` and ``E |d| = sqrt(2 / pi) ||grad||``. The penalty is
right in the mean, and a batch of N scatters by ``sqrt(2 / N)`` of it for R1. The two outputs are of the same weights
and random numbers, so dropout and spectral normalisation are allowed, but ``torch.nn.utils.spectral_norm``, the older
of torch's two, changes the weights in each pass: take ``exact`` there. It is for networks that have no second
derivative, such as compiled ones: on eager networks of ReLU or LeakyReLU the exact penalty is the cheaper one.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_lightning.regularizers.piecewise_linear import PiecewiseLinear
from gan_lightning.trainer.layer_kinds import BATCH_NORMS

PenaltyMethod = Literal["exact", "finite_difference"]
"""How a penalty's gradient is computed: by a second backward pass, or estimated from the outputs at two points."""

_STEP = 1e-3
"""``s``, for images in [-1, 1]. Kinks of a ReLU network lie close together: at 0.03 a residual critic's R1 came out a
third too large. In bfloat16 rounding alone is larger than the difference, so it is computed in float32."""


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    target: float = 1.0,
    method: PenaltyMethod = "exact",
) -> Tensor:
    """Two-sided gradient penalty of WGAN-GP (Gulrajani et al., 2017, arXiv 1704.00028).

    ``E (||grad D(x)||_2 - target)^2`` at ``x = x_r + eps (x_f - x_r)``, with one ``eps ~ U(0, 1)`` per image
    and the norm over all of the image's axes. The paper multiplies it by 10.

    Args:
        discriminator: Maps images to outputs (N,), (N, 1) or (N, 1, h, w).
        real: Real images, (N, ...).
        fake: Generated images, of the same shape.
        target: Gradient norm without a penalty.
        method: How it is computed.

    Returns:
        A scalar in [0, inf); an estimate may be negative.

    Raises:
        ValueError: The shapes of ``real`` and ``fake`` differ, and would be broadcast silently.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"gradient_penalty mixes real and generated images one by one, so their shapes must agree: "
            f"got {tuple(real.shape)} and {tuple(fake.shape)}."
        )
    # x = x_r + eps (x_f - x_r), algorithm 1; eps is N x 1 x 1 x 1.
    real, fake = _at_least_float32(real), _at_least_float32(fake)
    return _norm_penalty(discriminator, torch.lerp(real, fake, _uniform_per_image(real)), target, method)


def dragan_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    perturbation: float = 0.5,
    target: float = 1.0,
    method: PenaltyMethod = "exact",
) -> Tensor:
    """Gradient penalty around the data of DRAGAN (Kodali et al., 2017, arXiv 1705.07215).

    ``E (||grad D(x)||_2 - target)^2`` at ``x = x_r + perturbation * std * alpha * u``, with one ``alpha ~ U(0, 1)`` per
    image, one ``u ~ U(0, 1)`` per pixel, ``std`` over all pixels of the batch and the norm over all of the image's
    axes. This is the noise of the authors' code, which only brightens; the paper's is normal. It multiplies the
    penalty by 10.

    Args:
        discriminator: Maps images to outputs (N,), (N, 1) or (N, 1, h, w).
        real: Real images, (N, ...).
        perturbation: Largest distance from the data, in standard deviations; 0: gradients at the data.
        target: Gradient norm that costs nothing.
        method: How it is computed.

    Returns:
        A scalar in [0, inf); an estimate may be negative.
    """
    real = _at_least_float32(real)
    # alpha (N x 1 x 1 x 1) times u (N x C x H x W).
    noise = _uniform_per_image(real) * torch.rand(real.shape, dtype=real.dtype, device=real.device)
    return _norm_penalty(discriminator, real + perturbation * real.std(correction=0) * noise, target, method)


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, method: PenaltyMethod = "exact") -> Tensor:
    """R1 penalty: squared gradient norm on real images (Mescheder et al., 2018, arXiv 1801.04406).

    ``1/2 E ||grad D(x_r)||^2``. The paper multiplies it by gamma, so that the regulariser is
    ``gamma/2 E ||.||^2``.

    Args:
        discriminator: Maps images to outputs (N,), (N, 1) or (N, 1, h, w).
        real: Real images, (N, ...).
        method: How it is computed.

    Returns:
        A scalar in [0, inf).
    """
    real = _at_least_float32(real)
    if method == "finite_difference":
        return 0.5 * _slope(discriminator, real).square().mean()
    # The square of the norm, so there is no root whose slope is infinite at 0.
    return 0.5 * _input_gradient(discriminator, real).square().sum(dim=1).mean()


def r2_penalty(discriminator: Callable[[Tensor], Tensor], fake: Tensor, method: PenaltyMethod = "exact") -> Tensor:
    """R2 penalty: as R1, on generated images (Mescheder et al., 2018, arXiv 1801.04406).

    ``1/2 E ||grad D(x_f)||^2``, for the discriminator only: the generator receives no gradient from it.

    Args:
        discriminator: Maps images to outputs (N,), (N, 1) or (N, 1, h, w).
        fake: Generated images, (N, ...).
        method: How it is computed.

    Returns:
        A scalar in [0, inf).
    """
    # The same function at other points; the images are detached in it.
    return r1_penalty(discriminator, fake, method)


def refuse_batch_norm(discriminator: nn.Module, game: str) -> None:
    """Refuse BatchNorm in a discriminator whose gradient is penalised per image.

    Args:
        discriminator: The network.
        game: Name of the game, for the message.

    Raises:
        ValueError: It contains BatchNorm.
    """
    if any(isinstance(part, BATCH_NORMS) for part in discriminator.modules()):
        raise ValueError(
            f"{game} penalises the discriminator's gradient at each image alone, and BatchNorm ties the images of a "
            "batch together: take it out of the discriminator (batch_norm: false)."
        )


def _norm_penalty(discriminator: Callable[[Tensor], Tensor], x: Tensor, target: float, method: PenaltyMethod) -> Tensor:
    if method == "finite_difference":
        slope = _slope(discriminator, x)
        # (norm - target)^2, multiplied out, each norm in place of its unbiased estimate: E |d| is sqrt(2 / pi) norm.
        return (slope.square() - 2 * target * math.sqrt(math.pi / 2) * slope.abs() + target**2).mean()
    # vector_norm takes the subgradient 0 where the norm is 0, so a flat discriminator gets a finite gradient.
    # The root of a sum of squares would give inf * 0 = nan there, and an eps under it would bias the penalty.
    norm = torch.linalg.vector_norm(_input_gradient(discriminator, x), dim=1)
    return (norm - target).square().mean()


def _uniform_per_image(images: Tensor) -> Tensor:
    return torch.rand(len(images), *[1] * (images.ndim - 1), dtype=images.dtype, device=images.device)


def _input_gradient(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of each image's summed output with respect to that image, N x (C H W)."""
    x = x.detach().requires_grad_()
    with torch.autocast(x.device.type, enabled=False):
        with PiecewiseLinear():
            outputs = discriminator(x)
        # Without BatchNorm an output depends on its own image alone, so one backward of the sum gives all N gradients.
        gradient: Tensor | None = None
        if outputs.requires_grad:
            (gradient,) = torch.autograd.grad(outputs.sum(), x, create_graph=True, allow_unused=True)
        if gradient is None:
            _check_constant(discriminator, x, outputs)
            gradient = torch.zeros_like(x)
    return gradient.flatten(start_dim=1)


@torch.no_grad()
def _check_constant(discriminator: Callable[[Tensor], Tensor], x: Tensor, outputs: Tensor) -> None:
    """Refuse a discriminator whose outputs depend on its input, but have no graph to it.

    Raises:
        ValueError: It is one.
    """
    if not torch.equal(discriminator(x + 1), outputs):
        raise ValueError(
            "A gradient penalty asks for the gradient of the discriminator's output by its input, and there is none, "
            "though the output depends on it: look for detach(), .data or no_grad() in its forward pass."
        )


def _slope(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Estimate of ``grad . n`` along one normal direction an image, N."""
    x = x.detach()
    moved = x + _STEP * torch.randn_like(x)

    def outputs(images: Tensor) -> Tensor:
        return discriminator(images).reshape(len(x), -1).sum(1)

    # Any other difference between the passes than x would be divided by the step. cached: spectral norms iterate once,
    # and not between the passes. fork_rng: the second pass draws the first one's numbers, such as masks of dropout.
    with torch.autocast(x.device.type, enabled=False), parametrize.cached():
        # Two passes and not one of twice the batch: a layer that compares images has each batch by itself.
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            at_x = outputs(x)
        return (outputs(moved) - at_x) / _STEP


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
