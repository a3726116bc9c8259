"""Mel bands against values of librosa 0.11, which is not needed to run this."""

import numpy as np
import pytest
import torch
from scipy.signal import stft

from gan_lightning.networks.layers.mel import LogMel, hertz_to_mel, mel_filters, mel_to_hertz

LIBROSA = {
    # Rate, window, bands, lowest and highest frequency: sum, maximum, both first moments and sum of squares.
    (22050, 1024, 80, 0.0, 8000.0): [3.7136882, 0.026492536, 150.46461, 417.38538, 0.040049801],
    (22050, 1024, 80, 0.0, None): [3.7146472, 0.024146901, 150.4636, 528.80708, 0.033779445],
    (16000, 1024, 128, 40.0, 7800.0): [8.1952985, 0.043449588, 528.3827, 1262.0709, 0.1442679],
}


def test_the_scale_is_slaneys() -> None:
    hertz = torch.tensor([0.0, 500.0, 1000.0, 6400.0], dtype=torch.float64)
    # 200 / 3 Hz a mel up to 1 kHz; then 27 mels for a factor of 6.4.
    assert hertz_to_mel(hertz).tolist() == pytest.approx([0, 7.5, 15, 42])
    assert mel_to_hertz(hertz_to_mel(hertz)).tolist() == pytest.approx(hertz.tolist())


@pytest.mark.parametrize(("case", "expected"), LIBROSA.items())
def test_filters_are_those_of_librosa(case: tuple[int, int, int, float, float | None], expected: list[float]) -> None:
    filters = mel_filters(*case).double()
    rows = torch.arange(1, len(filters) + 1, dtype=torch.float64)
    columns = torch.arange(1, filters.shape[1] + 1, dtype=torch.float64)
    found = [filters.sum(), filters.max(), rows @ filters.sum(1), filters.sum(0) @ columns, filters.square().sum()]
    assert [float(each) for each in found] == pytest.approx(expected, rel=1e-5)


def test_the_spectrogram_is_scipys() -> None:
    torch.manual_seed(0)
    sound = torch.randn(2, 1, 512)
    mel = LogMel(8000, n_mels=10, n_fft=64, hop=16)(sound)
    assert tuple(mel.shape) == (2, 10, 32)
    padded = np.pad(sound[:, 0].double().numpy(), [(0, 0), (24, 24)], mode="reflect")
    window = torch.hann_window(64, dtype=torch.float64).numpy()
    _, _, spectrum = stft(padded, window=window, nperseg=64, noverlap=48, boundary=None, padded=False)
    # SciPy divides by the sum of the window.
    magnitude = np.sqrt(np.abs(spectrum * window.sum()) ** 2 + 1e-9)
    expected = np.log(np.maximum(mel_filters(8000, 64, 10).double().numpy() @ magnitude, 1e-5))
    np.testing.assert_allclose(mel.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_silence_has_a_finite_gradient() -> None:
    sound = torch.zeros(1, 1, 512, requires_grad=True)
    mel = LogMel(8000, n_mels=10, n_fft=64, hop=16)(sound)
    mel.sum().backward()
    assert sound.grad is not None
    assert bool(sound.grad.isfinite().all())


def test_bands_beyond_half_the_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="mel bands from lowest 0 Hz to highest 8000 Hz: they must lie"):
        mel_filters(8000, 64, 10, 0.0, 8000.0)
