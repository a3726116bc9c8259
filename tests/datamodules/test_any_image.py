"""Images that are not square, of any number of channels, of 16 bits, with transparency, and arrays."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from datamodules import ImageFolderDataModule, PairedImageDataModule, ShardsDataModule, UnpairedImageDataModule
from datamodules.components.blocks import read_end
from datamodules.components.decoding import MOST_PIXELS, check, decode, read_pixels, read_raster
from datamodules.components.raster import cropped, resized
from datamodules.components.shards.format import write_shards
from tests.datamodules.test_decoding import png, tiff

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (6, 5, 4), np.uint16)
"""16-bit RGBA."""


def saved(array: np.ndarray, path: Path) -> Path:
    np.save(path, array)
    return path


def deep_png(pixels: np.ndarray, key: bytes = b"") -> io.BytesIO:
    """A PNG of 16-bit pixels, H x W x 2 to 4: grey, RGB, each with or without opacity."""
    height, width, depth = pixels.shape
    rows = [pixels[y].astype(">u2").tobytes() for y in range(height)]
    return png(16, {1: 0, 2: 4, 3: 2, 4: 6}[depth], b"\0".join(rows), key, width, height)


# Arrays.


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("bits", [8, 16])
def test_an_array_is_read_as_it_is(tmp_path: Path, depth: int, bits: int) -> None:
    top = 255 if bits == 8 else 65535
    levels = RANDOM.integers(0, top + 1, (6, 4, depth)).astype(f"u{bits // 8}")
    for array in (levels, np.asfortranarray(levels), levels.astype(levels.dtype.newbyteorder(">"))):
        found = read_pixels(saved(array, tmp_path / "x.npy"), depth, bits=bits)
        assert found.dtype == levels.dtype
        assert np.array_equal(found, levels)
    assert np.array_equal(decode(tmp_path / "x.npy", (6, 4), depth, bits=bits), levels.transpose(2, 0, 1))
    assert check(tmp_path / "x.npy", depth, bits) == (4, 6)


def test_the_numbers_of_an_array_run_from_black_to_white(tmp_path: Path) -> None:
    def levels(array: list[Any], kind: type, bits: int) -> list[int]:
        return read_pixels(saved(np.array([array], kind), tmp_path / "x.NPY.npy"), 1, bits=bits).flatten().tolist()

    for kind in (np.float16, np.float32, np.float64):
        assert levels([0, 0.25, 0.5, 1], kind, 8) == [0, 64, 128, 255]
        assert levels([0, 0.25, 0.5, 1], kind, 16) == [0, 16384, 32768, 65535]
    assert levels([False, True], np.bool_, 8) == [0, 255]
    assert levels([False, True], np.bool_, 16) == [0, 65535]
    assert levels([0, 1, 255], np.uint8, 16) == [0, 257, 65535]
    assert levels([0, 255, 256, 65535], np.uint16, 8) == [0, 0, 1, 255]


class Payload:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle in an array was run",))


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"its shape is 4 x 4 x 2, and H x W x 3 is asked for$"),
        (np.zeros((3, 4, 5), np.uint8), r"its shape is 3 x 4 x 5, and H x W x 3 is asked for, with the channels last"),
        (np.zeros((4, 4), np.uint8), r"its shape is 4 x 4, and H x W x 3 is asked for"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"its shape is 2 x 4 x 4 x 3, and an image is H x W x C, or H x W"),
        (np.zeros((0, 4, 3), np.uint8), r"its shape is 0 x 4 x 3, and an image"),
        (np.zeros((), np.uint8), r"its shape is a single number, and an image"),
        (np.zeros((4, 4, 3), np.int64), r"its numbers are of type int64: save it as uint8, as uint16, or as floating"),
        (np.zeros((4, 4, 3), np.complex64), r"its numbers are of type complex64"),
        (np.full((4, 4, 3), 1.01), r"its floating-point numbers are not all from 0 \(black\) to 1 \(white\)"),
        (np.full((4, 4, 3), np.nan, np.float32), r"its floating-point numbers are not all from 0"),
        (np.full((4, 4, 3), Payload(), object), r"its numbers are of type object"),
        (np.zeros((4, 4, 3), [("r", "u1")]), r"its numbers are of type"),
    ],
)
def test_other_arrays_are_refused_in_a_sentence(tmp_path: Path, array: np.ndarray, why: str) -> None:
    file = saved(array, tmp_path / "x.npy")
    for reading in (check, read_raster):
        with pytest.raises(ValueError, match=why):
            reading(file)
    with pytest.raises(ValueError, match=why):
        read_raster(io.BytesIO(file.read_bytes()))


def header(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    """The first bytes of an array, which may claim any size."""
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (header((10_000, 10_000, 3)), "10000 x 10000 pixels, more than 89 million: cut it to pieces"),
        (header((MOST_PIXELS, 1, 3), "<f8"), r"2\.0 GiB, more than 1: cut it to pieces"),
        (b"not an array", "it is no array in NumPy's format, or a damaged one"),
        (b"", "it is no array in NumPy's format"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "it is no array in NumPy's format"),
        (header((4, 4, 3)) + bytes(47), ""),  # one byte is missing, in NumPy's words
    ],
)
def test_arrays_that_lie_or_are_damaged(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    for reading in (check, read_raster):
        with pytest.raises(ValueError, match=why):
            reading(tmp_path / "x.npy")


# 16 bits.


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_png_of_16_bits_loses_none(depth: int) -> None:
    pixels = DEEP[..., [0] * depth if depth < 2 else [*range(depth)]]
    found = read_raster(deep_png(pixels), depth, bits=16)
    assert (found.pixels.dtype, found.alpha) == (np.uint16, depth in (2, 4))
    assert np.array_equal(found.pixels, pixels)
    assert check(deep_png(pixels), depth, 16) == (5, 6)


def test_a_grey_tiff_of_12_or_16_bits_loses_none() -> None:
    row = np.array([0x1234, 0xFEDC], "<u2")
    assert read_pixels(tiff(16, row.tobytes()), 1, bits=16).flatten().tolist() == [0x1234, 0xFEDC]
    assert read_pixels(tiff(16, row.tobytes(), black=0), 1, bits=16).flatten().tolist() == [
        65535 - 0x1234,
        65535 - 0xFEDC,
    ]
    # 12 bits are stretched: 4095 is white.
    stretched = [round(0x123 * 65535 / 4095), 65535]
    assert read_pixels(tiff(12, bytes([0x12, 0x3F, 0xFF])), 1, bits=16).flatten().tolist() == stretched
    floats = struct.pack("<2f", 0.2, 1)
    assert read_pixels(tiff(32, floats, kind=3), 1, bits=16).flatten().tolist() == [round(0.2 * 65535), 65535]


def test_images_of_8_bits_are_stretched_to_16(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (6, 5, 4), np.uint8)
    for depth, mode in ((1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")):
        Image.fromarray(pixels[..., :depth].squeeze(), mode).save(tmp_path / "x.png")
        eight, sixteen = (read_pixels(tmp_path / "x.png", depth, bits=bits) for bits in (8, 16))
        assert np.array_equal(eight.astype(np.uint16) * 257, sixteen)


def test_a_colour_tiff_of_16_bits_is_refused_and_not_cut() -> None:
    colour = struct.pack("<6H", 0x1234, 0xFEDC, 0, 1, 2, 3)
    assert read_pixels(tiff(16, colour, samples=3), 3).tolist() == [[[0x12, 0xFE, 0], [0, 0, 0]]]
    for reading in (check, read_pixels):
        with pytest.raises(ValueError, match="a TIFF of colours of 16 bits, of which 8 would be lost: save it as PNG"):
            reading(tiff(16, colour, samples=3), 3, bits=16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_16_bits_are_converted_as_8_are(tmp_path: Path, depth: int, channels: int) -> None:
    pixels = RANDOM.integers(0, 256, (6, 5, depth), np.uint8)
    pixels[0, :, -1] = 0  # transparent, where this is opacity
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[depth]
    Image.fromarray(pixels.squeeze(), mode).save(tmp_path / "x.png")
    eight = read_pixels(tmp_path / "x.png", channels).astype(int)
    sixteen = read_pixels(deep_png(pixels * np.uint16(257)), channels, bits=16)
    # PIL rounds twice, to 8 bits each time: over white, and to grey.
    assert np.abs(sixteen / 257 - eight).max() <= 1.01


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_png_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = deep_png(DEEP[..., :3]).getvalue()
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    file = io.BytesIO(plain[:33] + chunk + plain[33:])  # after the header
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))))
    found = read_pixels(file, 3, bits=16)
    assert np.array_equal(found >> 8, upright)


def test_a_key_colour_of_16_bits_is_transparent() -> None:
    two = np.array([[[4000, 4000, 4000], [4000, 4000, 4001]]], np.uint16)
    file = deep_png(two, struct.pack(">3H", 4000, 4000, 4000)).getvalue()
    assert read_pixels(io.BytesIO(file), 4, bits=16).tolist() == [[[65535] * 3 + [0], [4000, 4000, 4001, 65535]]]
    assert read_pixels(io.BytesIO(file), 3, bits=16).tolist() == [[[65535] * 3, [4000, 4000, 4001]]]
    grey = png(16, 0, struct.pack(">2H", 4000, 4001), struct.pack(">H", 4000)).getvalue()
    assert read_pixels(io.BytesIO(grey), 2, bits=16).tolist() == [[[65535, 0], [4001, 65535]]]
    assert read_pixels(io.BytesIO(grey), 2).tolist() == [[[255, 0], [15, 255]]]


@pytest.mark.parametrize("size", [(3, 2), (9, 16)])
def test_16_bits_are_resized_as_pil_does_floats(size: tuple[int, int]) -> None:
    mine = resized(DEEP[None, ..., :3], size)[0]
    assert mine.dtype == np.uint16
    for channel in range(3):
        floats = Image.fromarray(DEEP[..., channel].astype(np.float32))
        theirs = np.asarray(floats.resize(size[::-1], Image.Resampling.BICUBIC)).round().clip(0, 65535)
        assert np.abs(mine[channel] - theirs).max() <= 1


# Transparency.


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparency_is_kept_as_the_last_channel(tmp_path: Path, mode: str, channels: int) -> None:
    picture = Image.new("RGBA", (8, 8), (200, 200, 200, 255))
    picture.paste((9, 9, 9, 0), (0, 0, 4, 8))
    options = {}
    if mode == "P":
        picture = picture.convert("RGB").quantize(2)
        options = {"transparency": picture.getpixel((0, 0))}
    picture.convert(mode).save(tmp_path / "x.png", **options)
    found = read_raster(tmp_path / "x.png", channels)
    assert found.alpha
    hidden, shown = found.pixels[0, 0].tolist(), found.pixels[0, 7].tolist()
    assert shown == [200] * (channels - 1) + [255]
    opaque = mode in ("RGB", "L")
    assert hidden == [9 if opaque else 255] * (channels - 1) + [255 if opaque else 0]


def test_what_a_transparent_pixel_hides_does_not_colour_its_neighbours(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (32, 48, 4), np.uint8)
    pixels[8:24, 10:40, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "x.png")
    mine = decode(tmp_path / "x.png", (8, 12), 4).astype(int)

    def shrunk(values: np.ndarray) -> np.ndarray:
        floats = Image.fromarray(values.astype(np.float32))
        return np.asarray(floats.resize((12, 8), Image.Resampling.BICUBIC))

    opacity = shrunk(pixels[..., 3])
    assert np.abs(mine[3] - opacity.clip(0, 255)).max() <= 0.5 + 1e-3
    seen = opacity > 0.6
    assert 40 < seen.sum() < 96
    for channel in range(3):
        weighted = shrunk(pixels[..., channel] * (pixels[..., 3] / 255.0))
        colour = weighted[seen] / opacity[seen] * 255
        assert np.abs(mine[channel][seen] - colour.clip(0, 255)).max() <= 0.5 + 1e-2
    assert (mine[3] == 0).any()
    assert (mine[:3, mine[3] == 0] == 255).all()


def test_the_fourth_channel_of_an_array_is_no_opacity(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (8, 8, 4), np.uint8)
    pixels[..., 3] = 0
    file = saved(pixels, tmp_path / "x.npy")
    assert not read_raster(file, 4).alpha
    alone = decode(saved(pixels[..., :3], tmp_path / "y.npy"), 4, 3)
    assert np.array_equal(decode(file, 4, 4)[:3], alone)


# Channels.


def test_grey_pages_of_a_tiff_are_channels(tmp_path: Path) -> None:
    pages = RANDOM.integers(0, 65536, (5, 6, 4), np.uint16)
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(tmp_path / "x.tif", save_all=True, append_images=rest)
    for bits, shown in ((16, pages), (8, (pages >> 8).astype(np.uint8))):
        found = read_raster(tmp_path / "x.tif", 5, bits)
        assert not found.alpha
        assert np.array_equal(found.pixels, shown.transpose(1, 2, 0))
    # Another number: the first page, as ever.
    assert np.array_equal(read_pixels(tmp_path / "x.tif", 1, bits=16)[..., 0], pages[0])
    assert np.array_equal(read_pixels(tmp_path / "x.tif", 4, bits=16)[..., 0], pages[0])
    with pytest.raises(
        ValueError, match=r"^6 channels are asked for, which only \.npy and a TIFF of so many grey pages"
    ):
        read_pixels(tmp_path / "x.tif", 6)


def test_pages_of_other_sizes_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    pages = [Image.new("L", size) for size in ((4, 4), (4, 4), (4, 4), (30_000, 3))]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match=r"^its pages are 4 x 4 and 30000 x 3 pixels large"):
        read_pixels(tmp_path / "x.tif", 4)


def test_coloured_pages_are_no_channels(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    assert read_pixels(tmp_path / "x.tif", 2)[0, 0].tolist() == [76, 255]  # the luma of red, opaque


# Sizes.


@pytest.mark.parametrize(
    ("size", "target", "part"),
    [
        ((10, 30), (4, 8), (0, 10, 5, 25)),
        ((30, 10), (4, 8), (12, 17, 0, 10)),
        ((218, 178), (8, 8), (20, 198, 0, 178)),
        ((7, 7), (7, 7), (0, 7, 0, 7)),
        ((1, 9), (8, 64), (0, 1, 0, 8)),
        ((3, 100), (64, 8), (0, 3, 49, 50)),
    ],
)
def test_the_middle_is_kept_in_the_aspect_ratio(
    size: tuple[int, int], target: tuple[int, int], part: tuple[int, int, int, int]
) -> None:
    pixels = np.arange(size[0] * size[1]).reshape(*size, 1)
    top, bottom, left, right = part
    assert np.array_equal(cropped(pixels, target), pixels[top:bottom, left:right])


@pytest.mark.parametrize("draft", [False, True])
def test_an_image_that_is_not_square_is_cropped_and_not_stretched(tmp_path: Path, draft: bool) -> None:
    # A disk stays round.
    y, x = np.mgrid[:256, :400]
    disk = np.where((y - 127.5) ** 2 + (x - 199.5) ** 2 < 64**2, 255, 0).astype(np.uint8)
    Image.fromarray(disk).save(tmp_path / "x.jpg", quality=95)
    found = decode(tmp_path / "x.jpg", (32, 16), 1, draft)[0]
    assert found.shape == (32, 16)
    # 256 rows become 32: a radius of 64 becomes 8, in both directions.
    assert abs((found[:, 8] > 127).sum() - 16) <= 1
    assert abs((found[16] > 127).sum() - 16) <= 1


# Data modules.


def arrays(folder: Path, count: int, shape: tuple[int, ...] = (12, 16, 5)) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    made = np.random.default_rng(1).integers(0, 65536, (count, *shape), np.uint16)
    for i, array in enumerate(made):
        np.save(folder / f"{i:03d}.npy", array)
    return made.transpose(0, 3, 1, 2)


def in_order(data: ImageFolderDataModule | ShardsDataModule) -> torch.Tensor:
    data.setup()
    return torch.cat([batch if isinstance(batch, torch.Tensor) else batch[0] for batch in data.test_dataloader()])


@pytest.mark.parametrize("bits", [8, 16])
def test_a_folder_of_arrays_is_the_same_however_it_is_read(tmp_path: Path, bits: int) -> None:
    made = arrays(tmp_path / "set" / "train", 6)
    arrays(tmp_path / "set" / "test", 6)
    expected = torch.from_numpy(made if bits == 16 else (made >> 8).astype(np.uint8))
    settings = {"image_size": (12, 16), "channels": 5, "bits": bits, "batch_size": 4, "val_size": 0, "flip": False}
    for reading in (
        {"in_memory": True},
        {"in_memory": False, "num_workers": 0},
        {"in_memory": False, "num_workers": 1},
        {"cache": str(tmp_path / "cache")},
        {"cache": str(tmp_path / "cache")},
    ):
        data = ImageFolderDataModule(tmp_path / "set", **settings, **reading)
        assert data.image_shape == (5, 12, 16)
        assert torch.equal(in_order(data), expected)
        (batch,) = data.train_dataloader()
        assert (batch.dtype, batch.shape) == (expected.dtype, (4, 5, 12, 16))
    (file,) = (tmp_path / "cache").glob("*.images")
    assert file.name.startswith("set-5x12x16-16bit-" if bits == 16 else "set-5x12x16-")
    # In bytes; of 8 bits as it has always been, so that caches of older versions are found.
    assert read_end(file)[1]["shape"] == [12, 5, 12, 16, *([2] if bits == 16 else [])]
    pytest.importorskip("litdata")
    index = write_shards(data, tmp_path / "shards")
    assert ("bits" in json.loads((tmp_path / "shards" / "shards.json").read_text())) == (bits == 16)
    shards = ShardsDataModule(str(tmp_path / "shards"), batch_size=4, num_workers=0)
    assert (shards.bits, shards.index) == (bits, index)
    assert torch.equal(in_order(shards), expected)


def test_flips_of_16_bits(tmp_path: Path) -> None:
    made = arrays(tmp_path, 8, (4, 6, 2))
    data = ImageFolderDataModule(tmp_path, image_size=(4, 6), channels=2, bits=16, batch_size=8, val_size=0)
    data.setup()
    (batch,) = data.train_dataloader()
    both = {image.tobytes() for image in made} | {image[..., ::-1].tobytes() for image in made}
    assert {image.numpy().tobytes() for image in batch} <= both
    assert any(image.numpy().tobytes() not in {each.tobytes() for each in made} for image in batch)


def test_a_file_of_other_channels_is_named_before_training(tmp_path: Path) -> None:
    arrays(tmp_path, 3)
    np.save(tmp_path / "bad.npy", np.zeros((4, 4, 2), np.uint8))
    for in_memory in (True, False):
        data = ImageFolderDataModule(tmp_path, channels=5, val_size=0, batch_size=1, in_memory=in_memory, num_workers=0)
        with pytest.warns(UserWarning, match=r"bad\.npy \(its shape is 4 x 4 x 2, and H x W x 5 is asked for\)"):
            data.setup()
        assert len(data.splits.train) == 3


def test_pairs_and_domains_of_any_images(tmp_path: Path) -> None:
    for folder, depth in (("trainA", 5), ("trainB", 2)):
        arrays(tmp_path / folder, 3, (20, 40, depth))
    settings: dict[str, Any] = {"image_size": (8, 16), "batch_size": 3, "bits": 16, "num_workers": 0}
    pairs = PairedImageDataModule(tmp_path, channels=2, condition_channels=5, **settings)
    pairs.setup()
    (batch,) = pairs.train_dataloader()
    assert [(part.dtype, tuple(part.shape)) for part in batch] == [
        (torch.uint16, (3, 2, 8, 16)),
        (torch.uint16, (3, 5, 8, 16)),
    ]
    assert (pairs.image_shape, pairs.condition_shape) == ((2, 8, 16), (5, 8, 16))
    with pytest.raises(ValueError, match=r"its shape is 20 x 40 x 2, and H x W x 5 is asked for"):
        UnpairedImageDataModule(tmp_path, channels=5, **settings).setup()
    arrays(tmp_path / "trainB", 3, (20, 40, 5))
    domains = UnpairedImageDataModule(tmp_path, channels=5, **settings)
    domains.setup()
    (batch,) = domains.train_dataloader()
    assert {name: (part.dtype, tuple(part.shape)) for name, part in batch.items()} == {
        "A": (torch.uint16, (3, 5, 8, 16)),
        "B": (torch.uint16, (3, 5, 8, 16)),
    }


def test_the_crops_of_a_pair_agree_where_it_is_not_square(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :64].astype(np.uint8)
    whole = np.concatenate([np.dstack([y, x, y]), np.dstack([x, y, x])], 1)
    (tmp_path / "train").mkdir()
    for i in range(8):
        Image.fromarray(whole).save(tmp_path / "train" / f"{i}.png")
    data = PairedImageDataModule(
        tmp_path, image_size=(24, 48), load_size=(32, 64), batch_size=8, num_workers=0, channels=3, condition_channels=1
    )
    data.setup()
    ((target, condition),) = data.train_dataloader()
    assert (target.shape, condition.shape) == ((8, 3, 24, 48), (8, 1, 24, 48))
    rows, columns = target[:, 1, :, 0], target[:, 0, 0, :]
    assert (rows.long().diff(dim=1) == 1).all()
    assert (columns.long().diff(dim=1).abs() == 1).all()
    assert len(rows[:, 0].unique()) > 2
    # Of A, (y, x, y), the luma; of B, (x, y, x).
    luma = 0.413 * target[:, 1].double() + 0.587 * target[:, 0].double()
    assert (luma - condition[:, 0]).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("value", [(8,), (8, 8, 8), (0, 8), (8, -1), (8, 1.5), "8x8"])
def test_sizes_that_are_none(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^image_size is "):
        ImageFolderDataModule(tmp_path, image_size=value)


@pytest.mark.parametrize("value", [1, 12, 32, "8", True])
def test_bits_that_are_none(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^bits is "):
        ImageFolderDataModule(tmp_path, bits=value)
