"""Clips to GIF and MP4 files."""

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn
from datamodules.components.video import imported_av
from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.images import to_pil, write_gif


def durations(n_frames: int, rate: float) -> list[int]:
    """Milliseconds of each frame of a GIF, whose times are in hundredths of a second, without a drift.

    Args:
        n_frames: At least 1.
        rate: Frames a second, at most 50: programs show shorter frames for a tenth of a second.
    """
    ends = [round(100 * i / min(rate, 50)) for i in range(n_frames + 1)]
    return [10 * (end - start) for start, end in pairwise(ends)]


def write_clip(path: Path, clip: Tensor, rate: float) -> None:
    """Write a clip as MP4, where the package ``av`` is installed, and as GIF, 256 colours a frame.

    Each file appears when it is complete, the GIF last.

    Args:
        path: Its suffix is replaced, by ``.mp4`` and by ``.gif``.
        clip: uint8, T x C x H x W, grey or RGB.
        rate: Frames a second.
    """
    try:
        imported_av()
    except ModuleNotFoundError as error:
        rank_zero_warn(f"{error} Clips are written as GIF alone.")
    else:
        write_atomically(path.with_suffix(".mp4"), mp4(clip, rate))
    frames: Sequence[Image.Image] = [to_pil(frame) for frame in clip]
    write_gif(path.with_suffix(".gif"), frames, durations(len(frames), rate))


def mp4(clip: Tensor, rate: float) -> bytes:
    """The content of an MP4 file, H.264, or MPEG-4 where FFmpeg was built without it.

    Args:
        clip: uint8, T x C x H x W, grey or RGB. Odd sides get one pixel more, the border's again.
        rate: Frames a second.
    """
    av = imported_av()
    height, width = clip.shape[2:]
    # Colours are kept for 2 x 2 pixels, and grey frames too are encoded as three channels.
    even = F.pad(clip.float(), (0, width % 2, 0, height % 2), mode="replicate").byte().expand(-1, 3, -1, -1)
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = even.shape[2], even.shape[3], "yuv420p"
        for pixels in even.permute(0, 2, 3, 1).cpu().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return content.getvalue()
