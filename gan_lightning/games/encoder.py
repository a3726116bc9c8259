"""Games of images that train an encoder too, which finds the latents of given images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.image import ImageGame


class EncoderGame(ImageGame):
    """A game whose encoder maps images to latents: it reconstructs images, and logs by how much they differ."""

    def encode_batch(self, images: Tensor) -> Tensor:
        """Latents (N x latent_dim) of images (N x C x H x W, in [-1, 1], on the model's device), without gradients."""
        raise NotImplementedError(f"{type(self).__name__} must say how its encoder finds latents: encode_batch.")

    def encode(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Encode images to latents by the averaged encoder: the mean where its output is a distribution.

        Args:
            images: N x C x H x W, uint8 or in [-1, 1].
            batch_size: Images per forward pass.

        Returns:
            N x latent_dim on the model's device.

        Raises:
            ValueError: The images have another shape than the model's.
        """
        self.check_shape(images)
        # An empty start, so that no image gives 0 x latent_dim.
        latents = [torch.empty(0, self.latent_dim, device=self.device)]
        for some in images.split(batch_size):
            latents.append(self.encode_batch(self.scaled(some.to(self.device))))
        return torch.cat(latents)

    def reconstruct(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Reconstruct images with the averaged encoder and generator: N x C x H x W in [-1, 1]; see :meth:`encode`."""
        return self.render(self.encode(images, batch_size), batch_size=batch_size)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_reconstruction(batch, "val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_reconstruction(batch, "test")

    def _log_reconstruction(self, raw: Any, split: str) -> None:
        """Log the mean absolute error of the reconstructions."""
        images = self.checked_batch(raw).examples
        error = (self.reconstruct(images) - images).abs().mean()
        self.log(f"{split}/reconstruction", error, batch_size=len(images), sync_dist=True)
