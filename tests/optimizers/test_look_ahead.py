"""Steps that are only thought: as torch's optimisers would take them, with the gradient of finite differences."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.testing import assert_close

from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.optimizers.look_ahead import NetworkFunction, unrolled_network
from tests.helpers.games import assert_same_bits

REAL = torch.linspace(-2, 2, 24, dtype=torch.float64).reshape(8, 3).sin()
FAKE = torch.linspace(3, -1, 24, dtype=torch.float64).reshape(8, 3).cos()

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": partial(Adam, lr=0.01, betas=(0.5, 0.99)),
    "adam_without_momentum": partial(DCGANAdam, lr=0.01, betas=(0, 0.9)),
    "adam_with_decay": partial(Adam, lr=0.01, weight_decay=0.1),
    "adamw": partial(AdamW, lr=0.01, weight_decay=0.1),
    "sgd": partial(SGD, lr=0.1),
    "momentum": partial(SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "nesterov": partial(SGD, lr=0.1, momentum=0.9, nesterov=True),
}


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def normalised() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        spectral_norm(nn.Sequential(nn.Linear(3, 5))), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)
    ).double()


def judged_by(judge: NetworkFunction, fake: Tensor = FAKE) -> Tensor:
    return F.softplus(-judge(REAL.to(fake))).mean() + F.softplus(judge(fake)).mean()


def step(network: nn.Module, optimizer: Optimizer, clip_norm: float | None = None) -> None:
    """One real step, as the engine takes it."""
    optimizer.zero_grad()
    judged_by(network).backward()
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimizer.step()
    optimizer.zero_grad()


def game(make: Callable[[], nn.Module], kind: str, steps: int) -> tuple[nn.Module, Optimizer]:
    """A network and its optimiser, which has made some steps."""
    network = make()
    optimizer = OPTIMIZERS[kind](network.parameters())
    for _ in range(steps):
        step(network, optimizer)
    return network, optimizer


def bits(network: nn.Module, optimizer: Optimizer) -> Any:
    gradients = [weight.grad for weight in network.parameters()]
    return deepcopy((dict(network.state_dict()), gradients, optimizer.state_dict()))


@pytest.mark.parametrize("clip_norm", [None, 0.05])
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("make", [plain, normalised])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_steps_ahead_are_the_steps_of_torch(
    kind: str, make: Callable[[], nn.Module], before: int, clip_norm: float | None
) -> None:
    network, optimizer = game(make, kind, before)
    kept = bits(network, optimizer)
    answer = unrolled_network(network, optimizer, judged_by, 4, clip_norm)(REAL)
    assert_same_bits(bits(network, optimizer), kept)
    still = network(REAL)
    network, optimizer = game(make, kind, before)
    for _ in range(4):
        step(network, optimizer, clip_norm)
    assert_close(answer, network(REAL), rtol=1e-10, atol=1e-12)
    assert not torch.allclose(answer, still, rtol=1e-3)


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_gradient_passes_through_every_step(kind: str, before: int) -> None:
    """Against finite differences: the loss after three steps, as a function of what the steps were taken on."""
    network, optimizer = game(plain, kind, before)

    def loss(fake: Tensor) -> Tensor:
        return judged_by(unrolled_network(network, optimizer, lambda judge: judged_by(judge, fake), 3), fake)

    assert torch.autograd.gradcheck(loss, FAKE.clone().requires_grad_())
    # And it is not only the gradient of the last look, through weights held still.
    fake = FAKE.clone().requires_grad_()
    (whole,) = torch.autograd.grad(loss(fake), fake)
    judge = unrolled_network(network, optimizer, lambda judge: judged_by(judge, FAKE), 3)
    (last,) = torch.autograd.grad(judged_by(judge, fake), fake)
    assert (whole - last).norm() > 0.01 * last.norm()


def test_one_step_of_descent_by_hand() -> None:
    """``L = w g``, so ``w' = w - lr g``; what a judge says of 1 after it falls by lr with each unit of g."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 2.0)
    g = torch.tensor([[3.0]], requires_grad=True)
    judge = unrolled_network(network, SGD(network.parameters(), lr=0.1), lambda judge: judge(g).sum(), 1)
    answer = judge(torch.ones(1, 1)).sum()
    assert answer.item() == pytest.approx(2 - 0.1 * 3)
    assert torch.autograd.grad(answer, g)[0].item() == pytest.approx(-0.1)


def test_a_dead_unit_has_a_finite_gradient() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        network[0].bias[0] = -100.0
    optimizer = Adam(network.parameters(), lr=0.01)
    fake = FAKE.float().requires_grad_()
    judge = unrolled_network(network, optimizer, lambda judge: judged_by(judge, fake), 3)
    (gradient,) = torch.autograd.grad(judged_by(judge, fake), fake)
    assert torch.isfinite(gradient).all()
    assert gradient.norm() > 0


def test_weights_that_are_frozen_or_unknown_to_the_loss() -> None:
    """Those frozen at the moment move, as in the generator's step; those out of the loss and the optimiser's stay."""
    network = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 1), "c": nn.Linear(3, 1)}).double()
    network.forward = lambda x: network["a"](x) + network["c"](x)  # type: ignore[method-assign]
    optimizer = SGD([*network["a"].parameters(), *network["b"].parameters()], lr=0.1, momentum=0.9)
    expected = deepcopy(network["a"])
    network.requires_grad_(False)
    answer = unrolled_network(network, optimizer, lambda judge: judge(FAKE).sum(), 1)(REAL)
    for weight, slope in zip(expected.parameters(), (FAKE.sum(0), 8), strict=True):
        weight.data -= 0.1 * slope
    assert_close(answer, expected(REAL) + network["c"](REAL), check_stride=False)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (partial(RMSprop, lr=0.1), "RMSprop: choose SGD, Adam or AdamW"),
        (partial(torch.optim.NAdam, lr=0.1), "NAdam: choose SGD, Adam or AdamW"),
        (partial(Adam, amsgrad=True), "Adam with amsgrad=True: leave it out"),
        (partial(SGD, lr=0.1, maximize=True), "SGD with maximize=True: leave it out"),
    ],
)
def test_what_cannot_be_thought_is_refused(make: Callable[..., Optimizer], told: str) -> None:
    network = plain()
    with pytest.raises(ValueError, match=told):
        unrolled_network(network, make(network.parameters()), judged_by, 1)


def test_a_compiled_network_is_run_as_it_was_written() -> None:
    """Compiled code has no second derivative; here it has not even a first value."""
    network, optimizer = game(plain, "adam", 1)
    expected = unrolled_network(network, optimizer, judged_by, 2)(REAL)

    def compiled(*inputs: Tensor) -> Tensor:
        raise AssertionError

    network._compiled_call_impl = compiled
    assert_same_bits(unrolled_network(network, optimizer, judged_by, 2)(REAL), expected)
    assert network._compiled_call_impl is compiled
