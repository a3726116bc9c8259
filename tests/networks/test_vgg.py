"""VGG19's maps against torchvision's own layers, on small weights in both layouts, and on the real ones."""

import os
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import nn
from torch.testing import assert_close
from torchvision.models.vgg import cfgs

from gan_lightning.networks.vgg import VGG19Features
from tests.helpers.stand_ins import vgg19


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("pooling", "convolution", "depth"), [(5, 4, 36), (2, 2, 9), (1, 1, 2), (3, 4, 18)])
def test_maps_are_those_of_torchvisions_layers(tmp_path: Path, pooling: int, convolution: int, depth: int) -> None:
    layers = vgg19(tmp_path / "vgg19.pth")
    images = torch.rand(2, 3, 32, 48)
    mean, deviation = (torch.tensor(part)[:, None, None] for part in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    maps = VGG19Features(pooling, convolution, tmp_path / "vgg19.pth")(2 * images - 1)
    assert_close(maps, layers[:depth]((images - mean) / deviation))
    assert maps.shape[2:] == (32 // 2 ** (pooling - 1), 48 // 2 ** (pooling - 1))
    assert maps.min() == 0
    assert maps.max() > 0


def test_the_other_layout_prepares_its_images_itself(tmp_path: Path) -> None:
    layers = vgg19(tmp_path / "vgg19.pth")
    prepare = nn.Conv2d(3, 3, 1)
    convolutions = [prepare, *(layer for layer in layers if isinstance(layer, nn.Conv2d))]
    numbered = nn.ModuleDict({str(3 * number): layer for number, layer in enumerate(convolutions)})
    torch.save(numbered.state_dict(), tmp_path / "vgg_normalized.pth")
    images = torch.rand(1, 3, 16, 16)
    maps = VGG19Features(5, 4, tmp_path / "vgg_normalized.pth")(2 * images - 1)
    assert_close(maps, layers[:36](prepare(images)))


def test_a_grey_image_is_one_of_three_equal_channels(tmp_path: Path) -> None:
    vgg19(tmp_path / "vgg19.pth")
    features = VGG19Features(2, 2, tmp_path / "vgg19.pth")
    grey = torch.rand(1, 1, 8, 8)
    assert_close(features(grey), features(grey.repeat(1, 3, 1, 1)))


def test_nothing_of_it_learns_and_gradients_go_through(tmp_path: Path) -> None:
    vgg19(tmp_path / "vgg19.pth")
    features = VGG19Features(2, 2, tmp_path / "vgg19.pth")
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    features(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(weight.requires_grad or weight.grad is not None for weight in features.layers.parameters())


def test_files_that_hold_no_vgg19(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"vgg19.pth: no such file; it should hold a network's weights\.$"):
        VGG19Features(weights=tmp_path / "vgg19.pth")
    (tmp_path / "text.pth").write_text("not weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("text", "list"):
        with pytest.raises(ValueError, match=f"{name}.pth is no file of weights: it was cut short, is of another kind"):
            VGG19Features(weights=tmp_path / f"{name}.pth")
    layers = vgg19(tmp_path / "vgg19.pth")
    state = {f"features.{name}": value for name, value in layers.state_dict().items()}
    for name, weights in {
        "short": dict(list(state.items())[:-2]),
        "biasless": {name: value for name, value in state.items() if name != "features.5.bias"},
        "wrong": {**state, "features.0.weight": torch.rand(8, 3, 5, 5)},
    }.items():
        torch.save(weights, tmp_path / name)
        with pytest.raises(ValueError, match=f"{name} does not hold VGG19's sixteen convolutions"):
            VGG19Features(weights=tmp_path / name)


def test_without_a_path_torchvisions_weights_are_taken_from_torchs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    cached.parent.mkdir(parents=True)
    vgg19(cached)
    images = torch.rand(1, 3, 16, 16)
    assert_close(VGG19Features()(images), VGG19Features(weights=cached)(images))


def test_without_a_network_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    sentence = (
        r"https://\S*vgg19\S* could not be downloaded \(.*no route to host.*\): give the path of a file with them"
    )
    with pytest.raises(ConnectionError, match=sentence):
        VGG19Features()


def test_the_real_weights() -> None:
    path = os.environ.get("GAN_LIGHTNING_TEST_VGG")
    if not path:
        pytest.skip("GAN_LIGHTNING_TEST_VGG does not name a file with VGG19's weights")
    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    images = photographs.permute(0, 3, 1, 2)[:, :, :256, :256] / 127.5 - 1
    features = VGG19Features(5, 4, path)
    widths = [layer.out_channels for layer in features.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [3, *(width for width in cfgs["E"] if width != "M")]
    maps = features(images)
    assert maps.shape == (2, 512, 16, 16)
    # Few units answer to a photograph, and not the same ones to any two.
    assert 0.02 < (maps > 0).float().mean() < 0.5
    flower, temple = maps.mean(dim=(2, 3))
    assert torch.corrcoef(torch.stack([flower, temple]))[0, 1] < 0.9
