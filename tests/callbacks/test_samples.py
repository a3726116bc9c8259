"""The pictures that are drawn while a game is played."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch import Tensor

from gan_lightning.arguments import GrowthSchedule
from gan_lightning.callbacks.samples import GrowthStrip, SampleGrid
from gan_lightning.variants import DCGAN, WGAN, ProGAN
from gan_lightning.visualization.images import enlarge, grid, to_uint8
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small


def pictures(folder: Path) -> dict[str, np.ndarray]:
    found = sorted((run_directory(folder) / "samples").iterdir())
    return {path.name: np.asarray(Image.open(path)) for path in found}


def test_pictures_are_named_by_step_from_the_first_to_the_last(tmp_path: Path) -> None:
    model = small(WGAN)  # five critic updates a step: these are not steps
    play(model, 3, tmp_path, callbacks=[SampleGrid(every_n_steps=2, n=4)])
    drawn = pictures(tmp_path)
    assert list(drawn) == ["step_00000000.png", "step_00000002.png", "step_00000003.png"]
    image = grid(to_uint8(model.sample(4, seed=0)))
    scale = drawn["step_00000003.png"].shape[1] // image.shape[2]
    assert np.array_equal(drawn["step_00000003.png"], enlarge(image, scale)[0].numpy())
    assert not np.array_equal(drawn["step_00000000.png"], drawn["step_00000003.png"])


@pytest.mark.parametrize(("scale", "width"), [(None, 525), (2, 70)])
def test_a_person_can_see_the_picture(tmp_path: Path, scale: int | None, width: int) -> None:
    play(small(DCGAN), 1, tmp_path, callbacks=[SampleGrid(n=4, scale=scale)])
    assert pictures(tmp_path)["step_00000001.png"].shape == (width, width)


def test_drawing_leaves_training_as_it_is(tmp_path: Path) -> None:
    play(small(DCGAN), 3, tmp_path / "plain")
    play(small(DCGAN), 3, tmp_path / "drawn", callbacks=[SampleGrid(every_n_steps=1)])
    assert_same_bits(last_state(tmp_path / "plain"), last_state(tmp_path / "drawn"))


def test_a_resumed_run_draws_on(tmp_path: Path) -> None:
    play(small(DCGAN), 2, tmp_path, callbacks=[SampleGrid(every_n_steps=2, n=4)])
    (run_directory(tmp_path) / "samples" / "step_00000002.png").unlink()
    play(small(DCGAN), 4, tmp_path, resume=True, callbacks=[SampleGrid(every_n_steps=2, n=4)])
    assert list(pictures(tmp_path)) == ["step_00000000.png", "step_00000004.png"]


def test_a_game_without_samples_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("gan_lightning.games.image.ImageGame.sample")
    with pytest.warns(UserWarning, match="DCGAN has no sample"):
        play(small(DCGAN), 1, tmp_path, callbacks=[SampleGrid()])
    assert not (run_directory(tmp_path) / "samples").exists()


class TakesPictures(CSVLogger):
    """A logger with the method that Weights & Biases' has."""

    def __init__(self, folder: Path, fails: bool) -> None:
        super().__init__(folder)
        self.fails = fails
        self.taken: list[tuple[str, tuple[int, int], int]] = []

    def log_image(self, key: str, images: list[Any], step: int) -> None:
        if self.fails:
            raise ConnectionError("no network")
        self.taken += [(key, image.size, step) for image in images]


def draw_for(logger: CSVLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.helpers.games.RunLogger", lambda *_: logger)
    play(small(DCGAN), 1, tmp_path, callbacks=[SampleGrid(n=4, scale=1)])


def test_loggers_that_take_images_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = TakesPictures(tmp_path, fails=False)
    draw_for(logger, tmp_path, monkeypatch)
    assert logger.taken == [("samples", (35, 35), 0), ("samples", (35, 35), 1)]


def test_a_loggers_trouble_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = TakesPictures(tmp_path, fails=True)
    with pytest.warns(UserWarning, match="TakesPictures failed at step 0: no network"):
        draw_for(logger, tmp_path, monkeypatch)
    assert (Path(logger.log_dir) / "samples" / "step_00000001.png").exists()


@pytest.mark.parametrize("argument", ["every_n_steps", "n", "scale"])
def test_arguments_out_of_range_are_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} is 0"):
        SampleGrid(**{argument: 0})


def test_tensorboard_gets_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    monkeypatch.setattr("tests.helpers.games.RunLogger", lambda *_: logger)
    play(small(DCGAN), 1, tmp_path, callbacks=[SampleGrid(n=4, scale=1)])
    events = EventAccumulator(logger.log_dir).Reload().Images("samples")
    assert [(event.step, event.width, event.height) for event in events] == [(0, 35, 35), (1, 35, 35)]


def test_the_same_latents_at_each_size_that_a_run_grows_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 20: steps 1 to 4 at 4 x 4, step 4 the first of a fade at weight 0, 5 to 11 at 8 x 8, then 16 x 16."""
    made: dict[int, Tensor] = {}
    sample = ProGAN.sample

    def noted(self: ProGAN, *arguments: Any, **named: Any) -> Tensor:
        images = made[self.game_step] = sample(self, *arguments, **named)
        return images

    monkeypatch.setattr(ProGAN, "sample", noted)
    growth = GrowthSchedule(stable=60, fade=80)
    strip = partial(GrowthStrip, n=3, seed=5, scale=2)
    play(small(ProGAN, growth=growth), 8, tmp_path, batch_size=20, callbacks=[strip()])
    play(small(ProGAN, growth=growth), 13, tmp_path, batch_size=20, resume=True, callbacks=[strip()])
    names = sorted(file.name for file in (run_directory(tmp_path) / "growth").iterdir())
    # Steps 4 and 11 are the last of 4 x 4 and of 8 x 8, steps 8 and 13 the last of a run.
    assert names == ["step_00000004.png", "step_00000008.png", "step_00000011.png", "step_00000013.png"]
    assert sorted(made) == [4, 8, 11, 13]
    expected = torch.stack([made[step] for step in (4, 11, 13)], dim=1).flatten(0, 1)
    picture = np.asarray(Image.open(run_directory(tmp_path) / "growth" / names[-1]))
    # Above it are the sizes.
    whole = enlarge(grid(to_uint8(expected), 3), 2)[0].numpy()
    assert np.array_equal(picture[-whole.shape[0] :], whole)
    first = np.asarray(Image.open(run_directory(tmp_path) / "growth" / names[0]))
    whole = enlarge(grid(to_uint8(made[4]), 1), 2)[0].numpy()
    assert np.array_equal(first[-whole.shape[0] :], whole)


def test_a_run_that_begins_anew_forgets_the_sizes_of_another(tmp_path: Path) -> None:
    strip = GrowthStrip(n=1)
    for folder in ("first", "second"):
        play(small(ProGAN, growth=GrowthSchedule(60, 80)), 5, tmp_path / folder, batch_size=20, callbacks=[strip])
    assert list(strip.state_dict()["sizes"]) == [0, 1]
    play(small(ProGAN, growth=1), 1, tmp_path / "third", batch_size=20, callbacks=[strip])
    assert list(strip.state_dict()["sizes"]) == [1]


def test_networks_that_do_not_grow_have_no_such_picture(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="DCGAN's networks do not grow: GrowthStrip makes no picture"):
        play(small(DCGAN), 1, tmp_path, callbacks=[GrowthStrip()])
    assert not (run_directory(tmp_path) / "growth").exists()
