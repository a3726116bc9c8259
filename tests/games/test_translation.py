"""What all translation games share: any size, wishes that can be met, validation, pictures of examples."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_lightning.callbacks import RunAnimation, TranslationGrid
from gan_lightning.games.translation import AttributeEdits, TranslationGame, mirrored_to_multiple
from gan_lightning.optimizers.schedulers import LinearDecay
from gan_lightning.variants import CycleGAN, Pix2Pix
from gan_lightning.visualization.images import grid, to_uint8
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small


class Enlarger(nn.Module):
    """Repeats every pixel twice each way; takes sides that are multiples of 8."""

    side_multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        assert all(side % 8 == 0 for side in images.shape[2:])
        return self.weight * images.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Attributed(TranslationGame):
    """Knows two attributes, and adds a tenth for each that is asked for."""

    attributes = ("Smiling", "Young")

    def __init__(self) -> None:
        super().__init__(Enlarger(), nn.Linear(1, 1))

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        return super().translate_batch(images, direction, attributes) + 0.1 * sum(attributes.values())


@pytest.mark.parametrize("multiple", [1, 4, 32])
def test_an_image_is_mirrored_as_numpy_does_it(multiple: int) -> None:
    images = torch.randn(2, 3, 5, 9)
    height, width = (-(-side // multiple) * multiple for side in (5, 9))
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (0, height - 5), (0, width - 9)), mode="reflect")
    assert np.array_equal(mirrored_to_multiple(images, multiple).numpy(), expected)


def test_one_row_of_pixels_is_repeated() -> None:
    assert mirrored_to_multiple(torch.ones(1, 1, 1, 3), 4).shape == (1, 1, 4, 4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 19), (1, 1)])
def test_any_size_is_translated(height: int, width: int) -> None:
    images = torch.randn(2, 3, height, width)
    expected = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(Attributed().translate(images), expected)


def test_wishes_reach_the_game() -> None:
    images = torch.zeros(1, 3, 8, 8)
    wishes = {"Smiling": True, "Young": False}
    assert Attributed().translate(images, attributes=wishes).mean().item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("game", "wish", "message"),
    [
        (Attributed, {"attributes": {"Blond": True}}, "no attribute 'Blond': it knows Smiling, Young"),
        (Attributed, {"direction": "AtoB"}, "no direction 'AtoB': it translates one way only"),
        (lambda: small(CycleGAN), {"attributes": {"Young": True}}, "no attribute 'Young': it knows none"),
        (lambda: small(CycleGAN), {"direction": "A"}, "no direction 'A': choose AtoB or BtoA"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(game: Any, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game().translate(torch.zeros(1, 3, 16, 16), **wish)


def test_validation_is_logged(tmp_path: Path) -> None:
    play(small(Pix2Pix), 20, tmp_path)
    values = [line.split(",") for line in metrics_file(tmp_path).splitlines()]
    column = values[0].index("val/l1")
    judged = [float(row[column]) for row in values[1:] if row[column]]
    assert judged
    assert all(0 < value < 2 for value in judged)


def test_a_rate_that_falls_is_resumed_exactly(tmp_path: Path) -> None:
    decay = {"generator_scheduler": partial(LinearDecay, constant_steps=1, decay_steps=4)}
    play(small(CycleGAN, **decay), 4, tmp_path / "straight")
    for steps in (2, 4):
        play(small(CycleGAN, **decay), steps, tmp_path / "broken", resume=True)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))


class TestTranslationGrid:
    def pictures(self, folder: Path) -> dict[str, np.ndarray]:
        found = sorted((run_directory(folder) / "translations").iterdir())
        return {path.name: np.asarray(Image.open(path)) for path in found}

    def test_an_example_is_a_row(self, tmp_path: Path) -> None:
        model = small(Pix2Pix)
        trainer = play(model, 3, tmp_path, callbacks=[TranslationGrid(every_n_steps=2, n=3, scale=1), RunAnimation()])
        drawn = self.pictures(tmp_path)
        assert list(drawn) == [f"step_0000000{step}.png" for step in (0, 2, 3)]
        assert not np.array_equal(drawn["step_00000000.png"], drawn["step_00000003.png"])
        assert (run_directory(tmp_path) / "translations.gif").exists()
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        raw = data.on_before_batch_transfer(next(iter(data.val_dataloader())), 0)
        batch = model.prepare_batch([part[:3] for part in raw])
        rows = [image for panels in zip(batch.condition, model.translate(batch.condition), batch.real, strict=True)
                for image in panels]  # fmt: skip
        assert np.array_equal(drawn["step_00000003.png"], grid(to_uint8(torch.stack(rows)), 3)[0].numpy())

    def test_drawing_leaves_training_as_it_is(self, tmp_path: Path) -> None:
        play(small(CycleGAN), 3, tmp_path / "plain")
        play(small(CycleGAN), 3, tmp_path / "drawn", callbacks=[TranslationGrid(every_n_steps=1)])
        assert_same_bits(last_state(tmp_path / "plain"), last_state(tmp_path / "drawn"))

    def test_loaders_that_are_given_plainly_serve_as_well(self, tmp_path: Path) -> None:
        pairs = [(torch.randn(1, 16, 16), torch.randn(1, 16, 16)) for _ in range(8)]
        for name, validation in {"with": DataLoader(pairs, 2), "without": None}.items():
            trainer = pl.Trainer(
                max_steps=1, accelerator="cpu", logger=pl.loggers.CSVLogger(tmp_path, name, 0),
                enable_progress_bar=False, enable_model_summary=False, callbacks=[TranslationGrid(n=3, scale=1)],
            )  # fmt: skip
            trainer.fit(small(Pix2Pix), DataLoader(pairs, 4, shuffle=True), validation)
            picture = Image.open(tmp_path / name / "version_0" / "translations" / "step_00000001.png")
            assert picture.size == (3 * 17 + 1, 3 * 17 + 1)

    def test_impossible_numbers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="n is 0: it must be a whole number, at least 1"):
            TranslationGrid(n=0)
