"""What the measurements of the README count, on cases made by hand."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from benchmarks import ageing, compositions, hints, neighbours, pairs, pictures
from benchmarks.labels import accuracy_by_class, matched_accuracy, report
from benchmarks.modes import drawn
from benchmarks.modes import main as count_modes
from benchmarks.turns_with_torch_fidelity import lay_out, summary
from datamodules.components.tensors import edges
from gan_lightning.inference.edit import kept_samples
from gan_lightning.metrics.features import Embedding
from gan_lightning.variants import ALI, CoGAN, Colorization, ConditionalGAN, InfoGAN, Pix2Pix, StyleGAN2
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import small


def test_accuracy_is_counted_by_the_class_asked_for() -> None:
    seen, asked = torch.tensor([0, 1, 1, 0, 2, 2, 2, 2]), torch.tensor([0, 0, 1, 1, 1, 1, 2, 2])
    assert accuracy_by_class(seen, asked, 3).tolist() == [0.5, 0.25, 1]


@pytest.mark.parametrize(
    ("categories", "classes", "accuracy", "matching"),
    [
        ([0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 0, 0], 1, {0: 1, 1: 2, 2: 0}),
        ([0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 0], 4 / 6, {0: 0, 1: 1}),
        # Most of both categories are of class 0, but only one of them can be it.
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], 4 / 6, {0: 0, 1: 1}),
        # A category too many, and one too few.
        ([0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1], 5 / 6, {0: 0, 2: 1}),
        ([0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 2], 1 / 2, {0: 0}),
    ],
)
def test_categories_are_matched_to_classes(
    categories: list[int], classes: list[int], accuracy: float, matching: dict[int, int]
) -> None:
    assert matched_accuracy(torch.tensor(categories), torch.tensor(classes)) == (pytest.approx(accuracy), matching)


class Shade(nn.Module):
    """Reads a class from how bright an image is: each is a tenth brighter than the one before."""

    def forward(self, images: Tensor) -> Embedding:
        shade = ((images[:, 0, 0, 0] / 127.5 - 1) * 10).round().long()
        return Embedding(shade, F.one_hot(shade, 10).float())


def shaded(classes: Tensor) -> Tensor:
    return (classes / 10)[:, None, None, None].expand(-1, 1, 16, 16)


class Draws(nn.Module):
    """Draws classes in their shades, but a 9 for a 4."""

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return shaded(labels.where(labels != 4, 9))


class DrawsTheNext(nn.Module):
    """Draws for each category the class after it."""

    def forward(self, latent: Tensor) -> Tensor:
        return shaded((latent[:, 4:14].argmax(dim=1) + 1) % 10)


class ReadsBack(nn.Module):
    def forward(self, images: Tensor) -> tuple[None, Tensor]:
        return None, Shade()((images + 1) * 127.5).logits.roll(-1, dims=1)


def printed(model: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    labels = torch.arange(60) % 10
    judge: Any = Shade()
    report(model, judge, to_uint8(shaded(labels)), labels, n=1000, seed=0)
    return capsys.readouterr().out.splitlines()


def test_what_is_said_of_a_game_with_classes(capsys: pytest.CaptureFixture[str]) -> None:
    model = small(ConditionalGAN, ema_decay=None)
    model.generator = Draws()
    assert printed(model, capsys) == [
        "the judge, on 60 held-out images: 100.00%",
        "1000 samples that show the class asked for: 90.00%",
        "  the worst class, 4: 0.00%",
    ]


def test_what_is_said_of_a_game_with_categories(capsys: pytest.CaptureFixture[str]) -> None:
    model = small(InfoGAN, ema_decay=None)
    model.generator, model.discriminator = DrawsTheNext(), ReadsBack()
    _, real, fake = printed(model, capsys)
    matching = {category: (category + 1) % 10 for category in range(10)}
    assert real == f"held-out images whose category is matched to their class: 100.00% {matching}"
    assert fake == f"1000 samples whose category is matched to the class they show: 100.00% {matching}"


def test_pixels_agree_where_both_are_bright_or_both_dark() -> None:
    one, other = torch.tensor([[200, 200, 0, 0, 127]]).byte(), torch.tensor([[255, 0, 128, 100, 0]]).byte()
    assert pairs.agreement(one, other) == (pytest.approx(3 / 5), pytest.approx(1 / 3))
    assert pairs.agreement(one * 0, other * 0) == (1, 0)


class Outlines(nn.Module):
    """Makes one bright pixel, at a place that the latent says, or its outline."""

    def of(self, domain: str) -> nn.Module:
        made = Outlines()
        made.outline = domain == "B"
        return made

    def forward(self, latent: Tensor) -> Tensor:
        places = (latent[:, 0].abs() * 1000).long() % 256
        images = F.one_hot(places, 256).view(-1, 1, 16, 16).float()
        return 2 * (edges(images) if self.outline else images) - 1


def test_what_is_said_of_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    model: Any = small(CoGAN, ema_decay=None)
    model.generator = Outlines()
    pairs.report(model, n=200, seed=0)
    same, other = capsys.readouterr().out.splitlines()
    assert same == "200 pairs of the same latent: 100.00% of the pixels agree, bright ones overlap by 100.00%"
    assert other.startswith("200 pairs of another latent: 9")
    assert float(other.split()[-1].rstrip("%")) < 20


def test_points_are_drawn_where_they_lie() -> None:
    """The picture is 6 wide, from -3 to 3, in 96 pixels: y points up, and a point darkens the pixels around its own."""
    picture = drawn(torch.tensor([[-2.0, 1.0], [2.0, 2.0], [2.0, 2.0], [5.0, 0.0], [0.0, float("nan")]]))
    assert picture.shape == (1, 96, 96)
    dark = (picture[0] < 255).nonzero().tolist()
    once, twice = [(32, 16), (16, 80)]
    assert sorted(map(tuple, dark)) == sorted(
        (r + i, c + j) for r, c in (once, twice) for i in (-1, 0, 1) for j in (-1, 0, 1)
    )
    assert picture[0, 16, 80] < picture[0, 32, 16]


@pytest.fixture
def _settings_of_the_process() -> Any:
    threads, logger = torch.get_num_threads(), logging.getLogger("lightning.pytorch")
    level = logger.level
    yield
    torch.set_num_threads(threads)
    logger.setLevel(level)


@pytest.mark.usefixtures("_settings_of_the_process")
def test_modes_are_counted_run_by_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count_modes(["--n-unrolled", "0", "1", "--seeds", "2", "--steps", "6", "--batch-size", "8", "--out", str(tmp_path)])
    table = (tmp_path / "modes.md").read_text()
    assert table in capsys.readouterr().out
    assert [line.split("|")[1:3] for line in table.splitlines()[2:]] == [
        [f" {k} ", f" {s} "] for s in (0, 1) for k in (0, 1)
    ]
    with Image.open(tmp_path / "modes.png") as picture:
        assert picture.size == (7 * 97 + 1, 4 * 97 + 1)


class TestHints:
    def test_differences_near_a_point_and_elsewhere(self) -> None:
        one, other = torch.zeros(3, 6, 8), torch.zeros(3, 6, 8)
        other[:, 2, 5], other[0, 0, 0] = 1.0, -1.0
        # Within one pixel there are 5, of which the middle differs by 127.5; of 43 others one by a third of it.
        assert hints.near_and_far(one, other, (5, 2), 1) == pytest.approx((127.5 / 5, 127.5 / 3 / 43))

    def test_distances_by_hand(self) -> None:
        white, half = torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
        half[:, :, 0] = -1
        # Hellinger's of (1, 0) and (1/2, 1/2): sqrt(1 - sqrt(1/2))
        assert hints.distances(half, white) == pytest.approx((127.5 * 3**0.5, (1 - 0.5**0.5) ** 0.5), abs=1e-3)
        assert hints.distances(half, half) == (0, 0)

    def test_what_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        images = torch.ones(9, 3, 16, 16)
        images[:6, 1:, 4:8, 4:12] = -1  # three are white, and have no coloured point
        picture = hints.report(small(Colorization, image_shape=(3, 16, 16)), images[:, 1:2], images, seed=0)
        assert picture.shape[2] == 2 * (7 * 17 + 1)
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith("6 drawings, red or blue at a point: a difference of ")
        assert said[3] == "true images: mean colour 0.0 levels from the reference's, histogram 0.000"


def test_the_nearest_neighbour_gives_its_label() -> None:
    known, labels = torch.tensor([[0.0, 0], [3, 0], [0, 5]]), torch.tensor([7, 8, 9])
    asked = torch.tensor([[1.0, 0], [2, 0.5], [0, 2.4], [9, 9]])
    assert neighbours.neighbour_accuracy(known, labels, asked, torch.tensor([7, 8, 8, 9])) == 0.75


def test_what_is_said_of_an_encoder(capsys: pytest.CaptureFixture[str]) -> None:
    model: Any = small(ALI, ema_decay=None, stochastic=False)

    class Brightness(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(1, 2, 3))[:, None].expand(-1, 4)

    model.generator["encoder"] = Brightness()
    labels = torch.arange(20) % 10
    dots = torch.zeros(20, 1, 16, 16, dtype=torch.uint8)
    dots[torch.arange(20), 0, torch.arange(20) % 16, 3] = (25 * labels).byte()  # anywhere, as bright as the label
    neighbours.report(model, (dots[:10], labels[:10]), (dots[10:], labels[10:]))
    own, untrained, pixels = capsys.readouterr().out.splitlines()
    assert own == "the nearest of 10 by the encoder's latents: 100.00% of 10 labels"
    assert untrained.startswith("the nearest of 10 by an untrained encoder's: ")
    assert pixels == "the nearest of 10 by pixels: 10.00% of 10 labels"  # all are nearest to the black one


@pytest.mark.parametrize(("variant", "asked"), [(ConditionalGAN, "labels"), (InfoGAN, "codes"), (CoGAN, None)])
def test_a_picture_of_25_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: Any, asked: str | None
) -> None:
    model = small(variant, ema_decay=None)
    seen: dict[str, Any] = {}
    sample = model.sample
    monkeypatch.setattr(model, "sample", lambda n, **options: seen.update(options) or sample(n, **options))
    monkeypatch.setattr(pictures.inference, "load", lambda path: model)
    pictures.main(["--ckpt", "last.ckpt", "--out", str(tmp_path / "made.png")])
    assert set(seen) == {"seed", *([asked] if asked else [])}
    side = model.image_shape[1] * 5 + 6
    with Image.open(tmp_path / "made.png") as picture:
        assert picture.size == (side * round(160 / side), side * round(160 / side))


def test_no_picture_of_a_game_that_is_given_an_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pictures.inference, "load", lambda path: small(Pix2Pix, ema_decay=None))
    with pytest.raises(SystemExit):
        pictures.main(["--ckpt", "last.ckpt", "--out", "made.png"])
    assert "Pix2Pix draws nothing of a latent alone" in capsys.readouterr().err


def test_turns_are_compared_round_by_round(tmp_path: Path) -> None:
    assert summary({"ours": [1.0, 4.0, 2.0], "theirs": [4.0, 8.0, 5.0]}) == (
        "ours 2.0 s, theirs 5.0 s; ratio 0.400 (0.250 to 0.500)"
    )
    (tmp_path / "source").mkdir()
    for shade in range(4):
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(tmp_path / "source" / f"{shade}.png")
    laid_out = Path(lay_out(tmp_path / "source", tmp_path / "two", 2))
    assert [Image.open(path).getpixel((0, 0)) for path in sorted(laid_out.iterdir())] == [(0, 0, 0), (2, 0, 0)]
    with pytest.raises(SystemExit, match="has 4 images, not 5"):
        lay_out(tmp_path / "source", tmp_path / "five", 5)


def test_faces_are_apart_by_the_angle_of_their_features() -> None:
    one, other = torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [6.0, 8.0]])
    assert ageing.apart(nn.Identity(), one, other) == pytest.approx(0.5)
    # Higher in the first column: of age 0
    assert ageing.judged_so(nn.Identity(), one, 0) == 0.5


def test_crops_are_faces_that_have_moved() -> None:
    torch.manual_seed(0)
    # Each of one colour, which no crop changes
    faces = (2 * torch.rand(4, 3, 1, 1) - 1).expand(-1, -1, 32, 32)
    crops = ageing.cropped(faces)
    assert crops.shape == faces.shape
    assert crops.abs().max() <= 1
    loss = ageing.two_crops(nn.Flatten(), faces)
    assert 0 < float(loss) < torch.tensor(4.0).log()


def test_compositions_begin_with_the_two_themselves() -> None:
    model: Any = small(StyleGAN2, 32)
    one, other = kept_samples(model, [3, 8])
    first, second, *composed = compositions.compositions(model, one, other)
    samples = model.sample(9)
    assert_close(first[0], samples[3])
    assert_close(second[0], samples[8])
    assert all(not torch.equal(each, first) for each in composed)
    assert len(composed) == len(compositions.COLUMNS) - 2
