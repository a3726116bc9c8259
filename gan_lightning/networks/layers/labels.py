"""Class labels as inputs of a network: one-hot, conditional BatchNorm, projection."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot(labels: Tensor | None, like: Tensor, num_classes: int) -> Tensor:
    """Labels (N,) as N x ``num_classes`` zeros and ones, of the number type of ``like``.

    Raises:
        ValueError: There are none.
    """
    if labels is None:
        raise ValueError(f"The network was made for {num_classes} classes: call it with the class of every example.")
    return F.one_hot(labels.long(), num_classes).to(like.dtype)


class Labelled(nn.Module):
    """Base of layers with the labels as a second input: ``forward(x, labels)``."""


class LabelledSequential(nn.Sequential):
    """Sequential that passes the labels to its :class:`Labelled` layers."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map ``x`` through all layers."""
        for layer in self:
            x = layer(x, labels) if isinstance(layer, Labelled) else layer(x)
        return x


class ConditionalBatchNorm2d(Labelled):
    """BatchNorm whose scale and offset are the class's (Dumoulin et al., 2017, arXiv 1610.07629).

    ``gamma_y (x - mean) / sqrt(var + eps) + beta_y``, with gamma starting at 1 and beta at 0.

    Args:
        channels: Channels in and out.
        num_classes: Classes, each with a scale and an offset for every channel.
        eps: Added to the variance: 1e-5 in the code of WGAN-GP and SAGAN, 2e-5 in SNGAN's.
    """

    def __init__(self, channels: int, num_classes: int, eps: float = 1e-5) -> None:
        super().__init__()
        # Without scale and offset of its own: the classes' ones take their place.
        self.norm = nn.BatchNorm2d(channels, eps=eps, affine=False)
        self.scale = nn.Parameter(torch.ones(num_classes, channels))
        self.offset = nn.Parameter(torch.zeros(num_classes, channels))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Map (N, channels, H, W) with labels (N,) to the same shape."""
        # N x C x 1 x 1: gamma_y and beta_y
        scale, offset = (F.embedding(labels, table)[:, :, None, None] for table in (self.scale, self.offset))
        return scale * self.norm(x) + offset


def batch_norm(channels: int, num_classes: int | None, eps: float = 1e-5) -> nn.Module:
    """BatchNorm, the class's own where there are classes."""
    if num_classes is None:
        return nn.BatchNorm2d(channels, eps=eps)
    return ConditionalBatchNorm2d(channels, num_classes, eps)


def project(features: Tensor, linear: nn.Linear, embedding: nn.Embedding | None, labels: Tensor | None) -> Tensor:
    """The end of a projection discriminator (Miyato, Koyama, ICLR 2018, arXiv 1802.05637).

    ``s = w . phi + <e_y, phi>``; without an embedding the linear layer alone.

    Args:
        features: phi, (N, F).
        linear: w.
        embedding: e, a vector for each class.
        labels: y, (N,).

    Returns:
        Logits (N,).
    """
    # w . phi(x), (N,)
    logits = linear(features).squeeze(1)
    return logits if embedding is None else logits + (embedding(labels) * features).sum(1)
