"""Density and coverage by hand, by the definition, by the authors' package, and of sets of one distribution."""

import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.metrics import density_coverage, precision_recall, radii
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.feasible import check_counts
from gan_lightning.metrics.registry import Options
from tests.metrics.tools import Counting, images, source


def test_by_hand() -> None:
    """Real points at 0, 1, 2, 4: the second neighbours are at 2, 1, 2 and 3."""
    real = torch.tensor([[0.0], [1.0], [2.0], [4.0]], dtype=torch.float64)
    assert radii(real, k=2).tolist() == [2, 1, 2, 3]
    samples = torch.tensor([[0.5], [2.0], [40.0]], dtype=torch.float64)
    # 0.5 lies in the balls of 0, 1 and 2; 2 in those of 2 and 4, and on the edges of 0's and 1's; 40 in none.
    density, coverage = density_coverage(samples, real, radii(real, k=2), k=2)
    assert density == 5 / (2 * 3)
    # All but none of them: 0 and 1 by 0.5, 2 by both, and 4 by 2, at a distance of 2 < 3.
    assert coverage == 1
    assert density_coverage(samples[1:], real, radii(real, k=2), k=2) == (2 / (2 * 2), 0.5)


def by_definition(samples: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float]:
    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    radius = np.sort(distances(real, real), axis=1)[:, k]  # column 0 is the image itself
    between = distances(real, samples)
    inside = between < radius[:, None]
    return inside.sum() / (k * len(samples)), (between.min(axis=1) < radius).mean()


@pytest.mark.parametrize("k", [1, 5])
def test_by_the_definition_in_parts_of_any_size(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["gan_lightning.metrics.precision_recall"], "_ROWS", 17)
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(60, 3, generator=generator, dtype=torch.float64) * 0.7
    real = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    found = density_coverage(samples, real, radii(real, k), k)
    assert found == pytest.approx(by_definition(samples.numpy(), real.numpy(), k), rel=1e-12)
    assert 0.1 < found[1] < 0.99


def test_recorded_values_of_the_authors_package() -> None:
    """``prdc.compute_prdc(real, samples, nearest_k=5)``, version 0.2, on these points."""
    samples, real = grid_points(0.3, 80), grid_points(1.0, 64)
    assert density_coverage(samples, real, radii(real, 5)) == pytest.approx(RECORDED, rel=1e-12)


def grid_points(scale: float, n: int) -> Tensor:
    """Points that look random and are the same everywhere."""
    i = torch.arange(n, dtype=torch.float64)
    return scale * torch.stack([torch.sin(i * i), torch.cos(3 * i * i + scale), torch.sin(5 * i + scale)], dim=1)


RECORDED = (0.5775, 0.3125)


def test_agrees_with_the_authors_package_where_it_is_installed() -> None:
    prdc: Any = pytest.importorskip("prdc", reason="pip install prdc, the package of the paper's authors")
    samples, real = grid_points(0.3, 80), grid_points(1.0, 64)
    theirs = prdc.compute_prdc(real.numpy(), samples.numpy(), nearest_k=5)
    found = density_coverage(samples, real, radii(real, 5))
    assert found == pytest.approx((theirs["density"], theirs["coverage"]), rel=1e-12)


def test_what_is_expected_of_two_sets_of_one_distribution() -> None:
    """Density 1, and coverage by its closed form, whatever the distribution and the dimension."""
    n, m, k, trials = 80, 60, 5, 60
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(trials):
        samples, real = (torch.randn(count, 4, generator=generator, dtype=torch.float64).exp() for count in (n, m))
        found.append(density_coverage(samples, real, radii(real, k), k))
    density, coverage = torch.tensor(found, dtype=torch.float64).T
    expected = 1 - math.prod((m - i) / (n + m - i) for i in range(1, k + 1))
    assert expected == pytest.approx(0.987, abs=0.001)
    # Five standard errors of the means over the trials.
    for values, right in ((density, m / m), (coverage, expected)):
        assert values.mean().item() == pytest.approx(right, abs=5 * values.std().item() / trials**0.5)


def test_far_sets_have_neither() -> None:
    real = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    assert density_coverage(real + 100, real, radii(real, 5)) == (0, 0)


def test_outliers_among_real_images_cost_precision_and_not_density() -> None:
    """The paper's first argument: one real outlier has a ball that holds all samples."""
    generator = torch.Generator().manual_seed(0)
    real = torch.cat([torch.randn(200, 2, generator=generator), torch.full((1, 2), 50.0)])
    samples = torch.randn(200, 2, generator=generator) + 20
    assert precision_recall(samples, real, radii(real))[0] == 1
    assert density_coverage(samples, real, radii(real, 5))[0] < 0.21


def test_the_four_of_a_space_come_from_one_pass_over_the_images() -> None:
    names = ["precision", "recall", "density", "coverage"]
    real, samples = Counting(images(40, 1, side=3)), Counting(images(50, 2, side=3))
    evaluator = Evaluator(names, make_extractor("pixels", Ingredients()))
    found = evaluator.score(samples, evaluator.describe(real))
    assert (real.seen, samples.seen) == (40, 50)
    x, y = (torch.stack([*source.images]).flatten(1).float() / 255 for source in (samples, real))
    expected = *precision_recall(x, y, radii(y)), *density_coverage(x, y, radii(y, 5))
    assert list(found.values()) == pytest.approx(expected)
    assert [*found] == [f"{name}_pixels" for name in names]


def test_few_images() -> None:
    """Precision takes four, and density six."""
    evaluator = Evaluator(["precision"], make_extractor("pixels", Ingredients()))
    scores = evaluator.score(source(5, 1, side=3), evaluator.describe(source(4, 2, side=3)))
    assert 0 <= scores["precision_pixels"] <= 1
    with pytest.raises(ValueError, match="density takes at least 6 real images, for it looks at 5 neighbours"):
        check_counts(["density"], 10, 5, Options())
