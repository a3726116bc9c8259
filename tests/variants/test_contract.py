"""What every variant must do, whatever it minimises. The variants are found by themselves."""

import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame
from tests.helpers.games import VARIANTS, assert_same_bits, example_batch, flat, last_state, metrics_file, play, small

# Of a module's scope, so that the tests of one variant follow each other and share its run.
pytestmark = pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__, scope="module")

Variant = type[AdversarialModule]


class Witness:
    """Watches each update of a game and notes what the players did."""

    def __init__(self, model: AdversarialModule) -> None:
        self.updates: list[str] = []
        self.real_images: list[torch.Tensor] = []
        self.update = model._update
        self.model = model
        model._update = self.watched_update  # type: ignore[method-assign]

    def watched_update(self, player: str, optimizer: Any, exchanges: Any, *rest: Any) -> dict[str, torch.Tensor]:
        mover: nn.Module = getattr(self.model, player)
        other: nn.Module = self.model.generator if player == "discriminator" else self.model.discriminator
        before = [deepcopy(list(network.parameters())) for network in (mover, other)]
        self.updates.append(player)
        loss = self.update(player, optimizer, self.noting(player, exchanges), *rest)
        after = [list(network.parameters()) for network in (mover, other)]
        assert any(not torch.equal(*pair) for pair in zip(before[0], after[0], strict=True)), f"{player} stood still"
        assert_same_bits(before[1], after[1])
        assert all(weight.grad is None for weight in other.parameters()), f"a gradient of {player} reached the other"
        assert all(weight.requires_grad for network in (mover, other) for weight in network.parameters()) is False
        assert all(weight.requires_grad for weight in mover.parameters())
        return loss

    def noting(self, player: str, exchanges: Any) -> Any:
        for exchange in exchanges:
            if player == "discriminator":
                self.real_images.append(flat(exchange.real)[0])
                assert not any(fake.requires_grad for fake in flat(exchange.fake))
            yield exchange


@pytest.fixture(scope="module")
def played(variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> tuple[AdversarialModule, Path]:
    """A game that was played for three steps under a witness, and its folder."""
    folder = tmp_path_factory.mktemp(variant.__name__)
    model = small(variant)
    Witness(model)
    play(model, 3, folder, batch_size=20)
    return model, folder


def test_each_player_moves_only_its_own_weights(played: tuple[AdversarialModule, Path]) -> None:
    """What the witness saw, at each update."""
    model, _ = played
    assert all(
        weight.requires_grad for player in (model.generator, model.discriminator) for weight in player.parameters()
    )


def test_updates_are_counted_in_generator_updates(variant: Variant, tmp_path: Path) -> None:
    model = small(variant, n_critic=3)
    witness = Witness(model)
    trainer = play(model, 4, tmp_path, batch_size=20)
    assert witness.updates == ["discriminator", "discriminator", "discriminator", "generator"] * 4
    assert trainer.global_step == 4
    assert trainer.num_training_batches == 79 // 3  # 1,597 digits are for training
    assert trainer.fit_loop.epoch_loop.batch_progress.total.completed == 4


def test_every_discriminator_update_sees_fresh_real_images(variant: Variant, tmp_path: Path) -> None:
    model = small(variant, n_critic=2, accumulate=2)
    witness = Witness(model)
    play(model, 3, tmp_path, batch_size=20)
    images = torch.cat(witness.real_images).flatten(1)
    assert len(images) == 3 * 2 * 2 * 20
    assert len(torch.unique(images, dim=0)) == len(images)


def test_ema_follows_its_formula(variant: Variant, tmp_path: Path) -> None:
    # Plain descent in large steps, beside which an average that is off by one update stands out; clipped, since an
    # output without a bound would run away.
    model = small(
        variant,
        ema_decay=0.3,
        ema_half_life=None,
        ema_ramp_up=None,
        ema_start=0,
        generator_optimizer=partial(torch.optim.SGD, lr=3.0),
        gradient_clip_norm=1.0,
    )
    expected = deepcopy(list(model.generator.parameters()))
    update: Callable[..., dict[str, torch.Tensor]] = model._update

    def follow(player: str, *arguments: Any) -> dict[str, torch.Tensor]:
        loss = update(player, *arguments)
        if player == "generator":
            t = model.global_step
            decay = min(0.3, t / (t + 9))
            for average, weight in zip(expected, model.generator.parameters(), strict=True):
                average.data = decay * average + (1 - decay) * weight.detach()
        return loss

    model._update = follow  # type: ignore[method-assign]
    play(model, 6, tmp_path, batch_size=20)
    assert model.ema is not None
    assert_close(list(model.ema.module.parameters()), [weight.detach() for weight in expected], rtol=1e-4, atol=1e-6)
    for mine, theirs in zip(model.ema.module.buffers(), model.generator.buffers(), strict=True):
        assert_same_bits(mine, theirs)


def test_checkpoint_loads_without_arguments(variant: Variant, tmp_path: Path) -> None:
    model = small(variant, n_critic=2)
    trainer = play(model, 2, tmp_path, batch_size=20)
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    loaded = variant.load_from_checkpoint(path, map_location="cpu")
    assert_same_bits(dict(loaded.state_dict()), dict(model.state_dict()))
    assert loaded.hparams == model.hparams
    assert loaded.n_critic == 2
    assert torch.load(path, weights_only=True)["gan_lightning"]["variant"].endswith(variant.__name__)


def test_resume_is_exact(variant: Variant, tmp_path: Path) -> None:
    """Crashes, with several updates of the discriminator of several batches each."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    game = {"n_critic": 2, "accumulate": 2}
    # 19 batches: 4 steps an epoch, and three left over
    options: dict[str, Any] = {"save_every": 2, "batch_size": 6, "n_images": 19 * 6, "limit_val_batches": 2}
    play(small(variant, **game), 5, straight, **options)
    # Resumed at steps 2 and 4, in an epoch and between two; the step after the first is lost and played again.
    for crash in (3, 4, None):
        play(small(variant, **game), 5, broken, resume=True, crash_at=crash, **options)
    assert_same_bits(last_state(broken), last_state(straight))
    assert metrics_file(broken) == metrics_file(straight)


def test_same_seed_same_run_and_another_seed_another(
    variant: Variant, played: tuple[AdversarialModule, Path], tmp_path: Path
) -> None:
    first = last_state(played[1])["state_dict"]
    for seed in (0, 6):
        play(small(variant), 3, tmp_path / str(seed), seed=seed, batch_size=20)
    assert_same_bits(last_state(tmp_path / "0")["state_dict"], first)
    another = last_state(tmp_path / "6")["state_dict"]
    assert any(not torch.equal(first[name], another[name]) for name in first)


def test_every_term_is_logged(played: tuple[AdversarialModule, Path]) -> None:
    header = metrics_file(played[1]).splitlines()[0].split(",")
    for player in ("discriminator", "generator"):
        names = [name for name in header if name.startswith(f"train/{player}/")]
        assert f"train/{player}/loss" in names
        assert len(names) >= 2


def test_losses_are_terms_of_the_raw_exchange(variant: Variant) -> None:
    model = small(variant)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 6)))
    batch = GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))
    # Two encoders make no images.
    images = [] if isinstance(model, EmbeddingGame) else zip(flat(batch.real), flat(batch.fake), strict=True)
    for real, fake in images:
        assert fake.shape == real.shape
        if real.ndim == 4:  # an image
            assert float(real.min()) >= -1
            assert float(real.max()) <= 1
    for terms in (model.discriminator_loss(batch), model.generator_loss(batch)):
        assert terms
        assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())


def test_docstring_cites_the_paper(variant: Variant) -> None:
    assert re.search(r"arXiv \d{4}\.\d{4,5}", variant.__doc__ or ""), "the class docstring names no arXiv paper"
    assert "``" in (variant.__doc__ or ""), "the class docstring states no equation"
