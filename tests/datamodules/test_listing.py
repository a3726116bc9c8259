"""A start from a good cache asks for folders, not for files; and whatever changes is noticed, before or in training."""

import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import image_folder
from datamodules.components import listing
from tests.datamodules.test_cache import decoded as decoded
from tests.datamodules.test_cache import file_of, module, source
from tests.datamodules.test_cache import photos as photos
from tests.datamodules.test_image_folder import damaged as damaged
from tests.datamodules.test_image_folder import images_of

Write = Callable[..., None]


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Folders count as settled after 20 milliseconds instead of seconds; calling it lets them settle."""
    monkeypatch.setattr(listing, "_TICK", 20 * 10**6)
    return lambda: time.sleep(0.04)


@pytest.fixture
def cached(photos: Path, rested: Callable[[], None]) -> Path:
    """The photos, in a cache with its listing."""
    rested()
    module(photos).setup()
    assert listing_of(photos).is_file()
    return photos


@pytest.fixture
def unsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start looks at no file, as it looks at few of a large folder."""
    monkeypatch.setattr(listing, "_SAMPLE", 0)


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are listed."""
    found: list[str] = []
    real = image_folder.walk

    def walk(folder: str):
        found.append(folder)
        return real(folder)

    monkeypatch.setattr(image_folder, "walk", walk)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose state is asked for."""
    names: list[str] = []
    real = listing._file_state

    def file_state(path: bytes) -> tuple[int, int]:
        names.append(Path(os.fsdecode(path)).name)
        return real(path)

    monkeypatch.setattr(listing, "_file_state", file_state)
    return names


def listing_of(root: Path) -> Path:
    return file_of(root).with_suffix(".listing")


def silent(root: Path, **arguments) -> torch.Tensor:
    """The training images of a start without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return images_of(module(root, val_size=0, **arguments).train_dataloader())


def overwrite(path: Path) -> None:
    Image.new("RGB", (50, 40), "red").save(path)


def test_a_start_lists_no_folder_and_asks_for_a_sample_and_then_for_each_batch(
    cached: Path, walks: list[str], asked: list[str], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SAMPLE", 3)
    data = module(cached, val_size=0)
    batches = iter(data.train_dataloader())
    assert asked == ["00.jpg", "22.jpg", "23.jpg"]  # sorted by class, the first, one in the middle and the last
    next(batches)
    assert len(asked) == 3 + 4
    list(batches)
    assert sorted(asked[3:]) == [f"{i:02d}.jpg" for i in range(24)]
    images_of(data.train_dataloader())
    assert len(asked) == 3 + 24
    assert walks == decoded == []


def test_that_a_folder_has_no_classes_is_told_by_its_first_image(
    tmp_path: Path, write_digits: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_digits(tmp_path, 30)
    seen: list[str] = []
    is_image = image_folder.is_image
    monkeypatch.setattr(image_folder, "is_image", lambda name: seen.append(name) or is_image(name))
    assert module(tmp_path).classes == []
    assert len(seen) == 1


FLAT, CLASSES, WITHOUT_CLASSES = ["."], ["a", "b"], ["test", "train"]
SPLITS = ["train/a/x", "train/a/y", "train/b", "val/b"]


@pytest.mark.parametrize("layout", [FLAT, CLASSES, WITHOUT_CLASSES, SPLITS])
def test_what_is_recalled_is_what_was_found(
    tmp_path: Path, write_digits: Write, rested: Callable[[], None], walks: list[str], layout: list[str]
) -> None:
    root = tmp_path / "photos"
    for i, folder in enumerate(layout):
        write_digits(root / folder, 9 + i, start=20 * i)
    rested()
    for attempt in range(2):
        walks.clear()
        read, kept = module(root, cache=False, in_memory=True), module(root)
        kept.setup()
        assert len(walks) == (0 if attempt else len(kept._folders))
        for part, expected in zip(vars(kept.splits).values(), vars(read.splits).values(), strict=True):
            everything = torch.arange(len(part)).split(100)
            for batches in zip(part.image_batches(everything), expected.image_batches(everything), strict=True):
                assert torch.equal(*batches)
            assert (part.labels is None) == (expected.labels is None)
            assert part.labels is None or torch.equal(part.labels, expected.labels)


def test_files_that_cannot_be_used_are_reported_by_every_start(
    damaged: Path, tmp_path: Path, rested: Callable[[], None], walks: list[str]
) -> None:
    (tmp_path / ".cache").mkdir()
    for i in range(9):
        (tmp_path / f"{i}.txt").touch()
    rested()
    messages = []
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"skipped 14 of the 26 files .*truncated.* and 4 more\.") as caught:
            assert len(images_of(module(damaged, tmp_path / ".cache", val_size=0).train_dataloader())) == 12
        messages.append([str(each.message) for each in caught])
    with pytest.raises(ValueError, match="14 of the 26 files"):
        module(damaged, tmp_path / ".cache", strict=True).setup()
    assert messages[0] == messages[1]
    assert len(walks) == 1


def add(root: Path) -> None:
    shutil.copy(root / "a" / "00.jpg", root / "a" / "zz.jpg")


def remove(root: Path) -> None:
    (root / "b" / "23.jpg").unlink()


def rename(root: Path) -> None:
    (root / "a" / "00.jpg").rename(root / "a" / "zz.jpg")


def replace(root: Path) -> None:
    overwrite(root / "new.jpg")
    (root / "new.jpg").rename(root / "a" / "00.jpg")


def add_below(root: Path) -> None:
    shutil.copytree(root / "b", root / "a" / "below")


def keep_the_time(root: Path) -> None:
    """As archives are unpacked."""
    state = (root / "a").stat()
    add(root)
    os.utime(root / "a", ns=(state.st_atime_ns, state.st_mtime_ns))


def exchange(root: Path) -> None:
    (root / "a").rename(root / "c")
    (root / "b").rename(root / "a")
    (root / "c").rename(root / "b")


@pytest.mark.parametrize("deed", [add, remove, rename, replace, add_below, keep_the_time, exchange])
def test_a_start_that_looks_at_no_file_notices_what_changed_in_the_folders(
    cached: Path, unsampled: None, rested: Callable[[], None], deed: Callable[[Path], None]
) -> None:
    deed(cached)
    rested()
    with pytest.warns(UserWarning, match="is stale, files have changed since: rebuilding it"):
        now = images_of(module(cached, val_size=0).train_dataloader())
    assert torch.equal(now, silent(cached, cache=False))
    assert torch.equal(now, silent(cached))


def test_a_folder_that_changed_and_is_as_before_costs_one_listing(
    cached: Path, rested: Callable[[], None], walks: list[str], decoded: list[str]
) -> None:
    add(cached)
    (cached / "a" / "zz.jpg").unlink()
    rested()
    silent(cached)
    assert len(walks) == 1
    silent(cached)
    assert len(walks) == 1
    assert decoded == []


def test_a_folder_behind_a_link_is_looked_at(
    photos: Path, tmp_path: Path, rested: Callable[[], None], unsampled: None
) -> None:
    for name in ("a", "b"):
        (photos / name).rename(tmp_path / name)
    (tmp_path / "now").symlink_to(tmp_path)
    for name in ("a", "b"):
        (photos / name).symlink_to(tmp_path / "now" / name)
    rested()
    silent(photos)
    assert listing_of(photos).is_file()
    shutil.copytree(tmp_path / "b", tmp_path / "other" / "b")
    shutil.copytree(tmp_path / "b", tmp_path / "other" / "a")
    (tmp_path / "now").unlink()
    (tmp_path / "now").symlink_to(tmp_path / "other")  # no folder that was listed has another time
    with pytest.warns(UserWarning, match="is stale"):
        assert len(images_of(module(photos, val_size=0).train_dataloader())) == 24


def test_a_file_that_was_overwritten_is_noticed_when_its_image_is_used(
    cached: Path, unsampled: None, decoded: list[str]
) -> None:
    before = silent(cached)
    overwrite(cached / "b" / "11.jpg")
    data = module(cached, val_size=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        others = [torch.tensor([i for i in range(24) if i != 12 + 5])]
        list(source(data).image_batches(others))
    with pytest.warns(
        UserWarning,
        match=r"b/11.jpg has changed since \S+\.images was made: this run goes on with the images from before that, "
        "the next one rebuilds the cache",
    ) as caught:
        used = [images_of(data.train_dataloader()) for _ in range(2)]
    assert len(caught) == 1
    assert all(torch.equal(each, before) for each in used)
    assert decoded == []
    with pytest.warns(UserWarning, match="is stale, files have changed since: rebuilding it"):
        now = images_of(module(cached, val_size=0).train_dataloader())
    assert torch.equal(now, silent(cached, cache=False))


def test_each_run_that_uses_images_from_before_is_told_and_spares_the_listing_of_a_later_one(
    cached: Path, unsampled: None, rested: Callable[[], None]
) -> None:
    several = [module(cached, val_size=0).train_dataloader() for _ in range(3)]
    overwrite(cached / "b" / "11.jpg")
    for each in several[:2]:
        with pytest.warns(UserWarning, match="b/11.jpg has changed since"):
            images_of(each)
    assert not listing_of(cached).exists()
    rested()
    with pytest.warns(UserWarning, match="is stale"):
        module(cached).setup()
    assert listing_of(cached).exists()
    with pytest.warns(UserWarning, match="b/11.jpg has changed since"):
        images_of(several[2])
    assert listing_of(cached).exists()


def test_where_a_listing_cannot_be_deleted_every_file_is_asked_for(
    cached: Path, unsampled: None, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing.os, "access", lambda path, mode: False)
    module(cached).setup()
    assert len(asked) == 24


def test_a_folder_that_was_overwritten_is_noticed_before_the_first_batch(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SAMPLE", 2)
    for path in cached.glob("*/*.jpg"):
        overwrite(path)
    with pytest.warns(UserWarning, match="is stale, files have changed since: rebuilding it"):
        now = images_of(module(cached, val_size=0).train_dataloader())
    assert torch.equal(now, silent(cached, cache=False))


def test_another_pillow_may_decode_other_pixels(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodules.components.listing.DECODER", "2 PIL 99")
    with pytest.warns(UserWarning, match="is stale"):
        module(cached).setup()


def test_a_file_that_comes_to_be_readable_is_found_without_a_listing(
    photos: Path, rested: Callable[[], None], unsampled: None
) -> None:
    good = (photos / "a" / "00.jpg").read_bytes()
    (photos / "a" / "00.jpg").write_bytes(b"no image")
    rested()
    for _ in range(2):
        with pytest.warns(UserWarning, match="00.jpg"):
            module(photos).setup()
    assert listing_of(photos).is_file()
    (photos / "a" / "00.jpg").write_bytes(good)
    with pytest.warns(UserWarning, match="is stale"):
        assert len(source(module(photos))) == 24


def test_folders_that_have_just_changed_are_not_believed(photos: Path) -> None:
    os.utime(photos / "a")  # within the three seconds that count as just now
    module(photos).setup()
    assert not listing_of(photos).exists()


def test_a_folder_that_could_not_be_read_is_not_believed(
    photos: Path, rested: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "a" / "below").mkdir()
    rested()
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("below"):
            raise OSError("the network is down")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    module(photos).setup()
    assert not listing_of(photos).exists()


def test_a_link_to_nothing_is_not_believed(photos: Path, tmp_path: Path, rested: Callable[[], None]) -> None:
    (photos / "a" / "link").symlink_to(tmp_path / "later")
    rested()
    with pytest.warns(UserWarning, match="skipped 1 of the 25"):
        module(photos).setup()
    shutil.copytree(photos / "b", tmp_path / "later")
    with pytest.warns(UserWarning, match="is stale"):
        assert len(source(module(photos))) == 36


def test_a_listing_of_other_splits_is_not_believed(
    tmp_path: Path, write_digits: Write, rested: Callable[[], None]
) -> None:
    root = tmp_path / "photos"
    write_digits(root / "train", 9)
    rested()
    module(root).setup()
    assert listing_of(root).is_file()
    write_digits(root / "val", 9, start=20)  # only `root` itself has another time
    rested()
    with pytest.warns(UserWarning, match="is stale"):
        assert len(module(root).splits.val) == 9
    write_digits(root / "train", 1, start=30)
    with pytest.warns(UserWarning, match="is stale"):
        assert len(module(root).splits.train) == 10


def cut(content: bytearray) -> bytes:
    return bytes(content[: len(content) // 2])


def cut_rows(content: bytearray) -> bytes:
    return bytes(content[16:])


def empty(content: bytearray) -> bytes:
    return b""


def flip_in_the_labels(content: bytearray) -> bytes:
    content[content.rindex(b"[[0, 12], [1, 12]]") + 2] ^= 1
    return bytes(content)


def flip_in_the_first_name(content: bytearray) -> bytes:
    content[20] ^= 1
    return bytes(content)


def end_the_first_name(content: bytearray) -> bytes:
    content[17] = 0  # a zero within it, where sizes and times are of 16 bytes
    return bytes(content)


@pytest.mark.parametrize("deed", [cut, cut_rows, empty, flip_in_the_labels, flip_in_the_first_name, end_the_first_name])
def test_a_damaged_listing_is_rebuilt(cached: Path, deed: Callable[[bytearray], bytes], decoded: list[str]) -> None:
    whole = listing_of(cached).read_bytes()
    listing_of(cached).write_bytes(deed(bytearray(whole)))
    silent(cached)
    assert decoded == []
    assert listing_of(cached).read_bytes() == whole


@pytest.mark.parametrize("deed", [flip_in_the_first_name, end_the_first_name])
def test_damage_that_a_start_does_not_meet_is_no_change(
    cached: Path, unsampled: None, deed: Callable[[bytearray], bytes], decoded: list[str]
) -> None:
    expected = silent(cached)
    whole = listing_of(cached).read_bytes()
    listing_of(cached).write_bytes(deed(bytearray(whole)))
    assert torch.equal(silent(cached), expected)
    assert not listing_of(cached).exists()
    silent(cached)
    assert listing_of(cached).read_bytes() == whole
    assert decoded == []


def test_a_listing_without_its_cache_makes_no_cache(cached: Path, unsampled: None) -> None:
    file_of(cached).unlink()
    overwrite(cached / "b" / "11.jpg")
    now = silent(cached)
    assert torch.equal(now, silent(cached, cache=False))
    assert torch.equal(now, silent(cached))


def test_a_listing_that_cannot_be_written_costs_nothing_else(
    photos: Path, rested: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(target: Path) -> None:
        raise OSError("No space left on device")

    rested()
    monkeypatch.setattr(listing, "replacing", fail)
    assert len(silent(photos)) == 24
    assert not listing_of(photos).exists()
    assert file_of(photos)


def test_the_folder_may_be_named_in_another_way(
    cached: Path, walks: list[str], decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = silent(cached)
    (cached.parent / "link").symlink_to(cached)
    assert torch.equal(silent(cached.parent / "link"), expected)
    folder = str(cached.parent / "cache")
    for place, name in ((cached.parent, "photos"), (cached, ".")):
        monkeypatch.chdir(place)
        assert torch.equal(silent(Path(name), cache=folder), expected)
    assert walks == decoded == []
    content = bytearray(file_of(cached).read_bytes())
    content[0] ^= 1
    file_of(cached).write_bytes(content)
    with pytest.warns(UserWarning, match="damaged images are decoded again"):  # from their files, which are found
        assert torch.equal(images_of(module(Path("."), val_size=0, cache=folder).train_dataloader()), expected)
    assert decoded == ["00.jpg"]


@pytest.mark.parametrize("name", ["photos", "."])
def test_a_folder_that_was_named_from_a_place_is_found_from_another(
    photos: Path, name: str, rested: Callable[[], None], walks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = silent(photos, cache=False)
    (photos.parent / "train").mkdir()
    shutil.move(photos, photos.parent / "train")
    root = Path(".") if name == "." else Path("..") / photos.parent.name
    monkeypatch.chdir(photos.parent)
    rested()
    module(root, cache="../cache").setup()
    walks.clear()
    data = module(root, val_size=0, cache="../cache")
    data.setup()
    assert walks == []
    monkeypatch.chdir("/")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(images_of(data.train_dataloader())) == len(expected)


def test_classes_that_have_gone_with_a_link_are_not_recalled(
    photos: Path, tmp_path: Path, unsampled: None, rested: Callable[[], None]
) -> None:
    """An image beside class folders means that there are no classes."""
    shutil.copy(photos / "a" / "00.jpg", tmp_path / "elsewhere.jpg")
    (photos / "beside.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    rested()
    assert module(photos).num_classes is None
    module(photos).setup()
    (tmp_path / "elsewhere.jpg").unlink()
    with pytest.raises(ValueError, match="is in none of the class folders"):
        module(photos).setup()
