"""Conversion of weights from github.com/junyanz/pytorch-CycleGAN-and-pix2pix, the authors' code.

Such a file is a state dict without any description of its network, which is recognised by the names and shapes of the
layers. This holds for that code since October 2017; its U-Net was a different one before.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from gan_lightning.networks import PatchDiscriminator, ResidualTranslator, UNet

Weights = Mapping[str, Tensor]
_Recognised = tuple[nn.Module, Callable[[str], str]]
"""A network without its weights yet, and the function from their names of weights to ours."""

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def network_of(weights: Weights) -> nn.Module:
    """Build the network that weights belong to, and load them; in evaluation mode.

    Recognised are ``unet_256`` and ``unet_128`` with BatchNorm, ``resnet_9blocks`` and ``resnet_6blocks`` with
    InstanceNorm, and the discriminators ``basic`` and ``n_layers`` with either norm, of any width and channels. The
    U-Net keeps its dropout; dropout in residual blocks and running statistics of old InstanceNorm are dropped.

    Args:
        weights: Their state dict, with or without the ``module.`` of ``DataParallel``.

    Returns:
        A :class:`UNet`, a :class:`ResidualTranslator` or a :class:`PatchDiscriminator`.

    Raises:
        ValueError: They belong to another network.
    """
    theirs = {name.removeprefix("module."): weight for name, weight in weights.items()}
    # Submodules of the U-Net are nested in one another, blocks of the ResNet are named, PatchGAN is one plain sequence.
    recognise = _patch
    if any(name.startswith("model.model.") for name in theirs):
        recognise = _unet
    elif any(".conv_block." in name for name in theirs):
        recognise = _resnet
    try:
        network, rename = recognise(theirs)
        ours = {rename(name): weight for name, weight in theirs.items()}
        # InstanceNorm kept running statistics before torch 0.4; these networks do not read them.
        left_out = {name for name in ours if name.endswith(_STATISTICS)} - network.state_dict().keys()
        network.load_state_dict({name: weight for name, weight in ours.items() if name not in left_out})
    except (IndexError, KeyError, RuntimeError, ValueError) as error:  # A layer is missing, left over or another.
        raise ValueError(
            "its weights fit none of the networks of pix2pix and CycleGAN that are known, U-Net with BatchNorm, ResNet "
            "with InstanceNorm and PatchGAN"
        ) from error
    return network.eval()


def _unet(weights: Weights) -> _Recognised:
    # A convolution down and one up at each level.
    depth = sum(weight.ndim == 4 for weight in weights.values()) // 2
    first, last = weights["model.model.0.weight"], weights["model.model.3.weight"]
    side = 2**depth
    network = UNet(
        (first.shape[1], side, side),
        (last.shape[1], side, side),
        width=first.shape[0],
        depth=depth,
        # Their code has dropout on the layers between the innermost one and the last four.
        dropout_layers=range(1, depth - 4),
    )
    names = _unet_layers(depth)

    def rename(name: str) -> str:
        layer, _, part = name.rpartition(".")
        return f"{names[layer]}.{part}"

    return network, rename


def _unet_layers(depth: int) -> dict[str, str]:
    """Our layers by their names there, where each level's sequence contains the next level."""
    names: dict[str, str] = {}
    inside = "model.model."
    for level in range(depth):
        down, up = f"encoder.{level}", f"decoder.{depth - 1 - level}"
        # Places in their sequences: outermost conv 0, inner 1, deconv 3; in between activation, conv, norm, inner at 3,
        # activation, deconv, norm; the innermost has no norm after its convolution and nothing inside.
        if level == 0:
            places, middle = {0: f"{down}.0", 3: f"{up}.1"}, 1
        elif level < depth - 1:
            places, middle = {1: f"{down}.1", 2: f"{down}.2", 5: f"{up}.1", 6: f"{up}.2"}, 3
        else:
            places, middle = {1: f"{down}.1", 3: f"{up}.1", 4: f"{up}.2"}, -1
        names |= {f"{inside}{place}": ours for place, ours in places.items()}
        inside += f"{middle}.model."
    return names


def _resnet(weights: Weights) -> _Recognised:
    # The authors' nn.Sequential: layers 0 to 9, n_blocks blocks, 7 layers, the last convolution.
    n_blocks = len({name.split(".")[1] for name in weights if ".conv_block." in name})
    first, last = weights["model.1.weight"], weights[f"model.{17 + n_blocks}.weight"]
    shapes = (first.shape[1], 256, 256), (last.shape[0], 256, 256)

    def rename(name: str) -> str:
        # With dropout, the second convolution of a block has index 6 instead of 5.
        name = name.replace(".conv_block.6.", ".conv_block.5.").replace(".conv_block.", ".layers.")
        return name.replace("model.", "layers.", 1)

    return ResidualTranslator(*shapes, width=first.shape[0], n_blocks=n_blocks), rename


def _patch(weights: Weights) -> _Recognised:
    first = weights["model.0.weight"]
    # A first and a last convolution beside n_layers strided or widening ones.
    n_layers = sum(weight.ndim == 4 for weight in weights.values()) - 2
    # The smallest side that the layers take: weights do not tell the side of the images.
    shape = (first.shape[1], 3 * 2**n_layers, 3 * 2**n_layers)
    network = PatchDiscriminator(
        shape, first.shape[0], n_layers, "batch" if "model.3.weight" in weights else "instance"
    )
    return network, lambda name: name.replace("model.", "layers.", 1)
