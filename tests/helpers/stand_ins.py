"""Small data sets of real photographs in the layouts of the data modules, for tests that need one of every kind.

They hold enough to train for two steps of five batches of four, as WGAN asks for. And a small VGG19.
"""

import json
from collections.abc import Callable
from hashlib import sha1
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from datamodules import (
    CaptionedImageDataModule,
    CelebADataModule,
    ChoralesDataModule,
    ImageFolderDataModule,
    ImageZipDataModule,
    LSUNDataModule,
    MidiFolderDataModule,
    PairedImageDataModule,
    ScreenshotsDataModule,
    ShardsDataModule,
    SoundFolderDataModule,
    SuperResolutionDataModule,
    TextLinesDataModule,
    UnpairedImageDataModule,
    UTKFaceDataModule,
    VideoFolderDataModule,
)
from datamodules.base import SplitDataModule
from datamodules.celeba import ATTRIBUTES
from datamodules.components.image_zip import write_zip
from datamodules.components.midi import midi_bytes
from datamodules.components.screens import random_program
from datamodules.components.shards.format import write_shards
from gan_lightning.visualization.sounds import wav


def photographs(count: int, width: int, height: int) -> list[Image.Image]:
    """Crops, all different, of the two photographs that scikit-learn brings: a Chinese temple, and a flower."""
    wholes = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    crops = []
    for i in range(count):
        whole = wholes[i % 2]
        left, top = (200 + 37 * i) % (whole.width - width), (150 + 23 * i) % (whole.height - height)
        crops.append(whole.crop((left, top, left + width, top + height)))
    return crops


def write(folder: Path, images: list[Image.Image]) -> None:
    """Saves the images as 000001.jpg, 000002.jpg, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, 1):
        image.save(folder / f"{number:06d}.jpg")


def encoded(image: Image.Image, kind: str) -> bytes:
    """The content of an image file."""
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def write_lmdb(folder: Path, values: list[bytes]) -> None:
    """Saves the values as LSUN does: each under a name of 40 hexadecimal digits."""
    lmdb = pytest.importorskip("lmdb")
    folder.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for value in values:
            transaction.put(sha1(value).hexdigest().encode(), value)


def paired(root: Path) -> dict[str, Any]:
    """40 + 2 + 2 pairs side by side: a photograph, and itself in grey."""
    images = photographs(44, 64, 64)
    pairs = [Image.new("RGB", (128, 64)) for _ in images]
    for pair, image in zip(pairs, images, strict=True):
        pair.paste(image, (0, 0))
        pair.paste(image.convert("L"), (64, 0))
    for split, part in {"train": pairs[:40], "val": pairs[40:42], "test": pairs[42:]}.items():
        write(root / split, part)
    return {"root": str(root), "image_size": 64, "batch_size": 1}


def unpaired(root: Path) -> dict[str, Any]:
    """Crops of the temple and of the flower: 40 + 2 of each."""
    images = photographs(84, 64, 64)
    for domain, part in {"A": images[::2], "B": images[1::2]}.items():
        write(root / f"train{domain}", part[:40])
        write(root / f"test{domain}", part[40:])
    return {"root": str(root), "image_size": 64, "batch_size": 1}


def videos(root: Path) -> dict[str, Any]:
    """Sixty frames: the camera moves over the flower, three pixels a frame."""
    whole = Image.fromarray(load_sample_images().images[1])
    write(root / "flower", [whole.crop((3 * i, 200, 3 * i + 48, 240)) for i in range(60)])
    return {"root": str(root), "image_size": 32, "min_motion": 0.0, "cache": str(root.parent / "cache")}


def super_resolution(root: Path) -> dict[str, Any]:
    """4 + 1 + 1 photographs."""
    images = photographs(6, 128, 120)
    folders = {"train": images[:4], "val": images[4:5], "test": images[5:]}
    for name, part in folders.items():
        write(root / name, part)
    return {"root": str(root), **{name: name for name in folders}}


def captioned(root: Path) -> dict[str, Any]:
    """44 + 4 photographs of a temple and of a flower, with one text or two."""
    write(root / "images", photographs(48, 64, 64))
    texts = [
        [f"{'a temple' if i % 2 == 0 else 'a red flower'} number {i}", f"photograph {i}"][: 1 + i % 3 % 2]
        for i in range(48)
    ]
    rows = [
        {"file_name": f"images/{i + 1:06d}.jpg", "text": text, "split": "train" if i < 44 else "val"}
        for i, text in enumerate(texts)
    ]
    (root / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return {"root": str(root), "image_size": 64}


def utkface(root: Path) -> dict[str, Any]:
    """44 photographs, of ages that differ by 11 years."""
    root.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(photographs(44, 64, 64)):
        image.save(root / f"{11 * number % 100}_0_2_201701{number:011d}.jpg.chip.jpg")
    return {"root": str(root), "image_size": 64, "val_size": 4}


def celeba(root: Path) -> dict[str, Any]:
    """40 + 2 + 2 photographs of CelebA's size, of which number i has every attribute whose number divides i."""
    home = root / "celeba"
    images = photographs(44, 178, 218)
    write(home / "img_align_celeba", images)
    names = [f"{number:06d}.jpg" for number in range(1, len(images) + 1)]
    partition = [f"{name} {(i >= 40) + (i >= 42)}" for i, name in enumerate(names)]
    has = [["-1" if i % number else "1" for number in range(1, len(ATTRIBUTES) + 1)] for i in range(len(names))]
    rows = [" ".join([name, *row]) for name, row in zip(names, has, strict=True)]
    (home / "list_eval_partition.txt").write_text("\n".join(partition))
    (home / "list_attr_celeba.txt").write_text("\n".join([str(len(names)), " ".join(ATTRIBUTES), *rows]))
    return {"data_dir": str(root), "image_size": 64}


def lsun(root: Path) -> dict[str, Any]:
    """40 + 2 photographs as bedrooms, in WebP as LSUN's own."""
    values = [encoded(image, "WEBP") for image in photographs(42, 96, 80)]
    write_lmdb(root / "bedroom_train_lmdb", values[:40])
    write_lmdb(root / "bedroom_val_lmdb", values[40:])
    return {"root": str(root)}


def image_folder(root: Path) -> dict[str, Any]:
    """40 + 2 + 2 photographs without classes, made small, for networks of any resolution."""
    images = photographs(44, 64, 64)
    for split, part in {"train": images[:40], "val": images[40:42], "test": images[42:]}.items():
        write(root / split, part)
    return {"root": str(root), "image_size": 32}


def class_folders(root: Path) -> dict[str, Any]:
    """20 + 20 photographs of two classes for training, 2 + 2 for validation."""
    images = photographs(44, 64, 64)
    for split, part in {"train": images[:40], "val": images[40:]}.items():
        for number, name in enumerate(("flower", "temple")):
            write(root / split / name, part[number::2])
    return {"root": str(root), "image_size": 32}


def shards(root: Path) -> dict[str, Any]:
    """40 + 2 + 2 photographs, 16 in a shard."""
    pytest.importorskip("litdata")
    images = photographs(44, 64, 64)
    for split, part in {"train": images[:40], "val": images[40:42], "test": images[42:]}.items():
        write(root / "photographs" / split, part)
    data = ImageFolderDataModule(str(root / "photographs"), image_size=64, in_memory=True)
    write_shards(data, root / "shards", shard_size=16)
    return {"folder": str(root / "shards")}


def image_zip(root: Path) -> dict[str, Any]:
    """44 photographs in one zip file: 22 of a temple, and 22 of a flower."""
    images = photographs(44, 64, 64)
    write(root / "photographs" / "temple", images[::2])
    write(root / "photographs" / "flower", images[1::2])
    data = ImageFolderDataModule(str(root / "photographs"), image_size=64, in_memory=True, val_size=0)
    write_zip(data.splits.train, root / "photographs.zip", data.class_names)
    return {"root": str(root / "photographs.zip")}


def sounds(root: Path) -> dict[str, Any]:
    """44 decaying tones of half a second at 8 kHz, of two kinds."""
    for i, tone in enumerate(tones(44, 4000, 8000)):
        file = root / "sounds" / ("high" if i % 2 else "low") / f"{i:02d}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav(tone, 8000))
    return {"root": str(root / "sounds"), "cache": False}


def tones(count: int, length: int, sample_rate: int) -> torch.Tensor:
    """Decaying sines, all of different pitches, count x 1 x length in [-1, 1]."""
    seconds = torch.arange(length) / sample_rate
    pitches = 100 * 2 ** (torch.arange(count) * 3 / count)
    return (0.9 * (-8 * seconds).exp() * (2 * torch.pi * pitches[:, None] * seconds).sin())[:, None]


def chorales(root: Path) -> dict[str, Any]:
    """44 + 2 + 2 bars in C major, of four voices that move in parallel."""
    scale = [48, 50, 52, 53, 55, 57, 59]
    chords = [[scale[i % 7] + 24, scale[(i + 4) % 7] + 12, scale[(i + 2) % 7], scale[i % 7]] for i in range(44)]
    pieces = [[chord for chord in chords[i : i + 11] for _ in range(16)] for i in range(0, 44, 11)]
    root.mkdir(parents=True, exist_ok=True)
    content = {"train": pieces, "valid": [pieces[0][:32]], "test": [pieces[1][:32]]}
    (root / "chorales.json").write_text(json.dumps(content))
    return {"root": str(root)}


def midi_files(root: Path) -> dict[str, Any]:
    """44 + 2 + 2 files of a bar, each of another pitch."""
    for i in range(48):
        roll = np.zeros((16, 128), np.bool_)
        roll[:, 40 + i] = True
        file = root / "midi" / ("train" if i < 44 else "val" if i < 46 else "test") / f"{i:02d}.mid"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(midi_bytes([roll], 0, 4, 90))
    return {"root": str(root / "midi"), "cache": str(root / "cache")}


def lines(root: Path) -> dict[str, Any]:
    """Ninety different lines of two to four words of a small vocabulary."""
    root.mkdir(parents=True, exist_ok=True)
    texts = [f"{a} {b}{c}" for a in ["red", "green", "blue"] for b in ["cat", "dog", "bird"] for c in " abcdefghi"]
    (root / "lines.txt").write_text("\n".join(texts).replace("cata", "cat a dog a"))
    return {"root": str(root), "min_tokens": 1}


def screenshots(root: Path) -> dict[str, Any]:
    """44 + 2 + 2 photographs of a temple and of a flower with programs of web pages."""
    images = photographs(48, 64, 64)
    for i, image in enumerate(images):
        file = root / ("train" if i < 44 else "val" if i < 46 else "test") / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)
        file.with_suffix(".gui").write_text(random_program(0, i))
    return {"root": str(root), "image_size": 64}


def vgg19(path: Path) -> nn.Sequential:
    """Saves random weights as torchvision's vgg19 has them, but for 1/32 of its channels; returns the layers."""
    layers = make_layers([width if width == "M" else int(width) // 32 for width in cfgs["E"]])
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    unused = {"classifier.0.weight": torch.zeros(2, 3), "classifier.0.bias": torch.zeros(2)}
    torch.save({**{f"features.{name}": value for name, value in layers.state_dict().items()}, **unused}, path)
    return layers


STAND_INS: dict[type[SplitDataModule], Callable[[Path], dict[str, Any]]] = {
    CaptionedImageDataModule: captioned,
    CelebADataModule: celeba,
    ChoralesDataModule: chorales,
    ImageFolderDataModule: image_folder,
    ImageZipDataModule: image_zip,
    LSUNDataModule: lsun,
    MidiFolderDataModule: midi_files,
    PairedImageDataModule: paired,
    ScreenshotsDataModule: screenshots,
    ShardsDataModule: shards,
    SoundFolderDataModule: sounds,
    SuperResolutionDataModule: super_resolution,
    TextLinesDataModule: lines,
    UnpairedImageDataModule: unpaired,
    UTKFaceDataModule: utkface,
    VideoFolderDataModule: videos,
}
"""What lays out a stand-in under a folder, and returns the arguments for its data module to make short work of it."""
