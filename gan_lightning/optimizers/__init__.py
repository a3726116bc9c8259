"""Optimisers with the papers' settings, schedules, averages of weights, unrolled steps."""

from gan_lightning.optimizers.adam import (
    ALIAdam,
    BEGANAdam,
    BigGANAdam,
    BigGANDiscriminatorAdam,
    CoGANAdam,
    DAMSMAdam,
    DCGANAdam,
    EBGANAdam,
    ImprovedGANAdam,
    InfoGANAdam,
    ProGANAdam,
    R3GANAdam,
    SAGANDiscriminatorAdam,
    SNGANAdam,
    SRGANAdam,
    StarGANAdam,
    StyleGAN2Adam,
    WGANGPAdam,
    WGANRMSprop,
)
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.optimizers.historical_averaging import HistoricalAveragingAdam
from gan_lightning.optimizers.schedulers import LinearDecay, ScheduledAdam, ScheduledRate

__all__ = [
    "ALIAdam",
    "BEGANAdam",
    "BigGANAdam",
    "BigGANDiscriminatorAdam",
    "CoGANAdam",
    "DAMSMAdam",
    "DCGANAdam",
    "EBGANAdam",
    "ExponentialMovingAverage",
    "HistoricalAveragingAdam",
    "ImprovedGANAdam",
    "InfoGANAdam",
    "LinearDecay",
    "ProGANAdam",
    "R3GANAdam",
    "SAGANDiscriminatorAdam",
    "SNGANAdam",
    "SRGANAdam",
    "ScheduledAdam",
    "ScheduledRate",
    "StarGANAdam",
    "StyleGAN2Adam",
    "WGANGPAdam",
    "WGANRMSprop",
]
