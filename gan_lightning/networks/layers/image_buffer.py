"""Buffer of earlier fakes for training the discriminator."""

import torch
from torch import Tensor, nn


class ImageBuffer(nn.Module):
    """The buffer of Shrivastava et al., 2017, arXiv 1612.07828, section 2.3, as CycleGAN has it.

    Until it is full it stores every image and returns it; then, with probability 1/2, an image takes the place of a
    random older one, which is returned in its stead. It is part of the checkpoint and causes no host synchronisation.

    Args:
        size: Images kept; 0: none, every image is returned.
        image_shape: Channels, height and width of an image.

    Raises:
        ValueError: The size is negative.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"The size of an image buffer is {size}: it must be at least 0.")
        self.size = size
        self.register_buffer("images", torch.zeros(size, *image_shape))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, images: Tensor) -> Tensor:
        """Store images or not, N x C x H x W without a gradient, and return as many: these or older ones."""
        if self.size == 0:
            return images
        # One by one: each image may take the place of another of its own batch, as in the authors' code.
        return torch.cat([self._exchange_one(image) for image in images.split(1)])

    def _exchange_one(self, image: Tensor) -> Tensor:
        # Tensors instead of ``if``: a branch would wait for the device.
        is_filling = self.count < self.size
        # Probability 1/2 of a swap with a random older image
        swaps = torch.rand(1, device=image.device) < 0.5
        place = torch.where(is_filling, self.count, torch.randint(self.size, (1,), device=image.device))
        old = self.images.index_select(0, place)
        # The stored image is rounded to the buffer's type.
        new = image.to(old.dtype)
        self.images.index_copy_(0, place, torch.where(is_filling | swaps, new, old))
        self.count.add_(is_filling)
        return torch.where(~is_filling & swaps, old, new).to(image.dtype)
