"""``gan-lightning generate``, ``predict`` and ``evaluate`` of models of texts."""

from pathlib import Path

import lightning.pytorch as pl
import pytest

from gan_lightning import inference
from gan_lightning.callbacks.predictions import PredictionWriter
from gan_lightning.loggers import RunLogger
from gan_lightning.variants import GumbelGAN, SeqGAN
from tests.commands.test_generate import generate
from tests.helpers.command_line import refused
from tests.helpers.games import DigitsFor, run_directory, save_checkpoint, small


@pytest.mark.parametrize("variant", [SeqGAN, GumbelGAN])
def test_each_sample_is_a_text(variant: type, tmp_path: Path) -> None:
    checkpoint = save_checkpoint(small(variant), tmp_path / "last.ckpt")
    names = generate(checkpoint, tmp_path / "out", "--n", 5, "--seed", 4, "--batch_size", 2)
    assert names == [f"0000{i}.{kind}" for i in range(5) for kind in ("png", "txt")]
    model = inference.load(checkpoint)
    texts = [(tmp_path / "out" / name).read_text() for name in names[1::2]]
    assert texts == [f"{text}\n" for text in model.texts_of(model.sample(5, seed=4))]  # type: ignore[operator]


def test_predictions_are_texts_too(tmp_path: Path) -> None:
    model = small(SeqGAN)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=RunLogger(str(tmp_path), "run", 0),
        callbacks=[PredictionWriter()],
        enable_progress_bar=False,
        limit_predict_batches=2,
    )
    data = DigitsFor(model, batch_size=3, image_size=16)
    trainer.predict(model, data, return_predictions=False)
    files = sorted((run_directory(tmp_path) / "predictions").iterdir())
    assert [file.name for file in files] == [f"0000{batch}_00{i}.txt" for batch in range(2) for i in range(3)]
    expected = model.texts_of(model.sample(6))  # type: ignore[operator]
    assert [file.read_text() for file in files] == [f"{text}\n" for text in expected]


def test_metrics_of_images_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = save_checkpoint(small(SeqGAN), tmp_path / "last.ckpt")
    said = refused(capsys, "evaluate", "--ckpt", str(checkpoint), "--data", "DigitsDataModule")
    assert "SeqGAN makes texts, and evaluate compares images" in said
