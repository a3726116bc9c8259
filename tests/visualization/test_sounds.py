"""Sounds as files, pictures and log entries."""

import io
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_lightning.visualization.media import picture_table
from gan_lightning.visualization.sounds import Sound, spectrogram_picture, wav


def tone(hertz: float, seconds: float = 0.5, rate: int = 8000) -> torch.Tensor:
    return 0.5 * (2 * torch.pi * hertz * torch.arange(int(seconds * rate)) / rate).sin()


def test_a_file_is_what_pythons_own_reader_takes_it_for(tmp_path: Path) -> None:
    sound = torch.tensor([[0.0, 0.5, -0.5, 1.0, -1.0, 7.0, 2**-15]])
    Sound(8000).save(tmp_path / "a.wav", sound)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        samples = np.frombuffer(file.readframes(99), "<i2")
    # Full scale is 32768, which int16 has on one side only; what is louder is clipped.
    assert samples.tolist() == [0, 16384, -16384, 32767, -32768, 32767, 1]
    assert not list(tmp_path.glob("*.partial"))


def test_the_darkest_row_is_the_tones_frequency() -> None:
    picture = spectrogram_picture(tone(1000))
    assert picture.dtype == torch.uint8
    assert tuple(picture.shape) == (1, 256, 4000 // 128 + 1)
    row = int(picture[0].float().mean(1).argmin())
    # Rows are 4000 / 256 Hz high, from the top downwards.
    assert (255 - row) * 4000 / 256 == pytest.approx(1000, abs=4000 / 256)
    assert int(picture[0, row, 15]) < 5
    assert spectrogram_picture(torch.zeros(1, 1000)).min() == 255


def test_pictures_of_different_widths_stand_in_one_table() -> None:
    table = picture_table(Sound(8000), [tone(1000), tone(500, 0.25), tone(250)], columns=2)
    assert table is not None
    assert tuple(table.shape) == (1, 2 * 257 + 1, 2 * 33 + 1)
    # The second is half as wide: the rest of its cell is white.
    assert int(table[0, 1:257, 34 + 17 : 34 + 32].min()) == 255


class Heard:
    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def add_audio(self, *arguments: object) -> None:
        self.calls.append(arguments)


def test_loggers_get_what_they_take() -> None:
    sounds = [tone(1000)[None], 4 * tone(500)[None]]
    board = Heard()
    Sound(8000).log(SimpleNamespace(experiment=board), "sounds", sounds, 7)
    assert [(name, step, rate) for name, _, step, rate in board.calls] == [("sounds/0", 7, 8000), ("sounds/1", 7, 8000)]
    assert tuple(board.calls[0][1].shape) == (1, 4000)
    assert float(board.calls[1][1].abs().max()) == 1
    sent: list[dict] = []
    Sound(8000).log(SimpleNamespace(log_audio=lambda name, audios, **how: sent.append(how)), "sounds", sounds, 7)
    assert sent == [{"step": 7, "sample_rate": [8000, 8000]}]
    Sound(8000).log(SimpleNamespace(), "sounds", sounds, 7)


def test_tensorboard_reads_back_what_was_sent(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(str(tmp_path), name="", version="")
    Sound(8000).log(logger, "sounds", [tone(1000)[None]], 7)
    logger.experiment.flush()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (sound,) = events.Audio("sounds/0")
    with wave.open(io.BytesIO(sound.encoded_audio_string)) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 4000)


def test_without_soundfile_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'gan-lightning\[sound\]'"):
        wav(tone(1000), 8000)
