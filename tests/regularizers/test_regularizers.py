"""Penalties against critics whose gradients are known by hand, per-image loops and finite differences."""

import copy
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.regularizers import (
    clip_weights,
    dragan_penalty,
    gradient_penalty,
    r1_penalty,
    r2_penalty,
    refuse_batch_norm,
)
from gan_lightning.trainer.speed import running_eagerly
from gan_lightning.variants import DCGAN, DRAGAN, WGANGP, StarGAN
from tests.helpers.games import example_batch, small

SHAPE = (3, 4, 4)
DIRECTION = torch.zeros(SHAPE)
DIRECTION[0, 0, 0], DIRECTION[2, 3, 1] = 0.6, -0.8  # norm 1


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


class SmoothCritic(nn.Module):
    """A small twice-differentiable critic; ``head`` shapes its output."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Softplus(), head)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


HEADS = {
    "(N,)": lambda: nn.Sequential(nn.Conv2d(5, 1, 2), nn.Flatten(0)),
    "(N, 1)": lambda: nn.Sequential(nn.Flatten(), nn.Linear(20, 1)),
    "(N, 1, h, w)": lambda: nn.Conv2d(5, 1, 1),
}


def linear_critic(norm: float):
    return lambda x: norm * (x * DIRECTION.to(x.dtype)).sum(dim=(1, 2, 3)) + 7


def images(n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, *SHAPE, dtype=dtype)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_unit_gradient_costs_nothing(n):
    """One norm over the whole batch would be sqrt(n); a norm over channels alone would not be 1 either."""
    assert gradient_penalty(linear_critic(1.0), images(n), images(n)).item() == pytest.approx(0, abs=1e-12)
    assert dragan_penalty(linear_critic(1.0), images(n)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("norm", "target", "expected"), [(3.0, 1.0, 4.0), (0.25, 1.0, 0.5625), (3.0, 0.0, 9.0)])
@pytest.mark.parametrize("n", [1, 5])
def test_gradient_penalty_is_two_sided(norm, target, expected, n):
    penalty = gradient_penalty(linear_critic(norm), images(n), images(n), target=target)
    assert penalty.item() == pytest.approx(expected, rel=1e-5)
    assert dragan_penalty(linear_critic(norm), images(n), target=target).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_penalty_mixes_each_image_by_one_number():
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(dim=(1, 2, 3))

    gradient_penalty(critic, torch.zeros(8, *SHAPE), torch.ones(8, *SHAPE))
    eps = seen[0].flatten(1)
    assert_close(eps, eps[:, :1].expand_as(eps))
    assert len(eps[:, 0].unique()) == 8
    assert ((eps >= 0) & (eps < 1)).all()


def test_dragan_looks_around_the_data():
    """Up to half a standard deviation above each pixel, and each image as far as its own number says."""
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(dim=(1, 2, 3))

    real = torch.zeros(2000, *SHAPE)
    real[:1000], real[1000:] = 3.0, 7.0  # a standard deviation of 2
    dragan_penalty(critic, real, perturbation=0.5)
    noise = (seen[0] - real).flatten(1)
    assert 0 <= noise.min() < 0.001
    assert 0.95 < noise.max() <= 1
    assert noise.mean().item() == pytest.approx(1 / 4, abs=0.02)  # of alpha u
    # Given alpha, the 48 pixels of an image have the mean alpha / 2, whose standard deviation is that of U(0, 1/2).
    assert noise.mean(dim=1).std().item() == pytest.approx(0.5 / 12**0.5, abs=0.01)
    dragan_penalty(critic, real, perturbation=0)
    assert torch.equal(seen[1], real)


def test_batch_norm_is_refused():
    with pytest.raises(ValueError, match=r"Game penalises .* each image alone, and BatchNorm ties"):
        refuse_batch_norm(nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)), "Game")
    refuse_batch_norm(nn.Sequential(nn.Conv2d(3, 3, 3), nn.InstanceNorm2d(3)), "Game")


def test_gradient_penalty_refuses_unequal_batches():
    with pytest.raises(ValueError, match=r"shapes must agree: got \(4, .*\) and \(1, "):
        gradient_penalty(linear_critic(1.0), images(4), images(1))


@pytest.mark.parametrize("penalty", [r1_penalty, r2_penalty])
def test_r1_by_hand(penalty):
    def quadratic(x: Tensor) -> Tensor:
        return 1.5 * x.square().sum(dim=(1, 2, 3))  # gradient 3 x

    x = torch.tensor([[[[1.0, 2.0]]], [[[0.0, 4.0]]]])
    assert penalty(quadratic, x).item() == pytest.approx(0.5 * (9 * 5 + 9 * 16) / 2)


@pytest.mark.parametrize("head", HEADS)
def test_penalties_equal_a_loop_over_images(head):
    critic = SmoothCritic(HEADS[head]()).double()
    x = images(6, torch.float64)
    norms = []
    for image in x:
        single = image[None].clone().requires_grad_()
        norms.append(torch.autograd.grad(critic(single).sum(), single)[0].norm())
    norms = torch.stack(norms)
    # With real == fake every mixture is that image.
    assert_close(gradient_penalty(critic, x, x), ((norms - 1) ** 2).mean())
    assert_close(dragan_penalty(critic, x, perturbation=0), ((norms - 1) ** 2).mean())
    assert_close(r1_penalty(critic, x), (norms**2).mean() / 2)


@pytest.mark.parametrize(
    "penalty", [lambda d, x: gradient_penalty(d, x, x), lambda d, x: dragan_penalty(d, x, perturbation=0), r1_penalty]
)
def test_weight_gradient_equals_finite_differences(penalty):
    critic = SmoothCritic(HEADS["(N, 1)"]()).double()
    x = images(3, torch.float64)
    value = penalty(critic, x)
    assert value.dtype == torch.float64
    value.backward()
    weight, step = critic.layers[0].weight, 1e-6
    for index in [(0, 0, 0, 0), (2, 1, 1, 2), (4, 2, 2, 1)]:
        centre = weight[index].item()
        weight.data[index] = centre + step
        above = penalty(critic, x).item()
        weight.data[index] = centre - step
        below = penalty(critic, x).item()
        weight.data[index] = centre
        assert weight.grad[index].item() == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-9)


def test_a_critic_whose_output_does_not_depend_on_the_image():
    bias = torch.ones((), requires_grad=True)
    for constant in (lambda x: bias.expand(len(x)), lambda x: torch.ones(len(x))):
        assert r1_penalty(constant, images(4)).item() == 0
        assert gradient_penalty(constant, images(4), images(4)).item() == 1
    # It depends, and autograd does not know.
    for cut in (lambda x: x.detach().sum((1, 2, 3)), lambda x: x.detach().sum((1, 2, 3)) * bias):
        with pytest.raises(ValueError, match=r"there is none, though the output depends on it: look for detach\(\)"):
            r1_penalty(cut, images(4))
    # Weights that only add: the gradient, 1 at each of 48 numbers, does not depend on them.
    adding = lambda x: x.sum((1, 2, 3)) + bias  # noqa: E731
    assert r1_penalty(adding, images(4)).item() == 24


def test_flat_critic_gets_a_finite_gradient():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(48, 1))
    nn.init.zeros_(critic[1].weight)
    penalty = gradient_penalty(critic, images(4), images(4))
    assert penalty.item() == pytest.approx(1)
    penalty.backward()
    assert critic[1].weight.grad.isfinite().all()


@pytest.mark.parametrize(
    "penalty",
    [
        lambda d, x: gradient_penalty(d, x, x),
        lambda d, x: dragan_penalty(d, x, perturbation=0),
        r1_penalty,
        r2_penalty,
    ],
)
def test_autocast_changes_nothing(penalty):
    critic, x = SmoothCritic(HEADS["(N, 1)"]()), images(4)
    exact = penalty(copy.deepcopy(critic).double(), x.double()).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert critic(x).dtype == torch.bfloat16  # autocast is at work
        inside = penalty(critic, x)
        from_bfloat16 = penalty(critic, x.bfloat16())
    assert inside.dtype == torch.float32
    assert_close(inside, exact, rtol=1e-5, atol=0)  # bfloat16 is a percent off
    assert from_bfloat16.dtype == torch.float32


def test_inputs_stay_out_of_it():
    """Attached fakes carry no gradient back to the generator, and plain inputs are not changed."""
    critic, source = SmoothCritic(HEADS["(N,)"]()), images(4).requires_grad_()
    fake, real = source.tanh(), images(4)
    penalties = [gradient_penalty(critic, real, fake), dragan_penalty(critic, real), dragan_penalty(critic, fake)]
    sum([*penalties, r1_penalty(critic, real), r2_penalty(critic, fake)]).backward()
    assert source.grad is None
    assert not real.requires_grad
    assert critic.layers[0].weight.grad.abs().sum() > 0


def test_clip_weights_reaches_every_parameter():
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 1))
    before = critic[0].weight.detach().clone()
    clip_weights(critic, 0.01)
    assert all(parameter.abs().max() <= 0.01 for parameter in critic.parameters())
    assert_close(critic[0].weight.detach(), before.clamp(-0.01, 0.01))
    assert_close(critic[1].weight.detach(), torch.full((4,), 0.01))
    assert all(parameter.requires_grad for parameter in critic.parameters())
    assert_close(critic[1].running_var, torch.ones(4))


# Estimates from finite differences. A mean of n draws with sample deviation d is off by more than 6 d / sqrt(n) in one
# case of 5e8.

ESTIMATED = [
    lambda critic, x, **how: gradient_penalty(critic, x, x, **how),
    lambda critic, x, **how: gradient_penalty(critic, x, x, target=0.3, **how),
    lambda critic, x, **how: dragan_penalty(critic, x, perturbation=0, **how),
    r1_penalty,
    r2_penalty,
]
EACH = ["gradient_penalty", "target 0.3", "dragan", "r1", "r2"]


def differs(values: Tensor, expected: Tensor) -> bool:
    """Whether a mean of independent values is not what is expected."""
    error, scatter = values.mean(0) - expected, values.std(0) / len(values) ** 0.5
    return bool((error.abs() > 6 * scatter + 1e-4 * expected.abs().max()).any())


@pytest.mark.parametrize("penalty", ESTIMATED, ids=EACH)
@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_a_finite_difference_is_right_in_the_mean_for_a_linear_critic(penalty: Any, norm: float) -> None:
    one = images(1, torch.float64)
    exact = penalty(linear_critic(norm), one)
    # An image has a direction of its own, so that a hundred of them are a hundred draws.
    many = one.repeat(100, 1, 1, 1)
    values = torch.stack([penalty(linear_critic(norm), many, method="finite_difference") for _ in range(40)])
    assert not differs(values, exact)
    assert values.std() > 0.01 * norm**2, "nothing was drawn"


@pytest.mark.parametrize("penalty", ESTIMATED, ids=EACH)
@pytest.mark.parametrize("head", HEADS)
def test_a_finite_difference_has_the_gradient_of_the_exact_one_in_the_mean(penalty: Any, head: str) -> None:
    critic = SmoothCritic(HEADS[head]()).double()
    weights, x = [*critic.parameters()], images(2, torch.float64)

    def gradient(x: Tensor, **how: Any) -> Tensor:
        moved = torch.autograd.grad(penalty(critic, x, **how), weights, allow_unused=True)
        return torch.cat([part.flatten() for part in moved if part is not None])

    many = x.repeat(25, 1, 1, 1)
    values = torch.stack([gradient(many, method="finite_difference") for _ in range(60)])
    exact = gradient(x)
    # A bias reaches the outputs and not their slopes: only the exact gradient leaves it out.
    assert not differs(values[:, : len(exact)], exact)
    assert not differs(values[:, len(exact) :], torch.zeros(values.shape[1] - len(exact), dtype=torch.float64))


class Once(torch.autograd.Function):
    """A square that can be differentiated once, like compiled code."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * gradient * ctx.saved_tensors[0]


@pytest.mark.parametrize("penalty", ESTIMATED, ids=EACH)
def test_a_finite_difference_needs_no_second_derivative(penalty: Any) -> None:
    weight = torch.ones(SHAPE, requires_grad=True)

    def critic(x: Tensor) -> Tensor:
        return (weight * Once.apply(x)).sum(dim=(1, 2, 3))  # type: ignore[no-untyped-call]

    penalty(critic, images(4), method="finite_difference").backward()
    assert weight.grad is not None
    with pytest.raises(RuntimeError, match="differentiate twice"):
        penalty(critic, images(4)).backward()


@pytest.mark.parametrize(("variant", "game"), [(DCGAN, {"r1_weight": 1.0}), (WGANGP, {}), (DRAGAN, {}), (StarGAN, {})])
def test_every_game_that_penalises_takes_the_estimate(variant: Any, game: dict[str, Any]) -> None:
    """Compiled networks stay compiled in it, and only there."""
    for method, eagerly in (("exact", True), ("finite_difference", False)):
        model: Any = small(variant, **game, penalty_method=method)
        assert model.hparams["penalty_method"] == method
        assert model.differentiates_twice == eagerly
        compiled = Mock(side_effect=model.discriminator.forward)
        model.discriminator._compiled_call_impl = compiled
        batch = model.draw_latents(model.prepare_batch(example_batch(model, 4)))
        batch = replace(batch, fake=model.generate_fakes(batch)).detached()
        with running_eagerly(*([model.discriminator] if model.differentiates_twice else [])):
            (value,) = model.discriminator_penalty(batch).values()
        value.backward()
        assert compiled.call_count == (0 if eagerly else 2)


@pytest.mark.parametrize("kind", ["spectral norm", "dropout"])
def test_the_two_outputs_of_a_finite_difference_are_of_one_network(kind: str) -> None:
    """What changes between two passes in training is no slope: divided by the step it would be all of the penalty."""
    torch.manual_seed(0)
    linear = nn.Linear(48, 1).double()
    critic = nn.Sequential(nn.Flatten(), nn.Dropout(0.5) if kind == "dropout" else nn.Identity(), linear)
    if kind == "spectral norm":
        # One vector comes out at once; a matrix does not, and its iterations go on.
        critic = nn.Sequential(nn.Flatten(), nn.Linear(48, 48).double(), linear)
        spectral_norm(critic)
    other = copy.deepcopy(critic)
    x = images(4000, torch.float64)
    exact, estimate = r1_penalty(critic, x), r1_penalty(other, x, method="finite_difference")
    # d^2 has a relative deviation of 2^(1/2), the squared norm over masks one of 48^(-1/2); 6 deviations of the mean.
    assert estimate.item() == pytest.approx(exact.item(), rel=6 * (2.1 / 4000) ** 0.5)
    for mine, theirs in zip(other.buffers(), critic.buffers(), strict=True):
        assert torch.equal(mine, theirs), "more iterations than in one pass"
