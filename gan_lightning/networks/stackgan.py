"""The generators of StackGAN (Zhang et al., ICCV 2017, arXiv 1612.03242), those of the authors' PyTorch code.

Stage 1 sketches a small image from the text; stage 2 corrects it and adds details, with another look at the text.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.conditioning import Activation, ConditioningAugmentation
from gan_lightning.networks.layers.growing import enlarged
from gan_lightning.networks.layers.stages import FirstStage, Residual, block, initialise, joined, to_image


class StackGANStage1(nn.Module):
    """From latent and condition to a small image: a linear layer to 4 x 4, then doublings with ReLU.

    Args:
        image_shape: Channels, height and width of the images made, 64 x 64 in the paper.
        latent_dim: Length of the latent vector, beside the noise of the condition.
        embed_dim: Length of the texts' embeddings.
        condition_dim: Length of the condition.
        width: Half of it is the channels at the image's own size; they double with every level down to 4 x 4.
        activation: Of the conditioning augmentation.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        embed_dim: int = 1024,
        condition_dim: int = 128,
        width: int = 192,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__()
        self.conditioning = ConditioningAugmentation(embed_dim, condition_dim, activation)
        self.first = FirstStage(latent_dim + condition_dim, image_shape, width // 2, is_gated=False)
        self.to_image = to_image(width // 2, image_shape[0])
        initialise(self, is_orthogonal=False)

    def forward(self, latent: Tensor, noise: Tensor, sentence: Tensor) -> Tensor:
        """Map latents (N, latent_dim), noise (N, condition_dim) and texts (N, embed_dim) to images in [-1, 1]."""
        condition = self.conditioning(sentence, noise)
        return self.to_image(self.first(torch.cat([latent, condition], dim=1)))


class StackGANStage2(nn.Module):
    """From an image of stage 1 and a condition of its own to a larger image.

    The image is encoded to a quarter of its side, the condition joined at every place; residual blocks and doublings
    follow.

    Args:
        image_shape: Channels, height and width of the images made, 256 x 256 in the paper.
        scale: How many times larger they are than the images given, a power of two.
        embed_dim: Length of the texts' embeddings.
        condition_dim: Length of the condition.
        width: Channels of the encoder's first layer; four times as many in the residual blocks.
        n_blocks: Residual blocks.
        activation: Of the conditioning augmentation.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        scale: int = 4,
        embed_dim: int = 1024,
        condition_dim: int = 128,
        width: int = 192,
        n_blocks: int = 2,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__()
        doublings = 1 + scale.bit_length()
        self.conditioning = ConditioningAugmentation(embed_dim, condition_dim, activation)

        def halving(inputs: int) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, 2 * inputs, 4, stride=2, padding=1, bias=False)
            return [layer, nn.BatchNorm2d(2 * inputs), nn.ReLU(inplace=True)]

        self.encoder = nn.Sequential(
            # No norm behind the first layer, as in the authors' code
            nn.Conv2d(image_shape[0], width, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            *halving(width),
            *halving(2 * width),
        )
        self.join = block(4 * width + condition_dim, 4 * width, is_gated=False)
        self.residual = nn.Sequential(*(Residual(4 * width, is_gated=False) for _ in range(n_blocks)))
        # At scale 4: 2 width, width, width / 2, width / 4 channels
        channels = [4 * width >> level for level in range(doublings + 1)]
        self.doublings = nn.Sequential(
            *(block(channels[i], channels[i + 1], is_gated=False, doubles=True) for i in range(doublings))
        )
        self.to_image = to_image(channels[-1], image_shape[0])
        initialise(self, is_orthogonal=False)

    def forward(self, image: Tensor, noise: Tensor, sentence: Tensor) -> Tensor:
        """Map images (N, C, h, w), noise (N, condition_dim) and texts (N, embed_dim) to images (N, C, H, W)."""
        condition = self.conditioning(sentence, noise)
        features = self.residual(self.join(joined(self.encoder(image), condition)))
        return self.to_image(self.doublings(features))


class StackGANGenerator(nn.Module):
    """Both stages. A latent is the vector z and the noise of each stage's condition, in one.

    Args:
        image_shape: Channels, height and width of stage 2's images.
        latent_dim: Length of z.
        embed_dim: Length of the texts' embeddings.
        condition_dim: Length of the conditions.
        scale: How many times larger stage 2's images are than stage 1's, a power of two.
        width: Of both stages.
        n_blocks: Residual blocks of stage 2: 2 in the authors' PyTorch code for COCO, 4 in the paper for birds.
        activation: Of the conditioning augmentation.

    Attributes:
        lengths: Of z and of the noise of each stage's condition.

    Raises:
        ValueError: The scale is no power of two, or does not fit the images.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        latent_dim: int = 100,
        embed_dim: int = 1024,
        condition_dim: int = 128,
        scale: int = 4,
        width: int = 192,
        n_blocks: int = 2,
        activation: Activation = "leaky_relu",
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        if scale < 2 or scale.bit_count() != 1 or any(side % (4 * scale) for side in sides):
            raise ValueError(
                f"scale is {scale}, and it must be 2, 4, 8, ..., with sides of the image that are multiples of 4 times "
                f"as many: they are {sides[0]} x {sides[1]}."
            )
        if width < scale:
            raise ValueError(f"width is {width}: the last of stage 2's {scale} parts of it would have no channel.")
        small = (channels, sides[0] // scale, sides[1] // scale)
        self.lengths = [latent_dim, condition_dim, condition_dim]
        self.scale = scale
        self.stage1 = StackGANStage1(small, latent_dim, embed_dim, condition_dim, width, activation)
        self.stage2 = StackGANStage2(image_shape, scale, embed_dim, condition_dim, width, n_blocks, activation)
        self.stage = 2

    @property
    def stage(self) -> int:
        """The stage whose images are made, 1 or 2; in the state dict."""
        return self._stage

    @stage.setter
    def stage(self, stage: int) -> None:
        self._stage = stage
        self.train(self.training)

    def parts_in_order(self) -> Iterator[tuple[str, nn.Module]]:
        """Its layers by name from the text on, stage 1's and then stage 2's."""
        for stage in ("stage1", "stage2"):
            for name, part in getattr(self, stage).named_children():
                yield f"{stage}.{name}", part

    def get_extra_state(self) -> Tensor:
        """The stage, for the state dict."""
        return torch.tensor(self.stage)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the stage of a state dict."""
        self.stage = int(state)

    @property
    def conditioning(self) -> ConditioningAugmentation:
        """The conditioning augmentation of the stage."""
        return (self.stage1 if self.stage == 1 else self.stage2).conditioning

    def of_stage(self, latent: Tensor, sentence: Tensor) -> Tensor:
        """Map latents (N, sum of ``lengths``) and texts (N, embed_dim) to images in the stage's own size.

        In stage 2, stage 1 is in evaluation mode, and its image takes no gradient.
        """
        z, *noises = latent.split(self.lengths, dim=1)
        if self.stage == 1:
            return self.stage1(z, noises[0], sentence)
        with torch.no_grad():
            sketch = self.stage1(z, noises[0], sentence)
        return self.stage2(sketch, noises[1], sentence)

    def train(self, mode: bool = True) -> "StackGANGenerator":
        """Set the mode of the stage; a stage 1 that is no longer trained makes images as it does for samples."""
        super().train(mode)
        if self.stage == 2:
            self.stage1.eval()
        return self

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        """Map latents and texts to images (N, C, H, W) in [-1, 1]; stage 1's are enlarged."""
        return enlarged(self.of_stage(latent, sentence), self.scale if self.stage == 1 else 1)
