"""Two processes play one game: the same moves as one process on the joined batches, and the same bits in both."""

from copy import deepcopy
from dataclasses import is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.testing import assert_close

from gan_lightning.callbacks import GenerativeMetrics
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.networks.layers import styles
from gan_lightning.networks.layers.minibatch_deviation import MinibatchDeviation
from gan_lightning.networks.layers.minibatch_discrimination import MinibatchDiscrimination
from gan_lightning.networks.layers.phase_shuffle import PhaseShuffle
from gan_lightning.networks.semi_supervised import Noise
from gan_lightning.networks.text import Text
from gan_lightning.trainer.ddp import AlternatingDDPStrategy
from gan_lightning.variants import (
    BEGAN,
    DCGAN,
    DRAGAN,
    EBGAN,
    GANCLS,
    WGANGP,
    AttnGAN,
    CycleGAN,
    JointEmbedding,
    ProGAN,
    RelativisticGAN,
    StackGAN,
    StyleGAN,
    StyleGAN2,
    UnrolledGAN,
)
from tests.helpers.games import VARIANTS, assert_same_bits, flat, last_state, play, small

STEPS = 8  # with five updates of the discriminator they go beyond an epoch
FORK: dict[str, Any] = {"devices": 2, "strategy": "ddp_fork"}  # forked: to import everything again takes longer
PLAIN = "ddp_fork_find_unused_parameters_true"

Variant = type[AdversarialModule]

KINDS = [
    variant if variant in (DCGAN, WGANGP, CycleGAN, UnrolledGAN) else pytest.param(variant, marks=pytest.mark.slow)
    for variant in VARIANTS
    if not issubclass(variant, EmbeddingGame)  # Every pair of a batch is compared with every other.
]
"""One variant of each way to make a step; two processes for each of the others take minutes."""

WITHIN_A_PROCESS: dict[Variant, dict[str, Any]] = {
    EBGAN: {"pulling_away_weight": 0.0},
    GANCLS: {"interpolation_weight": 0.0},
    AttnGAN: {"matching_weight": 0.0},
    StackGAN: {"stage1_steps": 0},
    DRAGAN: {"perturbation": 0.0},
    RelativisticGAN: {"form": "RSGAN"},
    UnrolledGAN: {"n_unrolled": 0},
    ProGAN: {"growth": 9.0},
    StyleGAN: {"growth": 9.0, "mixing_probability": 0.0},
    StyleGAN2: {"path_length_weight": 0.0, "mixing_probability": 0.0},
}
"""What turns off the terms that compare the images of a batch, so of a process, and what draws more than latents."""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    """A forked process must not find the threads of its parent."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Recorder(pl.Callback):
    """Writes what a process did: its first exchanges and gradients, all its images, and where it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first: dict[str, Any] = {}
        self.images: list[Tensor] = []
        self.latents: list[Tensor] = []

    def watch(self, model: AdversarialModule) -> AdversarialModule:
        update = model._update

        def watched(player: str, optimizer: Any, exchanges: Any, *rest: Any) -> dict[str, Tensor]:
            exchanges = list(exchanges)
            if player not in self.first:
                kept = [replace(exchange, fake=None) for exchange in exchanges]
                self.first[player] = {"exchanges": [vars(exchange) for exchange in kept]}
                self.first[player]["other"] = _weights(model)["discriminator"]
            if player == "discriminator":
                self.images += [flat(exchange.real)[0] for exchange in exchanges]
                self.latents += [latent for exchange in exchanges for latent in _tensors(exchange.latent)]
            return update(player, optimizer, exchanges, *rest)

        model._update = watched  # type: ignore[method-assign]
        return model

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        player = "discriminator" if optimizer is trainer.optimizers[0] else "generator"
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.first[player].setdefault(
            "gradients",
            [torch.zeros_like(weight) if weight.grad is None else weight.grad.clone() for weight in weights],
        )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.own = {name: buffer.clone() for name, buffer in pl_module.named_buffers()}

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:  # when the processes have agreed
        path = self.folder / f"rank_{trainer.global_rank}.pt"
        told = {
            "first": self.first,
            "images": torch.cat(self.images),
            "latents": self.latents,
            "state": dict(pl_module.state_dict()),
            "own": self.own,
            "step": trainer.global_step,
            "bytes": getattr(trainer.strategy, "bytes_averaged", None),
        }
        torch.save(told, path)


def _weights(model: AdversarialModule) -> dict[str, dict[str, Tensor]]:
    return {
        player: {name: value.clone() for name, value in getattr(model, player).state_dict().items()}
        for player in ("generator", "discriminator")
    }


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    value = vars(value) if is_dataclass(value) else value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return [tensor for part in parts for tensor in _tensors(part)]


def _joined(values: list[Any]) -> Any:
    """What several processes had, one after the other, as one batch."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.cat(values)
    if isinstance(first, dict):
        return {key: _joined([value[key] for value in values]) for key in first}
    if is_dataclass(first):
        return type(first)(**_joined([vars(value) for value in values]))  # type: ignore[arg-type]
    if not isinstance(first, list | tuple):
        return None
    parts = [*map(_joined, zip(*values, strict=True))]
    return Text(*parts) if isinstance(first, Text) else type(first)(parts)


class Unchanged(nn.Module):
    """Its output is a tensor of its own, as BatchNorm's is: what comes next may work in place."""

    def forward(self, features: Tensor) -> Tensor:
        return features.clone()


class Silent(nn.Module):
    """In the place of a layer that adds noise to a map."""

    def forward(self, features: Tensor, noise: Tensor | float | None = None, gain: float = 1.0) -> Tensor:
        return features


def _without_chance(model: AdversarialModule) -> AdversarialModule:
    """Leave out what depends on the rest of a batch, or on chance, by its nature."""
    for part in model.modules():
        for name, child in list(part.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(part, name, Unchanged())
            elif isinstance(child, nn.modules.dropout._DropoutNd):
                child.p = 0.0
            elif isinstance(child, Noise):
                child.deviation = 0.0
            elif isinstance(child, styles.Noise):
                setattr(part, name, Silent())
            elif isinstance(child, PhaseShuffle):
                child.n = 0
            elif isinstance(child, MinibatchDeviation):
                child.group_size = 1
            elif isinstance(child, MinibatchDiscrimination):
                child.tensor.data.mul_(1e12)  # nothing is similar
    return model


def two_processes(model: AdversarialModule, folder: Path, steps: int = STEPS, **arguments: Any) -> list[dict[str, Any]]:
    recorder = Recorder(folder)
    arguments = {"batch_size": 20, **FORK, **arguments}
    callbacks = [recorder, *arguments.pop("callbacks", [])]
    play(recorder.watch(model), steps, folder, callbacks=callbacks, **arguments)
    # What the processes have just written, conditions of our own classes among it.
    return [torch.load(folder / f"rank_{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.parametrize("variant", KINDS, ids=lambda variant: variant.__name__)
def test_two_processes_move_as_one_on_the_joined_batch(
    variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the penalties look is left to chance: here always at the same place between a real image and a fake.
    rand = torch.rand

    def of_places(*shape: Any, **kind: Any) -> Tensor:
        numbers = rand(*shape, **kind)
        # Numbers of examples, N x 1 x ...; the latents of sounds are uniform too.
        return numbers if numbers.ndim == 2 and numbers.shape[1] > 1 else 0.3 + 0 * numbers

    monkeypatch.setattr(torch, "rand", of_places)
    arguments = {"penalty_interval": 2, **WITHIN_A_PROCESS.get(variant, {})}
    # In double precision: the gradients of real images and of fakes nearly cancel in some games.
    ranks = two_processes(_without_chance(small(variant, **arguments)), tmp_path, precision="64-true")
    one = _without_chance(small(variant, **arguments)).double()
    begin = _weights(one)["generator"]
    for player, loss, penalty in [
        ("discriminator", one.discriminator_loss, one.discriminator_penalty),
        ("generator", one.generator_loss, one.generator_penalty),
    ]:
        told = [rank["first"][player] for rank in ranks]
        one.discriminator.load_state_dict(told[0]["other"])
        (exchanges,) = zip(*(rank["exchanges"] for rank in told), strict=True)
        batch = GameBatch(**{name: _joined([exchange[name] for exchange in exchanges]) for name in exchanges[0]})
        one.generator.load_state_dict(begin)  # spectral norm moves on when it is called
        batch = replace(batch, fake=one.generate_fakes(batch))
        batch = batch.detached() if player == "discriminator" else batch
        total = sum(loss(batch).values()) + 2 * sum(penalty(batch).values())
        weights = [*getattr(one, player).parameters()]
        # Layers that grown networks no longer use have no gradient.
        expected = torch.autograd.grad(total, weights, materialize_grads=True)
        for rank in told:
            error = sum(
                (mine - theirs).square().sum() for mine, theirs in zip(rank["gradients"], expected, strict=True)
            )
            size = sum(theirs.square().sum() for theirs in expected)
            assert float((error / size).sqrt()) < 1e-5, player

    one_rank, other = ranks
    assert one_rank["step"] == other["step"] == STEPS
    for name, value in one_rank["state"].items():
        assert torch.equal(value, other["state"][name]), name
    for mine, theirs in zip(one_rank["latents"], other["latents"], strict=True):
        assert not torch.equal(mine, theirs)
    n_images = STEPS * one.n_critic * 20
    assert len(one_rank["images"]) == len(other["images"]) == n_images
    an_epoch = min(n_images, 700)  # of about 1,500 images, half for each process
    first = torch.cat([rank["images"][:an_epoch] for rank in ranks])
    assert len(torch.unique(first.flatten(1), dim=0)) == 2 * an_epoch


def assert_gradients_are_averaged(model: Any, folder: Path) -> None:
    """Each process has a loss of its own images, and both take the mean of the two gradients."""
    one = deepcopy(model).double()
    ranks = two_processes(model, folder, 1, precision="64-true")
    gradients = []
    for rank in ranks:
        told = rank["first"]["generator"]
        one.discriminator.load_state_dict(told["other"])
        batch = GameBatch(**told["exchanges"][0])
        total = sum(one.generator_loss(replace(batch, fake=one.generate_fakes(batch))).values())
        gradients.append(torch.autograd.grad(total, [*one.generator.parameters()]))
    averaged = [rank["first"]["generator"]["gradients"] for rank in ranks]
    for *apart, one_rank, other in zip(*gradients, *averaged, strict=True):
        assert not torch.allclose(*apart)
        torch.testing.assert_close(one_rank, sum(apart) / 2)
        assert torch.equal(one_rank, other)


def test_each_process_looks_ahead_on_its_own_images(tmp_path: Path) -> None:
    arguments = {"n_unrolled": 2, "discriminator_optimizer": partial(torch.optim.SGD, lr=0.1)}
    model = _without_chance(small(UnrolledGAN, **arguments))
    for weight in model.parameters():
        weight.data *= 20  # the gradients are tiny otherwise
    assert_gradients_are_averaged(model, tmp_path)


def test_each_process_compares_the_pairs_of_its_own_batch(tmp_path: Path) -> None:
    """The gradient of two encoders is the mean of those of the processes' losses."""
    model = _without_chance(small(JointEmbedding))
    assert_gradients_are_averaged(model, tmp_path)


def test_buffers_agree_when_they_are_saved_and_their_mean_is_kept(tmp_path: Path) -> None:
    """DCGAN with its BatchNorm: the statistics of both processes are of different images."""
    ranks = two_processes(small(DCGAN), tmp_path, steps=3, save_every=100)
    for name, value in ranks[0]["state"].items():
        assert torch.equal(value, ranks[1]["state"][name]), name
    saved = torch.load(tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, ranks[0]["state"][name]) for name, value in saved.items())


def test_the_balance_of_began_follows_the_images_of_all_processes(tmp_path: Path) -> None:
    ranks = two_processes(small(BEGAN, balance_rate=0.5), tmp_path, steps=3, save_every=100)
    k, other = (rank["own"]["k"] for rank in ranks)
    assert torch.equal(k, other)
    assert 0 < k < 1


@pytest.mark.parametrize("variant", [DCGAN, CycleGAN])
def test_judging_leaves_each_process_its_own_buffers(variant: type[AdversarialModule], tmp_path: Path) -> None:
    """The statistics of BatchNorm and the remembered fakes: training goes on as if nobody had looked."""
    plain = two_processes(small(variant), tmp_path / "plain", steps=3, save_every=100, limit_val_batches=0)
    judged = two_processes(
        small(variant), tmp_path / "judged", steps=3, save_every=100, limit_val_batches=1, val_check_interval=1
    )
    for rank in range(2):
        assert_same_bits(plain[rank]["own"], judged[rank]["own"])
    apart = [name for name, value in plain[0]["own"].items() if not torch.equal(value, plain[1]["own"][name])]
    assert apart, "they have seen different images"


class Judge:
    """Writes what it is given to judge in each process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def score(self, samples: Any, reference: Any) -> dict[str, float]:
        torch.save(samples.sample(4), self.folder / f"samples_{torch.distributed.get_rank()}.pt")
        return {}


def test_images_of_all_processes_count(tmp_path: Path) -> None:
    """Two times 20 images are one half-life: the average is half-way between the first weights and the new ones."""
    model = small(DCGAN, ema_decay=None, ema_half_life=40.0)
    begin = {name: weight.detach().clone() for name, weight in model.generator.named_parameters()}
    two_processes(model, tmp_path, steps=1)
    state = last_state(tmp_path)
    assert state["gan_lightning"]["images_seen"] == 40
    for name, weight in begin.items():
        expected = (weight + state["state_dict"][f"generator.{name}"]) / 2
        assert_close(state["state_dict"][f"ema.module.{name}"], expected)


def test_all_processes_measure_the_same_samples(tmp_path: Path) -> None:
    callback = GenerativeMetrics(extractor="pixels", every_n_steps=2)
    callback._prepare = lambda trainer, device: (Judge(tmp_path), None, 4)  # type: ignore[assignment, return-value]
    two_processes(small(DCGAN, ema_decay=None), tmp_path / "run", steps=2, callbacks=[callback], limit_val_batches=0)
    one, other = (torch.load(tmp_path / f"samples_{rank}.pt") for rank in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("game", [{}, {"accumulate": 2}, {"n_critic": 2}], ids=str)
def test_a_step_exchanges_each_players_gradient_once_an_update(game: dict[str, int], tmp_path: Path) -> None:
    model = small(DCGAN, **game)
    ranks = two_processes(model, tmp_path, steps=3)
    sizes = [sum(weight.numel() for weight in player.parameters()) for player in (model.discriminator, model.generator)]
    assert ranks[0]["bytes"] == 3 * 4 * (sizes[0] * game.get("n_critic", 1) + sizes[1])


@pytest.mark.parametrize("game", [{}, {"accumulate": 2}, {"gradient_clip_norm": 0.1}], ids=str)
def test_plain_ddp_ends_at_the_same_weights(game: dict[str, Any], tmp_path: Path) -> None:
    descent = dict.fromkeys(("generator_optimizer", "discriminator_optimizer"), partial(torch.optim.SGD, lr=0.1))
    ours = two_processes(small(WGANGP, n_critic=2, **descent, **game), tmp_path, steps=3)
    plain = two_processes(small(WGANGP, n_critic=2, **descent, **game), tmp_path, steps=3, strategy=PLAIN)
    assert plain[0]["bytes"] is None
    for name, value in plain[0]["state"].items():
        torch.testing.assert_close(value, ours[0]["state"][name], rtol=1e-4, atol=1e-6)


def test_half_precision_keeps_the_processes_together(tmp_path: Path) -> None:
    one, other = two_processes(small(WGANGP), tmp_path, steps=3, precision="bf16-mixed")
    assert all(torch.equal(value, other["state"][name]) for name, value in one["state"].items())


@pytest.mark.parametrize(
    ("strategy", "ours"),
    [
        ("ddp", True),
        ("ddp_find_unused_parameters_false", True),
        ("ddp_find_unused_parameters_true", False),
        (AlternatingDDPStrategy(), True),
        ("auto", True),
    ],
)
def test_it_is_the_default_on_several_devices(strategy: Any, ours: bool) -> None:
    model = small(DCGAN)
    model.trainer = trainer = pl.Trainer(accelerator="cpu", devices=2, strategy=strategy, logger=False)
    model.setup("fit")
    assert isinstance(trainer.strategy, DDPStrategy)
    assert isinstance(trainer.strategy, AlternatingDDPStrategy) is ours


def test_one_device_needs_no_strategy() -> None:
    model = small(DCGAN)
    model.trainer = trainer = pl.Trainer(accelerator="cpu", devices=1, logger=False)
    model.setup("fit")
    assert not isinstance(trainer.strategy, DDPStrategy)
