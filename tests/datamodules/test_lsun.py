"""LSUN: a small one made of real photographs, and the real one where GAN_LIGHTNING_TEST_DATA has it."""

import pickle
import sys
from collections.abc import Callable
from hashlib import sha1
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, center_crop, pil_to_tensor, resize

from datamodules import LSUNDataModule
from tests.datamodules.test_arrays import everything
from tests.datamodules.test_image_folder import images_of
from tests.helpers.stand_ins import encoded, photographs, write_lmdb

lmdb = pytest.importorskip("lmdb")

BEDROOMS = [encoded(image, "WEBP") for image in reversed(photographs(11, 64, 96))]
CHURCHES = [encoded(image, "JPEG") for image in photographs(10, 96, 64)]


@pytest.fixture
def lsun_like(tmp_path: Path) -> Path:
    """Bedrooms, 9 to train and 2 to test on, 64 wide and 96 high; churches, 7 and 3, 96 wide and 64 high."""
    for category, values, n in (("bedroom", BEDROOMS, 9), ("church_outdoor", CHURCHES, 7)):
        write_lmdb(tmp_path / f"{category}_train_lmdb", values[:n])
        write_lmdb(tmp_path / f"{category}_val_lmdb", values[n:])
    return tmp_path


def module(root: Path, categories: str | list[str] = "bedroom", **arguments) -> LSUNDataModule:
    defaults = {"batch_size": 2, "image_size": 64, "num_workers": 0, "flip": False}
    return LSUNDataModule(str(root), categories, **defaults | arguments)


def squares(values: list[bytes]) -> Tensor:
    """The central 64 x 64 pixels of photographs, in the order of their names."""
    named = sorted(values, key=lambda value: sha1(value).hexdigest())
    return torch.stack([center_crop(pil_to_tensor(Image.open(BytesIO(value))), 64) for value in named])


BOTH = ["church_outdoor", "bedroom"]


def test_shape_and_classes_are_known_before_any_file_is_read() -> None:
    data = LSUNDataModule("nowhere", image_size=32, channels=1)
    assert (data.image_shape, data.num_classes) == ((1, 32, 32), None)
    assert LSUNDataModule("nowhere", ["bedroom"]).num_classes is None
    data = LSUNDataModule("nowhere", ["bedroom", "kitchen", "tower"])
    assert (data.image_shape, data.num_classes) == ((3, 64, 64), 3)


@pytest.mark.parametrize(("category", "values", "n"), [("bedroom", BEDROOMS, 9), ("church_outdoor", CHURCHES, 7)])
def test_one_category_yields_its_photographs_alone(lsun_like: Path, category: str, values: list[bytes], n: int) -> None:
    data = module(lsun_like, category, batch_size=1)
    images = images_of(data.test_dataloader())
    assert (images.dtype, images.shape) == (torch.uint8, (len(values) - n, 3, 64, 64))
    assert torch.equal(images, squares(values[n:]))
    assert torch.equal(images_of(data.val_dataloader()), images)
    loader = data.train_dataloader()
    assert isinstance(next(iter(loader)), Tensor)
    assert torch.equal(images_of(loader), squares(values[:n])[loader.sampler.indices()])


@pytest.mark.parametrize("size", [16, 40, 100])
@pytest.mark.parametrize("category", BOTH)
def test_the_shorter_side_is_resized_and_the_centre_cropped(lsun_like: Path, category: str, size: int) -> None:
    images = images_of(module(lsun_like, category, image_size=size).test_dataloader())
    values = BEDROOMS[9:] if category == "bedroom" else CHURCHES[7:]
    for image, value in zip(images, sorted(values, key=lambda value: sha1(value).hexdigest()), strict=True):
        resized = resize(Image.open(BytesIO(value)), size, InterpolationMode.BICUBIC)
        difference = (image.int() - pil_to_tensor(center_crop(resized, size))).abs().float()
        assert difference.mean() < 1  # rounded at other moments


def test_grey(lsun_like: Path) -> None:
    images = images_of(module(lsun_like, channels=1).test_dataloader())
    red, green, blue = squares(BEDROOMS[9:]).float().unbind(1)
    assert images.shape == (2, 1, 64, 64)
    assert (images[:, 0] - (0.299 * red + 0.587 * green + 0.114 * blue)).abs().max() <= 1


def test_several_categories_are_the_labels_in_their_order(lsun_like: Path) -> None:
    data = module(lsun_like, BOTH, batch_size=4)
    images, labels = everything(data.test_dataloader())
    assert labels.dtype == torch.int64
    assert labels.tolist() == [0, 0, 0, 1, 1]
    assert torch.equal(images, torch.cat([squares(CHURCHES[7:]), squares(BEDROOMS[9:])]))
    images, labels = everything(data.train_dataloader())
    parts = [squares(CHURCHES[:7]), squares(BEDROOMS[:9])]
    assert len(images) == 16
    for image, label in zip(images, labels, strict=True):
        assert [bool((part == image).all((1, 2, 3)).any()) for part in parts] == [label == 0, label == 1]


def test_workers_change_nothing(lsun_like: Path) -> None:
    """Not even where this process has read from the databases before the workers are started."""
    loaders = [module(lsun_like, BOTH, num_workers=n, flip=True).train_dataloader() for n in (0, 2)]
    for loader in loaders:
        loader.sampler.set_epoch(3)
    (images, labels), (theirs, their_labels) = map(everything, loaders)
    assert torch.equal(images, theirs)
    assert torch.equal(labels, their_labels)


def test_nothing_stays_open_that_a_worker_could_inherit(lsun_like: Path) -> None:
    images_of(module(lsun_like).train_dataloader())
    # LMDB itself refuses what this process has open already.
    lmdb.open(str(lsun_like / "bedroom_train_lmdb"), readonly=True, lock=False).close()


def test_a_worker_may_be_spawned(lsun_like: Path) -> None:
    source = module(lsun_like).splits.test
    copy = pickle.loads(pickle.dumps(source))
    assert torch.equal(copy.__getitems__([1, 0]), squares(BEDROOMS[9:]).flip(0))


def test_nothing_is_written_beside_the_data(lsun_like: Path) -> None:
    for lock in lsun_like.glob("*/lock.mdb"):
        lock.unlink()
    images_of(module(lsun_like).train_dataloader())
    assert {path.name for path in lsun_like.glob("*/*")} == {"data.mdb"}


@pytest.mark.parametrize("stop", [1, 5])
def test_a_resumed_epoch_goes_on_where_it_was(lsun_like: Path, stop: int) -> None:
    loaders = [module(lsun_like, BOTH, flip=True, seed=5).train_dataloader() for _ in range(3)]
    for loader in loaders[:2]:
        loader.sampler.set_epoch(2)
    whole = list(loaders[0])
    stopped = iter(loaders[1])
    for _ in range(stop):
        next(stopped)
    loaders[2].load_state_dict(loaders[1].state_dict())
    rest = list(loaders[2])
    assert len(rest) == 8 - stop
    assert all(
        torch.equal(*parts)
        for one, other in zip(rest, whole[stop:], strict=True)
        for parts in zip(one, other, strict=True)
    )


def test_photographs_are_held_out_for_validation_where_asked(lsun_like: Path) -> None:
    data = module(lsun_like, val_size=3)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [6, 3, 2]
    with pytest.raises(ValueError, match=r"val_size 9 would leave nothing to train on: bedroom under \S+ has 9 images"):
        module(lsun_like, val_size=9).setup()


def test_without_photographs_to_test_on_it_trains(lsun_like: Path) -> None:
    for category in BOTH:
        (lsun_like / f"{category}_val_lmdb" / "data.mdb").unlink()
    data = module(lsun_like, BOTH)
    assert len(data.train_dataloader()) == 8
    assert data.val_dataloader() == data.test_dataloader() == []


def test_a_missing_category(lsun_like: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"there is no \S*/kitchen_train_lmdb/data.mdb: unpack kitchen_train_lmdb.zip in \S+, or set root and "
        r"categories to others; this root has bedroom, church_outdoor\.$",
    ):
        module(lsun_like, ["bedroom", "kitchen"]).setup()
    with pytest.raises(FileNotFoundError, match=r"this root has none\.$"):
        module(lsun_like / "nowhere").setup()
    (lsun_like / "church_outdoor_val_lmdb" / "data.mdb").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"no \S*/church_outdoor_val_lmdb/data.mdb: .* this root has bedroom\.$"
    ):
        module(lsun_like, BOTH).setup()


@pytest.mark.parametrize("pages", [0.5, 4])
def test_a_database_that_is_cut_short(lsun_like: Path, pages: float) -> None:
    file = lsun_like / "bedroom_train_lmdb" / "data.mdb"
    content = file.read_bytes()
    file.write_bytes(content[: int(pages * 4096)])
    with pytest.raises(
        ValueError,
        match=rf"bedroom_train_lmdb/data.mdb is cut short, 16,384 of {len(content):,} bytes: unpack bedroom_train_lmdb"
        if pages == 4
        else r"train_lmdb/data.mdb cannot be opened as an LMDB database \(.*\): unpack bedroom_train_lmdb.zip again",
    ):
        module(lsun_like).setup()


def test_a_database_that_is_cut_short_while_it_is_read(lsun_like: Path, damage: Callable[[Path], None]) -> None:
    loader = module(lsun_like).train_dataloader()
    damage(lsun_like / "bedroom_train_lmdb" / "data.mdb")
    with pytest.raises(ValueError, match="is cut short"):
        images_of(loader)


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_file_that_is_no_database(lsun_like: Path, content: bytes) -> None:
    (lsun_like / "bedroom_val_lmdb" / "data.mdb").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"bedroom_val_lmdb/data.mdb cannot be opened as an LMDB database \(.+\): unpack bedroom_val"
    ):
        module(lsun_like).setup()


def test_an_empty_database(lsun_like: Path) -> None:
    write_lmdb(lsun_like / "tower_train_lmdb", [])
    with pytest.raises(ValueError, match=r"tower_train_lmdb/data.mdb is empty: unpack tower_train_lmdb.zip again\.$"):
        module(lsun_like, ["bedroom", "tower"]).setup()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("value", "why"), [(b"no image", "not an image"), (CHURCHES[0][:1000], ".+")])
def test_a_value_that_is_no_image(lsun_like: Path, value: bytes, why: str, workers: int) -> None:
    write_lmdb(lsun_like / "bedroom_train_lmdb", [value])
    key = sha1(value).hexdigest()
    with pytest.raises(
        RuntimeError,
        match=rf"LSUNDataModule: the photograph {key} in \S*bedroom_train_lmdb/data.mdb cannot be read \({why}\): "
        r"unpack bedroom_train_lmdb.zip again\.",
    ):
        images_of(module(lsun_like, num_workers=workers).train_dataloader())


def test_without_the_package_that_reads_it(lsun_like: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"lmdb, which is not installed: pip install 'gan-lightning\[lsun\]'\.$"
    ):
        module(lsun_like).setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"categories": []}, r"categories is \[\]: name at least one, and none of them twice."),
        ({"categories": ["bedroom"] * 2}, r"categories is \['bedroom', 'bedroom'\]: name at least one, and none .*"),
        ({"channels": 2}, r"channels is 2: it must be 1 \(grey\) or 3 \(RGB\)."),
        ({"val_size": -1}, "val_size is -1: it must be at least 0."),
        ({"image_size": 0}, "image_size is 0: it must be at least 1."),
        ({"num_workers": -1}, "num_workers is -1: it must be at least 0."),
    ],
)
def test_arguments_out_of_range(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(Path("nowhere"), **arguments)


def test_the_real_photographs(real_folder: Callable[[str], Path]) -> None:
    root = real_folder("lsun")
    categories = sorted(folder.name.removesuffix("_train_lmdb") for folder in root.glob("*_train_lmdb"))
    data = LSUNDataModule(str(root), categories, num_workers=2)
    assert len(data.splits.test) == 300 * len(categories)
    batch = next(iter(data.train_dataloader()))
    assert (batch if len(categories) == 1 else batch[0]).shape == (64, 3, 64, 64)
