"""Generators, encoders and joint discriminators of BiGAN (arXiv 1605.09782) and ALI (arXiv 1606.00704)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

ImageShape = tuple[int, int, int]


class BiGANGenerator(nn.Module):
    """Two hidden layers of rectifiers with BatchNorm, and tanh: BiGAN's for MNIST.

    Donahue, Krähenbühl, Darrell, ICLR 2017, arXiv 1605.09782. The initial weights are N(0, .02) and BatchNorm adds 1e-8
    to the variance, here and below. These networks are the paper's, plainer than its code: there the latent enters the
    second layers of generator and discriminator once more.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        hidden: Units in each hidden layer.
    """

    def __init__(self, image_shape: ImageShape = (1, 28, 28), latent_dim: int = 50, hidden: int = 1024) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_hidden(latent_dim, hidden, nn.ReLU),
            *_hidden(hidden, hidden, nn.ReLU),
            nn.Linear(hidden, math.prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        )
        self.apply(partial(_normal, std=0.02))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class BiGANEncoder(nn.Module):
    """The way back: two hidden layers of leaky rectifiers with BatchNorm; in the authors' code only the second has it.

    Args:
        image_shape: Channels, height and width of the images read.
        outputs: Length of the output.
        hidden: Units in each hidden layer.
    """

    def __init__(self, image_shape: ImageShape = (1, 28, 28), outputs: int = 100, hidden: int = 1024) -> None:
        super().__init__()
        leaky = partial(nn.LeakyReLU, 0.2)
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_hidden(math.prod(image_shape), hidden, leaky),
            *_hidden(hidden, hidden, leaky),
            nn.Linear(hidden, outputs),
        )
        self.apply(partial(_normal, std=0.02))

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to (N, outputs)."""
        return self.layers(image)


class BiGANDiscriminator(nn.Module):
    """Two hidden layers of leaky rectifiers over image and latent together, without BatchNorm.

    In the authors' code the second has BatchNorm, which would tie the pairs of a batch together, and the last layer
    starts at 0, so that the others learn nothing in the first step.

    Args:
        image_shape: Channels, height and width of the images judged.
        latent_dim: Length of the latent vectors judged with them.
        hidden: Units in each hidden layer.
    """

    def __init__(self, image_shape: ImageShape = (1, 28, 28), latent_dim: int = 50, hidden: int = 1024) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            # (image, latent), joined: N x (C H W + latent_dim)
            nn.Linear(math.prod(image_shape) + latent_dim, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )
        self.apply(partial(_normal, std=0.02))

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Map images (N, C, H, W) with latents (N, latent_dim) to logits (N,)."""
        return self.layers(torch.cat([image.flatten(1), latent], dim=1)).squeeze(1)


class ALIGenerator(nn.Module):
    """Transposed convolutions from the latent to the image: ALI's for CIFAR-10.

    Dumoulin et al., ICLR 2017, arXiv 1606.00704. 256, 128, 64, 32 and 32 channels, 4 x 4 kernels with strides 1, 2, 1
    and 2, a 5 x 5 and two 1 x 1; BatchNorm and LeakyReLU of slope .1; a tanh where the paper has a sigmoid. Other sides
    than 32 take another first kernel. As in the authors' code the initial weights are N(0, .01) and BatchNorm adds 1e-4
    to the variance and moves its averages by .05, here and below. The last layer has one bias a channel, from 0, theirs
    one a pixel, from the data's mean: a network does not see the data.

    Args:
        image_shape: Channels, height and width of the images made; the sides are multiples of 4 from 20 up.
        latent_dim: Length of the latent vector.
        width: Channels of the last hidden layer.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(self, image_shape: ImageShape = (3, 32, 32), latent_dim: int = 64, width: int = 32) -> None:
        super().__init__()
        core = _core("ALIGenerator", image_shape)

        def activated(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, bias=False)
            return [layer, nn.BatchNorm2d(outputs, eps=1e-4, momentum=0.05), nn.LeakyReLU(0.1)]

        self.layers = nn.Sequential(
            nn.Unflatten(1, (latent_dim, 1, 1)),
            # 1 x 1 to 4 x 4 at 32 x 32, then 10 x 10, 13 x 13, 28 x 28, 32 x 32
            *activated(latent_dim, 8 * width, core),
            *activated(8 * width, 4 * width, 4, stride=2),
            *activated(4 * width, 2 * width, 4),
            *activated(2 * width, width, 4, stride=2),
            *activated(width, width, 5),
            *activated(width, width, 1),
            nn.Conv2d(width, image_shape[0], kernel_size=1),
            nn.Tanh(),
        )
        self.apply(partial(_normal, std=0.01))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class ALIEncoder(nn.Module):
    """The generator's mirror: five convolutions to 512 channels of 1 x 1, and two 1 x 1.

    Args:
        image_shape: Channels, height and width of the images read; the sides are multiples of 4 from 20 up.
        outputs: Length of the output: the means and the log-deviations of the latent.
        width: Channels of the first layer.

    Raises:
        ValueError: If the network cannot read images of this shape.
    """

    def __init__(self, image_shape: ImageShape = (3, 32, 32), outputs: int = 128, width: int = 32) -> None:
        super().__init__()

        def activated(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
            return [layer, nn.BatchNorm2d(outputs, eps=1e-4, momentum=0.05), nn.LeakyReLU(0.1)]

        self.layers = nn.Sequential(
            *_convolutions(activated, image_shape, width, _core("ALIEncoder", image_shape)),
            # 512 x 1 x 1, mixed once more
            *activated(16 * width, 16 * width, 1),
            nn.Conv2d(16 * width, outputs, kernel_size=1),
            nn.Flatten(),
        )
        self.apply(partial(_normal, std=0.01))

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to (N, outputs)."""
        return self.layers(image)


class ALIDiscriminator(nn.Module):
    """A trunk for the image, one for the latent, and layers for both: maxout of two pieces with dropout.

    The image passes through five convolutions, as in the encoder, the latent through two layers of 512, both together
    through two of 1024. Dropout is .2 before the first layer of either trunk and .5 before every other one; there is no
    BatchNorm. Every layer has biases; in the authors' code only the image's first and those of both together have.

    Args:
        image_shape: Channels, height and width of the images judged; the sides are multiples of 4 from 20 up.
        latent_dim: Length of the latent vectors judged with them.
        width: Channels of the first layer.
        input_dropout: Probability of dropping a pixel, or a number of the latent.
        hidden_dropout: Probability of dropping a hidden unit.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        latent_dim: int = 64,
        width: int = 32,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        # Of the five convolutions: .2 before the first, .5 before the others.
        dropout = [input_dropout, *[hidden_dropout] * 4]

        def activated(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1) -> list[nn.Module]:
            # Twice the channels, of which maxout keeps the larger of each two.
            return [nn.Dropout(dropout.pop(0)), nn.Conv2d(inputs, 2 * outputs, kernel, stride), _Pieces()]

        def dense(inputs: int, outputs: int, dropped: float) -> list[nn.Module]:
            return [nn.Dropout(dropped), nn.Linear(inputs, 2 * outputs), _Pieces()]

        core = _core("ALIDiscriminator", image_shape)
        self.image = nn.Sequential(*_convolutions(activated, image_shape, width, core), nn.Flatten())
        self.latent = nn.Sequential(
            *dense(latent_dim, 16 * width, input_dropout), *dense(16 * width, 16 * width, hidden_dropout)
        )
        # Image and latent, 512 each at width 32, joined to 1024
        self.joint = nn.Sequential(
            *dense(32 * width, 32 * width, hidden_dropout),
            *dense(32 * width, 32 * width, hidden_dropout),
            nn.Dropout(hidden_dropout),
            nn.Linear(32 * width, 1),
        )
        self.apply(partial(_normal, std=0.01))

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Map images (N, C, H, W) with latents (N, latent_dim) to logits (N,)."""
        # N x 512 and N x 512 to N x 1024
        return self.joint(torch.cat([self.image(image), self.latent(latent)], dim=1)).squeeze(1)


class _Pieces(nn.Module):
    """Maxout: the larger one of two channels."""

    def forward(self, x: Tensor) -> Tensor:
        # N x 2C x ... to N x C x ...
        return x.unflatten(1, (-1, 2)).amax(dim=2)


def _hidden(inputs: int, outputs: int, activation: Callable[[], nn.Module]) -> list[nn.Module]:
    # N x outputs; eps 1e-8 as in the authors' code
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs, eps=1e-8), activation()]


def _convolutions(
    activated: Callable[..., list[nn.Module]], image_shape: ImageShape, width: int, core: tuple[int, int]
) -> list[nn.Module]:
    """From the image to 16 times the width of channels of 1 x 1."""
    return [
        # 32 x 32 to 28, 13, 10, 4 and 1
        *activated(image_shape[0], width, 5),
        *activated(width, 2 * width, 4, stride=2),
        *activated(2 * width, 4 * width, 4),
        *activated(4 * width, 8 * width, 4, stride=2),
        *activated(8 * width, 16 * width, core),
    ]


def _core(network: str, image_shape: ImageShape) -> tuple[int, int]:
    """The kernel that covers what the other layers leave: 4 x 4 at 32 x 32."""
    _, height, width = image_shape
    if min(height, width) < 20 or height % 4 or width % 4:
        raise ValueError(
            f"{network} works on images whose sides are multiples of 4 from 20 up, not {height} x {width}: set the "
            "data's image_size to 32."
        )
    return height // 4 - 4, width // 4 - 4


def _normal(module: nn.Module, std: float) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
