"""Pairs of images: a photograph and its label map, a map and the view from above."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from PIL import Image

from datamodules.base import Splits, check_channels
from datamodules.decoding import check, pixels_of, read_pixels
from datamodules.examples import Chances, ExampleDataModule, Examples, Jitter, Pixels
from datamodules.file_base import check_in_turn
from datamodules.files import list_images, pack, read_again, unpack

_TWO_FOLDERS = (("{}A", "{}B"), ("A/{}", "B/{}"), ("{}/A", "{}/B"))
_NAMED_FILES = 5  # as many files without a partner are named in an error

Pair = tuple[Path, Path]  # A and B; twice the same file where they lie side by side in it


class PairedImageDataModule(ExampleDataModule):
    """Pairs of images A and B that show the same thing, for image-to-image translation as in pix2pix.

    The pairs lie side by side, A on the left, in the files of `train`, `val` and `test`; or, with the same names but
    for their endings, in two folders each: `trainA` and `trainB`, `A/train` and `B/train`, or `train/A` and
    `train/B`, and so on. A split without folders is empty.

    The batches are `(target, condition)`, uint8, n x C x H x W: what the generator is to make, of `image_shape`, and
    what it is given, of `condition_shape`. In training, both images of a pair are resized to `load_size`, cropped at
    the same random place and flipped or not together; elsewhere they are resized to `image_size`. Images that are not
    square are stretched, as by the authors' code.

    Args:
        root: the folder.
        batch_size: pairs in a batch, in each process.
        image_size: height and width.
        load_size: height and width before the random crop; None: image_size * 286 / 256, as in the paper.
        direction: AtoB: the generator is given A and makes B; BtoA: the other way round.
        channels: of the target. 3: RGB; 1: grey.
        condition_channels: of the condition. 3: RGB; 1: grey.
        flip: mirror training pairs horizontally with probability one half.
        num_workers: processes that decode images; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: the order and the jitter of the training pairs are functions of this seed and the epoch.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 1,
        image_size: int = 256,
        load_size: int | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        channels: int = 3,
        condition_channels: int = 3,
        flip: bool = True,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_channels(channels=channels, condition_channels=condition_channels)
        if direction not in ("AtoB", "BtoA"):
            raise ValueError(f"direction is {direction!r}: it must be AtoB or BtoA.")
        super().__init__((channels, image_size, image_size), None, batch_size, flip, num_workers, seed)
        self.condition_shape = (condition_channels, image_size, image_size)
        self.jitter = Jitter(image_size, load_size, flip)
        self.root = Path(root).expanduser()
        self.direction = direction

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        splits = {split: self._pairs(split) for split in ("train", "val", "test")}
        if not splits["train"]:
            raise FileNotFoundError(
                f"PairedImageDataModule: {self.root} has no training pairs: put files with both images side by side "
                "into `train`, or the images into `trainA` and `trainB`, `A/train` and `B/train`, or `train/A` and "
                "`train/B`."
            )
        pairs = [pair for split in splits.values() for pair in split]
        self.refuse(check_in_turn(len(pairs), lambda i: _check_pair(pairs[i])), [a for a, _ in pairs])
        channels = (self.image_shape[0], self.condition_shape[0])
        return Splits(
            **{
                name: PairedImages(split, self.direction == "AtoB", channels, self.jitter, self.workers())
                for name, split in splits.items()
            }
        )

    def _pairs(self, split: str) -> list[Pair]:
        for names in _TWO_FOLDERS:
            a, b = (self.root / name.format(split) for name in names)
            if a.is_dir() or b.is_dir():
                return _matched(a, b)
        return [(path, path) for path in list_images(self.root / split)]


class PairedImages(Examples):
    """Pairs that stay in their files.

    Args:
        pairs: the files of A and B.
        to_b: B is the target and A the condition, and not the other way round.
        channels: of the target and of the condition.
        jitter: what both images of a pair undergo.
        num_workers: worker processes.
    """

    n_chances = 3

    def __init__(
        self, pairs: list[Pair], to_b: bool, channels: tuple[int, int], jitter: Jitter, num_workers: int
    ) -> None:
        super().__init__(num_workers)
        self.a, self.b = pack(a for a, _ in pairs), pack(b for _, b in pairs)
        self.to_b = to_b
        self.channels = channels
        self.jitter = jitter

    def __len__(self) -> int:
        return len(self.a)

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        a, b = unpack(self.a[index]), unpack(self.b[index])
        halves = _halves(read_again(a, _read)) if a == b else (read_again(a, _read), read_again(b, _read))
        images = halves[::-1] if self.to_b else halves
        chosen = zip(images, self.channels, strict=True)
        return tuple(self.jitter(pixels if channels == 3 else _grey(pixels), chances) for pixels, channels in chosen)


def _read(file: str) -> Pixels:
    return read_pixels(file, 3)


def _halves(pixels: Pixels) -> tuple[Pixels, Pixels]:
    middle = pixels.shape[1] // 2
    return pixels[:, :middle], pixels[:, middle:]


def _grey(pixels: Pixels) -> Pixels:
    return pixels_of(Image.fromarray(pixels).convert("L"))


def _matched(a: Path, b: Path) -> list[Pair]:
    """The images of two folders that have the same names but for their endings, sorted."""
    named = [_by_name(folder) for folder in (a, b)]
    for folder, mine, other, theirs in ((a, named[0], b, named[1]), (b, named[1], a, named[0])):
        alone = [mine[name] for name in mine if name not in theirs]
        if alone:
            raise ValueError(
                f"PairedImageDataModule: {len(alone)} of the {len(mine)} images in {folder} have no partner of the "
                f"same name in {other}: {_listed(alone)}: add the partners or remove these."
            )
    return [(named[0][name], named[1][name]) for name in sorted(named[0])]


def _by_name(folder: Path) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in list_images(folder):
        name = str(path.relative_to(folder).with_suffix(""))
        if name in images:
            raise ValueError(
                f"PairedImageDataModule: {images[name]} and {path} differ only in their endings, so it is not clear "
                "which one belongs to the pair: remove one of them."
            )
        images[name] = path
    return images


def _listed(paths: Iterable[Path]) -> str:
    names = [str(path) for path in paths]
    more = f" and {len(names) - _NAMED_FILES} more" if len(names) > _NAMED_FILES else ""
    return ", ".join(names[:_NAMED_FILES]) + more


def _check_pair(pair: Pair) -> None:
    """Raises what is wrong with a pair."""
    a, b = pair
    width, height = check(a)
    if a == b:
        if width % 2:
            raise ValueError(f"its width, {width} pixels, is odd, so it does not hold two images of one size")
        return
    try:
        other = check(b)
    except Exception as error:
        raise ValueError(f"its partner {b} cannot be read: {error}") from error
    if other != (width, height):
        raise ValueError(f"it is {width} x {height} pixels, but its partner {b} is {other[0]} x {other[1]}")
