"""Generators and discriminators: plain modules without losses, optimisers or logging."""

from gan_lightning.networks.autoencoder import ConvAutoencoder
from gan_lightning.networks.classifying import ClassifyingDiscriminator
from gan_lightning.networks.convolutional import ConvDiscriminator, ConvGenerator
from gan_lightning.networks.infogan import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.networks.minibatch_discrimination import MinibatchDiscriminator
from gan_lightning.networks.mlp import (
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from gan_lightning.networks.patch import InstancePatchDiscriminator, PatchDiscriminator
from gan_lightning.networks.pyramid import (
    PyramidDiscriminator,
    PyramidGenerator,
    SAGANDiscriminator,
    SAGANGenerator,
)
from gan_lightning.networks.residual_translator import ResidualTranslator
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator, SNGANDiscriminator, SNGANGenerator
from gan_lightning.networks.semi_supervised import NoisyClassifier, SoftplusGenerator
from gan_lightning.networks.srresnet import SRGANDiscriminator, SRResNet
from gan_lightning.networks.stargan import StarGANDiscriminator, StarGANGenerator
from gan_lightning.networks.unet import UNet
from gan_lightning.networks.virtual_batch_norm import VirtualBatchNormDiscriminator, VirtualBatchNormGenerator

__all__ = [
    "ClassifyingDiscriminator",
    "ConditionalMLPDiscriminator",
    "ConditionalMLPGenerator",
    "ConvAutoencoder",
    "ConvDiscriminator",
    "ConvGenerator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "InstancePatchDiscriminator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MinibatchDiscriminator",
    "NoisyClassifier",
    "PatchDiscriminator",
    "PyramidDiscriminator",
    "PyramidGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ResidualTranslator",
    "SAGANDiscriminator",
    "SAGANGenerator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "SRGANDiscriminator",
    "SRResNet",
    "SoftplusGenerator",
    "StarGANDiscriminator",
    "StarGANGenerator",
    "UNet",
    "VirtualBatchNormDiscriminator",
    "VirtualBatchNormGenerator",
]
