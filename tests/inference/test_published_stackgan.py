"""Weights of StackGAN, StackGAN++ and AttnGAN compute here what the authors' layers compute, with their names.

Each pass below is written after its code's source, in functional torch; the weights come into being on the way.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.inference.checkpoint import CheckpointError
from gan_lightning.networks import (
    AttnGANGenerator,
    LSTMTextEncoder,
    StackGANGenerator,
    StackGANPlusPlusGenerator,
    TextDiscriminator,
)
from gan_lightning.networks.damsm import InceptionRegionEncoder
from gan_lightning.networks.stackgan import StackGANStage1
from gan_lightning.variants import DAMSM, GANCLS
from tests.helpers.games import small

NZ, NC, NT = 3, 4, 5
"""Lengths of latent, condition and features of texts."""


class Theirs:
    """Layers that draw their weights at the first use and keep them by name."""

    def __init__(self) -> None:
        self.rng = torch.Generator().manual_seed(1)
        self.weights: dict[str, Tensor] = {}

    def drawn(self, name: str, *shape: int, scale: float) -> Tensor:
        self.weights[name] = scale * torch.randn(*shape, generator=self.rng)
        return self.weights[name]

    def conv(self, name: str, x: Tensor, outputs: int, kernel: int, stride: int, bias: bool = False) -> Tensor:
        padding = {1: 0, 3: 1, 4: 1}[kernel] if stride < 4 else 0
        taps = x.shape[1] * kernel**2
        weight = self.drawn(f"{name}.weight", outputs, x.shape[1], kernel, kernel, scale=taps**-0.5)
        offset = self.drawn(f"{name}.bias", outputs, scale=0.3) if bias else None
        return F.conv2d(x, weight, offset, stride=stride, padding=padding)

    def linear(self, name: str, x: Tensor, outputs: int, bias: bool) -> Tensor:
        weight = self.drawn(f"{name}.weight", outputs, x.shape[1], scale=x.shape[1] ** -0.5)
        return F.linear(x, weight, self.drawn(f"{name}.bias", outputs, scale=0.3) if bias else None)

    def norm(self, name: str, x: Tensor) -> Tensor:
        n = x.shape[1]
        mean, shift = self.drawn(f"{name}.running_mean", n, scale=0.3), self.drawn(f"{name}.bias", n, scale=0.3)
        scale = self.drawn(f"{name}.weight", n, scale=0.3).add_(1)
        var = self.drawn(f"{name}.running_var", n, scale=0.3).abs_().add_(0.5)
        self.weights[f"{name}.num_batches_tracked"] = torch.tensor(7)
        return F.batch_norm(x, mean, var, scale, shift)

    def up(self, name: str, x: Tensor, outputs: int, gated: bool) -> Tensor:
        x = self.conv(f"{name}.1", F.interpolate(x, scale_factor=2), outputs * (1 + gated), 3, 1)
        return activated(self.norm(f"{name}.2", x), gated)

    def same(self, name: str, x: Tensor, outputs: int, gated: bool) -> Tensor:
        return activated(self.norm(f"{name}.1", self.conv(f"{name}.0", x, outputs * (1 + gated), 3, 1)), gated)

    def residual(self, name: str, x: Tensor, gated: bool) -> Tensor:
        n = x.shape[1]
        y = activated(self.norm(f"{name}.1", self.conv(f"{name}.0", x, n * (1 + gated), 3, 1)), gated)
        y = self.norm(f"{name}.4", self.conv(f"{name}.3", y, n, 3, 1)) + x
        return y if gated else F.relu(y)

    def condition(self, name: str, text: Tensor, noise: Tensor, gated: bool) -> Tensor:
        x = activated(self.linear(name, text, NC * (4 if gated else 2), bias=True), gated)
        return x[:, :NC] + (0.5 * x[:, NC:]).exp() * noise

    def first(self, prefix: str, vector: Tensor, width: int, ups: int, gated: bool) -> Tensor:
        x = self.norm(f"{prefix}fc.1", self.linear(f"{prefix}fc.0", vector, width * 16 * (1 + gated), bias=False))
        x = activated(x, gated).view(-1, width, 4, 4)
        for number in range(1, ups + 1):
            x = self.up(f"{prefix}upsample{number}", x, width >> number, gated)
        return x

    def image(self, name: str, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(name, x, 3, 3, 1))


def activated(x: Tensor, gated: bool) -> Tensor:
    n = x.shape[1] // 2
    return x[:, :n] * torch.sigmoid(x[:, n:]) if gated else F.relu(x)


def tiled(condition: Tensor, like: Tensor) -> Tensor:
    return condition[:, :, None, None].repeat(1, 1, *like.shape[2:])


def stage1(net: Theirs, z: Tensor, noise: Tensor, text: Tensor, prefix: str = "", gf: int = 2) -> Tensor:
    condition = net.condition(f"{prefix}ca_net.fc", text, noise, gated=False)
    x = net.first(prefix, torch.cat([z, condition], 1), 8 * gf, 4, gated=False)
    return net.image(f"{prefix}img.0", x)


def stage2(net: Theirs, z: Tensor, noises: Tensor, text: Tensor, gf: int = 16) -> Tensor:
    sketch = stage1(net, z, noises[:, :NC], text, "STAGE1_G.", gf)
    condition = net.condition("ca_net.fc", text, noises[:, NC:], gated=False)
    x = F.relu(net.conv("encoder.0", sketch, gf, 3, 1))
    for place, outputs in ((2, 2 * gf), (5, 4 * gf)):
        x = F.relu(net.norm(f"encoder.{place + 1}", net.conv(f"encoder.{place}", x, outputs, 4, 2)))
    x = net.same("hr_joint", torch.cat([x, tiled(condition, x)], 1), 4 * gf, gated=False)
    for number in range(2):
        x = net.residual(f"residual.{number}.block", x, gated=False)
    for number, outputs in enumerate((2 * gf, gf, gf // 2, gf // 4), 1):
        x = net.up(f"upsample{number}", x, outputs, gated=False)
    return net.image("img.0", x)


def stackgan_pp(net: Theirs, z: Tensor, noise: Tensor, text: Tensor, gf: int = 4) -> list[Tensor]:
    condition = net.condition("ca_net.fc", text, noise, gated=True)
    x = net.first("h_net1.", torch.cat([condition, z], 1), 16 * gf, 4, gated=True)
    images = [net.image("img_net1.img.0", x)]
    for stage in (2, 3):
        n, name = x.shape[1], f"h_net{stage}"
        x = net.same(f"{name}.jointConv", torch.cat([tiled(condition, x), x], 1), n, gated=True)
        for number in range(2):
            x = net.residual(f"{name}.residual.{number}.block", x, gated=True)
        x = net.up(f"{name}.upsample", x, n // 2, gated=True)
        images.append(net.image(f"img_net{stage}.img.0", x))
    return images


def attngan(
    net: Theirs, z: Tensor, noise: Tensor, text: Tensor, words: Tensor, lengths: list[int], stages: int, gf: int = 2
) -> list[Tensor]:
    condition = net.condition("ca_net.fc", text, noise, gated=True)
    x = net.first("h_net1.", torch.cat([condition, z], 1), 16 * gf, 4, gated=True)
    images = [net.image("img_net1.img.0", x)]
    for stage in range(2, stages + 1):
        name = f"h_net{stage}"
        known = net.conv(f"{name}.att.conv_context", words[..., None], gf, 1, 1)[..., 0]  # n x gf x T
        seen = []
        for features, own, length in zip(x, known, lengths, strict=True):
            # Each image looks at its own words only; in the authors' code the masks lie on other images.
            attention = torch.softmax(features.flatten(1).T @ own[:, :length], 1)  # places x words
            seen.append((own[:, :length] @ attention.T).view_as(features))
        x = torch.cat([x, torch.stack(seen)], 1)
        for number in range(2):
            x = net.residual(f"{name}.residual.{number}.block", x, gated=True)
        x = net.up(f"{name}.upsample", x, gf, gated=True)
        images.append(net.image(f"img_net{stage}.img.0", x))
    return images


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def features_of(net: Theirs, names: list[tuple[str, int, int]], x: Tensor) -> Tensor:
    """Convolutions by name, channels and kernel; the first has no norm, which is named next to its convolution."""
    for number, (name, outputs, kernel) in enumerate(names):
        x = net.conv(name, x, outputs, kernel, 2 if kernel == 4 else 1)
        if number:
            trunk, _, place = name.rpartition(".")
            x = net.norm(f"{trunk}.{int(place) + 1}", x)
        x = leaky(x)
    return x


def trunk(program: str, side: int, df: int) -> list[tuple[str, int, int]]:
    halvings = {64: 4, 128: 5, 256: 6}[side]
    widths = [df * 2**level for level in range(halvings)]
    places = [0, 2, 5, 8, 11, 14, 17, 20]
    back = [16 * df, 8 * df][6 - halvings :]
    if program == "StackGAN":
        kernels = [4] * halvings + [3] * len(back)
        return [(f"encode_img.{p}", n, k) for p, n, k in zip(places, [*widths, *back], kernels, strict=False)]
    names = [(f"img_code_s16.{place}", n, 4) for place, n in zip(places, widths[:4], strict=False)]
    later = [f"img_code_s{2 ** (5 + level)}" for level in range(halvings - 4)]
    names += [(f"{name}.0", n, 4) for name, n in zip(later, widths[4:], strict=True)]
    return names + [(f"{later[-1]}_{number}.0", n, 3) for number, n in enumerate(back, 1)]


HEADS = {
    "StackGAN": ("get_cond_logits.outlogits", "get_cond_logits.outlogits.3", "get_uncond_logits.outlogits.0"),
    "StackGAN++": ("jointConv", "logits.0", "uncond_logits.0"),
    "AttnGAN": ("COND_DNET.jointConv", "COND_DNET.outlogits.0", "UNCOND_DNET.outlogits.0"),
}


def judged(
    net: Theirs, program: str, images: Tensor, condition: Tensor, alone: bool, df: int = 2
) -> tuple[Tensor | None, Tensor]:
    x = features_of(net, trunk(program, images.shape[2], df), images)
    join, of_pair, of_image = HEADS[program]
    parts = [tiled(condition, x), x] if program == "StackGAN++" else [x, tiled(condition, x)]
    pair = leaky(net.norm(f"{join}.1", net.conv(f"{join}.0", torch.cat(parts, 1), 8 * df, 3, 1)))
    of_pairs = net.conv(of_pair, pair, 1, 4, 4, bias=True).flatten()
    return net.conv(of_image, x, 1, 4, 4, bias=True).flatten() if alone else None, of_pairs


def saved(weights: dict[str, Tensor], folder: Path) -> Path:
    torch.save(weights, folder / "netG.pth")
    return folder / "netG.pth"


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Latents, noise of two conditions, features of texts."""
    rng = torch.Generator().manual_seed(2)
    return tuple(torch.randn(3, n, generator=rng) for n in (NZ, 2 * NC, NT))  # type: ignore[return-value]


def test_stage_1_of_stackgan(inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    (z, noises, text), net = inputs, Theirs()
    expected = stage1(net, z, noises[:, :NC], text)
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, StackGANStage1)
    assert expected.std() > 0.1
    with torch.no_grad():
        assert_close(ours(z, noises[:, :NC], text), expected, rtol=0, atol=1e-5)


def test_stage_2_of_stackgan(inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    (z, noises, text), net = inputs, Theirs()
    expected = stage2(net, z, noises, text)
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, StackGANGenerator)
    assert expected.shape == (3, 3, 256, 256)
    assert expected.std() > 0.1
    with torch.no_grad():
        assert_close(ours(torch.cat([z, noises], 1), text), expected, rtol=0, atol=1e-5)


def test_stackgan_pp(inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    (z, noises, text), net = inputs, Theirs()
    expected = stackgan_pp(net, z, noises[:, :NC], text)
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, StackGANPlusPlusGenerator)
    with torch.no_grad():
        images = ours.images(torch.cat([z, noises[:, :NC]], 1), text)
    assert [*images] == [64, 128, 256]
    for made, theirs in zip(images.values(), expected, strict=True):
        assert theirs.std() > 0.1
        assert_close(made, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_attngan(stages: int, inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    (z, noises, text), net = inputs, Theirs()
    words, lengths = torch.randn(3, NT, 6), [2, 6, 1]
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    expected = attngan(net, z, noises[:, :NC], text, words, lengths, stages)
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, AttnGANGenerator)
    with torch.no_grad():
        images = ours.images(torch.cat([z, noises[:, :NC]], 1), text, words, mask)
    assert len(images) == stages
    for made, theirs in zip(images.values(), expected, strict=True):
        assert theirs.std() > 0.1
        assert_close(made, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("program", "side", "alone"),
    [
        ("StackGAN", 64, False),
        ("StackGAN", 256, True),
        ("StackGAN++", 64, True),
        ("StackGAN++", 128, True),
        ("StackGAN++", 256, True),
        ("AttnGAN", 64, True),
        ("AttnGAN", 128, True),
        ("AttnGAN", 256, True),
    ],
)
def test_discriminators(program: str, side: int, alone: bool, inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    net, images = Theirs(), torch.rand(3, 3, side, side) * 2 - 1
    expected = judged(net, program, images, inputs[2], alone)
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, TextDiscriminator)
    assert expected[1].std() > 1e-3
    with torch.no_grad():
        for made, theirs in zip(ours(images, inputs[2]), expected, strict=True):
            assert_close(made, theirs, rtol=0, atol=1e-5)


def test_image_encoder(tmp_path: Path) -> None:
    ours = InceptionRegionEncoder(embed_dim=5, weights="later")
    weights = {}
    for name, value in ours.state_dict().items():
        drawn = torch.rand_like(value.float()).to(value.dtype)
        weights[name.removeprefix("inception.").replace("of_regions", "emb_features")] = drawn
    weights = {name.replace("of_image", "emb_cnn_code"): value for name, value in weights.items()}
    back = inference.reference_network(saved(weights, tmp_path))
    assert isinstance(back, InceptionRegionEncoder)
    assert [*back.state_dict()] == [*ours.state_dict()]
    assert all(torch.equal(*pair) for pair in zip(back.state_dict().values(), weights.values(), strict=True))


def lstm(net: Theirs, words: Tensor, hidden: int, turned: str) -> Tensor:
    """States of a direction, T x hidden, of the vectors of one text, by torch's documented equations."""
    of_inputs, of_states, bias, other_bias = (
        net.weights[name] if (name := f"rnn.{each}_l0{turned}") in net.weights else net.drawn(name, *shape, scale=0.5)
        for each, shape in (
            ("weight_ih", (4 * hidden, words.shape[1])),
            ("weight_hh", (4 * hidden, hidden)),
            ("bias_ih", (4 * hidden,)),
            ("bias_hh", (4 * hidden,)),
        )
    )
    h = c = torch.zeros(hidden)
    states = []
    for x in words.flip(0) if turned else words:
        i, f, g, o = (of_inputs @ x + bias + of_states @ h + other_bias).chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states[::-1] if turned else states)


def text_encoder(net: Theirs, captions: Tensor, lengths: list[int], hidden: int = 3) -> tuple[Tensor, Tensor]:
    """RNN_ENCODER: words N x 2 hidden x T of padding 0, and the last state of each direction."""
    table = net.drawn("encoder.weight", 9, 4, scale=1.0)
    words, sentences = torch.zeros(len(captions), 2 * hidden, captions.shape[1]), []
    for row, (caption, length) in enumerate(zip(captions, lengths, strict=True)):
        ahead, back = (lstm(net, table[caption[:length]], hidden, turned) for turned in ("", "_reverse"))
        words[row, :, :length] = torch.cat([ahead, back], 1).T
        sentences.append(torch.cat([ahead[-1], back[0]]))
    return words, torch.stack(sentences)


def test_text_encoder(tmp_path: Path) -> None:
    net, captions = Theirs(), torch.tensor([[4, 1, 8, 2], [3, 5, 0, 0], [7, 0, 0, 0]])
    words, sentence = text_encoder(net, captions, [4, 2, 1])
    ours = inference.reference_network(saved(net.weights, tmp_path))
    assert isinstance(ours, LSTMTextEncoder)
    with torch.no_grad():
        text = ours(captions)
    assert_close(text.words, words, rtol=0, atol=1e-6)
    assert_close(text.sentence, sentence, rtol=0, atol=1e-6)


def test_a_game_begins_with_the_published_encoders(tmp_path: Path) -> None:
    vocabulary = {"<end>": 0, **{f"w{i}": i for i in range(1, 9)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(4)
    net = Theirs()
    _, sentence = text_encoder(net, torch.tensor([[4, 1, 8, 2]]), [4])
    path = saved(net.weights, tmp_path)
    arguments: dict[str, Any] = {"tokenizer": tokenizer.to_str()}
    encoder = partial(LSTMTextEncoder, embed_dim=6, word_dim=4)
    game: Any = small(GANCLS, text_encoder=encoder, **arguments)
    with pytest.warns(UserWarning, match=r"its word i is taken to be token i of the data's tokenizer"):
        (report,) = inference.init_from(game, {"text_encoder": path})
    assert str(report) == f"text_encoder: all of {path}."
    assert_close(game.encode_texts(["w4 w1 more w8 w2"]).sentence, sentence, rtol=0, atol=1e-6)
    pairs: Any = small(DAMSM, text_encoder=encoder, **arguments)
    inference.init_from(pairs, {"generator": path})
    assert_close(pairs.encode_texts(["w4 w1 w8 w2"]).sentence, sentence, rtol=0, atol=1e-6)
    other = small(GANCLS, text_encoder=partial(LSTMTextEncoder, embed_dim=6, word_dim=4))
    with pytest.raises(CheckpointError, match=r"like that of this GANCLS, embedding.weight \(.* x 4, there 9 x 4\)"):
        inference.init_from(other, {"text_encoder": path})


MISTAKES: dict[str, tuple[Callable[[Theirs, Any], Any], str]] = {
    "a generator": (lambda net, given: stage1(net, *given), "holds a generator of images from features of texts"),
    "an encoder of texts": (
        lambda net, given: text_encoder(net, torch.tensor([[1]]), [1]),
        "holds an encoder of texts, which makes no images",
    ),
    "an encoder of texts by GRU": (
        lambda net, given: (
            text_encoder(net, torch.tensor([[1]]), [1]),
            net.drawn("rnn.weight_hh_l0", 9, 3, scale=1.0),
        ),
        "cannot be used: its encoder of texts is a GRU, and ours is an LSTM",
    ),
    "a tree without texts": (
        lambda net, given: net.first("h_net1.", given[0], 16, 4, gated=True),
        "cannot be used: it is a StackGAN.. without texts",
    ),
    "a discriminator without texts": (
        lambda net, given: features_of(net, trunk("StackGAN++", 64, 2), torch.zeros(1, 3, 64, 64)),
        "cannot be used: it is a discriminator without texts",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_makes_no_images(mistake: str, inputs: tuple[Tensor, ...], tmp_path: Path) -> None:
    make, says = MISTAKES[mistake]
    net = Theirs()
    make(net, (inputs[0], inputs[1][:, :NC], inputs[2]))
    with pytest.raises(CheckpointError, match=says):
        inference.load_reference(saved(net.weights, tmp_path))
