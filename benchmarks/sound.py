"""Sounds: resynthesis of held-out ones against Griffin and Lim's algorithm, and the data path.

    python -m benchmarks sound --data-dir DATA --ckpt last.ckpt
    python -m benchmarks sound --data-dir DATA

DATA holds `drums`, a folder of WAV files for each kind. With a checkpoint of HiFiGAN its held-out sounds are made again
of their mel spectrograms, by the model and by librosa (0.11 or later, which nothing else needs): non-negative least
squares from bands to frequencies, and 32 iterations of the fast Griffin-Lim algorithm from random phases. Printed is
the mean absolute difference of logarithmic mel spectrograms, in which HiFi-GAN is trained, and seconds of CPU.

Without one, batches of 64 sounds of 16,384 samples are read: in the first pass, when files are decoded and the cache is
written, in later ones, which map it, and by indexing a tensor that is in memory, which is the baseline.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import process_time

import torch
from torch import Tensor

from datamodules import SoundFolderDataModule
from gan_lightning import inference
from gan_lightning.networks.layers.mel import LogMel

_ITERATIONS = 32


def griffin_lim(mel: LogMel, sounds: Tensor, sample_rate: int) -> Tensor:
    """Sounds of the spectrograms of sounds, N x 1 x T each, by librosa."""
    import librosa
    import numpy as np

    made = []
    for bands in mel(sounds).exp().numpy():
        # The filters have librosa's norm, so its inverse fits them.
        spectrum = librosa.feature.inverse.mel_to_stft(bands, sr=sample_rate, n_fft=mel.n_fft, power=1.0)
        length = mel.hop * (bands.shape[1] - 1) + mel.n_fft
        whole = librosa.griffinlim(
            spectrum, n_iter=_ITERATIONS, hop_length=mel.hop, center=False, length=length, random_state=0
        )
        # The spectrogram reflects the sound at its ends, by as many samples.
        made.append(whole[mel.reach : mel.reach + sounds.shape[2]])
    return torch.from_numpy(np.stack(made))[:, None].float().clamp(-1, 1)


def timed(make: Callable[[], Tensor]) -> tuple[Tensor, float]:
    begun = process_time()
    made = make()
    return made, process_time() - begun


def resynthesis(checkpoint: Path, folder: Path) -> Iterator[str]:
    """Lines of a table: the distance of spectrograms and seconds of CPU for a second of sound."""
    model = inference.load(checkpoint)
    hop = model.generator.hop
    with tempfile.TemporaryDirectory() as cache:
        data = SoundFolderDataModule(
            str(folder), n_samples=128 * hop, sample_rate=model.sample_rate, peak=0.95, cache=cache
        )
        data.setup()
        val = data.splits.val
        sounds = torch.cat([*val.image_batches([torch.arange(len(val))])]).float() / 32768
    seconds = sounds.numel() / model.sample_rate
    yield f"{len(sounds)} held-out sounds, {seconds:.1f} s\n"
    yield "| made by | distance of log mel | s of CPU for 1 s of sound |\n|---|---|---|"
    makers: dict[str, Callable[[], Tensor]] = {
        "HiFiGAN": lambda: model.resynthesised(sounds),
        f"librosa, {_ITERATIONS} iterations": lambda: griffin_lim(model.given_mel, sounds, model.sample_rate),
    }
    for name, make in makers.items():
        made, took = timed(make)
        yield f"| {name} | {float(model.mel_distance(sounds, made)):.3f} | {took / seconds:.3f} |"


def data_path(folder: Path, rounds: int = 7, epochs: int = 20) -> Iterator[str]:
    """Lines of a table: sounds a second of CPU, of each way to read them."""
    with tempfile.TemporaryDirectory() as cache:
        begun = process_time()
        data = SoundFolderDataModule(str(folder), cache=cache, val_size=0)
        data.setup()
        first = len(data.splits.train) / (process_time() - begun)
        later = SoundFolderDataModule(str(folder), cache=cache, val_size=0)
        later.setup()
        source = later.splits.train
        whole = torch.cat([*source.image_batches([torch.arange(len(source))])])
        speeds: dict[str, list[float]] = {"later passes, the cache mapped": [], "a tensor in memory": []}
        for _ in range(rounds):
            for name, batches in (("later passes, the cache mapped", later), ("a tensor in memory", None)):
                begun, count = process_time(), 0
                for epoch in range(epochs):
                    loader = later.train_dataloader()
                    loader.sampler.set_epoch(epoch)
                    indices = loader.sampler.indices().split(64)[: len(loader)]
                    taken = (sounds for sounds, _ in loader) if batches else (whole[some] for some in indices)
                    count += sum(len(batch) for batch in taken)
                speeds[name].append(count / (process_time() - begun))
    yield "| sounds of 16,384 samples | a second of CPU |\n|---|---|"
    yield f"| first pass: decoding, and writing the cache | {first:,.0f} |"
    for name, each in speeds.items():
        yield f"| {name} | {median(each):,.0f} ({min(each):,.0f} to {max(each):,.0f}) |"


def main(arguments: Sequence[str]) -> None:
    """Run one of the two benchmarks and print its table."""
    parser = argparse.ArgumentParser("python -m benchmarks sound")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="folder of the data sets")
    parser.add_argument("--ckpt", type=Path, metavar="PATH", help="checkpoint of HiFiGAN")
    options = parser.parse_args(arguments)
    folder = options.data_dir / "drums"
    if not folder.is_dir():
        parser.error(f"there is no {folder}: --data-dir names the folder that holds it.")
    for line in data_path(folder) if options.ckpt is None else resynthesis(options.ckpt, folder):
        print(line, flush=True)
