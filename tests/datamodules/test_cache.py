"""The cache of decoded images: the same bits, made once; and kills, other runs, full disks and changed files."""

import os
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import CelebADataModule, ImageFolderDataModule
from datamodules.components.cache import MappedImages, default_folder
from gan_lightning.metrics.digest import digest_of_images
from tests.datamodules.test_celeba import celeba_like as celeba_like
from tests.datamodules.test_image_folder import damaged as damaged
from tests.datamodules.test_image_folder import images_of
from tests.helpers.processes import PATIENCE

Write = Callable[..., None]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 JPEGs of noise, of two classes and other sizes than the result."""
    draws = np.random.default_rng(0)
    for i in range(24):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)).save(folder / f"{i:02d}.jpg")
    return tmp_path / "photos"


def module(root: Path, folder: Path | None = None, **arguments) -> ImageFolderDataModule:
    cache = str(root.parent / "cache" if folder is None else folder)
    settings = {"batch_size": 4, "image_size": 16, "num_workers": 0, "cache": cache} | arguments
    return ImageFolderDataModule(str(root), **settings)


def source(data: ImageFolderDataModule) -> MappedImages:
    images = data.splits.train.source
    assert isinstance(images, MappedImages)
    return images


def file_of(root: Path) -> Path:
    (file,) = (root.parent / "cache").glob("*.images")
    return file


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded in this process."""
    from datamodules.components import file_base

    names: list[str] = []
    real = file_base.decode

    def decode(file, *arguments):
        names.append(Path(file).name)
        return real(file, *arguments)

    monkeypatch.setattr(file_base, "decode", decode)
    return names


@pytest.mark.parametrize("draft", [False, True])
def test_the_batches_are_those_of_the_files_bit_for_bit(photos: Path, draft: bool) -> None:
    module(photos, draft=draft).setup()
    for epoch in (0, 3):
        cached, read = (
            module(photos, cache=cache, in_memory=False, draft=draft).train_dataloader()
            for cache in (str(photos.parent / "cache"), False)
        )
        cached.sampler.set_epoch(epoch)
        read.sampler.set_epoch(epoch)
        assert isinstance(cached.source.source, MappedImages)
        for (images, labels), (expected, expected_labels) in zip(cached, read, strict=True):
            assert torch.equal(images, expected)
            assert torch.equal(labels, expected_labels)
            assert images.is_contiguous()


def test_a_loader_resumes_from_the_cache_where_one_of_the_files_stood(photos: Path) -> None:
    read = module(photos, cache=False).train_dataloader()
    batches = iter(read)
    next(batches)
    state = read.state_dict()
    cached = module(photos).train_dataloader()
    cached.load_state_dict(state)
    for (images, _), (expected, _) in zip(cached, batches, strict=True):
        assert torch.equal(images, expected)


def test_every_image_is_decoded_once_for_all_runs(photos: Path, decoded: list[str]) -> None:
    module(photos).setup()
    assert sorted(decoded) == [f"{i:02d}.jpg" for i in range(24)]
    images = images_of(module(photos).train_dataloader())
    assert len(decoded) == 24
    images[:] = 0  # the batch is a copy: the cache is not written to
    assert images_of(module(photos).train_dataloader()).any()


def test_the_cache_is_in_the_users_folder_unless_another_is_given(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    module(photos, cache=True).setup()
    assert default_folder() == tmp_path / "user" / "gan_lightning" / "images"
    (file,) = default_folder().glob("*.images")
    assert file.name.startswith("photos-3x16x16-")


def test_celeba_has_the_same_faces_and_attributes(celeba_like: Path, decoded: list[str]) -> None:
    def batches(cache: bool | str) -> list[list[torch.Tensor]]:
        return list(CelebADataModule(str(celeba_like), 2, 16, num_workers=0, cache=cache).train_dataloader())

    expected, built = batches(False), batches(str(celeba_like / "cache"))
    before = len(decoded)
    again = batches(str(celeba_like / "cache"))
    assert len(decoded) == before == 28
    for each in zip(expected, built, again, strict=True):
        for images, attributes in each[1:]:
            assert torch.equal(images, each[0][0])
            assert torch.equal(attributes, each[0][1])


def add(root: Path) -> None:
    shutil.copy(root / "a" / "00.jpg", root / "a" / "zz.jpg")


def remove(root: Path) -> None:
    (root / "b" / "23.jpg").unlink()


def change(root: Path) -> None:
    shutil.copy(root / "a" / "02.jpg", root / "a" / "00.jpg")


def touch(root: Path) -> None:
    os.utime(root / "a" / "00.jpg", ns=(0, 1))


def rename(root: Path) -> None:
    (root / "a" / "00.jpg").rename(root / "a" / "zz.jpg")


@pytest.mark.parametrize("deed", [add, remove, change, touch, rename])
def test_a_cache_of_other_files_is_stale_and_rebuilt(
    photos: Path, deed: Callable[[Path], None], decoded: list[str]
) -> None:
    module(photos).setup()
    deed(photos)
    decoded.clear()
    with pytest.warns(UserWarning, match=r"\.images is stale, files have changed since: rebuilding it"):
        now = images_of(module(photos, val_size=0).train_dataloader())
    assert len(decoded) == len(source(module(photos)))
    assert torch.equal(now, images_of(module(photos, val_size=0, cache=False).train_dataloader()))
    assert file_of(photos)  # it took the old one's place


@pytest.mark.parametrize("arguments", [{"image_size": 8}, {"channels": 1}, {"draft": True}])
def test_other_settings_have_a_cache_of_their_own(photos: Path, arguments: dict[str, int]) -> None:
    module(photos).setup()
    expected = images_of(module(photos, cache=False, **arguments).train_dataloader())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(images_of(module(photos, **arguments).train_dataloader()), expected)
    assert len(list((photos.parent / "cache").glob("*.images"))) == 2


def test_another_pillow_may_decode_other_pixels(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(photos).setup()
    monkeypatch.setattr("datamodules.components.listing.DECODER", "2 PIL 99")
    with pytest.warns(UserWarning, match="is stale"):
        module(photos).setup()


def cut(content: bytearray) -> bytes:
    return bytes(content[: len(content) // 2])


def cut_one_byte(content: bytearray) -> bytes:
    return bytes(content[:-1])


def cut_pixels(content: bytearray) -> bytes:
    return bytes(content[16:])


def empty(content: bytearray) -> bytes:
    return b""


def flip_at_the_end(content: bytearray) -> bytes:
    content[-60] ^= 1
    return bytes(content)


@pytest.mark.parametrize("deed", [cut, cut_one_byte, cut_pixels, empty, flip_at_the_end])
def test_a_damaged_cache_is_rebuilt(photos: Path, deed: Callable[[bytearray], bytes]) -> None:
    expected = images_of(module(photos).train_dataloader())
    whole = file_of(photos).read_bytes()
    file_of(photos).write_bytes(deed(bytearray(whole)))
    with pytest.warns(UserWarning, match=r"\.images is damaged \(.*\): rebuilding it"):
        assert torch.equal(images_of(module(photos).train_dataloader()), expected)
    assert file_of(photos).read_bytes() == whole


def test_damaged_pixels_are_noticed_and_decoded_again(photos: Path, decoded: list[str]) -> None:
    expected = images_of(module(photos).train_dataloader())
    content = bytearray(file_of(photos).read_bytes())
    content[5 * 3 * 16 * 16] ^= 1
    content[6 * 3 * 16 * 16 - 1] ^= 1
    file_of(photos).write_bytes(content)
    decoded.clear()
    data = module(photos)
    with pytest.warns(UserWarning, match=r"\.images is damaged: its damaged images are decoded again") as caught:
        batches = [images_of(data.train_dataloader()) for _ in range(2)]
    assert all(torch.equal(each, expected) for each in batches)
    assert len(caught) == 1
    assert decoded == ["10.jpg"] * 2  # image 5
    module(photos).setup()
    assert len(decoded) == 26


def test_broken_images_are_remembered_but_tried_again(damaged: Path, tmp_path: Path, decoded: list[str]) -> None:
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"skipped 5 of the 17 files .*not an image.*truncated"):
            images = images_of(module(damaged, tmp_path / ".cache", val_size=0).train_dataloader())
        assert len(images) == 12
    assert len(decoded) == 16 + 4


def test_images_that_could_not_be_read_for_a_while_come_back(photos: Path, decoded: list[str]) -> None:
    from datamodules.components import file_base

    working = file_base.decode

    def failing(file, *arguments):
        if Path(file).name == "03.jpg":
            raise OSError("the network is down")
        return working(file, *arguments)

    file_base.decode = failing  # the fixture puts the real one back
    with pytest.warns(UserWarning, match=r"03.jpg \(the network is down\)"):
        module(photos).setup()
    file_base.decode = working
    with pytest.warns(UserWarning, match="is stale, an image that could not be read can be now"):
        assert len(source(module(photos))) == 24
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(photos).setup()


def make_slowly(photos: Path, log: Path, whole: int) -> None:
    """Makes the cache, with a letter in a log for every image; after `whole` of them it hangs."""
    from datamodules.components import file_base

    real = file_base.decode

    def decode(*arguments):
        with open(log, "a") as file:
            file.write("x")
        time.sleep(0.02 if log.stat().st_size <= whole else 600)
        return real(*arguments)

    file_base.decode = decode
    source(module(photos))


def started(photos: Path, log: Path, whole: int = 24) -> BaseProcess:
    # Forked, since importing torch anew takes longer than all the rest.
    process = get_context("fork").Process(target=make_slowly, args=(photos, log, whole), daemon=True)
    process.start()
    return process


def left_by_builders(photos: Path) -> list[str]:
    suffixes = {path.suffix for path in (photos.parent / "cache").iterdir()}
    return sorted(suffixes - {".listing"})  # which is kept if the test took seconds until here


def test_a_killed_builder_leaves_nothing_that_is_taken_for_a_cache_and_blocks_nobody(photos: Path) -> None:
    first = started(photos, photos.parent / "first", whole=0)
    while not (photos.parent / "first").exists():
        time.sleep(0.01)
    waiting = started(photos, photos.parent / "waiting")
    waiting.join(0.3)
    assert waiting.is_alive()
    assert not (photos.parent / "waiting").exists()
    first.kill()
    first.join()
    assert first.exitcode == -signal.SIGKILL
    waiting.join(PATIENCE)
    assert waiting.exitcode == 0
    assert len((photos.parent / "waiting").read_text()) == 24  # nothing of the first one's was taken
    assert left_by_builders(photos) == [".images", ".lock"]
    expected = images_of(module(photos, cache=False).train_dataloader())
    assert torch.equal(images_of(module(photos).train_dataloader()), expected)


@pytest.mark.parametrize("after", [1, 9, 20])
def test_what_a_killed_builder_leaves_is_overwritten(photos: Path, after: int, decoded: list[str]) -> None:
    log = photos.parent / "log"
    log.touch()
    process = started(photos, log, after)
    while log.stat().st_size <= after:
        time.sleep(0.001)
    process.kill()
    process.join()
    assert left_by_builders(photos) == [".lock", ".partial"]
    module(photos).setup()
    assert len(decoded) == 24
    assert left_by_builders(photos) == [".images", ".lock"]


def test_of_several_processes_one_decodes_and_the_others_wait(photos: Path) -> None:
    log = photos.parent / "log"
    processes = [started(photos, log) for _ in range(3)]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert len(log.read_text()) == 24


def test_threads_of_one_process_wait_for_each_other_too(photos: Path, decoded: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: module(photos).setup(), range(4)))
    assert len(decoded) == 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 KB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: it takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("reserving", [True, False])
def test_a_full_disk_costs_the_cache_but_not_the_run(
    photos: Path, disk: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, reserving: bool
) -> None:
    if not reserving:
        monkeypatch.delattr(os, "posix_fallocate")
    with pytest.warns(UserWarning, match=r"cannot be written \(.*No space left.*\): going on without it. Make room"):
        images = images_of(module(photos, disk).train_dataloader())
    if reserving:  # nothing was decoded for nothing
        assert len(decoded) == 24
    assert torch.equal(images, images_of(module(photos, cache=False).train_dataloader()))
    assert [path.suffix for path in disk.iterdir()] == [".lock"]


def test_a_disk_that_fails_for_one_image_breaks_none(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules.components import cache

    write = cache._write

    def fail(descriptor: int, pixels: np.ndarray, place: int) -> None:
        if place == 0:
            raise OSError("the disk is bad")
        write(descriptor, pixels, place)

    monkeypatch.setattr(cache, "_write", fail)
    with pytest.warns(UserWarning, match=r"cannot be written \(the disk is bad\): going on without it"):
        assert len(module(photos, val_size=0).splits.train) == 24
    assert [path.suffix for path in (photos.parent / "cache").iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_costs_the_cache_but_not_the_run(photos: Path) -> None:
    (photos.parent / "cache").touch()
    with pytest.warns(UserWarning, match="cannot be written .*: going on without it"):
        assert len(images_of(module(photos).train_dataloader())) == 20


def test_statistics_are_told_apart_by_what_the_cache_was_made_from(photos: Path) -> None:
    data = {name: module(photos, **arguments) for name, arguments in (("a", {}), ("draft", {"draft": True}))}
    digests = [digest_of_images(source(each)) for each in data.values()]
    assert digests[0] == digest_of_images(source(module(photos)))
    touch(photos)
    with pytest.warns(UserWarning, match="is stale"):
        digests.append(digest_of_images(source(module(photos))))
    assert len(set(digests)) == 3
    read = [module(photos, cache=False, in_memory=False, draft=draft).splits.train.source for draft in (False, True)]
    assert digest_of_images(read[0]) != digest_of_images(read[1])
