#!/usr/bin/env bash
# PyAV 18.1.0: `stream.frames` of an AVI counts pictures that the file does not hold; of MP4 and MOV it does not.
#
# The container has no time stamps, only a number of ticks: where a video pauses, the muxer fills the pause with empty
# entries, and the header counts them. Twenty pictures with a pause of 90 ticks between them are 110 "frames" of an AVI, at
# a constant 25 a second, of which 20 are decoded; the same twenty in an MP4 or MOV are 20 frames, at 50/11 a second on the average. So
# a data set that reserves `stream.frames` places, or draws a clip's start below it, reads past the end; a file that was
# cut off, whose header counts more than there is too, looks the same; and the rate, by which videos of variable rate are
# recognised, says that this one is constant. Only decoding tells, or the time stamps.
# For us: clips are indexed by the frames that are decoded, and a file with fewer than its header counts is told as one that
# is cut off or has entries that repeat (datamodules/components/video.py).
#
# Needs: Python 3.11 or newer with pip and venv. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
from fractions import Fraction

import av
import numpy

SHOWN = [*range(10), *range(100, 110)]  # ticks of 1/25 s
for container in ("avi", "mp4", "mov"):
    name = f"pause.{container}"
    with av.open(name, "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for tick in SHOWN:
            picture = av.VideoFrame.from_ndarray(numpy.full((64, 64, 3), 2 * tick, numpy.uint8), format="rgb24")
            picture.pts, picture.time_base = tick, Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with av.open(name) as file:
        counted, rate = file.streams.video[0].frames, file.streams.video[0].average_rate
        times = [round(25 * picture.time) for picture in file.decode(video=0)]
    print(f"{container}: stream.frames {counted}, {rate} a second on the average, {len(times)} frames decoded")
    assert times == SHOWN, "the times of the frames changed: update the note above"
    expected = (110, 25) if container == "avi" else (20, None)
    assert counted == expected[0], "stream.frames changed: update the note above"
    assert expected[1] is None or rate == expected[1], "the rate of an AVI changed: update the note above"
print("as described: the header of an AVI counts its pauses as frames")
PYTHON
