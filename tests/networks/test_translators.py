"""Networks of image translation against the authors' layers, counts and initial statistics."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.networks import InstancePatchDiscriminator, PatchDiscriminator, ResidualTranslator, UNet
from gan_lightning.networks.resnet_translator import ReflectedBlock
from tests.helpers import reference_networks as reference

SHAPE = (3, 256, 256)

FULL_SIZE = {
    "U-Net-256": (lambda: UNet(SHAPE, SHAPE), lambda: reference.unet(8), 54_413_955),
    "U-Net-128": (lambda: UNet((3, 128, 128), (3, 128, 128)), lambda: reference.unet(7), 41_828_995),
    "PatchGAN": (lambda: PatchDiscriminator((6, 256, 256)), lambda: reference.patch(given=6), 2_768_705),
    "PatchGAN of CycleGAN": (
        lambda: InstancePatchDiscriminator(SHAPE),
        lambda: reference.patch(norm=nn.InstanceNorm2d),
        2_764_737,
    ),
    "ResNet-9": (lambda: ResidualTranslator(SHAPE, SHAPE), lambda: reference.resnet(9), 11_378_179),
    "ResNet-6": (lambda: ResidualTranslator((3, 128, 128), (3, 128, 128)), lambda: reference.resnet(6), 7_837_699),
}

Make = Callable[[], nn.Module]
full_size = pytest.mark.parametrize(("ours", "theirs", "count"), FULL_SIZE.values(), ids=FULL_SIZE)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def described(layer: nn.Module) -> tuple[object, ...]:
    """Kind and sizes of a layer."""
    kind = type(layer).__name__
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        sizes = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding, layer.bias is not None)
        assert layer.padding_mode == "zeros"
        kind = "Conv2d" if isinstance(layer, nn.Conv2d) else kind  # by whatever algorithm
        return (kind, layer.in_channels, layer.out_channels, *sizes)
    if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
        return (kind, layer.num_features, layer.eps, layer.affine, layer.track_running_stats)
    if isinstance(layer, nn.LeakyReLU):
        return (kind, layer.negative_slope)
    return (kind, layer.padding) if isinstance(layer, nn.ReflectionPad2d) else (kind,)


def in_order(network: nn.Module, side: int) -> list[tuple[object, ...]]:
    """The layers as the image passes through them. Dropout has a test of its own."""
    passed: list[tuple[object, ...]] = []
    for part in network.modules():
        if not list(part.children()) and not isinstance(part, nn.Dropout):
            part.register_forward_hook(lambda layer, *_: passed.append(described(layer)))
    first = next(network.parameters())
    network(torch.zeros(1, first.shape[1], side, side, device="meta"))
    return passed


@full_size
def test_parameter_counts_are_the_authors(ours: Make, theirs: Make, count: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in ours().parameters()) == count
        assert sum(weight.numel() for weight in theirs().parameters()) == count


@full_size
def test_layers_are_the_authors(ours: Make, theirs: Make, count: int) -> None:
    with torch.device("meta"):
        mine, expected = ours(), theirs()
    assert in_order(mine, 256) == in_order(expected, 256)


class TestUNet:
    @pytest.mark.parametrize(
        ("height", "width", "depth", "levels"),
        [(32, 32, None, 5), (32, 96, None, 5), (64, 32, 3, 3), (4, 4, None, 2), (512, 512, None, 8)],
    )
    def test_shapes(self, height: int, width: int, depth: int | None, levels: int) -> None:
        network = UNet((1, height, width), (3, height, width), width=1, depth=depth)
        assert len(network.encoder) == len(network.decoder) == levels
        assert network.side_multiple == 2**levels
        for weight in network.parameters():
            weight.data.mul_(50)  # fresh weights are so small that the image would stay in range by itself
        image = network(torch.randn(2, 1, height, width))
        assert image.shape == (2, 3, height, width)
        assert 0.5 < image.abs().max() <= 1

    def test_another_size_than_it_was_made_for(self) -> None:
        network = UNet((1, 8, 8), (1, 8, 8), width=2)
        assert network(torch.randn(1, 1, 24, 40)).shape == (1, 1, 24, 40)

    def test_channels_double_up_to_eight_times_as_many(self) -> None:
        network = UNet(SHAPE, SHAPE, width=2)
        assert [layer[-1 if level in (0, 7) else -2].out_channels for level, layer in enumerate(network.encoder)] == [
            *(2, 4, 8, 16),
            *(16, 16, 16, 16),
        ]

    @pytest.mark.parametrize(
        ("depth", "layers", "expected"),
        [
            (8, None, [0, 1, 2]),
            (5, None, [0, 1, 2]),
            (3, None, [0, 1]),
            (8, (1, 2, 3), [1, 2, 3]),
            (8, (), []),
            (4, range(4), [0, 1, 2]),
        ],
    )
    def test_dropout_is_where_it_is_said_to_be(
        self, depth: int, layers: tuple[int, ...] | None, expected: list[int]
    ) -> None:
        shape = (1, 2**depth, 2**depth)
        network = UNet(shape, shape, width=1, dropout=0.3, **({} if layers is None else {"dropout_layers": layers}))
        last = [layer[-1] for layer in network.decoder]
        assert [place for place, part in enumerate(last) if isinstance(part, nn.Dropout)] == expected
        assert {part.p for part in last if isinstance(part, nn.Dropout)} <= {0.3}
        assert sum(isinstance(part, nn.Dropout) for part in network.modules()) == len(expected)

    def test_the_papers_dropout_is_a_half(self) -> None:
        assert {part.p for part in UNet(width=1).modules() if isinstance(part, nn.Dropout)} == {0.5}

    def test_each_level_of_the_encoder_is_joined_to_that_of_the_decoder(self) -> None:
        network = UNet((1, 16, 16), (1, 16, 16), width=2)
        encoded: list[Tensor] = []
        given: list[Tensor] = []
        decoded: list[Tensor] = []
        for layer in network.encoder:
            layer.register_forward_hook(lambda _, __, made: encoded.append(made))
        for layer in network.decoder:
            layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
            layer.register_forward_hook(lambda _, __, made: decoded.append(made))
        image = network(torch.randn(2, 1, 16, 16))
        assert torch.equal(given[0], encoded[3])
        for level in (1, 2, 3):
            # By now the decoder's ReLU has changed what it was given in place.
            joined = torch.cat([encoded[3 - level], decoded[level - 1]], dim=1)
            assert torch.equal(given[level], joined.relu())
        assert image is decoded[3]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (((1, 20, 6), (1, 20, 6)), "UNet needs sides that are multiples of 4, not 20 x 6: change the data's"),
            (((1, 24, 16), (1, 24, 16), 1, 4), "multiples of 16, not 24 x 16: change .* image_size, or lower depth."),
            (((1, 16, 24), (1, 16, 24), 1, 4), "multiples of 16, not 16 x 24: change .* image_size, or lower depth."),
            (((1, 7, 8), (1, 7, 8)), "multiples of 4, not 7 x 8: change the data's image_size."),
            (((1, 8, 8), (1, 8, 8), 1, 1), "multiples of 4, not 8 x 8"),
            (((1, 8, 8), (1, 16, 8)), "images as large as those it is given, not 16 x 8 of 8 x 8."),
        ],
    )
    def test_sizes_that_do_not_fit_are_refused(self, arguments: tuple[object, ...], message: str) -> None:
        with pytest.raises(ValueError, match=re.sub(r"\.$", r"\\.$", message)):
            UNet(*arguments)


class TestPatchDiscriminator:
    @pytest.mark.parametrize("kind", [PatchDiscriminator, InstancePatchDiscriminator])
    @pytest.mark.parametrize(
        ("height", "width", "n_layers", "patches"),
        [
            (256, 256, 3, (30, 30)),
            (64, 128, 3, (6, 14)),
            (32, 32, 1, (14, 14)),
            (96, 96, 5, (1, 1)),
            (24, 25, 3, (1, 1)),
        ],
    )
    def test_shapes(self, kind: type, height: int, width: int, n_layers: int, patches: tuple[int, int]) -> None:
        network = kind((2, height, width), width=1, n_layers=n_layers)
        assert network(torch.randn(2, 2, height, width)).shape == (2, 1, *patches)

    @pytest.mark.parametrize(("n_layers", "patch"), [(1, 16), (3, 70), (5, 286)])
    def test_a_logit_sees_a_patch(self, n_layers: int, patch: int) -> None:
        """Without norms, which see the whole image, the gradient of one logit reaches a square of that side."""
        network = PatchDiscriminator((1, 512, 512), width=1, n_layers=n_layers)
        for name, part in network.layers.named_children():
            if isinstance(part, nn.BatchNorm2d):
                network.layers.add_module(name, nn.Identity())
        for weight in network.parameters():
            weight.data.fill_(1)
        image = torch.ones(1, 1, 512, 512, requires_grad=True)
        logits = network(image)
        logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
        assert image.grad is not None
        reached = image.grad[0, 0].nonzero()
        assert (reached.amax(dim=0) - reached.amin(dim=0) + 1).tolist() == [patch, patch]

    @pytest.mark.parametrize(("side", "n_layers", "least"), [(23, 3, 24), (64, 5, 96), (5, 1, 6), (256, 0, 3)])
    def test_sizes_that_do_not_fit_are_refused(self, side: int, n_layers: int, least: int) -> None:
        with pytest.raises(
            ValueError, match=rf"n_layers {n_layers} judges images from {least} x {least} up, not 256 x {side}:"
        ):
            PatchDiscriminator((3, 256, side), n_layers=n_layers)


class TestResidualTranslator:
    @pytest.mark.parametrize(
        ("height", "width", "n_blocks", "blocks"),
        [(8, 12, None, 6), (252, 300, None, 6), (256, 300, None, 9), (16, 16, 2, 2), (16, 16, 0, 0)],
    )
    def test_shapes(self, height: int, width: int, n_blocks: int | None, blocks: int) -> None:
        network = ResidualTranslator((1, height, width), (3, height, width), width=1, n_blocks=n_blocks)
        assert sum(isinstance(part, ReflectedBlock) for part in network.modules()) == blocks
        for weight in network.parameters():
            weight.data.mul_(50)
        image = network(torch.randn(2, 1, height, width))
        assert image.shape == (2, 3, height, width)
        assert 0.5 < image.abs().max() <= 1

    def test_another_size_than_it_was_made_for(self) -> None:
        network = ResidualTranslator((1, 16, 16), (1, 16, 16), width=2)
        assert network(torch.randn(1, 1, 8, 20)).shape == (1, 1, 8, 20)

    def test_a_block_adds_to_what_it_is_given(self) -> None:
        block, features = ReflectedBlock(3), torch.randn(2, 3, 5, 6)
        before = features.clone()
        assert_close(block(features), before + block.layers(before))
        block.layers[5].weight.data.zero_()
        block.layers[5].bias.data.zero_()
        assert torch.equal(block(features), before)

    @pytest.mark.parametrize(
        ("given", "made"), [((1, 18, 16), (1, 18, 16)), ((1, 16, 18), (1, 16, 18)), ((1, 4, 16), (1, 4, 16))]
    )
    def test_sizes_that_do_not_fit_are_refused(self, given: tuple[int, int, int], made: tuple[int, int, int]) -> None:
        sizes = f"{made[1]} x {made[2]} of {given[1]} x {given[2]}"
        with pytest.raises(ValueError, match=f"multiples of 4 from 8 up, not {sizes}: change the data's image_size."):
            ResidualTranslator(given, made)

    def test_it_makes_images_as_large_as_those_given(self) -> None:
        with pytest.raises(ValueError, match=r"as large as those it is given, .* not 32 x 16 of 16 x 16"):
            ResidualTranslator((1, 16, 16), (1, 32, 16))


@pytest.mark.parametrize(
    "make",
    [
        lambda: UNet((3, 32, 32), (3, 32, 32), width=32),
        lambda: ResidualTranslator((3, 32, 32), (3, 32, 32), width=32),
        lambda: PatchDiscriminator((3, 32, 32), width=32),
    ],
)
def test_initial_statistics(make: Make) -> None:
    for layer in make().modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.06)
            assert layer.weight.mean().abs() < 0.002
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert 0.005 < layer.weight.std() < 0.05
        if getattr(layer, "bias", None) is not None:
            assert not layer.bias.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: UNet((1, 16, 16), (1, 16, 16), width=2),
        lambda: ResidualTranslator((1, 16, 16), (1, 16, 16), width=2),
        lambda: PatchDiscriminator((1, 16, 16), width=2, n_layers=2),
    ],
)
def test_every_parameter_learns(make: Make) -> None:
    network = make()
    network(torch.randn(2, 1, 16, 16)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name.endswith("bias"), name  # An InstanceNorm takes a bias away again.
