"""Features of DINOv2 (Oquab et al., 2023, arXiv 2304.07193), for the distances of Stein et al., NeurIPS 2023.

*Exposing flaws of generative model evaluation metrics*, arXiv 2306.04675: distances in the features of DINOv2's
ViT-L/14 follow human judgement where Inception's do not. The values are 10 to 100 times those of FID.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from gan_lightning.metrics.features import DINOV2, Embedding, FeatureExtractor
from gan_lightning.networks.pretrained import downloaded, read_weights

_ADDRESS = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
_SIDE = 224
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
_SIZES = {384: "s", 768: "b", 1024: "l", 1536: "g"}
_HEAD_DIM = 64  # in all sizes


class DINOv2(FeatureExtractor):
    """The normalised class token of a DINOv2 vision transformer without registers, N x d.

    The size is read off the weights: d is 384 (ViT-S/14), 768 (B), 1024 (L, the published one) or 1536 (g). Images are
    resized to 224 x 224 as in the authors' code: by Pillow, bicubic, in 8 bits, without a crop, whatever their
    proportions. Grey images are shown as RGB.

    Args:
        weights_path: The authors' file, such as ``dinov2_vitl14_pretrain.pth``. None: that one, from torch's cache or
            downloaded.

    Raises:
        FileNotFoundError: The weights are not there and cannot be downloaded.
        ValueError: The file holds something else.
    """

    def __init__(self, weights_path: str | Path | None = None) -> None:
        super().__init__()
        path = _downloaded() if weights_path is None else Path(weights_path)
        weights = read_weights(path)
        try:
            self.network = VisionTransformer(weights)
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            told = f"it has no {error}" if isinstance(error, KeyError) else str(error).strip().partition("\n")[0]
            raise ValueError(f"{path} does not hold the weights of a DINOv2 without registers: {told}") from error
        size = _SIZES.get(self.network.dim, str(self.network.dim))
        # The published distances are those of the large one.
        self.name = DINOV2 if size == "l" else f"{DINOV2}_vit{size}14"
        self.requires_grad_(False).eval()
        self.register_buffer("mean", 255 * torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", 255 * torch.tensor(_STD)[:, None, None], persistent=False)

    mean: Tensor
    std: Tensor

    def forward(self, images: Tensor) -> Embedding:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(
                f"{self.name} takes uint8 images, N x 3 x H x W or N x 1 x H x W: got {images.dtype} "
                f"{tuple(images.shape)}."
            )
        with torch.autocast(images.device.type, enabled=False):
            resized = resize(images).expand(-1, 3, -1, -1)
            return Embedding(self.network((resized.float() - self.mean) / self.std))


def resize(images: Tensor, side: int = _SIDE) -> Tensor:
    """Resize uint8 images, N x 1 or 3 x H x W, to squares by Pillow's bicubic filter, rounded to 8 bits."""
    # Pillow's own: tensors' antialiased bicubic is off by a level here and there, and slower on some processors.
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    squares = [
        np.asarray(
            Image.fromarray(each.squeeze(-1) if each.shape[-1] == 1 else each).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        )
        for each in pixels
    ]
    made = torch.from_numpy(np.stack(squares)) if squares else torch.empty(0, side, side, dtype=torch.uint8)
    made = made[..., None] if made.ndim == 3 else made
    return made.permute(0, 3, 1, 2).to(images.device)


def _downloaded() -> Path:
    try:
        return downloaded(_ADDRESS)
    except ConnectionError as error:
        raise FileNotFoundError(
            f"The weights of {DINOV2}: {error}. Where there is a network, get that file, and give its path here as "
            "weights_path."
        ) from error


class VisionTransformer(nn.Module):
    """DINOv2's transformer, with the names of its weights.

    Args:
        weights: By the authors' names; their shapes say how large it is.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        # The token of masked patches is for training.
        weights = {name: weight for name, weight in weights.items() if name != "mask_token"}
        self.dim, channels, self.patch, _ = weights["patch_embed.proj.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
        weights["pos_embed"] = _interpolated(weights["pos_embed"], _SIDE // self.patch)
        with torch.device("meta"):  # nothing is drawn: all weights are given
            self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(channels, self.dim, self.patch, self.patch)})
            self.cls_token = nn.Parameter(torch.empty(1, 1, self.dim))
            self.pos_embed = nn.Parameter(torch.empty_like(weights["pos_embed"], device="meta"))
            self.blocks = nn.Sequential(*[_Block(self.dim, weights) for _ in range(depth)])
            self.norm = nn.LayerNorm(self.dim, eps=1e-6)
        self.load_state_dict(weights, assign=True)

    def forward(self, images: Tensor) -> Tensor:
        """Class tokens after the last norm, N x d, of normalised images, N x 3 x 224 x 224."""
        # N x d x 16 x 16 to N x 256 x d, and the class token before them.
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embed
        return self.norm(self.blocks(tokens)[:, 0])


def _interpolated(positions: Tensor, side: int) -> Tensor:
    """Position embeddings, 1 x (1 + M M) x d, of a class token and M x M patches, for ``side`` x ``side`` patches."""
    patches = positions[:, 1:].float()
    old = round(patches.shape[1] ** 0.5)
    if old == side:
        return positions
    square = patches.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    # The factor of the authors' code, which is not quite side / old: the positions that it samples are others.
    scaled = F.interpolate(square, scale_factor=(side + 0.1) / old, mode="bicubic")
    return torch.cat([positions[:, :1].float(), scaled.flatten(2).transpose(1, 2)], dim=1)


class _Block(nn.Module):
    """Attention and a perceptron, each after a norm, scaled by channel, and added to its input."""

    def __init__(self, dim: int, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(dim, 3 * dim), "proj": nn.Linear(dim, dim)})
        self.ls1 = nn.ParameterDict({"gamma": torch.empty(dim)})
        self.ls2 = nn.ParameterDict({"gamma": torch.empty(dim)})
        # The giant has a gated perceptron: w12 makes the gate and what passes it.
        gated = "blocks.0.mlp.w12.weight" in weights
        into, out = ("w12", "w3") if gated else ("fc1", "fc2")
        width, hidden = (len(weights[f"blocks.0.mlp.{into}.weight"]), weights[f"blocks.0.mlp.{out}.weight"].shape[1])
        self.mlp = nn.ModuleDict({into: nn.Linear(dim, width), out: nn.Linear(hidden, dim)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1["gamma"] * self._attend(self.norm1(x))
        return x + self.ls2["gamma"] * self._perceive(self.norm2(x))

    def _attend(self, x: Tensor) -> Tensor:
        n, length, dim = x.shape
        # N x L x 3d to queries, keys and values, N x heads x L x 64 each.
        parts = self.attn["qkv"](x).reshape(n, length, 3, dim // _HEAD_DIM, _HEAD_DIM).permute(2, 0, 3, 1, 4)
        return self.attn["proj"](F.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(n, length, dim))

    def _perceive(self, x: Tensor) -> Tensor:
        if "w12" in self.mlp:
            gate, value = self.mlp["w12"](x).chunk(2, dim=-1)
            return self.mlp["w3"](F.silu(gate) * value)
        return self.mlp["fc2"](F.gelu(self.mlp["fc1"](x)))
