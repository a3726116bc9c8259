"""Weights of BigGAN-PyTorch compute here what its layers compute, written out with its names in functional torch."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.games.label import LabelGame
from gan_lightning.inference.initialisation import init_from
from gan_lightning.inference.published import biggan_pytorch
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator
from gan_lightning.variants import BigGAN
from tests.helpers.games import small

Weights = dict[str, Tensor]
CLASSES = 3
UP = {32: [4, 4, 4, 4], 64: [16, 16, 8, 4, 2], 128: [16, 16, 8, 4, 2, 1]}
DOWN = {32: [4, 4, 4, 4], 64: [1, 2, 4, 8, 16], 128: [1, 2, 4, 8, 16, 16]}
HALVING = {32: 2, 64: 4, 128: 5}
"""How many of the discriminator's blocks halve the side."""


class Random:
    """State dicts at random, made layer by layer."""

    def __init__(self, seed: int) -> None:
        self.rng = torch.Generator().manual_seed(seed)
        self.weights: Weights = {}

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.rng)

    def layer(self, name: str, *shape: int, bias: bool = True) -> None:
        """A spectrally normalised layer: a vector u, here of any length as in an average, and a value for the log."""
        self.weights |= {
            f"{name}.weight": self.draw(*shape),
            f"{name}.u0": self.draw(1, shape[0]) * 0.7,
            f"{name}.sv0": torch.ones(1),
        }
        if bias:
            self.weights[f"{name}.bias"] = self.draw(shape[0]) * 0.1

    def statistics(self, name: str, channels: int) -> None:
        self.weights[f"{name}.stored_mean"] = self.draw(channels) * 0.3
        self.weights[f"{name}.stored_var"] = self.draw(channels).square() + 0.5

    def attention(self, name: str, channels: int) -> None:
        for part, (outputs, inputs) in {
            "theta": (channels // 8, channels),
            "phi": (channels // 8, channels),
            "g": (channels // 2, channels),
            "o": (channels, channels // 2),
        }.items():
            self.layer(f"{name}.{part}", outputs, inputs, 1, 1, bias=False)
        self.weights[f"{name}.gamma"] = torch.tensor(0.8)


def generator(
    side: int, latent: int, shared: int | None, hierarchical: bool, attention: int | None, width: int = 2
) -> Weights:
    random, widths = Random(1), [width * times for times in UP[side]]
    part = latent // len(widths) if hierarchical else 0
    random.layer("linear", widths[0] * 16, part or latent)
    if shared is not None:
        random.weights["shared.weight"] = random.draw(CLASSES, shared)
    for number in range(len(widths) - 1):
        inputs, outputs = widths[number : number + 2]
        block = f"blocks.{number}.0"
        for norm, channels in (("bn1", inputs), ("bn2", outputs)):
            for modulation in ("gain", "bias"):
                if shared is None:
                    random.weights[f"{block}.{norm}.{modulation}.weight"] = random.draw(CLASSES, channels) * 0.3
                else:
                    random.layer(f"{block}.{norm}.{modulation}", channels, shared + part, bias=False)
            random.statistics(f"{block}.{norm}", channels)
        random.layer(f"{block}.conv1", outputs, inputs, 3, 3)
        random.layer(f"{block}.conv2", outputs, outputs, 3, 3)
        random.layer(f"{block}.conv_sc", outputs, inputs, 1, 1)
        if 8 * 2**number == attention:
            random.attention(f"blocks.{number}.1", outputs)
    random.weights["output_layer.0.gain"] = random.draw(widths[-1]) + 1
    random.weights["output_layer.0.bias"] = random.draw(widths[-1])
    random.statistics("output_layer.0", widths[-1])
    random.layer("output_layer.2", 3, widths[-1], 3, 3)
    return random.weights


def discriminator(side: int, attention: int | None, width: int = 2) -> Weights:
    random, widths = Random(2), [3, *(width * times for times in DOWN[side])]
    for number in range(len(widths) - 1):
        inputs, outputs = widths[number : number + 2]
        block = f"blocks.{number}.0"
        random.layer(f"{block}.conv1", outputs, inputs, 3, 3)
        random.layer(f"{block}.conv2", outputs, outputs, 3, 3)
        if inputs != outputs or number < HALVING[side]:
            random.layer(f"{block}.conv_sc", outputs, inputs, 1, 1)
        if number < HALVING[side] and side // 2 ** (number + 1) == attention:
            random.attention(f"blocks.{number}.1", outputs)
    random.layer("linear", 1, widths[-1])
    random.layer("embed", CLASSES, widths[-1], bias=False)
    return random.weights


def normalised(weights: Weights, name: str) -> Tensor:
    """W / sigma after one power iteration from u."""
    weight = weights[f"{name}.weight"]
    matrix = weight.reshape(len(weight), -1)
    v = weights[f"{name}.u0"] @ matrix
    v = v / v.norm()
    u = v @ matrix.t()
    u = u / u.norm()
    return weight / (v @ matrix.t() @ u.t()).squeeze()


def convolved(weights: Weights, name: str, x: Tensor) -> Tensor:
    weight = normalised(weights, name)
    return F.conv2d(x, weight, weights.get(f"{name}.bias"), padding=weight.shape[-1] // 2)


def attended(weights: Weights, name: str, x: Tensor) -> Tensor:
    theta, phi, g = (convolved(weights, f"{name}.{part}", x) for part in ("theta", "phi", "g"))
    phi, g = F.max_pool2d(phi, 2), F.max_pool2d(g, 2)
    beta = torch.einsum("ncq,nck->nqk", theta.flatten(2), phi.flatten(2)).softmax(-1)
    seen = torch.einsum("nck,nqk->ncq", g.flatten(2), beta).view(len(x), -1, *x.shape[2:])
    return weights[f"{name}.gamma"] * convolved(weights, f"{name}.o", seen) + x


def their_images(weights: Weights, latents: Tensor, labels: Tensor) -> Tensor:
    n_blocks = sum(name.endswith(".0.conv1.weight") for name in weights)
    shared = weights.get("shared.weight")
    gain = weights["blocks.0.0.bn1.gain.weight"]
    part = 0 if shared is None else gain.shape[1] - shared.shape[1]
    z = latents.split(part, dim=1) if part else [latents] * (n_blocks + 1)
    x = F.linear(z[0], normalised(weights, "linear"), weights["linear.bias"]).view(len(latents), -1, 4, 4)

    def modulated(x: Tensor, name: str, block: int) -> Tensor:
        x = F.batch_norm(x, weights[f"{name}.stored_mean"], weights[f"{name}.stored_var"], eps=1e-5)
        if shared is None:
            gain, bias = (weights[f"{name}.{which}.weight"][labels] for which in ("gain", "bias"))
        else:
            y = torch.cat([shared[labels], z[block + 1]], dim=1) if part else shared[labels]
            gain, bias = (F.linear(y, normalised(weights, f"{name}.{which}")) for which in ("gain", "bias"))
        return x * (1 + gain)[:, :, None, None] + bias[:, :, None, None]

    for number in range(n_blocks):
        block = f"blocks.{number}.0"
        h = F.interpolate(modulated(x, f"{block}.bn1", number).relu(), scale_factor=2)
        h = convolved(weights, f"{block}.conv1", h)
        h = convolved(weights, f"{block}.conv2", modulated(h, f"{block}.bn2", number).relu())
        x = h + convolved(weights, f"{block}.conv_sc", F.interpolate(x, scale_factor=2))
        if f"blocks.{number}.1.gamma" in weights:
            x = attended(weights, f"blocks.{number}.1", x)
    last = [weights[f"output_layer.0.{part}"] for part in ("stored_mean", "stored_var", "gain", "bias")]
    return convolved(weights, "output_layer.2", F.batch_norm(x, *last, eps=1e-5).relu()).tanh()


def their_logits(weights: Weights, images: Tensor, labels: Tensor) -> Tensor:
    side, x = images.shape[-1], images
    for number in range(len(DOWN[side])):
        block = f"blocks.{number}.0"
        h = convolved(weights, f"{block}.conv1", x if number == 0 else x.relu())
        h = convolved(weights, f"{block}.conv2", h.relu())
        if f"{block}.conv_sc.weight" in weights:
            x = convolved(weights, f"{block}.conv_sc", x)
        if number < HALVING[side]:
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        x = h + x
        if f"blocks.{number}.1.gamma" in weights:
            x = attended(weights, f"blocks.{number}.1", x)
    phi = x.relu().sum((2, 3))
    logits = F.linear(phi, normalised(weights, "linear"), weights["linear.bias"]).squeeze(1)
    return logits + (normalised(weights, "embed")[labels] * phi).sum(1)


GENERATORS: dict[str, tuple[int, int, int | None, bool, int | None]] = {
    "32, as the script for CIFAR-10": (32, 5, None, False, None),
    "32, shared": (32, 5, 4, False, 16),
    "64, shared and hierarchical": (64, 15, 4, True, 32),
    "128, as the script for ImageNet": (128, 12, 4, True, 64),
}


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("form", GENERATORS)
def test_a_generator_makes_their_images(form: str, tmp_path: Path) -> None:
    # Attention needs eight channels.
    side, latent, *_ = GENERATORS[form]
    weights = generator(*GENERATORS[form], width=8 if side == 128 else 2)
    model: Any = inference.load_reference(saved(weights, tmp_path / "G_ema.pth"))
    assert isinstance(model, LabelGame)
    assert isinstance(model.generator, BigGANGenerator)
    assert (model.image_shape, model.latent_dim, model.num_classes) == ((3, side, side), latent, CLASSES)
    latents, labels = torch.randn(4, latent), torch.tensor([0, 2, 1, 2])
    images = model(latents, labels)
    expected = their_images(weights, latents, labels)
    assert_close(images, expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1
    # As saved by a network in DataParallel, in a file of several
    parallel = {"G_ema": {f"module.{name}": weight for name, weight in weights.items()}, "itr": 7}
    assert_close(inference.load_reference(saved(parallel, tmp_path / "all.pth"))(latents, labels), images)


@pytest.mark.parametrize(("side", "attention"), [(32, None), (32, 16), (64, 16), (128, 64)])
def test_a_discriminator_gives_their_logits(side: int, attention: int | None, tmp_path: Path) -> None:
    weights = discriminator(side, attention, width=8 if side > 32 else 2)
    network = inference.reference_network(saved(weights, tmp_path / "D.pth"))
    assert isinstance(network, BigGANDiscriminator)
    images, labels = torch.rand(4, 3, side, side) * 2 - 1, torch.tensor([0, 2, 1, 2])
    assert_close(network(images, labels), their_logits(weights, images, labels), rtol=1e-4, atol=1e-3)


def test_their_other_norms(tmp_path: Path) -> None:
    """Their own BatchNorm and the synchronised one keep the same statistics under other names."""
    weights = generator(*GENERATORS["32, shared"])
    expected = inference.load_reference(saved(weights, tmp_path / "plain.pth")).generator.state_dict()
    for mean, counter in (("bn.stored_", {".bn.accumulation_counter": torch.zeros(1)}), ("bn.running_", {})):
        others: Weights = {}
        for name, weight in weights.items():
            others[name.replace("stored_", mean)] = weight
            if "stored_mean" in name:
                others |= {name.replace(".stored_mean", more): value for more, value in counter.items()}
        found = inference.load_reference(saved(others, tmp_path / "other.pth")).generator.state_dict()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_commands(tmp_path: Path) -> None:
    path = saved(generator(*GENERATORS["32, shared"]), tmp_path / "G_ema.pth")
    asked = ["--labels", "2", "--n", "3", "--truncation", "0.5", "--standing_statistics", "2"]
    assert main(["generate", "--ckpt", str(path), "--out", str(tmp_path / "out"), *asked]) == 0
    assert len(list((tmp_path / "out").glob("0*.png"))) == 3


def test_a_game_starts_from_them(tmp_path: Path) -> None:
    weights = generator(*GENERATORS["32, shared"])
    path = saved({"G_ema": weights, "D": discriminator(32, 16)}, tmp_path / "both.pth")
    model: Any = BigGAN(
        (3, 32, 32),
        5,
        CLASSES,
        generator=lambda *given: BigGANGenerator(*given, width=2, attention=16, shared_dim=4, hierarchical=False),
        discriminator=lambda *given: BigGANDiscriminator(*given, width=2, attention=16),
    )
    init_from(model, path)
    assert torch.equal(model.generator.shared.weight, weights["shared.weight"])
    latents, labels = torch.randn(2, 5), torch.tensor([0, 1])
    assert_close(model(latents, labels), their_images(weights, latents, labels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: {"blocks.0.0.conv3.weight": w["linear.weight"]}, "it is a BigGAN-deep, and we have no network"),
        (lambda w: {"blocks.0.1.gamma": w["blocks.1.1.gamma"]}, "it has self-attention on several maps"),
        (None, "its layers are not spectrally normalised"),
    ],
)
def test_what_we_have_no_network_for_is_refused(change: Any, sentence: str, tmp_path: Path) -> None:
    weights = generator(*GENERATORS["32, shared"])
    if change is None:
        weights = {name: weight for name, weight in weights.items() if "u0" not in name}
    else:
        weights |= change(weights)
    with pytest.raises(inference.CheckpointError, match=sentence):
        inference.load_reference(saved(weights, tmp_path / "G.pth"))


def test_others_are_left_to_other_sources() -> None:
    assert biggan_pytorch.recognise({"main.0.weight": torch.zeros(1)}) is None
    assert biggan_pytorch.recognise(dict(small(BigGAN).generator.state_dict())) is None
