"""ProGAN: its losses by hand, growth with the images seen, exact resume within a fade and across a growth."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.arguments import GrowthSchedule
from gan_lightning.callbacks import FastTraining
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ConvGenerator
from gan_lightning.variants import ProGAN, StyleGAN
from tests.helpers.games import (
    answered,
    assert_same_bits,
    last_state,
    metrics_file,
    play,
    small,
)

GROWING = [ProGAN, StyleGAN]
FAST = GrowthSchedule(stable=60, fade=80)
"""With batches of 20: three steps at 4 x 4, four of the fade to 8 x 8, three there, four of the fade to 16 x 16."""


def test_losses_are_the_papers() -> None:
    model = small(ProGAN, drift_weight=0.5)
    discriminator, generator = answered(model, real=[3.0, -1.0], fake=[0.5, 2.5])
    # E D(G(z)) - E D(x), and half of the mean of 9 and 1
    assert discriminator["real"] + discriminator["fake"] == pytest.approx(1.5 - 1.0)
    assert discriminator["drift"] == pytest.approx(0.5 * 5.0)
    assert sum(generator.values()) == pytest.approx(-1.5)


@pytest.mark.parametrize("variant", GROWING)
def test_networks_grow_with_the_images_seen(variant: Any, tmp_path: Path) -> None:
    model = small(variant, growth=FAST)
    seen: list[tuple[float, int, int]] = []
    judge = model.discriminator.forward

    def noted(images: Tensor) -> Tensor:
        seen.append((model.level, images.shape[-1], model.averaged_generator.level == model.level))
        return judge(images)

    model.discriminator.forward = noted
    play(model, 16, tmp_path, batch_size=20)
    levels = list(dict.fromkeys(level for level, _, _ in seen))
    # Images seen before a step: 0, 20, ...; the first of a fade is of weight 0, which is the level before.
    assert levels == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2])
    for level, side, together in seen:
        assert side == (4 if level == 0 else 8 if level <= 1 else 16)
        assert together


@pytest.mark.parametrize("variant", GROWING)
def test_samples_have_the_full_size_from_the_start(variant: Any) -> None:
    model = small(variant, growth=FAST)
    images = model.sample(2)
    assert images.shape == (2, 1, 16, 16)
    assert model.level == 0
    # 4 x 4 pixels, each sixteen times
    assert_close(images, images[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_a_latent_keeps_its_picture_where_a_level_begins() -> None:
    """Figure 15.9 d of Understanding Deep Learning: a picture gains details and does not change."""
    model = small(ProGAN, growth=1.0)
    before = model.sample(3, seed=4)
    for network in (model.generator, model.averaged_generator):
        network.level = 1.01
    # A hundredth of what the new layers make
    assert_close(model.sample(3, seed=4), before, rtol=0, atol=0.05 * before.abs().max().item())


@pytest.mark.parametrize("variant", GROWING)
def test_resume_is_exact_within_a_fade_and_across_a_growth(variant: Any, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options: dict[str, Any] = {"batch_size": 20, "save_every": 1}
    play(small(variant, growth=FAST), 14, straight, **options)
    # After 5 steps in the first fade, after 4 and 11 where a level has just begun
    for crash in (4, 5, 11, None):
        play(small(variant, growth=FAST), 14, broken, resume=True, crash_at=crash, **options)
    assert_same_bits(last_state(broken), last_state(straight))
    assert metrics_file(broken) == metrics_file(straight)


@pytest.mark.parametrize("reset", [True, False])
def test_optimisers_forget_their_moments_where_a_level_begins(reset: bool, tmp_path: Path) -> None:
    model = small(ProGAN, growth=FAST, reset_optimizers=reset)
    play(model, 6, tmp_path, batch_size=20)
    # Step 5, of 80 images seen, was the first at level 1; step 4 is that of weight 0 and still level 0.
    counts = {
        name: int(state["step"])
        for player in ("discriminator", "generator")
        for name, state in zip(
            [name for name, _ in getattr(model, player).named_parameters()],
            [model.optimizer_of(player).optimizer.state[w] for w in getattr(model, player).parameters()],
            strict=True,
        )
        if state
    }
    assert counts["blocks.0.conv.weight"] == (2 if reset else 6)  # the generator's coarsest block
    assert counts["to_images.1.weight"] == 2
    assert "to_images.2.weight" not in counts


@pytest.mark.parametrize("variant", GROWING)
def test_averages_of_layers_that_take_no_part_yet_are_left_alone(variant: Any) -> None:
    """They are as long as all others together, and would be read and written in every step."""
    model = small(variant, growth=1.0)
    average = dict(model.averaged_generator.named_parameters())
    before = {name: weight.clone() for name, weight in average.items()}
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight += 1
    images: dict[str, int] = {"images": 20, "seen": 20}
    for level in (1, 1.1):
        model.generator.level = level
        model.ema.update(model.generator, 1, **images)
        idle = {name for name, weight in average.items() if torch.equal(weight, before[name])}
        above = {name for name in average if name.startswith(("blocks.2.", "to_images.2."))}
        assert len(above) > 0
        assert idle == (above if level == 1 else set())


def test_penalties_have_the_papers_weights() -> None:
    """10 times the gradient penalty; 10 / 2 times R1, of StyleGAN, which begins at 8 x 8."""
    # D(x) = 3 sum(x): a gradient of length 3 * 4 at 4 x 4, and of 3 * 8 at 8 x 8.
    batch = GameBatch(torch.zeros(4, 1, 4, 4), fake=torch.ones(4, 1, 4, 4))
    model, style = small(ProGAN), small(StyleGAN)
    for game in (model, style):
        game.discriminator.forward = lambda images: 3 * images.sum((1, 2, 3))
    assert model.discriminator_penalty(batch)["gradient_penalty"].item() == pytest.approx(10 * 11**2)
    batch = GameBatch(torch.zeros(4, 1, 8, 8))
    assert style.discriminator_penalty(batch)["r1"].item() == pytest.approx(5 * 24**2)
    assert (model.level, style.level) == (0, 1)


def test_real_images_of_a_step_are_averaged_and_those_of_a_validation_are_not() -> None:
    model = small(ProGAN, growth=FAST)
    raw = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8)
    full = raw.float() / 127.5 - 1
    assert_close(model.train().prepare_batch(raw).real, full.unflatten(3, (4, 4)).unflatten(2, (4, 4)).mean((3, 5)))
    assert_close(model.eval().prepare_batch(raw).real, full)


def test_networks_that_do_not_grow_are_refused() -> None:
    with pytest.raises(TypeError, match="ProGAN's networks grow, and its generator is a ConvGenerator, which does not"):
        small(ProGAN, generator=ConvGenerator)


def test_compiled_networks_stay_compiled_to_the_last_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch compiles a function some times and then no more; each level and each fade is one of these."""
    sides = set()

    def backend(graph: Any, inputs: list[Any]) -> Any:
        sides.update(each.shape[-1] for each in inputs if isinstance(each, Tensor) and each.ndim == 4)
        return graph.forward

    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compile_(self, backend=backend, dynamic=False))
    torch.compiler.reset()
    fast = FastTraining(tf32=False, cudnn_benchmark=False, channels_last=False, bf16=False, compile=True)
    model = small(ProGAN, side=64, growth=GrowthSchedule(stable=20, fade=20))
    play(model, 10, tmp_path, batch_size=20, side=64, callbacks=[fast])
    torch.compiler.reset()
    assert model.level == 4
    assert 64 in sides
