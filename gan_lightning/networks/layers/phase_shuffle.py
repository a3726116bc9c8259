"""Phase shuffle (Donahue et al., ICLR 2019, arXiv 1802.04208, section 3.3)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import Function


class PhaseShuffle(nn.Module):
    """Shift each example of a batch in time by a whole number of steps, uniform in {-n, ..., n}, with reflected ends.

    Transposed convolutions leave a pattern at fixed phases, by which a discriminator without it tells fakes at once.
    Each example has a shift of its own, as in the paper; the authors' code draws one for the batch. In evaluation
    nothing is shifted.

    Args:
        n: Largest shift; 0: none.

    Raises:
        ValueError: It is negative.
    """

    def __init__(self, n: int = 2) -> None:
        super().__init__()
        if n < 0:
            raise ValueError(f"The largest shift of phase shuffle is {n}: it must be at least 0.")
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """Shift features, N x C x T, T greater than n."""
        if self.n == 0 or not self.training:
            return x
        return shifted(x, torch.randint(-self.n, self.n + 1, (len(x),), device=x.device), self.n)

    def extra_repr(self) -> str:
        return f"n={self.n}"


def shifted(x: Tensor, shifts: Tensor, most: int) -> Tensor:
    """Move features, N x C x T, by whole numbers of steps; the ends are reflected.

    Args:
        x: The features.
        shifts: By how many steps each example comes later, int64, (N,).
        most: Largest absolute shift, less than T.
    """
    return _Shift.apply(x, shifts, most)


# A function of our own, for the gradient of torch's gather adds element by element what a slice would copy. Both are
# linear, and each is the other's gradient, so a penalty may differentiate them again.


class _Shift(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shifts: Tensor, most: int) -> Tensor:
        ctx.save_for_backward(shifts)
        ctx.most = most
        length = x.shape[2]
        # Reflected without the end itself: -1 is 1, and T is T - 2.
        source = (torch.arange(length, device=x.device) - shifts[:, None]).abs()
        source = length - 1 - (length - 1 - source).abs()
        return _gathered(x, source)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (shifts,) = ctx.saved_tensors
        return _Unshift.apply(gradient, shifts, ctx.most), None, None


class _Unshift(Function):
    """The transpose of a shift: each input step gets what was made of it, at an end twice."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, shifts: Tensor, most: int) -> Tensor:
        ctx.save_for_backward(shifts)
        ctx.most = most
        length = gradient.shape[2]
        padded = F.pad(gradient, (most, most))
        place = torch.arange(length, device=gradient.device)
        made = _gathered(padded, place + shifts[:, None] + most)
        # Step u, 1 to ``most``, is also what step ``shift - u`` shows; places before the first hold zeros.
        near = torch.arange(1, most + 1, device=gradient.device)
        made[:, :, 1 : most + 1] += _gathered(padded, (shifts[:, None] - near + most).clamp(min=0))
        # The same from the end, for shifts to the left.
        far = (length - 1 + shifts[:, None] + near.flip(0) + most).clamp(max=length + 2 * most - 1)
        made[:, :, length - 1 - most : length - 1] += _gathered(padded, far)
        return made

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (shifts,) = ctx.saved_tensors
        return _Shift.apply(gradient, shifts, ctx.most), None, None


def _gathered(x: Tensor, places: Tensor) -> Tensor:
    """Steps of features, N x C x T, at the places of each example, N x S: N x C x S."""
    return x.gather(2, places[:, None].expand(-1, x.shape[1], -1))
