"""A network's last layer, and the features that it is given."""

from torch import Tensor, nn


def last_layer(network: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The last linear layer or convolution of a network, in the order in which they were defined, and its name.

    Raises:
        ValueError: There is none.
    """
    layers = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    if not layers:
        raise ValueError(f"{type(network).__name__} has no linear layer and no convolution, so it has no features.")
    return layers[-1]


def features(network: nn.Module, *inputs: Tensor) -> Tensor:
    """What the last layer of a network sees when the network is called: N x A.

    A network that runs other samples along, as virtual batch normalisation does, has them before those it is given.

    A compiled network does not heed the hook that this takes: call it within ``speed.eagerly``.

    Args:
        network: Any that has a linear layer or a convolution.
        inputs: What it is called with, N x ...
    """
    seen: list[Tensor] = []
    _, layer = last_layer(network)
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        network(*inputs)
    finally:
        hook.remove()
    return seen[-1].flatten(1)[-len(inputs[0]) :]
