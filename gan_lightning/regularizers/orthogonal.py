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
    rows = weight.flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
    with torch.autocast(weight.device.type, enabled=False):
        products = rows @ rows.T
    # Without the diagonal: the lengths of the filters are free.
    return products.square().sum() - products.diag().square().sum()
