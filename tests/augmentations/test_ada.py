"""How ADA's probability follows the discriminator, in the log and in checkpoints, on one process and on two."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.arguments import CosineSchedule
from gan_lightning.augmentations import ADA, DiffAugment
from gan_lightning.callbacks import TrainingHealth
from gan_lightning.games.batch import GameBatch
from gan_lightning.inference.checkpoint import read_checkpoint
from gan_lightning.losses import minimax_discriminator
from gan_lightning.losses.terms import Terms
from gan_lightning.variants import BEGAN, DCGAN, LAPGAN, R3GAN, SRGAN, WGANGP, ConditionalGAN, CycleGAN, Pix2Pix
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small
from tests.trainer.test_ddp import two_processes


def step(augmentation: ADA, number: int, *real: list[float], images: int = 100) -> None:
    """One step, in which discriminators answer so on real images, and confidently right on fakes."""
    with augmentation.before([]):
        for answers in real:
            minimax_discriminator(torch.tensor(answers), torch.full((4,), -50.0))
    augmentation.end_step(images, number)


def logged(folder: Path, name: str) -> list[float]:
    """A value of the augmentation in the log, step by step."""
    rows = [line.split(",") for line in metrics_file(folder).splitlines()]
    return [float(row[rows[0].index(f"train/augmentation/{name}")]) for row in rows[1:]]


def test_p_follows_the_mean_sign_of_the_outputs_on_real_images() -> None:
    """By hand: r_t = mean of signs, after every second step, and 200 of 1000 images move p by 0.2."""
    augmentation = ADA(interval=2, images_to_one=1000)
    # Signs of (1, 1, 1, -1) and (1, 1, 1, 1): r_t = (1/2 + 1) / 2 = 3/4, above 0.6. The mean output is negative.
    step(augmentation, 1, [0.1, 0.2, 0.3, -90.0])
    assert augmentation.adaptive_p == 0, "in between it stays"
    step(augmentation, 2, [0.1, 0.1, 2.0, 3.0])
    assert augmentation.r_t == 0.75
    assert augmentation.adaptive_p == pytest.approx(0.2)
    # r_t = (1/2 + 1/2) / 2, below 0.6, though the mean output is large.
    step(augmentation, 3, [90.0, 90.0, 90.0, -0.1])
    step(augmentation, 4, [90.0, 90.0, 90.0, -0.1], images=20)
    assert augmentation.r_t == 0.5
    assert augmentation.adaptive_p == pytest.approx(0.2 - 0.12)
    # Never below 0.
    for number in range(5, 9):
        step(augmentation, number, [-1.0, -1.0, 1.0, 1.0])
    assert augmentation.adaptive_p == 0
    assert augmentation.r_t == 0


def test_the_defaults_are_the_authors() -> None:
    augmentation = ADA()
    for number in range(1, 9):
        step(augmentation, number, [1.0, 1.0], images=64)
    # Twice four steps of 64 images, of 500,000.
    assert augmentation.adaptive_p == pytest.approx(2 * 4 * 64 / 500_000)
    assert augmentation.target == 0.6


def test_several_discriminators_count_alike() -> None:
    augmentation = ADA(interval=1, target=0.4)
    step(augmentation, 1, [1.0, 1.0], [-1.0, 1.0])
    assert augmentation.r_t == 0.5


@pytest.mark.parametrize(("target", "rises"), [(-1.0, True), (1.0, False)])
@pytest.mark.parametrize("variant", [DCGAN, WGANGP, BEGAN, ConditionalGAN, R3GAN, Pix2Pix, CycleGAN, LAPGAN])
def test_every_game_drives_it(variant: Any, target: float, rises: bool, tmp_path: Path) -> None:
    """Below each target but 1 lies r_t at times, and above each but -1: p moves by the images of the steps."""
    model = small(variant, augmentation=partial(ADA, target=target, interval=2, images_to_one=200), n_critic=2)
    play(model, 4, tmp_path, batch_size=10, callbacks=[TrainingHealth()])
    augmentation: Any = model.augmentation
    r_t = float(augmentation.r_t)
    assert -1 <= r_t <= 1
    # Each step takes twice 10 images.
    expected = {True: 4 * 20 / 200, False: 0.0}[rises]
    assert augmentation.adaptive_p == pytest.approx(expected) or r_t == target
    assert logged(tmp_path, "p")[-1] == pytest.approx(float(augmentation.adaptive_p))
    assert logged(tmp_path, "r_t")[-1] == pytest.approx(r_t)


def test_a_schedule_follows_the_images(tmp_path: Path) -> None:
    """R3GAN's, half a cosine: after half of its images p is half-way."""
    schedule = CosineSchedule(0.0, 0.6, 80)
    model = small(DCGAN, augmentation=partial(ADA, p=schedule, brightness=0.5, cutout=1.0))
    play(model, 3, tmp_path, batch_size=20, callbacks=[TrainingHealth()])
    # What a step drew with: images seen before it are 0, 20 and 40.
    assert logged(tmp_path, "p") == pytest.approx([schedule(0), schedule(20), 0.3])
    assert not [name for name in model.state_dict() if name.startswith("augmentation")]
    path = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
    loaded: Any = DCGAN.load_from_checkpoint(path)
    assert loaded.augmentation.p(40) == pytest.approx(0.3)
    assert (loaded.augmentation.brightness, loaded.augmentation.cutout) == (0.5, 1.0)


@pytest.mark.parametrize("variant", [DCGAN, ConditionalGAN, CycleGAN])
def test_p_is_continued_in_the_same_bits(variant: Any, tmp_path: Path) -> None:
    """Killed between two changes of p, with outputs that are not yet counted, and p above 0."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options: dict[str, Any] = {"save_every": 3, "batch_size": 40}

    def made() -> Any:
        return small(variant, augmentation=partial(ADA, target=0.0, images_to_one=300))

    play(made(), 9, straight, callbacks=[TrainingHealth()], **options)
    for crash in (5, 8, None):  # resumed at steps 3 and 6; p changes after 4 and 8
        model = made()
        play(model, 9, broken, resume=True, crash_at=crash, callbacks=[TrainingHealth()], **options)
    state = last_state(straight)["state_dict"]
    assert {"augmentation.adaptive_p", "augmentation.r_t", "augmentation.pending"} <= {*state}
    assert_same_bits(last_state(broken), last_state(straight))
    for name in ("p", "r_t"):
        assert logged(broken, name) == logged(straight, name)
        assert len(logged(straight, name)) == 9
    assert float(model.augmentation.adaptive_p) == float(state["augmentation.adaptive_p"])


def test_p_is_kept_though_the_optimiser_alone_would_go_on(tmp_path: Path) -> None:
    """What a checkpoint without p would do: begin at 0 again."""
    play(small(DCGAN, augmentation=partial(ADA, target=-1.0, images_to_one=400)), 4, tmp_path, batch_size=20)
    path = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
    loaded: Any = DCGAN.load_from_checkpoint(path)
    assert loaded.augmentation.adaptive_p == pytest.approx(4 * 20 / 400)


@pytest.mark.parametrize(("first", "second"), [(None, ADA), (ADA, None), (ADA, DiffAugment), (DiffAugment, ADA)])
def test_a_run_may_go_on_with_another_augmentation(first: Any, second: Any, tmp_path: Path) -> None:
    play(small(DCGAN, augmentation=first), 2, tmp_path, batch_size=20)
    with pytest.warns(UserWarning, match="augmentation was .*from here on the new value holds"):
        play(small(DCGAN, augmentation=second), 4, tmp_path, batch_size=20, resume=True)
    assert last_state(tmp_path)["global_step"] == 4
    assert read_checkpoint(run_directory(tmp_path) / "checkpoints" / "last.ckpt")["gan_lightning"]["game_step"] == 4


def test_all_processes_have_one_p_that_all_of_their_images_drive(tmp_path: Path) -> None:
    """Their r_t differ, as their images do; the mean of them is the one that counts, and the images of both do."""
    ranks = two_processes(
        small(DCGAN, augmentation=partial(ADA, interval=3, target=-1.0, images_to_one=1000)), tmp_path, steps=4
    )
    one, other = (rank["own"] for rank in ranks)
    for name in ("adaptive_p", "r_t"):
        assert torch.equal(one[f"augmentation.{name}"], other[f"augmentation.{name}"])
    assert one["augmentation.adaptive_p"] in (pytest.approx(3 * 40 / 1000), 0)
    assert one["augmentation.pending"][2] == 40
    saved = last_state(tmp_path)["gan_lightning"]["buffers"]
    for rank in range(2):
        assert torch.equal(saved[rank]["augmentation.pending"], ranks[rank]["own"]["augmentation.pending"])


def test_the_mean_of_two_processes_is_that_of_the_joined_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    augmentation = ADA(interval=1)

    def average(tensors: list[Tensor]) -> None:
        # The other process: r_t = -1, of one report.
        for tensor in tensors:
            tensor.add_(torch.tensor([-1.0, 1.0])).div_(2)

    monkeypatch.setattr("gan_lightning.augmentations.ada.average_over_processes", average)
    step(augmentation, 1, [1.0, 1.0])
    assert augmentation.r_t == 0


def test_p_keeps_its_digits_in_bfloat16(tmp_path: Path) -> None:
    augmentation = ADA(p=None).to(torch.bfloat16)
    assert augmentation.adaptive_p.dtype == torch.float32
    model = small(DCGAN, augmentation=partial(ADA, target=-1.0, interval=1))
    play(model, 3, tmp_path, batch_size=20, precision="bf16-true")
    assert model.augmentation.adaptive_p in (pytest.approx(3 * 20 / 500_000), 0)  # type: ignore[union-attr]


def test_a_loss_that_reports_no_accuracy_is_named(tmp_path: Path) -> None:
    class Silent(DCGAN):
        def discriminator_loss(self, batch: GameBatch) -> Terms:
            return {"adversarial": (self.discriminator(batch.fake) - self.discriminator(batch.real)).mean()}

    with pytest.raises(ValueError, match="ADA follows the discriminator's accuracy on real images"):
        play(small(Silent, augmentation=ADA), 1, tmp_path)
    play(small(Silent, augmentation=partial(ADA, p=0.3)), 1, tmp_path / "fixed")


def test_a_warm_up_without_a_discriminator_moves_nothing(tmp_path: Path) -> None:
    model: Any = small(SRGAN, warm_up_steps=3, augmentation=partial(ADA, target=-1.0, interval=1, images_to_one=100))
    play(model, 3, tmp_path, batch_size=20)
    assert model.augmentation.adaptive_p == 0
    play(model, 6, tmp_path / "on", batch_size=20)
    assert model.augmentation.pending[2] == 0


def test_a_generator_learns_through_it() -> None:
    """A gradient reaches the pixels of a fake through every kind of transformation."""
    torch.manual_seed(0)
    fake = nn.Parameter(torch.rand(16, 3, 16, 16))
    (seen,) = ADA(p=0.8, band_filter=1, noise=1)(fake)
    seen.square().sum().backward()
    assert fake.grad is not None
    assert (fake.grad.flatten(1).abs().sum(dim=1) > 0).all()
