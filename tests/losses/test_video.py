"""The gradient difference loss, against a value worked by hand."""

import pytest
import torch

from gan_lightning.losses import gradient_difference

TRUTH = torch.tensor([[[[0.0, 1.0, 1.0], [3.0, 3.0, 2.0]]]])
IMAGE = torch.tensor([[[[2.0, 1.0, 0.0], [1.0, 1.0, 0.0]]]])


@pytest.mark.parametrize("alpha", [1, 2])
def test_value_by_hand(alpha: float) -> None:
    # Down the columns |d Y| = 3 2 1 and |d X| = 1 0 0; along the rows |d Y| = 1 0, 0 1 and |d X| = 1 1, 0 1.
    expected = (2**alpha + 2**alpha + 1) / 3 + (0 + 1 + 0 + 0) / 4
    assert float(gradient_difference(IMAGE, TRUTH, alpha)) == pytest.approx(expected)


def test_neither_a_level_nor_the_sign_of_an_edge_counts() -> None:
    assert float(gradient_difference(0.5 - TRUTH, TRUTH)) == 0
