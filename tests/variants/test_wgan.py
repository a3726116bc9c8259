"""What is special to WGAN: clipping after every update of the critic, and RMSProp."""

from pathlib import Path

import torch

from gan_lightning.variants import WGAN
from tests.games import play, small


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
