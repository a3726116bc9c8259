"""The networks of pix2pix and CycleGAN in plain torch, nested and named as in the authors' PyTorch code.

They are made layer by layer from that code's published order, and share nothing with the networks under test.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


def old_instance_norm(channels: int) -> nn.Module:
    """As files from before torch 0.4 know it: statistics are remembered, and not used in training."""
    return nn.InstanceNorm2d(channels, track_running_stats=True)


class Named(nn.Module):
    """Layers one after the other, called ``model``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


class Joined(Named):
    """The same, joined to what came in."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, self.model(images)], dim=1)


class Added(nn.Module):
    """Layers called ``conv_block``, added to what came in."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return images + self.conv_block(images)


class Nested(nn.Module):
    """A U-Net, whose outermost level is called ``model``: ``model.model.0.weight`` is its first convolution."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)


def unet(depth: int, width: int = 64, given: int = 3, made: int = 3, norm: Norm = nn.BatchNorm2d) -> nn.Module:
    """``unet_256`` at depth 8, ``unet_128`` at depth 7."""
    bias = norm is not nn.BatchNorm2d

    def down(inputs: int, outputs: int) -> nn.Module:
        return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=bias)

    def up(inputs: int, outputs: int, bias: bool = bias) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)

    widest = 8 * width
    level: nn.Module = Joined(
        *(nn.LeakyReLU(0.2, True), down(widest, widest)),
        *(nn.ReLU(True), up(widest, widest), norm(widest)),
    )
    shapes = [(widest, widest, True)] * (depth - 5)
    shapes += [(4 * width, widest, False), (2 * width, 4 * width, False), (width, 2 * width, False)]
    for outer, inner, drops in shapes:
        level = Joined(
            *(nn.LeakyReLU(0.2, True), down(outer, inner), norm(inner)),
            level,
            *(nn.ReLU(True), up(2 * inner, outer), norm(outer)),
            *([nn.Dropout(0.5)] if drops else []),
        )
    return Nested(Named(down(given, width), level, nn.ReLU(True), up(2 * width, made, True), nn.Tanh()))


def resnet(
    n_blocks: int,
    width: int = 64,
    given: int = 3,
    made: int = 3,
    norm: Norm = nn.InstanceNorm2d,
    dropout: bool = False,
) -> nn.Module:
    """``resnet_9blocks`` or ``resnet_6blocks``."""
    bias = norm is not nn.BatchNorm2d

    def block(channels: int) -> nn.Module:
        return Added(
            *(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(channels), nn.ReLU(True)),
            *([nn.Dropout(0.5)] if dropout else []),
            *(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(channels)),
        )

    def up(inputs: int, outputs: int) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=bias)

    two, four = 2 * width, 4 * width
    return Named(
        *(nn.ReflectionPad2d(3), nn.Conv2d(given, width, 7, bias=bias), norm(width), nn.ReLU(True)),
        *(nn.Conv2d(width, two, 3, 2, 1, bias=bias), norm(two), nn.ReLU(True)),
        *(nn.Conv2d(two, four, 3, 2, 1, bias=bias), norm(four), nn.ReLU(True)),
        *(block(four) for _ in range(n_blocks)),
        *(up(four, two), norm(two), nn.ReLU(True)),
        *(up(two, width), norm(width), nn.ReLU(True)),
        *(nn.ReflectionPad2d(3), nn.Conv2d(width, made, 7), nn.Tanh()),
    )


def patch(n_layers: int = 3, width: int = 64, given: int = 3, norm: Norm = nn.BatchNorm2d) -> nn.Module:
    """``basic`` at three layers, else ``n_layers``."""
    bias = norm is not nn.BatchNorm2d
    layers: list[nn.Module] = [nn.Conv2d(given, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    inputs = width
    for level in range(1, n_layers + 1):
        outputs = width * min(2**level, 8)
        stride = 1 if level == n_layers else 2
        layers += [nn.Conv2d(inputs, outputs, 4, stride, 1, bias=bias), norm(outputs), nn.LeakyReLU(0.2, True)]
        inputs = outputs
    return Named(*layers, nn.Conv2d(inputs, 1, 4, 1, 1))


def pixel(width: int = 64, given: int = 3) -> nn.Module:
    """``pixel``, which judges single pixels and is not ours."""
    network = nn.Module()
    network.net = nn.Sequential(
        *(nn.Conv2d(given, width, 1), nn.LeakyReLU(0.2, True)),
        *(nn.Conv2d(width, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2, True)),
        nn.Conv2d(2 * width, 1, 1, bias=False),
    )
    return network


def shuffled(network: nn.Module) -> nn.Module:
    """The network with random weights and statistics of a size that no output saturates by; nothing is left alike."""
    torch.manual_seed(0)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.ndim == 4:
            value.normal_(0, 0.7 / value[0].numel() ** 0.5)
        elif value.is_floating_point():
            value.normal_(1 if name.endswith("weight") else 0, 0.3)
    return network
