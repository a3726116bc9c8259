"""Generators and discriminators: plain modules without losses, optimisers or logging."""

from gan_lightning.arguments import checked
from gan_lightning.networks.acgan import ClassifyingDiscriminator
from gan_lightning.networks.age_cgan import AgeDiscriminator, AgeEncoder
from gan_lightning.networks.ali import (
    ALIDiscriminator,
    ALIEncoder,
    ALIGenerator,
    BiGANDiscriminator,
    BiGANEncoder,
    BiGANGenerator,
)
from gan_lightning.networks.attngan import AttnGANGenerator
from gan_lightning.networks.began import BEGANAutoencoder, BEGANGenerator
from gan_lightning.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gan_lightning.networks.cogan import CoupledDiscriminator, CoupledGenerator
from gan_lightning.networks.colorization import PaletteUNet
from gan_lightning.networks.damsm import RegionEncoder
from gan_lightning.networks.dcgan import ConvDiscriminator, ConvGenerator, PlainConvDiscriminator
from gan_lightning.networks.ebgan import ConvAutoencoder
from gan_lightning.networks.gan_cls import GANCLSDiscriminator, GANCLSGenerator, StyleEncoder
from gan_lightning.networks.gumbel_gan import LSTMDiscriminator
from gan_lightning.networks.hifigan import HiFiGANDiscriminator, HiFiGANGenerator
from gan_lightning.networks.ian import IANDiscriminator, IANEncoder, IANGenerator
from gan_lightning.networks.infogan import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.networks.lapgan import (
    LAPGANCoarseDiscriminator,
    LAPGANDiscriminator,
    LAPGANGenerator,
    LaplacianGenerator,
)
from gan_lightning.networks.layers.minibatch_discrimination import MinibatchDiscriminator
from gan_lightning.networks.layers.virtual_batch_norm import VirtualBatchNormDiscriminator, VirtualBatchNormGenerator
from gan_lightning.networks.mathieu import FrameDiscriminator, MultiScalePredictor
from gan_lightning.networks.midinet import MidiNetDiscriminator, MidiNetGenerator
from gan_lightning.networks.mlp import (
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from gan_lightning.networks.patchgan import InstancePatchDiscriminator, PatchDiscriminator
from gan_lightning.networks.pix2code import Pix2CodeGenerator, ProgramDiscriminator
from gan_lightning.networks.progan import ProGANDiscriminator, ProGANGenerator
from gan_lightning.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_lightning.networks.resnet import ResNetDiscriminator, ResNetGenerator, SNGANDiscriminator, SNGANGenerator
from gan_lightning.networks.resnet_translator import ResidualTranslator
from gan_lightning.networks.sagan import (
    PyramidDiscriminator,
    PyramidGenerator,
    SAGANDiscriminator,
    SAGANGenerator,
)
from gan_lightning.networks.semi_supervised import NoisyClassifier, SoftplusGenerator
from gan_lightning.networks.seqgan import LSTMGenerator, TextCNN
from gan_lightning.networks.specgan import SpecGANDiscriminator, SpecGANGenerator
from gan_lightning.networks.srresnet import SRGANDiscriminator, SRResNet
from gan_lightning.networks.stackgan import StackGANGenerator
from gan_lightning.networks.stackgan_pp import StackGANPlusPlusGenerator
from gan_lightning.networks.stargan import StarGANDiscriminator, StarGANGenerator
from gan_lightning.networks.stylegan import StyleGANDiscriminator, StyleGANGenerator
from gan_lightning.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.networks.text import BagOfWords, CharCNNRNN, ConvImageEncoder, LSTMTextEncoder
from gan_lightning.networks.text_discriminator import TextDiscriminator
from gan_lightning.networks.toy import PointDiscriminator, PointGenerator
from gan_lightning.networks.unet import UNet
from gan_lightning.networks.wavegan import WaveGANDiscriminator, WaveGANGenerator

__all__ = [
    "ALIDiscriminator",
    "ALIEncoder",
    "ALIGenerator",
    "AgeDiscriminator",
    "AgeEncoder",
    "AttnGANGenerator",
    "BEGANAutoencoder",
    "BEGANGenerator",
    "BagOfWords",
    "BiGANDiscriminator",
    "BiGANEncoder",
    "BiGANGenerator",
    "BigGANDiscriminator",
    "BigGANGenerator",
    "CharCNNRNN",
    "ClassifyingDiscriminator",
    "ConditionalMLPDiscriminator",
    "ConditionalMLPGenerator",
    "ConvAutoencoder",
    "ConvDiscriminator",
    "ConvGenerator",
    "ConvImageEncoder",
    "CoupledDiscriminator",
    "CoupledGenerator",
    "FrameDiscriminator",
    "GANCLSDiscriminator",
    "GANCLSGenerator",
    "HiFiGANDiscriminator",
    "HiFiGANGenerator",
    "IANDiscriminator",
    "IANEncoder",
    "IANGenerator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "InstancePatchDiscriminator",
    "LAPGANCoarseDiscriminator",
    "LAPGANDiscriminator",
    "LAPGANGenerator",
    "LSTMDiscriminator",
    "LSTMGenerator",
    "LSTMTextEncoder",
    "LaplacianGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "MidiNetDiscriminator",
    "MidiNetGenerator",
    "MinibatchDiscriminator",
    "MultiScalePredictor",
    "NoisyClassifier",
    "PaletteUNet",
    "PatchDiscriminator",
    "Pix2CodeGenerator",
    "PlainConvDiscriminator",
    "PointDiscriminator",
    "PointGenerator",
    "ProGANDiscriminator",
    "ProGANGenerator",
    "ProgramDiscriminator",
    "PyramidDiscriminator",
    "PyramidGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "RegionEncoder",
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
    "SpecGANDiscriminator",
    "SpecGANGenerator",
    "StackGANGenerator",
    "StackGANPlusPlusGenerator",
    "StarGANDiscriminator",
    "StarGANGenerator",
    "StyleEncoder",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "StyleGANDiscriminator",
    "StyleGANGenerator",
    "TextCNN",
    "TextDiscriminator",
    "UNet",
    "VirtualBatchNormDiscriminator",
    "VirtualBatchNormGenerator",
    "WaveGANDiscriminator",
    "WaveGANGenerator",
]

for _name in __all__:
    checked(globals()[_name])
