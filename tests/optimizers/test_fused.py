"""The fused kernel moves weights as torch's loop does, or does not move them at all."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.optimizers import DCGANAdam, adam

# Adam's result in float64 is off by some roundings of 1.1e-16, a few a step, whatever the kernel.
CLOSE = {"rtol": 1e-13, "atol": 1e-13}


def weights() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in ((4, 3, 2, 2), (5, 4), (3,), ())]


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each step's first group says of the fused kernel."""
    seen: list[Any] = []
    step = adam._plain_step

    def spy(optimizer: torch.optim.Adam) -> Any:
        seen.append(optimizer.param_groups[0]["fused"])
        return step(optimizer)

    monkeypatch.setattr(adam, "_plain_step", spy)
    return seen


def gradients(step: int, like: list[Any]) -> Iterator[Tensor]:
    torch.manual_seed(step)
    return (torch.randn(weight.shape, dtype=weight.dtype) for weight in like)


Change = Callable[[list[Any], torch.optim.Adam], None]


def moved(make: type[torch.optim.Adam], given: list[Any], change: Change | None = None, **options: Any) -> list[Tensor]:
    """Weights after three steps, before the last of which something is changed."""
    optimizer = make(given, lr=0.1, betas=(0.5, 0.999), **options)
    for step in range(3):
        for weight, gradient in zip(given, gradients(step, given), strict=True):
            weight.grad = gradient
        if step == 2 and change:
            change(given, optimizer)
        optimizer.step()
    return [weight.detach().clone() for weight in given]


def close(mine: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}], ids=["plain", "decay"])
def test_it_is_fused_by_default_and_moves_as_torchs_loop_does(kernels: list[Any], options: Any) -> None:
    close(moved(DCGANAdam, weights(), **options), moved(torch.optim.Adam, weights(), **options))
    assert kernels == [True] * 3


def lay_out_weight(given: list[Any], optimizer: torch.optim.Adam) -> None:
    given[0].data = given[0].data.contiguous(memory_format=torch.channels_last)


def lay_out_weight_and_gradient(given: list[Any], optimizer: torch.optim.Adam) -> None:
    lay_out_weight(given, optimizer)
    given[0].grad = given[0].grad.contiguous(memory_format=torch.channels_last)


def lay_out_gradient(given: list[Any], optimizer: torch.optim.Adam) -> None:
    given[1].grad = given[1].grad.t().contiguous().t()


def lay_out_moment(given: list[Any], optimizer: torch.optim.Adam) -> None:
    state = optimizer.state[given[1]]
    state["exp_avg_sq"] = state["exp_avg_sq"].t().contiguous().t()


def spread(given: list[Any], optimizer: torch.optim.Adam) -> None:
    """A weight and a gradient that are views with gaps."""
    for weight in given[1:2]:
        wide, gradient = (torch.zeros(5, 8, dtype=torch.float64) for _ in range(2))
        wide[:, ::2], gradient[:, ::2] = weight.data, weight.grad
        weight.data, weight.grad = wide[:, ::2], gradient[:, ::2]


@pytest.mark.parametrize(
    "change", [lay_out_weight, lay_out_weight_and_gradient, lay_out_gradient, lay_out_moment, spread]
)
def test_layouts_that_do_not_agree_are_noticed(kernels: list[Any], change: Change) -> None:
    """The kernel would move weights by others' moments, without an error."""
    close(moved(DCGANAdam, weights(), change), moved(torch.optim.Adam, weights()))
    assert kernels == [True, True, None]


def test_the_kernel_would_have_moved_them_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the checks are for; where torch checks by itself, they can go."""
    monkeypatch.setattr("gan_lightning.optimizers.fused._is_safe", lambda *_: True)
    with pytest.raises(AssertionError):
        close(moved(DCGANAdam, weights(), lay_out_moment), moved(torch.optim.Adam, weights()))


def test_all_tensors_in_channels_last_are_fused(kernels: list[Any]) -> None:
    def everything(given: list[Any], optimizer: torch.optim.Adam) -> None:
        lay_out_weight_and_gradient(given, optimizer)
        for name in ("exp_avg", "exp_avg_sq"):
            state = optimizer.state[given[0]]
            state[name] = state[name].contiguous(memory_format=torch.channels_last)

    close(moved(DCGANAdam, weights(), everything), moved(torch.optim.Adam, weights()))
    assert kernels == [True] * 3


def test_a_closure_may_replace_a_gradient(kernels: list[Any]) -> None:
    given, optimizer = weights(), None
    optimizer = DCGANAdam(given, lr=0.1)
    reference = weights()
    plain = torch.optim.Adam(reference, lr=0.1, betas=(0.5, 0.999))

    def closure() -> float:
        for weight, other, gradient in zip(given, reference, gradients(0, given), strict=True):
            weight.grad = other.grad = gradient
        lay_out_gradient(given, optimizer)
        return 3.0

    assert optimizer.step(closure) == 3.0
    plain.step()
    close(given, reference)
    assert kernels == [None]


def test_a_weight_may_get_its_first_gradient_late(kernels: list[Any]) -> None:
    def late(make: type[torch.optim.Adam]) -> list[Any]:
        given = weights()
        optimizer = make(given, lr=0.1, betas=(0.5, 0.999))
        for step in range(3):
            for number, (weight, gradient) in enumerate(zip(given, gradients(step, given), strict=True)):
                weight.grad = gradient if number or step else None
            optimizer.step()
        return given

    close(late(DCGANAdam), late(torch.optim.Adam))
    assert kernels == [True] * 3


@pytest.mark.parametrize("choice", [{"foreach": True}, {"foreach": False}, {"fused": False}, {"differentiable": True}])
def test_a_choice_of_the_user_is_respected(kernels: list[Any], choice: dict[str, bool]) -> None:
    optimizer = DCGANAdam(given := weights())
    optimizer.param_groups[0].update(choice)
    before = dict(optimizer.param_groups[0])
    for weight, gradient in zip(given, gradients(0, given), strict=True):
        weight.grad = gradient
    optimizer.step()
    assert kernels == [choice.get("fused")]
    assert optimizer.param_groups[0] == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64], ids=str)
def test_other_number_types_are_moved_as_before(kernels: list[Any], dtype: torch.dtype) -> None:
    weight = nn.Parameter(torch.ones(3, dtype=dtype))
    weight.grad = torch.ones(3, dtype=dtype)
    DCGANAdam([weight]).step()
    assert kernels == [None]


def test_a_checkpoint_goes_either_way(kernels: list[Any]) -> None:
    mine, theirs = weights(), weights()
    ours, plain = DCGANAdam(mine, lr=0.1), torch.optim.Adam(theirs, lr=0.1, betas=(0.5, 0.999))
    for step in range(4):
        if step == 2:
            saved, other = ours.state_dict(), plain.state_dict()
            assert saved["param_groups"] == other["param_groups"]
            ours, plain = DCGANAdam(mine), torch.optim.Adam(theirs)
            ours.load_state_dict(other)
            plain.load_state_dict(saved)
        for one, two, gradient in zip(mine, theirs, gradients(step, mine), strict=True):
            one.grad, two.grad = gradient, gradient.clone()
        ours.step()
        plain.step()
    close(mine, theirs)
    assert kernels == [True] * 4


def test_hooks_of_a_step_run_once() -> None:
    torch.optim.Adam(weights())  # from now on torch runs the hooks around the step of its own class
    calls: list[str] = []
    optimizer = DCGANAdam(weights())
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    optimizer.step()
    assert calls == ["before", "after"]
