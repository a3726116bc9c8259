"""What is special to WGAN: clipping after every update of the critic, and RMSProp."""

from pathlib import Path

import pytest
import torch

from gan_lightning.variants import WGAN
from tests.helpers.games import answered, play, small


def test_every_weight_is_clipped_after_every_critic_update(tmp_path: Path) -> None:
    model = small(WGAN, clip_limit=0.005)
    largest: list[float] = []
    clip = model.after_discriminator_update

    def watched_clip() -> None:
        clip()
        largest.append(max(weight.abs().max().item() for weight in model.discriminator.parameters()))

    model.after_discriminator_update = watched_clip  # type: ignore[method-assign]
    before = [weight.clone() for weight in model.generator.parameters()]
    play(model, 2, tmp_path)
    assert len(largest) == 2 * 5
    assert max(largest) <= 0.005
    assert any(not torch.equal(*pair) for pair in zip(before, model.generator.parameters(), strict=True))


def test_the_paper_is_the_default() -> None:
    model = small(WGAN)
    assert (model.n_critic, model.clip_limit) == (5, 0.01)
    for optimizer in model.configure_optimizers()[0]:
        assert isinstance(optimizer, torch.optim.RMSprop)
        assert optimizer.param_groups[0]["lr"] == 5e-5


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(WGAN, side=8), real=[0.5, 3.0], fake=[-1.0, 4.0])
    assert discriminator == pytest.approx({"real": -1.75, "fake": 1.5})
    assert generator == pytest.approx({"adversarial": -1.5})


def test_a_limit_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="clip_limit is 0"):
        small(WGAN, clip_limit=0)
