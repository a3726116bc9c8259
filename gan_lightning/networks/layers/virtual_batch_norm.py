"""Virtual batch normalisation (Salimans et al., 2016, arXiv 1606.03498, section 3.5)."""

from collections.abc import Callable
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.networks.dcgan import ConvDiscriminator, ConvGenerator
from gan_lightning.trainer.layer_kinds import BATCH_NORMS


class VirtualBatchNorm(nn.Module):
    """A network whose BatchNorm layers normalise each sample by itself and a reference batch (section 3.5).

    ``mean = (mean_i + n mean_ref) / (n + 1)``, likewise of the squares, ``var = mean of squares - mean^2``, as in the
    authors' code: ``mean_i`` over the places of sample i, ``mean_ref`` over those of the n reference samples as well,
    which run through the network with every batch and are normalised by themselves. So no sample's output depends on
    the others of its batch, in training and in evaluation alike.

    The reference is the first batch seen in training, cut or repeated to n samples, and stays in the checkpoints. Until
    then it is normal noise. Each rank has its own; that of rank 0 is saved and used in evaluation. A network that
    compares the samples of a batch, as minibatch discrimination does, would take the reference for a part of it.

    Args:
        network: Changed in place.
        shapes: Of one sample of each input: (C, H, W), (latent_dim,), () for a label.
        n_reference: n.

    Raises:
        ValueError: The network has no BatchNorm layer, or n is below 1.
    """

    is_set: Tensor

    def __init__(self, network: nn.Module, shapes: list[tuple[int, ...]], n_reference: int) -> None:
        super().__init__()
        if n_reference < 1:
            raise ValueError(f"n_reference is {n_reference}: it must be at least 1.")
        norms = [name for name, part in network.named_modules() if isinstance(part, BATCH_NORMS)]
        if not norms:
            raise ValueError(f"{type(network).__name__} has no BatchNorm layer that a reference batch could serve.")
        for name in norms:
            network.set_submodule(name, ReferenceNorm(network.get_submodule(name), n_reference))
        self.network = network
        self.n_reference = n_reference
        self.register_buffer("is_set", torch.tensor(False))
        for number, shape in enumerate(shapes):
            start = torch.randn(n_reference, *shape) if shape else torch.zeros(n_reference, dtype=torch.int64)
            self.register_buffer(f"reference_{number}", start)

    def forward(self, *inputs: Tensor) -> Any:
        """Map a batch of inputs, N x ... each, to the network's output."""
        references = [getattr(self, f"reference_{number}") for number in range(len(inputs))]
        if self.training:
            self._store_reference(references, inputs)
        # The n reference samples run with the N of the batch, and are cut off again.
        joined = [torch.cat([one.to(other.dtype), other]) for one, other in zip(references, inputs, strict=True)]
        return apply_to_collection(self.network(*joined), Tensor, lambda output: output[self.n_reference :])

    @torch.no_grad()
    def _store_reference(self, references: list[Tensor], inputs: tuple[Tensor, ...]) -> None:
        # Without an `if`, which would wait for the device in every step.
        for reference, batch in zip(references, inputs, strict=True):
            first = batch[torch.arange(self.n_reference, device=batch.device) % len(batch)]
            reference.copy_(torch.where(self.is_set, reference, first.to(reference.dtype)))
        self.is_set.fill_(True)


class ReferenceNorm(nn.Module):
    """Replacement of a BatchNorm layer; its input begins with the reference batch.

    Args:
        norm: The BatchNorm layer; its scale and offset are kept.
        n_reference: Samples of the reference batch.
    """

    def __init__(self, norm: nn.Module, n_reference: int) -> None:
        super().__init__()
        assert isinstance(norm, BATCH_NORMS)
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.n_reference = n_reference

    def forward(self, x: Tensor) -> Tensor:
        """Map (n + N, C) or (n + N, C, H, W) to the same shape."""
        n = self.n_reference
        # (n + N) x C x places, in float32 at least
        places = x.reshape(*x.shape[:2], -1).to(torch.promote_types(x.dtype, torch.float32))
        # Mean and mean square of each sample: 2 x (n + N) x C
        moments = torch.stack([places.mean(dim=2), places.square().mean(dim=2)])
        reference = moments[:, :n].mean(dim=1, keepdim=True)
        # Sample i counts once, the reference n times.
        mixed = (moments[:, n:] + n * reference) / (n + 1)
        mean, square = torch.cat([reference.expand(-1, n, -1), mixed], dim=1)[..., None]
        # var = E[x^2] - E[x]^2, not below 0 by rounding
        y = (places - mean) * ((square - mean.square()).clamp(min=0) + self.eps).rsqrt()
        if self.weight is not None:
            y = torch.addcmul(self.bias[:, None], y, self.weight[:, None])
        return y.to(x.dtype).reshape(x.shape)


class VirtualBatchNormGenerator(VirtualBatchNorm):
    """A generator with virtual batch normalisation.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes. None: none.
        generator: Makes it, from the image shape, the latent length, and the number of classes if there are any.
        n_reference: Samples of the reference batch.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        num_classes: int | None = None,
        generator: Callable[[tuple[int, int, int], int], nn.Module] = ConvGenerator,
        n_reference: int = 64,
    ) -> None:
        label_arguments = {} if num_classes is None else {"num_classes": num_classes}
        super().__init__(
            resolve(generator)(image_shape, latent_dim, **label_arguments), [(latent_dim,), ()], n_reference
        )


class VirtualBatchNormDiscriminator(VirtualBatchNorm):
    """A discriminator with virtual batch normalisation. Its reference is of real images, as they are judged first.

    Args:
        image_shape: Channels, height and width of the images judged.
        num_classes: Number of classes, as input or output of the discriminator. None: none.
        discriminator: Makes it, from the image shape, and the number of classes if there are any.
        n_reference: Samples of the reference batch.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        discriminator: Callable[[tuple[int, int, int]], nn.Module] = ConvDiscriminator,
        n_reference: int = 64,
    ) -> None:
        label_arguments = {} if num_classes is None else {"num_classes": num_classes}
        super().__init__(resolve(discriminator)(image_shape, **label_arguments), [tuple(image_shape), ()], n_reference)
