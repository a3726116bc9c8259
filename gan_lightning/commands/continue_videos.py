"""What ``translate --frames`` does: the frames after videos."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from datamodules.components.video import Video
    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.games.video import VideoGame


def video_targets(source: Path, out: Path) -> dict[Path, "Video"]:
    """Map each result's file, a GIF, to its video.

    Raises:
        FileNotFoundError: There are no videos.
        ValueError: Two would be written into one file.
    """
    from datamodules.components.video import SUFFIXES, list_videos

    if not source.exists():
        raise FileNotFoundError(f"There is no file or folder {source}: give --input a video or a folder.")
    videos = list_videos(source)
    if not videos:
        raise FileNotFoundError(f"{source} is no video ({', '.join(SUFFIXES)}), no folder of frames and none of these.")
    targets: dict[Path, Video] = {}
    for video in videos:
        name = video.path.relative_to(source) if video.path != source else Path(source.name or "video")
        # A folder of frames keeps its whole name, a file loses its suffix.
        target = out / (name.with_name(f"{name.name if video.frames else name.stem}.gif"))
        if target in targets:
            raise ValueError(f"{targets[target].path} and {video.path} would both become {target}: rename one of them.")
        targets[target] = video
    return targets


def continue_one(model: "AdversarialModule", video: "Video", target: Path, n: int) -> None:
    """Write the last frames of a video and ``n`` predicted ones as GIF, and as MP4.

    Raises:
        ImageError: The video cannot be read.
        OSError: The files cannot be written.
    """
    from gan_lightning import inference
    from gan_lightning.visualization.images import to_uint8
    from gan_lightning.visualization.videos import write_clip

    clip, rate = inference.continue_video(cast("VideoGame", model), video, n)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_clip(target, to_uint8(clip).cpu(), rate)
