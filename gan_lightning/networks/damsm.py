"""Image encoders of DAMSM (Xu et al., CVPR 2018, arXiv 1711.10485, section 3.2): features of regions, and of the image.

They meet the words and the sentence of a text in one space; :mod:`gan_lightning.losses.image_text` compares them.
"""

from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.pretrained import downloaded, read_weights

_SIDE = 8
"""Side of the map of regions of a small encoder, for images whose shorter side is a power of two."""

_TO_REGIONS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
)
_TO_IMAGE = ("Mixed_7a", "Mixed_7b", "Mixed_7c")
"""torchvision's names of the parts of its Inception-v3, in order."""


class RegionEncoder(nn.Module):
    """A small image encoder for small images: strided convolutions to 8 x 8 regions, two more layers for the image.

    BatchNorm and LeakyReLU of slope .2; a 1 x 1 convolution maps regions to the common space, a linear layer the mean
    over the last map. The paper's own stands on Inception-v3: :class:`InceptionRegionEncoder`.

    Args:
        image_shape: Channels, height and width of the images, from 16 up; see ``coarsest_map``.
        embed_dim: Length of the features.
        width: Channels of the first layer, at the image's own side; they double with every halving.

    Raises:
        ValueError: The network cannot take images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 64, 64), embed_dim: int = 256, width: int = 32) -> None:
        super().__init__()
        halvings, _ = coarsest_map("RegionEncoder", image_shape, smallest=2 * _SIDE, start=_SIDE)
        widths = [width * 2**level for level in range(halvings + 1)]
        self.regions = nn.Sequential(
            *_activated(nn.Conv2d(image_shape[0], width, 3, padding=1, bias=False)),
            *(
                layer
                for inputs, outputs in pairwise(widths)
                for layer in _activated(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            ),
        )
        self.whole = nn.Sequential(
            *_activated(nn.Conv2d(widths[-1], 2 * widths[-1], 4, stride=2, padding=1, bias=False)),
            *_activated(nn.Conv2d(2 * widths[-1], 2 * widths[-1], 3, padding=1, bias=False)),
        )
        self.of_regions = nn.Conv2d(widths[-1], embed_dim, kernel_size=1, bias=False)
        self.of_image = nn.Linear(2 * widths[-1], embed_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) in [-1, 1] to features of their regions (N, embed_dim, h, w) and of the image (N,
        embed_dim)."""
        regions = self.regions(images)
        return self.of_regions(regions), self.of_image(self.whole(regions).mean(dim=(2, 3)))


def _activated(layer: nn.Conv2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.LeakyReLU(0.2, inplace=True)]


class InceptionRegionEncoder(nn.Module):
    """The paper's image encoder: a frozen Inception-v3 (arXiv 1512.00567), and a linear layer for each kind of feature.

    Images are resized to 299 x 299. Regions are the 17 x 17 places of the last map of 768 channels, the image the mean
    of 2048 channels over the last 8 x 8 places. Inception is in evaluation mode throughout, and in the state dict; the
    two layers learn.

    Args:
        image_shape: Channels, height and width of the images; 3 channels.
        embed_dim: Length of the features.
        weights: File of torchvision's ``inception_v3``. None: torchvision's, downloaded unless they have been before.
            ``later``: a state dict will be loaded, and until then they have no meaning.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds something else, or images are grey.
        ConnectionError: The weights cannot be downloaded.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        embed_dim: int = 256,
        weights: str | Path | Literal["later"] | None = None,
    ) -> None:
        from torchvision.models import Inception3  # It takes as long to import as torch.

        super().__init__()
        if image_shape[0] != 3:
            raise ValueError(f"Inception-v3 takes images of 3 channels, and these have {image_shape[0]}.")
        with torch.device("meta"):  # Without initial weights, which would be replaced at once
            whole = Inception3(aux_logits=False, init_weights=False)
        parts = {name: getattr(whole, name) for name in (*_TO_REGIONS, *_TO_IMAGE)}
        self.inception = nn.ModuleDict(parts).to_empty(device=torch.get_default_device())
        if weights != "later":
            given = read_weights(_download() if weights is None else weights)
            missing, _ = self.inception.load_state_dict(given, strict=False)
            if missing:
                raise ValueError(f"{weights} does not hold torchvision's inception_v3: it has no {missing[0]}.")
        self.inception.requires_grad_(False).eval()
        self.of_regions = nn.Conv2d(768, embed_dim, kernel_size=1, bias=False)
        self.of_image = nn.Linear(2048, embed_dim)
        # As in the authors' code
        for layer in (self.of_regions, self.of_image):
            nn.init.uniform_(layer.weight, -0.1, 0.1)

    def train(self, mode: bool = True) -> "InceptionRegionEncoder":
        """Set the mode of the two layers; Inception's statistics stay those of its own data."""
        super().train(mode)
        self.inception.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, 3, H, W) in [-1, 1] to features (N, embed_dim, 17, 17) of regions, (N, embed_dim) of all."""
        maps = F.interpolate(images, size=(299, 299), mode="bilinear", align_corners=False)
        for name in _TO_REGIONS:
            maps = self.inception[name](maps)
        regions = maps
        for name in _TO_IMAGE:
            maps = self.inception[name](maps)
        return self.of_regions(regions), self.of_image(maps.mean(dim=(2, 3)))


def _download() -> Path:
    from torchvision.models import Inception_V3_Weights

    try:
        return downloaded(Inception_V3_Weights.IMAGENET1K_V1.url)
    except ConnectionError as error:
        raise ConnectionError(f"Inception-v3's weights: {error}: give the path of a file with them.") from error
