"""Building blocks of the generators of StackGAN, StackGAN++ and AttnGAN, which make an image in several stages.

StackGAN activates by ReLU; the two later ones by gated linear units (Dauphin et al., 2017, arXiv 1612.08083), ``a *
sigmoid(b)``, whose layers make twice as many channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.resampling import UpsampledConv2d
from gan_lightning.networks.layers.winograd import WinogradConv2d


def block(inputs: int, outputs: int, is_gated: bool, doubles: bool = False) -> nn.Sequential:
    """A 3 x 3 convolution without bias, BatchNorm, and a gate or ReLU; with ``doubles``, of the map with each pixel
    copied to 2 x 2."""
    channels = 2 * outputs if is_gated else outputs
    if doubles:
        layer: nn.Conv2d = UpsampledConv2d(inputs, channels, bias=False)
    else:
        layer = WinogradConv2d(inputs, channels, padding=1, bias=False)
    return nn.Sequential(
        layer,
        nn.BatchNorm2d(channels),
        nn.GLU(dim=1) if is_gated else nn.ReLU(inplace=True),
    )


def to_image(inputs: int, channels: int) -> nn.Sequential:
    """A 3 x 3 convolution without bias, and a tanh."""
    return nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.Tanh())


def joined(features: Tensor, condition: Tensor) -> Tensor:
    """Feature maps (N, A, H, W) with conditions (N, B), the same at every place, as further channels, A + B."""
    maps = condition[:, :, None, None].expand(-1, -1, *features.shape[2:])
    return torch.cat([features, maps], dim=1)


class Residual(nn.Module):
    """Two 3 x 3 convolutions with BatchNorm, a gate or ReLU between them, added to what came in.

    Args:
        width: Channels in and out.
        is_gated: Whether there is a gate between the two, and nothing after the sum. False: ReLU in both places.
    """

    def __init__(self, width: int, is_gated: bool) -> None:
        super().__init__()
        self.is_gated = is_gated
        self.layers = nn.Sequential(
            *block(width, width, is_gated),
            WinogradConv2d(width, width, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, H, W) to as many."""
        total = features + self.layers(features)
        return total if self.is_gated else F.relu(total)


class FirstStage(nn.Module):
    """From a vector to a feature map of an image's size: a linear layer to the coarsest map, then doublings.

    Args:
        inputs: Length of the vector.
        image_shape: Channels, height and width of the image.
        width: Channels of the map made; twice as many at half of its side, and so on down to 4 x 4.
        is_gated: Whether activations are gates.

    Raises:
        ValueError: The image cannot be made by doublings.
    """

    def __init__(self, inputs: int, image_shape: tuple[int, int, int], width: int, is_gated: bool) -> None:
        super().__init__()
        doublings, (height, breadth) = coarsest_map("The first stage", image_shape)
        # At 64 x 64 and width 64: 1024 channels of 4 x 4, then 512, 256, 128 and 64.
        start = width * 2**doublings
        outputs = start * height * breadth * (2 if is_gated else 1)
        self.linear = nn.Sequential(
            nn.Linear(inputs, outputs, bias=False),
            nn.BatchNorm1d(outputs),
            nn.GLU(dim=1) if is_gated else nn.ReLU(inplace=True),
            nn.Unflatten(1, (start, height, breadth)),
        )
        self.doublings = nn.Sequential(
            *(block(start >> level, start >> (level + 1), is_gated, doubles=True) for level in range(doublings))
        )

    def forward(self, vector: Tensor) -> Tensor:
        """Map vectors (N, inputs) to features (N, width, H, W)."""
        return self.doublings(self.linear(vector))


def initialise(network: nn.Module, is_orthogonal: bool) -> None:
    """Initialise a network as the authors do.

    Weights are orthogonal (StackGAN++, AttnGAN) or N(0, .02) (StackGAN); biases 0; BatchNorm's scales N(1, .02).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if is_orthogonal:
                nn.init.orthogonal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
