"""DINOv2's features from a file: against plain functional torch, and timm where it is installed."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.metrics.dinov2 import DINOv2, VisionTransformer, resize
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, extractors_of
from gan_lightning.metrics.image_sources import FolderImages
from gan_lightning.metrics.registry import Options, reported_name
from tests.metrics.tools import images, source, write_folder

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def weights_of(dim: int = 128, depth: int = 2, side: int = 37, gated: bool = False) -> dict[str, Tensor]:
    """Random weights by the authors' names; all are large enough to show in the output."""
    torch.manual_seed(0)
    hidden = 3 * dim
    mlp = (
        {"w12.weight": (2 * hidden, dim), "w12.bias": (2 * hidden,), "w3.weight": (dim, hidden), "w3.bias": (dim,)}
        if gated
        else {"fc1.weight": (hidden, dim), "fc1.bias": (hidden,), "fc2.weight": (dim, hidden), "fc2.bias": (dim,)}
    )
    block = {
        **{f"norm{i}.{name}": (dim,) for i in (1, 2) for name in ("weight", "bias")},
        "attn.qkv.weight": (3 * dim, dim),
        "attn.qkv.bias": (3 * dim,),
        "attn.proj.weight": (dim, dim),
        "attn.proj.bias": (dim,),
        "ls1.gamma": (dim,),
        "ls2.gamma": (dim,),
        **{f"mlp.{name}": shape for name, shape in mlp.items()},
    }
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, dim),
        "pos_embed": (1, 1 + side**2, dim),
        "mask_token": (1, dim),
        "patch_embed.proj.weight": (dim, 3, 14, 14),
        "patch_embed.proj.bias": (dim,),
        **{f"blocks.{number}.{name}": shape for number in range(depth) for name, shape in block.items()},
        "norm.weight": (dim,),
        "norm.bias": (dim,),
    }
    return {name: torch.randn(shape) / math.sqrt(math.prod(shape[1:])) for name, shape in shapes.items()}


def written(folder: Path, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, folder / "dinov2.pth")
    return folder / "dinov2.pth"


def plain(weights: dict[str, Tensor], x: Tensor, positions: Tensor) -> Tensor:
    """The paper's network step by step, without any module, attention written out."""
    w = weights
    n, dim = len(x), w["cls_token"].shape[-1]
    # Patches by hand: N x 16 x 16 x (3 * 14 * 14).
    patches = x.reshape(n, 3, 16, 14, 16, 14).permute(0, 2, 4, 1, 3, 5).reshape(n, 256, -1)
    tokens = patches @ w["patch_embed.proj.weight"].reshape(dim, -1).T + w["patch_embed.proj.bias"]
    h = torch.cat([w["cls_token"].expand(n, 1, dim), tokens], dim=1) + positions

    def norm(h: Tensor, name: str) -> Tensor:
        centred = h - h.mean(-1, keepdim=True)
        return (
            centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * w[f"{name}.weight"] + w[f"{name}.bias"]
        )

    def linear(h: Tensor, name: str) -> Tensor:
        return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    for b in (f"blocks.{i}" for i in range(sum(name.endswith("ls1.gamma") for name in w))):
        q, k, v = linear(norm(h, f"{b}.norm1"), f"{b}.attn.qkv").split(dim, dim=-1)
        heads = []
        for part in (slice(i, i + 64) for i in range(0, dim, 64)):
            scores = q[..., part] @ k[..., part].transpose(1, 2) / 8
            heads.append(scores.softmax(-1) @ v[..., part])
        h = h + w[f"{b}.ls1.gamma"] * linear(torch.cat(heads, dim=-1), f"{b}.attn.proj")
        inner = norm(h, f"{b}.norm2")
        if f"{b}.mlp.w12.weight" in w:
            gate, value = linear(inner, f"{b}.mlp.w12").chunk(2, dim=-1)
            inner = linear(gate * torch.sigmoid(gate) * value, f"{b}.mlp.w3")
        else:
            up = linear(inner, f"{b}.mlp.fc1")
            inner = linear(up * 0.5 * (1 + torch.erf(up / math.sqrt(2))), f"{b}.mlp.fc2")
        h = h + w[f"{b}.ls2.gamma"] * inner
    return norm(h, "norm")[:, 0]


@pytest.mark.parametrize("gated", [False, True])
def test_the_network_against_plain_torch(gated: bool) -> None:
    weights = {name: weight.double() for name, weight in weights_of(side=16, gated=gated).items()}
    x = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    found = VisionTransformer(weights)(x)
    assert_close(found, plain(weights, x, weights["pos_embed"]), rtol=1e-9, atol=1e-9)


def test_the_network_against_timm_where_it_is_installed() -> None:
    vit: Any = pytest.importorskip("timm.models.vision_transformer", reason="pip install timm, an independent source")
    for gated in (False, True):
        weights = weights_of(dim=128, side=16, gated=gated)
        # Its gated perceptron has the two halves in one layer, in the same order.
        layers = {"mlp_layer": __import__("timm.layers", fromlist=["SwiGLUPacked"]).SwiGLUPacked} if gated else {}
        theirs = vit.VisionTransformer(
            img_size=224, patch_size=14, embed_dim=128, depth=2, num_heads=2, num_classes=0, init_values=1.0,
            mlp_ratio=6 if gated else 3, act_layer=torch.nn.SiLU if gated else torch.nn.GELU, **layers,
        ).eval()  # fmt: skip
        names = {name: name.replace("w12", "fc1").replace("w3", "fc2") for name in weights if name != "mask_token"}
        theirs.load_state_dict({new: weights[old] for old, new in names.items()})
        x = torch.randn(2, 3, 224, 224)
        with torch.no_grad():
            assert_close(VisionTransformer(weights)(x), theirs(x), rtol=1e-4, atol=1e-4)


def cubic(t: float) -> float:
    """The kernel of torch's bicubic, a = -0.75."""
    t = abs(t)
    if t <= 1:
        return 1.25 * t**3 - 2.25 * t**2 + 1
    return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def test_positions_are_sampled_where_the_authors_code_samples_them() -> None:
    """At (i + 1/2) 37 / 16.1 - 1/2, and not at (i + 1/2) 37 / 16 - 1/2."""
    weights = weights_of(dim=64)
    matrix = np.zeros((16, 37))
    for i in range(16):
        place = (i + 0.5) * 37 / 16.1 - 0.5
        for j in range(math.floor(place) - 1, math.floor(place) + 3):
            matrix[i, min(max(j, 0), 36)] += cubic(place - j)
    grid = weights["pos_embed"][0, 1:].reshape(37, 37, 64).double().numpy()
    expected = torch.from_numpy(np.einsum("ij,kl,jld->ikd", matrix, matrix, grid).reshape(256, 64))
    found = VisionTransformer(weights).pos_embed[0]
    assert torch.equal(found[0], weights["pos_embed"][0, 0])
    assert_close(found[1:].double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_resized_by_pillow_to_a_square_in_8_bits_and_normalised(channels: int, tmp_path: Path) -> None:
    weights = weights_of(dim=64)
    pixels = torch.randint(
        0, 256, (2, channels, 50, 300), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    squares = []
    for image in pixels:
        file = Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).numpy())
        squares.append(torch.from_numpy(np.asarray(file.resize((224, 224), Image.Resampling.BICUBIC)).copy()))
    x = ((torch.stack(squares) / 255 - MEAN) / STD).permute(0, 3, 1, 2)
    extractor = DINOv2(written(tmp_path, weights))
    with torch.no_grad():
        embedding = extractor(pixels)
    positions = extractor.network.pos_embed
    assert embedding.logits is None
    assert_close(embedding.features, plain(weights, x, positions), rtol=1e-3, atol=1e-4)


def test_no_image_is_no_row() -> None:
    assert resize(torch.empty(0, 3, 8, 8, dtype=torch.uint8)).shape[0] == 0


@pytest.mark.parametrize(("dim", "name"), [(384, "dinov2_vits14"), (1024, "dinov2"), (64, "dinov2_vit6414")])
def test_the_size_is_read_off_the_weights(dim: int, name: str, tmp_path: Path) -> None:
    extractor = DINOv2(written(tmp_path, weights_of(dim=dim, depth=1)))
    assert extractor.name == name
    assert reported_name("fid", extractor) == reported_name("fd_dinov2", extractor) == f"fd_{name}"
    assert reported_name("kid", extractor) == f"kd_{name}"
    assert reported_name("density", extractor) == f"density_{name}"


def test_what_else_is_given_is_refused(tmp_path: Path) -> None:
    registers = {**weights_of(dim=64), "register_tokens": torch.zeros(1, 4, 64)}
    told = "does not hold the weights of a DINOv2 without registers"
    for wrong in (registers, {"layer": torch.zeros(3)}, {**weights_of(dim=64), "pos_embed": torch.zeros(1, 7, 64)}):
        with pytest.raises(ValueError, match=told):
            DINOv2(written(tmp_path, wrong))
    with pytest.raises(FileNotFoundError, match="no such file"):
        DINOv2(tmp_path / "none.pth")
    extractor = DINOv2(written(tmp_path, weights_of(dim=64)))
    for images_ in (torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 8, 8, dtype=torch.uint8)):
        with pytest.raises(ValueError, match="takes uint8 images"):
            extractor(images_)
    with pytest.raises(ValueError, match="fd_dinov2 is of DINOv2's features, and the extractor is pixels"):
        extractors_of(["fd_dinov2"], "pixels", Ingredients())


def test_all_distances_of_its_space_beside_others(tmp_path: Path) -> None:
    """``fd_dinov2`` is the Frechet distance of the features, and stands beside metrics of other extractors."""
    path = written(tmp_path, weights_of(dim=64, depth=1))
    samples, real = (write_folder(tmp_path / str(seed), images(n, seed)) for n, seed in ((24, 1), (20, 2)))
    names = ["fid", "kd_dinov2", "precision", "recall", "density", "coverage"]
    made = extractors_of(names, "dinov2", Ingredients(path))
    extractor = made["fid"]
    assert all(each is extractor for each in made.values())
    evaluator = Evaluator(names, extractor, options=Options(kid_subset_size=20))
    found = evaluator.score(FolderImages(samples), evaluator.describe(FolderImages(real)))
    with torch.no_grad():
        x, y = (extractor(images(n, seed)).features.double() for n, seed in ((24, 1), (20, 2)))
    mean = (x.mean(0) - y.mean(0)).square().sum()
    root = torch.linalg.eigvals(torch.cov(x.T) @ torch.cov(y.T)).sqrt().real.sum()
    expected = mean + torch.cov(x.T).trace() + torch.cov(y.T).trace() - 2 * root
    assert found["fd_dinov2_vit6414"] == pytest.approx(expected.item(), rel=1e-3)
    assert [*found] == [f"{name}_dinov2_vit6414" for name in ("fd", "kd", "precision", "recall", "density", "coverage")]


def test_each_metric_takes_its_own_features(tmp_path: Path) -> None:
    path = written(tmp_path, weights_of(dim=64, depth=1))
    made = extractors_of(["fd_dinov2", "kd_dinov2"], None, Ingredients({"dinov2": path}))
    assert made["fd_dinov2"] is made["kd_dinov2"]
    evaluator = Evaluator(["fd_dinov2"], made["fd_dinov2"])
    same = evaluator.score(source(30, 1), evaluator.describe(source(30, 1)))
    assert same == {"fd_dinov2_vit6414": pytest.approx(0, abs=1e-3)}
