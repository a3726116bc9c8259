"""Games whose networks the user has compiled: their checkpoints are those of games that are not compiled."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from gan_lightning import inference
from gan_lightning.games.base import AdversarialModule
from gan_lightning.variants import DCGAN, WGANGP, CycleGAN
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small


def compiled(network: nn.Module) -> Any:
    return torch.compile(network, backend="eager")


def compile_players(model: AdversarialModule) -> AdversarialModule:
    model.generator, model.discriminator = compiled(model.generator), compiled(model.discriminator)
    if model.ema is not None:
        model.ema.module = compiled(model.ema.module)
    return model


def test_a_compiled_game_is_saved_under_the_plain_names_and_goes_both_ways(tmp_path: Path) -> None:
    arguments: Any = {"side": 8, "batch_size": 20}
    play(small(DCGAN, side=8), 4, tmp_path / "plain", **arguments)
    play(compile_players(small(DCGAN, side=8)), 2, tmp_path / "mixed", **arguments)
    plain, mixed = last_state(tmp_path / "plain"), last_state(tmp_path / "mixed")
    assert list(mixed["state_dict"]) == list(plain["state_dict"])
    assert list(mixed["state_dict"]._metadata) == list(plain["state_dict"]._metadata)
    last = run_directory(tmp_path / "mixed") / "checkpoints" / "last.ckpt"
    assert inference.load(last).sample(2).isfinite().all()
    assert DCGAN.load_from_checkpoint(last).game_step == 2
    play(small(DCGAN, side=8), 3, tmp_path / "mixed", resume=True, **arguments)
    play(compile_players(small(DCGAN, side=8)), 4, tmp_path / "mixed", resume=True, **arguments)
    assert_same_bits(last_state(tmp_path / "mixed"), plain)


def test_one_network_of_several_and_a_part_of_one(tmp_path: Path) -> None:
    model: Any = small(CycleGAN)
    names = list(model.state_dict())
    model.generator["AtoB"] = compiled(model.generator["AtoB"])
    part = next(name for name, _ in model.discriminator["A"].named_children())
    setattr(model.discriminator["A"], part, compiled(getattr(model.discriminator["A"], part)))
    state = model.state_dict()
    assert list(state) == names
    other = small(CycleGAN)
    other.load_state_dict(state)
    model.load_state_dict(other.state_dict())
    # What an earlier version saved of a compiled network.
    other.load_state_dict({name.replace("AtoB.", "AtoB._orig_mod."): value for name, value in state.items()})
    assert_same_bits(dict(other.state_dict()), dict(state))


def test_penalties_run_compiled_networks_as_they_were_written(tmp_path: Path) -> None:
    model: Any = small(WGANGP, n_critic=1)
    model.discriminator = torch.compile(model.discriminator, backend="aot_eager")  # It has no second derivative.
    play(model, 1, tmp_path / "compiled", limit_val_batches=0, batch_size=20)
    play(small(WGANGP, n_critic=1), 1, tmp_path / "plain", limit_val_batches=0, batch_size=20)
    one, other = (last_state(tmp_path / name)["state_dict"] for name in ("compiled", "plain"))
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)
