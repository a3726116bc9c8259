"""Networks of the peers that no variant of ours has by default, layer by layer as their programs have them.

PyTorch-GAN's ``BatchNorm2d(n, 0.8)`` sets eps, not the momentum; it is repeated here, for it is what they compute.
"""

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.resampling import UpsampledConv2d
from gan_lightning.networks.layers.winograd import WinogradConv2d
from gan_lightning.networks.resnet import ResidualGenerator

ImageShape = tuple[int, int, int]
_EPS = 0.8


class BilinearUpBlock(nn.Module):
    """The block of SNGAN's generator as mimicry has it: it enlarges bilinearly, the paper by nearest neighbours.

    The convolutions are this library's, as in its own block.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            WinogradConv2d(channels, channels, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            WinogradConv2d(channels, channels, padding=1),
        )
        self.shortcut = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, channels, 2H, 2W)."""
        # A 1 x 1 convolution commutes with enlarging, and costs a quarter when it comes first.
        return F.interpolate(self.shortcut(x), scale_factor=2, mode="bilinear") + self.residual(x)


class MimicryGenerator(ResidualGenerator):
    """mimicry's generator of 32 x 32 images."""

    def __init__(self, image_shape: ImageShape, latent_dim: int, width: int = 256) -> None:
        super().__init__(image_shape[0], latent_dim, width, [BilinearUpBlock(width) for _ in range(3)], width)


class SmallGenerator(nn.Module):
    """PyTorch-GAN's generator of dcgan.py and, without ``norm_first``, of lsgan.py.

    linear to 128 x s/4 x s/4; [norm]; twice: enlarge to double, 3 x 3 convolution, norm, leaky ReLU, with 128 channels
    and with 64; 3 x 3 convolution, tanh.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        norm_first: Whether the linear layer is followed by a norm.
        folded: Whether enlarging is folded into the convolutions, by a layer of this library: the same function of the
            same weights, faster.
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int, norm_first: bool = True, folded: bool = False) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 128 * (height // 4) * (width // 4)),
            nn.Unflatten(1, (128, height // 4, width // 4)),
            *([nn.BatchNorm2d(128)] if norm_first else []),
            *self._doubled(128, 128, folded),
            *self._doubled(128, 64, folded),
            nn.Conv2d(64, channels, kernel_size=3, padding=1),
            nn.Tanh(),
        )
        self.apply(_init)

    @staticmethod
    def _doubled(inputs: int, outputs: int, folded: bool) -> list[nn.Module]:
        plain = [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)]
        convolution = [nn.Identity(), UpsampledConv2d(inputs, outputs)] if folded else plain
        return [*convolution, nn.BatchNorm2d(outputs, eps=_EPS), nn.LeakyReLU(0.2, inplace=True)]

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class SmallDiscriminator(nn.Module):
    """PyTorch-GAN's discriminator of dcgan.py and lsgan.py, as logits: their sigmoid is in our loss.

    Four convolutions of stride 2 to 16, 32, 64 and 128 channels, each with leaky ReLU, dropout of whole maps and, but
    for the first, a norm after these; a linear layer.
    """

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        widths = [image_shape[0], 16, 32, 64, 128]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1)]
            layers += [nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            if inputs != image_shape[0]:
                layers.append(nn.BatchNorm2d(outputs, eps=_EPS))
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.linear = nn.Linear(128 * (image_shape[1] // 16) * (image_shape[2] // 16), 1)
        self.apply(_init)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.linear(self.layers(image)).squeeze(1)


class DenseGenerator(nn.Module):
    """PyTorch-GAN's generator of wgan_gp.py: layers of 128, 256, 512 and 1024 units, norms in all but the first."""

    def __init__(self, image_shape: ImageShape, latent_dim: int) -> None:
        super().__init__()
        widths = [latent_dim, 128, 256, 512, 1024]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            norm = [] if inputs == latent_dim else [nn.BatchNorm1d(outputs, eps=_EPS)]
            layers += [nn.Linear(inputs, outputs), *norm, nn.LeakyReLU(0.2, inplace=True)]
        pixels = math.prod(image_shape)
        self.layers = nn.Sequential(*layers, nn.Linear(1024, pixels), nn.Tanh(), nn.Unflatten(1, tuple(image_shape)))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class DenseCritic(nn.Module):
    """PyTorch-GAN's critic of wgan_gp.py: layers of 512 and 256 units, without norms."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), 512),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(512, 256),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(256, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to values (N,)."""
        return self.layers(image).squeeze(1)


def _init(layer: nn.Module) -> None:
    """DCGAN's initial weights."""
    if isinstance(layer, nn.Conv2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
