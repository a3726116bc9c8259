"""Inception and VGG16 in fewer operations: against plain convolutions, torch-fidelity's resize and its networks."""

import pickle
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from gan_lightning.metrics import fast_convolution
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.fast_convolution import Transforms, convolution, line_transforms, resized, tile_transforms
from gan_lightning.metrics.fast_inception import FastInception
from gan_lightning.metrics.fast_vgg import FastVGG16
from tests.metrics.stand_ins import inception_weights, vgg16_weights
from tests.metrics.tools import images

ROUNDING = 2**-24
"""Half of float32's last digit, relative."""


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("transforms", "n_values", "before"),
    [
        *((line_transforms(length, k), length, k // 2) for length in (8, 17) for k in (3, 7)),
        *((tile_transforms(k), 4 + k - 1, 0) for k in (3, 5)),
    ],
)
def test_transforms_correlate(transforms: Transforms, n_values: int, before: int):
    k = transforms.G.shape[1]
    values, kernel = random(n_values).double(), random(k, seed=1).double()
    expected = F.conv1d(values[None, None], kernel[None, None], padding=before).flatten()
    found = transforms.A @ ((transforms.B @ values) * (transforms.G @ kernel))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


# Kernel, padding, stride, size, channels, and how many times fewer products than the plain convolution.
SHAPES = [
    ((1, 7), (0, 3), 1, 17, 16, 4.1),
    ((7, 1), (3, 0), 1, 17, 16, 4.1),
    ((3, 1), (1, 0), 1, 8, 16, 1.8),
    ((1, 3), (0, 1), 1, 8, 16, 1.8),
    ((3, 3), (1, 1), 1, 8, 48, 4.0),
    ((3, 3), (0, 0), 1, 13, 64, 3.0),  # 11 x 11 outputs: tiles beyond the border
    ((5, 5), (2, 2), 1, 9, 48, 3.5),
    ((3, 3), (1, 1), 1, 9, 8, 1.0),
    ((3, 3), (0, 0), 2, 9, 48, 1.0),
    ((1, 1), (0, 0), 1, 9, 48, 1.0),
]


def bound_of(weight: Tensor, shown: Tensor, padding: tuple[int, int]) -> float:
    """What rounding may come to: the sum of all terms' absolute values, each rounded once in each sum that it is in."""
    k, terms, growth = max(weight.shape[2:]), weight[0].numel() + 2, 1.0
    if k > 1:
        # Both kinds of transforms, against the plain sum of k terms: the larger of what they add.
        lines, tiles = line_transforms(shown.shape[2], k), tile_transforms(k if k in (3, 5) else 3)
        for transforms, directions in ((lines, 1), (tiles, 2)):
            A, B, G = (part.abs() for part in (transforms.A, transforms.B, transforms.G))
            growth = max(growth, float((A @ (B.sum(1) * G.sum(1)) / k).max()) ** directions)
            terms += sum(B.shape) ** directions
    plain = F.conv2d(shown.abs().double(), weight.abs().double(), padding=padding).max().item()
    return ROUNDING * terms * growth * plain


@pytest.mark.parametrize(("kernel", "padding", "stride", "size", "channels", "fewer"), SHAPES)
def test_convolutions_agree_with_torchs(kernel, padding, stride, size, channels, fewer, monkeypatch):
    weight, bias, shown = random(24, channels, *kernel), random(24, seed=1), random(3, channels, size, size, seed=2)
    expected = F.conv2d(shown.double(), weight.double(), bias.double(), stride, padding)
    products: list[int] = []
    multiply = torch.bmm

    def counting(values: Tensor, weights: Tensor) -> Tensor:
        products.append(values[..., 0].numel() * weights[0].numel())
        return multiply(values, weights)

    monkeypatch.setattr(fast_convolution.torch, "bmm", counting)
    found = convolution(weight, bias, stride, padding, size)(shown.contiguous(memory_format=torch.channels_last))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= bound_of(weight, shown, padding)
    if fewer > 1:
        plain = expected[:, 0].numel() * weight.numel()
        assert 0 < sum(products) <= plain / fewer
    else:
        assert not products


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (299, 299), (400, 300)])
def test_the_resize_is_tensorflows(size):
    shown = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = interpolate_bilinear_2d_like_tensorflow1x(shown.double(), (299, 299), align_corners=False)
    # Places are rounded in float32, on both sides; values are up to 255.
    rounded = max(size) * 2 * ROUNDING * 255
    torch.testing.assert_close(resized(shown, 299).double(), expected, rtol=0, atol=4 * rounded)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of untrained Inception, with statistics of BatchNorm that matter."""
    state = inception_weights()
    generator = torch.Generator().manual_seed(0)
    for name, value in state.items():
        draw = torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        if name.endswith("running_mean"):
            state[name] = 0.2 * draw - 0.1
        elif name.endswith("running_var"):
            state[name] = 0.02 + 0.02 * draw  # maps keep their size from layer to layer
        elif name.endswith("bn.bias"):
            state[name] = draw - 0.3
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(state, path)
    return path


def test_the_network_is_torch_fidelitys(weights):
    network = FeatureExtractorInceptionV3("any", ["2048"], str(weights))
    shown = images(3, 1, side=32)
    found, _ = FastInception(network)(shown)
    assert found.shape == (3, FastInception.width)
    exact = network.double()
    exact.feature_extractor_internal_dtype = torch.float64
    (expected,) = exact(shown)
    n_layers = sum(isinstance(module, BasicConv2d) for module in network.modules())
    assert expected.std(dim=0).max() > 0.01 * expected.max()  # else the agreement would say little
    # A rounding of float32 in every layer, of 94.
    assert (found - expected).abs().max() < n_layers * 2 * ROUNDING * expected.max()


def test_vgg16_is_torch_fidelitys(tmp_path, monkeypatch):
    monkeypatch.setattr(FeatureExtractorVGG16, "INPUT_IMAGE_SIZE", 64)
    torch.save(vgg16_weights(), tmp_path / "vgg16.pth")
    network = FeatureExtractorVGG16("any", ["fc2_relu"], str(tmp_path / "vgg16.pth"))
    shown = images(3, 1, side=32)
    found, _ = FastVGG16(network)(shown)
    assert found.shape == (3, FastVGG16.width)
    exact = network.double()
    exact.feature_extractor_internal_dtype = torch.float64
    (expected,) = exact(shown)
    assert (expected > 0).double().mean() > 0.1
    # In each of 15 layers roundings of float32 of products and of sums, whose order the processor chooses.
    assert (found - expected).abs().max() < 15 * 2 * 2 * ROUNDING * expected.max()


def test_images_together_are_as_alone(weights):
    extractor = make_extractor("inception", Ingredients(weights))
    shown = images(19, 1, side=32)  # more than are in the network at a time
    together = extractor(shown).features
    alone = torch.cat([extractor(image[None]).features for image in shown[[0, 16, 18]]])
    torch.testing.assert_close(together[[0, 16, 18]], alone, rtol=0, atol=94 * 2 * ROUNDING * float(together.max()))


def test_an_extractor_that_was_used_is_pickled(weights):
    extractor = make_extractor("inception", Ingredients(weights))
    shown = images(2, 1, side=32)
    features, before = extractor(shown).features, extractor.fingerprint()
    assert not torch.equal(features, extractor.network(shown)[0])  # in other operations, so with other last digits
    copy = pickle.loads(pickle.dumps(extractor))
    assert torch.equal(copy(shown).features, features)
    assert copy.fingerprint() == before


@pytest.mark.parametrize(
    "shown",
    [torch.rand(2, 3, 32, 32), torch.zeros(2, 4, 32, 32, dtype=torch.uint8), torch.zeros(3, 32, 32, dtype=torch.uint8)],
    ids=["float32", "4 channels", "no batch"],
)
def test_what_is_no_batch_of_levels_is_refused(shown: Tensor, weights: Path) -> None:
    with pytest.raises(ValueError, match=r"takes uint8 images, N x 3 x H x W|has learnt from RGB"):
        make_extractor("inception", Ingredients(weights))(shown)


def test_no_images_have_no_features(weights: Path) -> None:
    extractor = make_extractor("inception", Ingredients(weights))
    assert extractor(torch.zeros(0, 3, 32, 32, dtype=torch.uint8)).features.shape == (0, 2048)


def test_autocast_changes_nothing(weights: Path) -> None:
    extractor, shown = make_extractor("inception", Ingredients(weights)), images(2, 1, side=32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = extractor(shown).features
    assert torch.equal(inside, extractor(shown).features)
