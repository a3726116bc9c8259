"""The Frechet distance against SciPy's matrix square root and cases worked by hand."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from torch.testing import assert_close

from gan_lightning.metrics import frechet_distance, moments
from gan_lightning.metrics.frechet import covariance_factor, distance_to_factor
from gan_lightning.metrics.running_moments import Gaussian, RunningMoments


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def random_moments(n: int, d: int) -> tuple[Tensor, Tensor]:
    return moments(torch.randn(n, d, dtype=torch.float64) @ torch.randn(d, d, dtype=torch.float64) + torch.randn(d))


def by_scipy(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    root = scipy.linalg.sqrtm(cov1.numpy() @ cov2.numpy()).real
    return (mean1 - mean2).square().sum().item() + np.trace(cov1.numpy() + cov2.numpy() - 2 * root)


def test_agrees_with_scipy():
    first, second = random_moments(200, 16), random_moments(300, 16)
    assert frechet_distance(*first, *second) == pytest.approx(by_scipy(*first, *second), rel=1e-9)


def test_diagonal_covariances_by_hand():
    """Commuting covariances: |m1 - m2|^2 + the sum of the squared differences of standard deviations."""
    mean1, mean2 = torch.tensor([1.0, 2.0]), torch.tensor([4.0, -2.0])
    cov1, cov2 = torch.tensor([4.0, 9.0]).diag(), torch.tensor([1.0, 25.0]).diag()
    assert frechet_distance(mean1, cov1, mean2, cov2) == pytest.approx(25 + (2 - 1) ** 2 + (3 - 5) ** 2)


def test_a_distribution_is_at_no_distance_from_itself():
    mean, cov = random_moments(100, 12)
    assert frechet_distance(mean, cov, mean, cov) == pytest.approx(0, abs=1e-9)


def test_rank_deficient_covariances():
    """Five samples in 32 dimensions: the covariances have rank 4, and their product is singular."""
    first, second = random_moments(5, 32), random_moments(5, 32)
    trace = (first[1].trace() + second[1].trace()).item()
    assert frechet_distance(*first, *first) == pytest.approx(0, abs=1e-5 * trace)
    a, b = torch.randn(2, 5, 32, dtype=torch.float64)
    a, b = a - a.mean(0), b - b.mean(0)
    zero = torch.zeros(32)
    # With S = X'X / 4, tr((S1 S2)^(1/2)) is the nuclear norm of X1 X2' / 4: no root of a singular matrix.
    expected = (a.square().sum() + b.square().sum()) / 4 - 2 * torch.linalg.svdvals(a @ b.T).sum() / 4
    measured = frechet_distance(zero, a.T @ a / 4, zero, b.T @ b / 4)
    assert measured == pytest.approx(expected.item(), rel=1e-5)


def of_batches(features: Tensor) -> Gaussian:
    running = RunningMoments()
    for batch in features.split(7):
        running.add(batch)
    return running.result()


@pytest.mark.parametrize("n_real", [20, 64, 200])
@pytest.mark.parametrize("n_samples", [12, 30, 64, 300])
def test_fewer_images_than_features_have_the_distance_of_their_covariances(n_real, n_samples):
    """64 features; the eigenvalues are those of matrices of n x n, and SVD says what they are."""
    real, samples = torch.randn(n_real, 64, dtype=torch.float64) + 1e2, torch.rand(n_samples, 64).double() + 1e2
    first, second = of_batches(real), of_batches(samples)
    assert [moments.factor is not None for moments in (first, second)] == [n_real <= 64, n_samples <= 64]
    x, y = ((rows - rows.mean(0)) / (len(rows) - 1) ** 0.5 for rows in (real, samples))
    nuclear = torch.linalg.svdvals(x @ y.T).sum()
    shift = (real.mean(0) - samples.mean(0)).square().sum()
    expected = (shift + x.square().sum() + y.square().sum() - 2 * nuclear).item()
    factor = covariance_factor(first.cov) if first.factor is None else first.factor
    assert len(factor) == min(n_real, 64)
    found = distance_to_factor(first.mean, factor, second.mean, second.cov, second.factor)
    assert found == pytest.approx(expected, rel=1e-10)


def test_a_factor_of_a_covariance_gives_it_back():
    regular = random_moments(200, 16)[1]
    singular = random_moments(5, 16)[1]
    for cov in (regular, singular, torch.zeros(3, 3), torch.tensor([[1.0, 1.0], [1.0, 1.0]])):
        factor = covariance_factor(cov)
        assert_close(factor.T @ factor, cov.double(), rtol=1e-12, atol=1e-12 * max(float(cov.abs().max()), 1))
    # Triangular, so Cholesky's, only where no pivot is rounding.
    assert not covariance_factor(regular).tril(-1).any()
    assert covariance_factor(singular).tril(-1).any()
    assert torch.equal(covariance_factor(torch.tensor([1.0, 1e-17]).diag()), torch.tensor([1.0, 0.0]).double().diag())


def test_moments_agree_with_numpy():
    features = torch.randn(50, 6) + 1e4  # float32 features whose mean dwarfs their spread
    mean, cov = moments(features)
    assert mean.dtype == cov.dtype == torch.float64
    exact = features.double().numpy()
    assert_close(mean.numpy(), exact.mean(axis=0), rtol=1e-12, atol=0)
    assert_close(cov.numpy(), np.cov(exact, rowvar=False), rtol=1e-9, atol=1e-12)


def test_one_sample_has_no_covariance():
    with pytest.raises(ValueError, match="at least 2 samples"):
        moments(torch.zeros(1, 4))
