"""Spectral normalisation (Miyato et al., ICLR 2018, arXiv 1802.05957)."""

from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrizations

Network = TypeVar("Network", bound=nn.Module)


def spectral_norm(network: Network, embeddings: bool = True) -> Network:
    """Divide every weight of a network by its largest singular value, ``W / sigma(W)``, from now on.

    W is read as (outputs, everything else); convolutions, linear layers and embeddings are normalised. sigma comes
    from one power iteration a forward pass, from a stored vector; in evaluation the vector stands still. The
    gradient passes through sigma with the vectors held constant. The stored vector starts from torch's fifteen
    iterations, the authors' from a random one.

    Args:
        network: Changed in place. Initialise its weights before.
        embeddings: Whether embeddings are among them.

    Returns:
        The network.
    """
    # A list first: parametrisations add modules while the loop runs.
    for layer in list(network.modules()):
        weighted = isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
        if weighted or (embeddings and isinstance(layer, nn.Embedding)):
            # torch's parametrisation keeps the vectors of the power iteration in buffers, and so in checkpoints.
            parametrizations.spectral_norm(layer)
    return network
