"""What is special to SRGAN: the warm-up, the scale of the content loss, VGG19 out of sight, tiles, and the measures."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.testing import assert_close

from datamodules import SuperResolutionDataModule
from datamodules.components.bicubic import upscale
from gan_lightning.games.batch import GameBatch
from gan_lightning.metrics.luminance import psnr, ssim
from gan_lightning.networks.vgg import VGG19Features
from gan_lightning.variants import SRGAN
from tests.helpers.games import assert_same_bits, example_batch, last_state, metrics_file, play, small
from tests.helpers.stand_ins import vgg19

CONFIGS = Path(__file__).parent.parent.parent / "configs"


class Means(nn.Module):
    """Judges an image by its mean."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3))


def planes(real: float, fake: float) -> GameBatch:
    plane = torch.ones(2, 1, 16, 16)
    return GameBatch(real * plane, condition=plane[:, :, :8, :8], fake=fake * plane)


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    torch.manual_seed(0)
    vgg19(tmp_path / "vgg19.pth")
    return str(tmp_path / "vgg19.pth")


def with_vgg(weights: str, **arguments: Any) -> SRGAN:
    model = small(SRGAN, vgg_weights=weights, **{"content": "vgg22", **arguments})
    assert isinstance(model, SRGAN)
    return model


def test_losses_by_hand() -> None:
    model = small(SRGAN)
    model.discriminator = Means()
    # sp(-0.5) = 0.474077, sp(-1) = 0.313262, sp(1) = 1.313262
    discriminator = values(model.discriminator_loss(planes(real=0.5, fake=-1.0)))
    assert discriminator == pytest.approx({"real": 0.474077, "fake": 0.313262}, abs=1e-6)
    generator = values(model.generator_loss(planes(real=0.5, fake=-1.0)))
    assert generator == pytest.approx({"content": 1.5**2, "adversarial": 1e-3 * 1.313262}, abs=1e-6)


def test_the_warm_up_is_on_pixels_alone(weights: str) -> None:
    model = with_vgg(weights, warm_up_steps=1)
    assert model.discriminator_loss(planes(0.5, -1.0)) == {}
    assert values(model.generator_loss(planes(0.5, -1.0))) == {"mse": 1.5**2}


def test_the_discriminator_sits_out_while_the_warm_up_lasts(tmp_path: Path, weights: str) -> None:
    begun = {name: value.clone() for name, value in small(SRGAN).discriminator.named_parameters()}
    for steps, moved in [(3, False), (4, True)]:
        model = with_vgg(weights, warm_up_steps=3)
        play(model, steps, tmp_path / str(steps))
        after = dict(model.discriminator.named_parameters())
        assert any(not torch.equal(begun[name], after[name]) for name in begun) is moved
    rows = metrics_file(tmp_path / "4").splitlines()
    columns = rows[0].split(",")
    at = {row.split(",")[columns.index("step")]: dict(zip(columns, row.split(","), strict=True)) for row in rows[1:]}
    assert at["3"]["train/generator/mse"]
    assert not at["3"]["train/generator/content"] + at["3"]["train/discriminator/loss"]
    assert at["4"]["train/generator/content"]
    assert at["4"]["train/discriminator/loss"]
    assert not at["4"]["train/generator/mse"]


def test_the_generators_optimiser_begins_anew_after_the_warm_up(tmp_path: Path, weights: str) -> None:
    for warm_up_steps, steps, counted in [(0, 2, 2), (3, 3, 3), (3, 4, 1), (3, 5, 2)]:
        model = with_vgg(weights, warm_up_steps=warm_up_steps)
        trainer = play(model, steps, tmp_path / f"{warm_up_steps}_{steps}")
        states = trainer.optimizers[1].state
        assert len(states) == len(list(model.generator.parameters()))
        assert {int(state["step"]) for state in states.values()} == {counted}


def test_a_run_that_is_killed_in_the_warm_up_resumes_in_the_same_bits(tmp_path: Path, weights: str) -> None:
    play(with_vgg(weights, warm_up_steps=3), 6, tmp_path / "straight")
    for crash in (2, 3, 4, None):
        play(with_vgg(weights, warm_up_steps=3), 6, tmp_path / "broken", resume=True, crash_at=crash)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
    assert metrics_file(tmp_path / "broken") == metrics_file(tmp_path / "straight")


class Doubled:
    """Two maps, of the images and of twice the images."""

    def __call__(self, images: Tensor) -> Tensor:
        return torch.cat([images, 2 * images], dim=1)


def test_content_is_summed_over_maps_and_scaled_as_published() -> None:
    model = small(SRGAN, content="vgg54")
    assert isinstance(model, SRGAN)
    model._features = Doubled()  # type: ignore[assignment]
    # (1 + 2^2) * 1.5^2 / 12.75^2; the paper gives the last factor as 0.006.
    content = model.content_loss(planes(real=0.5, fake=-1.0)).item()
    assert content == pytest.approx(5 * 2.25 / 12.75**2)
    assert content == pytest.approx(5 * 2.25 * 0.006, rel=0.03)


@pytest.mark.parametrize(("content", "maps"), [("vgg54", (5, 4)), ("vgg22", (2, 2))])
def test_content_compares_the_maps_of_the_table(weights: str, content: str, maps: tuple[int, int]) -> None:
    model = with_vgg(weights, content=content, vgg_scale=1.0)
    batch = GameBatch(torch.rand(2, 1, 16, 16), fake=torch.rand(2, 1, 16, 16, requires_grad=True))
    features = VGG19Features(*maps, weights)
    difference = features(batch.fake.detach()) - features(batch.real)
    n, _, height, width = difference.shape
    content_loss = model.content_loss(batch)
    assert content_loss.item() == pytest.approx(difference.square().sum().item() / (n * height * width))
    content_loss.backward()
    assert batch.fake.grad.abs().sum() > 0


def test_vgg_is_trained_averaged_and_saved_by_nobody(tmp_path: Path, weights: str) -> None:
    model = with_vgg(weights, ema_decay=0.5)
    play(model, 2, tmp_path)
    assert model._features is not None
    vgg = {id(weight) for weight in model._features.network.parameters()}
    assert len(vgg) == 10  # what prepares the image, and four convolutions
    assert not vgg & {id(weight) for weight in model.parameters()}
    held = [w for optimizer in model.trainer.optimizers for group in optimizer.param_groups for w in group["params"]]
    assert not vgg & {id(weight) for weight in held}
    names = last_state(tmp_path)["state_dict"].keys()
    assert {name.split(".")[0] for name in names} == {"generator", "discriminator", "ema"}


def test_vgg_keeps_its_digits_where_fakes_come_in_few(weights: str) -> None:
    """Under bf16-mixed the fakes are bfloat16 and the real images float32: the weights must not follow either."""
    model = with_vgg(weights)
    exact = model.features()(torch.ones(1, 1, 16, 16))
    model.content_loss(planes(0.5, -1.0))
    with torch.autocast("cpu", torch.bfloat16):
        made = model.features()(torch.ones(1, 1, 16, 16, dtype=torch.bfloat16))
    assert made.dtype == torch.bfloat16
    assert torch.equal(model.features()(torch.ones(1, 1, 16, 16)), exact)


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_vgg_has_the_games_number_type(tmp_path: Path, weights: str, precision: str) -> None:
    model = with_vgg(weights)
    play(model, 1, tmp_path, precision=precision)
    assert model._features is not None
    kind = torch.bfloat16 if precision == "bf16-true" else torch.float64
    assert {weight.dtype for weight in model._features.network.parameters()} == {kind}


def test_weights_that_are_missing_are_told_before_the_warm_up(tmp_path: Path) -> None:
    model = with_vgg(str(tmp_path / "none.pth"), warm_up_steps=100)
    with pytest.raises(FileNotFoundError, match=r"none\.pth: no such file"):
        play(model, 1, tmp_path)
    assert model.global_step == 0


def test_a_checkpoint_enlarges_without_vgg(tmp_path: Path, weights: str) -> None:
    play(with_vgg(weights), 1, tmp_path)
    Path(weights).unlink()
    loaded = SRGAN.load_from_checkpoint(tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt")
    assert loaded.translate(torch.zeros(1, 1, 5, 6)).shape == (1, 1, 10, 12)


def test_the_paper_is_the_default() -> None:
    model = SRGAN()
    assert sum(weight.numel() for weight in model.generator.parameters()) == 1_549_462
    assert sum(weight.numel() for weight in model.discriminator.parameters()) == 23_565_505
    assert (model.content, model.adversarial_weight, model.ema) == ("vgg54", 1e-3, None)
    for optimizer in model.configure_optimizers()[0]:
        assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]) == (1e-4, (0.9, 0.999))


def test_the_config_has_the_papers_schedule() -> None:
    config = yaml.safe_load((CONFIGS / "srgan_super_resolution.yaml").read_text())
    options = config["model"]["init_args"]
    assert config["trainer"]["max_steps"] == options["warm_up_steps"] + 200_000 == 1_200_000
    for player in ("generator", "discriminator"):
        scheduler = options[f"{player}_scheduler"]
        assert scheduler["class_path"] == "torch.optim.lr_scheduler.MultiStepLR"
        assert scheduler["init_args"] == {"milestones": [1_100_000], "gamma": 0.1}


def test_large_images_are_enlarged_in_tiles() -> None:
    model = small(SRGAN, tile_size=5).eval()
    images = torch.rand(1, 1, 31, 13) * 2 - 1
    whole = model.generator(images)
    sizes: list[torch.Size] = []
    model.generator.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape[2:]))
    assert_close(model.translate(images), whole.clamp(-1, 1), rtol=0, atol=1e-5)
    assert len(sizes) == 7 * 3
    assert max(max(size) for size in sizes) == 5 + 2 * model.generator.reach


class Copies(nn.Module):
    """Makes every pixel four, 2.7 times as far from grey."""

    def forward(self, images: Tensor) -> Tensor:
        return 2.7 * images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def test_a_generator_that_does_not_tell_its_reach_is_given_whole_images() -> None:
    model = small(SRGAN, tile_size=5)
    model.generator = Copies()
    images = torch.rand(2, 1, 9, 7) * 2 - 1
    assert torch.equal(model.translate(images), Copies()(images).clamp(-1, 1))


def test_batch_norm_takes_its_remembered_statistics_in_translation() -> None:
    model = small(SRGAN).train()
    before = {name: value.clone() for name, value in model.generator.named_buffers()}
    images = torch.rand(3, 1, 8, 8)
    assert_close(model.translate(images[:1]), model.translate(images)[:1])
    assert_same_bits(dict(model.generator.named_buffers()), before)
    assert model.generator.training


def test_the_measures_and_the_panels() -> None:
    torch.manual_seed(1)
    model = small(SRGAN)
    model.generator = Copies()
    high, low = example_batch(model, 2)
    batch = model.prepare_batch((high, low))
    made = (2.7 * (low.repeat_interleave(2, 2).repeat_interleave(2, 3) / 127.5 - 1) + 1) * 127.5
    whole_levels = made.round().clamp(0, 255).to(torch.uint8)
    expected = {"psnr": psnr(whole_levels, high, 2).mean(), "ssim": ssim(whole_levels, high, 2).mean()}
    assert values(model.validation_metrics(batch)) == pytest.approx(values(expected))
    same = GameBatch(whole_levels / 127.5 - 1, condition=batch.condition)
    assert values(model.validation_metrics(same)) == {"psnr": math.inf, "ssim": 1.0}
    bicubic, answer, truth = model.picture_columns(batch)
    assert torch.equal(((bicubic + 1) * 127.5).round().to(torch.uint8), upscale(low, 2))
    assert torch.equal(answer, model.translate(batch.condition))
    assert torch.equal(truth, batch.real)


def test_validation_logs_the_measures(tmp_path: Path) -> None:
    trainer = play(small(SRGAN), 2, tmp_path, val_check_interval=1)
    assert trainer.callback_metrics.keys() >= {"val/psnr", "val/ssim"}
    assert math.isfinite(trainer.callback_metrics["val/psnr"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition_shape": None}, "condition_shape is not known: SRGAN learns from images in two resolutions"),
        ({"content": "vgg16"}, "content is 'vgg16': it must be vgg54, vgg22 or mse."),
        ({"warm_up_steps": -1}, "warm_up_steps is -1 and tile_size is 128: they must be at least 0 and 1."),
        ({"tile_size": 0}, "warm_up_steps is 0 and tile_size is 0"),
        (
            {"content": "vgg54", "side": 8},
            "content vgg54 compares crops from 16 x 16 up, not 8 x 8: change the data's crop_size.",
        ),
    ],
)
def test_mistakes_are_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        small(SRGAN, **arguments)


def test_it_learns_photographs_better_than_bicubic(weights: str) -> None:
    """The real photographs and weights, if they are there: content falls by the real VGG19's gradient."""
    root, real = os.environ.get("GAN_LIGHTNING_TEST_DATA"), os.environ.get("GAN_LIGHTNING_TEST_VGG")
    if not (root and real and (Path(root) / "super_resolution").is_dir()):
        pytest.skip("GAN_LIGHTNING_TEST_DATA and GAN_LIGHTNING_TEST_VGG do not name photographs and VGG19's weights")
    data = SuperResolutionDataModule(str(Path(root) / "super_resolution"), batch_size=2, num_workers=0, crop_size=48)
    model = SRGAN((3, 48, 48), (3, 12, 12), vgg_weights=real, content="vgg54")
    batch = model.prepare_batch(next(iter(data.train_dataloader())))
    blurred = upscale(((batch.condition + 1) * 127.5).round().to(torch.uint8), 4) / 127.5 - 1
    near, far = (model.content_loss(GameBatch(batch.real, fake=fake)) for fake in (blurred, batch.real.flip(0)))
    assert 0 < near < far
