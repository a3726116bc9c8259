"""An encoder trained for a given generator, from whose latents an inversion starts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.randomness import fold, own_randomness
from gan_lightning.inference.edit.directions import digest_of_generator
from gan_lightning.inference.edit.progress import Watch
from gan_lightning.inference.edit.rendering import differentiable
from gan_lightning.inference.edit.spaces import SpaceName, space_of
from gan_lightning.inference.style_encoder import fit_encoder
from gan_lightning.networks.gan_cls import StyleEncoder
from gan_lightning.visualization.image_sets import write_atomically

_STREAM = 10
_MOMENTS = 256


class LatentEncoder(nn.Module):
    """Strided convolutions from images to latents of a space, in units of the latents' own deviation.

    Args:
        image_shape: Channels, height and width of the images, from 8 up.
        shape: Of one latent.
        width: Channels of the first layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, image_shape: tuple[int, int, int], shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__()
        self.shape = shape
        self.network = StyleEncoder(image_shape, math.prod(shape), width)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to latents, N x ..."""
        return self.mean + self.deviation * self.network(images).unflatten(1, self.shape)


def train_encoder(
    model: Any,
    steps: int = 1000,
    *,
    space: SpaceName | None = None,
    batch_size: int = 32,
    pixel_weight: float = 1.0,
    width: int = 64,
    seed: int = 0,
    watch: Watch | None = None,
) -> LatentEncoder:
    """Train an encoder E of the generator's own images: ``E |l - E(G(l))|^2 / s^2 + weight E (G(E(G(l))) - G(l))^2``.

    l are latents of samples, of deviation s, and both terms are means. iGAN (Zhu et al., 2016, arXiv 1609.03552,
    section 4.1) trains by the second term on photographs; on samples, whose latents are known, no data are needed. The
    optimisation that starts from such latents is its hybrid: ``invert(model, images, start=encoder(images))``.

    Args:
        model: A game whose generator makes images of latents; it stays as it is.
        steps: Updates of E, by Adam.
        space: Of the latents; None: w for games of styles, else z.
        batch_size: Samples in each.
        pixel_weight: Of the second term; 0 leaves it out, which takes a third of the time.
        width: Channels of E's first layer.
        seed: Of the samples and the first weights of E.
        watch: Called with the updates done and their number before each; what it raises ends the training.

    Returns:
        E in evaluation mode, on the model's device: N x C x H x W in [-1, 1] to latents, N x ...

    Raises:
        ValueError: The model makes no images of latents, or a number is out of its range.
    """
    check_whole(1, steps=steps, width=width)
    check_whole(2, batch_size=batch_size)
    if not pixel_weight >= 0:
        raise ValueError(f"pixel_weight is {pixel_weight:g}: it must be at least 0.")
    of = space_of(model, space)
    stream = fold(seed, _STREAM)
    with own_randomness(stream, model.device), differentiable(of.network):
        encoder = LatentEncoder(model.image_shape, of.shape(), width).to(model.device)
        with torch.no_grad():
            some, _ = of.samples(0, _MOMENTS, fold(stream, 1))
            encoder.mean.copy_(some.mean(0))
            encoder.deviation.copy_((some - encoder.mean).square().mean().sqrt())

        def loss(step: int) -> Tensor:
            if watch is not None:
                watch(step, steps)
            with torch.no_grad():
                latents, condition = of.samples(step * batch_size, (step + 1) * batch_size, stream)
                images = of.make(latents, condition, [])
            found = encoder(images)
            total = F.mse_loss(found, latents) / encoder.deviation.square()
            if pixel_weight:
                total = total + pixel_weight * F.mse_loss(of.make(found, condition, []), images)
            return total

        fit_encoder(encoder, loss, steps, "Training the encoder")
    return encoder.eval()


def write_encoder(path: Path, encoder: LatentEncoder, model: Any, space: SpaceName | None = None) -> None:
    """Write an encoder of a model's generator into a file of safetensors, which appears when it is complete."""
    about = {
        "space": space_of(model, space).name,
        "width": str(encoder.network.layers[0].out_channels),
        "generator": digest_of_generator(model),
    }
    tensors = {name: each.contiguous().cpu() for name, each in encoder.state_dict().items()}
    write_atomically(path, save(tensors, about))


def read_encoder(path: Path, model: Any, space: SpaceName | None = None) -> LatentEncoder:
    """Read an encoder that :func:`write_encoder` wrote, for the same generator and space.

    Raises:
        ValueError: It is another file, a damaged one, or of another generator or space.
    """
    of = space_of(model, space)
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        width = int(about["width"])
        known = about["space"], about["generator"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no encoder that was trained for a generator: {error}.") from error
    if known[0] != of.name:
        raise ValueError(f"The encoder {path} is of the space {known[0]}: give --space {known[0]}.")
    if known[1] != digest_of_generator(model):
        raise ValueError(f"The encoder {path} is of another generator: give another file, to which one is trained.")
    with torch.random.fork_rng([]):
        try:
            encoder = LatentEncoder(model.image_shape, of.shape(), width)
            encoder.load_state_dict(tensors)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"The encoder {path} is damaged: {str(error).splitlines()[0]}") from error
    return encoder.to(model.device).eval()
