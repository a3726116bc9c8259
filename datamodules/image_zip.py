"""StyleGAN2-ADA's sets of images: a zip file, or a folder with ``dataset.json``."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from datamodules.base import Splits, check_channels, shape_of
from datamodules.components.decoding import SUFFIXES, check
from datamodules.components.file_set import NAMED_FILES, FileSetDataModule, FilesFound
from datamodules.components.files import is_image, walk
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.image_zip import LABELS, MOST_BYTES, ImageLabels, read_labels
from datamodules.components.zip_archive import ZipArchive, opened


class ImageZipDataModule(FileSetDataModule):
    """Images in StyleGAN2-ADA's format (Karras et al., 2020, arXiv 2006.06676): a zip file, or a folder like it.

    The images, at any depth, of any format, size and mode, are read as ``ImageFolderDataModule`` reads them, in the
    order of their names. Sub-folders mean nothing. Labels are those of ``dataset.json`` at the top, ``{"labels":
    [[name, label], ...]}``: whole numbers for classes (int64, N) or lists of numbers (float32, N x A); ``"labels":
    null`` or no such file: there are none. ``gan-lightning zip`` writes one, with the names of classes or attributes
    as well.

    A zip file is neither unpacked nor kept in memory: worker processes read stored members, in any order, as fast as
    files of their own. Deflated members are unpacked one by one; encrypted ones, and those of more than 1 GiB, are
    refused.

    Args:
        root: The zip file, or the folder.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width]; None: those of the first image.
        channels: As in ``ImageFolderDataModule``: 3: RGB; 1: grey; 4: RGB with the transparency.
        use_labels: False: train without labels, also where only some of the images have one.
        val_size: Images held out for validation; None: a tenth, at most 1,000; 0: validation uses the test images.
        test_size: Images held out for testing; 0: testing uses the validation images.
        flip: Mirror training images horizontally with probability one half.
        strict: Refuse a set with files that cannot be used, instead of skipping them.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in one file, as ``ImageFolderDataModule`` does; every start compares the size and
            the time of the zip file, or of all files of a folder.
        draft: As in ``ImageFolderDataModule``.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process;
            None: one for each CPU, at most 8.
        seed: The order of the training images is a function of this seed and the epoch.
        bits: As in ``ImageFolderDataModule``: 8, or 16 for batches of uint16.

    Raises:
        FileNotFoundError: There is no ``root``.
        ValueError: An argument is out of its range; the zip file is damaged; ``dataset.json`` is of another form, or an
            image has no label; or there are no images.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] | None = None,
        channels: int = 3,
        use_labels: bool = True,
        val_size: int | None = None,
        test_size: int = 0,
        flip: bool = True,
        strict: bool = False,
        in_memory: bool | None = None,
        cache: bool | str = False,
        draft: bool = False,
        num_workers: int | None = None,
        seed: int = 0,
        bits: int = 8,
    ) -> None:
        check_channels(channels=channels)
        self.root = Path(root).expanduser().absolute()
        if not self.root.exists():
            raise FileNotFoundError(
                f"ImageZipDataModule: there is no {root}: set root to a zip file of images, or to a folder of them "
                f"with {LABELS}; `gan-lightning zip` writes such a file."
            )
        names = self._list()
        # Sorted as texts, which is StyleGAN2-ADA's order.
        self._names = sorted(filter(is_image, names))
        self._others = [] if len(self._names) == len(names) else sorted({*names} - {*self._names, LABELS})
        if not self._names:
            raise ValueError(f"ImageZipDataModule: no images in {root} (looked for {', '.join(SUFFIXES)}).")
        self._labels = self._read_labels(names) if use_labels else None
        super().__init__(
            shape_of(channels, self._first_size(channels, bits) if image_size is None else image_size),
            None if self._labels is None else self._labels.num_classes,
            batch_size,
            val_size,
            test_size,
            flip,
            strict,
            in_memory,
            cache,
            draft,
            num_workers,
            seed,
            bits,
        )
        self.class_names = None if self._labels is None else self._labels.class_names
        # Names of the numbers of a vector, for StarGAN.
        self.attributes = None if self._labels is None else self._labels.attributes

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        paths = [f"{self.root}/{name}" for name in self._names]
        labels = None if self._labels is None else self._labels.values
        images = self.read_images(paths, labels, self.in_memory, self.cache, self.draft)
        others = [f"/{name}" for name in self._others[:NAMED_FILES]]
        return self.split_files(
            FilesFound({"train": len(paths)}, [], others, len(self._others)), paths.__getitem__, *images
        )

    def _list(self) -> Sequence[str]:
        """The names of all files, below ``root``."""
        if self.root.is_dir():
            return [path.removeprefix(f"{self.root}/") for path in walk(str(self.root))[0]]
        try:
            self.archive = ZipArchive(self.root)
        except ValueError as error:
            raise ValueError(f"ImageZipDataModule: {error}") from error
        return [name.decode() for name in self.archive.names.tolist()]

    def _read_labels(self, names: Sequence[str]) -> ImageLabels | None:
        place = self.root / LABELS
        if LABELS not in names:
            below = next((name for name in names if name.endswith(f"/{LABELS}")), None)
            if below is not None:
                # As where a folder was zipped from outside.
                rank_zero_warn(
                    f"ImageZipDataModule: the labels in {below} are not read, since they are not at the top of "
                    f"{self.root}: the images have none."
                )
            return None
        try:
            if self.archive is not None:
                content = self.archive.read(LABELS, MOST_BYTES)
            elif place.stat().st_size > MOST_BYTES:
                raise ValueError(f"more than the {MOST_BYTES:,} bytes that are read of such a file")
            else:
                content = place.read_bytes()
        except (OSError, ValueError) as error:
            raise ValueError(f"ImageZipDataModule: {place} cannot be read ({error}): write it again.") from error
        try:
            return read_labels(content, self._names, str(place))
        except ValueError as error:
            raise ValueError(f"ImageZipDataModule: {error}") from error

    def _first_size(self, channels: int, bits: int) -> tuple[int, int]:
        """Height and width of the first image that can be read."""
        for name in self._names:
            with suppress(Exception):  # of any kind, for a broken file, which is reported when all are read
                width, height = check(opened(f"{self.root}/{name}", self.archive), channels, bits)
                return height, width
        raise ValueError(f"ImageZipDataModule: none of the images in {self.root} can be read.")
