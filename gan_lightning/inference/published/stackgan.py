"""Weights of StackGAN, StackGAN++ and AttnGAN by their authors' PyTorch codes.

github.com/hanzhanggit/StackGAN-Pytorch, hanzhanggit/StackGAN-v2 and taoxugit/AttnGAN: the later codes began as the
earlier ones, and name their layers alike. The files are ``netG_epoch_120.pth``, ``netD0.pth``, ``bird_AttnGAN2.pth``,
``text_encoder200.pth`` and ``image_encoder200.pth`` with their kin. Widths, depths and lengths are read off the shapes.

Generators take features of texts, which their files do not hold the encoder of: they make images in a game that has
it, which begins with them by ``init_from``. AttnGAN's encoder of texts is in a file of its own, without its vocabulary,
which is in the authors' ``captions.pickle``. A last sigmoid of the discriminators is in our losses.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gan_lightning.inference.published.networks import (
    Published,
    PublishedImageEncoder,
    PublishedTextDiscriminator,
    PublishedTextEncoder,
    PublishedTextGenerator,
)
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import (
    AttnGANGenerator,
    LSTMTextEncoder,
    StackGANGenerator,
    StackGANPlusPlusGenerator,
    TextDiscriminator,
)
from gan_lightning.networks.damsm import InceptionRegionEncoder
from gan_lightning.networks.stackgan import StackGANStage1

ABOUT = "StackGAN, StackGAN++ and AttnGAN (conditional generators and discriminators, AttnGAN's encoders)"

_CONDITION, _STAGE1, _TREE = "ca_net.fc.weight", "STAGE1_G.", "h_net1.fc.0.weight"
_REGIONS = "emb_features.weight"
_WORDS = "encoder.weight"
_OF_A_DIRECTION = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

_IN_A_STAGE = (
    (r"ca_net\.fc", r"conditioning.linear"),
    (r"hr_joint", r"join"),
    (r"jointConv", r"join"),
    (r"att\.conv_context", r"attention.words"),
    (r"residual\.(\d+)\.block", r"residual.\1.layers"),
    (r"upsample\.1", r"doubling.0"),
    (r"upsample\.2", r"doubling.1"),
    (r"img\.0", r"to_image.0"),
)
"""Their names in a stage and ours, but for those of a first stage and of the doublings."""

_IN_A_DISCRIMINATOR = {
    "encode_img": "features",
    "img_code_s16": "features",
    "get_cond_logits.outlogits.0": "join.0",
    "get_cond_logits.outlogits.1": "join.1",
    "get_cond_logits.outlogits.3": "of_pair",
    "get_uncond_logits.outlogits.0": "of_image",
    "jointConv": "join",
    "logits.0": "of_pair",
    "uncond_logits.0": "of_image",
    "COND_DNET.jointConv": "join",
    "COND_DNET.outlogits.0": "of_pair",
    "UNCOND_DNET.outlogits.0": "of_image",
}


def recognise(weights: Weights) -> Published | None:
    """The network that a state dict belongs to; None: none of them.

    Raises:
        ValueError: It is one without texts, AttnGAN's variant with a single image, or an encoder by GRU.
    """
    if _REGIONS in weights:
        return _image_encoder(weights)
    if {*weights} == {_WORDS, *(f"rnn.{name}{turned}" for name in _OF_A_DIRECTION for turned in ("", "_reverse"))}:
        return _text_encoder(weights)
    if "encode_img.0.weight" in weights or "img_code_s16.0.weight" in weights:
        return _discriminator(weights)
    if _TREE in weights:
        return _tree(weights)
    if _STAGE1 + _CONDITION in weights:
        return _both_stages(weights)
    if {_CONDITION, "fc.0.weight", "upsample1.1.weight"} <= weights.keys():
        return _stage1(weights)
    return None


# Generators.


def _stage1(weights: Weights) -> PublishedTextGenerator:
    shape, latent_dim, embed_dim, options = _of_stage1(weights)
    recipe = partial(StackGANStage1, **options)
    return PublishedTextGenerator(recipe, _renamed_stage1(weights), shape, latent_dim, embed_dim)


def _both_stages(weights: Weights) -> PublishedTextGenerator:
    sketch = {name.removeprefix(_STAGE1): weight for name, weight in weights.items() if name.startswith(_STAGE1)}
    finish = {name: weight for name, weight in weights.items() if not name.startswith(_STAGE1)}
    (channels, height, width), latent_dim, embed_dim, options = _of_stage1(sketch)
    # The first two doublings undo the halvings of the encoder.
    scale = 2 ** (_n_parts(r"upsample(\d+)\.", finish) - 2)
    recipe = partial(StackGANGenerator, **options, n_blocks=_n_parts(r"residual\.(\d+)\.", finish), scale=scale)
    ours = {f"stage1.{name}": weight for name, weight in _renamed_stage1(sketch).items()}
    for name, weight in finish.items():
        ours[f"stage2.{_numbered(_in_a_stage(name), 'doublings')}"] = weight
    ours["_extra_state"] = torch.tensor(2)
    return PublishedTextGenerator(recipe, ours, (channels, height * scale, width * scale), latent_dim, embed_dim)


def _of_stage1(weights: Weights) -> tuple[tuple[int, int, int], int, int, dict[str, Any]]:
    """Image shape, latent length, length of text features, and the options of a first stage."""
    side = 4 * 2 ** _n_parts(r"upsample(\d+)\.", weights)
    channels, last = weights["img.0.weight"].shape[:2]
    twice, embed_dim = weights[_CONDITION].shape
    options: dict[str, Any] = {"condition_dim": twice // 2, "width": 2 * last, "activation": "relu"}
    return (channels, side, side), weights["fc.0.weight"].shape[1] - twice // 2, embed_dim, options


def _renamed_stage1(weights: Weights) -> dict[str, Tensor]:
    return {_numbered(_in_a_stage(name), "first.doublings"): weight for name, weight in weights.items()}


def _tree(weights: Weights) -> PublishedTextGenerator:
    if _CONDITION not in weights:
        raise ValueError("it is a StackGAN++ without texts, and ours has them")
    if "img_net.img.0.weight" in weights:
        raise ValueError("it is the AttnGAN with a single image, and ours has one of each size")
    four, embed_dim = weights[_CONDITION].shape
    condition_dim = four // 4
    n_stages = _n_parts(r"h_net(\d+)\.", weights)
    attends = "h_net2.att.conv_context.weight" in weights
    ours: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.endswith("jointConv.0.weight"):
            weight = _features_first(weight, condition_dim)
        if name.endswith("att.conv_context.weight"):
            weight = weight[..., 0]  # of one dimension: words are in a row
        ours[_in_a_tree(name)] = weight
    channels, width = weights["img_net1.img.0.weight"].shape[:2]
    side = 4 * 2 ** _n_parts(r"h_net1\.upsample(\d+)\.", weights) * 2 ** (n_stages - 1)
    options: dict[str, Any] = {"condition_dim": condition_dim, "width": width, "n_stages": n_stages}
    options["n_blocks"] = _n_parts(r"h_net2\.residual\.(\d+)\.", weights)
    # A tree of one stage is the same network in both programs.
    kind = AttnGANGenerator if attends or n_stages == 1 else StackGANPlusPlusGenerator
    latent_dim = weights[_TREE].shape[1] - condition_dim
    return PublishedTextGenerator(partial(kind, **options), ours, (channels, side, side), latent_dim, embed_dim)


def _in_a_tree(name: str) -> str:
    name = re.sub(r"^img_net(\d+)\.img", lambda found: f"to_images.{int(found[1]) - 1}", name)
    name = re.sub(r"^h_net(\d+)\.(?=jointConv|att|residual|upsample\.)", lambda n: f"stages.{int(n[1]) - 2}.", name)
    return _numbered(_in_a_stage(name.removeprefix("h_net1.")), "first.doublings")


def _in_a_stage(name: str) -> str:
    for theirs, ours in _IN_A_STAGE:
        name = re.sub(rf"(?:^|(?<=\.)){theirs}", ours, name)
    return re.sub(r"^fc\.", "first.linear.", name)


def _numbered(name: str, place: str) -> str:
    """``upsample3.2.weight`` becomes ``PLACE.2.1.weight``: we have no layer that only enlarges."""

    def ours(found: re.Match[str]) -> str:
        return f"{place}.{int(found[1]) - 1}.{int(found[2]) - 1}."

    return re.sub(r"^upsample(\d+)\.(\d+)\.", ours, name)


def _n_parts(pattern: str, weights: Weights) -> int:
    return len({found[1] for found in map(re.compile(pattern).match, weights) if found})


def _features_first(weight: Tensor, condition_dim: int) -> Tensor:
    """A kernel over (condition, features) as one over (features, condition)."""
    return torch.cat([weight[:, condition_dim:], weight[:, :condition_dim]], dim=1)


# Discriminators, and the encoders.


def _discriminator(weights: Weights) -> PublishedTextDiscriminator:
    halvings = sum(weight.ndim == 4 and weight.shape[2:] == (4, 4) for weight in weights.values())
    ours: dict[str, Tensor] = {}
    places = _places(weights)
    for name, weight in weights.items():
        place = max((each for each in places if name.startswith(f"{each}.")), key=len)
        ours[f"{places[place]}{name.removeprefix(place)}"] = weight
    if "join.0.weight" not in ours:
        raise ValueError("it is a discriminator without texts, and ours has them")
    has_image_head = "of_image.weight" in ours
    outputs, inputs = ours["join.0.weight"].shape[:2]
    condition_dim = inputs - outputs
    if "jointConv.0.weight" in weights:  # StackGAN++ joins the condition in front.
        ours["join.0.weight"] = _features_first(ours["join.0.weight"], condition_dim)
    width, channels = ours["features.0.weight"].shape[:2]
    # Each head ends in a kernel of 4 x 4 as well.
    side = 4 * 2 ** (halvings - (2 if has_image_head else 1))
    recipe = partial(TextDiscriminator, width=width, has_image_head=has_image_head)
    return PublishedTextDiscriminator(recipe, ours, (channels, side, side), condition_dim)


def _places(weights: Weights) -> dict[str, str]:
    """Our names of their parts: after four halvings the trunk is numbered on, halvings before 3 x 3 convolutions."""
    found = {name.partition(".")[0] for name in weights if re.match(r"img_code_s(?!16\.)\d+", name)}
    later = sorted(found, key=lambda name: (name.count("_"), [int(number) for number in re.findall(r"\d+", name)]))
    places = dict(_IN_A_DISCRIMINATOR)
    for number, name in enumerate(later):
        for part in (0, 1):
            places[f"{name}.{part}"] = f"features.{11 + 3 * number + part}"
    return places


def _image_encoder(weights: Weights) -> PublishedImageEncoder:
    ours = {}
    for name, weight in weights.items():
        new = re.sub(r"^emb_features", "of_regions", re.sub(r"^emb_cnn_code", "of_image", name))
        ours[new if new != name else f"inception.{name}"] = weight
    recipe = partial(InceptionRegionEncoder, weights="later")
    return PublishedImageEncoder(recipe, ours, (3, 299, 299), weights[_REGIONS].shape[0])


def _text_encoder(weights: Weights) -> PublishedTextEncoder:
    """The bidirectional LSTM of words, whose directions are two networks here."""
    n_tokens, word_dim = weights[_WORDS].shape
    gates, hidden = weights["rnn.weight_hh_l0"].shape
    if gates != 4 * hidden:
        raise ValueError("its encoder of texts is a GRU, and ours is an LSTM")
    ours = {"embedding.weight": weights[_WORDS]}
    for name in _OF_A_DIRECTION:
        ours |= {f"ahead.{name}": weights[f"rnn.{name}"], f"back.{name}": weights[f"rnn.{name}_reverse"]}
    return PublishedTextEncoder(partial(LSTMTextEncoder, embed_dim=2 * hidden, word_dim=word_dim), ours, n_tokens)
