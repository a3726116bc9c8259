"""The networks of Mathieu et al., 2016, arXiv 1511.05440: the next frame, from coarse to fine."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Widths of the hidden layers, in multiples of the first one's, and the sides of all kernels, from coarse to fine
# (table 3 of the paper; the kernels of the finest two as in the authors' code).
_PREDICTORS = (
    ((1, 2, 1), (3, 3, 3, 3)),
    ((1, 2, 1), (5, 3, 3, 5)),
    ((1, 2, 4, 2, 1), (5, 3, 3, 3, 3, 5)),
    ((1, 2, 4, 2, 1), (7, 5, 5, 5, 5, 7)),
)
# The same of the discriminators' convolutions, for images of 4, 8, 16 and 32 pixels.
_DISCRIMINATORS = (
    ((1,), (3,)),
    ((1, 2, 2), (3, 3, 3)),
    ((2, 4, 4), (5, 5, 5)),
    ((2, 4, 8, 2), (7, 7, 5, 5)),
)


class MultiScalePredictor(nn.Module):
    """Predicts a frame from the frames before it, at each scale from them and the prediction of the scale before.

    ``X_k = tanh(u(X_k-1) + G_k(frames_k, u(X_k-1)))``, u the nearest neighbour of twice the side; the coarsest has no
    ``X_0``. Convolutions keep the size, so it predicts frames of any sides that are multiples of ``side_multiple``.

    Args:
        condition_shape: Channels of all given frames together, height, width.
        image_shape: Channels, height, width of a frame.
        n_scales: Scales, 1 to 4, each of twice the side of the one before: the paper's 4, 8, 16 and 32 pixels.
        width: Channels of the first layer of each scale; the released training script has 16.

    Attributes:
        side_multiple: What the sides of the frames must be multiples of.

    Raises:
        ValueError: There is no such number of scales, or the frames cannot be halved so often.
    """

    def __init__(
        self,
        condition_shape: tuple[int, int, int],
        image_shape: tuple[int, int, int],
        n_scales: int = 4,
        width: int = 128,
    ) -> None:
        super().__init__()
        if not 1 <= n_scales <= len(_PREDICTORS):
            raise ValueError(f"n_scales is {n_scales}: it must be 1 to {len(_PREDICTORS)}.")
        self.n_scales = n_scales
        self.side_multiple = 2 ** (n_scales - 1)
        height, width_of_frame = image_shape[1:]
        if height % self.side_multiple or width_of_frame % self.side_multiple:
            raise ValueError(
                f"Frames of {height} x {width_of_frame} pixels cannot be halved {n_scales - 1} times: choose sides "
                f"that are multiples of {self.side_multiple}, or fewer n_scales."
            )
        channels = image_shape[0]
        self.scales = nn.ModuleList(
            # All but the coarsest are given a prediction, too.
            _convolutions(condition_shape[0] + (channels if scale else 0), channels, multiples, kernels, width)
            for scale, (multiples, kernels) in enumerate(_PREDICTORS[:n_scales])
        )

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Predict the next frame at each scale.

        Args:
            frames: Given frames joined along the channels, N x (T C) x H x W.

        Returns:
            Predictions from coarse to fine, N x C x h x w in [-1, 1]; the last has the size of the frames.
        """
        predictions: list[Tensor] = []
        for network, given in zip(self.scales, pyramid(frames, self.n_scales), strict=True):
            if predictions:
                before = F.interpolate(predictions[-1], scale_factor=2.0, mode="nearest")
                predictions.append(torch.tanh(before + network(torch.cat([given, before], dim=1))))
            else:
                predictions.append(torch.tanh(network(given)))
        return predictions


class FrameDiscriminator(nn.Module):
    """Judges whether a frame follows the frames before it, at one scale.

    Convolutions without padding, at sides from 32 up followed by a max-pooling, then three dense layers. The layers are
    those of the paper for the largest of 4, 8, 16 and 32 pixels that is not above the shorter side.

    Args:
        shape: Channels of the given frames and the judged one together, height, width.
        width: Channels of the first convolution at 4 and at 8 pixels; twice as many at the others.
        hidden: Units of the first dense layer, half of it at 4 pixels; the second has half as many.

    Raises:
        ValueError: The frames are smaller than 4 x 4.
    """

    def __init__(self, shape: tuple[int, int, int], width: int = 64, hidden: int = 1024) -> None:
        super().__init__()
        channels, height, width_of_frame = shape
        side = min(height, width_of_frame)
        if side < 4:
            raise ValueError(
                f"A discriminator's frames are {height} x {width_of_frame} pixels, and it takes 4 x 4: choose larger "
                "frames, or fewer n_scales of the generator."
            )
        scale = min(side.bit_length() - 3, 3)  # of 4, 8, 16, 32 pixels: 0, 1, 2, 3
        widths, kernels = _DISCRIMINATORS[scale]
        layers: list[nn.Module] = []
        for (n_in, n_out), kernel in zip(pairwise([channels, *(width * k for k in widths)]), kernels, strict=True):
            layers += [nn.Conv2d(n_in, n_out, kernel), nn.ReLU()]
        if scale == 3:
            layers.append(nn.MaxPool2d(2))
        lost = sum(kernels) - len(kernels)
        sides = [(each - lost) // (2 if scale == 3 else 1) for each in (height, width_of_frame)]
        hidden = hidden if scale else hidden // 2
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(width * widths[-1] * sides[0] * sides[1], hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, 1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Logits, N x 1, of given frames and the judged one joined along the channels, N x C x H x W."""
        return self.layers(frames)


def pyramid(images: Tensor, n_scales: int) -> list[Tensor]:
    """Images at each scale, from coarse to fine: means of 2 x 2, 4 x 4, ... pixels."""
    return [F.avg_pool2d(images, 2**k) if k else images for k in reversed(range(n_scales))]


def _convolutions(n_in: int, n_out: int, multiples: Sequence[int], kernels: Sequence[int], width: int) -> nn.Sequential:
    """Convolutions that keep the size, with ReLU between them."""
    layers: list[nn.Module] = []
    for (before, after), kernel in zip(pairwise([n_in, *(width * k for k in multiples), n_out]), kernels, strict=True):
        layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
