"""Clips of a video: frames that are decoded once and mapped, against a seek in the file for every clip.

    python -m benchmarks video --file VIDEO
    python -m benchmarks video --file VIDEO --part memory

Both give batches of 8 random crops of 5 frames, 32 x 32, in two worker processes each. The baseline is what one writes
first: a torch Dataset that opens the file with PyAV, seeks to the key frame before the clip, decodes on to its last
frame, and crops. The runs alternate, so that whatever else the machine does falls on both. Beside them stand the
crops that move (``min_motion``), and the one pass in which the cache is made. Printed are medians over the rounds and,
for the ratios, also the lowest and the highest in a round.

Then the video is made ``--hours`` long, by writing its packets again and again, and the memory of a process is printed
at intervals over thousands of batches: all that is resident, mapped files among it, and what is the process's own.
"""

import argparse
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules import VideoFolderDataModule

BATCH_SIZE, N_FRAMES, SIDE, WORKERS = 8, 5, 32, 2


class SeekingDataset(Dataset[Tensor]):
    """Random crops of the clips of a file, each found by a seek.

    Args:
        file: The video; its time stamps count frames.
        n_frames: Number of its frames.
    """

    def __init__(self, file: str, n_frames: int) -> None:
        self.file = file
        self.n_frames = n_frames

    def __len__(self) -> int:
        return self.n_frames - N_FRAMES + 1

    def __getitem__(self, start: int) -> Tensor:
        clip: list[Any] = []
        with av.open(self.file) as container:
            stream = container.streams.video[0]
            container.seek(start, stream=stream)  # it lands on the key frame before
            for frame in container.decode(stream):
                if frame.pts >= start:
                    clip.append(frame.to_ndarray(format="rgb24"))
                if len(clip) == N_FRAMES:
                    break
        whole = np.stack(clip)
        top, left = random.randint(0, whole.shape[1] - SIDE), random.randint(0, whole.shape[2] - SIDE)
        cut = whole[:, top : top + SIDE, left : left + SIDE].transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(cut))


def clips_a_second(batches: Iterable[Any], count: int) -> float:
    """Clips a second from the second batch on: workers have been started by the first."""
    iterator: Iterator[Any] = iter(batches)
    next(iterator)
    start = perf_counter()
    n_clips = sum(len(batch) for batch in islice(iterator, count))
    return n_clips / (perf_counter() - start)


def module(file: Path, cache: Path, **arguments: Any) -> VideoFolderDataModule:
    own: dict[str, Any] = {"val_share": 0.0, "test_share": 0.0, "min_motion": 0.0, "num_workers": WORKERS}
    data = VideoFolderDataModule(
        str(file), BATCH_SIZE, SIDE, n_frames=N_FRAMES, cache=str(cache), **{**own, **arguments}
    )
    data.setup()
    return data


def compare(file: Path, cache: Path, rounds: int, batches: int) -> None:
    """Print the speed of each contestant, and the ratio to the baseline."""
    start = process_time()
    ours = module(file, cache)
    n_frames = ours.splits.train.videos[0].shape[0]
    print(f"decoded once: {n_frames} frames in {process_time() - start:.1f} s of CPU")
    moving = module(file, cache, min_motion=5.0)
    seeking = DataLoader(SeekingDataset(str(file), n_frames), BATCH_SIZE, shuffle=True, num_workers=WORKERS)
    speeds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, loader, count in (
            ("a seek for every clip", seeking, batches),
            ("mapped frames", ours.train_dataloader(), 8 * batches),
            ("mapped frames, crops that move", moving.train_dataloader(), 8 * batches),
        ):
            speeds.setdefault(name, []).append(clips_a_second(loader, count))
    baseline = speeds["a seek for every clip"]
    for name, runs in speeds.items():
        ratios = [run / base for run, base in zip(runs, baseline, strict=True)]
        print(
            f"{name}: {median(runs):,.1f} clips/s, {median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})"
        )


def lengthen(file: Path, longer: Path, hours: float) -> None:
    """Write the packets of a video again and again until it is so long, without decoding them."""
    with av.open(str(longer), "w") as target, av.open(str(file)) as source:
        stream = source.streams.video[0]
        assert stream.average_rate is not None
        copy = target.add_stream_from_template(stream)
        packets = [(bytes(packet), packet.is_keyframe) for packet in source.demux(stream) if packet.size]
        for i in range(int(hours * 3600 * float(stream.average_rate))):
            content, is_key = packets[i % len(packets)]
            packet = av.Packet(content)
            packet.pts = packet.dts = i
            packet.time_base, packet.stream = 1 / stream.average_rate, copy
            packet.is_keyframe = is_key
            target.mux(packet)


def resident() -> tuple[float, float]:
    """MiB of memory of this process: all, mapped files included, and without files."""
    status = Path("/proc/self/status").read_text()
    total, own = (int(status.split(f"{name}:")[1].split()[0]) / 2**10 for name in ("VmRSS", "RssAnon"))
    return total, own


def print_memory(when: str) -> None:
    total, own = resident()
    print(f"{when}: {total:,.0f} MiB resident, {own:,.0f} of its own", flush=True)


def measure_memory(file: Path, here: Path, hours: float, steps: int, interval: int) -> None:
    """Print the memory of this process over so many batches of a long video, and how fast they come."""
    longer = here / "long.avi"
    lengthen(file, longer, hours)
    print_memory("before")
    data = module(longer, here, frame_size=64, num_workers=0)
    shape = data.splits.train.videos[0].shape
    print(f"{hours:g} h, {shape[0]:,} frames of {shape[2]} x {shape[1]}, {np.prod(shape) / 2**20:,.0f} MiB on the disk")
    loader = data.train_dataloader()
    # As training goes on: one epoch after the other.
    batches = chain.from_iterable(repeat(loader))
    start = perf_counter()
    for step, _ in enumerate(islice(batches, steps), start=1):
        if step == 1 or step % interval == 0:
            print_memory(f"step {step:,}")
    seconds = perf_counter() - start
    print(f"{steps:,} batches of {BATCH_SIZE} clips in {seconds:.0f} s, {steps * BATCH_SIZE / seconds:,.0f} clips/s")


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print a line for each contestant."""
    parser = argparse.ArgumentParser("python -m benchmarks video")
    parser.add_argument("--file", type=Path, required=True, help="video whose time stamps count frames, such as AVI")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default: %(default)s)")
    parser.add_argument("--batches", type=int, default=12, help="batches in a turn (default: %(default)s)")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the long video (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=5000, help="batches read of it (default: %(default)s)")
    parser.add_argument("--interval", type=int, default=500, help="steps between two lines (default: %(default)s)")
    parser.add_argument("--part", choices=["speed", "memory"], help="one of both alone (default: both)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with TemporaryDirectory() as here:
        if options.part != "memory":
            compare(options.file, Path(here), options.rounds, options.batches)
        if options.part != "speed":
            measure_memory(options.file, Path(here), options.hours, options.steps, options.interval)
