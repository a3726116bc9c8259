"""DiffAugment: three kinds of transformations that are always on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from gan_lightning.arguments import checked
from gan_lightning.augmentations.base import Augmentation
from gan_lightning.augmentations.color import map_colors

Policy = Literal["color", "translation", "cutout"]


@checked
class DiffAugment(Augmentation):
    """Zhao et al., *Differentiable Augmentation for Data-Efficient GAN Training*, NeurIPS 2020, arXiv 2006.10738.

    ``D(T(x))`` and ``D(T(G(z)))`` for both players (equations 4 and 5), with a ``T`` of every image's own, drawn anew
    at every call of the discriminator. The strengths are those of the authors' code, for images in [-1, 1].

    Saturation needs red, green and blue: images of other numbers of channels have brightness and contrast alone, and
    in images of 4 channels the last, transparency, keeps its values and is moved and cut with the others.

    Args:
        policy: The kinds that are on, in any order; the authors take translation and cutout for CIFAR-10 with BigGAN,
            colour and cutout for all of CIFAR-10 with StyleGAN2, and all three for few images.
        brightness: Largest number that is added to a whole image, to either side.
        saturation: Largest change of the factor, around 1, of a pixel's deviation from its grey value.
        contrast: Largest change of the factor, around 1, of a pixel's deviation from the image's mean.
        translation: Largest shift, as a share of the side; what comes in is 0, which is grey.
        cutout: Side of the square that becomes 0, as a share of the image's side. Its centre may be any pixel, so that
            a part of it may lie outside.

    Raises:
        ValueError: The policy is empty or names something else, or a strength is out of its range.
    """

    def __init__(
        self,
        policy: Sequence[Policy] = ("color", "translation", "cutout"),
        brightness: float = 0.5,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        if not policy:
            raise ValueError("policy is empty: name color, translation or cutout, or train without an augmentation.")
        if not brightness >= 0:
            raise ValueError(f"brightness is {brightness}: it must be at least 0.")
        shares = {"saturation": saturation, "contrast": contrast, "translation": translation, "cutout": cutout}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is {share}: it must be from 0 to 1.")
        self.policy = tuple(policy)
        self.brightness = brightness
        self.saturation = saturation
        self.contrast = contrast
        self.translation = translation
        self.cutout = cutout

    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        if "color" in self.policy:
            images = self._change_colors(images, channels)
        if "translation" in self.policy:
            images = self._translate(images)
        if "cutout" in self.policy:
            images = self._cut_out(images)
        return images

    def _change_colors(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        # One number an image, N x 1 x 1 x 1, for all channels.
        u = 2 * torch.rand(3, len(images), 1, 1, 1, device=images.device, dtype=images.dtype) - 1
        b, s, c = self.brightness * u[0], 1 + self.saturation * u[1], 1 + self.contrast * u[2]

        def change(image: Tensor, is_rgb: bool) -> Tensor:
            # b is added; then deviations from the pixel's grey value are multiplied by s, those from the image's mean
            # by c. The three in one: c s x + c (1 - s) grey + (1 - c) mean + b.
            grey = image.mean(dim=1, keepdim=True)
            mean = grey.mean(dim=(2, 3), keepdim=True)
            if not is_rgb:
                return c * image + ((1 - c) * mean + b)
            return c * s * image + (c * (1 - s) * grey + ((1 - c) * mean + b))

        return map_colors(images, channels, change)

    def _translate(self, images: Tensor) -> Tensor:
        # Of each pixel, per axis: where it comes from, and whether that is in the image.
        sources, inside = [], []
        for side in images.shape[2:]:
            most = int(self.translation * side + 0.5)
            shift = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
            source = torch.arange(side, device=images.device) + shift  # N x side
            sources.append(source.clamp(0, side - 1))
            inside.append((source >= 0) & (source < side))
        pixels = sources[0][:, :, None] * images.shape[3] + sources[1][:, None]  # N x H x W, numbers in an image
        moved = images.flatten(2).gather(2, pixels.flatten(1)[:, None].expand(-1, images.shape[1], -1))
        return moved.view_as(images) * (inside[0][:, :, None] & inside[1][:, None])[:, None]

    def _cut_out(self, images: Tensor) -> Tensor:
        # Rows and columns of the square, N x side each.
        rows, columns = (self._cut(len(images), side, images.device) for side in images.shape[2:])
        return images * ~(rows[:, :, None] & columns[:, None])[:, None]

    def _cut(self, n: int, side: int, device: torch.device) -> Tensor:
        length = int(self.cutout * side + 0.5)
        # Where the length is even, the centre lies between two pixels, of which there is one more.
        centre = torch.randint(0, side + (1 - length % 2), (n, 1), device=device)
        place = torch.arange(side, device=device) - (centre - length // 2)
        return (place >= 0) & (place < length)
