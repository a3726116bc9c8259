"""Random weights in the shapes of torch-fidelity's networks, where the real ones cannot be had."""

from pathlib import Path

import torch
import torch_fidelity.feature_extractor_inceptionv3 as inception
import torchvision
from torch import Tensor, nn

INCEPTION_FILE, VGG16_FILE = "weights-inception-2015-12-05-6726825d.pth", "vgg16-397923af.pth"
"""What they are called in torch's cache."""


def inception_weights() -> dict[str, Tensor]:
    """As many as Inception has, of which ``fc`` is the classifier."""
    load = nn.Module.load_state_dict
    nn.Module.load_state_dict = lambda *_: None  # type: ignore[method-assign, assignment]
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            empty = Path(inception.__file__)
            original, torch.load = torch.load, lambda *_, **__: {}
            network = inception.FeatureExtractorInceptionV3("any", ["2048"], str(empty))
    finally:
        nn.Module.load_state_dict, torch.load = load, original  # type: ignore[method-assign]
    return network.state_dict()


def vgg16_weights() -> dict[str, Tensor]:
    """As many as VGG16 has, in a small file: the rows of a matrix are shifted views of the same random numbers."""
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in torchvision.models.vgg16().state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in shapes.items():
        inputs = shape[1:].numel()
        numbers = torch.randn(shape[0] + inputs, generator=generator) * (2 / inputs) ** 0.5
        strides = torch.empty(shape[1:], device="meta").stride()
        weights[name] = numbers.as_strided(shape, (1, *strides)) if len(shape) > 1 else 0.1 * numbers[: shape[0]]
    return weights


def fill_torchs_cache(home: Path) -> dict[str, Path]:
    """Lay both files where torch keeps what it has downloaded, under ``TORCH_HOME``."""
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(inception_weights(), folder / INCEPTION_FILE)
    torch.save(vgg16_weights(), folder / VGG16_FILE)
    return {"inception": folder / INCEPTION_FILE, "vgg16": folder / VGG16_FILE}
