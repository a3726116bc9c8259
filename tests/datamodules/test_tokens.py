"""Texts as numbers: vocabularies, cutting, padding, and what is no tokenizer."""

import json

import pytest
import torch

from datamodules.components.tokens import PADDING, REED_ALPHABET, UNKNOWN, TextTokenizer

TEXTS = ["A red apple!", "a GREEN apple", "the red-hot stove, don't touch", "an apple"]


def test_words_are_numbered_by_how_often_they_occur() -> None:
    tokenizer = TextTokenizer.train(TEXTS, max_tokens=4)
    # apple 3, a 2, red 2, and the others in the order of the alphabet.
    assert tokenizer.encode(["apple a red an"]).tolist() == [[2, 3, 4, 5]]
    assert tokenizer.encode(["Apple", "a blue apple", "", "?!", "red " * 9]).tolist() == [
        [2, PADDING, PADDING, PADDING],
        [3, UNKNOWN, 2, PADDING],
        [UNKNOWN, PADDING, PADDING, PADDING],
        [UNKNOWN, PADDING, PADDING, PADDING],
        [4, 4, 4, 4],
    ]
    assert tokenizer.decode(tokenizer.encode(["Red APPLE", "a blue apple"])) == ["red apple", "a ? apple"]
    assert tokenizer.unknown("a blue apple, oh") == ["blue", "oh"]
    assert tokenizer.lengths(["", "a b c d e f"]) == [0, 6]
    # Eleven words and the two special ones.
    assert tokenizer.n_tokens == 13
    assert tokenizer.encode(TEXTS).dtype == torch.int64


def test_the_json_text_is_all_there_is() -> None:
    tokenizer = TextTokenizer.train(TEXTS, max_tokens=4)
    again = TextTokenizer(tokenizer.json)
    assert again.json == tokenizer.json
    assert torch.equal(again.encode(TEXTS), tokenizer.encode(TEXTS))
    assert again.max_tokens == 4
    # The order of the captions does not matter.
    assert TextTokenizer.train(reversed(TEXTS), max_tokens=4).json == tokenizer.json


def test_reeds_characters_have_the_numbers_of_the_authors_code() -> None:
    tokenizer = TextTokenizer.train([], 201, "characters", REED_ALPHABET)
    assert tokenizer.n_tokens == 72
    # Lua counts from 1; a character that is there twice has its last number.
    reed = {character: number for number, character in enumerate(REED_ALPHABET, 1)}
    text = "a bird - with a red (long) beak!"
    assert (tokenizer.encode([text])[0, : len(text)] - 1).tolist() == [reed[character] for character in text]
    assert tokenizer.decode(tokenizer.encode([text])) == [text]
    assert tokenizer.encode(["aé"])[0, :2].tolist() == [2, UNKNOWN]


def test_a_long_text_is_read_in_part() -> None:
    tokenizer = TextTokenizer.train(["word " * 1_000_000], max_tokens=4)
    assert tokenizer.encode(["word " * 1_000_000]).shape == (1, 4)


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"model": {"type": "WordLevel"}}'])
def test_what_is_no_tokenizer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^This is no tokenizer of the library tokenizers: "):
        TextTokenizer(text)


def test_a_tokenizer_without_a_length_asks_for_one() -> None:
    from tokenizers import Tokenizer, models

    other = Tokenizer(models.WordLevel({"a": 1, "<pad>": 0}, unk_token="a")).to_str()
    with pytest.raises(ValueError, match=r"^The tokenizer does not say how long a text may be: give max_tokens"):
        TextTokenizer(other)
    assert TextTokenizer(other, 3).encode(["a"]).tolist() == [[1, 0, 0]]


def test_another_tokenizers_unknown_word() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"<pad>": 0, "red": 1, "apple": 2, "<unk>": 3}
    other = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    other.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = TextTokenizer(other.to_str(), 3)
    assert tokenizer.unknown_token == 3
    assert tokenizer.unknown("red pear") == ["pear"]
    assert tokenizer.encode(["", "red pear"]).tolist() == [[3, 0, 0], [1, 3, 0]]
    assert tokenizer.decode(torch.tensor([[1, 3, 0]])) == ["red ?"]
    # As in AttnGAN's vocabulary, unknown words are left out.
    left_out = Tokenizer(models.WordLevel({"<end>": 0, "red": 1, "apple": 2}, unk_token="<end>"))
    left_out.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = TextTokenizer(left_out.to_str(), 3)
    assert tokenizer.encode(["a red, red apple", "a"]).tolist() == [[1, 1, 2], [1, 0, 0]]
    assert tokenizer.unknown("a red apple") == ["a"]
    # Every text has a number in bytes: none is unknown.
    in_bytes = Tokenizer(models.BPE({"<pad>": 0, "r": 1, "e": 2, "d": 3}, []))
    assert TextTokenizer(in_bytes.to_str(), 3).unknown("red") == []


def test_half_a_pair_of_surrogates_is_no_word() -> None:
    """JSON may hold one, and the library refuses it."""
    text = json.loads('"red \\ud83d heart"')
    tokenizer = TextTokenizer.train([text], 4)
    assert tokenizer.encode([text]).tolist() == tokenizer.encode(["red heart"]).tolist()
    assert tokenizer.lengths([text]) == [2]
    assert tokenizer.unknown(text) == []
