"""Layers that are frozen for a run keep their weights, whatever the game, and the others do not."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import layers_of
from gan_lightning.games.players import PLAYERS
from gan_lightning.networks import (
    ConvDiscriminator,
    ConvGenerator,
    CoupledDiscriminator,
    MLPDiscriminator,
    ResNetGenerator,
    SAGANDiscriminator,
    SNGANDiscriminator,
    StyleGANDiscriminator,
    StyleGANGenerator,
)
from gan_lightning.variants import DCGAN, WGAN, UnrolledGAN
from tests.helpers.games import VARIANTS, assert_same_bits, last_state, metrics_file, play, run_directory, small


def first_layers(game: AdversarialModule, n: int = 1) -> dict[str, set[str]]:
    return {player: {name for layer in layers_of(getattr(game, player))[:n] for name in layer} for player in PLAYERS}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_frozen_weights_stay_and_the_others_move(variant: type[AdversarialModule], tmp_path: Path) -> None:
    """Over updates of both players, an interruption and the rest of the run, as in a run without it."""
    # An average that forgets: it would leave its initial values if it moved at all.
    forgetful: dict[str, Any] = {"ema_decay": 0.1, "ema_half_life": None, "ema_ramp_up": None}
    make = partial(small, variant, freeze_generator=1, freeze_discriminator=1, **forgetful)
    game = make()
    before = deepcopy(game.state_dict())
    frozen = first_layers(game)
    options: dict[str, Any] = {"batch_size": 8, "limit_val_batches": 0}
    play(game, 3, tmp_path / "straight", **options)
    play(make(), 3, tmp_path / "broken", crash_at=2, **options)
    game = make()
    play(game, 3, tmp_path / "broken", resume=True, **options)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
    assert metrics_file(tmp_path / "broken") == metrics_file(tmp_path / "straight")
    for player in PLAYERS:
        weights = dict(getattr(game, player).named_parameters())
        assert 0 < len(frozen[player]) < len(weights)
        stayed = {name for name, weight in weights.items() if torch.equal(weight, before[f"{player}.{name}"])}
        assert frozen[player] <= stayed < weights.keys(), player
        # No gradient, and nothing of them in the optimiser.
        assert {name for name, weight in weights.items() if not weight.requires_grad} == frozen[player]
        assert all(weights[name].grad is None for name in frozen[player])
        optimizer = game.optimizer_of(player).optimizer
        held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        assert held == {id(weight) for name, weight in weights.items() if name not in frozen[player]}
        assert {id(weight) for weight in optimizer.state} <= held
    if game.ema is not None:
        for name in frozen["generator"]:
            assert torch.equal(game.ema.module.get_parameter(name), before[f"generator.{name}"])


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        # A norm goes with the convolution before it.
        (lambda: ConvDiscriminator((3, 16, 16), width=2), ["layers.0", "layers.2 layers.3", "layers.5"]),
        (lambda: ConvGenerator((3, 16, 16), 4, width=2), ["layers.1 layers.2", "layers.4 layers.5", "layers.7"]),
        # Residual blocks and attention are layers; the embedding of labels is the last.
        (
            lambda: SNGANDiscriminator((3, 16, 16), 3, width=2),
            ["blocks.0", "blocks.1", "blocks.2", "linear", "embedding"],
        ),
        (
            lambda: SAGANDiscriminator((3, 32, 32), width=8),
            ["blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "linear"],
        ),
        (lambda: ResNetGenerator((3, 16, 16), 4, width=2), ["layers.0", "layers.2", "layers.3 layers.4", "layers.6"]),
        # Networks that grow: nearest the image first, whatever the level, and nearest the latent.
        (
            lambda: StyleGANDiscriminator((1, 16, 16), 32, 8),
            ["from_images.2", "blocks.1", "from_images.1", "blocks.0", "from_images.0", "end.1", "end.4", "end.6"],
        ),
        (
            lambda: StyleGANGenerator((1, 8, 8), 4, 6, 2, 32, 8),
            ["mapping", "blocks.0", "to_images.0", "blocks.1", "to_images.1"],
        ),
        # Networks and layers side by side are counted together.
        (
            lambda: CoupledDiscriminator((1, 16, 16), width=2),
            ["heads.A.0 heads.B.0", "shared.0", "shared.2 shared.3", "shared.5"],
        ),
        (
            lambda: nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "b": nn.Linear(2, 2)}),
            ["a.0 b", "a.1"],
        ),
    ],
)
def test_layers_are_counted_as_a_reader_would(network: Any, expected: list[str]) -> None:
    made = network()
    layers = layers_of(made)
    assert len(layers) == len(expected)
    for layer, places in zip(layers, expected, strict=True):
        inside = [name for name, _ in made.named_parameters() if f"{name}.".startswith(_starts(places))]
        assert sorted(layer) == sorted(inside)


def _starts(places: str) -> tuple[str, ...]:
    return tuple(f"{place}." for place in places.split())


def test_a_learned_input_goes_with_the_first_layer() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.start = nn.Parameter(torch.ones(2))

    assert layers_of(Own()) == [["start", "first.weight", "first.bias"], ["second.weight", "second.bias"]]


def test_layers_by_their_names() -> None:
    game = small(DCGAN, freeze_discriminator=["layers.2", "layers.3.bias"], freeze_generator=2)
    frozen = {name for name, weight in game.named_parameters() if not weight.requires_grad}
    expected = {f"generator.layers.{place}" for place in ("1.weight", "2.weight", "2.bias", "4.weight")}
    expected |= {f"generator.layers.5.{part}" for part in ("weight", "bias")}
    expected |= {"discriminator.layers.2.weight", "discriminator.layers.3.bias"}
    assert {name for name in frozen if not name.startswith("ema")} == expected
    # layers.1 is no beginning of layers.11, and in the discriminator it has no weights.
    game = small(DCGAN, 64, freeze_generator=["layers.1"])
    frozen = {name for name, weight in game.generator.named_parameters() if not weight.requires_grad}
    assert frozen == {"layers.1.weight"}


@pytest.mark.parametrize(
    ("argument", "value", "says"),
    [
        (
            "freeze_discriminator",
            3,
            "freeze_discriminator is 3: this ConvDiscriminator has 3 layers, of which at most 2 can be frozen.",
        ),
        ("freeze_generator", 9, "freeze_generator is 9: this ConvGenerator has 3 layers, of which at most 2"),
        ("freeze_generator", -1, "freeze_generator is -1: it must be at least 0"),
        ("freeze_generator", True, "freeze_generator is True: it must be a whole number or a list"),
        ("freeze_generator", "layers.0", "freeze_generator is 'layers.0': it must be a whole number or a list"),
        (
            "freeze_discriminator",
            ["blocks.0"],
            "freeze_discriminator names 'blocks.0', and this ConvDiscriminator has the layers layers.0, layers.2, "
            "layers.3, layers.5.",
        ),
        ("freeze_discriminator", ["layer"], "freeze_discriminator names 'layer', and this"),
        ("freeze_discriminator", ["layers"], "freeze_discriminator names all layers of this ConvDiscriminator"),
    ],
)
def test_mistakes(argument: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        small(DCGAN, **{argument: value})
    assert str(error.value).startswith(says)


def test_statistics_of_frozen_norms_follow_the_batches(tmp_path: Path) -> None:
    game = small(DCGAN, freeze_discriminator=2, freeze_generator=1)
    before = deepcopy(game.state_dict())
    play(game, 2, tmp_path)
    assert torch.equal(game.state_dict()["discriminator.layers.3.weight"], before["discriminator.layers.3.weight"])
    for name in ("discriminator.layers.3.running_mean", "generator.layers.2.running_var"):
        assert not torch.equal(game.state_dict()[name], before[name])


def test_frozen_weights_are_not_clipped(tmp_path: Path) -> None:
    game = small(WGAN, freeze_discriminator=1, clip_limit=1e-4)
    before = game.discriminator.layers[0].weight.detach().clone()  # type: ignore[index, union-attr]
    assert before.abs().max() > 1e-3
    play(game, 2, tmp_path)
    assert torch.equal(game.discriminator.layers[0].weight, before)  # type: ignore[index, union-attr]
    assert game.discriminator.layers[2].weight.abs().max() <= 1e-4  # type: ignore[index, union-attr]


def test_a_look_ahead_leaves_them(tmp_path: Path) -> None:
    """Features of frozen layers are the same before and after the unrolled steps, logits are not."""
    game = small(
        UnrolledGAN,
        discriminator=partial(MLPDiscriminator, hidden=8, pieces=2, input_dropout=0.0, hidden_dropout=0.0),
        discriminator_optimizer=partial(torch.optim.SGD, lr=100.0),
        freeze_discriminator=2,
        n_unrolled=2,
    )
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    last = game.discriminator.layers[6]  # type: ignore[index, union-attr]
    last.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].detach(), output.detach())))
    play(game, 1, tmp_path, batch_size=20)
    # The first is D's own update on real images, the last the unrolled D on them.
    (features, logits), (unrolled_features, unrolled_logits) = seen[0], seen[-1]
    assert torch.equal(features, unrolled_features)
    assert (logits - unrolled_logits).abs().max() > 1e-3


def test_a_run_goes_on_with_the_layers_that_it_began_with(tmp_path: Path) -> None:
    play(small(DCGAN, freeze_discriminator=1), 2, tmp_path)
    last = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
    assert last.is_file()
    with pytest.raises(ValueError, match=r"freeze_discriminator was 1 and is now 0: a run goes on with the layers"):
        play(small(DCGAN), 4, tmp_path, resume=True)
    loaded = DCGAN.load_from_checkpoint(last)
    assert not loaded.discriminator.layers[0].weight.requires_grad  # type: ignore[index, union-attr]
