"""Clips as files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from datamodules.components.video import FrameReader, Video
from gan_lightning.visualization.videos import durations, write_clip


def test_times_of_a_gif_do_not_drift() -> None:
    assert durations(3, 24) == [40, 40, 40]
    assert sum(durations(24, 24)) == 1000
    assert durations(2, 1000) == [20, 20]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_clip_is_read_again_as_it_was_written(channels: int, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="MP4 files are written by av")
    clip = torch.zeros(6, channels, 17, 24, dtype=torch.uint8)
    clip += 40 * torch.arange(6, dtype=torch.uint8)[:, None, None, None]
    write_clip(tmp_path / "clip", clip, rate=12.5)
    reader = FrameReader(Video(tmp_path / "clip.mp4"), channels, None)
    frames = np.stack(list(reader))
    assert frames.shape == (6, 18, 24, channels)  # even sides
    assert np.abs(frames[:, :17].transpose(0, 3, 1, 2).astype(int) - clip.numpy()).max() <= 6  # H.264 is lossy
    assert reader.rate == 12.5
    with Image.open(tmp_path / "clip.gif") as gif:
        shown = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(gif)]
    assert [int(frame[0, 0]) for frame in shown] == [0, 40, 80, 120, 160, 200]
