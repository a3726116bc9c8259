"""Winograd's algorithm computes torch's convolution, and is taken where it pays."""

import io
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks import SNGANGenerator
from gan_lightning.networks.layers import winograd
from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.networks.layers.winograd import KeptKernel, WinogradConv2d, pays
from gan_lightning.regularizers import r1_penalty


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", lambda *_: True)


def derivatives(layer: nn.Module, y: Tensor, x: Tensor, second: bool) -> list[Tensor]:
    inputs = (x, *layer.parameters())
    # Some numbers that differ from place to place
    weighting = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    first = torch.autograd.grad((weighting * y.square()).sum(), inputs, create_graph=second)
    if not second:
        return [y, *first]
    # A penalty on the gradient, as WGAN-GP's, has the second derivative.
    return [y, *first, *torch.autograd.grad(first[0].square().sum(), inputs)]


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, 0), (3, 1), (4, 0), (4, 1), (4, 3)])
@pytest.mark.parametrize("sides", [(4, 4), (5, 13), (9, 8)], ids=str)
@pytest.mark.parametrize("second", [False, True], ids=["first derivative", "second derivative"])
@pytest.mark.parametrize("tiles", [1, 128])
def test_values_and_derivatives(
    kernel_size: int,
    padding: int,
    sides: tuple[int, int],
    second: bool,
    tiles: int,
    always: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winograd, "_TILES_AT_ONCE", tiles)
    torch.manual_seed(0)
    layer = WinogradConv2d(3, 5, kernel_size, padding).double()
    x = torch.randn(3, 3, *sides, dtype=torch.float64, requires_grad=True)
    theirs = derivatives(layer, F.conv2d(x, layer.weight, layer.bias, padding=padding), x, second)
    for mine, other in zip(derivatives(layer, layer(x), x, second), theirs, strict=True):
        # The transforms' largest numbers are 5 and 24: some 1e3 roundings of 1e-16, of values up to 1e3.
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


def test_rounding_in_float32_is_as_said(always: None) -> None:
    torch.manual_seed(0)
    layer = WinogradConv2d(64, 64, padding=1)
    x = torch.randn(2, 64, 16, 16)
    exact = F.conv2d(x.double(), layer.weight.double(), layer.bias.double(), padding=1)
    # 5e-6 to 1e-5 of the largest value in the cases measured; a wrong digit in a transform would show.
    assert (layer(x) - exact).abs().max() < 3e-5 * exact.abs().max()


@pytest.mark.parametrize("moving", ["x", "weight"])
def test_no_gradient_where_none_is_wanted(moving: str, always: None) -> None:
    layer = WinogradConv2d(2, 3).requires_grad_(moving == "weight")
    x = torch.randn(1, 2, 6, 6, requires_grad=moving == "x")
    layer(x).sum().backward()
    assert (x.grad is None) == (moving == "weight")
    assert (layer.weight.grad is None) == (moving == "x")


def test_a_penalty_makes_one_gradient_of_the_weight(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first pass needs that of the input alone, and no zeros come back through the layer afterwards."""
    made: list[str] = []

    def noted(name: str) -> Any:
        function = getattr(winograd, name)

        def called(*arguments: Any, **options: Any) -> Any:
            made.append(name)
            return function(*arguments, **options)

        return called

    for name in ("conv2d_weight", "_weight_gradient"):
        monkeypatch.setattr(winograd, name, noted(name))
    critic = nn.Sequential(WinogradConv2d(2, 3), nn.ReLU(), WinogradConv2d(3, 1), nn.Flatten())
    x = torch.randn(2, 2, 6, 6)
    value = r1_penalty(lambda images: critic(images).sum(1), x)
    assert made == []
    value.backward()
    assert made == ["_weight_gradient"] * 2


def test_gradients_that_are_asked_for_by_name(always: None) -> None:
    """A leaf of its own, a weight that is computed, either alone and both."""
    layer = WinogradConv2d(2, 3).double()
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    for weight in (layer.weight, layer.weight * 2):
        for asked in ([x], [weight], [x, weight]):
            mine, theirs = (
                torch.autograd.grad(convolution(x, weight).pow(3).sum(), asked, create_graph=True)
                for convolution in (winograd.convolve, F.conv2d)
            )
            torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


def test_third_derivatives_and_forward_over_reverse(always: None) -> None:
    torch.manual_seed(0)
    x, weight = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 2, 6, 7), (3, 2, 3, 3)))
    results = []
    for convolution in (winograd.convolve, F.conv2d):

        def loss(x: Tensor, weight: Tensor, convolution: Any = convolution) -> Tensor:
            return convolution(x, weight).sin().mean()

        inputs = (x.clone().requires_grad_(), weight.clone().requires_grad_())
        derivatives: list[Tensor] = [loss(*inputs)]
        for _ in range(3):
            total = torch.stack([one.square().sum() for one in derivatives]).sum()
            derivatives = [*torch.autograd.grad(total, inputs, create_graph=True)]
        forward = torch.func.jvp(torch.func.grad(loss, argnums=(0, 1)), (x, weight), (x.cos(), weight.cos()))[1]
        results.append([*derivatives, *forward])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-9 * theirs.abs().max().item())


@pytest.mark.parametrize("fast", [True, False])
def test_a_spectral_norm_iterates_once_in_a_pass(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", lambda *_: fast)
    torch.manual_seed(0)
    plain = nn.Conv2d(2, 3, kernel_size=3)
    layer = WinogradConv2d(2, 3)
    layer.load_state_dict(plain.state_dict())
    torch.manual_seed(0)
    spectral_norm(plain)
    torch.manual_seed(0)
    spectral_norm(layer)
    x = torch.randn(1, 2, 6, 6)
    torch.testing.assert_close(layer(x), plain(x))
    for mine, theirs in zip(layer.buffers(), plain.buffers(), strict=True):
        assert torch.equal(mine, theirs)


def test_samples_made_before_training_leave_the_second_derivative_alone(always: None) -> None:
    winograd._matrices.cache_clear()
    layer = WinogradConv2d(2, 3).double()
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    with torch.inference_mode():
        layer(x)
    derivatives(layer, layer(x), x, second=True)


MAPS, KERNEL = torch.empty(1, 256, 34, 34), torch.empty(256, 256, 3, 3)


def test_it_is_taken_for_many_channels_and_large_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert pays(MAPS, KERNEL, 0)
    assert pays(torch.empty(1, 256, 32, 32), torch.empty(512, 256, 4, 4), 1)
    assert not pays(MAPS, KERNEL[:3], 0)
    assert not pays(MAPS[:, :, :8, :8], KERNEL, 0)
    assert not pays(torch.empty(64, 128, 8, 8), torch.empty(128, 128, 3, 3), 1)
    assert not pays(MAPS[:0], KERNEL, 0)


def test_what_it_cannot_or_should_not_serve_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not pays(MAPS.to(memory_format=torch.channels_last), KERNEL, 0)
    assert not pays(MAPS.to("meta"), KERNEL.to("meta"), 0)
    assert not pays(MAPS.bfloat16(), KERNEL.bfloat16(), 0)
    assert not pays(MAPS[0], KERNEL, 0)
    with torch.autocast("cpu", torch.bfloat16):
        assert not pays(MAPS, KERNEL, 0)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not pays(MAPS, KERNEL, 0)


@pytest.mark.parametrize(("kernel_size", "padding"), [(3, 1), (4, 1), (3, 0)])
def test_a_kernel_that_stays_is_transformed_once(
    kernel_size: int, padding: int, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform, n = winograd._kernels, 0

    def counted(weight: Tensor) -> Tensor:
        nonlocal n
        n += 1
        return transform(weight)

    monkeypatch.setattr(winograd, "_kernels", counted)
    torch.manual_seed(0)
    weight = torch.randn(5, 3, kernel_size, kernel_size, dtype=torch.float64)
    kept = KeptKernel(weight)
    for x in torch.randn(3, 2, 3, 9, 8, dtype=torch.float64):
        torch.testing.assert_close(kept.convolve(x, padding), F.conv2d(x, weight, padding=padding))
    assert n == 1


def test_kernels_that_stay_pay_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    x, weight = torch.empty(1, 512, 32, 32), torch.empty(512, 512, 3, 3)
    assert not pays(x, weight, 1)
    assert pays(x, weight, 1, winograd._OF_KEPT_KERNELS)
    # Of few pixels, to read 36 transformed numbers takes longer than to multiply by 9 often.
    assert not pays(x[:, :, :8, :8].contiguous(), weight, 1, winograd._OF_KEPT_KERNELS)


def test_names_and_shapes_are_those_of_torchs_layer() -> None:
    plain = nn.Conv2d(3, 5, kernel_size=4, padding=1)
    layer = WinogradConv2d(3, 5, 4, 1)
    layer.load_state_dict(plain.state_dict())
    assert repr(layer).split("(", 1)[1] == repr(plain).split("(", 1)[1]


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_torchscript_has_torchs_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    layer, x = WinogradConv2d(*KERNEL.shape[:2]), torch.randn_like(MAPS)
    assert pays(x, layer.weight, 0)
    for made in (torch.jit.script(layer), torch.jit.trace(layer, x, check_trace=False)):
        torch.jit.save(made, io.BytesIO())  # A function written in Python could not be saved.
        assert torch.equal(made(x), F.conv2d(x, layer.weight, layer.bias))


def test_transforms_of_functions_go_through_it(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "_TILES_AT_ONCE", 1)
    torch.manual_seed(0)
    layer = WinogradConv2d(2, 3).double()
    x = torch.randn(4, 2, 6, 7, dtype=torch.float64)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def plain(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return F.conv2d(x, weights["weight"], weights["bias"])

    def fast(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, weights, (x,))

    changes = {name: torch.randn_like(weight) for name, weight in weights.items()}
    inputs = (weights, x), (changes, torch.randn_like(x))
    results = []
    for convolution in (fast, plain):
        # Of each image, as of a batch of one
        one_by_one = torch.func.vmap(lambda one, c=convolution: c(weights, one[None])[0])(x)
        gradients = torch.func.vmap(
            torch.func.grad(lambda w, one, c=convolution: c(w, one[None]).square().sum()), in_dims=(None, 0)
        )(weights, x)
        forward = torch.func.jvp(convolution, *inputs)[1]
        of_x = torch.func.jvp(lambda one, c=convolution: c(weights, one), (x,), (inputs[1][1],))[1]
        leaf = x.clone().requires_grad_()
        y = convolution(dict(layer.named_parameters()), leaf)
        given = torch.linspace(-1, 1, 2 * y.numel(), dtype=y.dtype).view(2, *y.shape)
        several = torch.autograd.grad(y, [leaf, *layer.parameters()], given, is_grads_batched=True)
        results.append([one_by_one, *gradients.values(), forward, of_x, *several])
    for mine, theirs in zip(*results, strict=True):
        # As in test_values_and_derivatives
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)


def test_a_network_exports_without_it() -> None:
    generator = SNGANGenerator(width=8).eval()
    n = torch.export.Dim("n", min=2)
    exported = torch.export.export(generator, (torch.randn(4, 128),), dynamic_shapes=({0: n},))
    latent = torch.randn(7, 128)
    torch.testing.assert_close(exported.module()(latent), generator(latent))
