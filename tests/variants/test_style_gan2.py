"""StyleGAN2: lazy penalties with their factors, path lengths of a linear generator, mixing, R1's automatic weight."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.callbacks import FastTraining
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import StyleGAN2Generator
from gan_lightning.networks.layers.styles import mix, random_crossovers
from gan_lightning.regularizers import path_lengths, r1_penalty
from gan_lightning.variants import StyleGAN, StyleGAN2
from tests.helpers.games import answered, assert_same_bits, last_state, metrics_file, play, small


def test_losses_are_the_papers() -> None:
    discriminator, generator = answered(small(StyleGAN2), real=[1.0, -2.0], fake=[0.5, 3.0])
    softplus = lambda x: math.log1p(math.exp(x))  # noqa: E731
    expected = (softplus(-1) + softplus(2)) / 2 + (softplus(0.5) + softplus(3)) / 2
    assert sum(discriminator.values()) == pytest.approx(expected, rel=1e-6)
    assert sum(generator.values()) == pytest.approx((softplus(-0.5) + softplus(-3)) / 2, rel=1e-6)


def test_path_lengths_of_a_linear_generator() -> None:
    """Images A w, for each of two layers: J^T y = A^T y, whose squared length has the mean ||A||_F^2 / (H W)."""
    torch.manual_seed(0)
    matrix = torch.randn(3 * 4 * 4, 5, dtype=torch.float64)
    styles = torch.randn(4000, 2, 5, dtype=torch.float64, requires_grad=True)
    images = (styles.sum(1) @ matrix.t()).unflatten(1, (3, 4, 4))
    lengths = path_lengths(images, styles)
    assert lengths.shape == (4000,)
    # A sum of 5 correlated squares: its deviation is at most sqrt(2) times the mean, and of 4000 2 % of it.
    expected = matrix.square().sum().item() / 16
    assert lengths.square().mean().item() == pytest.approx(expected, rel=5 * math.sqrt(2 / 4000))


def test_path_length_term(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 E (l - a)^2 on half a batch, with a moved by a hundredth of the way before it is used."""
    model = small(StyleGAN2)
    lengths = torch.tensor([1.0, 3.0])
    given: list[tuple[int, ...]] = []

    def fixed(images: Tensor, styles: Tensor) -> Tensor:
        given.append(tuple(styles.shape))
        return lengths

    monkeypatch.setattr("gan_lightning.variants.style_gan2.path_lengths", fixed)
    batch = GameBatch(torch.zeros(4, 1, 16, 16), latent=torch.zeros(4, 4))
    term = model.generator_penalty(batch)["path_length"]
    assert given == [(2, 6, 6)]
    mean = 0.01 * 2.0
    assert model.path_length_mean.item() == pytest.approx(mean)
    assert term.item() == pytest.approx(2 * ((1 - mean) ** 2 + (3 - mean) ** 2) / 2)


def test_path_lengths_in_mixed_precision_are_of_float32() -> None:
    model = small(StyleGAN2)
    batch = GameBatch(torch.zeros(8, 1, 16, 16), latent=torch.zeros(8, 4))
    terms, means = [], []
    for mixed in (False, True):
        torch.manual_seed(3)
        model.path_length_mean.zero_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            term = model.generator_penalty(batch)["path_length"]
        terms.append((term, *torch.autograd.grad(term, [*model.generator.parameters()], allow_unused=True)))
        means.append(model.path_length_mean.clone())
    assert_same_bits(terms[0], terms[1])
    assert torch.equal(*means)


def test_penalties_are_lazy_and_multiplied_by_their_intervals(tmp_path: Path) -> None:
    model = small(StyleGAN2, penalty_interval=3, generator_penalty_interval=2, r1_weight=1.0)
    steps: dict[str, list[int]] = {"r1": [], "path_length": []}

    def noting(penalty: Any, name: str) -> Any:
        def noted(batch: GameBatch) -> Any:
            steps[name].append(model.game_step)
            return penalty(batch)

        return noted

    for hook, name in (("discriminator_penalty", "r1"), ("generator_penalty", "path_length")):
        setattr(model, hook, noting(getattr(model, hook), name))
    play(model, 7, tmp_path, batch_size=20)
    assert steps == {"r1": [0, 3, 6], "path_length": [0, 2, 4, 6]}
    header, *rows = (line.split(",") for line in metrics_file(tmp_path).splitlines())
    log = [dict(zip(header, row, strict=True)) for row in rows]
    for player, name, interval in (("discriminator", "r1", 3), ("generator", "path_length", 2)):
        first = log[0]
        others = [n for n in header if n.startswith(f"train/{player}/") and n.split("/")[-1] not in ("loss", name)]
        rest = sum(float(first[n]) for n in others)
        assert float(first[f"train/{player}/loss"]) == pytest.approx(
            rest + interval * float(first[f"train/{player}/{name}"]), rel=1e-4
        )


def test_r1_of_real_images_and_its_automatic_weight(tmp_path: Path) -> None:
    model = small(StyleGAN2, penalty_interval=1, path_length_weight=0.0)
    play(model, 1, tmp_path, batch_size=20)
    assert model.gamma(20) == pytest.approx(0.0002 * 16 * 16 / 20)
    batch = GameBatch(torch.randn(4, 1, 16, 16))
    expected = model.gamma(4) * r1_penalty(model.discriminator, batch.real)
    assert_close(model.discriminator_penalty(batch)["r1"], expected)
    assert small(StyleGAN2, r1_weight=3.0).gamma(8) == 3.0
    assert small(StyleGAN2).gamma(20) == pytest.approx(0.0002 * 16 * 16 / 20)  # without a trainer


def test_mixing_takes_layers_from_a_random_one_on() -> None:
    styles, others = torch.zeros(3, 4, 2), torch.ones(3, 4, 2)
    assert_close(
        mix(styles, others, torch.tensor([1, 4, 2]))[:, :, 0], torch.tensor([[0.0, 1, 1, 1], [0] * 4, [0, 0, 1, 1]])
    )
    assert_close(mix(styles, others, 1, 3)[0, :, 0], torch.tensor([0.0, 1, 1, 0]))
    torch.manual_seed(0)
    crossovers = random_crossovers(20_000, 5, 0.9, torch.device("cpu"))
    counts = torch.bincount(crossovers, minlength=6).double() / 20_000
    assert counts[0] == 0
    # Four standard deviations of a share of 20,000
    assert_close(counts[1:5], torch.full((4,), 0.225, dtype=torch.float64), rtol=0, atol=4 * 0.003)
    assert counts[5].item() == pytest.approx(0.1, abs=4 * 0.0022)


@pytest.mark.parametrize("variant", [StyleGAN, StyleGAN2])
@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_fakes_are_mixed_in_training(variant: Any, probability: float) -> None:
    model = small(variant, mixing_probability=probability)
    torch.manual_seed(0)
    styles = model.random_styles(torch.randn(8, 4))
    alike = (styles[:, :1] == styles).all(2)
    assert alike[:, 0].all()
    assert alike[:, -1].all() if probability == 0 else not alike[:, -1].any()


def test_layers_are_mixed_among_those_of_the_level() -> None:
    """At level 1, 8 x 8 pixels, four layers make an image: all of the images are mixed within these."""
    model = small(StyleGAN, mixing_probability=1.0, growth=1.0)
    torch.manual_seed(0)
    styles = model.random_styles(torch.randn(50, 4))
    changes = (styles[:, :1] != styles).any(2).int().argmax(1)
    assert styles.shape[1] == 6
    assert set(changes.tolist()) == {1, 2, 3}  # One of them is missing with a chance of 3 (2 / 3)^50.


def test_with_classes_both_players_are_conditional() -> None:
    model = small(StyleGAN2, num_classes=3)
    one, other = (model.sample(4, labels=[label]) for label in (0, 2))
    assert (one - other).abs().max() > 0
    free = small(StyleGAN2, num_classes=3, conditional=False)
    assert free.num_classes is None
    assert free.sample(2).shape == (2, 1, 16, 16)


def test_the_means_resume_exactly(tmp_path: Path) -> None:
    """Of path lengths and of styles: between two penalties, and where one has just been computed."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    make = lambda: small(StyleGAN2, penalty_interval=3, generator_penalty_interval=2)  # noqa: E731
    play(make(), 8, straight, batch_size=20)
    for crash in (3, 4, None):
        play(make(), 8, broken, batch_size=20, resume=True, crash_at=crash)
    state = last_state(broken)
    assert state["state_dict"]["path_length_mean"] > 0
    assert state["state_dict"]["generator.mapping.mean_style"].any()
    assert_same_bits(state, last_state(straight))
    assert metrics_file(broken) == metrics_file(straight)


def test_a_discriminator_with_batch_norm_is_refused() -> None:
    class Normalised(nn.Sequential):
        def __init__(self, image_shape: tuple[int, int, int]) -> None:
            super().__init__(nn.Conv2d(1, 2, 16), nn.BatchNorm2d(2), nn.Flatten())

    with pytest.raises(ValueError, match="BatchNorm"):
        small(StyleGAN2, discriminator=Normalised)


def test_path_lengths_of_a_frozen_mapping_network(tmp_path: Path) -> None:
    """The first layer of the generator: its styles stay, and the images of them are regularised."""
    model = small(StyleGAN2, freeze_generator=1)
    before = model.generator.mapping.layers[0].weight.clone()
    play(model, 1, tmp_path, batch_size=20)
    assert model.path_length_mean > 0
    assert torch.equal(model.generator.mapping.layers[0].weight, before)


@pytest.mark.parametrize("variant", [StyleGAN, StyleGAN2])
def test_compiled_generators_make_the_fakes(variant: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of styles too: it is the generator's call that is compiled, and no other method."""
    operations = set()

    def backend(graph: Any, inputs: list[Any]) -> Any:
        operations.update(getattr(node.target, "__name__", "") for node in graph.graph.nodes)
        return graph.forward

    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compile_(self, backend=backend))
    torch.compiler.reset()
    fast = FastTraining(tf32=False, cudnn_benchmark=False, channels_last=False, bf16=False, compile=True)
    options: dict[str, Any] = {"growth": 2.0} if variant is StyleGAN else {}
    play(small(variant, **options), 1, tmp_path, batch_size=20, callbacks=[fast])
    torch.compiler.reset()
    # To twice the side in the generator, to half of it in the discriminator
    assert {"conv_transpose2d", "conv2d"} <= operations


@pytest.mark.parametrize("side", [64, 128, 256, 512])
def test_the_config_of_a_folder_is_the_authors_automatic_one(side: int) -> None:
    """``auto`` of StyleGAN2-ADA's ``train.py`` on one GPU, worked out for each size; below 1024 pixels."""
    config = yaml.safe_load((Path(__file__).parents[2] / "configs" / "style_gan2_image_folder.yaml").read_text())
    given = config["model"]["init_args"]
    assert given.pop("augmentation") == "ADA"
    rates = {given.pop(f"{player}_optimizer")["init_args"]["lr"] for player in ("generator", "discriminator")}
    generator = partial(StyleGAN2Generator, **given.pop("generator")["init_args"])
    with torch.device("meta"):
        model: Any = StyleGAN2(image_shape=(3, side, side), generator=generator, **given)
    batch = min(4096 // side, 32)
    widths = {4 * 2**level: 0 for level in range(int(math.log2(side)) - 1)}
    for layer in model.generator.layers:
        widths[layer.noise.constant.shape[-1]] = layer.bias.shape[0]
    base = int(32768 * (1 if side >= 512 else 0.5))
    assert widths == {at: min(base // at, 512) for at in widths}
    assert model.discriminator.from_image.weight.shape[0] == widths[side]
    assert len(model.generator.mapping.layers) == 2
    assert min(model.discriminator.deviation.group_size, batch) == min(batch, 4)
    assert rates == {0.0025}
    assert model.gamma(batch) == pytest.approx(0.0002 * side**2 / batch)
    for seen in (0, 10_000, 10**9):
        half_life = max(min(batch * 10 / 32 * 1000, seen * 0.05), 1e-8)
        assert model.ema.decay_at(1, batch, seen) == pytest.approx(0.5 ** (batch / half_life))
    # What it has of the paper: path lengths, mixing, and no classes unless they are asked for.
    assert (model.path_length_weight, model.mixing_probability, model.num_classes) == (2.0, 0.9, None)
    assert (model.penalty_interval, model.generator_penalty_interval) == (16, 4)
