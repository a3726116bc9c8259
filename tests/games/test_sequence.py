"""What all games of sequences have: batches, phases, samples, likelihoods."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import LSTMGenerator, TextCNN
from gan_lightning.variants import GumbelGAN, SeqGAN
from tests.helpers.games import TOKENIZER, play, small

NUMBERS: dict[str, Any] = {
    "n_tokens": 4,
    "max_tokens": 3,
    "generator": partial(LSTMGenerator, embed_dim=2, hidden=3, init_std=1.0),
    "discriminator": partial(TextCNN, embed_dim=2, widths=(1, 2), filters=(2, 2)),
}


def test_batches_are_tokens_or_texts() -> None:
    game = small(SeqGAN)
    tokens = TOKENIZER.encode(["a small five", "big"])
    for raw in (
        tokens,
        [tokens],
        {"tokens": tokens.int()},
        {"texts": ["a small five", "big"]},
        ["a small five", "big"],
    ):
        assert_close(game.prepare_batch(raw).real, tokens)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (torch.rand(2, 5), "needs sequences of tokens"),
        (torch.randint(0, 4, (2, 1, 8, 8)), "needs sequences of tokens"),
        (torch.zeros(2, 4, dtype=torch.long), "sequences of 4 tokens, but the model was made for 5"),
        (torch.full((2, 5), 99), "tokens from 99 to 99"),
    ],
)
def test_other_batches_are_refused(raw: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small(SeqGAN).prepare_batch(raw)


def test_texts_need_a_tokenizer() -> None:
    with pytest.raises(ValueError, match="has no tokenizer"):
        SeqGAN(**NUMBERS).prepare_batch(["a", "b"])


def test_sizes_are_asked_for_and_must_agree() -> None:
    with pytest.raises(ValueError, match="n_tokens and tokenizer are None: SeqGAN learns from sequences"):
        SeqGAN()
    with pytest.raises(ValueError, match="max_tokens is 9, and the tokenizer's is 5"):
        small(SeqGAN, max_tokens=9)
    assert small(SeqGAN).max_tokens == 5


def test_phases_must_fit() -> None:
    with pytest.raises(ValueError, match="discriminator_pretrain_steps is 3: these are the last of the pretrain_steps"):
        small(SeqGAN, pretrain_steps=2, discriminator_pretrain_steps=3)
    with pytest.raises(ValueError, match="both set the generator's learning rate"):
        small(
            SeqGAN,
            adversarial_learning_rate=0.1,
            generator_scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=1),
        )


def test_the_phases_follow_each_other(tmp_path: Path) -> None:
    """Likelihood alone; the discriminator too; then the game, with fresh moments and another learning rate."""
    game = small(GumbelGAN, pretrain_steps=4, discriminator_pretrain_steps=2, adversarial_learning_rate=0.005)
    seen: list[tuple[bool, set[str], float, int]] = []
    begin = game._update

    def watched(player: str, optimizer: Any, batches: Any, *rest: Any) -> Any:
        terms = begin(player, optimizer, batches, *rest)
        if player == "discriminator":
            seen.append((bool(terms), set(), 0.0, 0))
            return terms
        group = optimizer.optimizer.param_groups[0]
        (state, *_) = optimizer.optimizer.state.values()
        names = {name.rpartition("/")[2] for name in terms}
        seen[-1] = (seen[-1][0], names - {"loss"}, group["lr"], int(state["step"]))
        return terms

    game._update = watched  # type: ignore[method-assign]
    play(game, 6, tmp_path, batch_size=20)
    assert seen == [
        (False, {"likelihood"}, 1e-3, 1),
        (False, {"likelihood"}, 1e-3, 2),
        (True, {"likelihood"}, 1e-3, 3),
        (True, {"likelihood"}, 1e-3, 4),
        (True, {"adversarial"}, 0.005, 1),
        (True, {"adversarial"}, 0.005, 2),
    ]


def test_the_likelihood_is_of_the_tokens_of_texts() -> None:
    """The mean over a text's tokens and its end, by the chain rule; what fills it up does not count."""
    game = small(SeqGAN)
    tokens = torch.tensor([[3, 4, 0, 0, 0], [2, 2, 2, 2, 2]])
    logs = game.generator(tokens).log_softmax(2)
    of_first = [logs[0, 0, 3], logs[0, 1, 4], logs[0, 2, 0]]
    expected = -torch.stack([*of_first, *(logs[1, i, 2] for i in range(5))]).mean()
    assert_close(game.generator_loss(GameBatch(tokens))["likelihood"], expected)
    assert game.negative_log_likelihood(tokens) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_without_a_tokenizer_all_tokens_count() -> None:
    game = SeqGAN(**NUMBERS)
    tokens = torch.tensor([[3, 0, 0]])
    logs = game.generator(tokens).log_softmax(2)
    expected = -(logs[0, 0, 3] + logs[0, 1, 0] + logs[0, 2, 0]) / 3
    assert game.negative_log_likelihood(tokens) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert game.texts_of(tokens) == ["3 0 0"]


@pytest.mark.parametrize("variant", [SeqGAN, GumbelGAN])
def test_a_sample_depends_on_seed_and_number_alone(variant: type) -> None:
    game: Any = small(variant)
    samples = game.sample(300, seed=5)
    assert samples.shape == (300, 5)
    assert samples.dtype == torch.int64
    assert torch.equal(game.sample(40, seed=5, start=250, batch_size=7), samples[250:290])
    assert not torch.equal(game.sample(300, seed=6), samples)
    assert game.sample(0).shape == (0, 5)


def test_samples_are_of_the_averaged_generator() -> None:
    game = small(SeqGAN, ema_decay=0.9)
    before = game.sample(20)
    with torch.no_grad():
        for weight in game.generator.parameters():
            weight.mul_(30)
    assert torch.equal(game.sample(20), before)
