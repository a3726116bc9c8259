"""Where images come from: folders, data modules of ours and of others."""

import pytest
import torch
from lightning.pytorch import LightningDataModule
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from datamodules import DigitsDataModule
from gan_lightning.metrics.sources import FolderImages, Images, label_of, real_images
from tests.metrics.tools import images, write_folder


def everything(source: Images) -> torch.Tensor:
    return torch.cat(list(source.image_batches(torch.arange(len(source)).split(7))))


def test_a_folder_in_the_order_of_its_names(tmp_path):
    shown = images(20, 1)
    write_folder(tmp_path / "a", list(shown))
    (tmp_path / "a" / "notes.txt").write_text("no image")
    assert torch.equal(everything(FolderImages(tmp_path / "a")), shown)


def test_grey_images_are_read_as_the_other_side_has_them(tmp_path):
    grey = images(3, 1, channels=1)
    write_folder(tmp_path / "a", list(grey))
    assert torch.equal(everything(FolderImages(tmp_path / "a")), grey.repeat(1, 3, 1, 1))
    assert torch.equal(everything(FolderImages(tmp_path / "a", channels=1)), grey)


def test_mixed_sizes_are_refused(tmp_path):
    folder = write_folder(tmp_path / "a", list(images(3, 1)))
    Image.new("RGB", (20, 10)).save(folder / "wide.png")
    with pytest.raises(ValueError, match=r"0000\.png is 12 x 12 pixels and wide\.png is 20 x 10\. Resize"):
        everything(FolderImages(folder))


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
