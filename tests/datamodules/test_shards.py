"""Shards: what is written is what the folder has, and every process and every resume takes what is its own."""

import json
import os
import pickle
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from datamodules import ImageFolderDataModule, ShardsDataModule
from datamodules.components.loading import EpochLoader
from datamodules.components.shards.format import checksum_of, write_shards
from datamodules.components.shards.order import ShardOrder
from gan_lightning.cli import main
from tests.datamodules.test_image_folder import images_of, labels_of
from tests.datamodules.test_with_lightning import Witness, trainer
from tests.helpers.command_line import refused
from tests.helpers.processes import wait_until

pytest.importorskip("litdata")

FOLDER = {"image_size": 8, "num_workers": 0, "in_memory": False, "flip": False}


@pytest.fixture
def folder(tmp_path: Path, write_digits: Callable[..., None]) -> Path:
    """61 + 7 + 5 digits in two classes."""
    for split, counts in {"train": (30, 31), "val": (3, 4), "test": (5, 0)}.items():
        write_digits(tmp_path / "digits" / split / "a", counts[0])
        write_digits(tmp_path / "digits" / split / "b", counts[1], start=100)
    return tmp_path / "digits"


@pytest.fixture
def shards(tmp_path: Path, folder: Path) -> Path:
    """The same in shards of 6: 11, 2 and 1 of them."""
    write_shards(ImageFolderDataModule(str(folder), **FOLDER), tmp_path / "shards", shard_size=6)
    return tmp_path / "shards"


def module(shards: Path | str, **arguments) -> ShardsDataModule:
    defaults = {"batch_size": 4, "shuffle_buffer": 14, "num_workers": 0, "flip": False}
    return ShardsDataModule(str(shards), **defaults | arguments)


def content(shards: Path) -> dict[Path, bytes]:
    """What is in every file, but for the moment of writing, which litdata notes down."""
    files = {path.relative_to(shards): path.read_bytes() for path in shards.rglob("*") if path.is_file()}
    return {name: re.sub(rb'"updated_at": "[\d.]+"', b"", each) for name, each in files.items()}


def known(images: Tensor, labels: list[int]) -> list[tuple[bytes, int]]:
    return [(image.numpy().tobytes(), label) for image, label in zip(images, labels, strict=True)]


def drawn(loader: EpochLoader) -> list[tuple[bytes, ...]]:
    return [tuple(part.numpy().tobytes() for part in batch) for batch in loader]


def test_the_shards_hold_the_images_and_labels_of_the_folder_in_the_same_bits(folder: Path, shards: Path) -> None:
    theirs = ImageFolderDataModule(str(folder), batch_size=1, **FOLDER)
    ours = module(shards, batch_size=1)
    assert (ours.image_shape, ours.num_classes) == (theirs.image_shape, theirs.num_classes) == ((3, 8, 8), 2)
    for name in ("val_dataloader", "test_dataloader"):
        one, other = getattr(ours, name)(), getattr(theirs, name)()
        assert torch.equal(images_of(one), images_of(other))
        assert labels_of(one) == labels_of(other)
    one, other = ours.train_dataloader(), theirs.train_dataloader()
    trained = known(images_of(one), labels_of(one))
    assert len(trained) == 61
    assert sorted(trained) == sorted(known(images_of(other), labels_of(other)))
    # A shard has images of both classes, which lie apart in the folder.
    assert all(0 < part.sum() < len(part) for part in ours.splits.train.labels.split(6)[:-1])


def test_a_folder_without_classes_yields_images_alone(tmp_path: Path, write_digits: Callable[..., None]) -> None:
    write_digits(tmp_path / "digits", 10)
    source = ImageFolderDataModule(str(tmp_path / "digits"), channels=1, val_size=0, **FOLDER)
    write_shards(source, tmp_path / "shards")
    data = module(tmp_path / "shards")
    assert (data.image_shape, data.num_classes) == ((1, 8, 8), None)
    assert isinstance(next(iter(data.train_dataloader())), Tensor)
    assert data.val_dataloader() == data.test_dataloader() == []
    assert [path.name for path in (tmp_path / "shards" / "train").glob("*.bin")] == ["chunk-0-0.bin"]


def test_a_set_is_the_same_whenever_it_is_written(folder: Path, shards: Path, tmp_path: Path) -> None:
    write_shards(ImageFolderDataModule(str(folder), **FOLDER, seed=5), tmp_path / "again", shard_size=6)
    assert len(content(shards)) == 1 + 3 * 2 + 14
    assert content(tmp_path / "again") == content(shards)


def test_an_epoch_has_each_image_once_in_an_order_of_its_own(shards: Path) -> None:
    loader = module(shards, batch_size=1, seed=3).train_dataloader()
    orders = []
    for epoch in (0, 1, 1):
        loader.sampler.set_epoch(epoch)
        orders.append(known(images_of(loader), labels_of(loader)))
    assert orders[0] != orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(orders[1])
    other = module(shards, batch_size=1, seed=4).train_dataloader()
    other.sampler.set_epoch(1)
    assert known(images_of(other), labels_of(other)) != orders[1]


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_processes_share_no_image_and_take_equally_many(world_size: int) -> None:
    for size, shard_size, buffer in ((100, 8, 20), (101, 7, 1000), (20, 50, 3)):
        orders = [ShardOrder(size, shard_size, buffer, 5, rank, world_size) for rank in range(world_size)]
        for order in orders:
            order.set_epoch(2)
        seen = [order.indices().tolist() for order in orders]
        assert [len(each) for each in seen] == [len(order) for order in orders] == [size // world_size] * world_size
        assert len(set(chain(*seen))) == size // world_size * world_size
        assert set(chain(*seen)) <= set(range(size))


def test_what_is_left_out_is_left_out_by_turns() -> None:
    order = ShardOrder(20, 6, 4, 0, world_size=3)
    missing = []
    for epoch in range(8):
        order.set_epoch(epoch)
        parts = [ShardOrder(20, 6, 4, 0, rank, 3) for rank in range(3)]
        for part in parts:
            part.set_epoch(epoch)
        missing.append(set(range(20)) - set(chain(*(part.indices().tolist() for part in parts))))
    assert [len(each) for each in missing] == [2] * 8
    assert len(set.union(*missing)) > 8


def test_each_process_reads_shards_of_its_own_one_after_the_other() -> None:
    """What makes it streaming: about a window's shards are open at a time, and no other process reads them."""
    orders = [ShardOrder(1000, 10, 50, 0, rank, 4) for rank in range(4)]
    shards = [order.indices() // 10 for order in orders]
    for part in shards:
        assert len(set(part.tolist())) <= 26  # 25 shards' worth of images, cut at either end
        assert all(len(set(window.tolist())) <= 6 for window in part.split(50))
        assert part.tolist() != sorted(part.tolist(), key=part.tolist().index)  # and shuffled within
    assert sum(len(set(part.tolist())) for part in shards) <= 100 + 3


def test_two_modules_in_two_processes_partition_the_epoch(shards: Path, as_process) -> None:
    loaders = [as_process(module(shards, batch_size=3), rank, 2).train_dataloader() for rank in range(2)]
    assert [len(loader) for loader in loaders] == [10, 10]
    seen = [known(images_of(loader), labels_of(loader)) for loader in loaders]
    assert [len(each) for each in seen] == [30, 30]
    assert len({*seen[0], *seen[1]}) == 60


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 4, 14])
def test_a_resumed_epoch_goes_on_in_the_same_bits(shards: Path, stop: int, workers: int) -> None:
    loaders = [module(shards, flip=True, num_workers=n, seed=2).train_dataloader() for n in ((0,) * 2 + (workers,))]
    for loader in loaders[:2]:
        loader.sampler.set_epoch(3)
    whole = drawn(loaders[0])
    assert len(whole) == 15
    stopped = iter(loaders[1])
    for _ in range(stop):
        next(stopped)
    state = json.loads(json.dumps(loaders[1].state_dict()))
    loaders[2].load_state_dict(state)
    loaders[2].sampler.set_epoch(3)  # as Lightning does
    assert drawn(loaders[2]) == whole[stop:]
    loaders[2].sampler.set_epoch(4)
    assert len(drawn(loaders[2])) == 15


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_an_epoch_continued_by_other_processes_takes_each_image_once(
    shards: Path, as_process, before: int, after: int
) -> None:
    first = [as_process(module(shards, batch_size=3), rank, before).train_dataloader() for rank in range(before)]
    seen = []
    for loader in first:
        batches = iter(loader)
        for _ in range(6 // before):
            images, labels = next(batches)
            seen += known(images, labels.tolist())
    assert len(seen) == 18
    for rank in range(after):
        loader = as_process(module(shards, batch_size=3), rank, after).train_dataloader()
        loader.load_state_dict(first[0].state_dict())
        for images, labels in loader:
            seen += known(images, labels.tolist())
        loader.sampler.set_epoch(1)
        assert loader.sampler.lanes == after
    assert len(seen) == len(set(seen))
    assert len(seen) > 61 - before - 3 * after


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shuffle_buffer": 15}, "with shuffle_buffer 14 of the training images and it is 15 now"),
        ({"seed": 1}, "with seed 0 of the training images and it is 1 now"),
    ],
)
def test_with_another_order_the_epoch_starts_over(shards: Path, change: dict, message: str) -> None:
    stopped, other = module(shards).train_dataloader(), module(shards, **change).train_dataloader()
    next(iter(stopped))
    with pytest.warns(UserWarning, match=message):
        other.load_state_dict(stopped.state_dict())
    assert len(list(other)) == 15


def test_workers_buffers_and_batches_change_nothing_but_what_they_say(shards: Path) -> None:
    """The source yields what it is asked for, however it is read."""
    source = module(shards).splits.train
    everything = source.__getitems__(range(6))
    whole = torch.cat(list(source.image_batches(torch.arange(61).split(61))))
    assert torch.equal(everything, whole[:6])
    wanted = torch.from_numpy(np.random.default_rng(0).permutation(61))
    for buffer in (1, 5, 61, 1000):
        for workers in (0, 2) if buffer == 5 else (0,):
            images = module(shards, shuffle_buffer=buffer, num_workers=workers).splits.train
            for sizes in (1, 7, 61):
                batches = list(images.image_batches(wanted.split(sizes)))
                assert [len(batch) for batch in batches] == [len(part) for part in wanted.split(sizes)]
                assert torch.equal(torch.cat(batches), whole[wanted])
    assert list(source.image_batches([])) == []


def test_a_worker_may_be_spawned(shards: Path) -> None:
    source = module(shards).splits.train
    images = source.__getitems__([4, 5])
    assert torch.equal(pickle.loads(pickle.dumps(source)).__getitems__([4, 5]), images)


def test_reading_leaves_the_global_random_state_alone(shards: Path) -> None:
    before = torch.get_rng_state()
    images_of(module(shards, num_workers=1).train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


class TestAddress:
    """A set at an address; `local:` is litdata's address of a folder, which it copies from as from a service."""

    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("gigabytes", [None, 0, 3e-6, 1])
    def test_it_yields_the_same(self, shards: Path, tmp_path: Path, workers: int, gigabytes: float | None) -> None:
        expected = drawn(module(shards).train_dataloader())
        cache = {} if gigabytes is None else {"cache_dir": str(tmp_path / "cache"), "cache_gb": gigabytes}
        data = module(f"local:{shards}", num_workers=workers, **cache)
        for _ in range(2):
            assert drawn(data.train_dataloader()) == expected
        kept = len(list((tmp_path / "cache").rglob("*.bin")))
        assert kept == {None: 0, 0: 0, 1: 11}.get(gigabytes, kept)
        assert gigabytes != 3e-6 or 0 < kept < 11
        assert torch.equal(images_of(data.val_dataloader()), images_of(module(shards).val_dataloader()))

    def test_what_was_kept_is_not_copied_again(self, shards: Path, tmp_path: Path) -> None:
        data = module(f"local:{shards}", cache_dir=str(tmp_path / "cache"))
        expected = drawn(data.train_dataloader())
        for file in (shards / "train").glob("*.bin"):
            file.unlink()
        assert drawn(module(f"local:{shards}", cache_dir=str(tmp_path / "cache")).train_dataloader()) == expected
        with pytest.raises(RuntimeError, match=r"image \d of local:\S+/train/chunk-0-\d+.bin cannot be read"):
            drawn(module(f"local:{shards}").train_dataloader())

    def test_the_copies_of_another_set_are_not_taken_for_those_of_this_one(
        self, shards: Path, folder: Path, tmp_path: Path, digit_images: np.ndarray
    ) -> None:
        cache = str(tmp_path / "cache")
        drawn(module(f"local:{shards}", cache_dir=cache).train_dataloader())
        shards.rename(tmp_path / "old")
        (folder / "train" / "a" / "0003.png").unlink()
        (folder / "train" / "a" / "0004.png").unlink()
        write_shards(ImageFolderDataModule(str(folder), **FOLDER), shards, shard_size=6)
        expected = drawn(module(shards).train_dataloader())
        assert drawn(module(f"local:{shards}", cache_dir=cache).train_dataloader()) == expected

    def test_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises((FileNotFoundError, ValueError), match=r"local:\S+/nowhere/shards.json"):
            module(f"local:{tmp_path}/nowhere")


class Marker:
    """Unpickled, it writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self):
        return open, (self.file, "w")


class TestDamage:
    def test_no_set(self, tmp_path: Path) -> None:
        with pytest.raises(
            FileNotFoundError,
            match=r"^ShardsDataModule: there is no \S+/nowhere/shards.json: set folder to a complete set of shards; "
            r"`gan-lightning shards` writes one\.$",
        ):
            module(tmp_path / "nowhere")

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "image_shape": 3}'])
    def test_an_index_that_is_none(self, shards: Path, content: str) -> None:
        (shards / "shards.json").write_text(content)
        with pytest.raises(
            ValueError, match=r"shards.json is no index of a set of shards \(.+\): write the set again\.$"
        ):
            module(shards)

    def test_a_later_version(self, shards: Path) -> None:
        index = json.loads((shards / "shards.json").read_text())
        (shards / "shards.json").write_text(json.dumps(index | {"version": 2}))
        with pytest.raises(ValueError, match="has version 2 of the format, and this program reads version 1"):
            module(shards)

    def test_a_shard_that_is_cut_short(self, shards: Path, damage: Callable[[Path], None]) -> None:
        damage(shards / "train" / "chunk-0-3.bin")
        with pytest.raises(
            ValueError, match=r"the shard \S+/train/chunk-0-3.bin has \d+ of [\d,]+ bytes: copy that file again\.$"
        ):
            module(shards).setup()

    def test_a_shard_that_is_missing(self, shards: Path) -> None:
        (shards / "test" / "chunk-0-0.bin").unlink()
        with pytest.raises(ValueError, match=r"\S+/test/chunk-0-0.bin is missing: copy that file again\.$"):
            module(shards).setup()

    def test_a_list_of_shards_that_is_missing(self, shards: Path) -> None:
        (shards / "val" / "index.json").unlink()
        with pytest.raises(ValueError, match=r"/val/index.json cannot be read \(.+\): copy the set again\.$"):
            module(shards).setup()

    def test_parts_of_two_sets(self, shards: Path) -> None:
        (shards / "test" / "index.json").write_bytes((shards / "val" / "index.json").read_bytes())
        with pytest.raises(ValueError, match=r"index.json is of 7 images, and shards.json of 5: copy the set again\.$"):
            module(shards).setup()

    @pytest.mark.parametrize("address", ["", "local:"])
    def test_a_list_that_names_another_decoder_is_refused_before_anything_is_decoded(
        self, shards: Path, tmp_path: Path, address: str
    ) -> None:
        """A set whose one shard is a pickle that writes a file, and whose list says so."""
        from litdata.streaming import Cache

        for file in (shards / "test").iterdir():
            file.unlink()
        cache = Cache(str(shards / "test"), chunk_size=6)
        for i in range(5):
            cache[i] = Marker(tmp_path / "marker")
        cache.done()
        cache.merge()
        assert json.loads((shards / "test" / "index.json").read_text())["config"]["data_format"] == ["pickle"]
        with pytest.raises(ValueError, match=r'/test/index.json names data_format \["pickle"\], but .* write the set'):
            module(f"{address}{shards}").setup()
        assert not (tmp_path / "marker").exists()

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("data_format", ["bytes", "pickle"]),
            ("data_format", ["graph:pickle"]),
            ("data_format", None),
            ("data_spec", '[1, {"type": "collections.defaultdict", "context": null, "children_spec": []}]'),
            ("item_loader", "TokensLoader"),
            ("compression", "zstd"),
            ("encryption", {"algorithm": "fernet"}),
            ("another_key", "x"),
        ],
    )
    def test_a_list_that_says_anything_else_of_its_decoding(self, shards: Path, key: str, value: object) -> None:
        self.change_list(shards, lambda found: found["config"].update({key: value}))
        with pytest.raises(
            ValueError, match=r"/val/index.json names .*, but a set of images has shards of plain bytes"
        ):
            module(shards).setup()

    @pytest.mark.parametrize("name", ["../train/chunk-0-0.bin", "/etc/hostname", "chunk-0-1.bin"])
    def test_a_list_of_other_files(self, shards: Path, name: str) -> None:
        self.change_list(shards, lambda found: found["chunks"][0].update(filename=name))
        with pytest.raises(ValueError, match=r"/val/index.json names other files or formats"):
            module(shards).setup()

    @pytest.mark.parametrize(
        "change",
        [
            {"image_shape": ["a", "b", "c"]},
            {"image_shape": [3, -8, 8]},
            {"num_classes": 2.5},
            {"shard_size": 0},
            {"shard_size": None},
            {"images": {"val": 7}},
            {"images": {"train": "many"}},
            {"images": 61},
            {"checksum": None},
        ],
    )
    def test_an_index_with_a_value_that_no_set_has(self, shards: Path, change: dict) -> None:
        index = json.loads((shards / "shards.json").read_text())
        (shards / "shards.json").write_text(json.dumps(index | change))
        with pytest.raises(
            ValueError, match=rf"shards.json is no index of a set of shards \(its {next(iter(change))} is"
        ):
            module(shards)

    def change_list(self, shards: Path, change: Callable[[dict], None]) -> None:
        file = shards / "val" / "index.json"
        found = json.loads(file.read_text())
        change(found)
        file.write_text(json.dumps(found))

    def test_labels_that_are_cut_short(self, shards: Path, damage: Callable[[Path], None]) -> None:
        damage(shards / "train" / "labels.npy")
        with pytest.raises(ValueError, match=r"/train/labels.npy cannot be read \(.+\): write the set again\.$"):
            module(shards).setup()
        (shards / "train" / "labels.npy").write_bytes((shards / "val" / "labels.npy").read_bytes())
        with pytest.raises(ValueError, match=r"/train/labels.npy has 7 labels for 61 images: write the set again\.$"):
            module(shards).setup()

    def test_a_flipped_bit_never_becomes_another_image(self, shards: Path) -> None:
        """Wherever it is: a sentence, or the right pixels where litdata does not read that byte."""
        file = shards / "train" / "chunk-0-2.bin"
        content = bytearray(file.read_bytes())
        expected = module(shards).splits.train.__getitems__(range(12, 18))
        noticed = 0
        for place in range(0, len(content), 7):
            content[place] ^= 1
            file.write_bytes(content)
            content[place] ^= 1
            source = module(shards).splits.train
            with suppress(RuntimeError):
                noticed -= 1
                assert torch.equal(source.__getitems__(range(12, 18)), expected)
                noticed += 1
        assert -noticed >= 6 * 196 // 7  # all that are in pixels and checksums

    def test_damage_that_a_worker_meets(self, shards: Path) -> None:
        loader = module(shards, num_workers=1).train_dataloader()
        next(iter(loader))
        file = shards / "train" / "chunk-0-2.bin"
        file.write_bytes(bytes(file.stat().st_size))
        with pytest.raises(RuntimeError, match=r"image \d of \S+/train/chunk-0-2.bin cannot be read"):
            images_of(loader)

    def test_the_sentence_names_image_and_shard(self, shards: Path) -> None:
        file = shards / "train" / "chunk-0-2.bin"
        content = bytearray(file.read_bytes())
        content[-3] ^= 1  # of the checksum of the last image
        file.write_bytes(content)
        with pytest.raises(
            RuntimeError,
            match=r"^ShardsDataModule: image 5 of \S+/train/chunk-0-2.bin cannot be read \(its checksum is wrong\): "
            r"copy that file again, or write the set again\.$",
        ):
            images_of(module(shards).train_dataloader())

    def test_without_the_package(self, shards: Path, folder: Path, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "litdata", None)
        missing = r"package litdata, which is not installed: pip install 'gan-lightning\[shards\]'\.$"
        with pytest.raises(ModuleNotFoundError, match=missing):
            module(shards).setup()
        with pytest.raises(ModuleNotFoundError, match=missing):
            write_shards(ImageFolderDataModule(str(folder), **FOLDER), tmp_path / "more")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"shuffle_buffer": 0}, "shuffle_buffer is 0: it must be at least 1."),
            ({"batch_size": 0}, "batch_size is 0: it must be at least 1."),
            ({"num_workers": -1}, "num_workers is -1: it must be at least 0."),
            ({"cache_gb": -1}, "cache_gb is -1: it must be at least 0."),
        ],
    )
    def test_arguments_out_of_range(self, shards: Path, arguments: dict, message: str) -> None:
        with pytest.raises(ValueError, match=f"^{message}$"):
            module(shards, **arguments)

    def test_a_batch_larger_than_the_set(self, shards: Path) -> None:
        with pytest.raises(ValueError, match="batch_size 62 is larger than the 61 training images of each process in"):
            module(shards, batch_size=62).train_dataloader()


def slowly(pixels: bytes) -> bytes:
    time.sleep(0.01)
    return checksum_of(pixels)


class TestCommand:
    def test_it_writes_what_the_folder_yields(self, folder: Path, tmp_path: Path, capsys) -> None:
        out = tmp_path / "out" / "set"
        arguments = ["--input", str(folder), "--out", str(out), "--image_size", "8", "--channels", "1"]
        assert main(["shards", *arguments, "--shard_size", "10", "--num_workers", "0"]) == 0
        said = capsys.readouterr()
        assert said.out == f"The shards are in {out}: 61 train, 7 val, 5 test images.\n"
        assert "Writing shards: 100%" in said.err
        expected = ImageFolderDataModule(str(folder), channels=1, **FOLDER).test_dataloader()
        assert torch.equal(images_of(module(out).test_dataloader()), images_of(expected))
        assert len(list(out.rglob("*.bin"))) == 9

    def test_mistakes(self, folder: Path, tmp_path: Path, capsys) -> None:
        target = ["--out", str(tmp_path / "set")]
        said = refused(capsys, "shards", "--input", str(tmp_path / "nowhere"), *target)
        assert said == (
            f"gan-lightning shards: ImageFolderDataModule: there is no folder {tmp_path / 'nowhere'}: set root to one "
            "with images.\n"
        )
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "file").touch()
        said = refused(capsys, "shards", "--input", str(folder), *target)
        assert said.endswith(f"{tmp_path / 'set'} exists and is not an empty folder: name a new one for the shards.\n")
        assert "--image_size: 0 is less than 1" in refused(
            capsys, "shards", "--input", str(folder), *target, "--image_size", "0"
        )
        assert [path.name for path in (tmp_path / "set").iterdir()] == ["file"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
    def test_a_kill_leaves_nothing_that_is_taken_for_a_set(
        self, folder: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Killed at the first shard, in the middle and at the last; then run to its end."""
        out, unfinished = tmp_path / "set", tmp_path / "set.unfinished"
        given = ["--input", str(folder), "--out", str(out), "--image_size", "8", "--shard_size", "6"]
        with monkeypatch.context() as slow:
            slow.setattr("datamodules.components.shards.format.checksum_of", slowly)
            for files in (1, 8, 16):
                process = get_context("fork").Process(target=main, args=(["shards", *given, "--num_workers", "0"],))
                process.start()
                alive = process.is_alive
                wait_until(lambda n=files, alive=alive: len(list(unfinished.rglob("*.*"))) >= n or not alive())
                process.kill()
                process.join()
                assert process.exitcode == -signal.SIGKILL
                assert unfinished.is_dir()
                assert not out.exists()
                for place in (out, unfinished):
                    with pytest.raises(FileNotFoundError, match="there is no"):
                        module(place)
        assert main(["shards", *given, "--num_workers", "0"]) == 0
        assert not unfinished.exists()
        assert content(out) == content(shards)

    def test_a_reading_that_fails_leaves_no_set(self, folder: Path, tmp_path: Path) -> None:
        data = ImageFolderDataModule(str(folder), **FOLDER)
        data.setup()
        (folder / "test" / "a" / "0002.png").write_text("no image any more")
        with pytest.raises(RuntimeError, match="was readable when training started"):
            write_shards(data, tmp_path / "set")
        assert not (tmp_path / "set").exists()


class TestLightning:
    @pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint.*", "ignore:Total length of `list`")
    @pytest.mark.parametrize("stop", [4, 15, 19])
    def test_a_resumed_run_sees_what_the_uninterrupted_one_would(self, shards: Path, tmp_path: Path, stop: int) -> None:
        whole, resumed = Pixels(), Pixels()
        trainer(tmp_path, max_steps=33).fit(whole, module(shards))
        saving = ModelCheckpoint(tmp_path / "run", filename="last", every_n_train_steps=stop, save_top_k=-1)
        trainer(tmp_path, max_steps=stop, enable_checkpointing=True, callbacks=saving).fit(Pixels(), module(shards))
        trainer(tmp_path, max_steps=33).fit(resumed, module(shards), ckpt_path=str(tmp_path / "run" / "last.ckpt"))
        assert resumed.trained == whole.trained[stop:]
        assert len(whole.trained) == 33

    def test_two_processes_partition_an_epoch(self, shards: Path, tmp_path: Path) -> None:
        start = "ddp_fork" if hasattr(os, "fork") and not torch.cuda.is_initialized() else "ddp_spawn"
        two = trainer(tmp_path, max_epochs=2, devices=2, strategy=start, num_sanity_val_steps=0)
        two.fit(Pixels(folder=str(tmp_path)), module(shards, batch_size=3))
        notes = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
        assert [len(note["trained"]) for note in notes] == [20, 20]
        for epoch in (slice(0, 10), slice(10, 20)):
            seen = list(chain(*notes[0]["trained"][epoch], *notes[1]["trained"][epoch]))
            assert len(seen) == len(set(seen)) == 60
        assert len(notes[0]["evaluated"] + notes[1]["evaluated"]) == 2 * 7


class Pixels(Witness):
    """Knows the images by their pixels."""

    @staticmethod
    def _names(batch) -> list:
        return [image.numpy().tobytes().hex() for image in batch[0]]
