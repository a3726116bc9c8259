"""Measures of images and texts during training, by another run's encoders or a user's; pictures of what they find."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules import CaptionedImageDataModule
from gan_lightning.callbacks import GenerativeMetrics, RetrievalGrid, TextRetrieval
from gan_lightning.variants import DCGAN, GANCLS, AttnGAN, JointEmbedding
from tests.helpers.games import save_checkpoint, small

COLOURS = ["black", "dark", "dim", "grey", "pale", "bright", "light", "white"]


@pytest.fixture
def data(tmp_path: Path) -> CaptionedImageDataModule:
    """Each colour three times for training and once for validation."""
    rows = []
    for level, name in enumerate(COLOURS):
        for i in range(4):
            file = f"{name}{i}.png"
            Image.new("L", (16, 16), 36 * level).save(tmp_path / file)
            rows.append({"file_name": file, "text": name, "split": "val" if i == 0 else "train"})
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return CaptionedImageDataModule(str(tmp_path), batch_size=8, image_size=16, channels=1, num_workers=0)


def fit(model: Any, data: Any, *callbacks: pl.Callback, folder: Path, steps: int = 3) -> dict[str, float]:
    trainer = pl.Trainer(
        default_root_dir=folder,
        max_steps=steps,
        accelerator="cpu",
        logger=pl.loggers.CSVLogger(str(folder), "run", 0) if folder.name == "pictures" else False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[*callbacks],
    )
    trainer.fit(model, data)
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}


class Brightness:
    """A user's pair of encoders, which knows the colours: levels and their texts on a circle."""

    image_shape = (1, 8, 8)

    def encode_images(self, images: Tensor) -> Tensor:
        assert images.shape[2:] == (8, 8)
        return self._on_circle((images.mean((1, 2, 3)) + 1) / 2)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._on_circle(torch.tensor([COLOURS.index(text) for text in texts]) * 36 / 255)

    @staticmethod
    def _on_circle(level: Tensor) -> Tensor:
        return torch.stack([(3 * level).cos(), (3 * level).sin()], 1)


class Paints(torch.nn.Module):
    """Images of the colour that the text's token stands for, all but black's, which come out white."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.table = {float(model.encode_texts([name]).sentence[0, 0]): i for i, name in enumerate(COLOURS)}

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        levels = [self.table[value] or 7 for value in sentence[:, 0].tolist()]
        return (torch.tensor(levels) * 36 / 127.5 - 1)[:, None, None, None].expand(-1, 1, 16, 16) * self.weight


def test_samples_are_compared_with_their_texts(data: CaptionedImageDataModule, tmp_path: Path) -> None:
    model = small(GANCLS, tokenizer=data.tokenizer, texts=data.texts, ema_decay=None)
    assert sorted(data.texts) == sorted(COLOURS)
    model.generator = Paints(model)
    measure = TextRetrieval(f"{__name__}.Brightness", n_candidates=8, num_samples=80, batch_size=7)
    scores = _measured(measure, model, data)
    # Seven of eight colours are right; black is painted white.
    assert scores["r_precision"] == pytest.approx(7 / 8)
    angle = torch.tensor(3 * 7 * 36 / 255)
    assert scores["text_similarity"] == pytest.approx(100 * (7 + max(0.0, angle.cos().item())) / 8, rel=1e-3)


def _measured(measure: pl.Callback, model: Any, data: Any) -> dict[str, float]:
    trainer = pl.Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu", callbacks=[measure]
    )
    (scores,) = trainer.validate(model, data, verbose=False)
    return {name.removeprefix("val/"): value for name, value in scores.items()}


def test_encoders_measure_themselves_and_then_a_generator(data: CaptionedImageDataModule, tmp_path: Path) -> None:
    pairs = small(JointEmbedding, tokenizer=data.tokenizer)
    scores = fit(pairs, data, TextRetrieval(n_candidates=8, every_n_steps=3), folder=tmp_path / "pairs")
    assert {*scores} == {f"val/{n}" for n in ("r_precision", "r_precision_std", "text_accuracy", "image_accuracy")}
    # All eight are candidates: the same question.
    assert scores["val/r_precision"] == scores["val/text_accuracy"]
    path = save_checkpoint(pairs, tmp_path / "pairs.ckpt")
    model = small(GANCLS, tokenizer=data.tokenizer, texts=data.texts)
    scores = fit(model, data, TextRetrieval(str(path), 8, 16, every_n_steps=3), folder=tmp_path / "images")
    assert 0 <= scores["val/r_precision"] <= 1
    assert -100 <= scores["val/text_similarity"] <= 100


def test_the_encoders_of_a_game_measure_its_samples(data: CaptionedImageDataModule) -> None:
    model = small(AttnGAN, tokenizer=data.tokenizer, texts=data.texts)
    scores = _measured(TextRetrieval(n_candidates=8, num_samples=8), model, data)
    with torch.no_grad():
        texts = model.encode_texts(data.texts).sentence  # type: ignore[operator]
        images = model.encode_images(model.sample(8, texts=data.texts))  # type: ignore[operator]
    nearest = torch.cosine_similarity(images[:, None], texts[None], dim=2).argmax(1)
    assert scores["r_precision"] == pytest.approx((nearest == torch.arange(8)).double().mean().item())


def test_samples_of_held_out_texts_are_compared_with_held_out_images(
    data: CaptionedImageDataModule, tmp_path: Path
) -> None:
    model = small(GANCLS, tokenizer=data.tokenizer, texts=data.texts, ema_decay=None)
    model.generator = Paints(model)
    metrics = GenerativeMetrics(
        extractor="pixels", split="val", num_samples=400, every_n_steps=None, cache_dir=str(tmp_path / "cache")
    )
    # The eight colours, each as often as in the data up to chance, but for black, which is painted white.
    near = _measured(metrics, model, data)["fid_pixels"]
    model.texts = ["black"]
    assert _measured(metrics, model, data)["fid_pixels"] > 3 * near


def test_what_cannot_be_measured_is_said_before_the_run(data: CaptionedImageDataModule, tmp_path: Path) -> None:
    model = small(GANCLS, tokenizer=data.tokenizer, texts=data.texts)
    for measure, message in [
        (TextRetrieval(f"{__name__}.Brightness"), "with n_candidates, 100, different texts, and there are 8 held out"),
        (
            TextRetrieval(None),
            "GANCLS has no encoder of images .* set encoders to a checkpoint of JointEmbedding or DAMSM, or to",
        ),
        (TextRetrieval("torch.nn.Identity"), "encoders is torch.nn.Identity, a Identity, which has no encode_images"),
    ]:
        with pytest.raises(ValueError, match=message):
            _measured(measure, model, data)
    with pytest.raises(ValueError, match="TextRetrieval compares images with texts, and DCGAN knows no texts"):
        _measured(TextRetrieval(n_candidates=8), small(DCGAN), data)


def test_data_that_hold_nothing_out(data: CaptionedImageDataModule) -> None:
    listed = data.root / "metadata.jsonl"
    listed.write_text(listed.read_text().replace('"split": "val"', '"split": "train"'))
    whole = CaptionedImageDataModule(str(data.root), image_size=16, channels=1, val_size=0, num_workers=0)
    measure = TextRetrieval(f"{__name__}.Brightness", n_candidates=2, num_samples=8)
    trainer = pl.Trainer(logger=False, accelerator="cpu")
    trainer.datamodule = whole  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match=r"captions that training has seen: set data\.val_size to hold out some"):
        measure.setup(trainer, small(GANCLS, tokenizer=whole.tokenizer, texts=whole.texts), "validate")
    with pytest.raises(ValueError, match=r"holds out no images for validation, .*: set data\.val_size"):
        measure.setup(trainer, small(JointEmbedding, tokenizer=whole.tokenizer), "validate")


def test_a_picture_has_a_row_of_images_for_each_text(data: CaptionedImageDataModule, tmp_path: Path) -> None:
    model = small(JointEmbedding, tokenizer=data.tokenizer)
    fit(model, data, RetrievalGrid(every_n_steps=2, n=4, columns=3, scale=2), folder=tmp_path / "pictures", steps=2)
    files = sorted((tmp_path / "pictures" / "run" / "version_0" / "retrievals").iterdir())
    assert [file.name for file in files] == ["step_00000000.png", "step_00000002.png"]
    with Image.open(files[-1]) as picture:
        # 16 pixels twice as large with a line between; names at the left.
        assert picture.height == 2 * (4 * 17 + 1)
        assert picture.width > 2 * (3 * 17 + 1)
