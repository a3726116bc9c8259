"""Decoding one image file: formats, modes, sizes, transparency, orientation."""

import ast
import io
import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

import datamodules
from datamodules.components.decoding import MOST_PIXELS, SUFFIXES, check, decode, pixels_of, read
from datamodules.components.files import list_files
from datamodules.components.raster import Raster, resized, resized_all
from tests.datamodules.test_image_folder import images_of, module


def picture(mode: str, size: tuple[int, int] = (20, 12)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image.convert(mode)


@pytest.mark.parametrize("suffix", [*(suffix[1:] for suffix in SUFFIXES if suffix != ".npy"), "PNG", "Tiff"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    picture("RGB").save(tmp_path / f"x.{suffix}", quality=95)
    data = module(tmp_path, val_size=0, batch_size=1, flip=False)
    (image,) = images_of(data.train_dataloader())
    assert image[:, 4, 1].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert image[:, 4, 6].tolist() == pytest.approx([0, 0, 255], abs=12)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("1", "png"),
        ("L", "png"),
        ("L", "jpg"),
        ("P", "png"),
        ("CMYK", "jpg"),
        ("RGBA", "webp"),
        ("P", "gif"),
        ("1", "bmp"),
        ("P", "bmp"),
        ("CMYK", "tif"),
        ("LAB", "tif"),
        ("RGBA", "avif"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_converted(tmp_path: Path, mode: str, suffix: str, channels: int) -> None:
    path = tmp_path / f"x.{suffix}"
    picture(mode).save(path)
    pixels = decode(path, 8, channels)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (channels, 8, 8))
    expected = np.asarray(picture(mode).convert("RGB").convert("RGB" if channels == 3 else "L").crop((4, 0, 16, 12)))
    difference = pixels.astype(int).mean((1, 2)) - expected.reshape(12, 12, channels).mean((0, 1))
    assert np.abs(difference).max() < 6


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (8, 8), (200, 0, 0, 128)).save(tmp_path / "half.png")
    Image.new("LA", (8, 8), (0, 0)).save(tmp_path / "grey.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([9, 9, 9])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert (decode(tmp_path / "clear.png", 8, 3) == 255).all()
    assert (decode(tmp_path / "grey.png", 8, 1) == 255).all()
    assert (decode(tmp_path / "palette.png", 8, 3) == 255).all()
    assert decode(tmp_path / "half.png", 8, 3)[:, 0, 0].tolist() == pytest.approx([227, 127, 127], abs=1)


def png(bits: int, colour: int, row: bytes, key: bytes = b"", width: int = 2, height: int = 1) -> io.BytesIO:
    """A PNG of these bits, kind of colour (0: grey, 2: RGB) and colour that stands for transparent."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        *([(b"tRNS", key)] if key else []),
        (b"IDAT", zlib.compress(b"\0" + row)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def tiff(
    bits: int, row: bytes, width: int = 2, black: int = 1, kind: int = 1, samples: int = 1, order: str = "<"
) -> io.BytesIO:
    """A TIFF of one row; its kind of numbers is 1: whole, 2: with a sign, 3: floating-point."""
    photometric, place = (2 if samples == 3 else black), 8 + 2 + 11 * 12 + 4
    depth = bits if samples == 1 else place + len(row)
    tags = [(256, 4, 1, width), (257, 4, 1, 1), (258, 3, samples, depth), (259, 3, 1, 1), (262, 3, 1, photometric)]
    tags += [
        (273, 4, 1, place),
        (274, 3, 1, 1),
        (277, 3, 1, samples),
        (278, 4, 1, 1),
        (279, 4, 1, len(row)),
        (339, 3, 1, kind),
    ]
    content = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    for name, size, count, value in tags:
        short = size == 3 and count == 1
        content += struct.pack(order + "HHI", name, size, count) + struct.pack(
            order + ("HH" if short else "I"), *([value, 0] if short else [value])
        )
    return io.BytesIO(content + bytes(4) + row + struct.pack(order + "3H", *[bits] * 3))


def greys(file: io.BytesIO) -> list[int]:
    assert check(io.BytesIO(file.getvalue())) == (2, 1)
    return pixels_of(read(file, 1))[0, :, 0].tolist()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.full((8, 8), 0x8040, np.uint16)).save(tmp_path / f"deep.{suffix}")
    assert (decode(tmp_path / f"deep.{suffix}", 8, 3) == 0x80).all()


def test_every_depth_is_scaled_and_none_clipped() -> None:
    dark, light = 0x1234, 0xFEDC
    assert greys(png(16, 0, struct.pack(">2H", dark, light))) == [0x12, 0xFE]
    assert greys(tiff(16, struct.pack("<2H", dark, light))) == [0x12, 0xFE]
    assert greys(tiff(16, struct.pack(">2H", dark, light), order=">")) == [0x12, 0xFE]
    assert greys(tiff(16, struct.pack("<2H", dark, light), black=0)) == [255 - 0x12, 255 - 0xFE]  # 0 is white in it
    assert greys(tiff(12, bytes([0x12, 0x3F, 0xED]))) == [0x12, 0xFE]
    assert greys(tiff(32, struct.pack("<2f", 0.2, 1), kind=3)) == [51, 255]
    colour = struct.pack("<6H", dark, light, 0, light, light, 0xFFFF)
    assert pixels_of(read(tiff(16, colour, samples=3), 3)).tolist() == [[[0x12, 0xFE, 0], [0xFE, 0xFE, 0xFF]]]
    assert pixels_of(read(png(16, 2, struct.pack(">6H", *struct.unpack("<6H", colour))), 3)).tolist() == [
        [[0x12, 0xFE, 0], [0xFE, 0xFE, 0xFF]]
    ]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (tiff(32, struct.pack("<2f", 0, 255), kind=3), "not all from 0"),
        (tiff(32, struct.pack("<2f", 0, float("nan")), kind=3), "not all from 0"),
        (tiff(32, struct.pack("<2i", 0, 255), kind=2), "of 32 bits"),
        (tiff(16, struct.pack("<2h", 0, -1), kind=2), "with a sign"),
    ],
)
def test_numbers_without_black_and_white_are_refused_at_the_start(file: io.BytesIO, why: str) -> None:
    for reading in (check, lambda file: read(file, 3)):
        with pytest.raises(ValueError, match=why):
            reading(io.BytesIO(file.getvalue()))


def test_a_key_colour_is_transparent_at_every_depth() -> None:
    assert greys(png(8, 0, bytes([40, 41]), struct.pack(">H", 40))) == [255, 41]
    assert greys(png(4, 0, bytes([0xA3]), struct.pack(">H", 0xA))) == [255, 0x33]
    assert greys(png(2, 0, bytes([0b10010000]), struct.pack(">H", 2))) == [255, 85]
    assert greys(png(1, 0, bytes([0b01000000]), struct.pack(">H", 0))) == [255, 255]
    assert greys(png(16, 0, struct.pack(">2H", 4000, 4001), struct.pack(">H", 4000))) == [255, 15]
    two = struct.pack(">6H", 4000, 4000, 4000, 256, 512, 768)
    assert pixels_of(read(png(16, 2, two, struct.pack(">3H", 4000, 4000, 4000)), 3)).tolist() == [
        [[255] * 3, [1, 2, 3]]
    ]


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_the_first_of_several_pictures_is_read(tmp_path: Path, suffix: str) -> None:
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black", "red")]
    options = {"lossless": True} if suffix == "webp" else {}
    pictures[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=pictures[1:], **options)
    assert (decode(tmp_path / f"x.{suffix}", 8, 3) == 255).all()


def test_other_formats_are_not_opened_whatever_their_name(tmp_path: Path) -> None:
    for kind in ("EPS", "PPM", "TGA", "PCX", "JPEG2000", "ICO", "PDF"):
        picture("RGB").save(tmp_path / "x.png", kind)
        for reading in (check, lambda file: read(file, 3)):
            with pytest.raises(Image.UnidentifiedImageError):
                reading(tmp_path / "x.png")


_READERS = {
    "torchvision.io",
    "torchvision.datasets.folder",
    "cv2",
    "imageio",
    "skimage",
    "tifffile",
    "matplotlib.image",
}
_OPENING = {"imread", "decode_image", "read_image", "decode_jpeg", "decode_png", "pil_loader", "default_loader"}


def opened_images(source: str) -> list[int]:
    """The lines of a program that read an image from a file."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            aliases = {alias.name for alias in node.names}
            found = _READERS & {*names, *(f"{name}.{alias}" for name in names for alias in aliases)}
            lines += [node.lineno] * bool(found or (names == ["PIL.Image"] and "open" in aliases))
        elif isinstance(node, ast.Attribute):
            of_pil = node.attr == "open" and ast.unparse(node.value).rpartition(".")[2] in ("Image", "PIL", "ImageFile")
            lines += [node.lineno] * bool(
                of_pil or node.attr in _OPENING or (node.attr == "Parser" and "ImageFile" in ast.unparse(node.value))
            )
    return lines


def test_no_other_place_opens_image_files() -> None:
    root = Path(datamodules.__file__).parent.parent
    programs = {
        path: path.read_text()
        for folder in ("gan_lightning", "datamodules", "benchmarks")
        for path in (root / folder).rglob("*.py")
    }
    for path in (root / "notebooks").glob("*.ipynb"):
        cells = [cell["source"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        lines = [line for cell in cells for line in "".join(cell).splitlines() if not line.startswith(("%", "!"))]
        programs[path] = "\n".join(lines)
    found = {path: lines for path, source in programs.items() if (lines := opened_images(source))}
    assert {str(path.relative_to(root)): len(lines) for path, lines in found.items()} == {
        "datamodules/components/decoding.py": 2  # PIL's, and torchvision's for PNGs of 16-bit colours
    }
    for opening in (
        "from PIL import Image\nImage.open('x')",
        "import PIL.Image\nPIL.Image.open('x')",
        "import cv2",
        "from PIL.Image import open",
        "from torchvision import io",
        "plt.imread('x')",
    ):
        assert opened_images(opening)


@pytest.mark.parametrize("width", [30_000, 9_500])  # PIL refuses the one itself, and only warns of the other
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_an_image_of_too_many_pixels_is_refused_in_a_sentence(width: int, action: Literal["error", "ignore"]) -> None:
    file = png(1, 0, b"", width=width, height=width)
    for reading in (check, lambda file: read(file, 1)):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            with pytest.raises(ValueError, match="more than 89 million pixels: make it smaller, or cut it to pieces"):
                reading(io.BytesIO(file.getvalue()))
    assert Image.MAX_IMAGE_PIXELS == MOST_PIXELS


def test_a_large_photograph_is_read() -> None:
    whole = Image.new("1", (9_000, 7_000), 1)
    file = io.BytesIO()
    whole.save(file, "PNG")
    assert check(io.BytesIO(file.getvalue())) == (9_000, 7_000)
    assert read(file, 1).size == (9_000, 7_000)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "tif"])
def test_photographs_are_turned_upright(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    picture("RGB", (16, 16)).save(tmp_path / f"x.{suffix}", exif=exif, quality=95)
    pixels = decode(tmp_path / f"x.{suffix}", 8, 3)
    assert pixels[0, 4, 6] > 225 > 30 > pixels[0, 4, 1]  # red is on the right now
    exif[0x0112] = 6  # taken with the camera turned
    picture("RGB", (16, 8)).save(tmp_path / f"x.{suffix}", exif=exif, quality=95)
    assert check(tmp_path / f"x.{suffix}") == read(tmp_path / f"x.{suffix}", 3).size == (8, 16)


@pytest.mark.parametrize("size", [(30, 10), (10, 30)])
def test_the_central_square_is_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0]), np.uint8)
    left, top = (size[0] - 10) // 2, (size[1] - 10) // 2
    pixels[top : top + 10, left : left + 10] = np.arange(100).reshape(10, 10)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert np.array_equal(decode(tmp_path / "x.png", 10, 1)[0], np.arange(100).reshape(10, 10))


def test_a_batch_of_mixed_sizes_modes_and_formats(tmp_path: Path) -> None:
    picture("RGB", (40, 20)).save(tmp_path / "a.jpg")
    picture("RGBA", (9, 31)).save(tmp_path / "b.png")
    picture("L", (8, 8)).save(tmp_path / "c.webp")
    picture("1", (5, 5)).save(tmp_path / "d.png")
    for in_memory in (True, False):
        data = module(tmp_path, batch_size=4, val_size=0, in_memory=in_memory)
        assert next(iter(data.train_dataloader())).shape == (4, 3, 8, 8)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
        (tmp_path / name / "up").symlink_to(tmp_path)
    (tmp_path / "one" / "across").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "across").symlink_to(tmp_path / "one")
    found = [str(path.relative_to(tmp_path)) for path in list_files(tmp_path)]
    assert found == ["one/a.png", "other/a.png"]  # each folder once, under its own path


def test_files_are_sorted_part_by_part_as_paths_are(tmp_path: Path) -> None:
    for name in ("a/z", "a-b/c", "a.png", "a0/b", "B", "a/b/c", "a/b-c", "é/1"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    found = list_files(tmp_path)
    assert found == sorted(found)
    assert set(found) == set(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("side", "size"), [(1, 8), (2, 1), (8, 64), (64, 64), (89, 64), (256, 286), (1000, 64), (3000, 8)]
)
def test_an_image_is_resized_as_pil_does(side: int, size: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, channels), dtype=np.uint8)
    picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    theirs = pixels_of(picture.resize((size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1).astype(int)
    difference = np.abs(resized(pixels[None], size)[0] - theirs)
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    assert size != side or not difference.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_that_are_resized_at_once_are_as_each_alone(channels: int) -> None:
    noise = np.random.default_rng(0)
    squares = [noise.integers(0, 256, (side, side, channels), np.uint8) for side in (89, 89, 300, 300, 89, 64, 89, 1)]
    together = resized_all(map(Raster, squares), 64)
    assert together.shape == (8, channels, 64, 64)
    for one, square in zip(together, squares, strict=True):
        assert np.array_equal(one, resized(square[None], 64)[0])


@pytest.mark.parametrize(("side", "decoded"), [(127, 127), (128, 64), (250, 125), (256, 64), (512, 64)])
def test_a_draft_of_a_jpeg_is_a_fraction_that_is_no_shorter_than_asked_for(
    tmp_path: Path, side: int, decoded: int
) -> None:
    picture("RGB", (side + 9, side)).save(tmp_path / "x.jpg", quality=95)
    assert read(tmp_path / "x.jpg", 3, at_least=64).height == decoded
    assert read(tmp_path / "x.jpg", 3).height == side


def test_a_draft_looks_like_the_whole_and_is_turned_upright(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 400, dtype=np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :300], np.uint8(90)), -1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "x.jpg", quality=95, exif=exif)
    Image.open(tmp_path / "x.jpg").save(tmp_path / "x.png", exif=exif)
    small, whole = decode(tmp_path / "x.jpg", 32, 3, draft=True), decode(tmp_path / "x.png", 32, 3, draft=True)
    assert 0 < np.abs(small.astype(int) - whole).mean() < 1.5


@pytest.mark.parametrize(("side", "draft"), [(120, True), (512, False)])
def test_a_jpeg_is_decoded_whole_where_it_is_small_or_no_draft_is_asked_for(
    tmp_path: Path, side: int, draft: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    Image.open(tmp_path / "x.jpg").save(tmp_path / "x.png")
    assert (decode(tmp_path / "x.jpg", 32, 3, draft) == decode(tmp_path / "x.png", 32, 3)).all()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_folder_is_drafted_only_if_asked(tmp_path: Path, in_memory: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    for draft, arguments in ((False, {}), (True, {"draft": True})):
        data = module(tmp_path, val_size=0, batch_size=1, flip=False, in_memory=in_memory, **arguments)
        (image,) = images_of(data.train_dataloader()).numpy()
        assert (image == decode(tmp_path / "x.jpg", 8, 3, draft)).all()
    assert (decode(tmp_path / "x.jpg", 8, 3, True) != decode(tmp_path / "x.jpg", 8, 3)).any()
