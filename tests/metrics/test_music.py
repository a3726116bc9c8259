"""Measures of piano rolls, worked by hand, and those of MusPy where it is installed."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.metrics.music import (
    chroma,
    empty_bars,
    in_scale_share,
    music_measures,
    note_lengths,
    polyphonic_steps,
    published_chroma,
    published_pitch_classes,
    published_tonal_distance,
    qualified_notes,
    tonal_distance,
    tonal_matrix,
    used_pitch_classes,
)

C4, D4, E4, G4, CIS4 = 60, 62, 64, 67, 61


def bar(*notes: tuple[int, int, int], steps: int = 8, pitches: int = 128) -> Tensor:
    """A bar of notes, each a pitch, its first step and the one after its last: 1 x T x P."""
    roll = torch.zeros(1, steps, pitches, dtype=torch.bool)
    for pitch, start, end in notes:
        roll[0, start:end, pitch] = True
    return roll


def test_octaves_are_folded_and_the_published_code_folds_neighbours() -> None:
    """C1 and C2, of 84 pitches from C1 up, are one class; the released code takes them for two."""
    octaves = bar((0, 0, 3), (12, 3, 8), pitches=84)
    assert chroma(octaves, lowest_pitch=24).tolist() == [[8, *[0] * 11]]
    assert used_pitch_classes(octaves, 24) == 1
    assert published_chroma(octaves).tolist() == [[3, 5, *[0] * 10]]
    assert published_pitch_classes(octaves) == 2
    # The other way round: seven neighbours are one of its groups.
    cluster = bar(*((pitch, pitch, pitch + 1) for pitch in range(7)), pitches=84)
    assert used_pitch_classes(cluster, 24) == 7
    assert published_pitch_classes(cluster) == 1
    with pytest.raises(ValueError, match=r"of 84 pitches, C1 to B7, and the rolls have 128: cut them"):
        published_chroma(bar())


def test_the_lowest_pitch_says_which_classes_they_are() -> None:
    assert chroma(bar((0, 0, 2), pitches=24), lowest_pitch=53)[0].tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]


def test_bars_by_hand() -> None:
    """A silent bar, and one of three notes of lengths 4, 1 and 3, of which one lies outside C major."""
    bars = torch.cat([bar(), bar((C4, 0, 4), (CIS4, 4, 5), (E4, 5, 8))])
    assert empty_bars(bars) == 0.5
    assert used_pitch_classes(bars) == 3  # the silent bar does not count
    assert sorted(note_lengths(bars).tolist()) == [1, 3, 4]
    assert qualified_notes(bars) == pytest.approx(2 / 3)
    assert qualified_notes(bars, least=4) == pytest.approx(1 / 3)
    assert in_scale_share(bars) == pytest.approx(7 / 8)
    assert in_scale_share(bars, root=1) == pytest.approx(5 / 8)  # C sharp major: all but E
    assert polyphonic_steps(bars) == 0
    assert polyphonic_steps(torch.cat([bar(), bar((C4, 0, 4), (E4, 2, 8))])) == pytest.approx(2 / 8)


def test_notes_end_with_their_bar_and_pitches_are_apart() -> None:
    """A note held over a bar line is two; neighbours in pitch or of two bars do not join."""
    bars = torch.cat([bar((C4, 6, 8), (CIS4, 0, 2)), bar((C4, 0, 3), (CIS4, 3, 8))])
    assert sorted(note_lengths(bars).tolist()) == [2, 2, 3, 5]


def test_silence_has_no_measure_but_that_it_is_empty() -> None:
    silent = bar()[:, None]
    assert empty_bars(silent[:, 0]) == 1
    assert math.isnan(used_pitch_classes(silent[:, 0]))
    assert math.isnan(qualified_notes(silent[:, 0]))
    assert music_measures(silent) == {"empty_bars": 1.0}


def test_tonal_distance_by_hand() -> None:
    """C against G, which are neighbours on the circle of fifths and far apart on those of thirds."""
    assert tonal_distance(bar((C4, 0, 8)), bar((C4 - 12, 0, 8)), beats=4) == 0
    one, other = bar((C4, 0, 8)), bar((G4, 0, 8))
    # Seven semitones are 7 * 210 = 30 degrees on the first circle, 7 * 270 = 90 and 7 * 120 = 120 on the others.
    chords = [2 * radius * math.sin(math.radians(angle) / 2) for radius, angle in ((1, 30), (1, 90), (0.5, 120))]
    assert tonal_distance(one, other, beats=4) == pytest.approx(math.hypot(*chords))
    # The second beat of one is silent: beats in which both sound are one.
    partly = bar((G4, 0, 2))
    assert tonal_distance(one, partly, beats=4) == pytest.approx(math.hypot(*chords))
    assert math.isnan(tonal_distance(one, bar(), beats=4))


def test_published_tonal_distance_calls_octaves_different() -> None:
    low, high = bar((0, 0, 8), pitches=84), bar((12, 0, 8), pitches=84)
    assert tonal_distance(low, high, 4, 24) == 0
    # Groups 0 and 1, a semitone apart in its tonal space: angles 210, 270, 120 degrees.
    chords = [2 * radius * math.sin(math.radians(angle) / 2) for radius, angle in ((1, 210), (1, 270), (0.5, 120))]
    assert published_tonal_distance(low, high, 4) == pytest.approx(math.hypot(*chords))


def test_tonal_matrix_has_the_radii() -> None:
    circles = tonal_matrix().unflatten(0, (3, 2)).square().sum(dim=1).sqrt()
    torch.testing.assert_close(circles, torch.tensor([[1.0], [1.0], [0.5]], dtype=torch.float64).expand(3, 12))


def test_measures_are_means_over_voices_and_pairs() -> None:
    bars = torch.stack([bar((C4, 0, 8)), bar((C4, 0, 1), (CIS4, 1, 2)), bar()], dim=1)
    measures = music_measures(bars)
    assert measures["empty_bars"] == pytest.approx(1 / 3)
    assert measures["pitch_classes"] == pytest.approx(1.5)  # of the two voices that sound
    assert measures["long_notes"] == pytest.approx(0.5)
    assert measures["in_scale"] == pytest.approx(0.75)
    assert measures["tonal_distance"] == pytest.approx(
        tonal_distance(bar((C4, 0, 8)), bar((C4, 0, 1), (CIS4, 1, 2)), 4)
    )


def test_muspy_agrees() -> None:
    """On random notes that do not touch each other in pitch, by the measures that both have."""
    muspy = pytest.importorskip("muspy")
    random = np.random.default_rng(0)
    starts = 4 * random.permutation(64)[:40]  # of 16 bars; some are empty
    notes = [
        muspy.Note(time=int(start), pitch=int(random.integers(24, 108)), duration=int(random.integers(1, 4)))
        for start in sorted(starts)
    ]
    music = muspy.Music(resolution=4, tracks=[muspy.Track(notes=notes)])
    roll = torch.zeros(256, 128, dtype=torch.bool)
    for note in notes:
        roll[note.time : note.end, note.pitch] = True
    bars = roll.unflatten(0, (16, 16))
    assert len(note_lengths(roll[None])) == len(notes)
    assert chroma(roll).count_nonzero() == muspy.n_pitch_classes_used(music)
    assert polyphonic_steps(bars) == muspy.polyphony_rate(music) == 0
    in_scale = [note for note in notes if note.pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
    # It counts notes, not steps.
    assert muspy.pitch_in_scale_rate(music, 0, "major") == pytest.approx(len(in_scale) / len(notes))
    n_bars = -(-music.get_end_time() // 16)
    assert empty_bars(bars[:n_bars]) == pytest.approx(muspy.empty_measure_rate(music, 16))
