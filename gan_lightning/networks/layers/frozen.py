"""Networks that a game uses and never trains: a feature extractor, a teacher, a text encoder."""

from __future__ import annotations

from typing import Any, Self

from torch import nn

from gan_lightning.trainer.number_types import (
    Conversion,
    convert_layer_inputs,
    keeping_float32,
    tensors_kept_in_float32,
)


class Frozen(nn.Module):
    """Keeps a pretrained network beside a game's own weights, in evaluation mode.

    The network moves with the module that owns it to another device or number type. It is in no state dict and so in
    no checkpoint, and among no ``parameters()``, ``buffers()`` and ``modules()``: no optimiser, average or exchange
    between processes sees it. Its weights take no gradient; gradients pass through it to its inputs. A copy of the
    owner, such as the average of a generator, shares it.

    Args:
        network: What is kept. It can be rebuilt wherever the game is constructed, for example from a file of weights.

    Attributes:
        network: The same.
    """

    network: nn.Module

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # Not by nn.Module's own way, which would make it a part whose weights are found.
        object.__setattr__(self, "network", network.requires_grad_(False).eval())

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.network(*inputs, **named)

    def _apply(self, fn: Conversion, recurse: bool = True) -> Self:
        # torch's one place for .to(), .half(), .double() and .cuda().
        super()._apply(fn, recurse)
        self.network._apply(keeping_float32(fn, tensors_kept_in_float32(self.network)))
        convert_layer_inputs(self.network)
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # It never changes, so that one is enough for all.


class Kept(nn.Module):
    """Keeps a pretrained network beside a game's own weights, in evaluation mode, and in the game's checkpoints.

    As :class:`Frozen`, but its weights are in the state dict: for a network that samples need and that no file may be
    there to rebuild, such as a text encoder.

    Args:
        network: What is kept.

    Attributes:
        network: The same.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.train(False)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.network(*inputs, **named)

    def train(self, mode: bool = True) -> Self:
        return super().train(False)
