"""Videos and folders of frames: finding them, decoding them in order. Every video file is opened here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.components.decoding import MOST_PIXELS, read_pixels
from datamodules.components.files import is_image, list_files
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.raster import Pixels, resized

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv")
"""What the names of video files end with, in small letters."""

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,ogg"
"""FFmpeg's names of the containers that are read: it knows others that fetch what they name, such as playlists."""
_WHOLE = 0.9
"""Less of the frames that a header counts is worth a word: the file is cut off, or has empty packets, which repeat."""
_UNEVEN = 1.5
"""A gap between frames of more than so many usual ones is uneven."""


class VideoError(ValueError):
    """A video cannot be used. The message is the reason, to follow its name."""


@dataclass(frozen=True)
class Video:
    """A video file, or the images of a folder as its frames.

    Attributes:
        path: The file or the folder.
        frames: The images in order; none of a file.
    """

    path: Path
    frames: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return self.frames or (self.path,)


def list_videos(place: Path) -> list[Video]:
    """The video files under a folder, at any depth, and the folders in it that hold two images or more, by path.

    Args:
        place: A folder, or a video file.
    """
    if not place.is_dir():
        return [Video(place)] if place.suffix.lower() in SUFFIXES else []
    images: dict[Path, list[Path]] = {}
    videos: list[Video] = []
    for file in list_files(place):
        if file.suffix.lower() in SUFFIXES and not file.is_dir():
            videos.append(Video(file))
        elif is_image(str(file)):
            images.setdefault(file.parent, []).append(file)
    videos += [Video(folder, tuple(sorted(files, key=_numbered))) for folder, files in images.items() if len(files) > 1]
    return sorted(videos, key=lambda video: video.path)


def _numbered(file: Path) -> list[Any]:
    """Sorting key by the numbers in a name: frame_9 before frame_10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


class FrameReader:
    """Frames of a video in their order.

    Args:
        video: Which one.
        channels: 1 (grey) or 3 (RGB).
        size: Height and width of the frames, or one number, the length of the shorter side; None: as they are.

    Attributes:
        expected: Number of frames by the file's header; 0 where it does not say.
        rate: Frames a second by the header; None where it does not say.
        unevenness: After the last frame, in words, what is uneven about their times or their number; empty if nothing
            is.
    """

    def __init__(self, video: Video, channels: int, size: int | tuple[int, int] | None) -> None:
        self.video = video
        self.channels = channels
        self.size = size
        self.expected = len(video.frames)
        self.rate: float | None = None
        self.unevenness = ""

    def __iter__(self) -> Iterator[Pixels]:
        """Yield the frames, uint8, H x W x C, all of one size.

        Raises:
            VideoError: It cannot be read, or not to its end.
        """
        shape: tuple[int, ...] | None = None
        for number, frame in enumerate(self._from_images() if self.video.frames else self._from_file()):
            shape = shape or frame.shape
            if frame.shape != shape:
                raise VideoError(
                    f"frame {number + 1} is {frame.shape[1]} x {frame.shape[0]} pixels and the first {shape[1]} x "
                    f"{shape[0]}"
                )
            yield frame

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of frames that are read at this size."""
        if self.size is None:
            return height, width
        if not isinstance(self.size, int):
            return self.size[0], self.size[1]
        factor = self.size / min(height, width)
        return round(height * factor), round(width * factor)

    def _from_images(self) -> Iterator[Pixels]:
        for file in self.video.frames:
            try:
                pixels = read_pixels(file, self.channels)
            except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
                raise VideoError(f"{file.name} cannot be read: {error}") from error
            size = self.target(*pixels.shape[:2])
            # Bicubic, C x H x W, as all images are.
            yield pixels if size == pixels.shape[:2] else resized(pixels[None], size)[0].transpose(1, 2, 0)

    def _from_file(self) -> Iterator[Pixels]:
        av = imported_av()
        number, stamps = 0, []
        try:
            with av.open(str(self.video.path), options={"format_whitelist": _CONTAINERS}) as container:
                if not container.streams.video:
                    raise VideoError("it has no video stream")
                stream = container.streams.video[0]
                self._check(stream)
                stream.thread_type = "AUTO"
                for frame in container.decode(stream):
                    stamps.append(frame.pts)
                    yield self._pixels(frame)
                    number += 1
        except av.error.FFmpegError as error:
            where = f"broken after frame {number}" if number else "not a video, or a broken one"
            raise VideoError(f"{where} ({error.strerror or error})") from error
        if number == 0:
            raise VideoError("it has no frame")
        missing = f"{number} of the {self.expected} that its header counts" if number < _WHOLE * self.expected else ""
        apart = _unevenness(stamps, float(stream.time_base or 0))
        self.unevenness = f"its frames are {', '.join(filter(None, [missing, apart]))}" if missing or apart else ""

    def _check(self, stream: Any) -> None:
        if stream.width * stream.height > MOST_PIXELS:
            raise VideoError(f"{stream.width} x {stream.height} pixels, more than {MOST_PIXELS // 10**6} million")
        self.expected = stream.frames
        self.rate = float(stream.average_rate) if stream.average_rate else None

    def _pixels(self, frame: Any) -> Pixels:
        height, width = frame.height, frame.width
        turned = frame.rotation // 90 % 4  # quarters, counter-clockwise: a telephone that was held upright
        if turned % 2:
            high, wide = self.target(width, height)[::-1]
        else:
            high, wide = self.target(height, width)
        pixels = frame.to_ndarray(format="rgb24" if self.channels == 3 else "gray", width=wide, height=high)
        return np.rot90(pixels.reshape(high, wide, self.channels), turned)


def _unevenness(stamps: list[int | None], unit: float) -> str:
    """What is uneven about the times of frames, given in units of so many seconds; empty if nothing is."""
    if None in stamps or len(stamps) < 3:
        return ""
    gaps: NDArray[Any] = np.diff(np.array(stamps, np.float64))
    if gaps.max() <= _UNEVEN * np.median(gaps):
        return ""
    return f"{gaps.min() * unit * 1000:.0f} to {gaps.max() * unit * 1000:.0f} ms apart"


def warn_of_unevenness(path: Path, unevenness: str) -> None:
    """Warn of a video whose frames are uneven, or fewer than its header counts; see :class:`FrameReader`."""
    if unevenness:
        rank_zero_warn(f"{path}: {unevenness}, and are taken in their order all the same.")


def imported_av() -> Any:
    """The package ``av``.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Video files are read and written with the package av, which is not installed: pip install "
            "'gan-lightning[video]'. Folders of frames need it not."
        ) from error
    return av
