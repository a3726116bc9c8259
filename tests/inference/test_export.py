"""Exported generators make the images that the games make, in onnxruntime and in torch alone."""

import json
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.hints import Hint, palettes
from gan_lightning.games.label import LabelGame
from gan_lightning.games.text import TextGame
from gan_lightning.games.translation import TranslationGame
from gan_lightning.games.video import VideoGame
from gan_lightning.inference import from_pretrained
from gan_lightning.inference.export import export
from gan_lightning.networks import UNet
from gan_lightning.variants import (
    DCGAN,
    GANCLS,
    IAN,
    SRGAN,
    CoGAN,
    Colorization,
    ConditionalGAN,
    CycleGAN,
    InfoGAN,
    Pix2Pix,
    StarGAN,
    StyleGAN,
    StyleGAN2,
)
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import TEXTS, VARIANTS, small, vivid

onnxruntime = pytest.importorskip("onnxruntime")

NO_IMAGES = (
    *("DAMSM", "JointEmbedding", "MidiNet", "SeqGAN", "GumbelGAN"),
    *("WaveGAN", "SpecGAN", "HiFiGAN", "Pix2Code"),
)
OWN_NETWORKS: dict[type[AdversarialModule], dict[str, Any]] = {
    # As published it has dropout, and no two translations are the same.
    Pix2Pix: {"generator": partial(UNet, width=2, dropout=0.0)},
}


CALMED: dict[type[AdversarialModule], float] = {IAN: 0.8}
"""Networks in which vivid weights make numbers so large that onnxruntime has NaN of them, and torch has none."""


def run(path: Path, **inputs: Tensor) -> Tensor:
    """The images of an ONNX file."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (images,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
    return torch.from_numpy(images)


def about(path: Path) -> dict[str, Any]:
    """What an ONNX file says of itself."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map["gan_lightning"])
    return known


def assert_same_pictures(made: Tensor, wanted: Tensor) -> None:
    """Equal but for the rounding of a level; and pictures that differ, or any would do."""
    one, other = to_uint8(made).int(), to_uint8(wanted).int()
    assert one.shape == other.shape
    assert (one - other).abs().max() <= 1
    assert other.float().std() > 1
    assert (other[0] - other[1]).abs().max() > 2


def pictures_of(game: Any) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs of a game's network, and the images that the game itself makes of the same."""
    torch.manual_seed(1)
    if isinstance(game, TranslationGame):
        side = game.side_multiple * -(-24 // game.side_multiple)
        images = 2 * torch.rand(2, game.given_channels * getattr(game, "n_given", 1), side, 2 * side) - 1
        if isinstance(game, StarGAN):
            edits = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
            return {"image": images, "attributes": edits}, game._translated(images, edits)
        made = game.translate(images)
        if isinstance(game, VideoGame):
            return {"frames": images}, made
        if isinstance(game, Colorization):
            return {"image": images, "hints": torch.zeros(2, 2, side, 2 * side), "palette": torch.zeros(2, 513)}, made
        return {"image": images}, made
    inputs = {"latent": game.latents_of_samples(2, 7, 3, None)}  # a seed's pictures
    if isinstance(game, TextGame):
        inputs["tokens"] = game.tokenizer.encode([TEXTS[i % 3] for i in range(2, 7)])
        return inputs, game.sample(5, seed=3, start=2, texts=TEXTS[:3])
    if isinstance(game, LabelGame) and game.num_classes is not None:
        inputs["labels"] = game.labels_of_samples(2, 7, 3, None)
    if isinstance(game, InfoGAN):
        noise, category, continuous = game.parts(inputs["latent"])
        inputs = {"latent": noise, "category": category.argmax(1), "continuous": continuous}
    if isinstance(game, StyleGAN | StyleGAN2):
        inputs["truncation"] = torch.tensor(1.0)
    return inputs, game.sample(5, seed=3, start=2)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_every_variant_makes_the_same_pictures_in_onnxruntime(variant: type[AdversarialModule], tmp_path: Path) -> None:
    """Those of a seed, in a batch that the file was not made of."""
    path = tmp_path / "model.onnx"
    if variant.__name__ in NO_IMAGES:
        with pytest.raises(ValueError, match="makes no images"):
            export(small(variant), path)
        return
    game = vivid(variant, **OWN_NETWORKS.get(variant, {}))
    with torch.no_grad():
        for weight in game.averaged_generator.parameters():
            weight.mul_(CALMED.get(variant, 1.0))
    game.eval()
    made = export(game, path)
    inputs, wanted = pictures_of(game)
    assert [*made.inputs] == [*inputs]
    assert_same_pictures(run(path, **inputs), wanted)
    assert game.training is False
    known = about(path)
    assert known["variant"].endswith(variant.__name__)
    assert known["citation"].startswith(" ".join((variant.__doc__ or "").split())[:20])
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()


@pytest.mark.parametrize("variant", [DCGAN, GANCLS, InfoGAN, StyleGAN2, CycleGAN, Colorization])
def test_every_kind_makes_the_same_pictures_in_torch_alone(variant: type[AdversarialModule], tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    game = vivid(variant)
    export(game, path, "torch")
    known = {"gan_lightning.json": ""}
    program = torch.export.load(path, extra_files=known)
    inputs, wanted = pictures_of(game)
    network: Any = program.module()
    assert_same_pictures(network(**inputs).detach(), wanted)
    assert json.loads(known["gan_lightning.json"])["inputs"].keys() == inputs.keys()
    with zipfile.ZipFile(path) as parts:
        contents = {name: parts.read(name) for name in parts.namelist()}
    # The one part that torch may load as a pickle with code in it is empty.
    assert [content for name, content in contents.items() if "sample_inputs" in name] == [b""]
    assert not any(str(Path(__file__).parents[2]).encode() in content for content in contents.values())


def test_weights_are_those_of_a_pretrained_model(tmp_path: Path) -> None:
    game = vivid(DCGAN)
    export(game, tmp_path / "model.safetensors", "safetensors")
    loaded: Any = from_pretrained(tmp_path / "model.safetensors")
    assert torch.equal(loaded.sample(2), game.sample(2))


def test_truncation_is_an_input(tmp_path: Path) -> None:
    game = vivid(StyleGAN2, num_classes=3)
    game.averaged_generator.mapping.mean_style.uniform_(-2, 2)
    export(game, tmp_path / "model.onnx")
    inputs = {"latent": game.latents_of_samples(0, 4, 0, None), "labels": torch.tensor([2, 0, 1, 2])}
    made = {psi: run(tmp_path / "model.onnx", **inputs, truncation=torch.tensor(psi)) for psi in (0.0, 0.5, 1.0)}
    for psi in (0.5, 1.0):
        assert_same_pictures(made[psi], game.sample(4, labels=[2, 0, 1, 2], truncation=psi))
    assert (made[0.5] - made[1.0]).abs().max() > 0.02
    # The mean image, whatever the latent.
    assert torch.equal(made[0.0][:1].expand_as(made[0.0]), made[0.0])


@pytest.mark.parametrize(("variant", "domain", "other"), [(CoGAN, "B", "A"), (CycleGAN, "night", "day")])
def test_domains(variant: type[AdversarialModule], domain: str, other: str, tmp_path: Path) -> None:
    named = {"domain_names": ["night", "day"]} if variant is CycleGAN else {}
    game = vivid(variant, **named)
    for name in (domain, other):
        export(game, tmp_path / f"{name}.onnx", domain=name)
    inputs, by_default = pictures_of(game)
    wanted = game.translate(inputs["image"], "BtoA") if variant is CycleGAN else game.sample(5, 3, 2, domain="B")
    assert_same_pictures(run(tmp_path / f"{domain}.onnx", **inputs), wanted)
    assert_same_pictures(run(tmp_path / f"{other}.onnx", **inputs), by_default)
    with pytest.raises(ValueError, match="domain 'dusk'"):
        export(game, tmp_path / "dusk.onnx", domain="dusk")
    with pytest.raises(ValueError, match="of all domains"):
        export(game, tmp_path / "weights.safetensors", "safetensors", domain)


@pytest.mark.parametrize(
    "given",
    [
        "drawing",
        # The search for colours that screens have makes a network of a thousand operations.
        pytest.param("photograph", marks=pytest.mark.slow),
    ],
)
def test_hints_and_palettes_are_inputs(given: str, tmp_path: Path) -> None:
    """A red square about a point, painted by hand, and the palette of another picture."""
    condition_shape = (1, 16, 16) if given == "drawing" else None
    game = vivid(Colorization, image_shape=(3, 16, 16), condition_shape=condition_shape, largest_hint=5)
    export(game, tmp_path / "model.onnx")
    torch.manual_seed(0)
    image = 2 * torch.rand(2, 1 if given == "drawing" else 3, 16, 32) - 1
    red = game.colors.made(torch.tensor([1.0, -1.0, -1.0])[None, :, None, None])
    hints = torch.zeros(2, game.colors.n_made + 1, 16, 32)
    hints[:, :, 4:7, 9:12] = torch.cat([red, torch.ones(1, 1, 1, 1)], dim=1)
    other = 2 * torch.rand(2, 3, 8, 8) - 1
    inputs = {"image": image, "hints": hints, "palette": palettes(game.colors.made(other))}
    wanted = game.translate(image, hints=[Hint(10, 5, (255, 0, 0))], reference=other)
    assert_same_pictures(run(tmp_path / "model.onnx", **inputs), wanted)
    assert (wanted - game.translate(image, reference=other)).abs().max() > 0.02
    assert (wanted - game.translate(image, hints=[Hint(10, 5, (255, 0, 0))])).abs().max() > 0.02
    assert about(tmp_path / "model.onnx")["given"] == given


def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    names = [f"digit {i}" for i in range(10)]
    export(small(ConditionalGAN, num_classes=10, class_names=names), tmp_path / "labels.onnx")
    known = about(tmp_path / "labels.onnx")
    assert known["class_names"] == names
    assert known["inputs"]["labels"] == {"shape": ["batch"], "type": "int64", "about": "classes, 0 to 9"}
    assert known["inputs"]["latent"]["shape"] == ["batch", 4]
    assert known["output"] == {"name": "images", "range": [-1, 1]}
    assert known["game_step"] == 0
    game: Any = small(GANCLS)
    export(game, tmp_path / "text.onnx")
    assert about(tmp_path / "text.onnx")["tokenizer"] == game.tokenizer.json


def test_axes_have_names(tmp_path: Path) -> None:
    export(small(SRGAN), tmp_path / "large.onnx")
    export(small(Pix2Pix), tmp_path / "same.onnx")
    for name, shape in (("large", ["batch", 1, "2*height", "2*width"]), ("same", ["batch", 1, "height", "width"])):
        session = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx"))
        (given,), (made,) = session.get_inputs(), session.get_outputs()
        assert (given.shape, made.shape) == (["batch", 1, "height", "width"], shape)
    assert about(tmp_path / "same.onnx")["multiples"] == {"height": 16, "width": 16}


class OfOneSize(nn.Module):
    """A translator that takes images of one size only."""

    def __init__(self, given: tuple[int, int, int], made: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = made
        self.layer = nn.Linear(given[1] * given[2], made[1] * made[2])

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(self.layer(image.flatten(1))).unflatten(1, self.shape)


def test_sides_are_fixed_where_the_network_fixes_them(tmp_path: Path) -> None:
    game = vivid(Pix2Pix, generator=OfOneSize)
    made = export(game, tmp_path / "model.onnx")
    assert made.inputs == {"image": ["batch", 1, 16, 16]}
    image = 2 * torch.rand(3, 1, 16, 16) - 1
    assert_same_pictures(run(tmp_path / "model.onnx", image=image), game.translate(image))


class Drawing(nn.Module):
    """A generator with random numbers of its own."""

    def __init__(self, shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, latent: Tensor) -> Tensor:
        return self.weight * torch.rand(latent.shape[0], *self.shape)


class Choosing(Drawing):
    """A generator that chooses by the value of its input."""

    def forward(self, latent: Tensor) -> Tensor:
        sign = 1 if latent.sum() > 0 else -1
        return sign * self.weight * latent[:, :1, None, None].expand(-1, *self.shape)


class FourierGenerator(Drawing):
    """A generator of an operation that ONNX does not have."""

    def forward(self, latent: Tensor) -> Tensor:
        logarithm = torch.special.bessel_j0(latent[:, :1, None, None])
        return self.weight * logarithm.expand(-1, *self.shape)


@pytest.mark.parametrize(
    ("network", "format", "says"),
    [
        (Drawing, "onnx", "other images than torch"),
        (Drawing, "torch", "other images than torch"),
        (Choosing, "onnx", "must not choose by the values"),
        (FourierGenerator, "onnx", "Try the format torch"),
    ],
)
def test_nothing_is_written_of_a_network_that_cannot_be_exported(
    network: type, format: str, says: str, tmp_path: Path
) -> None:
    suffix = {"onnx": ".onnx", "torch": ".pt2"}[format]
    with pytest.raises(ValueError, match=says) as raised:
        export(small(DCGAN, generator=network), tmp_path / f"model{suffix}", format)
    assert "\n" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_random_numbers_go_on_as_before(tmp_path: Path) -> None:
    game = small(DCGAN)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    export(game, tmp_path / "model.pt2", "torch")
    assert torch.equal(torch.rand(3), wanted)
    assert game.training


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"onnxscript is not installed: pip install 'gan-lightning\[export\]'"
    ):
        export(small(DCGAN), tmp_path / "model.onnx")


def test_formats_and_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no format 'tflite': choose onnx, torch, safetensors"):
        export(small(DCGAN), tmp_path / "model.tflite", "tflite")
    with pytest.raises(ValueError, match=r"must end with \.pt2"):
        export(small(DCGAN), tmp_path / "model.onnx", "torch")
