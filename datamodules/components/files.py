"""Image files: find them, detect broken ones before training, read them in batches."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from numpy.typing import NDArray
from PIL import UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from datamodules.components.decoding import SUFFIXES as SUFFIXES
from datamodules.components.decoding import central_part
from datamodules.components.raster import Raster, Size, resized_all
from datamodules.components.workers import ShieldedStart, shielded_iterator
from datamodules.components.zip_archive import ZipArchive, opened

_FILES_PER_TASK = 64

FolderState = tuple[int, int, int]
T = TypeVar("T")


def cpu_count() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folder_state(state: os.stat_result) -> FolderState:
    """State of a folder that changes with its entries: inode, mtime and ctime in nanoseconds."""
    return state.st_ino, state.st_mtime_ns, state.st_ctime_ns


def walk(folder: str) -> tuple[list[str], dict[str, FolderState | None]]:
    """The paths of all files under a folder, at any depth; hidden files and folders (``.name``) are left out.

    They are sorted as Path sorts, part by part. A folder that cannot be read has no files. Links to folders are
    followed, but every folder is entered once: where links lead to it too, by its own path, or by the first of them.

    Returns:
        The files; and the folders that were looked into, as they were before that. None stands for one that may change
        without a trace: it cannot be read.
    """
    folders: dict[str, FolderState | None] = {}
    content: dict[str, list[str]] = {}  # the paths in each folder
    entered: set[tuple[int, int]] = set()
    links = deque([folder])
    while links:  # what lies in the folder itself, before what links bring in
        todo = [links.popleft()]
        while todo:
            here = todo.pop()
            content[here], inner, linked = _enter(here, folders, entered)
            todo += inner
            links += linked
    # Depth first, in sorted order, without recursion.
    found: list[str] = []
    ahead = [iter([folder])]
    while ahead:
        for path in ahead[-1]:
            if path in content:
                ahead.append(iter(content[path]))
                break
            found.append(path)
        else:
            ahead.pop()
    return found, folders


def _enter(
    here: str, folders: dict[str, FolderState | None], entered: set[tuple[int, int]]
) -> tuple[list[str], list[str], list[str]]:
    """What a folder shows, sorted: all paths, those of folders, and those of links to folders.

    A folder that has been entered before shows nothing.
    """
    paths: list[str] = []
    inner: list[str] = []
    linked: list[str] = []
    # Until it has been read: a folder that fails here may change unnoticed.
    folders[here] = None
    try:
        # Before the entries are read: a change in between then shows as a newer time.
        state = os.stat(here)
        # Links may form cycles: a folder is identified by device and inode.
        place = (state.st_dev, state.st_ino)
        with nullcontext(()) if place in entered else os.scandir(here) as entries:
            shown = sorted(((entry.name, entry) for entry in entries if entry.name[0] != "."), key=itemgetter(0))
    except OSError:
        return paths, inner, linked
    folders[here] = folder_state(state)
    entered.add(place)
    for name, entry in shown:
        path = entry.path
        paths.append(path)
        if is_folder(entry):
            (linked if entry.is_symlink() else inner).append(path)
        elif entry.is_symlink() and not is_image(name) and not os.path.exists(path):
            folders[path] = None  # a link to nothing, where a folder may come to be
    return paths, inner, linked


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a folder or a link to one; a link to itself, or to where one may not look, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file or a link to one, and neither a folder, a pipe nor a device; links as in ``is_folder``."""
    try:
        return entry.is_file()
    except OSError:
        return False


def is_image(path: str) -> bool:
    """Whether a file name has an image suffix."""
    return path.lower().endswith(SUFFIXES)


def list_files(folder: Path) -> list[Path]:
    """All files under a folder, as ``walk`` finds them."""
    return [Path(path) for path in walk(str(folder))[0]]


def list_images(folder: Path) -> list[Path]:
    """The image files under a folder, as ``walk`` finds them; none where there is no such folder."""
    return [Path(path) for path in walk(str(folder))[0] if is_image(path)]


def pack(paths: Iterable[str | Path]) -> NDArray[np.bytes_]:
    """Paths as one block of bytes: reference counts of a list of strings would make each worker copy it."""
    return np.array([os.fsencode(path) for path in paths], dtype=np.bytes_)


def unpack(path: bytes) -> str:
    """One of the paths that ``pack`` packed."""
    return os.fsdecode(path)


def read_again(path: str, reading: Callable[[str], T]) -> T:
    """Call ``reading`` on a file that was found readable before.

    Raises:
        RuntimeError: It is not readable any more.
    """
    try:
        return reading(path)
    except Exception as error:
        raise RuntimeError(f"{path} was readable when training started, but no longer: {error}") from error


def in_workers(dataset: Dataset[Any], requests: Sequence[Any], num_workers: int) -> Iterator[Any]:
    """Yield ``dataset.__getitems__(request)`` for each request, in order, made by worker processes.

    Args:
        dataset: Its ``__getitems__`` makes a whole batch at once.
        requests: Arguments of the calls, one for each batch.
        num_workers: Processes; 0: this one.
    """
    # torch's DataLoader only for its worker processes: batches are made by ``__getitems__``.
    loader = DataLoader(
        dataset,
        batch_sampler=requests,
        # No more workers than batches: each start costs time.
        num_workers=min(num_workers, len(requests)),
        # A batch comes whole from __getitems__: there is nothing to collate.
        collate_fn=_identity,
        worker_init_fn=ShieldedStart(),
        generator=torch.Generator(),  # else every iterator draws from the global random state
    )
    return shielded_iterator(loader)


def reason(error: Exception) -> str:
    """Reason why an image cannot be read, in words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__


def find_broken(indices: range, attempt: Callable[[int], object], title: str, alone: bool = False) -> dict[int, str]:
    """Run ``attempt`` on every index, in threads, behind a progress bar.

    Args:
        indices: Of the files to read.
        attempt: Reads file i; whatever it raises marks that file as broken.
        title: Of the progress bar.
        alone: The other processes wait for this one, which shows the bar although it may not be the first.

    Returns:
        The reason for each broken file, by index.
    """

    def run(task: range) -> dict[int, str]:
        broken = {}
        for i in task:
            try:
                attempt(i)
            except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
                broken[i] = reason(error)
        return broken

    # PIL releases the interpreter lock while it decodes, so threads are enough.
    tasks = [indices[start : start + _FILES_PER_TASK] for start in range(0, len(indices), _FILES_PER_TASK)]
    with ThreadPoolExecutor(cpu_count()) as pool:
        # One bar, of the first process; None: no bar where the output is not a terminal.
        silent = True if getattr(rank_zero_only, "rank", 0) and not alone else None
        results = tqdm(pool.map(run, tasks), title, len(tasks), disable=silent)
        return {i: reason for broken in results for i, reason in broken.items()}


class FileImages(Dataset[Tensor]):
    """Images that worker processes decode from their files on demand.

    Args:
        paths: The files.
        labels: Int64, (N,); None where there are no classes.
        size: Height and width of the decoded images.
        channels: As in ``read_raster``.
        num_workers: Worker processes; 0: decode in this one.
        draft: As in ``decode``.
        archive: The zip file that they lie in; None: they lie on the disk.
        bits: As in ``read_raster``.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        labels: Tensor | None,
        size: Size,
        channels: int,
        num_workers: int,
        draft: bool = False,
        archive: ZipArchive | None = None,
        bits: int = 8,
    ) -> None:
        self.paths = pack(paths)
        self.labels = labels
        self.size = size
        self.channels = channels
        self.num_workers = num_workers
        self.draft = draft
        self.archive = archive
        self.bits = bits

    def __len__(self) -> int:
        return len(self.paths)

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        """One batch, n x C x H x W: the unit of work of a DataLoader worker."""
        return torch.from_numpy(resized_all((self._part(unpack(self.paths[i])) for i in indices), self.size))

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return in_workers(self, [indices.tolist() for indices in batches], self.num_workers)

    def _part(self, path: str) -> Raster:
        wanted = (self.size, self.channels, self.draft, self.bits)
        return read_again(path, lambda file: central_part(opened(file, self.archive), *wanted))


def _identity(batch: Any) -> Any:
    return batch
