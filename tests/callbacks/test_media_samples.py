"""Samples that are no images, during training."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lightning.callbacks import GenerativeMetrics, InterpolationStrip, MediaSamples, SampleGrid
from gan_lightning.commands.default_callbacks import with_defaults
from gan_lightning.variants import DCGAN, WaveGAN
from gan_lightning.visualization.sounds import wav
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small


def test_a_step_has_a_file_for_each_sample_and_a_picture_of_all(tmp_path: Path) -> None:
    model = small(WaveGAN)
    play(model, 3, tmp_path, batch_size=20, callbacks=[MediaSamples(every_n_steps=2, n=3, seed=5)])
    folder = run_directory(tmp_path) / "samples"
    steps = ["step_00000000", "step_00000002", "step_00000003"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*steps, *(f"{step}.png" for step in steps)])
    assert sorted(path.name for path in (folder / steps[2]).iterdir()) == ["0.wav", "1.wav", "2.wav"]
    expected = wav(model.sample(3, seed=5)[1], model.sample_rate)
    assert (folder / steps[2] / "1.wav").read_bytes() == expected
    assert (folder / steps[0] / "1.wav").read_bytes() != expected
    # Three spectrograms of 256 x 3 pixels in two columns, with gaps of one.
    assert np.asarray(Image.open(folder / f"{steps[2]}.png")).shape == (2 * 257 + 1, 2 * 4 + 1)


def test_writing_leaves_training_as_it_is(tmp_path: Path) -> None:
    play(small(WaveGAN), 2, tmp_path / "plain", batch_size=20)
    play(small(WaveGAN), 2, tmp_path / "written", batch_size=20, callbacks=[MediaSamples(every_n_steps=1, n=2)])
    assert_same_bits(last_state(tmp_path / "plain"), last_state(tmp_path / "written"))


def test_a_medium_has_its_own_callback_in_place_of_those_of_images() -> None:
    trainer = {"callbacks": None, "barebones": False}
    kinds = {type(each) for each in with_defaults("fit", small(WaveGAN), trainer)}
    assert MediaSamples in kinds
    assert not kinds & {SampleGrid, InterpolationStrip}
    kinds = {type(each) for each in with_defaults("fit", small(DCGAN), trainer)}
    assert MediaSamples not in kinds
    assert SampleGrid in kinds


def test_a_callback_of_images_says_so(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="WaveGAN makes sounds and no images: MediaSamples writes them: SampleGrid"):
        play(small(WaveGAN), 1, tmp_path, batch_size=20, callbacks=[SampleGrid()])
    with pytest.warns(UserWarning, match="DCGAN makes images, which SampleGrid"):
        play(small(DCGAN), 1, tmp_path / "images", batch_size=20, callbacks=[MediaSamples()])
    with pytest.raises(ValueError, match="GenerativeMetrics compares images, and WaveGAN makes sounds"):
        play(small(WaveGAN), 1, tmp_path / "metrics", batch_size=20, callbacks=[GenerativeMetrics()])
