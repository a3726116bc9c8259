"""Super-resolution: MATLAB's bicubic, the published figures made with it, crops and whole photographs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from datamodules import SuperResolutionDataModule
from datamodules.components.bicubic import downscale, upscale
from datamodules.components.examples import ExampleLoader
from gan_lightning.metrics.luminance import psnr, ssim


def matlab_weights(n: int, m: int) -> NDArray[np.float64]:
    """What each of n pixels adds to each of m, after the published source of imresize's `contributions`: m x n."""
    scale = m / n
    stretch = min(scale, 1)
    center = np.arange(1, m + 1) / scale + 0.5 * (1 - 1 / scale)
    taps = np.floor(center - 2 / stretch)[:, None] + np.arange(np.ceil(4 / stretch) + 2)
    x = np.abs(stretch * (center[:, None] - taps))
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    values = np.where(x <= 1, inner, np.where(x <= 2, outer, 0))
    mirrored = np.r_[np.arange(n), np.arange(n)[::-1]]
    weights = np.zeros((m, n))
    np.add.at(weights, (np.arange(m)[:, None], mirrored[np.mod(taps - 1, 2 * n).astype(int)]), values)
    return weights / weights.sum(1, keepdims=True)


def matlab_imresize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    rows, columns = matlab_weights(image.shape[-2], height), matlab_weights(image.shape[-1], width)
    return np.clip(rows @ image.astype(float) @ columns.T, 0, 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("factors", [(1, 1), (4, 7), (6, 3)])
def test_bicubic_is_matlabs_also_at_the_borders(scale: int, factors: tuple[int, int]) -> None:
    height, width = scale * factors[0], scale * factors[1]
    image = np.random.default_rng(0).integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    small = downscale(torch.from_numpy(image), scale)
    assert (small.dtype, small.shape) == (torch.uint8, (1, 3, *factors))
    assert np.abs(small.numpy() - matlab_imresize(image, *factors)).max() <= 0.5 + 1e-9
    large = upscale(torch.from_numpy(image), scale)
    assert large.shape == (1, 3, height * scale, width * scale)
    assert np.abs(large.numpy() - matlab_imresize(image, height * scale, width * scale)).max() <= 0.5 + 1e-9


def test_halves_are_rounded_up() -> None:
    # On a ramp, halving takes the mean of two neighbours: here 100.5 and 102.5 far from the borders.
    ramp = torch.arange(90, 122, dtype=torch.uint8).expand(1, 1, 32, 32).contiguous()
    assert downscale(ramp, 2)[0, 0, 8, 4:8].tolist() == [99, 101, 103, 105]


@pytest.mark.parametrize(
    # Ledig et al., Photo-Realistic Single Image Super-Resolution, CVPR 2017, table 2: 28.43 and 25.99 dB. Its SSIM
    # has a window of its own; the usual one is in Kim et al., Accurate Image Super-Resolution Using Very Deep
    # Convolutional Networks, CVPR 2016, table 2, of a luminance rounded to whole levels.
    ("name", "published_psnr", "published_ssim"),
    [("Set5", 28.43, 0.8104), ("Set14", 25.99, 0.7027)],
)
def test_bicubic_scores_what_the_papers_say(
    real_folder: Callable[[str], Path], name: str, published_psnr: float, published_ssim: float
) -> None:
    root = real_folder("super_resolution")
    loader = SuperResolutionDataModule(str(root), test=name, num_workers=0).test_dataloader()
    # MATLAB's users convert what has three channels; Set14's bridge has one. Converted too, it makes 26.09 of 26.00.
    channels = [1 if Image.open(path).mode == "L" else 3 for path in sorted((root / name).iterdir())]
    scores = []
    for (high, low), n in zip(loader, channels, strict=True):
        truth, bicubic = high[:, :n], upscale(low, 4)[:, :n]
        scores.append((psnr(bicubic, truth, 4).item(), ssim(bicubic, truth, 4).item()))
    assert len(scores) == int(name.removeprefix("Set"))
    assert np.mean(scores, axis=0)[0] == pytest.approx(published_psnr, abs=0.01)
    assert np.mean(scores, axis=0)[1] == pytest.approx(published_ssim, abs=0.001)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three of 40 x 33 noise pixels to train on, one of 21 x 34 and one of 12 x 12 to validate on, one to test on."""
    generator = np.random.default_rng(0)
    for name, size in {
        "train/a": (40, 33), "train/b": (40, 33), "train/c": (40, 33),
        "Set5/a": (21, 34), "Set5/b": (12, 12), "Set14/a": (16, 16),
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def module(root: Path, **arguments) -> SuperResolutionDataModule:
    return SuperResolutionDataModule(str(root), **{"batch_size": 4, "crop_size": 32, "num_workers": 0} | arguments)


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path)).transpose(2, 0, 1)


def test_shapes_are_known_before_any_file_is_read() -> None:
    data = SuperResolutionDataModule("nowhere", scale=2)
    assert (data.image_shape, data.condition_shape, data.num_classes) == ((3, 96, 96), (3, 48, 48), None)


def test_evaluation_takes_whole_photographs_cut_to_a_multiple_of_the_scale(photographs: Path) -> None:
    data = module(photographs)
    (a, small_a), (b, small_b) = data.val_dataloader()
    assert np.array_equal(a[0], pixels(photographs / "Set5" / "a.png")[:, :20, :32])
    assert np.array_equal(b[0], pixels(photographs / "Set5" / "b.png"))
    assert torch.equal(small_a, downscale(a, 4))
    assert (small_a.shape, small_b.shape) == ((1, 3, 5, 8), (1, 3, 3, 3))
    assert len(data.test_dataloader()) == 1
    assert torch.equal(next(iter(module(photographs, test=None).test_dataloader()))[0], a)
    assert module(photographs, test=None, val=None).val_dataloader() == []


def crops_of(loader: ExampleLoader, epochs: int = 1) -> list[tuple[bytes, bytes]]:
    result = []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for high, low in loader:
            assert torch.equal(low, downscale(high, loader.source.scale))
            result += [(h.numpy().tobytes(), s.numpy().tobytes()) for h, s in zip(high, low, strict=True)]
    return result


def test_training_crops_come_from_everywhere_and_in_all_eight_ways(photographs: Path) -> None:
    places = {}
    for name in "abc":
        whole = pixels(photographs / "train" / f"{name}.png")
        for top in range(9):
            for left in range(2):
                crop = whole[:, top : top + 32, left : left + 32]
                for turns in range(4):
                    for way, turned in enumerate(
                        (np.rot90(crop, turns, (1, 2)), np.rot90(crop, turns, (2, 1))[:, ::-1])
                    ):
                        places[turned.tobytes()] = (name, top, left, (turns, way))
    drawn = [places[high] for high, _ in crops_of(module(photographs, crops_per_image=40).train_dataloader(), 5)]
    assert len(drawn) == 600
    assert [len({place[i] for place in drawn}) for i in range(4)] == [3, 9, 2, 8]
    assert sum(place[0] == "a" for place in drawn) == 200
    still = [places[high] for high, _ in crops_of(module(photographs, flip=False).train_dataloader())]
    assert {place[3] for place in still} == {(0, 0)}


def test_an_epoch_has_as_many_crops_as_asked_for(photographs: Path) -> None:
    loader = module(photographs, crops_per_image=6, scale=2).train_dataloader()
    assert len(loader) == 4  # 18 crops in batches of 4
    assert len(crops_of(loader)) == 16
    assert next(iter(loader))[1].shape == (4, 3, 16, 16)


def test_images_of_different_sizes_make_no_batch(photographs: Path) -> None:
    source = module(photographs).val_dataloader().source
    assert [batch.shape[-1] for batch in source.image_batches(torch.arange(2).split(1))] == [32, 12]
    with pytest.raises(ValueError, match="have different sizes and cannot be one batch"):
        next(source.image_batches([torch.arange(2)]))


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [("train", (31, 40), "31 x 40 pixels, smaller than a crop, 32"), ("Set14", (9, 3), "9 x 3 pixels, .* scale, 4")],
)
def test_photographs_that_are_too_small(photographs: Path, name: str, size: tuple[int, int], message: str) -> None:
    Image.new("RGB", size).save(photographs / name / "z.png")
    with pytest.raises(ValueError, match=rf"1 of the 7 images in .* cannot be used: \S*{name}/z.png \({message}\)"):
        module(photographs).setup()


def test_a_damaged_photograph(photographs: Path, damage: Callable[[Path], None]) -> None:
    damage(photographs / "Set5" / "b.png")
    with pytest.raises(ValueError, match=r"1 of the 6 images in .* cannot be used: \S*Set5/b.png \("):
        module(photographs).setup()


def test_missing_folders(photographs: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no images .* under \S*HR: set root, and train to the name of a folder"
    ):
        module(photographs, train="HR").setup()
    with pytest.raises(FileNotFoundError, match=r"no images .* under \S*Set6: .* or null to go without"):
        module(photographs, val="Set6").setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop_size": 90}, "crop_size is 90: it must be a multiple of scale, which is 4."),
        ({"scale": 1}, "scale is 1: it must be at least 2."),
        ({"crop_size": 0}, "crop_size is 0: it must be at least 1."),
        ({"crops_per_image": 0}, "crops_per_image is 0: it must be at least 1."),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(Path("nowhere"), **arguments)


def test_the_real_photographs(real_folder: Callable[[str], Path]) -> None:
    data = SuperResolutionDataModule(str(real_folder("super_resolution")), num_workers=1)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [384, 5, 14]
    high, low = next(iter(data.train_dataloader()))
    assert (high.shape, low.shape, high.dtype) == ((16, 3, 96, 96), (16, 3, 24, 24), torch.uint8)
