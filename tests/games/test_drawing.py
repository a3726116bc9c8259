"""Drawing of sequences: distributions, ends, gradients, roll-outs."""

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.games import drawing
from gan_lightning.games.drawing import (
    drawn_sequences,
    drawn_tokens,
    gumbel_noise,
    relaxed_sequences,
    roll_outs,
    until_end,
)
from gan_lightning.networks import LSTMGenerator


@pytest.fixture
def generator() -> LSTMGenerator:
    torch.manual_seed(0)
    return LSTMGenerator(3, 4, embed_dim=2, hidden=3, init_std=1.5)


def _probability(generator: LSTMGenerator, tokens: Tensor) -> Tensor:
    """Of whole sequences, by the chain rule."""
    logs = generator(tokens).log_softmax(2).gather(2, tokens[..., None])
    return logs.sum((1, 2)).exp().detach()


def _frequencies(sequences: Tensor, all_of_them: Tensor) -> Tensor:
    return (sequences[:, None] == all_of_them[None]).all(2).float().mean(0)


def test_a_token_is_where_the_sum_of_probabilities_passes_the_chance() -> None:
    logits = torch.tensor([0.2, 0.3, 0.5]).log().expand(6, 3)
    chances = torch.tensor([0.0, 0.199, 0.201, 0.499, 0.501, 0.9999999])
    assert drawn_tokens(logits, chances).tolist() == [0, 0, 1, 1, 2, 2]
    # A token of probability 0 is never drawn.
    assert drawn_tokens(torch.tensor([[-torch.inf, 0.0]]), torch.zeros(1)).tolist() == [1]


def test_sequences_have_the_generators_distribution(generator: LSTMGenerator) -> None:
    every = torch.tensor([*product(range(3), repeat=4)])
    expected = _probability(generator, every)
    assert float(expected.sum()) == pytest.approx(1)
    chances = torch.rand(20_000, 4)
    drawn = drawn_sequences(generator, chances, None)
    assert float((_frequencies(drawn, every) - expected).abs().max()) < 0.012


def test_behind_the_end_there_is_nothing_else(generator: LSTMGenerator) -> None:
    chances = torch.rand(500, 4)
    free, ended = (drawn_sequences(generator, chances, end) for end in (None, 2))
    counted = until_end(ended, 2)
    assert bool((ended[~counted] == 2).all())
    assert bool((ended == free)[counted].all())
    assert bool((free[~counted] != 2).any())


def test_tokens_count_up_to_the_end() -> None:
    tokens = torch.tensor([[3, 0, 0, 0], [3, 4, 5, 6], [0, 0, 0, 0]])
    assert until_end(tokens, 0).sum(1).tolist() == [2, 4, 1]
    assert until_end(tokens, None).sum(1).tolist() == [4, 4, 4]


def test_relaxed_tokens_have_the_same_distribution_at_any_temperature(generator: LSTMGenerator) -> None:
    every = torch.tensor([*product(range(3), repeat=4)])
    expected = _probability(generator, every)
    for temperature in (0.3, 5.0):
        noise = gumbel_noise(20_000, 4, 3, device=torch.device("cpu"), dtype=torch.float32)
        with torch.no_grad():
            vectors = relaxed_sequences(generator, noise, temperature, None)
        assert_close(vectors.sum(2), torch.ones(20_000, 4))
        assert_close(vectors.amax(2), torch.ones(20_000, 4))
        assert float((_frequencies(vectors.argmax(2), every) - expected).abs().max()) < 0.012


def test_the_gradient_is_that_of_the_softmax_divided_by_the_temperature(generator: LSTMGenerator) -> None:
    noise = torch.randn(1, 1, 3)
    weights = torch.tensor([1.0, -2.0, 0.5])
    (relaxed_sequences(generator, noise, 2.0, None)[0, 0] @ weights).backward()
    logits, _ = generator.step(torch.zeros(1, dtype=torch.int64), generator.start(1))
    y = ((logits + noise[:, 0]) / 2).softmax(1)[0]
    # d(w y)/dh_j = y_j (w_j - sum_k w_k y_k) / temperature, and the output's bias is added to h.
    expected = y * (weights - weights @ y) / 2
    assert_close(generator.output.bias.grad, expected.detach())


def test_relaxed_sequences_end_too(generator: LSTMGenerator) -> None:
    noise = gumbel_noise(500, 4, 3, device=torch.device("cpu"), dtype=torch.float32)
    tokens = relaxed_sequences(generator, noise, 1.0, 2).argmax(2)
    assert bool((tokens[~until_end(tokens, 2)] == 2).all())
    assert not bool(until_end(tokens, 2).all())


def test_beginnings_are_kept_and_completed_by_the_generator(
    generator: LSTMGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conditional frequencies of completions, against the chain rule; in several groups."""
    monkeypatch.setattr(drawing, "_MOST_LOGITS", 3 * 2 * 3 * 1000)
    tokens = torch.tensor([[0, 1, 2, 1], [2, 2, 0, 0]])
    groups = [*roll_outs(generator, tokens, 3500, None)]
    assert [group.shape[1] for group in groups] == [1000, 1000, 1000, 500]
    completed = torch.cat(groups, dim=1)
    assert completed.shape == (3, 3500, 2, 4)
    every = torch.tensor([*product(range(3), repeat=4)])
    for known in (1, 2, 3):
        for number, row in enumerate(tokens):
            found = completed[known - 1, :, number]
            assert bool((found[:, :known] == row[:known]).all())
            fits = (every[:, :known] == row[:known]).all(1)
            expected = _probability(generator, every) * fits
            expected = expected / expected.sum()
            assert float((_frequencies(found, every) - expected).abs().max()) < 0.035


def test_roll_outs_do_not_go_on_behind_an_end(generator: LSTMGenerator) -> None:
    tokens = drawn_sequences(generator, torch.rand(50, 4), 2)
    completed = torch.cat([*roll_outs(generator, tokens, 5, 2)], dim=1).flatten(0, 2)
    assert bool((completed[~until_end(completed, 2)] == 2).all())


def test_roll_outs_read_each_beginning_once(generator: LSTMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """T - 2 steps, whatever the number of beginnings: states are reused."""
    rows: list[int] = []
    step = generator.step

    def watched(tokens: Tensor, state: Any) -> Any:
        rows.append(len(tokens))
        return step(tokens, state)

    monkeypatch.setattr(generator, "step", watched)
    assert len(list(roll_outs(generator, torch.randint(0, 3, (6, 4)), 2, None))) == 1
    assert rows == [12, 24]


def test_gumbel_noise_has_its_moments() -> None:
    noise = gumbel_noise(200_000, device=torch.device("cpu"), dtype=torch.float32)
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.01)
    assert float(noise.var()) == pytest.approx(torch.pi**2 / 6, rel=0.02)
    assert bool(noise.isfinite().all())


def test_one_hot_starts_are_the_start(generator: LSTMGenerator) -> None:
    noise = torch.zeros(1, 1, 3)
    logits, _ = generator.step(torch.zeros(1, dtype=torch.int64), generator.start(1))
    vector = relaxed_sequences(generator, noise, 1.0, None)[0, 0]
    assert_close(vector, F.one_hot(logits[0].argmax(), 3).float())
