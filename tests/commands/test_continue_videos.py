"""From videos to the frames after them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image, ImageSequence

from datamodules.components.video import list_videos
from gan_lightning import inference
from gan_lightning.callbacks import ClipAnimation
from gan_lightning.callbacks.predictions import PredictionWriter
from gan_lightning.cli import main
from gan_lightning.variants import Pix2Pix, VideoPrediction
from gan_lightning.visualization.images import to_uint8
from tests.datamodules.test_video_folder import frames, write_images, write_video
from tests.helpers.games import DigitsFor, play, run_directory, save_checkpoint, small


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(small(VideoPrediction), tmp_path_factory.mktemp("video") / "last.ckpt")


def shown(path: Path) -> np.ndarray:
    with Image.open(path) as gif:
        return np.stack([np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(gif)])


def test_a_folder_of_frames_is_continued(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path / "videos" / "walk.1", frames(6))
    write_images(tmp_path / "videos" / "short", frames(3))
    command = ["translate", "--ckpt", str(checkpoint), "--device", "cpu", "--frames", "3"]
    assert main([*command, "--input", str(tmp_path / "videos"), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().err
    assert "short is too short: VideoPrediction is given 4 frames, and it has 3." in printed
    assert "6/6" in printed  # three frames of each of two videos
    assert " frames/s" in printed
    written = shown(tmp_path / "out" / "walk.1.gif")
    assert written.shape == (7, 24, 32)
    model = inference.load(checkpoint)
    clip, _ = inference.continue_video(model, list_videos(tmp_path / "videos")[1], 3)
    # A GIF's colours are those of a palette.
    assert np.abs(written.astype(int) - to_uint8(clip)[:, 0].numpy()).max() <= 1
    given = torch.from_numpy(frames(6)[2:])
    assert np.abs(written[:4].astype(int) - given.numpy()).max() <= 1


def test_a_video_that_is_cut_off_is_told(checkpoint: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.avi", frames(40, 48, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with pytest.warns(
        UserWarning, match=r"cut.avi: its frames are \d+ of the 40 that its header counts, and are taken"
    ):
        inference.continue_video(inference.load(checkpoint), list_videos(path)[0], 1)


@pytest.mark.parametrize(
    ("game", "frames_asked", "message"),
    [
        (VideoPrediction, [], "VideoPrediction predicts the frames after a video: give --frames and how many."),
        (Pix2Pix, ["--frames", "2"], "Pix2Pix translates images and predicts no frames: leave out --frames."),
    ],
)
def test_a_model_of_the_other_kind_is_told(
    game: type, frames_asked: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "videos" / "walk", frames(6))
    path = save_checkpoint(small(game), tmp_path / "last.ckpt")
    out = ["--input", str(tmp_path / "videos"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        main(["translate", "--ckpt", str(path), "--device", "cpu", *frames_asked, *out])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_video_is_told(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("no video")
    for place in ("text.txt", "nowhere"):
        out = ["--input", str(tmp_path / place), "--out", str(tmp_path / "out"), "--frames", "2"]
        with pytest.raises(SystemExit):
            main(["translate", "--ckpt", str(checkpoint), *out])
    errors = capsys.readouterr().err
    assert "text.txt is no video (.mp4, " in errors
    assert "There is no file or folder" in errors


def test_loggers_get_the_clips(tmp_path: Path) -> None:
    """TensorBoard plays a GIF where it expects a picture."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(str(tmp_path / "events"))

    class Logged(ClipAnimation):
        def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
            trainer.loggers = [*trainer.loggers, logger]
            super().setup(trainer, pl_module, stage)

    play(small(VideoPrediction), 1, tmp_path, batch_size=20, callbacks=[Logged(n=2, scale=1)])
    shows = EventAccumulator(logger.log_dir, {"images": 0}).Reload().Images("clips")
    assert [show.step for show in shows] == [0, 1]
    assert shows[1].encoded_image_string == (run_directory(tmp_path) / "clips" / "step_00000001.gif").read_bytes()


def test_a_run_shows_clips_and_predict_writes_those_of_the_test_set(tmp_path: Path) -> None:
    model = small(VideoPrediction)
    trainer = play(model, 1, tmp_path, batch_size=20, callbacks=[ClipAnimation(n=2, scale=1)])
    clips = shown(run_directory(tmp_path) / "clips" / "step_00000001.gif")
    assert clips.shape == (6, 2 * 16 + 3, 2 * 16 + 3)
    # Given frames are the same at both sides, predicted ones are not.
    left, right = clips[:, :, 1:17], clips[:, :, 18:34]
    assert (left[:4] == right[:4]).all()
    assert (left[4:] != right[4:]).any()
    trainer.callbacks = [PredictionWriter()]
    data = DigitsFor(model, batch_size=2, image_size=16, test_size=3)
    trainer.predict(model, data, return_predictions=False)
    files = sorted((run_directory(tmp_path) / "predictions").glob("*.gif"))
    assert [file.name for file in files] == ["00000_000.gif", "00000_001.gif", "00001_000.gif"]
    assert shown(files[0]).shape == (6, 16, 16)
