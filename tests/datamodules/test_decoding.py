"""Decoding one image file: formats, modes, sizes, transparency, orientation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.decoding import decode, pixels_of, read, resized, resized_all
from datamodules.files import list_files
from tests.datamodules.test_image_folder import images_of, module


def picture(mode: str, size: tuple[int, int] = (20, 12)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image.convert(mode)


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "PNG"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    picture("RGB").save(tmp_path / f"x.{suffix}", quality=95)
    data = module(tmp_path, val_size=0, batch_size=1, flip=False)
    (image,) = images_of(data.train_dataloader())
    assert image[:, 4, 1].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert image[:, 4, 6].tolist() == pytest.approx([0, 0, 255], abs=12)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("L", "png"), ("L", "jpg"), ("P", "png"), ("CMYK", "jpg"), ("RGBA", "webp")]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_converted(tmp_path: Path, mode: str, suffix: str, channels: int) -> None:
    path = tmp_path / f"x.{suffix}"
    picture(mode).save(path)
    pixels = decode(path, 8, channels)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (channels, 8, 8))
    expected = np.asarray(picture(mode).convert("RGB" if channels == 3 else "L").crop((4, 0, 16, 12)))
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


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x8040, np.uint16)).save(tmp_path / "deep.png")
    assert (decode(tmp_path / "deep.png", 8, 3) == 0x80).all()


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    picture("RGB", (16, 16)).save(tmp_path / "x.jpg", exif=exif, quality=95)
    pixels = decode(tmp_path / "x.jpg", 8, 3)
    assert pixels[0, 4, 6] > 240 > 15 > pixels[0, 4, 1]  # red is on the right now


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
    assert found == ["one/a.png", "one/across/a.png", "other/a.png", "other/across/a.png"]


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
    together = resized_all(iter(squares), 64)
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
