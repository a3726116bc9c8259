"""Penalties on gradients of piecewise linear networks: torch's bits, without passes that carry zeros."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.networks import ResNetDiscriminator
from gan_lightning.regularizers import gradient_penalties, gradient_penalty, r1_penalty
from gan_lightning.regularizers.piecewise_linear import PiecewiseLinear


class Counts(TorchDispatchMode):
    """Counts the backward passes of convolutions."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func is torch.ops.aten.convolution_backward.default
        return func(*args, **(kwargs or {}))


class Each(nn.Module):
    """A convolution, a layer, a convolution, a mean."""

    def __init__(self, layer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.layer, self.last = nn.Conv2d(3, 4, 3, padding=1), layer, nn.Conv2d(4, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(self.first(x))).square().mean(dim=(1, 2, 3))


def after(change: Callable[[Tensor], object]) -> Callable[[Tensor], Tensor]:
    """A layer that changes its input in place, and whose result is not used."""

    def layer(x: Tensor) -> Tensor:
        change(x)
        return x

    return layer


LAYERS: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "torch.relu": torch.relu,
    "Tensor.relu": Tensor.relu,
    "F.relu_": after(F.relu_),
    "torch.relu_": after(torch.relu_),
    "Tensor.relu_": after(Tensor.relu_),
    "F.relu in place": after(lambda x: F.relu(x, inplace=True)),
    "nn.LeakyReLU": nn.LeakyReLU(0.2),
    "nn.LeakyReLU in place": nn.LeakyReLU(0.2, inplace=True),
    "slope 0": nn.LeakyReLU(0.0),
    "negative slope": nn.LeakyReLU(-0.5),
    "F.leaky_relu_": after(lambda x: F.leaky_relu_(x, 0.1)),
    "F.leaky_relu in place": after(lambda x: F.leaky_relu(x, 0.1, inplace=True)),
    "F.leaky_relu, changed in place": lambda x: F.leaky_relu(x, 0.2).mul_(2**0.5).add_(x),
    "a slope of NumPy's": lambda x: F.leaky_relu(x, np.float32(0.2)),
    "nn.AvgPool2d": nn.AvgPool2d(2),
    "a size of NumPy's": lambda x: F.avg_pool2d(x, np.int64(2)),
    "F.avg_pool2d, changed in place": lambda x: F.avg_pool2d(x, 2).mul_(2),
    "F.avg_pool2d": lambda x: F.avg_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0)),
    "counts zeros not": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False),
    "a divisor": nn.AvgPool2d(2, divisor_override=3),
}


def penalised(critic: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch, mode: Any) -> tuple[list[Tensor], int]:
    """The penalty and its gradients by the weights, and the backward passes of convolutions that they took."""
    torch.manual_seed(0)
    weights = [*critic.parameters()]
    with monkeypatch.context() as patch, Counts() as counts:
        patch.setattr(gradient_penalties, "PiecewiseLinear", mode)
        value = gradient_penalty(critic, x, x.flip(0))
        gradients = torch.autograd.grad(value, weights, allow_unused=True)
    filled = [torch.zeros_like(weight) if of is None else of for weight, of in zip(weights, gradients, strict=True)]
    return [value, *filled], counts.n


@pytest.mark.parametrize("name", LAYERS)
def test_penalties_have_the_bits_of_torchs_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    critic, x = Each(LAYERS[name]), torch.randn(4, 3, 6, 6)
    mine, _ = penalised(critic, x, monkeypatch, PiecewiseLinear)
    theirs, _ = penalised(critic, x, monkeypatch, nullcontext)
    assert mine[0].requires_grad
    assert mine[1].any()
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)


def test_each_convolution_has_one_backward_pass_in_place_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    critic = ResNetDiscriminator((3, 16, 16), width=4)
    n = sum(isinstance(layer, nn.Conv2d) for layer in critic.modules())
    x = torch.randn(2, 3, 16, 16)
    mine, passes = penalised(critic, x, monkeypatch, PiecewiseLinear)
    theirs, before = penalised(critic, x, monkeypatch, nullcontext)
    assert (passes, before) == (n, 2 * n)
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.ReLU(True), nn.LeakyReLU(0.2), nn.LeakyReLU(0.2, True)], ids=str)
def test_values_and_gradients_where_they_are_special(layer: nn.Module) -> None:
    x = torch.tensor([-torch.inf, -1.0, -0.0, 0.0, 1e-45, 1.0, torch.inf, torch.nan], requires_grad=True)
    results = []
    for mode in (PiecewiseLinear(), nullcontext()):
        with mode:
            y = layer(x * 1)
        results.append((y, *torch.autograd.grad(y, x, torch.arange(1.0, 9.0))))
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)


def test_second_derivatives_of_other_layers_stay() -> None:
    """D(x) = sum of a^3 with a = relu(x): the gradient is 3 a^2, R1 is 1/2 sum of 9 a^4."""
    weight = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[-2.0, 0.5, 3.0]], dtype=torch.float64)
    value = r1_penalty(lambda x: F.relu(weight * x).pow(3).sum(1), x)
    value.backward()
    a = (1.5 * x).clamp(min=0)
    # d/dx (w x)^3 = 3 w (w x)^2, its square 9 w^2 (w x)^4 = 9 w^6 x^4, and that by w six times as much over w.
    expected = 0.5 * (9 * 1.5**2 * a**4).sum()
    torch.testing.assert_close(value, expected)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, 6 * expected / 1.5)


def test_a_vmap_inside_the_network_goes_through_it() -> None:
    x = torch.randn(3, 2, 4, 4)

    def network(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.leaky_relu(F.relu(x), 0.1), 2)

    with PiecewiseLinear():
        assert torch.equal(torch.func.vmap(network)(x), network(x))
