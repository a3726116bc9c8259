"""Optimisers are found by the weights that they hold."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from gan_lightning.callbacks import TrainingHealth
from gan_lightning.games.base import AdversarialModule
from gan_lightning.variants import DCGAN, SRGAN, UnrolledGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, small


def turned_round(variant: type[AdversarialModule]) -> Any:
    """The variant with the generator's optimiser first, as Lightning's own GAN example has it."""

    class Turned(variant):  # type: ignore[valid-type, misc]
        def configure_optimizers(self) -> Any:
            optimizers, schedulers = super().configure_optimizers()
            return optimizers[::-1], schedulers[::-1]

    return Turned


@pytest.mark.parametrize(
    ("variant", "arguments"),
    [
        (DCGAN, {"accumulate": 2}),
        (DCGAN, {"n_critic": 2, "generator_scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.5)}),
        (SRGAN, {"warm_up_steps": 1}),
        (UnrolledGAN, {"n_unrolled": 1}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*cannot be written")
def test_the_order_of_the_optimisers_changes_nothing(variant: Any, arguments: Any, tmp_path: Path) -> None:
    rates = {"generator_optimizer": Adam, "discriminator_optimizer": SGD} if variant is DCGAN else {}
    for name, kind in [("as ours", variant), ("turned", turned_round(variant))]:
        model = small(variant, **arguments, **rates)
        model.__class__ = kind
        play(model, 3, tmp_path / name, batch_size=20, callbacks=[TrainingHealth()])
    ours, turned = (last_state(tmp_path / name) for name in ("as ours", "turned"))
    assert_same_bits(turned["state_dict"], ours["state_dict"])
    assert_same_bits(turned["optimizer_states"][::-1], ours["optimizer_states"])
    assert turned["global_step"] == 3
    clock = "train/images_per_second"
    one, other = (metrics_file(tmp_path / name).splitlines() for name in ("as ours", "turned"))
    places = [place for place, column in enumerate(one[0].split(",")) if column != clock]
    for mine, theirs in zip(one, other, strict=True):
        assert [mine.split(",")[i] for i in places] == [theirs.split(",")[i] for i in places]


def refusal(configure: Any, folder: Path) -> str:
    class Odd(DCGAN):
        def configure_optimizers(self) -> Any:
            return configure(self)

    model = small(DCGAN, side=8)
    model.__class__ = Odd
    with pytest.raises(ValueError, match=r"optimiser|Reduce|share") as caught:
        play(model, 1, folder, side=8)
    return str(caught.value)


def sgd(*networks: Any) -> Optimizer:
    return SGD([weight for network in networks for weight in network.parameters()], lr=0.1)


def test_optimisers_that_are_not_the_players_own_are_refused(tmp_path: Path) -> None:
    assert "one holds the weights of both players" in refusal(lambda m: sgd(m.generator, m.discriminator), tmp_path)
    assert "none holds the generator's weights" in refusal(lambda m: [sgd(m.discriminator)], tmp_path)
    assert "none holds the discriminator's weights" in refusal(
        lambda m: [sgd(m.generator), sgd(torch.nn.Linear(1, 1))], tmp_path
    )
    assert "2 hold the generator's weights" in refusal(
        lambda m: [sgd(m.generator), sgd(m.generator), sgd(m.discriminator)], tmp_path
    )
    assert "a step moves two" in refusal(
        lambda m: [sgd(m.generator), sgd(m.discriminator), sgd(torch.nn.Linear(1, 1))], tmp_path
    )


def test_kinds_that_cannot_serve_are_refused_wherever_they_come_from(tmp_path: Path) -> None:
    def lbfgs(model: Any) -> Any:
        return [sgd(model.generator), torch.optim.LBFGS(model.discriminator.parameters())]

    def plateau(model: Any) -> Any:
        optimizers = [sgd(model.generator), sgd(model.discriminator)]
        return optimizers, [{"scheduler": ReduceLROnPlateau(optimizers[0]), "monitor": "val/fid"}]

    assert "LBFGS" in refusal(lbfgs, tmp_path)
    assert "ReduceLROnPlateau waits for a loss" in refusal(plateau, tmp_path)


def test_adam_with_an_eps_that_float16_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"eps 1e-08, which is 0 .* float16"):
        play(small(DCGAN, side=8), 1, tmp_path, side=8, precision="16-true")


def test_a_weight_that_would_never_move_is_named(tmp_path: Path) -> None:
    """An optimiser of a part of a player; weights that both players hold, which rest in either one's turn."""

    def part(model: Any) -> Any:
        return [sgd(model.discriminator), SGD([*model.generator.parameters()][1:], lr=0.1)]

    def shared(model: Any) -> Any:
        model.generator.both = model.discriminator.both = torch.nn.Linear(2, 2)
        return [sgd(model.discriminator), sgd(model.generator)]

    said = refusal(part, tmp_path)
    assert "that of the generator lacks generator." in said
    assert "which would never move: let it hold all" in said
    said = refusal(shared, tmp_path)
    assert "share generator.both.weight and 1 more, which would never move" in said


def test_frozen_weights_may_be_in_no_optimiser(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    class Partly(DCGAN):
        def configure_optimizers(self) -> Any:
            first, *others = self.generator.parameters()
            first.requires_grad_(False)
            self.generator.both = self.discriminator.both = torch.nn.Linear(2, 2).requires_grad_(False)
            return [sgd(self.discriminator), SGD([{"params": [each]} for each in others], lr=0.1)]

    model = small(DCGAN, side=8, ema_decay=None)
    model.__class__ = Partly
    before = next(model.generator.parameters()).clone()
    play(model, 2, tmp_path, side=8)
    assert torch.equal(next(model.generator.parameters()), before)
    assert not [each for each in recwarn if "will not move" in str(each.message)]


def test_weights_of_neither_player_that_nothing_moves_are_told(tmp_path: Path) -> None:
    model = small(DCGAN, side=8)
    model.teacher = torch.nn.Linear(2, 2)
    with pytest.warns(
        UserWarning, match=r"No optimiser of DCGAN holds teacher\.weight and 1 more, which will not move"
    ):
        play(model, 1, tmp_path, side=8)
