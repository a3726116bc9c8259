"""Clips of videos, from files and from folders of frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from datamodules.base import Splits, check_at_least, check_channels, held_out, shape_of
from datamodules.components.examples import Chances, ClipExamples, ExampleDataModule
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import split_folders
from datamodules.components.raster import Pixels, Size
from datamodules.components.video import SUFFIXES, Video, VideoError, list_videos, warn_of_unevenness
from datamodules.components.video_cache import BLOCK, CachedVideo, cached_video, window_means

_NAMED = 5  # as many broken videos are named in an error
_SPLITS = ("train", "val", "test")


class VideoFolderDataModule(ExampleDataModule):
    """Crops of consecutive frames of videos.

    A video is a file (MP4, MOV, AVI, MKV, WebM, MPEG, Ogg) or a folder of two images or more, numbered by their names.
    The videos lie in ``train``, ``val`` and ``test``, or all together; then ``split`` says how they are divided. Each
    is decoded once, into a cache on the disk of ``T x H x W x C`` bytes that later runs find again, and clips are read
    from there at any place.

    Batches are clips, uint8, n x T x C x H x W. In training every frame that a clip can start at is taken once in an
    epoch, with one crop at random. In validation and testing clips do not overlap, and the crop is the one that
    moves most. Crops that do not move enough are not taken, as in Mathieu et al., 2016.

    Args:
        root: The folder, or one video file.
        batch_size: Clips in a batch, in each process.
        image_size: Height and width of a crop: one number for a square, or [height, width].
        frame_size: Height and width to which whole frames are resized before they are cropped, or one number, the
            length of the shorter side; None: as they are.
        channels: 1 (grey) or 3 (RGB).
        n_frames: Frames of a training clip.
        n_eval_frames: Frames of a validation or test clip.
        frame_step: Take every so many frames only.
        min_motion: Least motion of a crop, the root of the mean squared difference of neighbouring frames in levels, 0
            to 255; it is measured by squares of 8 pixels, on which crops lie. 0: crops anywhere.
        split: Where the videos are not in folders of splits. time: the last frames of each are held out; files: whole
            videos.
        val_share: Share of the frames, or of the videos, for validation.
        test_share: The same for testing.
        flip: Mirror training clips horizontally with probability one half.
        num_workers: Processes that read clips; 0: none but the training process, which is fastest for small crops.
        seed: The order and the crops of the training clips are functions of this seed and the epoch.
        cache: Folder of the decoded frames. None: ``gan_lightning/videos`` in the user's folder for caches.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 8,
        image_size: int | tuple[int, int] = 32,
        frame_size: int | tuple[int, int] | None = None,
        channels: int = 3,
        n_frames: int = 5,
        n_eval_frames: int = 6,
        frame_step: int = 1,
        min_motion: float = 5.0,
        split: Literal["time", "files"] = "time",
        val_share: float = 0.1,
        test_share: float = 0.1,
        flip: bool = True,
        num_workers: int = 0,
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        check_channels(photographs=True, channels=channels)
        super().__init__(shape_of(channels, image_size), None, batch_size, flip, num_workers, seed)
        check_at_least(2, n_frames=n_frames, n_eval_frames=n_eval_frames)
        check_at_least(1, frame_step=frame_step)
        for side in () if frame_size is None else np.ravel(frame_size).tolist():
            check_at_least(1, frame_size=side)
        if not min_motion >= 0:
            raise ValueError(f"min_motion is {min_motion}: it must be at least 0.")
        for name, share in {"val_share": val_share, "test_share": test_share}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} is {share}: it must be at least 0 and less than 1.")
        if val_share + test_share >= 1:
            raise ValueError(f"val_share {val_share} and test_share {test_share} would leave nothing to train on.")
        if min_motion and min(self.image_shape[1:]) < BLOCK:
            raise ValueError(
                f"image_size is {image_size}: motion is measured of crops from {BLOCK} pixels up: set min_motion to 0."
            )
        self.root = Path(root).expanduser()
        self.frame_size: Size | None = frame_size
        self.frames_of = {"train": n_frames, "val": n_eval_frames, "test": n_eval_frames}
        self.frame_step = frame_step
        self.min_motion = min_motion
        self.split = split
        self.shares = {"val": val_share, "test": test_share}
        self.cache = cache

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        folders = split_folders(self.root)
        videos = {split: list_videos(folder) for split, folder in folders.items()} or {"": list_videos(self.root)}
        if not any(videos.values()):
            raise FileNotFoundError(
                f"VideoFolderDataModule: {self.root} has no video ({', '.join(SUFFIXES)}) and no folder of two images "
                "or more: set root to a folder that has."
            )
        every = [(split, video) for split, each in videos.items() for video in each]
        frames = self._decoded([video for _, video in every])
        spans = self._spans([split for split, _ in every], frames)
        splits = {split: self._clips(split, frames, spans[split]) for split in _SPLITS}
        if not len(splits["train"]):
            raise ValueError(
                f"VideoFolderDataModule: no video in {self.root} has a training clip of {self.frames_of['train']} "
                f"frames, {self.frame_step} apart, that moves by {self.min_motion:g} levels: lower n_frames, "
                "frame_step or min_motion, or add videos."
            )
        return Splits(**splits)

    def _decoded(self, videos: Sequence[Video]) -> list[CachedVideo]:
        """The frames of all videos.

        Raises:
            ValueError: Some cannot be used; the message names them with the reasons.
            OSError: The cache cannot be written.
        """
        cached: list[CachedVideo] = []
        broken: list[str] = []
        height, width = self.image_shape[1:]
        for video in videos:
            try:
                each = cached_video(video, self.image_shape[0], self.frame_size, self.cache)
            except VideoError as error:
                broken.append(f"{video.path} ({error})")
                continue
            except OSError as error:
                raise OSError(
                    f"The decoded frames of {video.path} cannot be kept ({error.strerror or error}): make room, set "
                    "cache to another folder, or lower frame_size."
                ) from error
            if each.shape[1] < height or each.shape[2] < width:
                broken.append(f"{video.path} ({each.shape[2]} x {each.shape[1]} pixels, smaller than a crop)")
            warn_of_unevenness(video.path, each.unevenness)
            cached.append(each)
        if broken:
            more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
            raise ValueError(
                f"VideoFolderDataModule: {len(broken)} of the {len(videos)} videos in {self.root} cannot be used: "
                f"{', '.join(broken[:_NAMED])}{more}: repair or remove them."
            )
        return cached

    def _spans(self, splits: Sequence[str], videos: Sequence[CachedVideo]) -> dict[str, list[tuple[int, int, int]]]:
        """Spans of frames of each split: (number of the video, first frame, one after the last)."""
        spans: dict[str, list[tuple[int, int, int]]] = {split: [] for split in _SPLITS}
        count = len(videos)
        if splits[0]:
            for i, split in enumerate(splits):
                spans[split].append((i, 0, videos[i].shape[0]))
        elif self.split == "files":
            n_val, n_test = (round(share * count) for share in self.shares.values())
            for split, part in zip(_SPLITS, held_out(count, self.location, val=n_val, test=n_test), strict=True):
                spans[split] += [(i, 0, videos[i].shape[0]) for i in part.tolist()]
        else:
            for i, video in enumerate(videos):
                length = video.shape[0]
                test = length - round(self.shares["test"] * length)
                val = test - round(self.shares["val"] * length)
                for split, ends in zip(_SPLITS, ((0, val), (val, test), (test, length)), strict=True):
                    spans[split].append((i, *ends))
        return spans

    def _clips(self, split: str, videos: list[CachedVideo], spans: list[tuple[int, int, int]]) -> "VideoClips":
        """The clips of a split; a warning names the videos that are too short for one."""
        reach = (self.frames_of[split] - 1) * self.frame_step + 1
        starts = [
            (i, start)
            for i, first, end in spans
            # In training all, else one after the other.
            for start in range(first, end - reach + 1, 1 if split == "train" else reach)
        ]
        short = [videos[i].file.stem for i, first, end in spans if first < end < first + reach]
        if short:
            rank_zero_warn(
                f"VideoFolderDataModule: {len(short)} of the {len(spans)} videos in {self.root} have fewer than the "
                f"{reach} frames of a {split} clip and are left out of it, such as {short[0].rpartition('-')[0]}."
            )
        clips = VideoClips(
            videos,
            np.array(starts, np.int64).reshape(-1, 2),
            self.frames_of[split],
            self.frame_step,
            self.image_shape,
            self.min_motion,
            self.flip,
            self.workers(),
        )
        return clips.moving()


class VideoClips(ClipExamples):
    """Crops of clips that are read on demand.

    Args:
        videos: The frames.
        starts: Number of the video and first frame of each clip, N x 2.
        n_frames: T.
        frame_step: Every so many frames are taken.
        image_shape: Channels, height and width of a crop.
        min_motion: Least motion of a crop; 0: any.
        flip: Mirror a clip with probability one half, where it is given chances.
        num_workers: Worker processes.
    """

    n_chances = 3

    def __init__(
        self,
        videos: list[CachedVideo],
        starts: NDArray[np.int64],
        n_frames: int,
        frame_step: int,
        image_shape: tuple[int, int, int],
        min_motion: float,
        flip: bool,
        num_workers: int,
    ) -> None:
        super().__init__(num_workers)
        self.videos = videos
        self.starts = starts
        self.reach = (n_frames - 1) * frame_step + 1
        self.frame_step = frame_step
        self.size = image_shape[1:]
        self.min_motion = min_motion
        self.flip = flip

    def __len__(self) -> int:
        return len(self.starts)

    def moving(self) -> "VideoClips":
        """The same, without the clips of which no crop moves enough."""
        if self.min_motion:
            bar = tqdm(self.starts, "Measuring motion", unit=" clips", disable=None, leave=False)
            moves = [bool((self._motion(*start) >= self.min_motion**2).any()) for start in bar]
            self.starts = self.starts[np.array(moves, bool)]
        return self

    def _motion(self, video: int, start: int) -> NDArray[Any]:
        """Mean squared difference of neighbouring frames, of each crop on the grid of squares."""
        motion = self.videos[video].motion(slice(start, start + self.reach))
        means = window_means(motion, [side // BLOCK for side in self.size])
        # A crop whose sides are no multiples of the squares' reaches beyond the last of them.
        height, width = self.videos[video].shape[1:3]
        return means[: (height - self.size[0]) // BLOCK + 1, : (width - self.size[1]) // BLOCK + 1]

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        video, start = self.starts[index].tolist()
        top, left = self._place(video, start, chances)
        frames = slice(start, start + self.reach, self.frame_step)
        clip = self.videos[video].clip(frames, top, left, self.size)
        return (clip[..., ::-1] if self.flip and chances is not None and chances[2] < 0.5 else clip,)

    def _place(self, video: int, start: int, chances: Chances | None) -> tuple[int, int]:
        """Upper left corner of the crop: at random, or else where it moves most."""
        if self.min_motion:
            motion = self._motion(video, start)
            enough = np.flatnonzero(motion >= self.min_motion**2)
            chosen = motion.argmax() if chances is None else enough[int(chances[0] * len(enough))]
            row, column = divmod(int(chosen), motion.shape[1])
            return row * BLOCK, column * BLOCK
        height, width = (all_of - part for all_of, part in zip(self.videos[video].shape[1:3], self.size, strict=True))
        if chances is None:
            return height // 2, width // 2
        return int(chances[0] * (height + 1)), int(chances[1] * (width + 1))
