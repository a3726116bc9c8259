"""What is computed once: reused, replaced when stale, and whole whatever happens."""

import os
import signal
import threading
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, multiprocessing

from datamodules.components.decoding import DECODER
from datamodules.components.files import FileImages
from datamodules.components.loading import Subset
from datamodules.components.zip_archive import ZipArchive
from gan_lightning.metrics import cache as cache_module
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.digest import digest_of, digest_of_images
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.features import Pixels
from tests.helpers.processes import PATIENCE
from tests.metrics.tools import TINY, Counting, images, source

METRICS = ["fid", "kid", "precision", "recall"]


@pytest.fixture
def cache(tmp_path: Path) -> TensorCache:
    return TensorCache(tmp_path)


def look(cache: TensorCache | None, real: Counting, metrics: list[str] = METRICS) -> dict[str, float]:
    evaluator = Evaluator(metrics, Pixels(), cache)
    return evaluator.score(source(100, 1, side=3), evaluator.describe(real, "toy"))


def test_real_images_are_embedded_once(cache):
    expected = look(None, Counting(images(90, 2, side=3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = Counting(images(90, 2, side=3)), Counting(images(90, 2, side=3))
        assert look(cache, first, ["fid"]) == {"fid_pixels": expected["fid_pixels"]}
        assert look(cache, second, ["fid"]) == {"fid_pixels": expected["fid_pixels"]}
    assert (first.seen, second.seen) == (90, 0)


def test_a_part_that_is_missing_is_added(cache):
    look(cache, Counting(images(90, 2, side=3)), ["fid"])
    assert look(cache, Counting(images(90, 2, side=3))) == look(None, Counting(images(90, 2, side=3)))


def test_changed_images_make_the_statistics_stale(cache):
    shown = images(90, 2, side=3)
    look(cache, Counting(shown))
    shown[3, 0, 0, 0] += 1
    with pytest.warns(UserWarning, match="is stale, it was made from other images"):
        found = look(cache, Counting(shown))
    assert found == look(None, Counting(shown))


def test_another_extractor_of_the_same_name_makes_them_stale(cache):
    first, other = (make_extractor(TINY, Ingredients()) for _ in range(2))
    real = source(50, 2)
    Evaluator(["fid"], first, cache).describe(real, "toy")
    with torch.no_grad():
        next(other.parameters()).mul_(2)
    with pytest.warns(UserWarning, match="other extractor weights"):
        Evaluator(["fid"], other, cache).describe(real, "toy")


def test_a_damaged_file_is_computed_again(cache):
    expected = look(cache, Counting(images(90, 2, side=3)))
    for path in cache.folder.rglob("*.pt"):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged"):
        assert look(cache, Counting(images(90, 2, side=3))) == expected


def test_an_interrupted_write_leaves_the_old_file(cache, monkeypatch):
    key = {"of": "this"}
    cache.store("a", key, {"x": torch.zeros(3)})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        cache.store("a", key, {"x": torch.ones(3)})
    found = cache.load("a", key)
    assert found is not None
    assert found["x"].tolist() == [0, 0, 0]
    assert [path.name for path in cache.folder.iterdir()] == ["a.pt"]


def _write_for_ever(folder: Path, value: float) -> None:
    while True:
        TensorCache(folder).store("a", {"of": "this"}, {"x": torch.full((100_000,), value)})


@pytest.mark.slow
def test_two_writers_and_a_kill_leave_a_whole_file(cache):
    """Both are killed in the middle of their work; every reading before and after finds one writer's tensor."""
    writers = multiprocessing.get_context("spawn")  # a fork may inherit a lock of torch's threads
    processes = [writers.Process(target=_write_for_ever, args=(cache.folder, float(value))) for value in (1, 2)]
    for process in processes:
        process.start()
    found, deadline = [], threading.Event()
    timer = threading.Timer(PATIENCE, deadline.set)
    timer.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while len({int(values[0]) for values in found}) < 2 and not deadline.is_set():
            if (entry := cache.load("a", {"of": "this"})) is not None:
                found.append(entry["x"])
        timer.cancel()
        for process in processes:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        entry = cache.load("a", {"of": "this"})
    assert entry is not None
    assert {int(values[0]) for values in found} == {1, 2}
    assert all((values == values[0]).all() for values in [*found, entry["x"]])


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="could not be written"):
        found = look(TensorCache(tmp_path / "file"), Counting(images(90, 2, side=3)), ["fid"])
    assert found == look(None, Counting(images(90, 2, side=3)), ["fid"])


def test_digests_tell_images_apart():
    whole = source(10, 1)
    some = [Subset(whole, torch.tensor(indices)) for indices in ([0, 1], [1, 0], [0, 1])]
    assert digest_of_images(some[0]) == digest_of_images(some[2])
    assert len({digest_of_images(part) for part in [whole, *some]}) == 3


class Foreign:
    """Images that know nothing but how to hand themselves out."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return (self.images[indices] for indices in batches)


def test_digest_of_foreign_images():
    one, same, other = (digest_of_images(Foreign(images(10, seed))) for seed in (1, 1, 2))
    assert one == same != other


def test_digest_of_files_tells_who_decodes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "x.png").touch()
    files = FileImages([tmp_path / "x.png"], None, size=8, channels=3, num_workers=0)
    before = digest_of_images(files)
    assert digest_of_images(files) == before
    monkeypatch.setattr("gan_lightning.metrics.digest.DECODER", "another")
    assert digest_of_images(files) != before


def test_digest_of_members_of_a_zip_file(tmp_path: Path) -> None:
    """They have no time of their own: the file's stands for all of them."""
    content = BytesIO()
    Image.new("L", (4, 4)).save(content, "PNG")

    def digest(*names: str) -> str:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
            for name in names:
                file.writestr(name, content.getvalue())
        os.utime(tmp_path / "set.zip", (1, time))
        archive = ZipArchive(tmp_path / "set.zip")
        paths = [f"{archive.path}/{name}" for name in names]
        return digest_of_images(FileImages(paths, None, size=4, channels=1, num_workers=0, archive=archive))

    time = 1
    before = digest("a.png", "b.png")
    assert digest("a.png", "b.png") == before
    assert digest("a.png", "c.png") != before
    time = 2
    assert digest("a.png", "b.png") != before


def test_statistics_of_square_images_are_found_by_the_digest_that_they_had(tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGB", (8, 8)).save(path)

    def digest(size, **arguments):
        return digest_of_images(FileImages([path], None, size=size, channels=3, num_workers=0, **arguments))

    state = path.stat()
    assert digest((8, 8)) == digest(8) == digest_of(DECODER, 8, 3, (str(path), state.st_size, state.st_mtime_ns))
    assert len({digest(8), digest((8, 4)), digest((4, 8)), digest(8, bits=16), digest(8, draft=True)}) == 5
