"""Dashboards: what a run shows on Weights & Biases, offline, read back from what was written; and on TensorBoard."""

import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from gan_lightning.callbacks import RunArtifacts, TranslationGrid
from gan_lightning.variants import Pix2Pix
from tests.helpers.command_line import LAST, RUN, TINY, fit, refused
from tests.helpers.games import play, small
from tests.helpers.wandb_files import Written

wandb = pytest.importorskip("wandb")
PIECES = Path(__file__).parents[2] / "configs" / "trainer"
METRICS = [
    *("--trainer.callbacks+=GenerativeMetrics", "--trainer.callbacks.extractor=pixels"),
    *("--trainer.callbacks.every_n_steps=2", "--trainer.callbacks.num_samples=50"),
    *("--trainer.callbacks+=SampleGrid", "--trainer.callbacks.every_n_steps=2"),
    *("--trainer.callbacks+=InterpolationStrip", "--trainer.callbacks.every_n_steps=2"),
]
BEST = [
    *("--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.monitor=val/fid"),
    *("--trainer.callbacks.filename=best", "--trainer.callbacks.every_n_train_steps=2"),
]


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"MODE": "offline", "SILENT": "true", "DATA_DIR": str(tmp_path / "staged")}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)


def watched(*more: str, steps: int = 4) -> Written:
    """Train with the shipped piece; what the newest file in the run's directory holds."""
    assert fit("--config", str(PIECES / "wandb.yaml"), "--ckpt_path", "last", *METRICS, *more, steps=steps) == 0
    wandb.finish()
    wandb.teardown()
    return Written(max(RUN.glob("wandb/offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns))


def test_a_run_shows_everything_on_the_axis_of_steps() -> None:
    written = watched(*BEST)
    assert written.axes == {"*": "trainer/global_step"}

    # The config as hyper-parameters.
    assert written.config["data"]["init_args"]["batch_size"] == 100
    assert written.config["model"]["init_args"]["generator"]["init_args"]["width"] == 4
    assert written.config["model"]["init_args"]["n_critic"] == 1
    assert written.config["trainer"]["max_steps"] == 4

    # Figures, at the number of updates that are done.
    names = ["loss", "learning_rate", "gradient_norm"]
    figures = [f"train/{player}/{name}" for player in ("discriminator", "generator") for name in names]
    figures += ["train/discriminator/real", "train/discriminator/fake", "train/generator/adversarial"]
    for name in [*figures, "train/images_per_second"]:
        assert set(written.series(name)) == {1, 2, 3, 4}, name
    assert set(written.series("val/fid_pixels")) == {2, 4}
    assert set(written.series("train/generator/learning_rate").values()) == {float(torch.tensor(2e-4))}

    # Pictures, with the figures of the same step; the first one shows what there is before it.
    for name in ("samples", "interpolations"):
        assert set(written.series(name)) == {0, *written.series("val/fid_pixels")} == {0, 2, 4}, name
        assert written.series(name)[4]["_type"] == "images/separated"
    assert list(written.series("animation")) == [4]
    assert all("trainer/global_step" in row for row in written.history)

    # Files: the best checkpoint, and not the last.
    best = RUN / "checkpoints" / "best.ckpt"
    assert written.artifacts == {
        f"config-{written.id}": [("config.yaml", (RUN / "config.yaml").stat().st_size)],
        f"checkpoint-{written.id}": [("best.ckpt", best.stat().st_size)],
    }


def test_a_resumed_run_goes_on_in_the_same_one() -> None:
    first = watched(steps=2)
    assert first.artifacts[f"checkpoint-{first.id}"] == [("last.ckpt", LAST.stat().st_size)]
    again = watched()
    assert again.id == first.id
    assert set(first.series("train/generator/loss")) == {1, 2}
    assert set(again.series("train/generator/loss")) == {3, 4}
    assert fit("--config", str(PIECES / "wandb.yaml")) == 0
    wandb.finish()
    wandb.teardown()
    (another,) = (RUN.parent / "version_1").glob("wandb/offline-run-*/run-*.wandb")
    assert Written(another).id != first.id


def test_translations_are_shown_too(tmp_path: Path) -> None:
    logger = WandbLogger(save_dir=str(tmp_path))

    class Beside(Callback):
        def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
            trainer.loggers = [*trainer.loggers, logger]

    play(small(Pix2Pix), 2, tmp_path, callbacks=[Beside(), TranslationGrid(1, n=1), RunArtifacts(checkpoint=False)])
    wandb.finish()
    wandb.teardown()
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    assert set(Written(path).series("translations")) == {0, 1, 2}
    assert Written(path).artifacts == {}


def test_tensorboard_shows_the_same() -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert fit("--config", str(PIECES / "tensorboard.yaml"), *METRICS, steps=4) == 0
    events = EventAccumulator(str(RUN / "tensorboard"), {"images": 0, "scalars": 0}).Reload()
    assert {"samples", "interpolations", "animation"} <= set(events.Tags()["images"])
    for name in ("train/generator/loss", "train/generator/learning_rate", "train/images_per_second"):
        assert [event.step for event in events.Scalars(name)] == [1, 2, 3, 4]
    assert [event.step for event in events.Scalars("val/fid_pixels")] == [2, 4]
    assert [event.step for event in events.Images("samples")] == [0, 2, 4]
    assert [event.step for event in events.Images("animation")] == [4]
    with open(RUN / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["val/fid_pixels"]] == [2, 4]
    assert [int(row["step"]) for row in rows if row["train/generator/loss"]] == [1, 2, 3, 4]
    assert "batch_size: 100" in (RUN / "tensorboard" / "hparams.yaml").read_text()


def test_a_run_goes_on_offline_where_the_service_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"MODE": "online", "BASE_URL": "http://127.0.0.1:9", "API_KEY": "0" * 40, "INIT_TIMEOUT": "1"}
    for name, value in told.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with pytest.warns(UserWarning, match=r"cannot be reached .* logged offline. Upload it later with: wandb sync "):
        written = watched(steps=2)
    assert set(written.series("train/generator/loss")) == {1, 2}


def test_a_missing_key_is_told_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"MODE": "online", "BASE_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    said = refused(capsys, "fit", *TINY, "--config", str(PIECES / "wandb.yaml"), "--trainer.max_steps", "2")
    assert "gan-lightning fit: Weights & Biases: No API key configured." in said
