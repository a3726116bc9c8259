"""Phase shuffle against NumPy's padding, and its gradients against torch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from gan_lightning.networks.layers.phase_shuffle import PhaseShuffle, shifted

SHIFTS = [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize("length", [8, 9])
def test_each_example_is_moved_by_its_own_shift(length: int) -> None:
    x = torch.randn(7, 2, length)
    moved = shifted(x, torch.tensor(SHIFTS), 3)
    for i, shift in enumerate(SHIFTS):
        # NumPy's reflection leaves the end out too.
        padded = np.pad(x[i].numpy(), [(0, 0), (3, 3)], mode="reflect")
        assert_close(moved[i], torch.from_numpy(padded[:, 3 - shift : 3 - shift + length].copy()))


def test_both_derivatives_are_those_of_slices() -> None:
    x = torch.randn(7, 2, 8, dtype=torch.float64, requires_grad=True)
    shifts = torch.tensor(SHIFTS)

    def sliced(x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x, (3, 3), mode="reflect")
        return torch.stack([padded[i, :, 3 - s : 11 - s] for i, s in enumerate(SHIFTS)])

    gradients = []
    for shift in (lambda x: shifted(x, shifts, 3), sliced):
        (first,) = torch.autograd.grad(shift(x).pow(3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.pow(2).sum(), x)
        gradients.append((first, second))
    assert_close(gradients[0], gradients[1])


def test_shifts_are_uniform_and_of_the_seed() -> None:
    layer = PhaseShuffle(2)
    x = torch.arange(16.0).expand(5000, 1, -1)
    torch.manual_seed(0)
    first = layer(x)
    shifts = 8 - first[:, 0, 8]
    counts = torch.bincount(shifts.long() + 2, minlength=5)
    assert len(counts) == 5
    # 1000 of each, give or take four standard deviations of 28.
    assert int((counts - 1000).abs().max()) < 113
    torch.manual_seed(0)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)


def test_nothing_moves_without_shifts_and_in_evaluation() -> None:
    x = torch.randn(3, 2, 16)
    assert PhaseShuffle(0)(x) is x
    assert PhaseShuffle(2).eval()(x) is x
    with pytest.raises(ValueError, match="largest shift of phase shuffle is -1"):
        PhaseShuffle(-1)
