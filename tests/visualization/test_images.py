"""Tensors to pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.io import ImageReadMode, read_image

from gan_lightning.games.base import AdversarialModule
from gan_lightning.visualization.images import (
    drawable,
    enlarge,
    file_suffix,
    grid,
    stack,
    to_uint8,
    to_uint16,
    write_image,
    write_png,
)


def test_to_uint8_undoes_what_the_game_does_to_uint8() -> None:
    every_value = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    game = AdversarialModule(torch.nn.Identity(), torch.nn.Identity(), ema_decay=None)
    assert torch.equal(to_uint8(game.prepare_batch(every_value).real), every_value)


def test_to_uint8_clamps_what_lies_outside() -> None:
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


def test_grid_lays_out_row_by_row_with_a_gap() -> None:
    images = torch.tensor([1, 2, 3, 4, 5], dtype=torch.uint8).view(5, 1, 1, 1)
    assert grid(images)[0].tolist() == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 2, 0, 3, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [0, 4, 0, 5, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]


def test_grid_keeps_every_image_whole() -> None:
    images = torch.randint(256, (6, 3, 2, 4), dtype=torch.uint8)
    whole = grid(images, columns=2, gap=3)
    assert whole.shape == (3, 3 * (2 + 3) + 3, 2 * (4 + 3) + 3)
    for i, image in enumerate(images):
        top, left = i // 2 * 5 + 3, i % 2 * 7 + 3
        assert torch.equal(whole[:, top : top + 2, left : left + 4], image)


def test_enlarge_repeats_pixels() -> None:
    image = torch.tensor([[[1, 2]]], dtype=torch.uint8)
    assert enlarge(image, 2).tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_png_holds_the_same_pixels(tmp_path: Path, channels: int, mode: str) -> None:
    image = torch.randint(256, (channels, 5, 7), dtype=torch.uint8)
    write_png(tmp_path / "x.png", image)
    with Image.open(tmp_path / "x.png") as read:
        assert read.mode == mode
        assert np.array_equal(np.asarray(read).reshape(5, 7, channels), image.permute(1, 2, 0).numpy())
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_two_channels_make_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 channels"):
        write_png(tmp_path / "x.png", torch.zeros(2, 4, 4, dtype=torch.uint8))


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    write_png(path, torch.zeros(1, 4, 4, dtype=torch.uint8))
    before = path.read_bytes()

    def disk_full(target: Path, content: bytes) -> None:
        with open(target, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "disk full")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="disk full"):
        write_png(path, torch.ones(1, 4, 4, dtype=torch.uint8))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_images_of_several_sizes_make_one_batch() -> None:
    grey, colour = torch.arange(60.0).view(1, 6, 10), torch.ones(3, 8, 4)
    images = stack([grey, colour])
    assert images.shape == (2, 3, 6, 4)
    assert torch.equal(images[0], grey[:, :, 3:7].expand(3, -1, -1))
    assert torch.equal(images[1], torch.ones(3, 6, 4))


def test_png_files_are_written_by_zlibs_strategy_for_them(tmp_path: Path) -> None:
    """Pillow ignores options that it does not know: it would write the same pixels, up to three times as slowly."""
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    write_png(tmp_path / "image.png", image)
    # RFC 1950: the default compression has 78 9c, a strategy of speed 78 01.
    assert b"IDAT\x78\x01" in (tmp_path / "image.png").read_bytes()
    assert np.array_equal(Image.open(tmp_path / "image.png"), image.permute(1, 2, 0))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_png_of_16_bits_holds_the_same_pixels(tmp_path: Path, channels: int) -> None:
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 65536, (channels, 5, 7), np.uint16))
    write_image(tmp_path / "x.png", image)
    # libpng's reader, and the upper 8 bits by PIL's.
    assert torch.equal(read_image(str(tmp_path / "x.png"), ImageReadMode.UNCHANGED), image)
    with Image.open(tmp_path / "x.png") as read:
        eight = np.asarray(read) if channels > 1 else np.asarray(read)[..., None] >> 8
        assert np.array_equal(eight, image.permute(1, 2, 0).numpy() >> 8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_holds_the_same_pixels(tmp_path: Path, dtype: type) -> None:
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype))
    write_image(tmp_path / "x.npy", image)
    found = np.load(tmp_path / "x.npy")
    assert found.dtype == dtype
    assert np.array_equal(found, image.permute(1, 2, 0).numpy())


def test_two_channels_of_16_bits_are_no_png(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^A PNG has 1, 3 or 4 channels, and the image 2: write it as \.npy\.$"):
        write_image(tmp_path / "x.png", torch.zeros(2, 4, 4).to(torch.uint16))


def test_to_uint16_undoes_what_the_game_does_to_uint16() -> None:
    every_value = torch.from_numpy(np.arange(65536, dtype=np.uint16)).view(1, 1, 256, 256)
    game = AdversarialModule(torch.nn.Identity(), torch.nn.Identity(), ema_decay=None)
    real = game.prepare_batch(every_value).real
    assert (real.min(), real.max(), real.dtype) == (-1, 1, torch.float32)
    assert torch.equal(to_uint16(real), every_value)
    assert to_uint16(torch.tensor([-1.5, 1.5])).tolist() == [0, 65535]
    # Of 16 bits, metrics see the upper 8.
    assert torch.equal(to_uint8(every_value), (every_value.int() // 256).byte())
    assert torch.equal(to_uint8(to_uint8(every_value)), to_uint8(every_value))


def test_transparent_images_are_drawn_over_a_board() -> None:
    images = torch.zeros(2, 4, 16, 20)
    images[:, :3] = torch.tensor([-1.0, 0.5, 1.0])[:, None, None]
    images[0, 3], images[1, 3] = 1, -1  # opaque, and transparent
    opaque, clear = drawable(images)
    assert torch.equal(opaque, images[0, :3])
    assert clear.unique().tolist() == pytest.approx([0.6, 1])
    assert torch.equal(clear[0], clear[2])
    assert (clear[0, :8, :8] == 1).all()
    assert (clear[0, :8, 8:16] < 1).all()
    assert (clear[0, 8:, 8:16] == 1).all()
    images[:, 3] = 0
    assert torch.allclose(drawable(images)[0], (opaque + clear) / 2)


@pytest.mark.parametrize("channels", [2, 5])
def test_channels_that_are_no_colours_are_drawn_one_by_one(channels: int) -> None:
    images = torch.rand(3, channels, 4, 6)
    cells = drawable(images)
    assert cells.shape == (3 * channels, 1, 4, 6)
    assert torch.equal(cells[channels + 1, 0], images[1, 1])
    for same in (torch.rand(2, 1, 4, 4), torch.rand(2, 3, 4, 4)):
        assert drawable(same) is same


@pytest.mark.parametrize(("channels", "suffix"), [(1, ".png"), (2, ".npy"), (3, ".png"), (4, ".png"), (5, ".npy")])
def test_the_file_that_fits(channels: int, suffix: str) -> None:
    assert file_suffix(channels) == suffix
