"""How super-resolution is measured, against cases worked by hand and scipy's filters."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_images

from gan_lightning.metrics.luminance import luminance, psnr, ssim


def solid(*colour: int, side: int = 16) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].repeat(1, 1, side, side)


@pytest.mark.parametrize(
    ("colour", "y"),
    [((255, 255, 255), 235), ((0, 0, 0), 16), ((255, 0, 0), 81.481), ((0, 255, 0), 144.553), ((0, 0, 255), 40.966)],
)
def test_luminance_of_colours(colour: tuple[int, ...], y: float) -> None:
    assert luminance(solid(*colour)).unique().tolist() == pytest.approx([y], abs=1e-4)


def test_a_grey_image_is_its_own_luminance() -> None:
    assert luminance(solid(255, side=2)).tolist() == [[[[255, 255], [255, 255]]]]


def test_psnr_by_hand() -> None:
    # A green that is 51 levels lower: Y differs by 128.553 / 5 everywhere.
    expected = 20 * np.log10(255 / 25.7106)
    both = psnr(torch.cat([solid(9, 100, 9), solid(0, 0, 0)]), torch.cat([solid(9, 151, 9), solid(0, 0, 0)]), border=2)
    assert both.tolist() == pytest.approx([expected, np.inf])


def test_borders_do_not_count() -> None:
    images, truth = solid(10, 20, 30, side=20), solid(10, 20, 30, side=20)
    images[:, :, 1] += 50
    images[:, :, :, -2] += 50
    assert float(psnr(images, truth, 1)) < 60
    assert float(ssim(images, truth, 1)) < 0.999
    assert float(psnr(images, truth, 2)) == np.inf
    assert float(ssim(images, truth, 2)) == 1


def test_ssim_is_the_published_formula() -> None:
    photographs = np.stack(load_sample_images().images)[:, 100:164, 100:180]
    truth = torch.from_numpy(photographs).permute(0, 3, 1, 2).contiguous()
    noise = torch.randint(-30, 31, truth.shape, generator=torch.Generator().manual_seed(0))
    noisy = (truth + noise).clamp(0, 255).to(torch.uint8)
    expected = []
    for x, y in zip(luminance(noisy).double().numpy(), luminance(truth).double().numpy(), strict=True):
        x, y = x[0, 4:-4, 4:-4], y[0, 4:-4, 4:-4]

        def mean(image: np.ndarray) -> np.ndarray:
            return gaussian_filter(image, 1.5, radius=5)[5:-5, 5:-5]

        mu_x, mu_y = mean(x), mean(y)
        covariance, spread = mean(x * y) - mu_x * mu_y, mean(x * x) - mu_x**2 + mean(y * y) - mu_y**2
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        places = (2 * mu_x * mu_y + c1) * (2 * covariance + c2) / ((mu_x**2 + mu_y**2 + c1) * (spread + c2))
        expected.append(places.mean())
    assert ssim(noisy, truth, border=4).tolist() == pytest.approx(expected, abs=1e-5)
    assert all(0.3 < value < 0.95 for value in expected)


def test_images_smaller_than_the_window() -> None:
    with pytest.raises(ValueError, match="from 15 x 15 pixels up, not of 14 x 14"):
        ssim(solid(1, side=14), solid(1, side=14), border=2)
    assert float(ssim(solid(1, side=15), solid(1, side=15), border=2)) == 1


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_other_channels_are_measured_as_they_are(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images, truth = torch.randint(0, 256, (2, 3, channels, 20, 24), generator=generator, dtype=torch.uint8)
    error = ((images.double() - truth.double())[:, :, 2:-2, 2:-2] ** 2).mean(dim=(1, 2, 3))
    assert torch.allclose(psnr(images, truth, 2).double(), 10 * torch.log10(255**2 / error))
    alone = [ssim(images[:, c : c + 1], truth[:, c : c + 1], 0) for c in range(channels)]
    assert torch.allclose(ssim(images, truth, 0), torch.stack(alone).mean(dim=0), atol=1e-6)
