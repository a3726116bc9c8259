"""The variants, one file a paper. A new one adds one line here."""

from gan_lightning.variants.acgan import ACGAN as ACGAN
from gan_lightning.variants.ali import ALI as ALI
from gan_lightning.variants.began import BEGAN as BEGAN
from gan_lightning.variants.co_gan import CoGAN as CoGAN
from gan_lightning.variants.conditional_gan import ConditionalGAN as ConditionalGAN
from gan_lightning.variants.cycle_gan import CycleGAN as CycleGAN
from gan_lightning.variants.dcgan import DCGAN as DCGAN
from gan_lightning.variants.dragan import DRAGAN as DRAGAN
from gan_lightning.variants.ebgan import EBGAN as EBGAN
from gan_lightning.variants.feature_matching_gan import FeatureMatchingGAN as FeatureMatchingGAN
from gan_lightning.variants.gan import GAN as GAN
from gan_lightning.variants.gan import MinimaxGAN as MinimaxGAN
from gan_lightning.variants.infogan import InfoGAN as InfoGAN
from gan_lightning.variants.lapgan import LAPGAN as LAPGAN
from gan_lightning.variants.lsgan import LSGAN as LSGAN
from gan_lightning.variants.pix2pix import Pix2Pix as Pix2Pix
from gan_lightning.variants.projection_gan import ProjectionGAN as ProjectionGAN
from gan_lightning.variants.relativistic_gan import RelativisticGAN as RelativisticGAN
from gan_lightning.variants.sagan import SAGAN as SAGAN
from gan_lightning.variants.semi_supervised_gan import SemiSupervisedGAN as SemiSupervisedGAN
from gan_lightning.variants.sngan import SNGAN as SNGAN
from gan_lightning.variants.srgan import SRGAN as SRGAN
from gan_lightning.variants.star_gan import StarGAN as StarGAN
from gan_lightning.variants.unrolled_gan import UnrolledGAN as UnrolledGAN
from gan_lightning.variants.wgan import WGAN as WGAN
from gan_lightning.variants.wgan_gp import WGANGP as WGANGP
