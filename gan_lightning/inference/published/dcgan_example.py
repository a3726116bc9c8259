"""Weights of PyTorch's own DCGAN example, github.com/pytorch/examples, ``dcgan/main.py``.

Its networks are one ``nn.Sequential`` each, called ``main``, and compute what :class:`ConvGenerator` and
:class:`ConvDiscriminator` compute, whose last sigmoid is in the loss. The example makes images of 64 x 64; with more
or fewer of the same layers another power of two.
"""

from __future__ import annotations

from functools import partial

from gan_lightning.inference.published.networks import Published, PublishedDiscriminator, PublishedGenerator
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import ConvDiscriminator, ConvGenerator

ABOUT = "PyTorch's DCGAN example (netG and netD of any width, latent and channels)"


def recognise(weights: Weights) -> Published | None:
    """The generator or the discriminator that a state dict belongs to; None: neither."""
    layers = {int(name.split(".")[1]): weight for name, weight in weights.items() if _is_convolution(name, weights)}
    if not layers or not all(name.startswith("main.") for name in weights):
        return None
    first, last = layers[min(layers)], layers[max(layers)]
    # The first convolution of either makes or takes a side of 4; each other one doubles or halves it.
    side = 2 ** (len(layers) + 1)
    # BatchNorm follows the first layer of the generator only.
    if "main.1.running_mean" in weights:
        # A transposed convolution's weight: inputs x outputs x 4 x 4. Ours begin with the latent's Unflatten.
        renamed = {_renamed(name, 1): weight for name, weight in weights.items()}
        generator = partial(ConvGenerator, width=last.shape[0])
        return PublishedGenerator(generator, renamed, (last.shape[1], side, side), first.shape[0])
    renamed = {_renamed(name, 0): weight for name, weight in weights.items()}
    discriminator = partial(ConvDiscriminator, width=first.shape[0])
    return PublishedDiscriminator(discriminator, renamed, (first.shape[1], side, side))


def _is_convolution(name: str, weights: Weights) -> bool:
    return name.startswith("main.") and weights[name].ndim == 4


def _renamed(name: str, shift: int) -> str:
    """``main.3.weight`` becomes ``layers.3.weight``, or with a shift of 1 ``layers.4.weight``."""
    _, place, part = name.split(".")
    return f"layers.{int(place) + shift}.{part}"
