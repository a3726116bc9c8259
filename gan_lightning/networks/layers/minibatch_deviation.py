"""Minibatch standard deviation (Karras et al., ICLR 2018, arXiv 1710.10196, section 3)."""

import torch
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """Append maps of the features' standard deviation over groups of images, by which D notices too little variety.

    Over the images of a group, then the mean over channels and pixels: one number for a group, repeated over its images
    and over space. Image i belongs to the group of i modulo the number of groups, so neighbours are in different ones.
    A batch that the group's size does not divide is cut into the largest groups that do.

    Groups are of one process's batch: several processes equal one process on the joined batch only where that is cut
    into the same groups, and results depend on the batch size wherever a group is a whole batch. The gradient of an
    image's output reaches the other images of its group, as in the authors' code; so R1 is of the group.

    Args:
        group_size: Images of a group: 4 in the paper, 32 in StyleGAN2-ADA's CIFAR-10 configuration. None: the batch.
        n_features: Maps appended, each of the mean over its share of the channels.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, group_size: int | None = 4, n_features: int = 1) -> None:
        super().__init__()
        if (group_size is not None and group_size < 1) or n_features < 1:
            raise ValueError(f"group_size is {group_size} and n_features is {n_features}: they must be at least 1.")
        self.group_size = group_size
        self.n_features = n_features

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C + n_features, H, W)."""
        n, channels, height, width = x.shape
        size = n if self.group_size is None else min(self.group_size, n)
        size = next(each for each in range(size, 0, -1) if n % each == 0)
        # group x groups x features x channels x H x W
        grouped = x.reshape(size, n // size, self.n_features, channels // self.n_features, height, width)
        # 1e-8: the root has no gradient at 0, which it has in a group of one image.
        deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((2, 3, 4))
        maps = deviation.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)
        return torch.cat([x, maps], dim=1)
