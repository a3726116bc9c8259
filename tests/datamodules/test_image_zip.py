"""StyleGAN2-ADA's sets of images: what we write its reader reads, and what its tool writes we read."""

import io
import json
import os
import pickle
import signal
import time
import warnings
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import ImageFolderDataModule, ImageZipDataModule
from datamodules.components import image_zip
from datamodules.components.image_zip import image_name, write_zip
from datamodules.components.loading import TensorImages
from gan_lightning.cli import main
from tests.datamodules.test_image_folder import images_of, labels_of
from tests.helpers.command_line import refused
from tests.helpers.processes import wait_until

Write = Callable[..., None]
FOLDER = {"image_size": 8, "num_workers": 0, "in_memory": False, "flip": False, "val_size": 0}


def module(root: Path, **arguments) -> ImageZipDataModule:
    defaults = {"batch_size": 2, "num_workers": 0, "in_memory": False, "flip": False, "channels": 1, "val_size": 0}
    return ImageZipDataModule(str(root), **defaults | arguments)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"compress_level": 0} if kind == "PNG" else {}))
    return file.getvalue()


def pack(file: Path, content: dict[str, bytes | str], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    return file


@pytest.fixture
def members(digit_images: np.ndarray) -> dict[str, bytes]:
    """13 digits, by the names that StyleGAN2-ADA's tool gives them."""
    return {f"00000/img{i:08d}.png": encoded(digit_images[i]) for i in range(13)}


def labelled(members: dict[str, bytes], label: Callable[[int], Any], **more: Any) -> dict[str, bytes | str]:
    labels = [[name, label(i)] for i, name in enumerate(members)]
    return {**members, "dataset.json": json.dumps({"labels": labels, **more})}


def reference(file: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """What StyleGAN2-ADA's reader makes of a zip file, from the facts of its format: N x C x H x W, and the labels."""
    with zipfile.ZipFile(file) as archive:
        every = set(archive.namelist())
        names = sorted(name for name in every if Path(name).suffix.lower() == ".png")
        assert every - set(names) <= {"dataset.json"}
        arrays = [np.array(Image.open(io.BytesIO(archive.read(name)))) for name in names]
        images = np.stack([array[None] if array.ndim == 2 else array.transpose(2, 0, 1) for array in arrays])
        assert images.shape[2] == images.shape[3]
        found = json.loads(archive.read("dataset.json"))["labels"] if "dataset.json" in every else None
    if found is None:
        return images, None
    by_name = dict(found)
    labels = np.array([by_name[name] for name in names])
    return images, labels.astype({1: np.int64, 2: np.float32}[labels.ndim])


class TestWriting:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_their_reader_finds_images_and_classes(self, tmp_path: Path, write_digits: Write, channels: int) -> None:
        for label, name in enumerate(("cat", "bird", "dog")):
            write_digits(tmp_path / "images" / name, 20 + label, start=50 * label)
        data = ImageFolderDataModule(str(tmp_path / "images"), channels=channels, **FOLDER)
        shape = write_zip(data.splits.train, tmp_path / "deep" / "set.zip", data.class_names)
        assert shape == (channels, 8, 8)
        images, labels = reference(tmp_path / "deep" / "set.zip")
        (expected,) = data.splits.train.image_batches([torch.arange(63)])
        assert np.array_equal(images, expected.numpy())
        assert labels is not None
        assert labels.tolist() == [0] * 21 + [1] * 20 + [2] * 22
        ours = module(tmp_path / "deep" / "set.zip", channels=channels)
        assert (ours.image_shape, ours.num_classes, ours.class_names) == (shape, 3, ["bird", "cat", "dog"])

    def test_nothing_is_compressed(self, tmp_path: Path) -> None:
        write_zip(TensorImages(torch.zeros(3, 3, 32, 32, dtype=torch.uint8), None), tmp_path / "set.zip")
        with zipfile.ZipFile(tmp_path / "set.zip") as archive:
            members = archive.infolist()
        assert [member.filename for member in members] == [*map(image_name, range(3)), "dataset.json"]
        assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
        assert all(member.file_size > 3 * 32 * 32 for member in members[:3])

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_another_reader_finds_the_same_pixels(self, tmp_path: Path, channels: int, bits: int) -> None:
        from torchvision.io import ImageReadMode, decode_png

        pixels = np.random.default_rng(0).integers(1, 1 << bits, (3, channels, 7, 300), dtype=f"uint{bits}")
        pixels[0, -1:] = (1 << bits) - 1
        write_zip(TensorImages(torch.from_numpy(pixels), None), tmp_path / "set.zip")
        with zipfile.ZipFile(tmp_path / "set.zip") as archive:
            for i, expected in enumerate(pixels):
                content = archive.read(image_name(i))
                with Image.open(io.BytesIO(content)) as image:
                    image.verify()  # all checksums
                found = decode_png(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.UNCHANGED)
                assert np.array_equal(found.numpy(), expected)
        ours = module(tmp_path / "set.zip", channels=channels, bits=bits)
        (found,) = ours.splits.train.image_batches([torch.arange(3)])
        assert np.array_equal(found.numpy(), pixels)

    def test_vectors_and_their_names(self, tmp_path: Path) -> None:
        vectors = torch.tensor([[0.5, -1.0], [1e-3, 3.0]])
        source = TensorImages(torch.arange(2 * 64, dtype=torch.uint8).view(2, 1, 8, 8), vectors)
        write_zip(source, tmp_path / "set.zip", attributes=["Smiling", "Male"])
        _, labels = reference(tmp_path / "set.zip")
        assert np.array_equal(labels, vectors.numpy())
        data = module(tmp_path / "set.zip")
        assert (data.num_classes, data.attributes, data.class_names) == (2, ["Smiling", "Male"], None)
        assert torch.equal(data.splits.train.labels, vectors)

    def test_without_labels(self, tmp_path: Path) -> None:
        write_zip(TensorImages(torch.zeros(2, 4, 8, 8, dtype=torch.uint8), None), tmp_path / "set.zip", ["a", "b"])
        images, labels = reference(tmp_path / "set.zip")
        assert (images.shape, labels) == ((2, 4, 8, 8), None)

    def test_a_folder_holds_a_thousand(self) -> None:
        names = [image_name(i) for i in (0, 999, 1000, 12_345_678)]
        assert names == [
            "00000/img00000000.png",
            "00000/img00000999.png",
            "00001/img00001000.png",
            "12345/img12345678.png",
        ]

    def test_equal_images_make_equal_files(self, tmp_path: Path) -> None:
        source = TensorImages(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.arange(3))
        for name in ("a.zip", "b.zip"):
            write_zip(source, tmp_path / name)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    def test_refusals(self, tmp_path: Path) -> None:
        def zeros(n: int, channels: int) -> TensorImages:
            return TensorImages(torch.zeros(n, channels, 8, 8, dtype=torch.uint8), None)

        with pytest.raises(ValueError, match="images of 5 channels in uint8 cannot be written"):
            write_zip(zeros(2, 5), tmp_path / "set.zip")
        points = TensorImages(torch.zeros(2, 1, 8, 8), None)
        with pytest.raises(ValueError, match="images of 1 channels in float32 cannot be written"):
            write_zip(points, tmp_path / "set.zip")
        with pytest.raises(ValueError, match="there are no images to write"):
            write_zip(zeros(0, 1), tmp_path / "set.zip")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "set.zip").touch()
        with pytest.raises(FileExistsError, match=r"set\.zip exists: name a new file"):
            write_zip(zeros(1, 1), tmp_path / "set.zip")


class TestImages:
    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("how", ["memory", "files", "workers", "cache", "folder"])
    def test_pixels_and_labels_are_those_of_the_set(
        self, tmp_path: Path, members: dict[str, bytes], digit_images: np.ndarray, how: str, method: int
    ) -> None:
        content = labelled(members, lambda i: i % 4)
        root = pack(tmp_path / "set.zip", content, method)
        if how == "folder":
            root = tmp_path / "set"
            zipfile.ZipFile(tmp_path / "set.zip").extractall(root)
        cache = str(tmp_path / "cache") if how == "cache" else False
        data = module(root, in_memory=how == "memory", num_workers=2 * (how == "workers"), cache=cache, test_size=5)
        assert (data.image_shape, data.num_classes) == ((1, 8, 8), 4)
        train, test = data.splits.train, data.splits.test
        whole = {
            int(i): (image, int(label))
            for part in (train, test)
            for batch in [next(iter(part.image_batches([torch.arange(len(part))])))]
            for i, image, label in zip(part.indices, batch, part.labels, strict=True)
        }
        assert sorted(whole) == list(range(13))
        for i, (image, label) in whole.items():
            assert np.array_equal(image[0], digit_images[i])
            assert label == i % 4
        loader = data.train_dataloader()
        batches = [(images.clone(), labels.tolist()) for images, labels in loader]
        assert [images.shape for images, _ in batches] == [(2, 1, 8, 8)] * 4
        place = {digit_images[i].tobytes(): i % 4 for i in range(13)}
        for images, labels in batches:
            assert [place[image.numpy().tobytes()] for image in images] == labels

    def test_the_order_is_that_of_the_names_as_texts(self, tmp_path: Path, digit_images: np.ndarray) -> None:
        names = ["b/1.png", "b-1.png", "a/10.png", "a/9.png", "B.png"]
        content = {name: encoded(digit_images[i]) for i, name in enumerate(names)}
        root = pack(tmp_path / "set.zip", content)
        zipfile.ZipFile(root).extractall(tmp_path / "set")
        expected = reference(root)[0]
        for place in (root, tmp_path / "set"):
            (found,) = module(place).splits.train.image_batches([torch.arange(5)])
            assert np.array_equal(found, expected)

    def test_images_of_any_kind_and_the_size_of_the_first(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)
        content = {
            "+0.png": b"no image",
            "+1.JPG": encoded(noise, "JPEG"),
            "+2.webp": encoded(noise, "WEBP"),
            **members,
        }
        root = pack(tmp_path / "set.zip", content)
        data = module(root, channels=3)
        with pytest.warns(
            UserWarning, match=r"skipped 1 of the 16 files under .*set.zip: .*set.zip/.0.png \(not an im"
        ):
            data.setup()
        assert data.image_shape == (3, 48, 40)
        assert len(data.splits.train) == 15
        assert module(root, image_size=16).image_shape == (1, 16, 16)
        assert module(root, image_size=(16, 24)).image_shape == (1, 16, 24)
        assert module(root, image_size=16).num_classes is None

    def test_arrays_and_sixteen_bits(self, tmp_path: Path) -> None:
        arrays = np.random.default_rng(0).integers(0, 1 << 16, (3, 8, 12, 5), dtype=np.uint16)
        content: dict[str, bytes | str] = {}
        for i, array in enumerate(arrays):
            file = io.BytesIO()
            np.save(file, array)
            content[f"{i}.npy"] = file.getvalue()
        for how in ({"in_memory": True}, {"num_workers": 1}, {"cache": str(tmp_path / "cache")}):
            data = module(pack(tmp_path / "set.zip", content), channels=5, bits=16, **how)
            assert data.image_shape == (5, 8, 12)
            (found,) = data.splits.train.image_batches([torch.arange(3)])
            assert np.array_equal(found.numpy(), arrays.transpose(0, 3, 1, 2))

    def test_damage_is_skipped_or_refused_and_moves_no_other_image(
        self, tmp_path: Path, members: dict[str, bytes], digit_images: np.ndarray
    ) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: i) | {"notes.txt": "notes"})
        whole = bytearray(root.read_bytes())
        whole[whole.index(members["00000/img00000003.png"]) + 80] ^= 1  # a pixel: only a checksum knows
        root.write_bytes(whole)
        reasons = r"img00000003.png \(damaged in the zip file, .* checksum is wrong\), .*/notes.txt \(not PNG"
        for how in ({"in_memory": True}, {}, {"cache": str(tmp_path / "cache")}):
            with pytest.warns(UserWarning, match=rf"ImageZipDataModule: skipped 2 of the 14 files under .*{reasons}"):
                part = module(root, **how).splits.train
            assert part.labels.tolist() == [i for i in range(13) if i != 3]
            (found,) = part.image_batches([torch.arange(12)])
            assert np.array_equal(found[:, 0], np.delete(digit_images[:13], 3, 0))
        with pytest.raises(ValueError, match=r"2 of the 14 files under .* cannot be used: .*, or set strict to false"):
            module(root, strict=True).setup()

    def test_validation_images_are_held_out_as_of_a_folder(
        self, tmp_path: Path, members: dict[str, bytes], write_digits: Write
    ) -> None:
        root = pack(tmp_path / "set.zip", members)
        write_digits(tmp_path / "folder", 13)
        arguments = {"val_size": 3, "test_size": 2}
        ours = module(root, **arguments)
        theirs = ImageFolderDataModule(str(tmp_path / "folder"), 2, channels=1, **FOLDER | arguments)
        for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
            assert torch.equal(images_of(getattr(ours, name)()), images_of(getattr(theirs, name)()))
        assert len(module(root, val_size=None).splits.val) == 1

    def test_a_worker_may_be_spawned(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        source = module(pack(tmp_path / "set.zip", members)).splits.train.source
        assert torch.equal(pickle.loads(pickle.dumps(source)).__getitems__([4, 5]), source.__getitems__([4, 5]))

    def test_a_zip_that_changes_during_training_is_named(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        root = pack(tmp_path / "set.zip", members)
        loader = module(root, num_workers=1).train_dataloader()
        pack(root, {name: content + b"more" for name, content in members.items()})
        with pytest.raises(RuntimeError, match=r"img000000\d\d.png was readable when training started.*has changed"):
            images_of(loader)

    def test_a_cache_is_made_anew_when_the_zip_changes(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        root, cache = pack(tmp_path / "set.zip", members), str(tmp_path / "cache")
        first = images_of(module(root, cache=cache).train_dataloader())
        (file,) = Path(cache).glob("*.images")
        made = file.stat().st_mtime_ns
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert torch.equal(images_of(module(root, cache=cache).train_dataloader()), first)
        assert file.stat().st_mtime_ns == made
        pack(root, dict(zip(members, [*members.values()][::-1], strict=True)))
        with pytest.warns(UserWarning, match="is stale, files have changed since: rebuilding it"):
            again = images_of(module(root, cache=cache).train_dataloader())
        assert not torch.equal(again, first)


class TestLabels:
    def test_classes_and_their_names(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: i % 3, class_names=["a", "b", "c", "d"]))
        data = module(root)
        assert (data.num_classes, data.class_names, data.attributes) == (4, ["a", "b", "c", "d"], None)
        assert data.splits.train.labels.dtype == torch.int64
        assert labels_of(module(root, test_size=12).test_dataloader()) == [
            i % 3 for i in module(root, test_size=12).splits.test.indices.tolist()
        ]

    def test_vectors(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        data = module(pack(tmp_path / "set.zip", labelled(members, lambda i: [i, 0.5])))
        assert (data.num_classes, data.class_names, data.attributes) == (2, None, ["0", "1"])
        assert data.splits.train.labels.dtype == torch.float32
        assert data.splits.train.labels.tolist() == [[i, 0.5] for i in range(13)]
        assert reference(tmp_path / "set.zip")[1].tolist() == data.splits.train.labels.tolist()

    @pytest.mark.parametrize("more", [{}, {"dataset.json": '{"labels": null}'}])
    def test_none(self, tmp_path: Path, members: dict[str, bytes], more: dict[str, str]) -> None:
        data = module(pack(tmp_path / "set.zip", members | more))
        assert data.num_classes is None
        assert isinstance(next(iter(data.train_dataloader())), torch.Tensor)

    def test_an_image_without_one_is_named(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        for lacking, message in {
            1: r"has no label for 00000/img00000012\.png: give it one",
            4: r"has no label for 00000/img00000009\.png and 3 more of the 13 images: give it one",
        }.items():
            few = dict([*members.items()][: 13 - lacking])
            content = members | labelled(few, lambda i: i)
            root = pack(tmp_path / "set.zip", content)
            with pytest.raises(ValueError, match=rf"^ImageZipDataModule: {root}/dataset.json {message}"):
                module(root)
            assert module(root, use_labels=False).num_classes is None
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: i if i != 7 else None))
        with pytest.raises(ValueError, match=r"no label for 00000/img00000007\.png"):
            module(root)

    def test_labels_of_images_that_are_not_there(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        content = labelled(members, lambda i: i)
        del content["00000/img00000004.png"]
        with pytest.warns(UserWarning, match=r"dataset.json has labels for 13 images, and 12 are there"):
            data = module(pack(tmp_path / "set.zip", content))
        assert data.splits.train.labels.tolist() == [i for i in range(13) if i != 4]

    def test_labels_in_a_folder_of_the_zip(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        content = {f"faces/{name}": member for name, member in labelled(members, lambda i: i).items()}
        with pytest.warns(UserWarning, match=r"the labels in faces/dataset.json are not read, since they are not at "):
            assert module(pack(tmp_path / "set.zip", content)).num_classes is None

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ("no json", "is not of the form"),
            ("[]", "is not of the form"),
            ("{}", "is not of the form"),
            ('{"labels": 3}', "is not of the form"),
            ('{"labels": [["00000/img00000000.png"]]}', "is not of the form"),
            ("[" * 100_000, "is not of the form"),
            ('{"labels": []}', "has no label for 00000/img00000000.png and 12 more of the 13 images"),
        ],
    )
    def test_other_forms(self, tmp_path: Path, members: dict[str, bytes], document: str, message: str) -> None:
        root = pack(tmp_path / "set.zip", members | {"dataset.json": document})
        with pytest.raises(ValueError, match=rf"^ImageZipDataModule: {root}/dataset.json {message}"):
            module(root)

    @pytest.mark.parametrize(
        ("odd", "message"),
        [
            (-1, "is -1, and that of .* 0: labels are whole numbers from 0 to 99,999"),
            (True, "is True"),
            (1.0, r"is 1\.0"),
            ("cat", "is 'cat'"),
            (10**9, "is 1000000000"),
            ([1], r"is \[1\], and that of 00000/img00000000.png 0"),
        ],
    )
    def test_a_class_that_is_no_number_of_one(
        self, tmp_path: Path, members: dict[str, bytes], odd: Any, message: str
    ) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: odd if i == 5 else i))
        with pytest.raises(ValueError, match=rf"the label of 00000/img00000005.png ({message})"):
            module(root)

    @pytest.mark.parametrize("odd", [3, [1.0], [1.0, "a"], [1, True], [1.0, None], None])
    def test_a_vector_unlike_the_others(self, tmp_path: Path, members: dict[str, bytes], odd: Any) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: odd if i == 5 else [i, 1]))
        with pytest.raises(ValueError, match=r"label (of|for) 00000/img00000005.png"):
            module(root)

    @pytest.mark.parametrize("odd", [[float("nan"), 0], [1e300, 0], [10**400, 0]])
    def test_numbers_that_are_not_finite(self, tmp_path: Path, members: dict[str, bytes], odd: list[float]) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: odd if i == 5 else [i, 1]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match="numbers that are not finite"):
                module(root)
        with pytest.raises(ValueError, match="a label has no numbers"):
            module(pack(tmp_path / "set.zip", labelled(members, lambda i: [])))

    @pytest.mark.parametrize("names", [["a"], ["a", "a", "b"], "abc", [1, 2, 3], {}])
    def test_names_that_are_none(self, tmp_path: Path, members: dict[str, bytes], names: Any) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: i % 3, class_names=names))
        with pytest.raises(ValueError, match=r"dataset.json: class_names is .*: it must be a list of different names"):
            module(root)
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: [0, 1, i], attributes=names))
        with pytest.raises(ValueError, match=r"dataset.json: attributes is .*: it must be a list of different names"):
            module(root)

    @pytest.mark.parametrize("kind", ["zip", "folder"])
    def test_a_list_too_large_to_read(
        self, tmp_path: Path, members: dict[str, bytes], kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = pack(tmp_path / "set.zip", labelled(members, lambda i: i))
        if kind == "folder":
            zipfile.ZipFile(root).extractall(tmp_path / "set")
            root = tmp_path / "set"
        monkeypatch.setattr("datamodules.image_zip.MOST_BYTES", 100)
        with pytest.raises(ValueError, match=rf"{root}/dataset.json cannot be read \(.*more than the 100"):
            module(root)


class TestMistakes:
    def test_no_such_set(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=rf"there is no {tmp_path}/a.zip: set root to a zip file of images"):
            module(tmp_path / "a.zip")
        (tmp_path / "a.zip").write_text("no zip")
        with pytest.raises(ValueError, match=r"^ImageZipDataModule: .*a.zip is no zip file"):
            module(tmp_path / "a.zip")
        with pytest.raises(ValueError, match=rf"^ImageZipDataModule: no images in {tmp_path} \(looked for .png"):
            module(tmp_path)
        with pytest.raises(ValueError, match=r"^ImageZipDataModule: none of the images in .*b.zip can be read"):
            module(pack(tmp_path / "b.zip", {"a.png": b"no image"}))

    def test_a_folder_is_no_zip_for_the_other_module(self, tmp_path: Path, members: dict[str, bytes]) -> None:
        root = pack(tmp_path / "set.zip", members)
        with pytest.raises(FileNotFoundError, match=r"set.zip is a file: .* ImageZipDataModule reads"):
            ImageFolderDataModule(str(root))

    @pytest.mark.parametrize("value", ["many", 1.5, True, [4], -1])
    @pytest.mark.parametrize("name", ["batch_size", "image_size", "channels", "val_size", "test_size", "num_workers"])
    def test_numbers(self, tmp_path: Path, members: dict[str, bytes], name: str, value: Any) -> None:
        root = pack(tmp_path / "set.zip", members)
        with pytest.raises(ValueError, match=rf"^{name} is "):
            module(root, **{name: value})


def slowly(pixels: np.ndarray) -> bytes:
    time.sleep(0.01)
    return b"an image"


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path, write_digits: Write) -> Path:
        for split, count in {"train": 20, "val": 3}.items():
            write_digits(tmp_path / "digits" / split / "a", count)
            write_digits(tmp_path / "digits" / split / "b", count + 1, start=100)
        return tmp_path / "digits"

    def test_a_folder(self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "set.zip"
        given = ["--input", str(folder), "--image_size", "16", "--channels", "1"]
        assert main(["zip", *given, "--out", str(out)]) == 0
        told = capsys.readouterr()
        assert told.out == f"The images are in {out}: 41 of 16 x 16 grey, with labels.\n"
        assert "Writing images: 100%" in told.err
        assert "StyleGAN2-ADA" not in told.err
        expected = ImageFolderDataModule(str(folder), channels=1, **FOLDER | {"image_size": 16})
        images, labels = reference(out)
        (pixels,) = expected.splits.train.image_batches([torch.arange(41)])
        assert np.array_equal(images, pixels)
        assert np.array_equal(labels, expected.splits.train.labels)
        assert main(["zip", *given, "--out", str(tmp_path / "val.zip"), "--split", "val"]) == 0
        assert len(reference(tmp_path / "val.zip")[0]) == 7
        capsys.readouterr()
        assert main(["zip", *given[:2], "--image_size", "9", "--out", str(tmp_path / "nine.zip")]) == 0
        assert "StyleGAN2-ADA trains on squares with sides of a power of two only" in capsys.readouterr().err

    def test_sixteen_bits(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder, levels = tmp_path / "deep", np.arange(256, dtype=np.uint16).reshape(16, 16) * 257 + 3
        folder.mkdir()
        Image.fromarray(levels).save(folder / "a.png")
        out = tmp_path / "deep.zip"
        given = ["zip", "--input", str(folder), "--image_size", "16", "--channels", "1", "--out", str(out)]
        assert main([*given, "--bits", "16"]) == 0
        assert "ImageZipDataModule reads them with --data.bits 16; StyleGAN2-ADA trains on" in capsys.readouterr().err
        data = ImageZipDataModule(str(out), batch_size=1, channels=1, bits=16, val_size=0)
        (pixels,) = data.splits.train.image_batches([torch.arange(1)])
        assert np.array_equal(pixels[0, 0], levels)
        # The default keeps the upper 8 bits.
        assert main([*given[:-1], str(tmp_path / "plain.zip")]) == 0
        assert "StyleGAN2-ADA" not in capsys.readouterr().err
        assert np.array_equal(reference(tmp_path / "plain.zip")[0][0, 0], levels >> 8)

    def test_images_that_are_not_square(self, folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "wide.zip"
        assert main(["zip", "--input", str(folder), "--image_size", "8", "12", "--out", str(out)]) == 0
        assert ImageZipDataModule(str(out), batch_size=1).image_shape == (3, 8, 12)

    def test_a_data_module(self, tmp_path: Path) -> None:
        out = str(tmp_path / "digits.zip")
        assert main(["zip", "--data", "DigitsDataModule", "--data.val_size", "97", "--out", out, "--split", "val"]) == 0
        images, labels = reference(tmp_path / "digits.zip")
        assert images.shape == (97, 1, 8, 8)
        from datamodules import DigitsDataModule

        part = DigitsDataModule(val_size=97).splits.val
        assert np.array_equal(images, next(iter(part.image_batches([torch.arange(97)]))))
        assert np.array_equal(labels, part.labels)

    def test_mistakes(self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = ["--out", str(tmp_path / "set.zip")]
        given = ["--input", str(folder)]
        for arguments, message in [
            (["--input", str(tmp_path / "nowhere"), *out], f"there is no folder {tmp_path / 'nowhere'}: set root"),
            ([*given, "--out", str(tmp_path / "set.tar")], "set.tar: its name must end with .zip"),
            ([*given, *out, "--split", "test"], "ImageFolderDataModule has no images in its split 'test'"),
            ([*given, *out, "--data.root", "x"], "there is no option --data.root"),
            (["--data", "DigitsDataModule", *out, "--size=9"], "there is no option --size (see --help)"),
            ([*given, *out, "--image_size", "1", "2", "3"], "give one number, or height and width"),
            ([*given, *out, "--image_size", "0"], "--image_size: 0 is less than 1"),
            (["--data", "DigitsDataModule", *out, "--image_size", "9"], "--image_size is of the images of --input"),
            (["--data", "DigitsDataModule", *out, "--bits", "16"], "--bits is of the images of --input"),
            ([*given, *out, "--bits", "12"], "--bits"),
            (["--data", "DigitsDataModule", *out, "--data.root", "9"], "DigitsDataModule has no option root"),
            (["--data", "ToyDataModule", *out], "has points and no images"),
            (out, "one of the arguments --input --data is required"),
        ]:
            assert message in refused(capsys, "zip", *arguments)
        assert not (tmp_path / "set.zip").exists()
        (tmp_path / "set.zip").write_text("precious")
        assert "set.zip exists: name a new file" in refused(capsys, "zip", *given, *out)
        assert (tmp_path / "set.zip").read_text() == "precious"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
    def test_a_kill_leaves_nothing_that_is_taken_for_a_set(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        out = tmp_path / "set.zip"
        given = ["zip", "--input", str(folder), "--image_size", "8", "--out", str(out)]
        with monkeypatch.context() as slow:
            slow.setattr(image_zip, "_png", slowly)
            process = get_context("fork").Process(target=main, args=(given,))
            process.start()
            wait_until(lambda: (tmp_path / ".set.zip.partial").exists() or not process.is_alive())
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not out.exists()
        assert main(given) == 0
        assert len(reference(out)[0]) == 41
        assert [path.name for path in tmp_path.glob("*set.zip*")] == ["set.zip"]


def test_a_real_set_written_and_read_is_the_folder(real_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """2,049 emoji, transparent PNG files of 72 x 72."""
    data = ImageFolderDataModule(str(real_folder("openmoji") / "color"), **FOLDER | {"image_size": 32})
    write_zip(data.splits.train, tmp_path / "emoji.zip")
    (expected,) = data.splits.train.image_batches([torch.arange(2049)])
    assert np.array_equal(reference(tmp_path / "emoji.zip")[0], expected)
    ours = module(tmp_path / "emoji.zip", channels=3, num_workers=2)
    assert ours.image_shape == (3, 32, 32)
    assert torch.equal(next(iter(ours.splits.train.image_batches([torch.arange(2049)]))), expected)
