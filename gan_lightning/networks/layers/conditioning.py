"""Conditioning augmentation: a text stands for a distribution of conditions (Zhang et al., 2017, section 3.2)."""

from typing import Literal

from torch import Tensor, nn

Activation = Literal["leaky_relu", "relu", "glu"]


class ConditioningAugmentation(nn.Module):
    """``c = mu + sigma * epsilon`` with ``mu`` and ``log sigma^2`` linear in the embedding, and an activation behind.

    Few texts cover the space of embeddings thinly: the noise fills it, and texts that are close to each other get
    conditions that overlap (StackGAN, arXiv 1612.03242). The noise is an input, so that a sample depends on its latent
    alone.

    Args:
        embed_dim: Length of the embedding.
        condition_dim: Length of the condition.
        activation: ``leaky_relu`` of slope .2 in StackGAN's TensorFlow code; ``relu`` in its PyTorch code, where
            ``sigma`` is 1 at least; ``glu``, a gate for each number, in StackGAN++ and AttnGAN.
    """

    def __init__(self, embed_dim: int, condition_dim: int, activation: Activation = "glu") -> None:
        super().__init__()
        activations = {"leaky_relu": nn.LeakyReLU(0.2), "relu": nn.ReLU(), "glu": nn.GLU(dim=1)}
        # A gate takes half of the outputs.
        self.linear = nn.Linear(embed_dim, condition_dim * (4 if activation == "glu" else 2))
        self.activation = activations[activation]

    def moments(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Map embeddings (N, embed_dim) to the conditions' means and logarithms of variances, (N, condition_dim)."""
        mean, log_variance = self.activation(self.linear(embedding)).chunk(2, dim=1)
        return mean, log_variance

    def forward(self, embedding: Tensor, noise: Tensor) -> Tensor:
        """Map embeddings (N, embed_dim) and normal noise (N, condition_dim) to conditions (N, condition_dim)."""
        mean, log_variance = self.moments(embedding)
        return mean + (0.5 * log_variance).exp() * noise
