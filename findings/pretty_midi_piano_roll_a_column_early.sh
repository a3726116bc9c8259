#!/usr/bin/env bash
# pretty_midi 0.2.11.post0: the piano roll of a file on a grid of sixteenths is a column early at 112 of 121 tempi.
#
# `get_piano_roll(fs)` with one column for a sixteenth truncates `seconds * fs`. A file's tempo is a whole number of
# microseconds for a beat, and its times are sums of such: at most tempi a note that stands at column k comes back at
# k - 0.0001, and all are a column early; the first note of a piece, from 0 to 0.9999, has none. At 60, 75, 80, 96, 100, 120,
# 125, 150 and 160 beats a minute it is right, so that a test at pretty_midi's own 120 sees nothing. Even before it is written
# to a file, notes at exact multiples of a sixteenth lie in wrong columns at 74 of these tempi, some of them, for the
# product of a float and its reciprocal is just below a whole number. Bars for MidiNet, MuseGAN and their measures are then of
# notes that begin before the beat, and empty bars and tonal distances change with the tempo that a file states.
# For us: notes are counted in ticks of the file, which are whole numbers, and never in seconds.
#
# Needs: Python 3.11 or newer with pip and venv. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pretty_midi==0.2.11.post0 mido==1.3.3 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
import pretty_midi

STEPS = 64  # sixteenths
true = numpy.zeros((128, STEPS), bool)
true[60 + numpy.arange(STEPS) % 12, numpy.arange(STEPS)] = True


def roll(music, step):
    """128 x STEPS: which pitch sounds in which sixteenth."""
    found = music.get_piano_roll(fs=1 / step)[:, :STEPS] > 0
    return numpy.pad(found, ((0, 0), (0, STEPS - found.shape[1])))


wrong, early, right, wrong_before = 0, 0, [], 0
for tempo in range(60, 181):
    step = 60 / tempo / 4
    music = pretty_midi.PrettyMIDI(initial_tempo=tempo)
    melody = pretty_midi.Instrument(0)
    melody.notes = [pretty_midi.Note(100, 60 + k % 12, k * step, (k + 1) * step) for k in range(STEPS)]
    music.instruments.append(melody)
    wrong_before += not (roll(music, step) == true).all()
    music.write("grid.mid")
    read = roll(pretty_midi.PrettyMIDI("grid.mid"), step)
    wrong += not (read == true).all()
    early += (read[:, : STEPS - 1] == true[:, 1:]).all()
    right += [tempo] if (read == true).all() else []

print(f"a file: {wrong} of 121 tempi are wrong, {early} a column early throughout; right at {right}")
print(f"without a file: {wrong_before} of 121 have wrong columns")
assert (wrong, early, wrong_before) == (112, 112, 74), (wrong, early, wrong_before)
PYTHON
