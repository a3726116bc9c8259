"""The last layer of a network, and its input, the features."""

from torch import Tensor, nn


def last_layer(network: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The last linear layer or convolution of a network, in the order in which they were defined, and its name.

    Raises:
        ValueError: There is none.
    """
    layers = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    if not layers:
        raise ValueError(f"{type(network).__name__} has no linear layer and no convolution, so it has no features.")
    # By the order of definition, since the order of calls is known only when it runs.
    return layers[-1]


def features(network: nn.Module, *inputs: Tensor) -> Tensor:
    """Input of the last layer when a network is called, N x A.

    Reference samples that the network prepends (virtual batch normalisation) are cut off.

    A compiled network skips the hook that this uses: call it within ``speed.running_eagerly``.

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
    # Convolutional features are flattened: N x C x H x W to N x A.
    return seen[-1].flatten(1)[-len(inputs[0]) :]
