"""MNIST and Fashion-MNIST."""

from datamodules.components.mnist_format import MNISTLikeDataModule

_GARMENTS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class MNISTDataModule(MNISTLikeDataModule):
    """The 70,000 handwritten digits, grey: 60,000 to train on and 10,000 to test on, ten classes.

    Many networks need sides of a power of two: a border of two zero pixels makes 28 x 28 images 32 x 32, without blur.
    Never flipped: a mirrored digit is no digit.
    """

    dataset = "MNIST"
    folder = "MNIST/raw"

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | None = 32,
        val_size: int = 5000,
        seed: int = 0,
        n_labels: int | None = None,
    ) -> None:
        super().__init__(data_dir, batch_size, image_size, val_size, seed=seed, n_labels=n_labels)


class FashionMNISTDataModule(MNISTLikeDataModule):
    """The 70,000 garments of Fashion-MNIST, grey: 60,000 to train on and 10,000 to test on, ten classes.

    Many networks need sides of a power of two: a border of two zero pixels makes 28 x 28 images 32 x 32, without blur.

    Args:
        data_dir: Folder that holds ``FashionMNIST/raw``; the files are downloaded into it where they are missing.
        flip: Mirror training images horizontally with probability one half. Off: all shoes point to the left.
    """

    dataset = "FashionMNIST"
    folder = "FashionMNIST/raw"
    class_names = _GARMENTS
