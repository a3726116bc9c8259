"""MIDI files: notes in ticks, what is wrong with a file, and files that another library reads."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from datamodules.components.midi import MidiError, Notes, melody_of, midi_bytes, read_notes, to_roll

mido = pytest.importorskip("mido")
ON, OFF = "note_on", "note_off"


def write(path: Path, *tracks: list[tuple], ticks_per_beat: int = 480, kind: int = 1) -> Path:
    """A file of tracks of messages: (kind, delta, note, velocity[, channel]), or a message of mido's."""
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks_per_beat)
    for events in tracks:
        track = mido.MidiTrack()
        for event in events:
            if isinstance(event, tuple):
                name, delta, note, velocity, *channel = event
                event = mido.Message(name, note=note, velocity=velocity, time=delta, channel=(*channel, 0)[0])
            track.append(event)
        file.tracks.append(track)
    file.save(path)
    return path


def notes_of(path: Path) -> list[tuple[int, int, int]]:
    notes = read_notes(path)
    return sorted(zip(notes.starts.tolist(), notes.ends.tolist(), notes.pitches.tolist(), strict=True))


def test_notes_are_read_in_ticks_of_all_tracks_without_drums(tmp_path: Path) -> None:
    tempo = mido.MetaMessage("set_tempo", tempo=250_000, time=100)
    first = [(ON, 0, 60, 64), tempo, (OFF, 380, 60, 0)]
    second = [(ON, 480, 67, 1, 3), (ON, 240, 67, 0, 3), (ON, 0, 36, 99, 9), (OFF, 480, 36, 0, 9)]
    assert notes_of(write(tmp_path / "a.mid", first, second)) == [(0, 480, 60), (480, 720, 67)]


def test_overlapping_notes_are_cut_and_open_ones_last_to_the_end(tmp_path: Path) -> None:
    end = mido.MetaMessage("end_of_track", time=100)
    track = [(ON, 0, 60, 64), (ON, 10, 60, 64), (OFF, 10, 60, 0), (OFF, 5, 60, 0), (ON, 0, 62, 64), end]
    path = write(tmp_path / "a.mid", track)
    assert notes_of(path) == [(0, 10, 60), (10, 20, 60), (25, 125, 62)]
    notes = read_notes(path)
    assert (notes.n_cut, notes.n_open) == (1, 1)


def test_notes_are_rounded_to_the_grid() -> None:
    """A sixteenth is 120 ticks: 59 is nearest to step 0, 60 to step 1; a grace note has one step."""
    starts, ends = np.array([59, 60, 240]), np.array([300, 300, 241])
    roll = to_roll(Notes(480, starts, ends, np.array([60, 62, 64]), 0, 0), 4)
    assert roll.shape == (3, 128)
    assert [np.flatnonzero(roll[:, pitch]).tolist() for pitch in (60, 62, 64)] == [[0, 1, 2], [1, 2], [2]]
    assert melody_of(roll).argmax(axis=1).tolist() == [60, 62, 64]
    assert not melody_of(np.zeros((2, 128), np.bool_)).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no music", "MThd not found"),
        (b"", "it ends too early"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x64\0\x90\x3c", "it ends too early"),
        (b"MThd\0\0\0\6\0\1\0\1\xe8\x28MTrk\0\0\0\4\0\xff\x2f\0", "frames a second"),
        (b"MThd\0\0\0\6\0\2\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", r"times of their own \(type 2\)"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", "it has no note"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\x0f\0\0" + b"\xff" * 100_000, "a number of more than a thousand bytes"),
        (b"\0" * ((1 << 22) + 1), "larger than 4 MiB"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(MidiError, match=message):
        read_notes(tmp_path / "a.mid")


def test_another_measure_is_refused_and_two_halves_are_four_quarters(tmp_path: Path) -> None:
    def signed(numerator: int, denominator: int) -> Path:
        signature = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
        return write(tmp_path / "a.mid", [signature, (ON, 0, 60, 64), (OFF, 480, 60, 0)])

    assert notes_of(signed(2, 2)) == [(0, 480, 60)]
    with pytest.raises(MidiError, match=r"it is in 3/4, and bars are of four quarters"):
        read_notes(signed(3, 4))


def test_a_file_of_ages_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", [(ON, 0, 60, 64), (OFF, 1 << 27, 60, 0)], ticks_per_beat=96)
    with pytest.raises(MidiError, match="more than 65536 steps"):
        to_roll(read_notes(path), 4)


def test_what_is_written_is_read_again_and_by_pretty_midi() -> None:
    """Held notes, a repeated one after a rest, two voices; at a tempo at which seconds are no round numbers."""
    random = np.random.default_rng(0)
    voices = [np.zeros((32, 40), np.bool_) for _ in range(2)]
    for voice in voices:
        voice[np.arange(32), random.integers(0, 40, 8).repeat(4)] = True
        voice[20:24] = False
    content = midi_bytes(voices, lowest_pitch=40, steps_per_beat=4, tempo=97)
    pretty_midi = pytest.importorskip("pretty_midi")
    file = pretty_midi.PrettyMIDI(io.BytesIO(content))
    for voice, instrument in zip(voices, file.instruments, strict=True):
        roll = np.zeros_like(voice)
        for note in instrument.notes:
            start, end = (round(file.time_to_tick(at) / file.resolution * 4) for at in (note.start, note.end))
            roll[start:end, note.pitch - 40] = True
        assert np.array_equal(roll, voice)
    assert file.get_tempo_changes()[1] == pytest.approx([97], rel=1e-4)
    assert file.time_signature_changes[0].numerator == 4


def test_own_files_come_back(tmp_path: Path) -> None:
    roll = np.zeros((16, 128), np.bool_)
    roll[:3, 60] = roll[4:, 64] = True
    (tmp_path / "a.mid").write_bytes(midi_bytes([roll], 0, 4, 100))
    assert np.array_equal(to_roll(read_notes(tmp_path / "a.mid"), 4), roll)
    assert struct.unpack(">hhh", (tmp_path / "a.mid").read_bytes()[8:14]) == (1, 1, 480)
