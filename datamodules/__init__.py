"""Images and texts for GANs: one LightningDataModule per dataset, each imported on first use.

``image_shape`` (channels, height, width) and ``num_classes`` are known right after construction, before any file is
read. Most yield uint8 images, N x C x H x W, with int64 labels, N (no labels where there are no classes);
the docstring of a module states any other form.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datamodules.base import ImageDataModule
    from datamodules.bouncing_mnist import BouncingMNISTDataModule
    from datamodules.captioned import CaptionedImageDataModule
    from datamodules.celeba import CelebADataModule
    from datamodules.chorales import ChoralesDataModule
    from datamodules.cifar10 import CIFAR10DataModule
    from datamodules.digits import DigitsDataModule
    from datamodules.expressions import ExpressionsDataModule
    from datamodules.image_folder import ImageFolderDataModule
    from datamodules.image_zip import ImageZipDataModule
    from datamodules.lsun import LSUNDataModule
    from datamodules.midi_folder import MidiFolderDataModule
    from datamodules.mnist import FashionMNISTDataModule, MNISTDataModule
    from datamodules.mnist_edges import MNISTEdgesDataModule
    from datamodules.paired import PairedImageDataModule
    from datamodules.screenshots import ScreenshotsDataModule
    from datamodules.shards import ShardsDataModule
    from datamodules.sound_folder import SoundFolderDataModule
    from datamodules.super_resolution import SuperResolutionDataModule
    from datamodules.synthetic_oracle import SyntheticOracleDataModule
    from datamodules.text_lines import TextLinesDataModule
    from datamodules.toy import ToyDataModule
    from datamodules.unpaired import UnpairedImageDataModule
    from datamodules.utkface import UTKFaceDataModule
    from datamodules.video_folder import VideoFolderDataModule

__all__ = [
    "BouncingMNISTDataModule",
    "CIFAR10DataModule",
    "CaptionedImageDataModule",
    "CelebADataModule",
    "ChoralesDataModule",
    "DigitsDataModule",
    "ExpressionsDataModule",
    "FashionMNISTDataModule",
    "ImageDataModule",
    "ImageFolderDataModule",
    "ImageZipDataModule",
    "LSUNDataModule",
    "MNISTDataModule",
    "MNISTEdgesDataModule",
    "MidiFolderDataModule",
    "PairedImageDataModule",
    "ScreenshotsDataModule",
    "ShardsDataModule",
    "SoundFolderDataModule",
    "SuperResolutionDataModule",
    "SyntheticOracleDataModule",
    "TextLinesDataModule",
    "ToyDataModule",
    "UTKFaceDataModule",
    "UnpairedImageDataModule",
    "VideoFolderDataModule",
]

_HOMES = {
    "BouncingMNISTDataModule": "bouncing_mnist",
    "CIFAR10DataModule": "cifar10",
    "CaptionedImageDataModule": "captioned",
    "CelebADataModule": "celeba",
    "ChoralesDataModule": "chorales",
    "DigitsDataModule": "digits",
    "ExpressionsDataModule": "expressions",
    "FashionMNISTDataModule": "mnist",
    "ImageDataModule": "base",
    "ImageFolderDataModule": "image_folder",
    "ImageZipDataModule": "image_zip",
    "LSUNDataModule": "lsun",
    "MNISTDataModule": "mnist",
    "MNISTEdgesDataModule": "mnist_edges",
    "MidiFolderDataModule": "midi_folder",
    "PairedImageDataModule": "paired",
    "ScreenshotsDataModule": "screenshots",
    "ShardsDataModule": "shards",
    "SoundFolderDataModule": "sound_folder",
    "SuperResolutionDataModule": "super_resolution",
    "SyntheticOracleDataModule": "synthetic_oracle",
    "TextLinesDataModule": "text_lines",
    "ToyDataModule": "toy",
    "UTKFaceDataModule": "utkface",
    "UnpairedImageDataModule": "unpaired",
    "VideoFolderDataModule": "video_folder",
}


# PEP 562: a data module is imported on first use, so lmdb or litdata is needed only by those who use it.
def __getattr__(name: str) -> Any:
    # Python also asks here for attributes that it only tries, such as __path__.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
