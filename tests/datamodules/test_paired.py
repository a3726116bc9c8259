"""Pairs: layouts, directions, the jitter they share, and pairs that are none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import PairedImageDataModule
from datamodules.components.loading import EpochLoader
from datamodules.components.raster import resized


def module(root: Path, **arguments) -> PairedImageDataModule:
    return PairedImageDataModule(str(root), **{"image_size": 8, "num_workers": 0} | arguments)


def parts(loader: EpochLoader) -> tuple[torch.Tensor, torch.Tensor]:
    targets, conditions = zip(*loader, strict=True)
    return torch.cat(targets), torch.cat(conditions)


@pytest.fixture
def write_pairs(digit_images: np.ndarray) -> Callable[..., None]:
    """Writes digits as A and their negatives as B: 8 x 8 PNG files, in one of the layouts."""

    def write(root: Path, layout: str, split: str = "train", count: int = 6, start: int = 0) -> None:
        for i in range(start, start + count):
            a, b = digit_images[i], 255 - digit_images[i]
            if layout == "side by side":
                files = {f"{split}/{i:02d}.png": np.concatenate([a, b], 1)}
            else:
                one, other = (f"{name.format(split)}/{i:02d}.png" for name in layout.split())
                files = {one: a, other: b}
            for name, pixels in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / name)

    return write


LAYOUTS = ["side by side", "{}A {}B", "A/{} B/{}", "{}/A {}/B"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pairs(
    tmp_path: Path, layout: str, write_pairs: Callable[..., None], digit_images: np.ndarray
) -> None:
    write_pairs(tmp_path, layout)
    write_pairs(tmp_path, layout, "val", 3, start=20)
    data = module(tmp_path, batch_size=2, channels=1)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [6, 3, 0]
    target, condition = parts(data.val_dataloader())
    assert (target.dtype, target.shape, condition.shape) == (torch.uint8, (3, 1, 8, 8), (3, 3, 8, 8))
    assert np.array_equal(target[:, 0], 255 - digit_images[20:23])
    assert np.array_equal(condition, np.repeat(digit_images[20:23, None], 3, 1))
    assert torch.equal(parts(data.test_dataloader())[0], target)  # there are no others


def test_the_direction_says_which_one_is_made(
    tmp_path: Path, write_pairs: Callable[..., None], digit_images: np.ndarray
) -> None:
    write_pairs(tmp_path, "side by side")
    write_pairs(tmp_path, "side by side", "test", 2)
    target, condition = parts(module(tmp_path, direction="BtoA").test_dataloader())
    assert np.array_equal(target[:, 0], digit_images[:2])
    assert np.array_equal(condition[:, 0], 255 - digit_images[:2])
    data = module("nowhere", channels=3, condition_channels=1, direction="BtoA")
    assert (data.image_shape, data.condition_shape, data.num_classes) == ((3, 8, 8), (1, 8, 8), None)


@pytest.mark.parametrize("listed", ["A", "B"])
def test_a_list_divides_the_pairs_of_two_folders(
    tmp_path: Path, write_pairs: Callable[..., None], digit_images: np.ndarray, listed: str
) -> None:
    write_pairs(tmp_path, "A B")
    rows = [
        {"file_name": f"{listed}/{i:02d}.png", "split": split} for i, split in enumerate(["test", "dev", "train", ""])
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = module(tmp_path, batch_size=1, channels=1)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [4, 1, 1]
    assert np.array_equal(parts(data.test_dataloader())[0][0, 0], 255 - digit_images[0])
    assert np.array_equal(parts(data.val_dataloader())[0][0, 0], 255 - digit_images[1])


def test_a_list_with_another_split(tmp_path: Path, write_pairs: Callable[..., None]) -> None:
    write_pairs(tmp_path, "A B")
    (tmp_path / "metadata.csv").write_text("file_name,split\nA/00.png,held back\n")
    with pytest.raises(
        ValueError, match=r"PairedImageDataModule: line 2 of \S*metadata.csv has the split 'held back': it"
    ):
        module(tmp_path).setup()


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    for folder, mode in {"A": "LA", "B": "RGBA"}.items():
        (tmp_path / folder).mkdir()
        Image.new(mode, (8, 8)).save(tmp_path / folder / "x.png")
    for part in parts(module(tmp_path, condition_channels=1).train_dataloader()):
        assert (part == 255).all()


def test_the_real_emoji(real_folder: Callable[[str], Path]) -> None:
    data = module(real_folder("openmoji"), folder_a="black", folder_b="color", condition_channels=1)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [1647, 188, 214]


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_both_images_undergo_the_same_jitter(tmp_path: Path, layout: str, write_pairs: Callable[..., None]) -> None:
    write_pairs(tmp_path, layout, count=12)
    target, condition = parts(module(tmp_path, load_size=12).train_dataloader())
    assert len(target) == 12
    # Bicubic weights sum to one, so a resized negative is the negative of the resized one, up to rounding ...
    assert ((target.int() + condition.int() - 255).abs() <= 1).float().mean() > 0.9  # ... but where it is clipped
    assert not torch.equal(target, parts(module(tmp_path, load_size=12, seed=1).train_dataloader())[0])


def test_the_jitter_is_a_crop_of_the_enlarged_image_flipped_or_not(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 24, 3), dtype=np.uint8)
    (tmp_path / "train").mkdir()
    Image.fromarray(pixels).save(tmp_path / "train" / "x.png")
    enlarged = resized(pixels[None, :, 12:], 10)[0]
    crops = {}
    for flipped in (False, True):
        for left in range(3):
            for top in range(3):
                crop = enlarged[:, top : top + 8, left : left + 8]
                crops[(crop[..., ::-1] if flipped else crop).tobytes()] = (left, top, flipped)

    def seen(flip: bool) -> set[tuple[int, int, bool]]:
        loader = module(tmp_path, load_size=10, flip=flip).train_dataloader()
        result = set()
        for epoch in range(200):
            loader.sampler.set_epoch(epoch)
            result.add(crops[parts(loader)[0].numpy().tobytes()])  # a KeyError, if it is none of them
        return result

    assert seen(flip=True) == set(crops.values())
    assert seen(flip=False) == {crop for crop in crops.values() if not crop[2]}


def test_by_default_the_image_is_enlarged_as_in_the_paper(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(2)[None].repeat(256, 0)  # 0 ... 255 from left to right
    (tmp_path / "train").mkdir()
    Image.fromarray(ramp).save(tmp_path / "train" / "x.png")
    data = module(tmp_path, image_size=256, flip=False)
    target, _ = parts(data.train_dataloader())
    grey = target[0, 0, 128].float()
    assert (grey[-20] - grey[20]) == pytest.approx(216 * 127.5 / 286, abs=1)
    resized, _ = parts(data.make_loader(data.splits.train, data.train_dataloader().sampler, False, False))
    assert np.array_equal(resized[0, 0], ramp[:, 256:])  # evaluation neither crops nor flips


def test_files_of_other_sizes_are_resized(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for i, size in enumerate([(40, 9), (14, 31)]):
        Image.new("RGB", size, "red").save(tmp_path / "train" / f"{i}.png")
    target, _ = parts(module(tmp_path).train_dataloader())
    assert target.shape == (2, 3, 8, 8)
    assert (target[:, 0] == 255).all()


@pytest.mark.parametrize(("lacking", "other"), [("A", "B"), ("B", "A")])
def test_an_image_without_its_partner(
    tmp_path: Path, write_pairs: Callable[..., None], lacking: str, other: str
) -> None:
    write_pairs(tmp_path, "{}A {}B")
    (tmp_path / f"train{lacking}" / "03.png").unlink()
    expected = (
        rf"1 of the 6 images in \S*train{other} have no partner .* in \S*train{lacking}: \S*train{other}/03.png: "
    )
    with pytest.raises(ValueError, match=expected):
        module(tmp_path).setup()
    for path in (tmp_path / f"train{lacking}").iterdir():
        path.unlink()
    (tmp_path / f"train{lacking}").rmdir()
    with pytest.raises(ValueError, match=r"6 of the 6 images .* have no partner .*00.png, .*04.png and 1 more: add"):
        module(tmp_path).setup()


def test_partners_may_have_other_endings_but_only_one_each(tmp_path: Path, write_pairs: Callable[..., None]) -> None:
    write_pairs(tmp_path, "{}A {}B", count=2)
    Image.open(tmp_path / "trainA" / "01.png").save(tmp_path / "trainA" / "01.jpg")
    with pytest.raises(ValueError, match=r"01.jpg and \S*01.png differ only in their endings"):
        module(tmp_path).setup()
    (tmp_path / "trainA" / "01.png").unlink()
    assert len(module(tmp_path).splits.train) == 2


def test_pairs_of_different_sizes(tmp_path: Path, write_pairs: Callable[..., None]) -> None:
    write_pairs(tmp_path, "A/{} B/{}")
    Image.new("L", (8, 9)).save(tmp_path / "B" / "train" / "04.png")
    expected = (
        r"1 of the 6 .* cannot be used: \S*A/train/04.png \(it is 8 x 8 pixels, but its partner \S*04.png is 8 x 9"
    )
    with pytest.raises(ValueError, match=expected):
        module(tmp_path).setup()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: upright, it is 8 x 9 too
    Image.new("L", (9, 8)).save(tmp_path / "A" / "train" / "04.png", exif=exif)
    assert len(module(tmp_path).splits.train) == 6


def test_side_by_side_with_an_odd_width(tmp_path: Path, write_pairs: Callable[..., None]) -> None:
    write_pairs(tmp_path, "side by side")
    Image.new("L", (15, 8)).save(tmp_path / "train" / "04.png")
    with pytest.raises(ValueError, match=r"04.png \(its width, 15 pixels, is odd, so it does not hold two images"):
        module(tmp_path).setup()


@pytest.mark.parametrize(("folder", "message"), [("trainA", ""), ("trainB", r"its partner \S*trainB/02.png cannot")])
def test_a_damaged_image(
    tmp_path: Path, write_pairs: Callable[..., None], damage: Callable[[Path], None], folder: str, message: str
) -> None:
    write_pairs(tmp_path, "{}A {}B")
    damage(tmp_path / folder / "02.png")
    with pytest.raises(ValueError, match=rf"1 of the 6 images in .* cannot be used: \S*trainA/02.png \({message}"):
        module(tmp_path).setup()


def test_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} has no training pairs: put files with both images side"):
        module(tmp_path).setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"direction": "AB"}, "direction is 'AB': it must be AtoB or BtoA."),
        ({"load_size": 7}, "load_size is 7: it must be at least 8."),
        (
            {"channels": 0},
            r"channels is 0: it must be 1 \(grey\), 2 .*, 3 \(RGB\), 4 .*, or as many as the arrays have.",
        ),
        (
            {"condition_channels": 0},
            r"condition_channels is 0: it must be 1 \(grey\), 2 .*, 3 \(RGB\), 4 .*, or as many as the arrays have.",
        ),
        ({"num_workers": -1}, "num_workers is -1: it must be at least 0."),
        ({"image_size": 0}, "image_size is 0: it must be at least 1."),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, int | str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(tmp_path, **arguments)


def test_the_real_facades(real_folder: Callable[[str], Path]) -> None:
    root = real_folder("facades")
    data = PairedImageDataModule(str(root), direction="BtoA", num_workers=1)
    assert (data.image_shape, len(data.splits.train), len(data.splits.val)) == ((3, 256, 256), 150, 50)
    photo, label = next(iter(data.val_dataloader()))
    pixels = np.asarray(Image.open(min((root / "val").iterdir()))).transpose(2, 0, 1)
    assert np.array_equal(photo[0], pixels[..., :256])
    assert np.array_equal(label[0], pixels[..., 256:])
    photo, label = next(iter(data.train_dataloader()))
    assert photo.shape == label.shape == (1, 3, 256, 256)
