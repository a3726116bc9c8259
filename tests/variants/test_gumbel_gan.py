"""What is special to GumbelGAN: relaxed tokens, their temperature, the pairwise loss."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.arguments import LinearSchedule
from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import GumbelGAN, gumbel_gan
from tests.helpers.games import TOKENIZER, small

TOKENS = torch.tensor([[3, 4, 0, 0, 0], [2, 2, 2, 2, 2]])


def _game(**arguments: Any) -> Any:
    return small(GumbelGAN, pretrain_steps=0, discriminator_pretrain_steps=0, **arguments)


def test_real_texts_are_one_hot_vectors() -> None:
    batch = _game().prepare_batch(TOKENS)
    assert batch.real.shape == (2, 5, TOKENIZER.n_tokens)
    assert torch.equal(batch.real.argmax(2), TOKENS)
    assert_close(batch.real.sum(2), torch.ones(2, 5))


def test_the_temperature_follows_the_images_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(gumbel_gan, "relaxed_sequences", lambda *given: asked.append(given[2]))
    game = _game(temperature=LinearSchedule(5.0, 1.0, 1000))
    batch = game.draw_latents(game.prepare_batch(TOKENS))
    for game.images_seen in (0, 250, 5000):
        game.generate_fakes(batch)
    assert asked == [5.0, 4.0, 1.0]


def test_a_temperature_is_greater_than_zero() -> None:
    for temperature in (0.0, LinearSchedule(1.0, 0.0, 10)):
        with pytest.raises(ValueError, match="it must be greater than 0"):
            _game(temperature=temperature)


class FirstTokens(nn.Module):
    """Twice the share of token 3."""

    def forward(self, vectors: Tensor) -> Tensor:
        return 2 * vectors[:, :, 3].mean(1)


def test_the_losses_compare_pairs() -> None:
    game = _game()
    game.discriminator = FirstTokens()
    real = game.prepare_batch(torch.tensor([[3, 3, 3, 3, 3], [2, 2, 2, 2, 2]])).real
    fake = game.prepare_batch(torch.tensor([[2, 2, 2, 2, 2], [3, 2, 2, 2, 2]])).real
    batch = GameBatch(real, fake=fake)
    # Outputs 2 and 0 on real ones, 0 and .4 on fakes.
    sp = torch.nn.functional.softplus(torch.tensor([-2.0, 0.4, 2.0, -0.4]))
    assert_close(game.discriminator_loss(batch)["adversarial"], (sp[0] + sp[1]) / 2)
    assert_close(game.generator_loss(batch)["adversarial"], (sp[2] + sp[3]) / 2)


def test_a_gradient_reaches_all_of_the_generator() -> None:
    game = _game()
    batch = game.draw_latents(game.prepare_batch(TOKENS))
    fake = game.generate_fakes(batch)
    game.generator_loss(GameBatch(batch.real, fake=fake))["adversarial"].backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in game.generator.parameters())
