"""What is special to the unrolled GAN: what the generator sees ahead, and that nothing of it remains."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.losses.reported import listen, stop_listening
from gan_lightning.networks import ConvDiscriminator, ConvGenerator, MLPDiscriminator
from gan_lightning.optimizers import WGANRMSprop
from gan_lightning.variants import GAN, MinimaxGAN, UnrolledGAN
from tests.helpers.games import assert_same_bits, last_state, play, small

DROPPING = partial(MLPDiscriminator, hidden=8, pieces=2)
STEADY = partial(DROPPING, input_dropout=0.0, hidden_dropout=0.0)
NORMALISING = partial(ConvDiscriminator, width=4)


def unrolled(**arguments: Any) -> Any:
    return small(UnrolledGAN, **arguments)


@pytest.mark.parametrize("discriminator", [DROPPING, NORMALISING])
@pytest.mark.parametrize(("saturating", "plain"), [(True, MinimaxGAN), (False, GAN)])
def test_with_no_step_ahead_it_is_the_plain_game(
    saturating: bool, plain: type[GAN], discriminator: Any, tmp_path: Path
) -> None:
    made = {"discriminator": discriminator, "n_critic": 2}
    play(small(plain, **made), 4, tmp_path / "plain")
    play(unrolled(n_unrolled=0, saturating=saturating, **made), 4, tmp_path / "none")
    play(unrolled(n_unrolled=1, saturating=saturating, **made), 4, tmp_path / "one")
    states = {name: last_state(tmp_path / name) for name in ("plain", "none", "one")}
    for name in ("state_dict", "optimizer_states"):
        assert_same_bits(states["none"][name], states["plain"][name])
    before, ahead = (states[name]["state_dict"] for name in ("none", "one"))
    assert not torch.equal(ahead["generator.layers.0.weight"], before["generator.layers.0.weight"])


class Watched(UnrolledGAN):
    """Takes down the state of the discriminator before and after each of the generator's losses, and that loss."""

    def generator_loss(self, batch: GameBatch) -> Terms:
        self.seen = getattr(self, "seen", [])
        before = self.everything()
        as_it_was = deepcopy((self.discriminator, self.trainer.optimizers[0].state_dict()))
        terms = super().generator_loss(batch)
        self.seen.append((as_it_was, batch.detached(), {name: term.detach() for name, term in terms.items()}))
        assert_same_bits(self.everything(), before)
        assert any(weight.requires_grad for weight in self.discriminator.parameters()) is False
        return terms

    def everything(self) -> Any:
        weights = dict(self.discriminator.named_parameters())
        state = {
            "weights": {name: weight.detach() for name, weight in weights.items()},
            "gradients": {name: weight.grad for name, weight in weights.items()},
            "buffers": dict(self.discriminator.named_buffers()),
            "optimiser": self.trainer.optimizers[0].state_dict(),
        }
        return deepcopy(state)


@pytest.mark.parametrize("discriminator", [STEADY, NORMALISING])
@pytest.mark.parametrize("saturating", [True, False])
def test_the_generator_is_judged_by_the_discriminator_some_real_steps_ahead(
    saturating: bool, discriminator: Any, tmp_path: Path
) -> None:
    rate = partial(torch.optim.Adam, lr=0.01, betas=(0.5, 0.999))
    torch.manual_seed(0)
    model = Watched(
        (1, 16, 16),
        4,
        partial(ConvGenerator, width=4),
        discriminator,
        n_unrolled=3,
        saturating=saturating,
        discriminator_optimizer=rate,
        gradient_clip_norm=0.1,
    )
    play(model, 3, tmp_path)
    assert len(model.seen) == 3
    for (network, state), batch, terms in model.seen:
        network.requires_grad_(True)
        optimizer = rate(network.parameters())
        optimizer.load_state_dict(state)
        for step in range(4):
            found = minimax_discriminator(network(batch.real), network(batch.fake))
            if step < 3:
                optimizer.zero_grad()
                (found["real"] + found["fake"]).backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 0.1)
                optimizer.step()
        if saturating:
            assert terms["real"].item() == pytest.approx(-found["real"].item(), rel=1e-4)
            assert terms["adversarial"].item() == pytest.approx(-found["fake"].item(), rel=1e-4)
        else:
            expected = non_saturating_generator(network(batch.fake))["adversarial"].item()
            assert {name: term.item() for name, term in terms.items()} == {
                "adversarial": pytest.approx(expected, rel=1e-4)
            }


def test_the_generator_does_not_see_what_the_discriminator_forgets(tmp_path: Path) -> None:
    """The accuracies in the log are those of the steps that were made."""
    heard: list[str] = []

    def listener(name: str, value: Tensor) -> None:
        heard.append(name)

    listen(listener, "discriminator/accuracy_real")
    try:
        play(unrolled(n_unrolled=3, n_critic=2), 4, tmp_path)
    finally:
        stop_listening(listener)
    assert len(heard) == 4 * 2


def test_an_optimiser_that_cannot_be_followed_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="follow the steps of WGANRMSprop: choose SGD, Adam or AdamW"):
        play(unrolled(discriminator_optimizer=WGANRMSprop), 1, tmp_path)
    with pytest.raises(ValueError, match="n_unrolled is -1: it must be at least 0"):
        unrolled(n_unrolled=-1)


def test_the_discriminator_that_is_seen_ahead_has_the_same_target() -> None:
    """One-sided label smoothing changes the steps that the generator sees, as it changes those that are made."""
    batch = GameBatch(torch.rand(4, 1, 16, 16), fake=torch.rand(4, 1, 16, 16))
    ahead = {target: small(UnrolledGAN, n_unrolled=1, real_target=target) for target in (1.0, 0.5)}
    losses = []
    for game in ahead.values():
        torch.manual_seed(0)
        losses.append(game.generator_loss(batch)["real"].item())
    assert losses[0] != losses[1]
