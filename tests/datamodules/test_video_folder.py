"""Clips of videos: which frames, which crops, which splits, and what cannot be read."""

import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import VideoFolderDataModule
from datamodules.components.video import FrameReader, Video, VideoError, list_videos
from datamodules.components.video_cache import cached_video, window_means


def frames(count: int, height: int = 24, width: int = 32) -> np.ndarray:
    """Grey frames, each of one level, 3 more than the one before; a square of 8 pixels flickers."""
    made = np.repeat(3 * np.arange(count, dtype=np.uint8), height * width).reshape(count, height, width).copy()
    made[1::2, 8:16, 16:24] += 100
    return made


def write_images(folder: Path, content: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for i, frame in enumerate(content):
        Image.fromarray(frame).save(folder / f"frame_{i + 1}.png")  # frame_10 after frame_9
    return folder


def write_video(path: Path, content: np.ndarray, stamps: list[int] | None = None, codec: str = "mpeg4") -> Path:
    """A video file of grey frames; ``stamps`` in tenths of a second."""
    av = pytest.importorskip("av", reason="video files are written by av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"qscale": "1"})
        stream.height, stream.width = content.shape[1:]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 1
        stream.codec_context.time_base = Fraction(1, 10)
        for i, pixels in enumerate(content):
            frame = av.VideoFrame.from_ndarray(np.repeat(pixels[..., None], 3, 2), format="rgb24")
            frame.pts, frame.time_base = (stamps[i] if stamps else i), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def module(root: Path, **arguments: Any) -> VideoFolderDataModule:
    own = {"batch_size": 2, "image_size": 16, "channels": 1, "n_frames": 3, "n_eval_frames": 3, "min_motion": 0.0}
    cache = root.parent / "cache"
    return VideoFolderDataModule(str(root), cache=str(cache), **{**own, "flip": False, **arguments})


def levels(clips: torch.Tensor) -> list[list[int]]:
    """Number of each frame, by the level of its corner."""
    return (clips[:, :, 0, 0, 0] // 3).tolist()


def test_every_frame_begins_a_training_clip_and_held_out_frames_are_in_none(tmp_path: Path) -> None:
    write_images(tmp_path / "videos" / "one", frames(20))
    data = module(tmp_path / "videos", val_share=0.25, test_share=0.15)
    train, val, test = ([clip for batch in loader() for clip in levels(batch)] for loader in (
        data.train_dataloader, data.val_dataloader, data.test_dataloader
    ))  # fmt: skip
    # 12 frames to train on, 5 and 3 held out.
    assert sorted(train) == [[i, i + 1, i + 2] for i in range(10)]
    assert train != sorted(train)
    assert (val, test) == ([[12, 13, 14]], [[17, 18, 19]])
    apart = module(tmp_path / "videos", frame_step=3, val_share=0, test_share=0)
    assert sorted(clip for batch in apart.train_dataloader() for clip in levels(batch))[0] == [0, 3, 6]


def test_crops_are_a_function_of_seed_and_epoch_and_resume(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    write_images(tmp_path / "videos" / "one", draw.integers(0, 256, (16, 24, 32), np.uint8))

    def epoch(number: int, seed: int = 0, skip: int = 0, workers: int = 0) -> torch.Tensor:
        loader = module(tmp_path / "videos", seed=seed, flip=True, num_workers=workers).train_dataloader()
        if skip:
            loader.load_state_dict({**loader.state_dict(), "epoch": number, "images": 2 * skip})
        loader.sampler.set_epoch(number)
        return torch.cat(list(loader))

    whole = epoch(1)
    assert torch.equal(epoch(1), whole)
    assert torch.equal(epoch(1, workers=1), whole)
    assert torch.equal(epoch(1, skip=3), whole[6:])
    assert not torch.equal(epoch(2), whole)
    assert not torch.equal(epoch(1, seed=1), whole)


def test_only_crops_that_move_are_taken(tmp_path: Path) -> None:
    content = frames(20)
    content[10:, 8:16, 16:24] = content[10:, :8, :8]  # from then on nothing flickers
    write_images(tmp_path / "videos" / "one", content)
    # The square flickers by 103 and by 97 in turn, the rest rises by 3. A crop of 16 x 16 has four squares.
    least = ((103**2 + 97**2) / 2 / 4 + 9 * 3 / 4) ** 0.5
    data = module(tmp_path / "videos", min_motion=least - 0.5, val_share=0, test_share=0)
    starts = data.splits.train.starts[:, 1].tolist()
    assert starts == list(range(9))  # the last of them: frames 8, 9, 10
    clips = data.splits.train
    corners = {clips._place(0, 2, np.array([chance, 0, 0])) for chance in np.arange(0, 1, 0.05)}
    # Of the crops on the grid of 8, 0 or 8 down and 0, 8 or 16 along, those that hold the square at (8, 16).
    assert corners == {(0, 8), (0, 16), (8, 8), (8, 16)}
    with pytest.raises(ValueError, match=r"no video in .* training clip of 3 frames, .* moves by 200 levels: lower"):
        _ = module(tmp_path / "videos", min_motion=200.0).splits


def test_whole_files_and_folders_of_splits(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        write_images(tmp_path / "videos" / name, frames(6))
    splits = module(tmp_path / "videos", split="files", val_share=0.25, test_share=0.25).splits
    used = [set(getattr(splits, split).starts[:, 0].tolist()) for split in ("train", "val", "test")]
    assert [len(each) for each in used] == [2, 1, 1]
    assert len(set().union(*used)) == 4
    for split in ("train", "test"):
        write_images(tmp_path / "sorted" / split / "a", frames(6))
    splits = module(tmp_path / "sorted").splits
    assert [len(getattr(splits, split)) for split in ("train", "val", "test")] == [4, 0, 2]


def test_a_file_has_the_frames_that_were_written(tmp_path: Path) -> None:
    content = frames(12)
    path = write_video(tmp_path / "videos" / "clip.mp4", content)
    decoded = np.stack(list(FrameReader(Video(path), 1, None)))[..., 0]
    assert np.abs(decoded.astype(int) - content).mean() < 2  # MPEG-4 is lossy
    cached = cached_video(Video(path), 3, 12, tmp_path)
    assert cached.shape == (12, 12, 16, 3)
    clip = cached.clip(slice(2, 9, 3), 2, 3, (8, 4))
    whole = np.stack(list(FrameReader(Video(path), 3, 12)))
    assert (clip == whole[2:9:3, 2:10, 3:7].transpose(0, 3, 1, 2)).all()
    # Found again, not decoded again.
    time = cached.file.stat().st_mtime_ns
    assert cached_video(Video(path), 3, 12, tmp_path).file.stat().st_mtime_ns == time
    # Damaged, or of another file: decoded again.
    cached.file.write_bytes(cached.file.read_bytes()[:-9])
    assert (cached_video(Video(path), 3, 12, tmp_path).clip(slice(0, 12)) == whole.transpose(0, 3, 1, 2)).all()
    write_video(path, content[:7])
    assert cached_video(Video(path), 3, 12, tmp_path).shape[0] == 7


def test_a_video_that_is_turned_and_images_that_are_resized(tmp_path: Path) -> None:
    content = frames(6)
    path = write_video(tmp_path / "clip.mp4", content)
    # A quarter turn in the header of the track, as of a telephone that was held upright.
    written = bytearray(path.read_bytes())
    matrix = written.index(b"tkhd") + 4 + 40
    written[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 24 << 16, 0, 1 << 30)
    path.write_bytes(written)
    # The square at row 8, column 16 is at row 16, column 24 - 8 - 8 then.
    turned = cached_video(Video(path), 1, None, tmp_path)
    assert turned.shape == (6, 32, 24, 1)
    assert np.argwhere(turned.motion(slice(0, 2)) > 1000).tolist() == [[2, 1]]
    folder = write_images(tmp_path / "images", content)
    resized = cached_video(list_videos(folder)[0], 3, 48, tmp_path)
    assert resized.shape == (6, 48, 64, 3)
    assert np.argwhere(resized.motion(slice(0, 2)) > 5000).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_frames_are_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    names = ["2.png", "10.png", f"{10**30}.png", "\N{SUPERSCRIPT TWO}1.png"]
    for name in reversed(names):
        Image.fromarray(frames(1)[0]).save(tmp_path / name)
    assert [file.name for file in list_videos(tmp_path)[0].frames] == names


def test_uneven_times_are_told_and_the_order_is_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "clip.mkv", frames(12), stamps=[0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    with pytest.warns(UserWarning, match=r"clip.mkv: its frames are 100 to 300 ms apart, and are taken in their order"):
        assert len(module(tmp_path / "videos", val_share=0, test_share=0).splits.train) == 10


def test_what_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    with pytest.raises(FileNotFoundError, match=r"has no video .* and no folder of two images or more: set root"):
        _ = module(root).splits
    write_images(root / "good", frames(20))
    write_images(root / "short", frames(2))
    with pytest.warns(
        UserWarning, match="1 of the 2 videos .* fewer than the 3 frames of a train clip .* such as short"
    ):
        _ = module(root, val_share=0, test_share=0).splits
    write_images(root / "small", frames(5, 8, 8))
    pytest.importorskip("av", reason="video files are read by av")
    (root / "text.mp4").write_bytes(b"no video at all" * 99)
    message = r"2 of the 4 videos .* cannot be used: .*small \(8 x 8 pixels, smaller than a crop\), .*text.mp4 \(not a "
    with pytest.raises(ValueError, match=message):
        _ = module(root).splits
    # A playlist would have FFmpeg open what it names.
    (root / "text.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n")
    with pytest.raises(VideoError, match="not a video"):
        list(FrameReader(Video(root / "text.mp4"), 3, None))
    write_images(root / "uneven", frames(3))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / "uneven" / "frame_2.png")
    with pytest.raises(VideoError, match="frame 2 is 9 x 9 pixels and the first 32 x 24"):
        list(FrameReader(list_videos(root / "uneven")[0], 1, None))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "videos" / "one", frames(6))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(
        OSError, match=r"frames of .*one cannot be kept \(it takes 0.0 GiB.*set cache to another folder"
    ):
        _ = module(tmp_path / "videos").splits
    assert not list((tmp_path / "cache").glob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_motion": -1.0}, "min_motion is -1.0: it must be at least 0."),
        ({"val_share": 1.0}, "val_share is 1.0: it must be at least 0 and less than 1."),
        ({"val_share": 0.5, "test_share": 0.5}, "would leave nothing to train on"),
        ({"image_size": 4, "min_motion": 1.0}, "motion is measured of crops from 8 pixels up"),
        ({"channels": 4}, "channels is 4: it must be 1 (grey) or 3 (RGB)."),
        ({"n_frames": 1}, "n_frames is 1: it must be at least 2."),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        module(Path("nowhere"), **arguments)


def test_means_of_windows() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = [[values[i : i + 2, j : j + 3].mean() for j in range(2)] for i in range(2)]
    np.testing.assert_allclose(window_means(values, (2, 3)), expected)


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "videos" / "cut.avi", frames(40, 48, 64))
    whole = path.read_bytes()
    reader = FrameReader(Video(path), 1, None)
    assert (len(list(reader)), reader.unevenness) == (40, "")
    path.write_bytes(whole[: len(whole) * 7 // 10])  # the index is at an AVI file's end, and it plays without it
    with pytest.warns(
        UserWarning, match=r"cut.avi: its frames are \d+ of the 40 that its header counts, and are taken"
    ):
        assert len(module(tmp_path / "videos", split="time").load_splits().train)
