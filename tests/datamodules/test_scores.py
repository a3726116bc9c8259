"""Bars of scores: chords, keys, the bar before, the chorales, folders of MIDI files."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules import ChoralesDataModule, MidiFolderDataModule
from datamodules.components.midi import midi_bytes
from datamodules.components.scores import (
    Bars,
    bars_of,
    chord_named,
    chords_of,
    chroma_of,
    shift_to_c,
    shifted,
    shifted_chords,
)


def chroma(**steps: int) -> np.ndarray:
    names = ["C", "Cis", "D", "Dis", "E", "F", "Fis", "G", "Gis", "A", "Ais", "H"]
    return np.array([[steps.get(name, 0) for name in names]])


@pytest.mark.parametrize(
    ("sounding", "name"),
    [
        (chroma(C=4, E=4, G=4), "C"),
        (chroma(A=4, C=4, E=4), "Am"),
        (chroma(A=2, C=4, E=4, G=4), "C"),
        (chroma(H=3, D=3, Fis=3), "Bm"),
        (chroma(E=5, A=3), "Am"),
        (chroma(Cis=1), "C#"),
    ],
)
def test_the_chord_of_a_bar(sounding: np.ndarray, name: str) -> None:
    chord = torch.from_numpy(chords_of(sounding))[0]
    if name == "Am" and sounding[0, 0] == 0:  # the third is missing: major comes before minor
        name = "A"
    assert chord.tolist() == chord_named(name).tolist()


def test_a_silent_bar_has_no_chord_and_other_names_are_none() -> None:
    assert not chords_of(chroma()).any()
    for name in ("H", "", "Cmaj7"):
        with pytest.raises(ValueError, match=f"'{name}' is no chord: name a root, C, C#"):
            chord_named(name)


def test_chords_move_with_their_bars() -> None:
    rolls = np.zeros((1, 1, 4, 128), np.uint8)
    rolls[..., [57, 60, 64]] = 1  # A minor
    for shift in range(-5, 7):
        moved = torch.from_numpy(chords_of(chroma_of(shifted(rolls, shift))[:, 0]))
        alone = shifted_chords(chord_named("Am")[None], torch.tensor([shift]))
        assert moved.tolist() == alone.tolist()


def test_what_leaves_the_pitches_is_lost_and_comes_in_nowhere_else() -> None:
    rolls = np.zeros((1, 128), np.uint8)
    rolls[0, [0, 127]] = 1
    assert np.flatnonzero(shifted(rolls, 3)).tolist() == [3]
    assert np.flatnonzero(shifted(rolls, -3)).tolist() == [124]
    assert np.array_equal(shifted(rolls, 0), rolls)


def test_the_key_is_the_nearest_of_those_that_fit() -> None:
    d_major = np.bincount([2, 4, 6, 7, 9, 11, 1, 2, 2], minlength=12)
    assert shift_to_c(d_major) == -2
    assert shift_to_c(np.roll(d_major, 4)) == 6  # F sharp major lies a tritone away, up
    assert shift_to_c(np.bincount([0, 2, 4, 5, 7, 9, 11], minlength=12)) == 0
    assert shift_to_c(np.bincount([0, 4, 7], minlength=12)) == 0  # in three keys


def numbered(*lengths: int) -> Bars:
    """Pieces whose bar ``i``, of all, has the pitch 40 + i."""
    bars = np.zeros((sum(lengths), 1, 4, 128), np.uint8)
    for i in range(len(bars)):
        bars[i, ..., 40 + i] = 1
    pieces = np.split(bars, np.cumsum(lengths)[:-1])
    return Bars(pieces, [chords_of(chroma_of(piece)[:, 0]) for piece in pieces], (0, 2))


def test_each_bar_comes_with_the_one_before_in_its_own_piece() -> None:
    source = numbered(2, 0, 3)
    assert len(source) == 10
    batch = source.examples(torch.arange(10))
    pitches = [roll.nonzero()[:, -1].unique().tolist() for roll in batch["bars"]]
    before = [roll.nonzero()[:, -1].unique().tolist() for roll in batch["before"]]
    assert pitches == [[40], [42], [41], [43], [42], [44], [43], [45], [44], [46]]
    assert before == [[], [], [40], [42], [], [], [42], [44], [43], [45]]
    assert batch["bars"].unique().tolist() == [0, 255]
    assert [int(chord[:12].argmax()) for chord in batch["chords"]] == [pitch[0] % 12 for pitch in pitches]
    # The bars that are kept stay as they were.
    assert source.bars.max() == 1
    assert len(Bars([], [])) == 0


def test_an_incomplete_bar_at_the_end_is_left_out() -> None:
    assert bars_of(np.zeros((2, 11, 128), np.uint8), 4).shape == (2, 2, 4, 128)


def write_chorales(root: Path, **splits: Any) -> Path:
    root.mkdir(exist_ok=True)
    (root / "chorales.json").write_text(json.dumps(splits))
    return root


def piece(bars: int, top: int = 72) -> list[list[int]]:
    return [[top, 67, 64, 48]] * (16 * bars)


def test_chorales_by_voice_and_split(tmp_path: Path) -> None:
    root = write_chorales(tmp_path, train=[piece(2), piece(1, -1)], valid=[piece(1)], test=[[[72, 67, 64, -1]] * 20])
    melody = ChoralesDataModule(str(root), batch_size=3)
    assert melody.image_shape == (1, 16, 128)
    assert [len(part) for part in (melody.splits.train, melody.splits.val, melody.splits.test)] == [3, 1, 1]
    (batch,) = melody.train_dataloader()
    assert sorted(batch["bars"].sum(dim=(1, 2, 3)).tolist()) == [0, 16 * 255, 16 * 255]
    # Of all four voices, though one is learned and it rests.
    assert (batch["chords"] == chord_named("C")).all()
    four = ChoralesDataModule(str(root), voices="all", batch_size=1)
    (batch,) = four.val_dataloader()
    assert batch["bars"].shape == (1, 4, 16, 128)
    assert [voice.nonzero()[0, 1].item() for voice in batch["bars"][0]] == [72, 67, 64, 48]
    assert len(ChoralesDataModule(str(root), keys="all").splits.train) == 36
    assert len(ChoralesDataModule(str(root), keys="all").splits.val) == 1


def test_keys_of_chorales(tmp_path: Path) -> None:
    d_major = [[62, 66, 69, 61]] * 16
    root = write_chorales(tmp_path, train=[d_major], valid=[], test=[])
    pitch = {
        keys: int(ChoralesDataModule(str(root), keys=keys).splits.train.bars.nonzero()[3][0])  # type: ignore[arg-type]
        for keys in ("own", "c")
    }
    assert pitch["own"] == 62
    assert (pitch["c"] - 62) % 12 in (10, 3)  # to C, or to F, which has all four as well


def test_batches_resume_in_the_same_order(tmp_path: Path) -> None:
    pieces = [[[60 + i, 50, 45, 40]] * 16 for i in range(12)]
    root = write_chorales(tmp_path, train=pieces, valid=[], test=[])

    def loader() -> Any:
        return ChoralesDataModule(str(root), keys="own", batch_size=2, seed=3).train_dataloader()

    whole = [batch["bars"] for batch in loader()]
    first = loader()
    iterator = iter(first)
    for _ in range(3):
        next(iterator)
    second = loader()
    second.load_state_dict(first.state_dict())
    rest = [batch["bars"] for batch in second]
    assert len(rest) == len(whole) - 3
    assert all(torch.equal(*pair) for pair in zip(rest, whole[3:], strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds a list: it must hold train, valid and test"),
        ("{", "is no JSON file"),
        ('{"train": []}', "has no list of pieces called valid"),
        ('{"train": [[[1, 2]]]}', "piece 0 of train, is no list of steps of four whole numbers"),
        ('{"train": [[[1, 2, 3, 4], [1]]]}', "piece 0 of train, is no list of steps of four whole numbers"),
        ('{"train": [[[1, 2, 3, 128]]]}', "piece 0 of train, has pitches from 1 to 128"),
        ("[" * 100_000, "is no JSON file"),
    ],
)
def test_other_files_than_chorales_are_told(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "chorales.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        ChoralesDataModule(str(tmp_path)).setup()


def test_no_chorales_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no .*chorales\.json: set root to the folder"):
        ChoralesDataModule(str(tmp_path)).setup()


def write_midi(path: Path, *pitches: int) -> None:
    """A bar of each pitch, with a fifth below it."""
    roll = np.zeros((16 * len(pitches), 128), np.bool_)
    for i, pitch in enumerate(pitches):
        roll[16 * i : 16 * i + 16, [pitch, pitch - 7]] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi_bytes([roll], 0, 4, 100))


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, str]:
    pytest.importorskip("mido")
    return {"root": str(tmp_path / "midi"), "cache": str(tmp_path / "cache")}


def test_a_folder_of_midi_files(folder: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(folder["root"])
    for i in range(10):
        write_midi(root / f"{i % 2}" / f"{i}.MID", 60 + i, 70)
    data = MidiFolderDataModule(**folder)
    splits = data.splits
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [16, 2, 2]
    assert splits.train.bars.sum() == 16 * 16  # the melody alone
    assert MidiFolderDataModule(**folder, voices="all").splits.train.bars.sum() == 2 * 16 * 16

    # The second time nothing is read but the cache.
    def fail(*_: Any) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("datamodules.midi_folder.read_notes", fail)
    again = MidiFolderDataModule(**folder).splits.train
    assert np.array_equal(again.bars, splits.train.bars)
    write_midi(root / "new.mid", 60)
    with pytest.raises(AssertionError, match="read again"):
        MidiFolderDataModule(**folder).setup()


def test_folders_of_splits_and_files_that_cannot_be_used(folder: dict[str, str]) -> None:
    root = Path(folder["root"])
    write_midi(root / "train" / "a.mid", 60, 62, 64)
    write_midi(root / "test" / "b.mid", 60)
    (root / "train" / "broken.mid").write_bytes(b"MThd")
    with pytest.warns(UserWarning, match=r"1 of the 3 MIDI files .*broken\.mid \(it ends too early\); they are left"):
        splits = MidiFolderDataModule(**folder).splits
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [3, 0, 1]
    with pytest.raises(ValueError, match=r"broken\.mid \(it ends too early\): repair or remove them"):
        MidiFolderDataModule(**folder, strict=True).setup()
    (root / "train" / "broken.mid").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MidiFolderDataModule(**folder, strict=True).setup()


def test_a_folder_without_midi_files_is_told(folder: dict[str, str]) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no MIDI file \(\.mid, \.midi\)"):
        MidiFolderDataModule(**folder).setup()
    write_midi(Path(folder["root"]) / "a.mid", 60)
    with pytest.raises(ValueError, match="would leave nothing to train on"):
        MidiFolderDataModule(**folder, val_share=0.6, test_share=0.3).setup()


def test_a_damaged_cache_is_made_again(folder: dict[str, str]) -> None:
    for i in range(3):
        write_midi(Path(folder["root"]) / f"{i}.mid", 60 + i)
    bars = MidiFolderDataModule(**folder).splits.train.bars
    (cache,) = Path(folder["cache"]).glob("*.bars")
    cache.write_bytes(cache.read_bytes()[10:])
    assert np.array_equal(MidiFolderDataModule(**folder).splits.train.bars, bars)


def test_the_real_chorales(real_data: Path) -> None:
    if not (real_data / "chorales").is_dir():
        pytest.skip("no folder chorales in GAN_LIGHTNING_TEST_DATA")
    splits = ChoralesDataModule(str(real_data / "chorales"), keys="c").splits
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [3660, 480, 627]
    share = chroma_of(splits.train.bars).sum(axis=(0, 1))
    assert share[[0, 2, 4, 5, 7, 9, 11]].sum() / share.sum() > 0.95


def test_without_room_for_a_cache_bars_are_in_memory(folder: dict[str, str], tmp_path: Path) -> None:
    write_midi(Path(folder["root"]) / "train" / "a.mid", 60, 62)
    bars = MidiFolderDataModule(**folder).splits.train.bars
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match=r"cannot be written \(.*\): they are kept in memory"):
        others = MidiFolderDataModule(root=folder["root"], cache=str(tmp_path / "file")).splits.train.bars
    assert np.array_equal(others, bars)
