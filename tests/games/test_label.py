"""Games that are told a class: their samples' classes, and what is refused."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from datamodules import DigitsDataModule
from gan_lightning import inference
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.cli import main
from gan_lightning.games.label import LabelGame
from gan_lightning.variants import ACGAN, DCGAN, ConditionalGAN, ProjectionGAN, SemiSupervisedGAN, StarGAN
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import play, run_directory, small, vivid


class Shows(nn.Module):
    """An image whose every pixel is the label."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return (self.weight * labels)[:, None, None, None].expand(-1, 1, 16, 16)


def showing(**arguments: Any) -> LabelGame:
    """A game whose samples show their labels."""
    model = small(ConditionalGAN, ema_decay=None, **arguments)
    model.generator = Shows()
    assert isinstance(model, LabelGame)
    return model


def classes(images: Tensor) -> list[int]:
    return images[:, 0, 0, 0].int().tolist()


def test_labels_are_as_frequent_as_in_the_data(tmp_path: Path) -> None:
    model = small(ConditionalGAN)
    play(model, 1, tmp_path)
    data = DigitsDataModule(image_size=16)
    expected = torch.bincount(data.splits.train.labels)
    assert torch.equal(model.class_counts, expected)
    loaded = inference.load(run_directory(tmp_path) / "checkpoints" / "last.ckpt")
    assert torch.equal(loaded.class_counts, expected)

    model = showing()
    model.class_counts.copy_(torch.tensor([0, 700, 0, 200, 0, 0, 0, 0, 0, 100]))
    counts = np.bincount(classes(model.sample(4000)), minlength=10) / 4000
    assert counts == pytest.approx([0, 0.7, 0, 0.2, 0, 0, 0, 0, 0, 0.1], abs=0.03)


def test_labels_are_uniform_before_training() -> None:
    model = showing()
    assert np.bincount(classes(model.sample(5000)), minlength=10) / 5000 == pytest.approx(np.full(10, 0.1), abs=0.02)


def test_the_label_of_a_sample_depends_on_the_seed_and_its_number_alone() -> None:
    model = showing()
    whole = classes(model.sample(600, seed=3))
    assert classes(model.sample(300, seed=3, start=250, batch_size=7)) == whole[250:550]
    assert classes(model.sample(600, seed=4)) != whole


def test_labels_can_be_chosen() -> None:
    model = showing()
    assert classes(model.sample(5, labels=[7])) == [7] * 5
    assert classes(model.sample(5, labels=[2, 0, 1])) == [2, 0, 1, 2, 0]
    assert classes(model.sample(3, start=4, batch_size=2, labels=[2, 0, 1])) == [0, 1, 2]


@pytest.mark.parametrize(
    ("n", "num_classes", "expected"),
    [(6, 3, [0, 0, 1, 1, 2, 2]), (7, 3, [0, 0, 1, 1, 2, 2]), (9, 10, [0, 0, 0, 1, 1, 1, 2, 2, 2])],
)
def test_a_picture_has_one_row_a_class(n: int, num_classes: int, expected: list[int], tmp_path: Path) -> None:
    model = showing(num_classes=num_classes)
    images, columns = model.sample_table(n)
    assert classes(images) == expected
    assert columns == expected.count(0)


def test_the_pictures_of_a_run_have_one_row_a_class(tmp_path: Path) -> None:
    model = small(ConditionalGAN)
    play(model, 1, tmp_path, callbacks=[SampleGrid(n=35, scale=1)])
    with Image.open(run_directory(tmp_path) / "samples" / "step_00000001.png") as image:
        assert image.size == (3 * 17 + 1, 10 * 17 + 1)
        picture = np.asarray(image)
    row = to_uint8(model.sample(30, labels=[i // 3 for i in range(30)]))[12:15, 0].numpy()
    assert np.array_equal(picture[4 * 17 + 1 : 5 * 17, 1:17], row[0])


def test_a_way_from_one_sample_to_another_keeps_its_class() -> None:
    model = showing(num_classes=3)
    assert classes(model.interpolation_table(rows=4, frames=2)) == [0, 0, 1, 1, 2, 2, 0, 0]
    model = small(ConditionalGAN)
    ways = model.interpolation_table(rows=2, frames=3)
    latents = model.indexed_latents(0, 4, 0)
    torch.testing.assert_close(ways[[0, 2, 3, 5]], model(latents, torch.tensor([0, 0, 1, 1])))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([7], [7, 7, 7, 7, 7]), ([2, 9], [2, 2, 9, 9, 9]), (None, [1, 1, 0, 0, 0])],
    ids=["one class", "two classes", "the samples' own"],
)
def test_the_class_changes_half_way(labels: list[int] | None, expected: list[int]) -> None:
    model = showing()
    assert classes(model.sample(2, start=4)) == [1, 0]
    assert classes(model.interpolate_between(4, 5, [0, 0.25, 0.5, 0.75, 1], labels=labels)) == expected


def test_a_walk_begins_and_ends_with_the_samples() -> None:
    model = vivid(ConditionalGAN)
    samples = model.sample(6, seed=3)
    torch.testing.assert_close(model.interpolate_between(5, 2, [0, 1], seed=3), samples[[5, 2]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "got"),
    [(None, "none"), (torch.zeros(4, 10), r"\(4, 10\) of torch.float32"), (torch.zeros(4), r"\(4,\) of torch.float32")],
)
def test_data_without_classes_is_refused(labels: Tensor | None, got: str) -> None:
    images = torch.zeros(4, 1, 16, 16)
    with pytest.raises(ValueError, match=f"ConditionalGAN needs the class of every image.* labels are {got}"):
        small(ConditionalGAN).prepare_batch(images if labels is None else (images, labels))


@pytest.mark.parametrize("num_classes", [None, 0])
def test_a_number_of_classes_is_needed(num_classes: Any) -> None:
    with pytest.raises(ValueError, match=f"num_classes is {num_classes}: ConditionalGAN learns classes"):
        small(ConditionalGAN, num_classes=num_classes)


def test_labels_beyond_the_classes_are_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="labels up to 9, but the model was made for 4 classes, 0 to 3"):
        play(small(ConditionalGAN, num_classes=4), 1, tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    play(small(ConditionalGAN, ema_decay=0.5), 2, folder)
    return run_directory(folder) / "checkpoints" / "last.ckpt"


class TestGenerate:
    def test_labels(self, trained: Path, tmp_path: Path) -> None:
        given = ["--ckpt", str(trained), "--n", "5", "--batch_size", "2", "--device", "cpu"]
        assert main(["generate", *given, "--out", str(tmp_path / "out"), "--labels", "3", "8"]) == 0
        files = sorted((tmp_path / "out").iterdir())
        expected = to_uint8(inference.load(trained).sample(5, labels=[3, 8]))[:, 0].numpy()
        assert np.array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), expected)

    def test_labels_that_there_are_not(self, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["generate", "--ckpt", str(trained), "--out", str(tmp_path / "out"), "--labels", "3", "10"])
        assert "There is no label 10: this ConditionalGAN has 0 to 9." in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_a_model_without_classes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        play(small(DCGAN), 1, tmp_path)
        checkpoint = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
        with pytest.raises(SystemExit, match="2"):
            main(["generate", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out"), "--labels", "3"])
        assert "DCGAN has no classes" in capsys.readouterr().err


@pytest.mark.slow
def test_a_digit_that_is_asked_for_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least nine of ten samples look to a classifier like the digit that was asked for."""
    from sklearn.svm import SVC

    config = Path(__file__).parents[2] / "configs" / "conditional_gan_digits.yaml"
    monkeypatch.chdir(tmp_path)
    main(["fit", "--config", str(config), "--trainer.enable_progress_bar", "false"])
    model = inference.load("runs/conditional_gan_digits/version_0/checkpoints/last.ckpt")
    asked = [i % 10 for i in range(500)]
    images = ((model.sample(500, labels=asked) + 1) * 8).flatten(1).numpy()
    digits = load_digits()
    seen = SVC().fit(digits.data, digits.target).predict(images)
    assert np.mean(seen == asked) >= 0.9, np.mean(seen == asked)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["a"] * 8, "labels are .'a', 'a'"),
        (torch.arange(5), "there are 5 labels for 8 images"),
    ],
)
def test_labels_that_are_no_classes_of_the_images(labels: Any, says: str) -> None:
    model = small(ConditionalGAN)
    with pytest.raises(ValueError, match=f"needs the class of every image, .*{says}"):
        model.prepare_batch((torch.zeros(8, *model.image_shape), labels))


@pytest.mark.parametrize("bad", [10, -1, -100])
@pytest.mark.parametrize("variant", [ConditionalGAN, ACGAN, ProjectionGAN, SemiSupervisedGAN, StarGAN])
def test_labels_that_are_no_classes_are_refused_in_any_batch(variant: Any, bad: int) -> None:
    """Also where nothing shows the labels before; some losses would take -1 for the last class, or pass over -100."""
    given = {"attributes": None, "num_classes": 10} if variant is StarGAN else {}
    model = small(variant, **given)
    images = torch.zeros(8, *model.image_shape)
    model.checked_batch((images, torch.arange(8)))
    with pytest.raises(
        ValueError, match=rf"labels (up to 10|from {bad} to 6), .* 10 classes, 0 to 9: change num_classes"
    ):
        model.checked_batch((images, torch.tensor([0, 1, 2, 3, 4, 5, 6, bad])))


def test_labels_below_0_are_refused_before_the_first_step(tmp_path: Path) -> None:
    class Below(DigitsDataModule):
        def setup(self, stage: str | None = None) -> None:
            super().setup(stage)
            self.splits.train.labels.sub_(1)  # type: ignore[union-attr]

    model = small(ConditionalGAN)
    trainer = pl.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ValueError, match="labels from -1 to 8, but the model was made for 10 classes"):
        trainer.fit(model, Below(image_size=16))


def test_attributes_that_are_neither_yes_nor_no_are_refused() -> None:
    model = small(StarGAN)
    with pytest.raises(ValueError, match="attributes from -1 to 1, and 0 stands for no and 1 for yes"):
        model.prepare_batch((torch.zeros(2, *model.image_shape), torch.tensor([[1, -1], [1, 1]])))


@pytest.mark.parametrize("labels", [[10], [0, -1], [], [0.5]])
def test_classes_that_no_sample_can_have(labels: list[Any]) -> None:
    model = small(ConditionalGAN)
    with pytest.raises(ValueError, match="this ConditionalGAN has the classes 0 to 9"):
        model.sample(2, labels=labels)
    with pytest.raises(ValueError, match="this ConditionalGAN has the classes 0 to 9"):
        model.interpolate_between(0, 1, [0.5], labels=labels)
