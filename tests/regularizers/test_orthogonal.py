"""Orthogonal regularisation: values by hand, what it leaves out, and the gradient of the authors' code."""

import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import BigGANGenerator
from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.regularizers import orthogonal_penalty, orthonormal_penalty


def linear(rows: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows))
    layer.weight.data = torch.tensor(rows, dtype=torch.float32)
    return layer


def test_by_hand() -> None:
    """Rows (1, 2), (3, 0) and (0, 1) have the inner products 3, 2 and 0, each counted in both orders."""
    assert orthogonal_penalty(linear([[1, 2], [3, 0], [0, 1]])).item() == 2 * (9 + 4)


def test_lengths_are_free_and_columns_do_not_count() -> None:
    assert orthogonal_penalty(linear([[3, 4, 0], [0, 0, 2]])).item() == 0
    # Its columns have the inner product 12.
    assert orthogonal_penalty(linear([[3, 4]])).item() == 0


def test_filters_of_a_convolution() -> None:
    """A filter is an output channel with all of its inputs and places."""
    layer = nn.Conv2d(2, 3, kernel_size=3)
    filters = layer.weight.flatten(1)
    expected = sum((filters[i] @ filters[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    assert_close(orthogonal_penalty(layer), expected)


def test_one_axis_and_embeddings_are_left_out() -> None:
    table = nn.Embedding(3, 2)
    network = nn.Sequential(nn.BatchNorm2d(4), table, linear([[1, 2], [3, 0]]))
    assert orthogonal_penalty(network).item() == 2 * 9
    assert orthogonal_penalty(nn.Sequential(table, nn.BatchNorm2d(4))).item() == 0
    # Also an embedding whose weight is below a parametrisation.
    assert orthogonal_penalty(spectral_norm(nn.Sequential(nn.Embedding(3, 2)))).item() == 0


def test_the_authors_gradient_is_half_of_ours() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    (gradient,) = torch.autograd.grad(orthogonal_penalty(layer), layer.weight)
    weight = layer.weight.detach()
    theirs = 2 * ((weight @ weight.T) * (1 - torch.eye(4))) @ weight
    assert_close(gradient, 2 * theirs)


def test_it_is_of_the_weights_before_spectral_normalisation_and_in_float32_under_autocast() -> None:
    layer = linear([[1, 2], [3, 0.001]])
    expected = orthogonal_penalty(layer).item()
    spectral_norm(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = orthogonal_penalty(layer)
    assert penalty.dtype == torch.float32
    assert penalty.item() == expected


def test_an_orthogonal_start_costs_nothing_where_rows_fit() -> None:
    """More rows than columns cannot all be orthogonal; every other layer of the generator starts so."""
    torch.manual_seed(0)
    generator = BigGANGenerator((1, 16, 16), 12, 3, width=2, attention=None, shared_dim=4)
    for name, weight in generator.named_parameters():
        if weight.ndim == 4 and len(weight) <= weight[0].numel():
            alone = nn.Conv2d(1, 1, 1)
            alone.weight = weight
            assert orthogonal_penalty(alone).item() < 1e-9, name


class TestOrthonormal:
    def test_by_hand(self) -> None:
        """Rows (1, 2) and (3, 0): the inner products 5, 3, 3, 9 differ from I by 4, 3, 3 and 8."""
        layer = nn.Conv2d(2, 2, 1)
        layer.weight.data = torch.tensor([[1.0, 2.0], [3.0, 0.0]])[:, :, None, None]
        assert orthonormal_penalty(nn.Sequential(layer, linear([[7, 7]]), nn.BatchNorm2d(2))).item() == 18

    def test_of_orthonormal_filters_it_is_nothing(self) -> None:
        layer = nn.Conv2d(2, 3, 3)
        nn.init.orthogonal_(layer.weight)
        assert orthonormal_penalty(layer).item() < 1e-4
        assert orthonormal_penalty(linear([[7, 7]])).item() == 0
