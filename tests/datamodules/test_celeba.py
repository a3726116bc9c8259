"""CelebA: a small one made of real digits, and the real one where GAN_LIGHTNING_TEST_DATA has it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import center_crop, pil_to_tensor

from datamodules import CelebADataModule
from datamodules.celeba import ATTRIBUTES
from tests.datamodules.test_arrays import everything

HAS = torch.rand(14, 40, generator=torch.Generator().manual_seed(0)) < 0.5  # which of the attributes, for each face


@pytest.fixture
def celeba_like(tmp_path: Path, digit_images: np.ndarray) -> Path:
    """14 digits, 89 x 109 in a grey frame, as CelebA's files: 10 to train, 3 to validate and 1 to test on."""
    home = tmp_path / "celeba"
    (home / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(14)]
    for name, digit in zip(names, digit_images, strict=False):
        picture = Image.new("RGB", (89, 109), "grey")
        picture.paste(Image.fromarray(digit).resize((89, 89)), (0, 10))
        picture.save(home / "img_align_celeba" / name, quality=95)
    (home / "list_eval_partition.txt").write_text(
        "".join(f"{name} {(i > 9) + (i > 12)}\n" for i, name in enumerate(names))
    )
    # As in the original, the columns are aligned with more spaces than one.
    rows = [f"{name} {' '.join(f'{1 if has else -1:2d}' for has in row)}" for name, row in zip(names, HAS, strict=True)]
    (home / "list_attr_celeba.txt").write_text("\n".join(["14", " ".join(ATTRIBUTES) + " ", *rows]) + "\n")
    return tmp_path


def module(root: Path, **arguments) -> CelebADataModule:
    return CelebADataModule(str(root), **{"batch_size": 1, "image_size": 16, "num_workers": 0} | arguments)


def test_shape_and_attributes_are_known_before_any_file_is_read() -> None:
    data = CelebADataModule("nowhere", image_size=32)
    assert (data.image_shape, data.num_classes, data.attributes) == ((3, 32, 32), 40, list(ATTRIBUTES))
    data = CelebADataModule("nowhere", attributes=["Smiling", "Male"])
    assert (data.image_shape, data.num_classes, data.attributes) == ((3, 64, 64), 2, ["Smiling", "Male"])
    assert CelebADataModule("nowhere", attributes=[]).num_classes is None


def test_the_splits_are_celebas(celeba_like: Path) -> None:
    data = module(celeba_like)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [10, 3, 1]
    images, attributes = everything(data.val_dataloader())
    assert (images.dtype, images.shape) == (torch.uint8, (3, 3, 16, 16))
    assert attributes.dtype == torch.float32
    assert torch.equal(attributes, HAS[10:13].float())


@pytest.mark.parametrize("in_memory", [True, False])
def test_an_image_keeps_its_attributes_in_the_order_asked_for(celeba_like: Path, in_memory: bool) -> None:
    data = module(celeba_like, attributes=["Young", "Bald", "Bangs"], in_memory=in_memory, flip=False, image_size=89)
    images, attributes = everything(data.train_dataloader())
    chosen = HAS[:, [39, 4, 5]].float()
    for image, carried in zip(images, attributes, strict=True):
        faces = sorted((celeba_like / "celeba" / "img_align_celeba").iterdir())[:10]
        (face,) = [i for i, path in enumerate(faces) if torch.equal(image, pil_to_tensor(Image.open(path))[:, 10:99])]
        assert torch.equal(carried, chosen[face])


def test_without_attributes_the_batches_are_images(celeba_like: Path) -> None:
    (celeba_like / "celeba" / "list_attr_celeba.txt").unlink()  # nor is the list needed
    assert next(iter(module(celeba_like, attributes=[]).train_dataloader())).shape == (1, 3, 16, 16)


def test_an_attribute_can_be_the_class(celeba_like: Path) -> None:
    data = module(celeba_like, class_attribute="Young")
    assert (data.num_classes, data.class_names, data.attributes) == (2, ["not Young", "Young"], [])
    _, labels = everything(data.val_dataloader())
    assert torch.equal(labels, HAS[10:13, 39].long())
    assert labels.dtype == torch.int64
    with pytest.raises(ValueError, match="class_attribute is 'Young' and attributes are given too"):
        module(celeba_like, class_attribute="Young", attributes=["Male"])
    with pytest.raises(ValueError, match="CelebA has no attribute 'Old'"):
        module(celeba_like, class_attribute="Old")


@pytest.mark.parametrize("width", [178, 89])
def test_the_crop_is_the_standard_one(celeba_like: Path, width: int) -> None:
    path = celeba_like / "celeba" / "img_align_celeba" / "000014.jpg"
    picture = Image.open(path).resize((width, round(width * 218 / 178)))
    picture.save(path, quality=95)
    image, _ = everything(module(celeba_like, image_size=width).test_dataloader())
    # torchvision centres what is usually asked of it: CenterCrop(178).
    assert torch.equal(image[0], center_crop(pil_to_tensor(Image.open(path)), width))


def test_an_attribute_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"CelebA has no attribute 'smiling'; the nearest is 'Smiling'. All 40: 5_o_"):
        CelebADataModule(attributes=["Male", "smiling"])
    with pytest.raises(ValueError, match="attributes has 'Male' twice"):
        CelebADataModule(attributes=["Male", "Male"])


def test_missing_lists_and_images(celeba_like: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no images in \S*/nowhere/celeba/img_align_celeba: set data_d"):
        module(celeba_like / "nowhere").setup()
    (celeba_like / "celeba" / "list_attr_celeba.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"there is no list_attr_celeba.txt or .csv in .* attributes to an empty"
    ):
        module(celeba_like).setup()


def test_a_subset_of_the_images(celeba_like: Path) -> None:
    for number in (3, 12):
        (celeba_like / "celeba" / "img_align_celeba" / f"{number:06d}.jpg").unlink()
    data = module(celeba_like)
    with pytest.warns(UserWarning, match=r"lacks 2 of the 14 images that list_eval_partition lists, 000003.jpg first"):
        data.setup()
    assert [len(part) for part in vars(data.splits).values()] == [9, 2, 1]
    assert torch.equal(data.splits.val.labels, HAS[[10, 12]].float())


def as_csv(home: Path) -> None:
    """Kaggle's lists in the place of CelebA's."""
    split = [line.split() for line in (home / "list_eval_partition.txt").read_text().splitlines()]
    _, header, *rows = [line.split() for line in (home / "list_attr_celeba.txt").read_text().splitlines()]
    for name, lines in {
        "list_eval_partition": [["image_id", "partition"], *split],
        "list_attr_celeba": [["image_id", *header], *rows],
    }.items():
        (home / f"{name}.txt").unlink()
        (home / f"{name}.csv").write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8-sig")


@pytest.mark.parametrize("layout", ["nested", "csv", "both", "unnamed", "original"])
def test_as_people_have_it(celeba_like: Path, layout: str) -> None:
    expected = everything(module(celeba_like).val_dataloader())
    root, home = celeba_like, celeba_like / "celeba"
    if layout in ("nested", "both", "unnamed"):
        (home / "img_align_celeba").rename(home / "x")
        (home / "img_align_celeba").mkdir()
        (home / "x").rename(home / "img_align_celeba" / "img_align_celeba")
    if layout in ("csv", "both", "unnamed"):
        as_csv(home)
    if layout == "unnamed":
        root = home.rename(celeba_like / "archive")
    if layout == "original":
        for folder, name in {
            "Img": "img_align_celeba",
            "Anno": "list_attr_celeba.txt",
            "Eval": "list_eval_partition.txt",
        }.items():
            (home / folder).mkdir()
            (home / name).rename(home / folder / name)
    data = module(root)
    for found, wanted in zip(everything(data.val_dataloader()), expected, strict=True):
        assert torch.equal(found, wanted)
    assert len(data.splits.train) == 10


def test_without_the_list_of_the_partition_numbers_tell_it(celeba_like: Path) -> None:
    home = celeba_like / "celeba"
    (home / "list_eval_partition.txt").unlink()
    with pytest.warns(UserWarning, match=r"there is no list_eval_partition in .* CelebA's own names are split"):
        assert len(module(celeba_like).splits.val) == 1  # all 14 are for training: a tenth is held out
    for old, new in {"000012": "162771", "000013": "182637", "000014": "182638"}.items():
        (home / "img_align_celeba" / f"{old}.jpg").rename(home / "img_align_celeba" / f"{new}.jpg")
    data = module(celeba_like, attributes=[])
    assert [len(part) for part in vars(data.splits).values()] == [11, 2, 1]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_damaged_image(celeba_like: Path, damage: Callable[[Path], None], in_memory: bool) -> None:
    damage(celeba_like / "celeba" / "img_align_celeba" / "000005.jpg")
    with pytest.raises(ValueError, match=r"1 of the 14 images in .*celeba cannot be used: \S*000005.jpg .*: repair"):
        module(celeba_like, in_memory=in_memory).setup()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("list_eval_partition.txt", "000004.jpg 0", "000004.jpg 7", "line 4 of .* is not a file name and 0, 1 or 2"),
        ("list_attr_celeba.txt", "000004.jpg", "000004.jpg 1", "line 6 of .* is not a file name and 40 times 1 or -1"),
        ("list_attr_celeba.txt", "000004.jpg", "000044.jpg", "has no attributes of 000004.jpg and 0 more"),
        ("list_attr_celeba.txt", " Bald ", " ", "second line of .* does not name CelebA's attributes"),
    ],
)
def test_damaged_lists(celeba_like: Path, name: str, old: str, new: str, message: str) -> None:
    file = celeba_like / "celeba" / name
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        module(celeba_like).setup()


def test_the_real_faces(real_data: Path, real_folder: Callable[[str], Path]) -> None:
    home = real_folder("celeba")
    data = CelebADataModule(str(real_data), 100, 32, ["Male", "Smiling"], num_workers=2)
    sizes = [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)]
    listed = [line.split() for line in (home / "list_eval_partition.txt").read_text().splitlines()]
    assert sizes == [sum(part == split for _, part in listed) for split in "012"]
    attributes = torch.cat([part.labels for part in (data.splits.train, data.splits.val, data.splits.test)])
    assert 0.3 < attributes[:, 0].mean() < 0.5  # published: 41.7 % are male and 48.2 % smile
    assert 0.4 < attributes[:, 1].mean() < 0.55
    images, attributes = next(iter(data.train_dataloader()))
    assert (images.shape, attributes.shape) == ((100, 3, 32, 32), (100, 2))
