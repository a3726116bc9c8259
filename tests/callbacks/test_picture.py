"""Ways between samples, and the run as an animation."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image
from torch.testing import assert_close

from gan_lightning.callbacks.animation import RunAnimation
from gan_lightning.callbacks.samples import InterpolationStrip, SampleGrid
from gan_lightning.games.randomness import slerp
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.variants import DCGAN
from tests.helpers.games import play, run_directory, small


def test_a_way_begins_and_ends_with_samples() -> None:
    model = small(DCGAN, side=8)
    ways = model.interpolation_table(rows=2, frames=5, seed=3).view(2, 5, 1, 8, 8)
    samples = model.sample(4, seed=3)
    assert_close(ways[:, 0], samples[0::2])
    assert_close(ways[:, -1], samples[1::2], rtol=1e-4, atol=1e-5)
    assert not torch.equal(ways[:, 1], ways[:, 2])


def test_the_way_is_on_the_sphere() -> None:
    """A quarter of the way round the circle, worked by hand; and the norm stays."""
    east, north = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    assert_close(slerp(east, north, 0.5), torch.tensor([[2**0.5, 2**0.5]]))
    assert_close(slerp(east, north, 1 / 3), torch.tensor([[3**0.5, 1.0]]))
    assert_close(slerp(east, east, 0.3), east, rtol=1e-4, atol=1e-4)
    start, end = torch.randn(2, 50, 7)
    assert torch.equal(slerp(start, end, 0), start)
    assert torch.equal(slerp(start, end, 1), end)


def test_pictures_of_ways_and_an_animation_of_the_run(tmp_path: Path) -> None:
    callbacks = [SampleGrid(2, n=4, scale=2), InterpolationStrip(3, rows=2, frames=3, scale=1), RunAnimation()]
    play(small(DCGAN, side=8), 5, tmp_path, side=8, callbacks=callbacks)
    run = run_directory(tmp_path)
    names = sorted(file.name for file in (run / "interpolations").iterdir())
    assert names == ["step_00000000.png", "step_00000003.png", "step_00000005.png"]
    with Image.open(run / "interpolations" / names[0]) as strip:
        assert strip.size == (3 * 9 + 1, 2 * 9 + 1)
    with Image.open(run / "samples.gif") as animation:
        assert animation.n_frames == 4  # steps 0, 2, 4 and 5
        assert animation.info["loop"] == 0
        animation.seek(3)
        with Image.open(run / "samples" / "step_00000005.png") as last:
            assert np.array_equal(np.asarray(animation.convert("L")), np.asarray(last))


def test_a_long_run_is_thinned_out(tmp_path: Path) -> None:
    callbacks = [SampleGrid(1, n=16, scale=1), RunAnimation(max_frames=3)]
    fast = partial(DCGANAdam, lr=0.05)  # frames that are alike would be one frame
    play(small(DCGAN, side=8, generator_optimizer=fast), 8, tmp_path, side=8, callbacks=callbacks)
    with Image.open(run_directory(tmp_path) / "samples.gif") as animation:
        assert animation.n_frames == 3


@pytest.mark.parametrize("make", [WandbLogger, TensorBoardLogger], ids=["wandb", "tensorboard"])
def test_loggers_get_them(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip({"WandbLogger": "wandb", "TensorBoardLogger": "tensorboard"}[make.__name__])
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = make(save_dir=str(tmp_path / "logger"))
    callbacks = [SampleGrid(1, n=1, scale=1), InterpolationStrip(1, scale=1), RunAnimation()]

    class Also(SampleGrid):
        """Puts the second logger beside the run's own before anything is drawn."""

        def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
            trainer.loggers = [*trainer.loggers, logger]
            super().setup(trainer, pl_module, stage)

    play(small(DCGAN, side=8), 2, tmp_path, side=8, callbacks=[Also(1, n=1, scale=1), *callbacks])
    if make is WandbLogger:
        logger.experiment.finish()
        media = {file.parent.name for file in (tmp_path / "logger").rglob("media/**/*") if file.is_file()}
        assert {"images", "videos"} <= media
    else:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(logger.log_dir, {"images": 0}).Reload()
        assert set(events.Tags()["images"]) == {"samples", "samples_2", "interpolations", "animation"}
        assert events.Images("animation")[0].encoded_image_string.startswith(b"GIF8")


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="frames is 1"):
        InterpolationStrip(frames=1)
    with pytest.raises(ValueError, match="max_frames is 1"):
        RunAnimation(max_frames=1)
