"""Historical averaging: its gradient against autograd's, its mean by hand, its memory in a checkpoint."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.optimizers import DCGANAdam
from gan_lightning.optimizers.historical_averaging import HistoricalAveragingAdam
from gan_lightning.variants import WGANGP
from tests.helpers.games import assert_same_bits, last_state, play, small

WEIGHT = 0.3


def loss_of(layer: nn.Linear) -> Tensor:
    return (layer(torch.tensor([[1.0, -2.0]])) - 3).square().sum()


def test_it_is_adam_on_the_loss_with_the_papers_term() -> None:
    torch.manual_seed(0)
    mine = nn.Linear(2, 2)
    theirs = nn.Linear(2, 2)
    theirs.load_state_dict(mine.state_dict())
    optimizer = HistoricalAveragingAdam(mine.parameters(), lr=0.1, averaging_weight=WEIGHT)
    adam = DCGANAdam(theirs.parameters(), lr=0.1)
    history: list[list[Tensor]] = []
    for _ in range(6):
        optimizer.zero_grad()
        loss_of(mine).backward()
        optimizer.step()

        adam.zero_grad()
        loss = loss_of(theirs)
        for i, weight in enumerate(theirs.parameters()):
            if history:
                loss = loss + WEIGHT * (weight - torch.stack([past[i] for past in history]).mean(0)).square().sum()
        loss.backward()
        adam.step()
        history.append([weight.detach().clone() for weight in theirs.parameters()])
        assert_close(list(mine.parameters()), list(theirs.parameters()))
    assert_close(
        [optimizer.state[weight]["mean"] for weight in mine.parameters()],
        [torch.stack([past[i] for past in history]).mean(0) for i in range(2)],
    )


def test_the_gradient_is_that_of_the_closure_and_weights_without_one_stay() -> None:
    still, moving = (nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = HistoricalAveragingAdam([still, moving], lr=0.5, averaging_weight=1.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = 3 * moving.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 3
    moved = moving.item()
    assert moved == pytest.approx(0.5)
    optimizer.state[moving]["mean"].fill_(7.0)
    optimizer.step(closure)
    assert moving.grad.item() == pytest.approx(3 + 2 * (moved - 7))
    assert still.item() == 1
    assert not optimizer.state.get(still)


def test_the_mean_of_three_by_hand() -> None:
    """Adam's first steps against a constant gradient are as long as the learning rate: 1 - 0.5, - 1, - 1.5."""
    weight = nn.Parameter(torch.ones(1))
    optimizer = HistoricalAveragingAdam([weight], lr=0.5, averaging_weight=0.0)
    for mean in (0.5, 0.25, 0.0):
        weight.grad = torch.ones(1)
        optimizer.step()
        assert optimizer.state[weight]["mean"].item() == pytest.approx(mean, abs=1e-6)


def test_a_game_resumes_in_the_same_bits(tmp_path: Path) -> None:
    recipe = partial(HistoricalAveragingAdam, averaging_weight=0.1)
    straight, broken, without = tmp_path / "straight", tmp_path / "broken", tmp_path / "without"

    def game(averaging: bool = True) -> WGANGP:
        chosen = recipe if averaging else HistoricalAveragingAdam
        return small(WGANGP, n_critic=2, generator_optimizer=recipe, discriminator_optimizer=chosen)  # type: ignore

    play(game(), 7, straight)
    play(game(), 7, broken, crash_at=4)
    play(game(), 7, broken, resume=True)
    assert_same_bits(last_state(broken), last_state(straight))
    play(game(averaging=False), 7, without)
    name = next(name for name in last_state(straight)["state_dict"] if name.startswith("discriminator"))
    assert not torch.equal(*(last_state(folder)["state_dict"][name] for folder in (straight, without)))
    (state, *_) = last_state(straight)["optimizer_states"][0]["state"].values()
    assert state["n_averaged"] == 14


def test_hooks_run_once_in_a_step() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    DCGANAdam([weight])  # torch gives a class its hooks when one is first made.
    optimizer = HistoricalAveragingAdam([weight])
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    weight.grad = torch.ones(2)
    optimizer.step()
    assert calls == ["before", "after"]
