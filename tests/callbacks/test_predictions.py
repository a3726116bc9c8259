"""The images that predict leaves behind."""

from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from datamodules import DigitsDataModule
from gan_lightning.callbacks.predictions import PredictionWriter
from gan_lightning.loggers import RunLogger
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import small


def predict(model: pl.LightningModule, folder: Path) -> None:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=RunLogger(str(folder), "run", 0),
        callbacks=[PredictionWriter()],
        enable_progress_bar=False,
    )
    data = DigitsDataModule(batch_size=4, image_size=16, test_size=10)
    trainer.predict(model, data, return_predictions=False)


def test_every_image_is_a_file(tmp_path: Path) -> None:
    model = small(DCGAN)
    predict(model, tmp_path)
    files = sorted((tmp_path / "run" / "version_0" / "predictions").iterdir())
    names = [f"0000{batch}_00{i}.png" for batch, n in [(0, 4), (1, 4), (2, 2)] for i in range(n)]
    assert [file.name for file in files] == names
    written = np.stack([np.asarray(Image.open(file)) for file in files])
    assert np.array_equal(written, to_uint8(model.sample(10))[:, 0].numpy())


def test_what_is_no_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(self: DCGAN, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return batch[1]

    monkeypatch.setattr(DCGAN, "predict_step", scores)
    with pytest.raises(ValueError, match=r"DCGAN\.predict_step must return images"):
        predict(small(DCGAN), tmp_path)
