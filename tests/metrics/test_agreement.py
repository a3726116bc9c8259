"""The same numbers as torch-fidelity and torchmetrics, on the same images and features."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
import torchmetrics.image
from torch import Tensor, nn

from benchmarks.turns_with_torch_fidelity import THEIR_NAMES
from datamodules.components.files import list_files
from gan_lightning.metrics import kernel_distance, precision_recall, radii
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.image_sources import FolderImages
from gan_lightning.metrics.registry import Options
from tests.metrics.tools import TINY, images, source, write_folder


def ours(
    names: list[str], samples: Path, real: Path, extractor: str, weights: str | None = None, size: int = 1000
) -> dict[str, float]:
    evaluator = Evaluator(names, make_extractor(extractor, Ingredients(weights)), options=Options(kid_subset_size=size))
    return evaluator.score(FolderImages(samples), evaluator.describe(FolderImages(real)))


def theirs(samples: Path, real: Path, extractor: str, weights: str | None = None, **arguments: int) -> dict[str, float]:
    return torch_fidelity.calculate_metrics(
        input1=str(samples),
        input2=str(real),
        feature_extractor=extractor,
        feature_extractor_weights_path=weights,
        fid=True,
        kid=True,
        prc=True,
        cuda=False,
        cache=False,
        verbose=False,
        **arguments,
    )


def test_all_metrics_agree_with_torch_fidelity(tmp_path):
    samples, real = (write_folder(tmp_path / str(seed), images(400, seed)) for seed in (1, 2))
    found = ours(list(THEIR_NAMES), samples, real, TINY, size=100)
    expected = theirs(samples, real, TINY, isc=True, kid_subset_size=100)
    reported_name = {"inception_score": f"{TINY}_score"}
    # Their shares of images, precision and recall, are float32 at the end: half of its last digit is 6e-8.
    assert found == {
        reported_name.get(name, f"{name}_{TINY}"): pytest.approx(expected[theirs], rel=1e-7)
        for name, theirs in THEIR_NAMES.items()
    }
    assert 0.05 < found[f"recall_{TINY}"] < 0.98  # else the agreement would say little


class Flat(nn.Module):
    """What torchmetrics takes for an extractor."""

    num_features = 27

    def forward(self, batch: Tensor) -> Tensor:
        return batch.flatten(1).double() / 255


def test_fid_and_kid_agree_with_torchmetrics():
    fake, real = images(300, 1, side=3), images(250, 2, side=3)
    evaluator = Evaluator(["fid"], make_extractor("pixels", Ingredients()))
    found = evaluator.score(source(300, 1, side=3), evaluator.describe(source(250, 2, side=3)))["fid_pixels"]
    fid = torchmetrics.image.FrechetInceptionDistance(Flat(), input_img_size=(3, 3, 3)).set_dtype(torch.float64)
    fid.update(real, real=True)
    fid.update(fake, real=False)
    assert found == pytest.approx(fid.compute().item(), rel=1e-6)

    # A subset of all images is the same subset, however it is drawn.
    kid = torchmetrics.image.KernelInceptionDistance(Flat(), subsets=2, subset_size=250)
    kid.update(real, real=True)
    kid.update(fake[:250], real=False)
    mean, _ = kid.compute()
    features = [batch.flatten(1).double() / 255 for batch in (fake[:250], real)]
    assert kernel_distance(*features, subsets=2, subset_size=250) == pytest.approx(mean.item(), rel=1e-6)


def test_kid_by_the_definition():
    x, y = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def kernel(a: Tensor, b: Tensor) -> float:
        return (a @ b / 4 + 1).item() ** 3

    pairs = [(i, j) for i in range(6) for j in range(6)]
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs if i != j) / 30
    across = sum(kernel(x[i], y[j]) for i, j in pairs) / 36
    assert kernel_distance(x, y, subsets=3, subset_size=6) == pytest.approx(within - 2 * across, rel=1e-12)
    with pytest.raises(ValueError, match="subsets of at least 2"):
        kernel_distance(x, y, subset_size=7)


def test_kid_takes_the_same_subsets_as_torch_fidelity(tmp_path):
    samples, real = (write_folder(tmp_path / str(seed), images(120, seed)) for seed in (1, 2))
    evaluator = Evaluator(["kid"], make_extractor(TINY, Ingredients()), options=Options(7, 20))
    found = evaluator.score(FolderImages(samples), evaluator.describe(FolderImages(real)))
    expected = torch_fidelity.calculate_metrics(
        input1=str(samples), input2=str(real), feature_extractor=TINY, kid=True, kid_subsets=7, kid_subset_size=20,
        cuda=False, cache=False, verbose=False,
    )  # fmt: skip
    assert found[f"kid_{TINY}"] == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)


def test_precision_and_recall_by_hand():
    """Real points at 0, 1, 2, 3, so balls of radius 2, 1, 1, 2 for the second neighbour; samples far off but one."""
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    samples = torch.tensor([[0.5], [40.0], [50.0], [60.0]])
    assert radii(real, k=2).tolist() == [2, 1, 1, 2]
    # The balls of the samples: 0.5 reaches to 50, and so holds all real points.
    assert precision_recall(samples, real, radii(real, k=2), k=2) == (0.25, 1.0)
    with pytest.raises(ValueError, match="too few"):
        radii(real, k=4)


def real_inception() -> tuple[str, Path]:
    weights, data = (os.environ.get(f"GAN_LIGHTNING_TEST_{name}") for name in ("INCEPTION", "DATA"))
    if not weights or not data or not Path(data, "cifar10", "test").is_dir():
        pytest.skip("needs GAN_LIGHTNING_TEST_INCEPTION (a weights file) and cifar10 in GAN_LIGHTNING_TEST_DATA")
    return weights, Path(data, "cifar10")


@pytest.mark.slow
def test_cifar10_with_the_real_inception(tmp_path):
    weights, data = real_inception()
    folders = []
    for split in ("train", "test"):
        folders.append(tmp_path / split)
        folders[-1].mkdir()
        files = list_files(data / split)
        for number in range(2000):
            file = files[number * len(files) // 2000]
            (folders[-1] / f"{number:04d}{file.suffix}").write_bytes(file.read_bytes())
    names = ["fid", "kid", "precision", "recall"]
    found = ours(names, *folders, "inception", weights)
    expected = theirs(*folders, "inception-v3-compat", weights)
    assert found == {name: pytest.approx(expected[THEIR_NAMES[name]], rel=1e-3) for name in names}
    assert np.isfinite(list(found.values())).all()
