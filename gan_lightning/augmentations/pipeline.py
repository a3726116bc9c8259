"""The transformations of adaptive discriminator augmentation, in their order."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lightning.augmentations.base import Augmentation
from gan_lightning.augmentations.color import color_matrix, map_colors
from gan_lightning.augmentations.corruptions import N_BANDS, amplify_bands, balanced, cut_rectangles
from gan_lightning.augmentations.draws import Draws, change_some
from gan_lightning.augmentations.geometry import rotations, scalings, translations
from gan_lightning.augmentations.resampling import warp


class TransformationPipeline(Augmentation):
    """Transformations of each image, of which each is drawn with a probability p (Karras et al., 2020, appendix B).

    They are applied in the order of the first arguments, each of which is the share of p with which a transformation
    is drawn: 1 with the probability p, 0 never. The first seven are one resampling, see :func:`resampling.warp`, and
    beyond its borders an image is reflected; the colours are one affine map. Images of other than 3 or 4 channels have
    brightness and contrast and no other colours; of 4 channels the last, transparency, is moved and not coloured.

    Args:
        flip: Share for left-right flips, drawn uniformly with the identity.
        quarter_turn: Share for turns by 0, 90, 180 and 270 degrees.
        integer_translation: Share for shifts by whole pixels.
        scaling: Share for scalings of both axes.
        rotation: Share for rotations by any angle, before the anisotropic scaling, after it, or both.
        anisotropic_scaling: Share for scalings of one axis, and of the other by the reciprocal.
        fractional_translation: Share for shifts by any number of pixels.
        brightness: Share for numbers that are added.
        contrast: Share for factors of all channels.
        luma_flip: Share for the negative of the grey part alone, drawn uniformly with the identity.
        hue: Share for rotations about the grey axis.
        saturation: Share for factors of what is not grey.
        band_filter: Share for gains of each of four octaves of frequencies. The authors leave the last three off.
        noise: Share for normal noise.
        cutout: Share for one rectangle that becomes 0.
        integer_translation_max: Largest shift by whole pixels, as a share of the side.
        scaling_std: Standard deviation of the scaling's binary logarithm.
        rotation_max: Largest rotation, in half turns.
        anisotropic_scaling_std: Standard deviation of the binary logarithm of the scaling of x.
        fractional_translation_std: Standard deviation of the shift, as a share of the side.
        brightness_std: Standard deviation of the number that is added.
        contrast_std: Standard deviation of the contrast's binary logarithm.
        hue_max: Largest rotation of the hue, in half turns.
        saturation_std: Standard deviation of the saturation's binary logarithm.
        band_filter_std: Standard deviation of the gains' binary logarithms.
        noise_std: Standard deviation of the normal number whose absolute value is the standard deviation of the noise.
        cutout_size: Sides of the rectangle, as a share of the image's.

    Raises:
        ValueError: An argument is negative.
    """

    def __init__(
        self,
        flip: float = 1.0,
        quarter_turn: float = 1.0,
        integer_translation: float = 1.0,
        scaling: float = 1.0,
        rotation: float = 1.0,
        anisotropic_scaling: float = 1.0,
        fractional_translation: float = 1.0,
        brightness: float = 1.0,
        contrast: float = 1.0,
        luma_flip: float = 1.0,
        hue: float = 1.0,
        saturation: float = 1.0,
        band_filter: float = 0.0,
        noise: float = 0.0,
        cutout: float = 0.0,
        integer_translation_max: float = 0.125,
        scaling_std: float = 0.2,
        rotation_max: float = 1.0,
        anisotropic_scaling_std: float = 0.2,
        fractional_translation_std: float = 0.125,
        brightness_std: float = 0.2,
        contrast_std: float = 0.5,
        hue_max: float = 1.0,
        saturation_std: float = 1.0,
        band_filter_std: float = 1.0,
        noise_std: float = 0.1,
        cutout_size: float = 0.5,
    ) -> None:
        for name, value in locals().items():
            if isinstance(value, int | float) and not value >= 0:
                raise ValueError(f"{name} is {value}: it must be at least 0.")
        super().__init__()
        self.flip, self.quarter_turn = flip, quarter_turn
        self.integer_translation, self.integer_translation_max = integer_translation, integer_translation_max
        self.scaling, self.scaling_std = scaling, scaling_std
        self.rotation, self.rotation_max = rotation, rotation_max
        self.anisotropic_scaling, self.anisotropic_scaling_std = anisotropic_scaling, anisotropic_scaling_std
        self.fractional_translation = fractional_translation
        self.fractional_translation_std = fractional_translation_std
        self.brightness, self.brightness_std = brightness, brightness_std
        self.contrast, self.contrast_std = contrast, contrast_std
        self.luma_flip = luma_flip
        self.hue, self.hue_max = hue, hue_max
        self.saturation, self.saturation_std = saturation, saturation_std
        self.band_filter, self.band_filter_std = band_filter, band_filter_std
        self.noise, self.noise_std = noise, noise_std
        self.cutout, self.cutout_size = cutout, cutout_size

    @abstractmethod
    def probability(self, images: Tensor) -> Tensor:
        """p, a tensor without dimensions, on the device of the images."""

    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        draws = Draws(images, self.probability(images))
        images = self._move(images, draws)
        images = self._change_colors(images, draws, channels)
        return self._corrupt(images, draws)

    def _move(self, images: Tensor, draws: Draws) -> Tensor:
        matrix = self._to_source(draws, *images.shape[2:])
        # Images whose draws come out as the identity are left as they are, too.
        moves = (matrix != torch.eye(3, dtype=matrix.dtype, device=matrix.device)).flatten(1).any(dim=1)
        return change_some(images, moves, lambda some, places: warp(some, matrix[places]))

    def _to_source(self, draws: Draws, height: int, width: int) -> Tensor:
        """From a pixel of the result to the place in the image that it shows, N x 3 x 3, in pixels from the centre.

        The inverses of the transformations, of which the last one is applied to the pixel first.
        """
        some = draws.some
        flip = 1 - 2 * some(draws.below(2), 0, self.flip)
        # Rounded: cosines and sines of quarter turns are whole numbers.
        turn = rotations(-math.pi / 2 * some(draws.below(4), 0, self.quarter_turn)).round()
        most = self.integer_translation_max
        right, down = some(draws.around(most, 2), 0, self.integer_translation).unbind(1)
        shift = translations(-(right * width).round(), -(down * height).round())
        scale = some(draws.normal(self.scaling_std).exp2(), 1, self.scaling)
        # Two rotations, of which one or both are drawn with the probability p.
        once = 1 - (1 - self.rotation * draws.p).clamp(min=0).sqrt()
        before, after = (
            rotations(-draws.with_probability(once, draws.around(math.pi * self.rotation_max), 0)) for _ in range(2)
        )
        wide = some(draws.normal(self.anisotropic_scaling_std).exp2(), 1, self.anisotropic_scaling)
        x, y = some(draws.normal(self.fractional_translation_std, 2), 0, self.fractional_translation).unbind(1)
        first = scalings(flip, torch.ones_like(flip)) @ turn @ shift @ scalings(1 / scale, 1 / scale)
        return first @ before @ scalings(1 / wide, wide) @ after @ translations(-x * width, -y * height)

    def _change_colors(self, images: Tensor, draws: Draws, channels: Sequence[int]) -> Tensor:
        some = draws.some
        brightness = some(draws.normal(self.brightness_std), 0, self.brightness)
        contrast = some(draws.normal(self.contrast_std).exp2(), 1, self.contrast)
        luma = 1 - 2 * some(draws.below(2), 0, self.luma_flip)
        hue = some(draws.around(math.pi * self.hue_max), 0, self.hue)
        saturation = some(draws.normal(self.saturation_std).exp2(), 1, self.saturation)
        # All but brightness, which is grey and comes first, act on the grey part and the rest apart, in any order.
        matrix = color_matrix(contrast * luma, contrast * saturation, hue)

        def change_rgb(some_images: Tensor, places: Tensor | slice) -> Tensor:
            added = (contrast * luma * brightness)[places, None, None]
            return torch.baddbmm(added, matrix[places], some_images.flatten(2)).view_as(some_images)

        def change_other(some_images: Tensor, places: Tensor | slice) -> Tensor:
            return contrast[places, None, None, None] * (some_images + brightness[places, None, None, None])

        other = (brightness != 0) | (contrast != 1)
        rgb = other | (luma < 0) | (hue != 0) | (saturation != 1)
        return map_colors(
            images,
            channels,
            lambda image, is_rgb: change_some(image, rgb if is_rgb else other, change_rgb if is_rgb else change_other),
        )

    def _corrupt(self, images: Tensor, draws: Draws) -> Tensor:
        some = draws.some
        if self.band_filter > 0:
            gains = torch.ones_like(draws.uniform(N_BANDS))
            for band in range(N_BANDS):
                gain = some(draws.normal(self.band_filter_std).exp2(), 1, self.band_filter)
                alone = torch.ones_like(gains).index_fill(1, torch.tensor(band, device=gains.device), 0)
                alone = alone + (1 - alone) * gain[:, None]
                gains = gains * torch.where((gain != 1)[:, None], balanced(alone), 1)
            images = change_some(
                images, (gains != 1).any(dim=1), lambda image, places: amplify_bands(image, gains[places])
            )
        if self.noise > 0:
            std = some(draws.normal(self.noise_std).abs(), 0, self.noise)[:, None, None, None]
            images = images + std * torch.randn_like(images)
        if self.cutout > 0:
            size = some(torch.full_like(draws.uniform(), self.cutout_size), 0, self.cutout)
            images = cut_rectangles(images, draws.uniform(2), size)
        return images
