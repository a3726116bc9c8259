"""MIDI files as notes on a grid of equal steps. Every MIDI file is opened here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".mid", ".midi")
"""What the names of MIDI files end with, in small letters."""
N_PITCHES = 128

_LARGEST_FILE = 1 << 22
_MOST_STEPS = 1 << 16
_DRUMS = 9
"""The channel whose numbers are drums and no pitches, counted from 0."""
_LONG_NUMBER = re.compile(rb"[\x80-\xff]{1024}")
"""Numbers have four bytes at most, all but the last from 0x80 up; mido takes hours to read one of a million bytes."""

Roll = NDArray[np.bool_]


class MidiError(ValueError):
    """A MIDI file cannot be used. The message is the reason, to follow its name."""


@dataclass(frozen=True)
class Notes:
    """The notes of a MIDI file, in ticks, in the order of their ends.

    Attributes:
        ticks_per_beat: Ticks of a quarter note.
        starts: First tick of each note, int64, (N,).
        ends: The tick after its last, (N,).
        pitches: 0 to 127, (N,); 60 is the middle C.
        n_cut: Notes that were cut where the same pitch began again in the same channel.
        n_open: Notes without an end, which last to the end of their track.
    """

    ticks_per_beat: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    pitches: NDArray[np.int64]
    n_cut: int
    n_open: int


def imported_mido() -> Any:
    """The package ``mido``.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import mido
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "MIDI files are read and written with the package mido, which is not installed: pip install "
            "'gan-lightning[music]'."
        ) from error
    return mido


def read_notes(path: Path) -> Notes:
    """Read the notes of a MIDI file in 4/4, or in another measure of four quarters, all tracks together.

    Drums (channel 10) are left out. Time is in ticks, so that the tempo does not matter. A note of velocity 0 ends one.

    Raises:
        MidiError: The file cannot be read, is too large, has no note, or is in another measure.
        ModuleNotFoundError: A package is missing.
    """
    file = _parsed(path)
    if file.type == 2:
        raise MidiError("its tracks have times of their own (type 2)")
    if file.ticks_per_beat <= 0:
        raise MidiError("it counts in frames a second and not in ticks a beat")
    found = _Found()
    for track in file.tracks:
        _follow(track, found)
    if not found.notes:
        raise MidiError("it has no note")
    starts, ends, pitches = np.array(found.notes, np.int64).T
    return Notes(file.ticks_per_beat, starts, ends, pitches, found.n_cut, found.n_open)


def _parsed(path: Path) -> Any:
    mido = imported_mido()
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise MidiError(f"it is larger than {_LARGEST_FILE >> 20} MiB")
        content = path.read_bytes()
        if _LONG_NUMBER.search(content):
            raise MidiError("it holds a number of more than a thousand bytes")
        return mido.MidiFile(file=io.BytesIO(content), clip=True)
    except MidiError:
        raise
    except EOFError as error:
        raise MidiError("it ends too early") from error
    except Exception as error:  # mido raises OSError, ValueError, IndexError, KeySignatureError, ...
        raise MidiError(" ".join(str(error).split()).rstrip(".") or type(error).__name__) from error


class _Found:
    """Notes found so far: (start, end, pitch) each."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, int, int]] = []
        self.n_cut = 0
        self.n_open = 0


def _follow(track: Any, found: _Found) -> None:
    """Add the notes of a track."""
    now = 0
    began: dict[tuple[int, int], int] = {}

    def end(channel: int, pitch: int) -> bool:
        start = began.pop((channel, pitch), None)
        # A note that ends when it begins has no length, and is none.
        if start is not None and now > start:
            found.notes.append((start, now, pitch))
        return start is not None

    for message in track:
        now += message.time
        if message.type == "time_signature" and message.numerator != message.denominator:
            raise MidiError(f"it is in {message.numerator}/{message.denominator}, and bars are of four quarters")
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        was_sounding = end(message.channel, message.note)
        if message.type == "note_on" and message.velocity > 0:
            found.n_cut += was_sounding
            began[message.channel, message.note] = now
    found.n_open += len(began)
    for channel, pitch in [*began]:
        end(channel, pitch)


def to_roll(notes: Notes, steps_per_beat: int) -> Roll:
    """Round notes to a grid: a note has one step at least.

    Args:
        notes: In ticks.
        steps_per_beat: Steps of a quarter note, such as 4 for sixteenths.

    Returns:
        Steps x 128: what sounds in each.

    Raises:
        MidiError: They last too long.
    """
    # In integers: a tick half-way between two steps belongs to the later one.
    first, last = (
        (2 * ticks * steps_per_beat + notes.ticks_per_beat) // (2 * notes.ticks_per_beat)
        for ticks in (notes.starts, notes.ends)
    )
    last = np.maximum(last, first + 1)
    if int(last.max()) > _MOST_STEPS:
        raise MidiError(f"it has more than {_MOST_STEPS} steps")
    roll = np.zeros((int(last.max()), N_PITCHES), np.bool_)
    for start, end, pitch in zip(first.tolist(), last.tolist(), notes.pitches.tolist(), strict=True):
        roll[start:end, pitch] = True
    return roll


def melody_of(roll: Roll) -> Roll:
    """The highest note of each step, T x P, in place of all that sound."""
    highest = roll.shape[1] - 1 - roll[:, ::-1].argmax(axis=1)
    melody = np.zeros_like(roll)
    sounding = np.flatnonzero(roll.any(axis=1))
    melody[sounding, highest[sounding]] = True
    return melody


def midi_bytes(voices: Iterator[Roll] | list[Roll], lowest_pitch: int, steps_per_beat: int, tempo: float) -> bytes:
    """Encode piano rolls as a MIDI file of a track for each voice.

    Neighbouring steps of one pitch are one note: a roll does not say where a note is struck again.

    Args:
        voices: T x P each.
        lowest_pitch: Of the first column.
        steps_per_beat: Steps of a quarter note.
        tempo: Quarter notes a minute.

    Raises:
        ModuleNotFoundError: A package is missing.
    """
    mido = imported_mido()
    ticks_per_beat = 120 * steps_per_beat
    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    for number, roll in enumerate(voices):
        track = mido.MidiTrack()
        if number == 0:
            track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4, time=0))
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo), time=0))
        # Channels 0 to 15 but that of drums.
        channel = (number if number < _DRUMS else number + 1) % 16
        before = 0
        for step, is_start, pitch in _changes(roll):
            now = step * ticks_per_beat // steps_per_beat
            kind = "note_on" if is_start else "note_off"
            track.append(mido.Message(kind, channel=channel, note=lowest_pitch + pitch, velocity=80, time=now - before))
            before = now
        # The end of the last bar, though it may be silent.
        end = len(roll) * ticks_per_beat // steps_per_beat
        track.append(mido.MetaMessage("end_of_track", time=end - before))
        file.tracks.append(track)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _changes(roll: Roll) -> list[tuple[int, bool, int]]:
    """Where notes begin and end: (step, whether it begins, pitch), by step; what ends comes before what begins."""
    silent = np.zeros((1, roll.shape[1]), np.int8)
    change = np.diff(np.concatenate([silent, roll.astype(np.int8), silent]), axis=0)
    return sorted((int(step), bool(change[step, pitch] > 0), int(pitch)) for step, pitch in np.argwhere(change))
