"""The generator of AttnGAN (Xu et al., CVPR 2018, arXiv 1711.10485), that of the authors' code."""

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.attention import WordAttention
from gan_lightning.networks.layers.stages import Residual, block
from gan_lightning.networks.stackgan_pp import TreeGenerator


class AttnGANGenerator(TreeGenerator):
    """A tree of stages as in StackGAN++, but after the first each place looks at the words that concern it.

    The first stage has the sentence, by conditioning augmentation; each further one joins to its features, at every
    place, a mean of the words weighted by attention (section 3.1). Gates activate; ``width`` channels at every image. A
    latent is the vector z and the noise of the condition, in one.

    Args:
        image_shape: Channels, height and width of the largest images, 256 x 256 in the paper.
        latent_dim: Length of z.
        embed_dim: Length of the words' features and of the sentence's.
        condition_dim: Length of the condition.
        n_stages: Number of images.
        width: Channels at each image's size.
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
        embed_dim: int = 256,
        condition_dim: int = 100,
        n_stages: int = 3,
        width: int = 32,
        n_blocks: int = 2,
    ) -> None:
        widths = [width] * n_stages
        super().__init__(
            image_shape, latent_dim, embed_dim, condition_dim, widths, lambda each: _Stage(each, embed_dim, n_blocks)
        )

    def images_and_attention(
        self, latent: Tensor, sentence: Tensor, words: Tensor, mask: Tensor
    ) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Make the images of all stages.

        Args:
            latent: N x sum of ``lengths``.
            sentence: N x embed_dim.
            words: N x embed_dim x T.
            mask: N x T, True where there is a word.

        Returns:
            Images (N, C, H, W) by their height, and the attention (N, T, h, w) of the features that each but the
            smallest was made from; at a place it sums to 1 over the words.
        """
        z, noise = latent.split(self.lengths, dim=1)
        condition = self.conditioning(sentence, noise)
        features = [self.first(torch.cat([condition, z], dim=1))]
        attention = []
        for stage in self.stages:
            finer, looks = stage(features[-1], words, mask)
            features.append(finer)
            attention.append(looks)
        return self.by_height(features), dict(zip(self.sides[1:], attention, strict=True))

    def images(self, latent: Tensor, sentence: Tensor, words: Tensor, mask: Tensor) -> dict[int, Tensor]:
        """The images alone, of the same arguments."""
        return self.images_and_attention(latent, sentence, words, mask)[0]

    def forward(self, latent: Tensor, sentence: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """The largest images, N x C x H x W in [-1, 1], of the same arguments."""
        return self.images(latent, sentence, words, mask)[self.sides[-1]]


class _Stage(nn.Module):
    """From features (N, width, H, W) and words to features (N, width, 2 H, 2 W), and the attention (N, T, H, W)."""

    def __init__(self, width: int, word_dim: int, n_blocks: int) -> None:
        super().__init__()
        self.attention = WordAttention(width, word_dim)
        self.residual = nn.Sequential(*(Residual(2 * width, is_gated=True) for _ in range(n_blocks)))
        self.doubling = block(2 * width, width, is_gated=True, doubles=True)

    def forward(self, features: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        seen, attention = self.attention(features, words, mask)
        return self.doubling(self.residual(torch.cat([features, seen], dim=1))), attention
