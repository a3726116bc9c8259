"""A network that is used and never trained: it moves with its owner, and nobody else sees it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import Terms
from gan_lightning.networks.layers.frozen import Frozen
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.variants import DCGAN
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small


def teacher() -> nn.Module:
    """With everything that a game would otherwise save, exchange, train or put into training mode."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Conv2d(2, 1, 3))


class Taught(DCGAN):
    """Its fakes are to look to a teacher as real images do."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.teacher = Frozen(teacher())

    def generator_loss(self, batch: GameBatch) -> Terms:
        taught = (self.teacher(batch.fake).mean() - self.teacher(batch.real).mean()).square()
        return {**super().generator_loss(batch), "taught": taught}


def everything(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def test_a_game_trains_with_it_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    model: Any = small(Taught, side=8)
    before = everything(model.teacher.network)
    play(model, 2, tmp_path, side=8)
    assert_same_bits(everything(model.teacher.network), before)
    weights = {id(value) for value in model.teacher.network.state_dict(keep_vars=True).values()}
    assert len(weights) == 9
    assert not weights & {id(value) for value in (*model.parameters(), *model.buffers())}
    held = {id(w) for each in model.trainer.optimizers for group in each.param_groups for w in group["params"]}
    assert not weights & held
    state = last_state(tmp_path)["state_dict"]
    assert state.keys() == small(DCGAN, side=8).state_dict().keys()
    loaded = Taught.load_from_checkpoint(run_directory(tmp_path) / "checkpoints" / "last.ckpt")
    assert_same_bits(everything(loaded.teacher.network), before)


def test_it_stays_in_evaluation_mode_and_takes_no_gradient() -> None:
    owner = nn.Sequential(nn.Conv2d(1, 1, 1), Frozen(teacher())).train().requires_grad_()
    images = torch.rand(2, 1, 8, 8, requires_grad=True)
    expected = teacher().eval()(owner[0](images))
    assert torch.equal(owner(images), expected)
    owner(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in owner[1].network.parameters())


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_it_moves_with_its_owner(kind: torch.dtype) -> None:
    model: Any = small(Taught, side=8).to(kind)
    first, norm = model.teacher.network[:2]
    assert first.weight.dtype == kind
    # As everywhere in a game, statistics keep float32's digits.
    assert norm.running_var.dtype == torch.promote_types(kind, torch.float32)
    assert model.teacher(torch.rand(2, 1, 8, 8)).dtype == kind
    assert model.to("meta").teacher.network[0].weight.device.type == "meta"


def test_an_average_shares_it() -> None:
    generator = nn.Sequential(nn.Conv2d(1, 1, 1), Frozen(teacher()))
    ema = ExponentialMovingAverage(generator, 0.5)
    ema.update(generator, 1)
    assert ema.module[1].network is generator[1].network
    assert [*ema.state_dict()] == ["module.0.weight", "module.0.bias"]
    assert deepcopy(generator)[0].weight is not generator[0].weight
