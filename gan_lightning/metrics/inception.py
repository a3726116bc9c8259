"""Inception-v3 as torch-fidelity has it: its weights by their names, without the import of that package.

Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, arXiv 1512.00567, in TensorFlow's
graph of 2015-12-05, which published FIDs are computed with.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import torch
from torch import Tensor, nn

NAME = "inception-v3-compat"
"""In torch-fidelity's registry."""

ADDRESS = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
"""Of torch-fidelity's file of weights."""

LAYERS = ("2048", "logits_unbiased")
"""Of features, the mean over the last 8 x 8 pixels; of class scores without the classifier's bias."""

_N_CLASSES = 1008

_Shape = tuple[int, int, int | tuple[int, int]]
"""Channels in, channels out, kernel."""

_STRIDES = {
    "Conv2d_1a_3x3": 2,
    "Conv2d_2a_3x3": 1,
    "Conv2d_4a_3x3": 1,
    "Mixed_6a.branch3x3": 2,
    "Mixed_6a.branch3x3dbl_3": 2,
    "Mixed_7a.branch3x3_2": 2,
    "Mixed_7a.branch7x7x3_4": 2,
}
"""Of the layers without padding. The others have stride 1, and zeros that keep the size of their maps."""


def _block_a(n: int, pooled: int) -> dict[str, _Shape]:
    return {
        "branch1x1": (n, 64, 1),
        "branch5x5_1": (n, 48, 1),
        "branch5x5_2": (48, 64, 5),
        "branch3x3dbl_1": (n, 64, 1),
        "branch3x3dbl_2": (64, 96, 3),
        "branch3x3dbl_3": (96, 96, 3),
        "branch_pool": (n, pooled, 1),
    }


def _block_b(n: int) -> dict[str, _Shape]:
    return {
        "branch3x3": (n, 384, 3),
        "branch3x3dbl_1": (n, 64, 1),
        "branch3x3dbl_2": (64, 96, 3),
        "branch3x3dbl_3": (96, 96, 3),
    }


def _block_c(n: int, inner: int) -> dict[str, _Shape]:
    return {
        "branch1x1": (n, 192, 1),
        "branch7x7_1": (n, inner, 1),
        "branch7x7_2": (inner, inner, (1, 7)),
        "branch7x7_3": (inner, 192, (7, 1)),
        "branch7x7dbl_1": (n, inner, 1),
        "branch7x7dbl_2": (inner, inner, (7, 1)),
        "branch7x7dbl_3": (inner, inner, (1, 7)),
        "branch7x7dbl_4": (inner, inner, (7, 1)),
        "branch7x7dbl_5": (inner, 192, (1, 7)),
        "branch_pool": (n, 192, 1),
    }


def _block_d(n: int) -> dict[str, _Shape]:
    return {
        "branch3x3_1": (n, 192, 1),
        "branch3x3_2": (192, 320, 3),
        "branch7x7x3_1": (n, 192, 1),
        "branch7x7x3_2": (192, 192, (1, 7)),
        "branch7x7x3_3": (192, 192, (7, 1)),
        "branch7x7x3_4": (192, 192, 3),
    }


def _block_e(n: int) -> dict[str, _Shape]:
    return {
        "branch1x1": (n, 320, 1),
        "branch3x3_1": (n, 384, 1),
        "branch3x3_2a": (384, 384, (1, 3)),
        "branch3x3_2b": (384, 384, (3, 1)),
        "branch3x3dbl_1": (n, 448, 1),
        "branch3x3dbl_2": (448, 384, 3),
        "branch3x3dbl_3a": (384, 384, (1, 3)),
        "branch3x3dbl_3b": (384, 384, (3, 1)),
        "branch_pool": (n, 192, 1),
    }


_FIRST: dict[str, _Shape] = {
    "Conv2d_1a_3x3": (3, 32, 3),
    "Conv2d_2a_3x3": (32, 32, 3),
    "Conv2d_2b_3x3": (32, 64, 3),
    "Conv2d_3b_1x1": (64, 80, 1),
    "Conv2d_4a_3x3": (80, 192, 3),
}
_BLOCKS = {
    "Mixed_5b": _block_a(192, 32),
    "Mixed_5c": _block_a(256, 64),
    "Mixed_5d": _block_a(288, 64),
    "Mixed_6a": _block_b(288),
    "Mixed_6b": _block_c(768, 128),
    "Mixed_6c": _block_c(768, 160),
    "Mixed_6d": _block_c(768, 160),
    "Mixed_6e": _block_c(768, 192),
    "Mixed_7a": _block_d(768),
    "Mixed_7b": _block_e(1280),
    "Mixed_7c": _block_e(2048),
}


class Inception(nn.Module):
    """The layers of the network by torch-fidelity's names; :class:`FastInception` computes with them on a CPU.

    Args:
        weights: As torch-fidelity's file has them.

    Raises:
        RuntimeError: These are the weights of something else.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        with torch.device("meta"):  # Initial weights would be drawn, and thrown away.
            for name, shape in _FIRST.items():
                self.add_module(name, _layer(name, shape))
            for name, shapes in _BLOCKS.items():
                parts = {part: _layer(f"{name}.{part}", shape) for part, shape in shapes.items()}
                self.add_module(name, nn.ModuleDict(parts))
            self.fc = nn.Linear(2048, _N_CLASSES)
        self.load_state_dict(dict(weights), assign=True)
        self.float().requires_grad_(False).eval()
        self._theirs: tuple[Any, ...] = ()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The ``LAYERS`` of uint8 images, n x 3 x H x W, by torch-fidelity's own pass: n x 2048, n x 1008."""
        if not self._theirs:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

            file = BytesIO()
            torch.save(self.state_dict(), file)
            file.seek(0)
            with torch.random.fork_rng():
                # In a tuple: its weights are ours, and would be counted twice in a state dict.
                self._theirs = (FeatureExtractorInceptionV3(NAME, list(LAYERS), file),)
        found: tuple[Tensor, Tensor] = self._theirs[0].to(images.device)(images)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_theirs": ()}  # quickly made again


def _layer(name: str, shape: _Shape) -> nn.Module:
    """A convolution and its BatchNorm."""
    n_in, n_out, kernel = shape
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (0, 0) if name in _STRIDES else (height // 2, width // 2)
    convolution = nn.Conv2d(n_in, n_out, (height, width), _STRIDES.get(name, 1), padding, bias=False)
    return nn.ModuleDict({"conv": convolution, "bn": nn.BatchNorm2d(n_out, eps=0.001)})
