"""What is special to LAPGAN: levels that learn from the data's own low-pass images, apart or together."""

import re
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import LAPGANCoarseDiscriminator, LAPGANDiscriminator, LAPGANGenerator
from gan_lightning.networks.layers.laplacian import collapse, down, up
from gan_lightning.variants import LAPGAN
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small


def make(**arguments: Any) -> Any:
    """A small game of levels 4, 8 and 16 without dropout, whose draws would depend on who plays."""
    return small(
        LAPGAN,
        discriminator=partial(LAPGANDiscriminator, width=4, dropout=0.0),
        coarse_discriminator=partial(LAPGANCoarseDiscriminator, hidden=8, dropout=0.0),
        **arguments,
    )


def level(state: dict[str, Tensor], side: int) -> dict[str, Tensor]:
    part = re.compile(rf"(generator\.levels|discriminator|ema\.module\.levels)\.{side}\.")
    return {name: value for name, value in state.items() if part.match(name)}


def checkpoint(folder: Path) -> Path:
    return run_directory(folder) / "checkpoints" / "last.ckpt"


class Says(nn.Module):
    """A generator that answers the same, whatever it is given, and remembers what it was given."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer
        self.given: list[tuple[Tensor, ...]] = []

    def forward(self, *inputs: Tensor) -> Tensor:
        self.given.append(inputs)
        return self.answer.expand(len(inputs[0]), *self.answer.shape)


@pytest.fixture
def answers() -> list[Tensor]:
    """An image of 4 x 4, residuals of 8 x 8 and 16 x 16: half-way they are beyond [-1, 1], as they are at the end."""
    torch.manual_seed(0)
    return [torch.rand(1, 4, 4), torch.rand(1, 8, 8) * 2, torch.rand(1, 16, 16) * -3]


def test_a_sample_is_its_collapsed_pyramid_cut_off_at_its_end_only(answers: list[Tensor]) -> None:
    model = make(ema_decay=None)
    for side, answer in zip(model.sides, answers, strict=True):
        model.generator.levels[str(side)] = Says(answer)
    whole = collapse([answer[None] for answer in answers])
    assert whole.min() < -1
    assert collapse([answer[None] for answer in answers[:2]]).max() > 1
    samples = model.sample(3)
    assert_close(samples, whole.clamp(-1, 1).expand(3, -1, -1, -1))
    coarse, middle, fine = (model.generator.levels[str(side)].given[0] for side in model.sides)
    assert len(coarse) == 1
    assert_close(middle[1][0], up(answers[0][None], 8)[0])
    assert_close(fine[1][0], up(collapse([answer[None] for answer in answers[:2]]), 16)[0])


def test_in_training_a_level_is_given_the_datas_low_pass_images(answers: list[Tensor]) -> None:
    model = make()
    for side, answer in zip(model.sides, answers, strict=True):
        model.generator.levels[str(side)] = Says(answer)
    real = torch.rand(5, 1, 16, 16) * 2 - 1
    batch = model.draw_latents(GameBatch(real))
    fake = model.generate_fakes(batch)
    middle = down(real, 8)
    low_pass = {8: up(down(middle, 4), 8), 16: up(middle, 16)}
    for side in (8, 16):
        noise, given = model.generator.levels[str(side)].given[0]
        assert noise.shape == (5, 1, side, side)
        assert_close(given, low_pass[side])
        assert_close(fake[side], low_pass[side] + answers[side // 8][None])
    assert_close(fake[4], answers[0].expand(5, 1, 4, 4))
    assert_close(batch.real, {4: down(middle, 4), 8: middle, 16: real})


def test_each_level_plays_the_game_of_its_own_discriminator() -> None:
    class Mean(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(1, 2, 3))

    model = make()
    model.discriminator = nn.ModuleDict({str(side): Mean() for side in model.sides})
    values = {4: (0.5, -0.2), 8: (0.1, 0.3), 16: (-0.4, 0.7)}
    real, fake = ({side: torch.full((2, 1, side, side), both[i]) for side, both in values.items()} for i in (0, 1))
    batch = GameBatch(real, None, None, fake)
    expected = {}
    for side, (on_real, on_fake) in values.items():
        expected[f"real_{side}"] = -torch.tensor(on_real).sigmoid().log()
        expected[f"fake_{side}"] = -(1 - torch.tensor(on_fake).sigmoid()).log()
    assert_close(model.discriminator_loss(batch), expected)
    expected = {f"adversarial_{side}": -torch.tensor(both[1]).sigmoid().log() for side, both in values.items()}
    assert_close(model.generator_loss(batch), expected)


def test_the_noise_of_a_sample_is_its_own() -> None:
    model = make(ema_decay=None)
    planes: dict[int, list[Tensor]] = {8: [], 16: []}
    for side, seen in planes.items():
        model.generator.levels[str(side)].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
    images = model.sample(6, seed=3, batch_size=4)
    assert_close(model.sample(2, seed=3, start=3), images[3:5])
    for seen in planes.values():
        drawn = torch.cat(seen[:2])
        assert torch.equal(seen[2], drawn[3:5])
        assert len(torch.unique(drawn, dim=0)) == 6
    assert not torch.equal(planes[16][0][..., :8, :8], planes[8][0])
    assert not torch.equal(model.sample(6, seed=4), images)


def test_levels_learn_the_same_apart_as_together(tmp_path: Path) -> None:
    together = make()
    before = deepcopy(together.state_dict())
    play(together, 3, tmp_path / "together")
    for side in together.sides:
        alone = make(levels=[side])
        play(alone, 3, tmp_path / str(side))
        assert_same_bits(level(alone.state_dict(), side), level(together.state_dict(), side))
        for other in set(together.sides) - {side}:
            assert_same_bits(level(alone.state_dict(), other), level(before, other))
            assert not torch.equal(
                alone.state_dict()[f"generator.levels.{side}.layers.0.weight"],
                before[f"generator.levels.{side}.layers.0.weight"],
            )


def test_levels_may_take_turns_in_one_run(tmp_path: Path) -> None:
    """Those that rest keep their weights, their average and what the optimisers remember of them."""
    play(make(levels=[4, 16], ema_decay=0.5), 3, tmp_path)
    before = last_state(tmp_path)
    with pytest.warns(UserWarning, match="levels was"):
        play(make(levels=[8], ema_decay=0.5), 6, tmp_path, resume=True)
    after = last_state(tmp_path)
    for side in (4, 16):
        assert_same_bits(level(after["state_dict"], side), level(before["state_dict"], side))
    was, now = (level(state["state_dict"], 8) for state in (before, after))
    assert all(not torch.equal(was[name], now[name]) for name in was)
    for old, new in zip(before["optimizer_states"], after["optimizer_states"], strict=True):
        assert len(old["state"]) > 0
        assert_same_bits({index: new["state"][index] for index in old["state"]}, old["state"])
        assert len(new["state"]) == len(new["param_groups"][0]["params"])


def test_levels_of_several_runs_are_joined(tmp_path: Path) -> None:
    for side in (4, 8):
        torch.manual_seed(side)
        play(small(LAPGAN, levels=[side]), 2, tmp_path / str(side), seed=side)
    paths = {side: str(checkpoint(tmp_path / str(side))) for side in (4, 8)}
    play(small(LAPGAN, levels=[16], from_levels=paths), 2, tmp_path / "joined")
    joined = last_state(tmp_path / "joined")["state_dict"]
    for side in (4, 8):
        assert_same_bits(level(joined, side), level(last_state(tmp_path / str(side))["state_dict"], side))
        checkpoint(tmp_path / str(side)).unlink()  # It is in the joined one now.
    model = inference.load(checkpoint(tmp_path / "joined"))
    (samples,) = inference.generate(model, 5)
    assert samples.shape == (5, 1, 16, 16)
    play(small(LAPGAN, levels=[16], from_levels=paths), 3, tmp_path / "joined", resume=True)
    after = last_state(tmp_path / "joined")["state_dict"]
    for side in (4, 8):
        assert_same_bits(level(after, side), level(joined, side))


def test_a_level_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    play(make(levels=[4], ema_decay=None), 1, tmp_path / "one")
    path = str(checkpoint(tmp_path / "one"))
    with pytest.raises(ValueError, match=r"last\.ckpt has no level of side 4 with the networks, or with the average"):
        play(make(from_levels={4: path}), 1, tmp_path / "two")
    with pytest.raises(ValueError, match="There is no checkpoint nowhere"):
        play(make(from_levels={4: "nowhere"}), 1, tmp_path / "three")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (1, 16, 18)}, "18 cannot be halved twice"),
        ({"image_shape": (1, 16, 18), "sides": [4, 16]}, "sides has 4, and an image of 16 x 18 is not a whole number"),
        ({"image_shape": (1, 30, 30)}, "30 cannot be halved twice: give LAPGAN its sides"),
        ({"sides": [8, 14]}, r"sides is \[8, 14\]: it must be two sides or more that grow up to the image's 16."),
        ({"sides": [8, 4, 16]}, r"sides is \[8, 4, 16\]"),
        ({"sides": [16]}, r"sides is \[16\]"),
        ({"levels": [0]}, r"levels names 0, and the sides of the levels are \[4, 8, 16\]."),
        ({"levels": []}, r"levels is empty: name the sides of levels that learn, of \[4, 8, 16\]."),
        ({"from_levels": {32: "a.ckpt"}}, "from_levels names 32"),
        ({"latent_dim": 0}, "latent_dim is 0: it must be at least 1."),
    ],
)
def test_levels_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(LAPGAN, **arguments)


def test_the_papers_sides_are_possible() -> None:
    model: Any = small(LAPGAN, side=28, sides=[8, 14, 28])
    assert model.sample(2).shape == (2, 1, 28, 28)
    assert model.latent_dim == 4 + 14**2 + 28**2


def test_the_networks_are_the_authors() -> None:
    """Counted by hand: 7 x 7, 7 x 7 and 5 x 5 from 4 channels to 3; 5 x 5 twice; hidden layers of 1200 and of 600."""

    def count(network: nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    model: Any = LAPGAN()
    assert model.sides == [8, 16, 32]
    assert [count(model.generator.levels[side]) for side in ("8", "16", "32")] == [1_792_992, 218_179, 218_179]
    assert [count(model.discriminator[side]) for side in ("8", "16", "32")] == [477_001, 111_425, 123_713]


def test_residuals_have_no_bound() -> None:
    network = LAPGANGenerator((1, 8, 8), width=4)
    for weight in network.parameters():
        weight.data.mul_(10)
    assert network(torch.randn(4, 1, 8, 8), torch.rand(4, 1, 8, 8)).abs().max() > 2
