"""Orthogonal regularisation of a network's weights."""

import torch
from torch import Tensor, nn


def orthogonal_penalty(network: nn.Module) -> Tensor:
    """Penalty on filters that are not orthogonal, of any length (Brock et al., 2019, arXiv 1809.11096, equation 3).

    ``||W^T W * (1 - I)||_F^2``, summed over the weights: the squared inner products of all pairs of filters, in both
    orders. The paper's filters are the columns of W, here the rows of a weight (outputs, everything else); it
    multiplies the sum by 1e-4. The authors' PyTorch code adds ``b 2 (W W^T * (1 - I)) W`` to the gradient, which is
    that of half this penalty: its ``b`` is twice the coefficient here.

    Biases and other parameters of one axis are left out, and so are embeddings, whose rows are classes. Spectrally
    normalised layers are penalised as they are before the normalisation, as in that code.

    Args:
        network: The generator in the paper.

    Returns:
        A scalar in [0, inf), in float32 at least.
    """
    embeddings = {
        weight for part in network.modules() if isinstance(part, nn.Embedding) for weight in part.parameters()
    }
    weights = [weight for weight in network.parameters() if weight.ndim > 1 and weight not in embeddings]
    return torch.stack([_products(weight) for weight in weights]).sum() if weights else torch.zeros(())


def _products(weight: Tensor) -> Tensor:
    """Sum of the squared inner products of the rows of a weight (outputs, ...), both orders of each pair."""
    products = _inner_products(weight)
    # Without the diagonal: the lengths of the filters are free.
    return products.square().sum() - products.diag().square().sum()


def orthonormal_penalty(network: nn.Module) -> Tensor:
    """Penalty on filters that are not orthonormal (Brock et al., 2017, arXiv 1609.07093, section 3.4).

    ``sum |W W^T - I|`` over the entries, summed over the kernels W of convolutions, each row a filter with all of its
    inputs and places; of a transposed convolution those of the convolution that it transposes. The paper multiplies it
    by 1e-3. This is the paper's equation: the authors' code takes the rows of each filter's kernel in place of the
    filters.

    Args:
        network: Its parameters of four axes are the kernels; others are left out.

    Returns:
        A scalar in [0, inf), in float32 at least.
    """
    kernels = [weight for weight in network.parameters() if weight.ndim == 4]
    return torch.stack([_deviation(kernel) for kernel in kernels]).sum() if kernels else torch.zeros(())


def _deviation(kernel: Tensor) -> Tensor:
    products = _inner_products(kernel)
    return (products - torch.eye(len(products), device=products.device, dtype=products.dtype)).abs().sum()


def _inner_products(weight: Tensor) -> Tensor:
    """``W W^T`` of the rows of a weight (outputs, ...)."""
    rows = weight.flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
    with torch.autocast(weight.device.type, enabled=False):
        return rows @ rows.T
