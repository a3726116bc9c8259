"""Tensors to pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.games.base import AdversarialModule
from gan_lightning.visualization.images import enlarge, grid, stack, to_uint8, write_png


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
