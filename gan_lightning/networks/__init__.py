"""Generators and discriminators: plain modules without losses, optimisers or logging."""

from gan_lightning.networks.convolutional import ConvDiscriminator, ConvGenerator
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator

__all__ = [
    "ConvDiscriminator",
    "ConvGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
]
