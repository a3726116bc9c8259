"""Lines of text as tokens: layouts, bounds, splits, mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules import TextLinesDataModule
from datamodules.components import text_files
from datamodules.components.tokens import TextTokenizer

LINES = [
    f"{size} {colour} {shape}" for size in ("big", "small") for colour in ["red", "green", "blue"] for shape in "abc"
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(LINES))
    return path


def _data(root: Path, **arguments: Any) -> TextLinesDataModule:
    module = TextLinesDataModule(str(root), **{"batch_size": 4, "val_size": 2, "test_size": 2, **arguments})
    module.setup()
    return module


def test_lines_become_rows_of_tokens(file: Path) -> None:
    data = _data(file, max_tokens=5)
    batch = next(iter(data.train_dataloader()))
    assert batch.shape == (4, 5)
    assert batch.dtype == torch.int32
    tokenizer = TextTokenizer(data.tokenizer)
    assert tokenizer.max_tokens == 5
    assert all(text in LINES for text in tokenizer.decode(batch))
    assert bool((batch[:, 3:] == 0).all())  # three words, and the end
    everything = [text for split in ("train", "val", "test") for text in data.lines(split)]  # type: ignore[arg-type]
    assert sorted(everything) == sorted(LINES)


def test_characters_keep_blanks_and_signs(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("Ab, cd!\nÉa b\n")
    data = _data(tmp_path, tokens="characters", max_tokens=8, val_size=0, test_size=0, batch_size=1)
    assert data.lines("train") == ["ab, cd!", "éa b"]


def test_the_split_is_the_same_every_time_and_texts_are_in_one(file: Path, tmp_path: Path) -> None:
    one, other = _data(file, seed=1), _data(file, seed=2)
    assert one.lines("test") == other.lines("test")
    assert not {*one.lines("train")} & {*one.lines("val"), *one.lines("test")}
    # A repeated text would be in two of them.
    (tmp_path / "twice.txt").write_text("\n".join(LINES + LINES))
    again = _data(tmp_path / "twice.txt")
    assert again.lines("train") == one.lines("train")


def test_a_tenth_is_held_out_by_default(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("\n".join(f"line {i % 7} of {i}" for i in range(100)))
    data = TextLinesDataModule(str(tmp_path), tokens="characters")
    assert [len(data.lines(split)) for split in ("train", "val", "test")] == [80, 10, 10]  # type: ignore[arg-type]


def test_the_order_is_a_function_of_seed_and_epoch_and_resumes(file: Path) -> None:
    whole = [*_data(file, seed=3).train_dataloader()]
    first = _data(file, seed=3).train_dataloader()
    batches = iter(first)
    next(batches)
    state = first.state_dict()
    second = _data(file, seed=3).train_dataloader()
    second.load_state_dict(state)
    rest = [*second]
    assert len(rest) == len(whole) - 1
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(rest, whole[1:], strict=True))
    other = next(iter(_data(file, seed=4).train_dataloader()))
    assert not torch.equal(other, whole[0])


def test_too_long_and_too_short_lines_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\none two\none two three\none two three four\n\n  \none  two\n")
    with pytest.warns(UserWarning, match=r"of 4 texts in .*, 1 are longer than max_tokens, 3 and 1 are shorter than"):
        data = _data(tmp_path, max_tokens=3, min_tokens=2, val_size=0, test_size=0, batch_size=1)
    assert data.lines("train") == ["one two", "one two three"]
    assert TextTokenizer(data.tokenizer).n_tokens == 2 + 3  # ``four`` is in no text that is left


def test_rare_words_are_left_out_with_their_texts(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a b\nb a\na a b\na rare b\n")
    with pytest.warns(UserWarning, match="1 have tokens that are not in the vocabulary"):
        data = _data(tmp_path, most_tokens=2, val_size=0, test_size=0, batch_size=1)
    assert data.lines("train") == ["a b", "b a", "a a b"]


def test_a_list_says_which_split_a_text_is_of(tmp_path: Path) -> None:
    rows = [
        {"caption": "a train", "split": "train", "title": "t1"},
        {"caption": ["a test", "another test"], "split": "test", "title": "t2"},
        {"caption": "a dev train", "split": "dev", "title": "t3"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "readme.txt").write_text("not a text\n")
    data = _data(tmp_path, tokens="characters", max_tokens=20, batch_size=1)
    assert data.lines("train") == ["a train"]
    with pytest.warns(UserWarning, match="not in the vocabulary"):  # of test and dev, which training has not
        titles = _data(tmp_path, tokens="characters", text_key="title", batch_size=1)
    assert titles.lines("train") == ["t1"]


def test_files_are_named_after_splits(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    for name, text in {"train.txt": "a b\nb a", "val.txt": "b b", "test/part.txt": "a a"}.items():
        (tmp_path / name).write_text(text)
    data = _data(tmp_path, batch_size=1, val_size=None, test_size=None)
    assert [data.lines(split) for split in ("train", "val", "test")] == [["a b", "b a"], ["b b"], ["a a"]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "caf\xe9\n".encode("latin-1"), r"line 1 of .*a.txt is not UTF-8"),
        ("a.txt", b"plain\n" * 5000 + b"caf\xe9\nplain\n", r"line 5001 of .*a.txt is not UTF-8"),
        ("a.txt", b"\n \n", "there are no texts in"),
        ("a.jsonl", b'{"text": "a"}\n{', "line 2 of .*a.jsonl is no JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 of .*a.jsonl is no JSON"),
        ("a.jsonl", b'["a"]', "is no JSON object"),
        ("a.jsonl", b'{"name": "a"}', "has no text, but name: set text_key"),
        ("a.jsonl", b'{"text": 7}', "text is '7', and must be a text"),
        ("a.csv", b"a", "no .txt and no .jsonl file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        TextLinesDataModule(str(tmp_path))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfab\n")
    assert _data(tmp_path, tokens="characters", batch_size=1, val_size=0, test_size=0).lines("train") == ["ab"]


def test_limits_hold(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "_LARGEST_FILE", 10)
    with pytest.raises(ValueError, match="is larger than 256 MiB"):
        TextLinesDataModule(str(file))
    monkeypatch.undo()
    monkeypatch.setattr(text_files, "_MOST_TEXTS", 10)
    with pytest.raises(ValueError, match="has more than 10 texts"):
        TextLinesDataModule(str(file))


def test_arguments_are_checked(file: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no"):
        TextLinesDataModule(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="max_tokens is 0"):
        TextLinesDataModule(str(file), max_tokens=0)
    with pytest.raises(ValueError, match=r"would leave nothing to train on: .* has 18 texts to split"):
        TextLinesDataModule(str(file), val_size=9, test_size=9)
    with pytest.raises(ValueError, match="no text is left to train on, of 18"):
        TextLinesDataModule(str(file), max_tokens=2)
    with pytest.raises(ValueError, match="larger than the 14 training texts"):
        _data(file, batch_size=15).train_dataloader()
