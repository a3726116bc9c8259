"""Where images come from: folders, data modules of ours and of others."""

import os

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from datamodules import DigitsDataModule, ImageFolderDataModule, UnpairedImageDataModule
from gan_lightning.inference.translation import _pixels
from gan_lightning.metrics.image_sources import FolderImages, Images, domain_note, label_of, real_images
from gan_lightning.variants import DCGAN, CoGAN
from tests.helpers.games import small
from tests.metrics.tools import images, write_folder


def everything(source: Images) -> torch.Tensor:
    return torch.cat(list(source.image_batches(torch.arange(len(source)).split(7))))


def test_a_folder_in_the_order_of_its_names(tmp_path):
    shown = images(20, 1)
    write_folder(tmp_path / "a", list(shown))
    (tmp_path / "a" / "notes.txt").write_text("no image")
    assert torch.equal(everything(FolderImages(tmp_path / "a")), shown)


def test_a_pipe_is_named_and_left_out(tmp_path):
    shown = images(3, 1)
    write_folder(tmp_path / "a", list(shown))
    os.mkfifo(tmp_path / "a" / "0.png")
    with pytest.warns(UserWarning, match=r"Not read, for they are no files: \S+/a/0.png\."):
        assert torch.equal(everything(FolderImages(tmp_path / "a")), shown)


def test_of_two_domains_the_first_is_compared_with_the_first(tmp_path):
    for name in ("trainA", "trainB"):
        write_folder(tmp_path / name, list(images(3, ord(name[-1]))))
    data = UnpairedImageDataModule(str(tmp_path), image_size=12, load_size=12, num_workers=0, flip=False)
    assert torch.equal(everything(real_images(data, "train")), images(3, ord("B")))
    game = small(CoGAN)
    assert torch.equal(everything(real_images(data, "train", game=game)), images(3, ord("A")))
    assert "all metrics are of its images of A" in domain_note(game)
    assert domain_note(small(DCGAN)) is None


def test_grey_images_are_read_as_the_other_side_has_them(tmp_path):
    grey = images(3, 1, channels=1)
    write_folder(tmp_path / "a", list(grey))
    assert torch.equal(everything(FolderImages(tmp_path / "a")), grey.repeat(1, 3, 1, 1))
    assert torch.equal(everything(FolderImages(tmp_path / "a", channels=1)), grey)


def test_mixed_sizes_are_refused_or_brought_to_one_as_asked(tmp_path):
    folder = write_folder(tmp_path / "a", list(images(3, 1)))
    Image.new("RGB", (20, 10)).save(folder / "wide.png")
    with pytest.raises(ValueError, match=r"0000\.png has 12 x 12, wide\.png has 20 x 10: .* --image_size 10\."):
        everything(FolderImages(folder))
    with pytest.warns(UserWarning, match="resized to 10 x 10 pixels: 0000.png has 12 x 12") as warned:
        resized = everything(FolderImages(folder, size=10))
    assert len(warned) == 1
    (trained_on,) = folder_module(folder, 10).splits.train.image_batches([torch.arange(4)])
    assert torch.equal(resized, trained_on)


def folder_module(folder, size, channels=3, **arguments):
    return ImageFolderDataModule(
        str(folder), image_size=size, channels=channels, val_size=0, batch_size=1, num_workers=0, **arguments
    )


@pytest.fixture
def every_kind(tmp_path):
    """Images of one size, of every kind that a reader could take for something else."""
    folder, size = tmp_path / "every kind", (12, 12)
    folder.mkdir()
    noise = images(1, 1)[0].permute(1, 2, 0).numpy()
    alpha = np.dstack([noise, noise[..., :1]])
    Image.fromarray(alpha).save(folder / "clear.png")
    Image.fromarray(alpha).convert("LA").save(folder / "grey_clear.png")
    Image.fromarray(noise).quantize(8).save(folder / "palette.png", transparency=3)
    Image.fromarray(noise).quantize(8).save(folder / "palette.gif", transparency=3)
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(folder / "deep.tif")
    Image.fromarray(noise).convert("CMYK").save(folder / "print.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(noise).save(folder / "turned.jpg", exif=turned)
    for name in ("a.bmp", "a.webp", "a.avif", "a.tiff"):
        Image.fromarray(noise).save(folder / name)
    Image.new("1", size, 1).save(folder / "bits.png")
    return folder


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_the_same_whichever_way_it_is_read(tmp_path, every_kind, channels):
    expected = everything(FolderImages(every_kind, channels))
    assert len(expected) == 13
    ways = [
        folder_module(every_kind, 12, channels),
        folder_module(every_kind, 12, channels, in_memory=False),
        folder_module(every_kind, 12, channels, cache=str(tmp_path / "cache")),
        folder_module(every_kind, 12, channels, cache=str(tmp_path / "cache")),  # mapped this time
    ]
    ways[1].num_workers = 2
    for data in ways:
        assert torch.equal(everything(real_images(data, "train")), expected)
    for path, image in zip(FolderImages(every_kind).paths, expected, strict=True):
        assert torch.equal(_pixels(path, channels), image)


def test_some_images_of_a_folder_are_evenly_spread(tmp_path):
    shown = images(20, 1)
    folder = write_folder(tmp_path / "a", list(shown))
    assert torch.equal(everything(FolderImages(folder, at_most=4)), shown[::5])
    assert len(FolderImages(folder, at_most=30)) == 20


def test_folders_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="no images"):
        FolderImages(tmp_path)
    with pytest.raises(FileNotFoundError, match="no images"):
        FolderImages(tmp_path / "nowhere")
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"broken\.png cannot be read"):
        FolderImages(tmp_path)


def test_each_image_of_a_split_once_and_not_mirrored():
    data = DigitsDataModule(image_size=8, batch_size=1000)
    data.setup()
    for split in ("train", "val"):
        source = real_images(data, split)
        assert len(source) == len(getattr(data.splits, split))
    assert len({image.numpy().tobytes() for image in everything(real_images(data, "train"))}) > 1400
    some = everything(real_images(data, "train", at_most=10))
    whole = everything(real_images(data, "train"))
    assert torch.equal(some, whole[torch.arange(10) * len(whole) // 10])
    assert len({label_of(data, "train"), label_of(data, "val"), label_of(DigitsDataModule(image_size=16), "val")}) == 3


class Foreign(LightningDataModule):
    """Somebody's data module: float images and labels, shuffled."""

    def train_dataloader(self) -> DataLoader:
        shown = images(20, 1).float() / 127.5 - 1
        return DataLoader(TensorDataset(shown, torch.arange(20)), batch_size=6, shuffle=True)

    def val_dataloader(self) -> list[None]:
        return []


def test_a_foreign_data_module_is_read_through_its_loader():
    source = real_images(Foreign(), "train")
    assert source.labels is not None
    assert torch.equal(everything(source)[source.labels.argsort()], images(20, 1))
    with pytest.raises(ValueError, match="Foreign has no images in its split 'val'"):
        real_images(Foreign(), "val")
    with pytest.raises(ValueError, match="there is none"):
        real_images(None, "train")
