"""The discriminator that judges patches, of pix2pix (Isola et al., 2017, arXiv 1611.07004)."""

from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init
from gan_lightning.networks.layers.winograd import WinogradConv2d


class PatchDiscriminator(nn.Module):
    """PatchGAN: convolutions that end in one logit for every patch, 70 x 70 pixels large at three layers.

    4 x 4 kernels; 64, 128 and 256 channels with stride 2, then 512 and 1 with stride 1; LeakyReLU of slope .2 after
    every layer but the last, a normalisation after every layer but the first and the last. There is no sigmoid.

    Args:
        image_shape: Channels, height and width of what is judged; an image joined to its condition is one of as many
            channels as both have.
        width: Channels of the first layer.
        n_layers: Layers with stride 2. 1 makes patches of 16 x 16 pixels, 5 of 286 x 286.
        normalization: batch, as in pix2pix; instance, without weights of its own, as in CycleGAN.

    Raises:
        ValueError: The image is smaller than the layers need.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        width: int = 64,
        n_layers: int = 3,
        normalization: Literal["batch", "instance"] = "batch",
    ) -> None:
        super().__init__()
        # Smaller maps would be empty after the two layers with stride 1.
        least = 2**n_layers * 3
        if n_layers < 1 or min(image_shape[1:]) < least:
            raise ValueError(
                f"PatchDiscriminator of n_layers {n_layers} judges images from {least} x {least} up, not "
                f"{image_shape[1]} x {image_shape[2]}: n_layers must be at least 1 and fit the image."
            )
        is_batch = normalization == "batch"
        # 64, 128, 256, 512, ... 512
        channels = [width * min(2**level, 8) for level in range(n_layers + 1)]
        layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for level, (inputs, outputs) in enumerate(pairwise(channels), 1):
            # The last but one layer keeps the resolution.
            layer = partial(nn.Conv2d, stride=2) if level < n_layers else WinogradConv2d
            layers += [
                # A bias before BatchNorm would be subtracted again with the mean.
                layer(inputs, outputs, 4, padding=1, bias=not is_batch),
                nn.BatchNorm2d(outputs) if is_batch else nn.InstanceNorm2d(outputs),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        # One logit a patch
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, padding=1))
        self.apply(dcgan_init)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the logits of their patches (N, 1, H', W'): 30 x 30 of them at 256 x 256."""
        return self.layers(image)


class InstancePatchDiscriminator(PatchDiscriminator):
    """:class:`PatchDiscriminator` with InstanceNorm, as CycleGAN has it.

    Args:
        image_shape: Channels, height and width of what is judged.
        width: Channels of the first layer.
        n_layers: Layers with stride 2.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 256, 256), width: int = 64, n_layers: int = 3) -> None:
        super().__init__(image_shape, width, n_layers, "instance")
