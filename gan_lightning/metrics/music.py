"""Measures of piano rolls: empty bars, pitch classes, lengths of notes, the scale, the distance of two voices.

Dong, Hsiao, Yang, Yang, *MuseGAN*, AAAI 2018, arXiv 1709.06298, section 6.2. All measures but :func:`empty_bars` leave
out what is silent. A roll is a boolean tensor, B x T x P: bars, steps, pitches.
"""

import math

import torch
from torch import Tensor

from datamodules.components.scores import MAJOR_SCALE

_PUBLISHED_PITCHES = 84
_RADII = (1.0, 1.0, 0.5)


def empty_bars(bars: Tensor) -> float:
    """Share of bars without a note (EB), in [0, 1].

    Args:
        bars: Bool, B x T x P.
    """
    return 1 - _share(bars.flatten(1).any(dim=1))


def chroma(rolls: Tensor, lowest_pitch: int = 0) -> Tensor:
    """Number of steps in which each pitch class sounds, octaves folded.

    Args:
        rolls: Bool, ... x T x P.
        lowest_pitch: MIDI's number of the first column; 0 and all its multiples of 12 are C.

    Returns:
        int64, ... x 12, from C.
    """
    counts = rolls.sum(dim=-2)
    classes = (torch.arange(counts.shape[-1], device=counts.device) + lowest_pitch) % 12
    folded = counts.new_zeros(*counts.shape[:-1], 12)
    return folded.index_add_(-1, classes, counts)


def published_chroma(rolls: Tensor) -> Tensor:
    """What the released code of MuseGAN takes for the chroma: groups of seven neighbouring pitches, not of octaves.

    It views 84 pitches as 12 x 7 where 7 x 12 would fold octaves. The paper's UPC and TD come from this line, so only
    these are comparable with its table.

    Args:
        rolls: Bool, ... x T x 84.

    Returns:
        int64, ... x 12.

    Raises:
        ValueError: There are not 84 pitches.
    """
    if rolls.shape[-1] != _PUBLISHED_PITCHES:
        raise ValueError(
            f"The published measure is of {_PUBLISHED_PITCHES} pitches, C1 to B7, and the rolls have "
            f"{rolls.shape[-1]}: cut them, rolls[..., 24:108]."
        )
    return rolls.sum(dim=-2).unflatten(-1, (12, 7)).sum(dim=-1)


def used_pitch_classes(bars: Tensor, lowest_pitch: int = 0) -> float:
    """Pitch classes that a bar uses (UPC), in the mean over bars with notes, 1 to 12; NaN without such bars."""
    return _mean_used(chroma(bars, lowest_pitch))


def published_pitch_classes(bars: Tensor) -> float:
    """UPC as the released code of MuseGAN counts it, see :func:`published_chroma`; B x T x 84."""
    return _mean_used(published_chroma(bars))


def _mean_used(folded: Tensor) -> float:
    used = (folded > 0).sum(dim=-1)
    return float(used[used > 0].double().mean())


def note_lengths(rolls: Tensor) -> Tensor:
    """Lengths of all notes in steps, int64, (N,): runs of one pitch, which the ends of a roll cut.

    Args:
        rolls: Bool, B x T x P.
    """
    # By pitch, each with a silent step before and after, in one row: B x P x (T + 2)
    padded = torch.nn.functional.pad(rolls.transpose(1, 2).to(torch.int8), (1, 1)).flatten()
    change = padded.diff()
    return (change < 0).nonzero()[:, 0] - (change > 0).nonzero()[:, 0]


def qualified_notes(bars: Tensor, least: int = 3) -> float:
    """Share of notes of ``least`` steps or more (QN), in [0, 1]; NaN without notes.

    The paper counts 3 of the 96 steps of its bars, a thirty-second note; the released code 2.
    """
    return _share(note_lengths(bars) >= least)


def in_scale_share(rolls: Tensor, lowest_pitch: int = 0, root: int = 0) -> float:
    """Share of what sounds, by steps, that lies in the major scale on ``root``, in [0, 1]; NaN without notes."""
    total = chroma(rolls, lowest_pitch).reshape(-1, 12).sum(dim=0).double()
    scale = [(root + degree) % 12 for degree in MAJOR_SCALE]
    return float(total[scale].sum() / total.sum())


def polyphonic_steps(rolls: Tensor, least: int = 2) -> float:
    """Share of steps, of bars with notes, in which ``least`` pitches or more sound (PR), in [0, 1]."""
    sounding = rolls[rolls.flatten(1).any(dim=1)]
    return _share(sounding.sum(dim=-1) >= least)


def tonal_distance(one: Tensor, other: Tensor, beats: int, lowest_pitch: int = 0) -> float:
    """Distance of two voices in tonal space (TD), in the mean over beats in which both sound; NaN without such.

    Harte, Sandler, Gasser, *Detecting Harmonic Change in Musical Audio*, 2006: the chroma of a beat, as shares, is
    projected on the circles of fifths, of minor and of major thirds, of radii 1, 1 and 1/2.

    Args:
        one: Bool, B x T x P.
        other: The same.
        beats: Beats of T steps.
        lowest_pitch: MIDI's number of the first column.
    """
    return _mean_distance(*(chroma(_by_beat(roll, beats), lowest_pitch) for roll in (one, other)))


def published_tonal_distance(one: Tensor, other: Tensor, beats: int) -> float:
    """TD as the released code of MuseGAN computes it, see :func:`published_chroma`; B x T x 84 each."""
    return _mean_distance(*(published_chroma(_by_beat(roll, beats)) for roll in (one, other)))


def _by_beat(roll: Tensor, beats: int) -> Tensor:
    """B x T x P to (B beats) x (T / beats) x P."""
    return roll.unflatten(1, (beats, -1)).flatten(0, 1)


def _mean_distance(one: Tensor, other: Tensor) -> float:
    """Mean distance of chromas, N x 12, that are both not 0."""
    both = (one.sum(dim=1) > 0) & (other.sum(dim=1) > 0)
    points = [
        (each[both].double() / each[both].sum(dim=1, keepdim=True)) @ tonal_matrix().to(each.device).T
        for each in (one, other)
    ]
    return float((points[0] - points[1]).square().sum(dim=1).sqrt().mean())


def tonal_matrix() -> Tensor:
    """Sine and cosine of each pitch class on three circles, float64, 6 x 12."""
    classes = torch.arange(12, dtype=torch.float64)
    rows = []
    # A fifth, a minor third and a major third are neighbours on these circles.
    for radius, angle in zip(_RADII, (7 / 6, 3 / 2, 2 / 3), strict=True):
        rows += [radius * (classes * angle * math.pi).sin(), radius * (classes * angle * math.pi).cos()]
    return torch.stack(rows)


def _share(truths: Tensor) -> float:
    return float(truths.double().mean())


def music_measures(bars: Tensor, lowest_pitch: int = 0, least: int = 2) -> dict[str, float]:
    """Measures of bars of one voice or several, each the mean over the voices; those without a value are left out.

    ``empty_bars``, ``pitch_classes``, ``long_notes`` (of ``least`` steps or more), ``in_scale`` (of C major),
    ``polyphonic_steps``; of several voices ``tonal_distance``, the mean over pairs.

    Args:
        bars: Bool, B x V x T x P, T steps of four beats.
        lowest_pitch: MIDI's number of the first column.
        least: Steps of a long note: 2 sixteenths are an eighth.
    """
    voices = bars.unbind(dim=1)
    pairs = [(one, other) for number, one in enumerate(voices) for other in voices[number + 1 :]]
    values = {
        "empty_bars": [empty_bars(voice) for voice in voices],
        "pitch_classes": [used_pitch_classes(voice, lowest_pitch) for voice in voices],
        "long_notes": [qualified_notes(voice, least) for voice in voices],
        "in_scale": [in_scale_share(voice, lowest_pitch) for voice in voices],
        "polyphonic_steps": [polyphonic_steps(voice) for voice in voices],
        "tonal_distance": [tonal_distance(one, other, 4, lowest_pitch) for one, other in pairs],
    }
    known = {name: [each for each in some if not math.isnan(each)] for name, some in values.items()}
    return {name: sum(some) / len(some) for name, some in known.items() if some}
