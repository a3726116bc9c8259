"""Convolutions that resample are the two layers that they stand for, up to their second derivatives."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.resampling import PooledConv2d, UpsampledConv2d


def upsampled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, bias, padding=1)


def pooled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=1), 2)


PAIRS = [(UpsampledConv2d, upsampled), (PooledConv2d, pooled)]
Plain = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@pytest.mark.parametrize(("kind", "plain"), PAIRS)
@pytest.mark.parametrize("sides", [(2, 2), (4, 6), (7, 5)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_both_derivatives(kind: type, plain: Plain, sides: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = kind(3, 5, bias=bias).double()
    x = torch.randn(2, 3, *sides, dtype=torch.float64, requires_grad=True)
    inputs = (x, *layer.parameters())

    def all_of(y: Tensor) -> list[Tensor]:
        # A penalty on the gradient, as WGAN-GP's, has the second derivative.
        first = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), inputs)
        return [y, *first, *second]

    for mine, theirs in zip(all_of(layer(x)), all_of(plain(x, layer.weight, layer.bias)), strict=True):
        # Sums of less than 200 products of numbers of order 1 to 1e4 are exact to some 1e-15 of them.
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", [UpsampledConv2d, PooledConv2d])
def test_names_and_shapes_are_those_of_a_3x3_convolution(kind: type) -> None:
    plain = nn.Conv2d(3, 5, kernel_size=3, padding=1)
    layer = kind(3, 5)
    layer.load_state_dict(plain.state_dict())
    assert repr(layer).split("(", 1)[1] == repr(plain).split("(", 1)[1]


@pytest.mark.parametrize(("kind", "plain"), PAIRS)
def test_other_devices_compute_the_two_layers(kind: type, plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = kind(3, 5), torch.randn(2, 3, 4, 4)

    class Elsewhere(torch.Tensor):
        is_cpu = False

    assert torch.equal(layer(x.as_subclass(Elsewhere)).as_subclass(Tensor), plain(x, layer.weight, layer.bias))
    assert layer.to("meta")(x.to("meta")).shape == layer.to_empty(device="cpu")(x).shape


@pytest.mark.parametrize(("kind", "plain"), PAIRS)
def test_exported_networks_have_the_two_layers(kind: type, plain: Plain) -> None:
    layer, x = kind(3, 5), torch.randn(2, 3, 4, 4)
    assert torch.equal(torch.export.export(layer, (x,)).module()(x), plain(x, layer.weight, layer.bias))


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize(("kind", "plain"), PAIRS)
def test_torchscript_compiles_the_two_layers(kind: type, plain: Plain) -> None:
    layer, x = kind(3, 5), torch.randn(2, 3, 4, 4)
    assert torch.equal(torch.jit.script(layer)(x), plain(x, layer.weight, layer.bias))
