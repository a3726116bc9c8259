"""Texts as numbers: a tokenizer of words or of characters, which a checkpoint holds as one JSON text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, UNKNOWN = 0, 1
"""Numbers of what fills up a short text, and of a word that is not in the vocabulary; another tokenizer than ours may
have another number for the second."""
REED_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
"""The characters of Reed et al.'s encoders, in their order, 70 of them; the hyphen is there twice."""

_MOST_TOKENS = 50_000
_MOST_CHARACTERS = 20_000
"""As long a text is read at all: what is cut off later need not be tokenized."""
_LARGEST_FILE = 1 << 26
_SPECIAL = {"[PAD]": PADDING, "[UNK]": UNKNOWN}

Kind = Literal["words", "characters"]


class TextTokenizer:
    """Maps texts to rows of ``max_tokens`` numbers: 0 is padding, ``unknown_token`` an unknown word.

    It is a ``tokenizers.Tokenizer`` (Hugging Face), whose JSON text is all there is to it.

    Args:
        text: That JSON text, as :attr:`json` returns it.
        max_tokens: Length of a row. None: as the JSON text says.

    Raises:
        ValueError: The text is no tokenizer, or none of so many tokens.
    """

    def __init__(self, text: str, max_tokens: int | None = None) -> None:
        try:
            self._tokenizer: Tokenizer = _library().from_str(text)
        except Exception as error:  # The library raises a bare Exception.
            raise ValueError(f"This is no tokenizer of the library tokenizers: {str(error)[:100]}.") from error
        # Of others' tokenizers the padding is another: here 0 is, as in CLIP's own code.
        length = max_tokens or (self._tokenizer.truncation or {}).get("max_length")
        if not length:
            raise ValueError("The tokenizer does not say how long a text may be: give max_tokens.")
        self.max_tokens = int(length)
        self._tokenizer.enable_truncation(self.max_tokens)
        self._tokenizer.no_padding()
        model = json.loads(self._tokenizer.to_str())["model"]
        # One kind of the library has its number, the others its text, or none.
        name = model.get("unk_token")
        self._unknown: int | None = model.get("unk_id") if name is None else self._tokenizer.token_to_id(name)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        max_tokens: int,
        kind: Kind = "words",
        alphabet: str | None = None,
        most_tokens: int | None = None,
    ) -> TextTokenizer:
        """Make a tokenizer of all words, or characters, that occur in texts, the most frequent first.

        Words are runs of letters and digits in any alphabet, in lower case; a Chinese character is a word.

        Args:
            texts: The captions of the training images.
            max_tokens: Length of a row.
            kind: Of the tokens.
            alphabet: The characters, in place of those that occur, such as :data:`REED_ALPHABET`.
            most_tokens: As many of those that occur are kept; None: 50,000.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

        if kind == "words":
            # Chinese characters are set apart, since no space divides words there.
            normalizer: Any = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
            splitter: Any = pre_tokenizers.Split(Regex(r"[^\p{L}\p{M}\p{N}]+"), "removed")
        else:
            normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
            splitter = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        counts: Counter[str] = Counter()
        for text in texts if alphabet is None else ():
            cut = normalizer.normalize_str(_readable(text))
            counts.update(part for part, _ in splitter.pre_tokenize_str(cut))
        # Ties in the order of the words: every process and every run has the same vocabulary.
        known = list(
            alphabet or sorted(counts, key=lambda token: (-counts[token], token))[: most_tokens or _MOST_TOKENS]
        )
        # A character that an alphabet has twice has its last place, as in Reed et al.'s code.
        vocabulary = {token: number for number, token in enumerate(known, len(_SPECIAL))}
        tokenizer = Tokenizer(models.WordLevel({**_SPECIAL, **vocabulary}, unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
        if kind == "characters":
            tokenizer.decoder = decoders.Fuse()
        tokenizer.enable_truncation(max_tokens)
        return cls(tokenizer.to_str())

    @classmethod
    def read(cls, file: Path, max_tokens: int) -> TextTokenizer:
        """Read a ``tokenizer.json``, as of a published text encoder.

        Raises:
            ValueError: It is no such file, or a huge one.
        """
        if not file.is_file():
            raise ValueError(f"tokenizer is {str(file)!r}: there is no such file; give a tokenizer.json.")
        if file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"tokenizer is {str(file)!r}, which is larger than 64 MiB: it is hardly a tokenizer.")
        try:
            return cls(file.read_text(encoding="utf-8"), max_tokens)
        except ValueError as error:  # UnicodeDecodeError is one too.
            raise ValueError(f"tokenizer is {str(file)!r}: {error}") from error

    @property
    def json(self) -> str:
        """All there is to it: give it to the constructor."""
        return str(self._tokenizer.to_str())

    @property
    def n_tokens(self) -> int:
        """Tokens are 0 to ``n_tokens - 1``."""
        # Numbers may have gaps, where an alphabet has a character twice.
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def unknown_token(self) -> int:
        """Number of a word that is not in the vocabulary; 1 where there is none, or such words are left out."""
        return self._unknown or UNKNOWN

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text, before it is cut."""
        encoded = self._tokenizer.encode_batch([_readable(text) for text in texts])
        return [len(one.ids) + sum(len(more.ids) for more in one.overflowing) for one in encoded]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Tokens of N texts, int64, N x ``max_tokens``; a text in which nothing is known is one unknown word.

        Of a tokenizer whose unknown word is padding, as AttnGAN's, unknown words are left out.
        """
        rows = np.full((len(texts), self.max_tokens), PADDING, np.int64)
        rows[:, 0] = self.unknown_token
        for row, one in zip(rows, self._tokenizer.encode_batch([_readable(text) for text in texts]), strict=True):
            ids = one.ids
            if self._unknown == PADDING:  # What comes behind the cut moves up.
                ids = [number for part in (one, *one.overflowing) for number in part.ids if number != PADDING]
            ids = ids[: self.max_tokens]
            row[: len(ids)] = ids
        return torch.from_numpy(rows)

    def decode(self, tokens: Tensor) -> list[str]:
        """Words of N rows of tokens, for captions; an unknown word is ``?``."""
        rows = [[number for number in row if number != PADDING] for row in tokens.tolist()]
        name = None if self._unknown is None else self._tokenizer.id_to_token(self._unknown)
        texts: list[str] = self._tokenizer.decode_batch(rows)
        return texts if name is None else [text.replace(name, "?") for text in texts]

    def unknown(self, text: str) -> list[str]:
        """Words of a text that are not in the vocabulary."""
        one = self._tokenizer.encode(_readable(text))
        places = zip(one.ids, one.offsets, strict=True)
        return [text[first:last] for number, (first, last) in places if number == self._unknown]


def _readable(text: str) -> str:
    """As much of a text as is read. Half a pair of surrogates, which JSON may hold, is no character, but ``?``."""
    return text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode()


def _library() -> type[Tokenizer]:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModuleNotFoundError(
            "Texts are read by the library tokenizers, which is not installed: pip install 'gan-lightning[text]'."
        ) from error
    return Tokenizer
