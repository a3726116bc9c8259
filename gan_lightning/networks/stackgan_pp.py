"""The generator of StackGAN++ (Zhang et al., TPAMI 2018, arXiv 1710.10916), that of the authors' code."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.conditioning import ConditioningAugmentation
from gan_lightning.networks.layers.stages import FirstStage, Residual, block, initialise, joined, to_image


def stage_shapes(image_shape: tuple[int, int, int], n_stages: int) -> list[tuple[int, int, int]]:
    """Shapes of the images of a tree of stages, from coarse to fine; each has twice the sides of the one before.

    Raises:
        ValueError: The sides cannot be halved that often.
    """
    channels, height, width = image_shape
    parts = 2 ** (n_stages - 1)
    if height % parts or width % parts or min(height, width) < 8 * parts:
        raise ValueError(
            f"n_stages is {n_stages}: it needs images whose sides are multiples of {parts} from {8 * parts} up, "
            f"not {height} x {width}: take fewer, or change the data's image_size."
        )
    return [(channels, height >> level, width >> level) for level in reversed(range(n_stages))]


class TreeGenerator(nn.Module):
    """The networks of a tree: a first stage from z and the condition, further ones, and a layer to each one's image.

    Args:
        image_shape: Channels, height and width of the largest images.
        latent_dim: Length of z.
        embed_dim: Length of the texts' embeddings.
        condition_dim: Length of the condition.
        widths: Channels at the size of each image, from coarse to fine.
        make_stage: Makes the stage behind features of so many channels.

    Attributes:
        lengths: Of z and of the noise of the condition.
        sides: Heights of the images.

    Raises:
        ValueError: The sides do not fit the stages.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        embed_dim: int,
        condition_dim: int,
        widths: Sequence[int],
        make_stage: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        shapes = stage_shapes(image_shape, len(widths))
        self.lengths = [latent_dim, condition_dim]
        self.sides = [height for _, height, _ in shapes]
        self.conditioning = ConditioningAugmentation(embed_dim, condition_dim)
        self.first = FirstStage(condition_dim + latent_dim, shapes[0], widths[0], is_gated=True)
        self.stages = nn.ModuleList(make_stage(width) for width in widths[:-1])
        self.to_images = nn.ModuleList(to_image(width, image_shape[0]) for width in widths)
        initialise(self, is_orthogonal=True)

    def by_height(self, features: Sequence[Tensor]) -> dict[int, Tensor]:
        """Images (N, C, H, W) by their height, of the features (N, width, H, W) of each stage."""
        made = (layer(each) for layer, each in zip(self.to_images, features, strict=True))
        return dict(zip(self.sides, made, strict=True))


class StackGANPlusPlusGenerator(TreeGenerator):
    """A tree: a first stage makes features of a small image, each further one doubles their side; each has an image.

    Every stage joins the condition once more at every place. Gates activate; ``width`` channels at the first image's
    size, half as many with each stage. A latent is the vector z and the noise of the condition, in one.

    Args:
        image_shape: Channels, height and width of the largest images, 256 x 256 in the paper.
        latent_dim: Length of z.
        embed_dim: Length of the texts' embeddings.
        condition_dim: Length of the condition.
        n_stages: Number of images.
        width: Channels at the size of the smallest image.
        n_blocks: Residual blocks of each stage after the first.

    Attributes:
        lengths: Of z and of the noise.

    Raises:
        ValueError: The sides do not fit the stages.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        latent_dim: int = 100,
        embed_dim: int = 1024,
        condition_dim: int = 128,
        n_stages: int = 3,
        width: int = 64,
        n_blocks: int = 2,
    ) -> None:
        widths = [width >> level for level in range(n_stages)]
        if not widths[-1]:
            raise ValueError(f"width is {width}: the last of {n_stages} stages would have no channel.")
        super().__init__(
            image_shape,
            latent_dim,
            embed_dim,
            condition_dim,
            widths,
            lambda each: _Stage(each, condition_dim, n_blocks),
        )

    def images(self, latent: Tensor, sentence: Tensor) -> dict[int, Tensor]:
        """Map latents (N, sum of ``lengths``) and texts (N, embed_dim) to images by their height."""
        z, noise = latent.split(self.lengths, dim=1)
        condition = self.conditioning(sentence, noise)
        features = [self.first(torch.cat([condition, z], dim=1))]
        for stage in self.stages:
            features.append(stage(features[-1], condition))
        return self.by_height(features)

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        """Map latents and texts to the largest images (N, C, H, W) in [-1, 1]."""
        return self.images(latent, sentence)[self.sides[-1]]


class _Stage(nn.Module):
    """From features (N, width, H, W) and a condition to features (N, width / 2, 2 H, 2 W)."""

    def __init__(self, width: int, condition_dim: int, n_blocks: int) -> None:
        super().__init__()
        self.join = block(width + condition_dim, width, is_gated=True)
        self.residual = nn.Sequential(*(Residual(width, is_gated=True) for _ in range(n_blocks)))
        self.doubling = block(width, width // 2, is_gated=True, doubles=True)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        return self.doubling(self.residual(self.join(joined(features, condition))))
