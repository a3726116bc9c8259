"""Screenshots of web pages with the programs that the pages were made from."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from datamodules.base import Splits, check_at_least, check_channels, shape_of
from datamodules.components.file_base import FileDataModule
from datamodules.components.files import list_files
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import split_folders
from datamodules.components.loading import Batch, BatchLoader, EpochLoader, EpochOrder, ImageSource, Subset
from datamodules.components.screens import MOST_TOKENS, ProgramError, encode, parse, unparse

_SPLITS = ("train", "val", "test")
_NAMED = 5  # as many files are named in a message
_LARGEST_FILE = 1 << 16
_SHARES = 1 << 32


class ScreenshotsDataModule(FileDataModule):
    """Screenshots, ``a.png``, with their programs, ``a.gui``, as ``gan-lightning screens`` writes them.

    The pairs lie in ``train``, ``val`` and ``test``, or all together. Then a digest of the program says of which split
    a pair is, so that no layout is in two of them; the released data of the paper have no such care. Where there are
    folders of splits, a warning says how many held-out programs are training ones too.

    Batches are dictionaries: ``images``, uint8, N x C x H x W, and ``tokens``, int64, N x 152, each from the start of a
    program to its end, with placeholders after it; see :mod:`datamodules.components.screens`.

    Args:
        root: The folder.
        batch_size: Pairs in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        channels: 3 (RGB) or 1 (grey).
        val_share: Share of the programs for validation, where nothing says which.
        test_share: The same for testing.
        strict: Refuse a folder with pairs that cannot be used.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in a file, as in ``ImageFolderDataModule``.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process; None:
            one for each CPU, at most 8.
        seed: The order of the training pairs is a function of this seed and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 256,
        channels: int = 3,
        val_share: float = 0.15,
        test_share: float = 0.0,
        strict: bool = False,
        in_memory: bool | None = None,
        cache: bool | str = False,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_channels(photographs=True, channels=channels)
        check_at_least(1, batch_size=batch_size)
        super().__init__(shape_of(channels, image_size), None, batch_size, False, num_workers, seed)
        for name, share in {"val_share": val_share, "test_share": test_share}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} is {share}: it must be at least 0 and less than 1.")
        if val_share + test_share >= 1:
            raise ValueError(f"val_share {val_share} and test_share {test_share} would leave nothing to train on.")
        self.root = Path(root).expanduser().absolute()
        self.shares = {"val": val_share, "test": test_share}
        self.strict, self.in_memory, self.cache = strict, in_memory, cache

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        folders = split_folders(self.root) or {"": self.root}
        files = [(split, file) for split, folder in folders.items() for file in _programs(folder)]
        if not files:
            raise FileNotFoundError(
                f"ScreenshotsDataModule: {self.root} has no programs (.gui): set root to a folder that `gan-lightning "
                "screens` has written."
            )
        broken: dict[Path, str] = {}
        found: list[tuple[str, Path, str, Tensor]] = []
        for split, file in files:
            try:
                text, tokens = _read(file)
            except ProgramError as error:
                broken[file] = str(error)
                continue
            found.append((split or self._split_of(tokens), file.with_suffix(".png"), text, tokens))
        images = [image for _, image, _, _ in found]
        source, unreadable = self.read_images(images, None, self.in_memory, self.cache)
        broken |= {images[i]: reason for i, reason in unreadable.items()}
        self._report(broken, len(files))
        usable = [i for i in range(len(found)) if i not in unreadable]
        parts = {split: [i for i in usable if found[i][0] == split] for split in _SPLITS}
        self._check({split: [found[i][2] for i in part] for split, part in parts.items()})
        tokens = torch.stack([of for _, _, _, of in found])
        chosen = {split: torch.tensor(part, dtype=torch.int64) for split, part in parts.items()}
        return Splits(**{split: Screens(source, indices, tokens) for split, indices in chosen.items()})

    def _split_of(self, tokens: Tensor) -> str:
        """The split of a program, by its digest."""
        digest = blake2b(tokens.numpy().tobytes(), digest_size=4).digest()
        place = int.from_bytes(digest) / _SHARES
        if place < self.shares["val"]:
            return "val"
        return "test" if place < sum(self.shares.values()) else "train"

    def _report(self, broken: dict[Path, str], total: int) -> None:
        if not broken:
            return
        named = ", ".join(f"{file} ({reason})" for file, reason in [*broken.items()][:_NAMED])
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        said = f"ScreenshotsDataModule: {len(broken)} of {total} pairs cannot be used: {named}{more}"
        if self.strict or len(broken) == total:
            raise ValueError(f"{said}: repair or remove them.")
        rank_zero_warn(f"{said}; they are left out.")

    def _check(self, texts: dict[str, list[str]]) -> None:
        """Tell of programs that are in training and held out as well."""
        if not texts["train"]:
            raise ValueError(f"ScreenshotsDataModule: no pair in {self.root} is left to train on: add pairs.")
        trained = set(texts["train"])
        for split in ("val", "test"):
            if known := sum(text in trained for text in texts[split]):
                rank_zero_warn(
                    f"ScreenshotsDataModule: {known} of {len(texts[split])} programs of {split} in {self.root} are "
                    "training programs too, so that measures of that split are too good."
                )

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, Screens)
        return ScreenLoader(source, order, self.batch_size, training, False, pin_memory)


class Screens(Subset):
    """Some of a source's images, with the tokens of their programs.

    Args:
        source: The images.
        indices: Which of them, int64, (N,).
        tokens: Of all images of the source, int64, M x T.
    """

    def __init__(self, source: ImageSource, indices: Tensor, tokens: Tensor) -> None:
        super().__init__(source, indices)
        self.tokens = tokens[indices]


class ScreenLoader(BatchLoader):
    """Dictionaries of ``images`` and ``tokens``; arguments are those of ``BatchLoader``."""

    source: Screens

    def batches(self, todo: slice) -> Iterator[Batch]:
        indices = self.sampler.indices().split(self.batch_size)[todo]
        for images, some in zip(self.source.image_batches(indices), indices, strict=True):
            yield {"images": images, "tokens": self.source.tokens[some]}


def _programs(folder: Path) -> Sequence[Path]:
    return [file for file in list_files(folder) if file.suffix.lower() == ".gui"]


def _read(file: Path) -> tuple[str, Tensor]:
    """The text of a program, as the authors' files have it whatever its blanks and lines, and its tokens.

    Raises:
        ProgramError: It is no program, or has no screenshot.
    """
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ProgramError(f"it is larger than {_LARGEST_FILE >> 10} KiB")
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProgramError("it is no text") from error
    except OSError as error:
        raise ProgramError(error.strerror or str(error)) from error
    # Two programs that differ in blanks alone are one layout.
    text = unparse(parse(text))
    tokens = encode(text, MOST_TOKENS)
    if not file.with_suffix(".png").is_file():
        raise ProgramError("it has no screenshot, a .png of its name")
    return text, tokens
