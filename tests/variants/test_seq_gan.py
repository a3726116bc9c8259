"""What is special to SeqGAN: rewards, the policy's gradient, the roll-out policy that lags."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import SeqGAN
from tests.games.test_sequence import NUMBERS
from tests.helpers.games import play, small


class CountsOnes(nn.Module):
    """A discriminator whose probability of "real" is the share of tokens that are 1."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []

    def forward(self, tokens: Tensor) -> Tensor:
        self.modes.append(self.training)
        return (tokens == 1).float().mean(1).logit(eps=1e-6)


def _game(**arguments: Any) -> SeqGAN:
    torch.manual_seed(0)
    return SeqGAN(**{**NUMBERS, "output_penalty_weight": 0.0, "pretrain_steps": 0, **arguments}, **_NO_PRETRAINING)


_NO_PRETRAINING = {"discriminator_pretrain_steps": 0}


def test_a_reward_is_the_mean_judgement_of_all_completions() -> None:
    """Against the sum over all completions, weighted by their probabilities."""
    game = _game(n_rollouts=4000)
    game.discriminator = CountsOnes()
    tokens = torch.tensor([[1, 3, 2], [0, 1, 1]])
    rewards = game.rewards(tokens)
    every = torch.tensor([*product(range(4), repeat=3)])
    logs = game.generator(every).log_softmax(2).gather(2, every[..., None])[..., 0].detach()
    for row, found in zip(tokens, rewards, strict=True):
        for known in (1, 2):
            fits = (every[:, :known] == row[:known]).all(1)
            weights = logs[fits, known:].sum(1).exp()
            shares = (every[fits] == 1).float().mean(1)
            assert float(found[known - 1]) == pytest.approx(float((weights * shares).sum()), abs=0.02)
        assert float(found[2]) == pytest.approx(float((row == 1).float().mean()), abs=1e-5)


def test_the_loss_is_a_sum_of_logarithms_times_rewards() -> None:
    game = _game()
    tokens = torch.tensor([[1, 3, 2], [0, 1, 1]])
    rewards = torch.tensor([[0.1, 0.5, 0.9], [0.2, 0.4, 1.0]])
    game.rewards = lambda _: rewards  # type: ignore[method-assign]
    logs = game.generator(tokens).log_softmax(2)
    expected = -sum(rewards[n, t] * logs[n, t, tokens[n, t]] for n in range(2) for t in range(3))
    loss = game.generator_loss(GameBatch(tokens, fake=tokens))["policy"]
    assert_close(loss, expected)
    # No mean: twice the batch has twice the loss.
    rewards = rewards.repeat(2, 1)
    assert_close(game.generator_loss(GameBatch(tokens, fake=tokens.repeat(2, 1)))["policy"], 2 * expected)


def test_what_fills_up_a_text_has_no_gradient() -> None:
    game = small(SeqGAN, pretrain_steps=0, discriminator_pretrain_steps=0)
    game.rewards = lambda tokens: torch.ones(tokens.shape)  # type: ignore[method-assign]
    tokens = torch.tensor([[3, 0, 0, 0, 0]])
    logs = game.generator(tokens).log_softmax(2)
    assert_close(game.generator_loss(GameBatch(tokens, fake=tokens))["policy"], -logs[0, 0, 3] - logs[0, 1, 0])


def test_the_discriminator_gives_rewards_in_evaluation_mode() -> None:
    game = _game(n_rollouts=2)
    judge = game.discriminator = CountsOnes()
    game.train()
    game.rewards(torch.tensor([[1, 3, 2]]))
    assert judge.modes
    assert not any(judge.modes)
    assert judge.training


def test_the_discriminators_loss_by_hand() -> None:
    game = _game(output_penalty_weight=0.2).eval()
    real, fake = torch.tensor([[1, 3, 2]]), torch.tensor([[0, 1, 1]])
    terms = game.discriminator_loss(GameBatch(real, fake=fake))
    s_real, s_fake = game.discriminator(real), game.discriminator(fake)
    assert_close(terms["real"], -s_real.sigmoid().log()[0] / 2)
    assert_close(terms["fake"], -(1 - s_fake.sigmoid()).log()[0] / 2)
    layer = game.discriminator.output
    assert_close(terms["output_penalty"], 0.1 * (layer.weight.square().sum() + layer.bias.square().sum()))


def test_the_penalty_needs_its_layer() -> None:
    class Judge(nn.Module):
        def __init__(self, n_tokens: int, max_tokens: int) -> None:
            super().__init__()

    with pytest.raises(ValueError, match="linear layer `output`, which Judge does not have"):
        SeqGAN(**{**NUMBERS, "discriminator": Judge}, pretrain_steps=0, **_NO_PRETRAINING)


def test_the_roll_out_policy_lags_but_for_its_vectors(tmp_path: Path) -> None:
    game = small(SeqGAN, pretrain_steps=2, discriminator_pretrain_steps=0, n_rollouts=1, n_critic=1)
    generators: list[dict[str, Tensor]] = []
    policies: list[dict[str, Tensor]] = []
    update = game._update

    def watched(player: str, *rest: Any) -> Any:
        if player == "generator":
            for found, network in ((generators, game.generator), (policies, game.rollout_policy)):
                found.append({name: weight.detach().clone() for name, weight in network.named_parameters()})
        return update(player, *rest)

    game._update = watched  # type: ignore[method-assign]
    play(game, 4, tmp_path, batch_size=20)
    # In the first step of the game it is the generator as that has learned by likelihood.
    assert_close(policies[2], generators[2], rtol=0, atol=0)
    assert not torch.equal(policies[1]["output.weight"], generators[1]["output.weight"])
    for name, weight in policies[3].items():
        lag = 0.0 if name == "embedding.weight" else 0.8
        assert_close(weight, lag * policies[2][name] + (1 - lag) * generators[3][name])
        assert not torch.equal(generators[3][name], generators[2][name])


def test_the_lag_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"rollout_lag is 1.0: it must be at least 0 and less than 1"):
        small(SeqGAN, rollout_lag=1.0)
