"""What is special to MidiNet: its networks, its losses, the rhythm of updates, pieces made bar by bar."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.components.scores import chord_named
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import MidiNetDiscriminator, MidiNetGenerator
from gan_lightning.variants import MidiNet
from tests.helpers.games import example_batch, last_state, play, small, vivid

SHAPE = (1, 8, 16)


def count(network: nn.Module, norms: bool = False) -> int:
    parts = [part for part in network.modules() if norms or not isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    return sum(weight.numel() for part in parts for weight in part.parameters(recurse=False))


def test_the_numbers_of_parameters_are_the_authors() -> None:
    """Without BatchNorm; the generator with its conditioner."""
    assert count(MidiNetGenerator()) == 527_169
    assert count(MidiNetDiscriminator()) == 310_501
    # Layers are normalised but the last of the generator, and the first and the last of the discriminator.
    norms = {
        network: [
            part.num_features for part in network().modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)
        ]
        for network in (MidiNetGenerator, MidiNetDiscriminator)
    }
    assert norms[MidiNetGenerator] == [16] * 4 + [1024, 256] + [128] * 3
    assert norms[MidiNetDiscriminator] == [77, 1024]


def test_the_bar_before_reaches_each_layer_of_its_size() -> None:
    """A change of its last step reaches that step by the map of 16 steps, and half a bar by that of 2."""
    network = MidiNetGenerator().eval()
    latent, chords = torch.randn(1, 100), torch.zeros(1, 13)
    before = torch.full((1, 1, 16, 128), -1.0)
    changed = before.clone()
    changed[0, 0, 15, 60] = 1
    difference = (network(latent, changed, chords) - network(latent, before, chords)).abs().sum(dim=(0, 1, 3))
    assert difference[:8].count_nonzero() == 0
    assert difference[8:].all()
    assert difference[15] > difference[14] > difference[12:14].max()
    assert difference[12:14].min() > difference[8:12].max()


def test_networks_of_other_bars() -> None:
    for steps in (8, 32):
        bars = MidiNetGenerator((2, steps, 24), 4, 0, width=4, hidden=8)(
            torch.randn(3, 4), torch.zeros(3, 2, steps, 24), torch.zeros(3, 0)
        )
        assert bars.shape == (3, 2, steps, 24)
        logits, features = MidiNetDiscriminator((2, steps, 24), 0, hidden=8)(bars, torch.zeros(3, 0))
        assert logits.shape == (3,)
        assert features.shape == (3, 14, steps // 2, 1)
    with pytest.raises(ValueError, match=r"bars of 4, 8, 16, 32, ... steps, not of 12"):
        MidiNetGenerator((1, 12, 16))
    with pytest.raises(ValueError, match="8 steps or more, not of 4"):
        MidiNetDiscriminator((1, 4, 16))


class Judge(nn.Module):
    """The logit of a bar is its sum, of values 0 and 1; features are that twice."""

    def forward(self, bars: Tensor, chords: Tensor) -> tuple[Tensor, Tensor]:
        total = ((bars + 1) / 2).sum(dim=(1, 2, 3))
        return total, total[:, None, None, None].expand(-1, 2, 1, 1)


def test_losses_by_hand() -> None:
    """Real bars of sums 2 and 0, fakes of sums 0 and 0, in the first two places."""
    model: Any = small(MidiNet)
    model.discriminator = Judge()
    real, fake = torch.full((2, 1, 16, 16), -1.0), torch.full((2, 1, 16, 16), -1.0)
    real[0, 0, 0, :2] = 1
    batch = GameBatch(real, {"chords": torch.zeros(2, 13), "before": fake}, None, fake)
    d = {name: term.item() for name, term in model.discriminator_loss(batch).items()}
    # Label .9: sp(-2) + .1 * 2 = .326928, sp(0) = .693147
    assert d == pytest.approx({"real": (0.326928 + 0.693147) / 2, "fake": 0.693147}, abs=1e-6)
    g = {name: term.item() for name, term in model.generator_loss(batch).items()}
    # Means of features: 1 and 0, twice; of bars: 1/2 and 0 in two places.
    expected = {"adversarial": 0.693147, "features": 0.1 * 0.5 * 2, "bars": 0.01 * 0.5 * 2 * 0.25}
    assert g == pytest.approx(expected, abs=1e-6)


def test_the_discriminator_moves_at_every_second_step(tmp_path: Path) -> None:
    moved = []
    for steps in (1, 2, 3, 4):
        play(small(MidiNet, discriminator_interval=2), steps, tmp_path / str(steps), batch_size=8)
        state = last_state(tmp_path / str(steps))["state_dict"]
        moved.append(state["discriminator.judge.bias"].item())
    start: Any = small(MidiNet)
    assert moved[0] == start.discriminator.judge.bias.item()
    assert moved[1] != moved[0]
    assert moved[2] == moved[1]
    assert moved[3] != moved[2]


class Echo(nn.Module):
    """The pitch above that of the bar before, or of the chord's root after silence; the noise says how loud."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, latent: Tensor, before: Tensor, chords: Tensor) -> Tensor:
        assert set(before.unique().tolist()) <= {-1.0, 1.0}
        above = before.roll(1, dims=-1) * 0.9
        silent = before.amax(dim=(1, 2, 3)) < 0
        above[silent, ..., :12] = chords[silent, None, None, :12]
        return above


def test_pieces_are_made_bar_by_bar_of_the_bar_before() -> None:
    model: Any = small(MidiNet, generator=lambda *_: Echo(), n_bars=3, progression=["E", "Am"], ema_decay=None)
    pieces = model.sample(2)
    assert pieces.shape == (2, 1, 3 * 16, 16)
    assert (pieces == 1).sum(dim=-1).unique().tolist() == [1]  # one note at each step
    assert pieces.argmax(dim=-1)[0, 0].unflatten(0, (3, 16)).unique(dim=1).tolist() == [[4], [5], [6]]
    assert model.bars_of(pieces).shape == (6, 1, 16, 16)
    # A sample does not depend on those beside it.
    plain: Any = small(MidiNet)
    assert torch.equal(plain.sample(3, seed=5)[2], plain.sample(1, seed=5, start=2)[0])
    assert plain.sample(0).shape == (0, 1, 8 * 16, 16)


def test_chords_are_given_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = small(MidiNet, n_bars=3, progression=["E", "Am"])
    seen = []
    forward = MidiNetGenerator.forward

    def watched(self: MidiNetGenerator, latent: Tensor, before: Tensor, chords: Tensor) -> Tensor:
        seen.append(chords[0].tolist())
        return forward(self, latent, before, chords)

    monkeypatch.setattr(MidiNetGenerator, "forward", watched)
    model.sample(1)
    assert seen == [chord_named(name).tolist() for name in ("E", "Am", "E")]
    without: Any = small(MidiNet, chord_dim=0)
    assert without.sample(1).shape == (1, 1, 8 * 16, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chord_dim": 12}, "chord_dim is 12: it must be 13, or 0 for bars without chords"),
        ({"progression": []}, "progression is empty: name a chord at least"),
        ({"progression": ["C", "X"]}, "'X' is no chord"),
        ({"lowest_pitch": 113}, "lowest_pitch is 113: it must be 0 to 112"),
        ({"tempo": 5.0}, "tempo is 5: it must be 10 to 1000"),
        ({"discriminator_interval": 0}, "discriminator_interval is 0: it must be at least 1"),
    ],
)
def test_what_cannot_be_is_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(MidiNet, **arguments)


def test_other_batches_are_told() -> None:
    model = small(MidiNet)
    with pytest.raises(ValueError, match=r"MidiNet needs bars, the bars before and chords, as ChoralesDataModule"):
        model.prepare_batch(torch.zeros(2, 1, 16, 16))
    with pytest.raises(ValueError, match=r"bars of 1 x 16 x 24, but the model was made for 1 x 16 x 16"):
        model.prepare_batch(example_batch(model, 2, shape=(1, 16, 24)))


def test_predictions_are_the_samples_in_order() -> None:
    game = vivid(MidiNet)
    voices, steps, pitches = game.image_shape
    assert len(game.sample(5).flatten(1).unique(dim=0)) == 5
    loader = [
        {
            "bars": torch.zeros(n, voices, steps, pitches, dtype=torch.uint8),
            "before": torch.zeros(n, voices, steps, pitches, dtype=torch.uint8),
            "chords": torch.zeros(n, 13),
        }
        for n in (2, 3)
    ]
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    for _ in range(2):  # each call begins with the first sample
        pieces = trainer.predict(game, DataLoader(loader, batch_size=None))  # type: ignore[arg-type]
        assert pieces is not None
        assert torch.equal(torch.cat([*pieces]), game.sample(5, batch_size=5))  # type: ignore[arg-type]
