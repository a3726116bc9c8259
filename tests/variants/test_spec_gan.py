"""SpecGAN: the networks' sizes, spectrograms there and back, and the moments that scale them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.signal import get_window, stft
from torch.testing import assert_close

from gan_lightning.networks import SpecGANDiscriminator, SpecGANGenerator
from gan_lightning.networks.layers.log_spectrogram import LogSpectrogram
from gan_lightning.variants import SpecGAN
from tests.helpers.games import example_batch, last_state, play, small


def test_the_networks_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        g, d = SpecGANGenerator(), SpecGANDiscriminator()
        assert sum(weight.numel() for weight in g.parameters()) == 19_065_345
        assert sum(weight.numel() for weight in d.parameters()) == 17_427_969
        assert tuple(g(torch.empty(2, 100)).shape) == (2, 1, 128, 128)
        assert tuple(d(torch.empty(2, 1, 128, 128)).shape) == (2,)
    for side in (4, 12):
        with pytest.raises(ValueError, match=f"^side is {side}"):
            SpecGANGenerator(side)


def test_magnitudes_are_scipys() -> None:
    torch.manual_seed(0)
    sound = torch.randn(2, 1, 256)
    padded = torch.nn.functional.pad(sound[:, 0], (0, 16)).double().numpy()
    window = get_window("hann", 32)  # periodic
    _, _, spectrum = stft(padded, window=window, nperseg=32, noverlap=16, boundary=None, padded=False)
    expected = (torch.from_numpy(spectrum * window.sum()).abs() + 1e-6).log()
    layer = LogSpectrogram(16)
    # With mean 0 and deviation 1 a value is a third of the logarithm, clipped.
    assert_close(layer(sound)[:, 0], (expected[:, :16] / 3).clamp(-1, 1).float(), rtol=1e-4, atol=1e-4)


def test_each_frequency_is_scaled_by_its_own_moments() -> None:
    torch.manual_seed(0)
    layer = LogSpectrogram(16)
    # Louder from sound to sound, and most of it low.
    sounds = torch.randn(200, 1, 256).cumsum(2) * torch.rand(200, 1, 1)
    layer.set_moments(layer.moments_of(sounds.split(64)))
    scaled = layer(sounds)
    # Clipping at three deviations moves them little.
    assert_close(scaled.mean((0, 1, 3)), torch.zeros(16), atol=0.02, rtol=0)
    assert_close(3 * scaled.std((0, 1, 3)), torch.ones(16), atol=0.06, rtol=0)
    assert float(layer.mean[0] - layer.mean[15]) > 1


def test_windows_overlap_to_the_sound_that_they_are_of() -> None:
    sound = torch.randn(3, 256)
    layer = LogSpectrogram(16)
    # The first sample is in no window, for Hann's begins with 0.
    assert_close(layer._overlapped(layer._spectrum(sound))[:, 1:], sound[:, 1:], rtol=1e-3, atol=1e-4)


def test_a_tone_there_and_back_is_a_tone() -> None:
    layer = LogSpectrogram(64)
    time = torch.arange(4096)
    tones = torch.stack([0.5 * (2 * torch.pi * bin_ / 128 * time).sin() for bin_ in (10, 33)])[:, None]
    layer.set_moments(layer.moments_of([tones + 0.01 * torch.randn_like(tones)]))
    back = layer.inverse(layer(tones))
    assert tuple(back.shape) == (2, 1, 4096)
    peaks = torch.fft.rfft(back[:, 0]).abs().argmax(1)
    # 4096 samples have 32 times as many frequencies as a window of 128.
    # To a bin, for windows that overlap by half leave the phases some freedom.
    assert (peaks / 32).tolist() == pytest.approx([10, 33], abs=1)


def test_more_iterations_fit_the_spectrogram_better() -> None:
    torch.manual_seed(0)
    sound = torch.randn(4, 1, 1024).cumsum(2) / 30
    errors = []
    for iterations in (0, 2, 16):
        layer = LogSpectrogram(32, iterations)
        spectrogram = layer(sound)
        errors.append(float((layer(layer.inverse(spectrogram)) - spectrogram).abs().mean()))
    assert errors[0] > errors[1] > errors[2]


def test_moments_are_of_the_training_set_and_in_the_checkpoint(tmp_path: Path) -> None:
    model: Any = small(SpecGAN)
    assert not model.spectrogram.measured
    play(model, 1, tmp_path, batch_size=50, n_images=400)
    sounds = torch.cat([model.sounds_in(raw) for raw in batches_of_digits(model)])
    expected = LogSpectrogram(16)
    expected.set_moments(expected.moments_of([sounds]))
    assert_close(model.spectrogram.mean, expected.mean)
    assert_close(model.spectrogram.std, expected.std)
    assert torch.equal(last_state(tmp_path)["state_dict"]["spectrogram.mean"], model.spectrogram.mean)
    assert tuple(model.sample(3).shape) == (3, 1, 256)


def batches_of_digits(model: Any) -> list[Any]:
    from tests.helpers.games import DigitsFor

    data = DigitsFor(model, batch_size=50, image_size=16, seed=0, val_size=100, test_size=1297)
    return [data.on_before_batch_transfer(raw, 0) for raw in data.train_dataloader()]


def test_a_batch_is_a_spectrogram_and_a_length_a_square() -> None:
    model = small(SpecGAN)
    assert tuple(model.prepare_batch(example_batch(model, 3)).real.shape) == (3, 1, 16, 16)
    with pytest.raises(ValueError, match=r"^n_samples is 200: SpecGAN's spectrograms are square"):
        small(SpecGAN, n_samples=200)
