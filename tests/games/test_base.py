"""The engine: the step, what it counts, and what it leaves alone."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating, frozen
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms
from gan_lightning.optimizers import DCGANAdam, WGANGPAdam
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.trainer.step_batches import StepBatches
from gan_lightning.variants import DCGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, small


class Line(nn.Module):
    """y = w x + b on flat images; it counts its calls."""

    def __init__(self, n_inputs: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(n_inputs, int(torch.tensor(shape).prod()) if shape else 1)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x.flatten(1)).reshape(-1, *self.shape)


class ToyGame(AdversarialModule):
    """A Wasserstein game between lines. The latent is a corner of the real image, so nothing is left to chance."""

    def __init__(self, **game: Any) -> None:
        torch.manual_seed(0)
        super().__init__(Line(4, (1, 8, 8)), Line(64, ()), **game)

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        return replace(batch, latent=batch.real[:, 0, 2:4, 3:5])

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return {"real": -self.discriminator(batch.real).mean(), "fake": self.discriminator(batch.fake).mean()}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return {"adversarial": -self.discriminator(batch.fake).mean()}


class Descent(torch.optim.SGD):
    """Plain descent with a large step, to make an update readable."""

    def __init__(self, params: Any, lr: float = 1.0) -> None:
        super().__init__(params, lr=lr)


DESCENT: dict[str, Any] = {"generator_optimizer": Descent, "discriminator_optimizer": Descent}


def digits(model: AdversarialModule, steps: int, folder: Path, **arguments: Any) -> pl.Trainer:
    return play(model, steps, folder, side=8, **arguments)


# The step.


def test_one_step_equals_the_step_worked_by_hand(tmp_path: Path) -> None:
    """Both players are lines, so both gradients are averages that can be written down."""
    model = ToyGame(**DESCENT)
    w_d, w_g = model.discriminator.linear.weight.detach().clone(), model.generator.linear.weight.detach().clone()
    b_g = model.generator.linear.bias.detach().clone()
    seen: list[GameBatch] = []
    model.generator_loss = lambda batch: (seen.append(batch), ToyGame.generator_loss(model, batch))[1]  # type: ignore
    digits(model, 1, tmp_path, batch_size=20)
    batch = seen[0]
    latent = batch.latent.flatten(1)
    fake = latent @ w_g.T + b_g
    new_w_d = w_d + (batch.real.flatten(1).mean(0) - fake.mean(0))
    assert_close(model.discriminator.linear.weight, new_w_d)
    # The generator climbs the updated discriminator, on the fakes that the discriminator saw.
    assert_close(model.generator.linear.bias, b_g + new_w_d[0])
    assert_close(model.generator.linear.weight, w_g + new_w_d.T @ latent.mean(0, keepdim=True))


def test_a_discriminator_with_nothing_to_minimise_sits_the_update_out(tmp_path: Path) -> None:
    class Waiting(ToyGame):
        def discriminator_loss(self, batch: GameBatch) -> Terms:
            return {} if self.global_step < 2 else super().discriminator_loss(batch)

    model = Waiting()
    before = model.discriminator.linear.weight.detach().clone()
    digits(model, 2, tmp_path)
    assert torch.equal(model.discriminator.linear.weight, before)
    assert "train/generator/loss" in metrics_file(tmp_path)
    assert "train/discriminator/loss" not in metrics_file(tmp_path)
    digits(model, 3, tmp_path, resume=True)
    assert not torch.equal(model.discriminator.linear.weight, before)


def test_accumulation_equals_one_large_batch(tmp_path: Path) -> None:
    whole, parts = ToyGame(**DESCENT), ToyGame(accumulate=3, **DESCENT)
    digits(whole, 2, tmp_path / "whole", batch_size=60)
    digits(parts, 2, tmp_path / "parts", batch_size=20)
    assert_close(dict(parts.state_dict()), dict(whole.state_dict()), rtol=1e-5, atol=1e-6)
    assert_close(last_metrics(tmp_path / "parts"), last_metrics(tmp_path / "whole"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("game", "calls"),
    [({}, 1), ({"n_critic": 3}, 3), ({"accumulate": 2}, 4), ({"n_critic": 2, "accumulate": 2}, 6)],
)
def test_fakes_are_made_once_where_one_graph_can_serve_both(game: dict[str, int], calls: int, tmp_path: Path) -> None:
    model = ToyGame(ema_decay=None, **game)
    digits(model, 1, tmp_path)
    assert model.generator.calls == calls


def test_shared_fakes_are_the_same_and_fresh_fakes_are_not(tmp_path: Path) -> None:
    class Watched(DCGAN):
        def discriminator_loss(self, batch: GameBatch) -> Terms:
            latents.append(batch.latent)
            return super().discriminator_loss(batch)

        def generator_loss(self, batch: GameBatch) -> Terms:
            assert batch.fake.requires_grad
            latents.append(batch.latent)
            return super().generator_loss(batch)

    class Fresh(Watched):
        shares_fakes = False

    for variant in (Watched, Fresh):
        latents: list[Tensor] = []
        digits(small(variant, side=8), 2, tmp_path / variant.__name__)
        pairs = list(zip(latents[0::2], latents[1::2], strict=True))
        assert all(torch.equal(*pair) for pair in pairs) == variant.shares_fakes
        assert not torch.equal(pairs[0][0], pairs[1][0])


def test_penalties_come_at_their_interval_times_the_interval(tmp_path: Path) -> None:
    class Penalised(ToyGame):
        def discriminator_penalty(self, batch: GameBatch) -> Terms:
            return {"penalty": 0.25 * self.discriminator.linear.weight.square().sum()}

    digits(Penalised(penalty_interval=4, n_critic=2), 4, tmp_path, batch_size=20)
    # Two discriminator updates a step: every fourth one is in every second step.
    penalties = [row["train/discriminator/penalty"] for row in metric_rows(tmp_path)]
    assert [penalty != "" for penalty in penalties] == [True, False, True, False]

    digits(Penalised(penalty_interval=3), 7, tmp_path / "each", batch_size=20)
    for step, row in enumerate(metric_rows(tmp_path / "each")):
        terms = float(row["train/discriminator/real"]) + float(row["train/discriminator/fake"])
        penalty = float(row["train/discriminator/penalty"] or 0)
        assert (penalty > 0) == (step % 3 == 0)
        assert float(row["train/discriminator/loss"]) == pytest.approx(terms + 3 * penalty, rel=1e-4, abs=1e-5)


def test_gradients_are_clipped_to_the_norm(tmp_path: Path) -> None:
    def distance(clip: float | None) -> list[float]:
        model = ToyGame(gradient_clip_norm=clip, **DESCENT)
        before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        digits(model, 1, tmp_path / str(clip))
        return [
            sum(
                (weight - before[name]).square().sum().item()
                for name, weight in model.named_parameters()
                if name.startswith(f"{player}.")
            )
            ** 0.5
            for player in ("generator", "discriminator")
        ]

    assert min(distance(None)) > 0.2
    assert distance(0.1) == pytest.approx([0.1, 0.1], rel=1e-3)


def test_schedulers_count_generator_steps(tmp_path: Path) -> None:
    schedule = partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1)
    model = ToyGame(n_critic=3, generator_scheduler=schedule, discriminator_scheduler=schedule, **DESCENT)
    trainer = digits(model, 5, tmp_path)
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == pytest.approx([0.01, 0.01])


def test_resume_keeps_schedulers_clipping_and_lazy_penalties_exact(tmp_path: Path) -> None:
    def game() -> AdversarialModule:
        schedule = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9)
        options = {"gradient_clip_norm": 0.5, "r1_weight": 1.0, "penalty_interval": 3}
        return small(DCGAN, side=8, generator_scheduler=schedule, **options)

    digits(game(), 8, tmp_path / "straight")
    digits(game(), 8, tmp_path / "broken", crash_at=5)
    digits(game(), 8, tmp_path / "broken", resume=True)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
    assert metrics_file(tmp_path / "broken") == metrics_file(tmp_path / "straight")


def test_nobody_outside_can_change_the_draws(tmp_path: Path) -> None:
    class Meddler(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            torch.rand(7)

    for name, callbacks in [("with", [Meddler()]), ("without", [])]:
        digits(small(DCGAN, side=8), 3, tmp_path / name, callbacks=callbacks)
    assert_same_bits(last_state(tmp_path / "with"), last_state(tmp_path / "without"))


def test_ranks_draw_different_latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latents: list[Tensor] = []

    class Watched(DCGAN):
        def generator_loss(self, batch: GameBatch) -> Terms:
            latents.append(batch.latent)
            return super().generator_loss(batch)

    for rank in (0, 1, 1):
        monkeypatch.setattr(Watched, "global_rank", rank)
        digits(small(Watched, side=8), 1, tmp_path / str(len(latents)))
    assert not torch.equal(latents[0], latents[1])
    assert torch.equal(latents[1], latents[2])


def test_the_step_never_waits_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a value off the device stops the pipeline: none of these may be called on a tensor in the step."""
    asked: list[str] = []
    step = DCGAN.training_step

    def watched_step(self: DCGAN, *arguments: Any) -> None:
        with monkeypatch.context() as patch:
            for name in ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__"):
                original = getattr(Tensor, name)
                patch.setattr(Tensor, name, noting(name, original))
            step(self, *arguments)

    def noting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            asked.append(name)
            return original(*arguments, **options)

        return noted

    monkeypatch.setattr(DCGAN, "training_step", watched_step)
    # SGD, because Adam's own step counter is a tensor that it reads on the CPU.
    digits(small(DCGAN, side=8, n_critic=2, gradient_clip_norm=1.0, **DESCENT), 2, tmp_path)
    assert asked == []


def test_bf16_sees_the_discriminator_as_it_is_now(tmp_path: Path) -> None:
    """Autocast can keep a low-precision copy of a weight and go on using it after the weight has moved."""

    class Fresh(DCGAN):
        def generator_loss(self, batch: GameBatch) -> Terms:
            logits = self.discriminator(batch.fake)
            assert logits.dtype == torch.bfloat16
            moved = {name: weight.clone() for name, weight in self.discriminator.named_parameters()}
            fresh = torch.func.functional_call(self.discriminator, moved, (batch.fake,))
            assert torch.equal(logits, fresh)
            return super().generator_loss(batch)

    digits(small(Fresh, side=8, **DESCENT), 3, tmp_path, precision="bf16-mixed")


# What it holds.


def test_average_off_and_what_makes_the_samples(tmp_path: Path) -> None:
    plain, averaged = small(DCGAN, side=8, ema_decay=None), small(DCGAN, side=8, ema_decay=0.9)
    assert plain.averaged_generator is plain.generator
    assert not any(name.startswith("ema") for name in plain.state_dict())
    digits(averaged, 3, tmp_path)
    latent = torch.randn(5, 4)
    with evaluating(averaged.ema.module):
        expected = averaged.ema.module(latent)
    assert_same_bits(averaged(latent), expected)
    with evaluating(averaged.generator):
        assert not torch.equal(expected, averaged.generator(latent))


def test_the_average_of_frozen_weights_stays() -> None:
    network = nn.Linear(2, 1)
    ema = ExponentialMovingAverage(network, decay=0.0)
    before = ema.module.bias.clone()
    network.bias.requires_grad_(False)
    for weight in network.parameters():
        weight.data.add_(1.0)
    ema.update(network, step=1)
    assert torch.equal(ema.module.bias, before)
    # After update 1 the decay is min(0, 1 / 10): the average is the weights.
    assert torch.equal(ema.module.weight, network.weight)


def test_the_average_of_a_weight_that_two_layers_share_moves_once() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    network = nn.Sequential(
        first, nn.BatchNorm1d(2), second, nn.BatchNorm1d(2, affine=False, track_running_stats=False)
    )
    ema = ExponentialMovingAverage(network, decay=0.5)
    before = first.weight.detach().clone()
    first.weight.data.add_(1.0)
    network[1].running_mean.add_(3.0)
    ema.update(network, step=100)
    assert ema.module[0].weight is ema.module[2].weight
    assert_close(ema.module[0].weight, before + 0.5)
    assert_same_bits(ema.module[1].running_mean, network[1].running_mean)


@pytest.mark.parametrize("change", ["compiled", "wrapped", "longer"])
def test_the_average_follows_a_network_whose_parts_are_arranged_anew(change: str) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = ExponentialMovingAverage(network, decay=0.0)
    if change == "longer":
        network.append(nn.Dropout())
    now = {"compiled": torch.compile(network, backend="eager"), "wrapped": nn.Sequential(network)}.get(change, network)
    network[0].weight.data.add_(1.0)
    network[1].running_var.add_(2.0)
    ema.update(now, step=1)
    for mine, theirs in zip(ema.module.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_sample_i_depends_on_the_seed_and_i_alone() -> None:
    model = small(DCGAN, side=8)
    whole = model.sample(300, seed=3)
    assert whole.shape == (300, 1, 8, 8)
    assert_close(model.sample(7, seed=3, start=250), whole[250:257])
    assert_close(model.sample(300, seed=3, batch_size=32), whole)
    assert not torch.equal(model.sample(300, seed=4), whole)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_a_part_of_the_generator_may_make_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(DCGAN, side=8)
    samples = model.sample(3)
    model.ema.module = nn.ModuleDict({"maker": model.ema.module, "another": nn.Linear(1, 1)})
    monkeypatch.setattr(type(model), "image_generator", property(lambda game: game.averaged_generator["maker"]))
    assert torch.equal(model.sample(3), samples)
    assert torch.equal(model(model.indexed_latents(0, 3, 0)), samples)
    zero = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)), nn.Hardtanh(0, 0.5))
    assert float(model.render(torch.ones(3, 4), generator=zero).min()) >= 0
    assert model.training


def test_the_examples_of_an_exchange_are_its_real_images_whatever_the_domains() -> None:
    a, b = torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
    assert GameBatch(a).examples is a
    assert GameBatch({"A": a, "B": b}).examples is a


def test_sampling_leaves_everything_as_it_was() -> None:
    model = small(DCGAN, side=8, ema_decay=None).train()
    model.generator.layers[1].eval()
    torch.manual_seed(9)
    before = [torch.get_rng_state(), [m.training for m in model.modules()], dict(model.state_dict())]
    before = [before[0].clone(), before[1], {name: value.clone() for name, value in before[2].items()}]
    model.sample(10)
    assert_same_bits([torch.get_rng_state(), [m.training for m in model.modules()], dict(model.state_dict())], before)


def test_optimisers_survive_a_reload(tmp_path: Path) -> None:
    chosen = partial(DCGANAdam, lr=3e-3, betas=(0, 0.9))
    model = small(DCGAN, side=8, generator_optimizer=chosen, discriminator_optimizer=WGANGPAdam)
    digits(model, 1, tmp_path).save_checkpoint(tmp_path / "model.ckpt")
    loaded = DCGAN.load_from_checkpoint(tmp_path / "model.ckpt")
    (discriminator, generator), _ = loaded.configure_optimizers()
    assert generator.param_groups[0]["lr"] == 3e-3
    assert generator.param_groups[0]["betas"] == (0.0, 0.9)
    assert isinstance(discriminator, WGANGPAdam)


def test_what_cannot_be_written_is_named() -> None:
    with pytest.warns(UserWarning, match="generator_optimizer=.*cannot be written into a checkpoint"):
        model = small(DCGAN, generator_optimizer=lambda weights: DCGANAdam(weights))
    assert "generator_optimizer" not in model.hparams


def test_a_record_may_name_only_what_makes_networks_optimisers_or_schedulers() -> None:
    """A checkpoint is a file from somewhere; what it names is called when it is loaded."""
    refusals = {
        "os.system": "not known to make",
        "no.such.thing": "has not been imported",
        "torch.no_such.Thing": "cannot be imported here",
    }
    for path, message in refusals.items():
        with pytest.raises(ValueError, match=message):
            small(DCGAN, generator_optimizer={"class_path": path, "init_args": {"command": "true"}})


def test_what_changes_when_a_run_is_resumed_is_said(tmp_path: Path) -> None:
    digits(small(DCGAN, side=8), 2, tmp_path)
    changed = small(DCGAN, side=8, r1_weight=0.5, generator_optimizer=partial(DCGANAdam, lr=1.0))
    with pytest.warns(UserWarning, match="r1_weight|generator_optimizer") as warned:
        trainer = digits(changed, 3, tmp_path, resume=True)
    told = [str(warning.message) for warning in warned]
    assert any("r1_weight was 0.0 and is now 0.5: from here on the new value holds" in text for text in told)
    assert any("generator_optimizer was" in text and "the checkpoint's settings stay" in text for text in told)
    assert trainer.optimizers[1].param_groups[0]["lr"] == 2e-4


def test_a_scheduler_that_waits_for_a_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ReduceLROnPlateau waits for a loss to fall"):
        digits(small(DCGAN, side=8, generator_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau), 1, tmp_path)


def test_a_latent_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="latent_dim is 0"):
        small(DCGAN, latent_dim=0)


def test_frozen_gives_back_what_was_free_and_keeps_what_was_not() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].requires_grad_(False)
    with contextlib.suppress(KeyError), frozen(network):
        assert not any(weight.requires_grad for weight in network.parameters())
        raise KeyError
    assert [weight.requires_grad for weight in network.parameters()] == [False, False, True, True]


# What it is given.


def test_any_loader_will_do(tmp_path: Path) -> None:
    """A plain DataLoader of float images, with and without labels, shuffled by torch."""
    images = torch.rand(40, 1, 8, 8) * 2 - 1
    for data in (images, TensorDataset(images, torch.arange(40))):
        model = small(DCGAN, side=8, n_critic=2)
        trainer = pl.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False
        )
        trainer.fit(model, DataLoader(data, batch_size=10, shuffle=True))
        assert trainer.global_step == 2 * (4 // 2)


def test_rounds_gather_and_drop_the_rest() -> None:
    rounds = StepBatches([1, 2, 3, 4, 5, 6, 7], 3)
    assert list(rounds) == [[1, 2, 3], [4, 5, 6]]
    assert len(rounds) == 2
    with pytest.raises(ValueError, match="An epoch has 2 batches, but one step needs n_critic x accumulate = 3"):
        StepBatches([1, 2], 3)


@pytest.mark.parametrize(
    ("game", "message"),
    [
        ({"n_critic": 0}, "n_critic is 0: it must be at least 1"),
        ({"accumulate": -1}, "accumulate is -1: it must be at least 1"),
        ({"penalty_interval": 0}, "penalty_interval is 0"),
        ({"ema_decay": 1.5}, "ema_decay is 1.5: it must be at least 0 and less than 1"),
        ({"gradient_clip_norm": 0.0}, "gradient_clip_norm is 0.0: it must be greater than 0"),
    ],
)
def test_impossible_numbers_are_refused(game: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ToyGame(**game)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda logits: logits.mean(), "generator_loss returned Tensor: it must return named scalars"),
        (lambda logits: {"adversarial": logits}, r"generator_loss: 'adversarial' has the shape \(100,\)"),
        (lambda logits: {}, "generator_loss returned an empty dict"),
    ],
)
def test_a_slip_in_a_loss_is_told_by_its_name(answer: Any, message: str, tmp_path: Path) -> None:
    class Slip(DCGAN):
        def generator_loss(self, batch: GameBatch) -> Terms:
            return answer(self.discriminator(batch.fake))

    with pytest.raises((TypeError, ValueError), match=message):
        digits(small(Slip, side=8), 1, tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError, match="ImageGame must say what its discriminator minimises"):
        digits(small(ImageGame, side=8), 1, tmp_path)


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images of 1 x 16 x 16, but the model was made for 1 x 8 x 8"):
        play(small(DCGAN, side=8), 1, tmp_path, side=16)


def metric_rows(folder: Path) -> list[dict[str, str]]:
    header, *lines = metrics_file(folder).splitlines()
    return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]


def last_metrics(folder: Path) -> list[float]:
    row = metric_rows(folder)[-1]
    return [float(row[name]) for name in sorted(row) if name.startswith("train/")]


def test_callbacks_get_the_losses_of_a_step(tmp_path: Path) -> None:
    class Seen(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *_: Any) -> None:
            logged = trainer.callback_metrics
            assert {name: loss.item() for name, loss in outputs.items()} == {
                player: logged[f"train/{player}/loss"].item() for player in ("discriminator", "generator")
            }
            assert not any(loss.requires_grad for loss in outputs.values())
            self.steps = trainer.global_step

    seen = Seen()
    play(small(DCGAN, n_critic=2), 2, tmp_path, callbacks=[seen])
    assert seen.steps == 2
