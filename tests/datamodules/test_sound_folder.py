"""Folders of sounds: every rate, depth and number of channels, against SciPy and against what was written."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.io import wavfile

from datamodules import SoundFolderDataModule
from datamodules.components.sound import Reading, SoundError, read_sound

RATE = 8000


def tone(hertz: float, n: int = 2000, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(n) / rate)


def folder_of(root: Path, lengths: dict[str, int]) -> Path:
    """Files whose samples count upwards from 100 times their number, as int16."""
    for i, (name, length) in enumerate(lengths.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, (100 * (i + 1) + np.arange(length)).astype(np.int16), RATE, subtype="PCM_16")
    return root


def make(root: Path, **arguments: Any) -> SoundFolderDataModule:
    given = {"batch_size": 1, "n_samples": 8, "sample_rate": RATE, "cache": False, "val_size": 0, **arguments}
    return SoundFolderDataModule(str(root), **given)


def epoch_of(data: SoundFolderDataModule, epoch: int = 0) -> list[list[int]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    batches = [batch[0] if isinstance(batch, tuple) else batch for batch in loader]
    return [sound.flatten().tolist() for batch in batches for sound in batch]


@pytest.mark.parametrize(
    ("suffix", "subtype", "precision"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-15),
        ("wav", "PCM_32", 2**-15),
        ("wav", "FLOAT", 2**-15),
        ("wav", "DOUBLE", 2**-15),
        ("flac", "PCM_16", 2**-15),
        ("flac", "PCM_24", 2**-15),
        ("aiff", "PCM_16", 2**-15),
    ],
)
def test_every_depth_is_read_at_its_own_scale(tmp_path: Path, suffix: str, subtype: str, precision: float) -> None:
    file = tmp_path / f"a.{suffix}"
    soundfile.write(file, tone(440), RATE, subtype=subtype)
    read = read_sound(file, Reading(RATE))
    assert read.dtype == np.int16
    np.testing.assert_allclose(read / 32768, tone(440), atol=precision)


def test_a_file_of_another_program(tmp_path: Path) -> None:
    stereo = np.stack([tone(440), np.zeros(2000)], 1).astype(np.float32)
    wavfile.write(tmp_path / "a.wav", RATE, stereo)
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav", Reading(RATE)) / 32768, tone(440) / 2, atol=2**-15)


def test_resampling_keeps_what_fits_and_nothing_else(tmp_path: Path) -> None:
    """A tone below half the new rate stays what it is; one above it does not come back as another."""
    for hertz in (1000, 4100):
        soundfile.write(tmp_path / f"{hertz}.wav", tone(hertz, 44100, 44100), 44100, subtype="FLOAT")
    kept = read_sound(tmp_path / "1000.wav", Reading(RATE)) / 32768
    assert len(kept) == RATE
    np.testing.assert_allclose(kept[500:-500], tone(1000, RATE)[500:-500], atol=1e-4)
    gone = read_sound(tmp_path / "4100.wav", Reading(RATE)) / 32768
    # 80 dB below the tone of 0.5
    assert np.abs(gone[500:-500]).max() < 0.5e-4


def test_silence_is_cut_off_and_loudness_set(tmp_path: Path) -> None:
    sound = np.concatenate([np.full(50, 1e-4), tone(440, 300), np.zeros(70)])
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    assert len(read_sound(tmp_path / "a.wav", Reading(RATE))) == 420
    cut = read_sound(tmp_path / "a.wav", Reading(RATE, trim=0.01, peak=0.95))
    assert 295 <= len(cut) <= 300
    assert np.abs(cut).max() == pytest.approx(0.95 * 32768, abs=1)


def test_crops_and_zeros(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"a.wav": 20, "b.wav": 5})
    assert sorted(epoch_of(make(root))) == [[*range(100, 108)], [*range(200, 205), 0, 0, 0]]
    # Somewhere else in each epoch, and everywhere in many.
    firsts = {min(sound for sound in epoch_of(make(root, crop="random"), e) if sound[0] < 200)[0] for e in range(200)}
    assert firsts == set(range(100, 113))
    pieces = make(root, crop="pieces")
    pieces.setup()
    # Evaluation takes all samples; training moves each crop by up to four.
    assert sorted(sound[0] for sound in pieces.splits.train.sounds(np.arange(4))[:, 0].tolist()) == [100, 108, 112, 200]
    starts = np.array([sorted(sound[0] for sound in epoch_of(pieces, e)) for e in range(200)])
    assert [{*column} for column in starts.T][3] == {200}
    assert {*starts.ravel()} == {*range(100, 113), 200}


def test_an_epoch_is_a_function_of_the_seed_and_resumes(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {f"{i}.wav": 20 + i for i in range(6)})
    data = [make(root, crop="random", seed=seed) for seed in (0, 0, 1)]
    assert epoch_of(data[0], 3) == epoch_of(data[1], 3)
    assert epoch_of(data[0], 3) != epoch_of(data[2], 3)
    assert epoch_of(data[0], 3) != epoch_of(data[0], 4)
    loader = data[0].train_dataloader()
    batches = iter(loader)
    seen = [next(batches).flatten().tolist() for _ in range(2)]
    again = data[1].train_dataloader()
    again.load_state_dict(loader.state_dict())
    assert seen + [batch.flatten().tolist() for batch in again] == epoch_of(data[0], 0)


def test_classes_and_splits(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "a", {f"{kind}/{i}.wav": 8 for kind in ("snare", "kick") for i in range(3)})
    data = make(root, val_size=2)
    data.setup()
    assert data.class_names == ["kick", "snare"]
    assert (len(data.splits.train), len(data.splits.val), len(data.splits.test)) == (4, 2, 0)
    for sounds, labels in data.val_dataloader():
        # The kicks were written after the three snares.
        assert labels.tolist() == [int(sounds[0, 0, 0] < 400)]
    named = folder_of(tmp_path / "b", {"Training/a.wav": 8, "valid/b.wav": 8, "test/c.wav": 8})
    data = make(named)
    data.setup()
    assert data.num_classes is None
    assert [part.sounds(np.array([0]))[0, 0, 0] for part in vars(data.splits).values()] == [100, 200, 300]
    with pytest.raises(ValueError, match="has a folder test but none called train"):
        make(folder_of(tmp_path / "c", {"test/a.wav": 8}))


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"good.wav": 8, "long.wav": 3 * RATE, "cut.wav": 8, "none.wav": 0})
    (root / "text.wav").write_text("no sound")
    (root / "cut.wav").write_bytes((root / "cut.wav").read_bytes()[:30])
    soundfile.write(root / "nan.wav", np.full(8, np.nan), RATE, subtype="FLOAT")
    data = make(root, longest=2.0)
    with pytest.warns(UserWarning, match=r"5 of the 6 sounds in .* cannot be used: .* they are left out") as told:
        data.setup()
    message = str(told[0].message)
    for part in (
        "text.wav (Format not recognised)",
        "long.wav (it is 3 s long, and 2 s are the most)",
        "none.wav (it is empty)",
    ):
        assert part in message
    assert "nan.wav (it holds NaN or infinity)" in message
    assert epoch_of(data) == [[*range(100, 108)]]
    with pytest.raises(ValueError, match="repair or remove them"):
        make(root, longest=2.0, strict=True).setup()
    soundfile.write(root / "still.wav", np.zeros(8), RATE)
    with pytest.raises(SoundError, match="it is silent"):
        read_sound(root / "still.wav", Reading(RATE, trim=0.01))


def test_what_is_too_short_to_be_resampled_is_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"good.wav": 8})
    soundfile.write(root / "short.wav", np.full(1, 0.5), 12 * RATE)
    for peak in (None, 0.95):
        with pytest.warns(
            UserWarning, match=r"1 of the 2 sounds .*short.wav \(it is shorter than a sample of 8000 Hz\)"
        ):
            make(root, peak=peak).setup()


def test_a_message_of_sizes_is_of_sounds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 2 sounds to split"):
        make(folder_of(tmp_path, {"a.wav": 8, "b.wav": 8}), val_size=2).setup()


def test_a_later_run_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_of(tmp_path / "sounds", {f"{i}.wav": 20 for i in range(3)})
    (root / "broken.wav").write_text("no sound")
    arguments: dict[str, Any] = {"cache": str(tmp_path / "cache")}
    with pytest.warns(UserWarning, match="broken.wav"):
        first = epoch_of(make(root, **arguments))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "soundfile", None)
        with pytest.warns(UserWarning, match="broken.wav"):
            assert epoch_of(make(root, **arguments)) == first
    soundfile.write(root / "0.wav", np.full(9, 7, np.int16), RATE)
    with pytest.warns(UserWarning, match="broken.wav"):
        assert [7] * 8 in epoch_of(make(root, **arguments))
    (file,) = (tmp_path / "cache").glob("*.sounds")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.warns(UserWarning, match="broken.wav"):
        assert [7] * 8 in epoch_of(make(root, **arguments))


def test_without_room_for_a_cache_sounds_are_in_memory(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "sounds", {"a.wav": 8})
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match=r"cannot be written \(.*\): they are kept in memory"):
        assert epoch_of(make(root, cache=str(tmp_path / "file"))) == [[*range(100, 108)]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": "middle"}, "^crop is 'middle'"),
        ({"trim": 2.0}, "^trim is 2.0: it must be more than 0 and at most 1"),
        ({"longest": 0.0}, "^longest is 0.0"),
        ({"val_size": -1}, "^val_size is -1"),
    ],
)
def test_arguments_are_checked(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **arguments)
    with pytest.raises(ValueError, match=r"no sounds under .* \(looked for .wav"):
        make(tmp_path).setup()


def test_the_drums(real_folder: Any) -> None:
    data = SoundFolderDataModule(str(real_folder("drums")), cache=False, n_samples=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup()
    assert data.class_names == ["cymbal", "hand", "hihat", "kick", "other", "snare", "tom"]
    assert len(data.splits.train) + len(data.splits.val) == 668
    sounds, labels = next(iter(data.train_dataloader()))
    assert tuple(sounds.shape) == (64, 1, 4096)
    assert sounds.dtype == torch.int16
    assert int(labels.max()) < 7
