"""Texts, one a line, or the captions of a list."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from datamodules.base import SplitDataModule, Splits, check_at_least, held_out
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.loading import TensorImages
from datamodules.components.text_files import SPLITS, Texts, read_texts
from datamodules.components.tokens import TextTokenizer


class TextLinesDataModule(SplitDataModule):
    """Texts, one a line, as sequences of tokens.

    ``root`` is a ``.txt`` file of lines; a ``.jsonl`` file, of whose objects a field is the text; or a folder of such
    files. A folder with ``metadata.jsonl`` is read as that file, as Hugging Face's ``imagefolder`` has captions. Files
    in folders ``train``, ``val`` and ``test``, or of these names, are those splits, and so are objects whose field
    ``split`` says so. Where nothing says what is for validation and testing, texts are held out.

    Blank lines and repeated texts are left out, and so are texts of more than ``max_tokens`` tokens or fewer than
    ``min_tokens``, of which a warning tells how many. Files are UTF-8.

    Batches are tokens, int32, N x ``max_tokens``; a text that is shorter is filled up with 0, which ends it.

    Args:
        root: The file or the folder.
        batch_size: Texts in a batch, in each process.
        tokens: words: runs of letters and digits, in lower case. characters: all, in lower case.
        max_tokens: Length of a row; longer texts are left out.
        min_tokens: Texts of fewer tokens are left out.
        most_tokens: Keep so many of the most frequent words or characters; texts with others are left out. None: all
            that are in the texts.
        text_key: Name of the texts in a ``.jsonl`` file. None: text, caption, description or prompt.
        val_size: Texts held out for validation, where nothing says which; None: a tenth, at most 1,000.
        test_size: Texts held out for testing, where nothing says which; None: as many.
        seed: The order of the training texts is a function of this seed and the epoch.

    Attributes:
        tokenizer: JSON text of the tokenizer, made of the training texts.

    Raises:
        FileNotFoundError: There is no file ``root``, or there are no texts in it.
        ValueError: An argument is out of its range, or a file cannot be read.
    """

    examples = "texts"

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        tokens: Literal["words", "characters"] = "words",
        max_tokens: int = 20,
        min_tokens: int = 1,
        most_tokens: int | None = None,
        text_key: str | None = None,
        val_size: int | None = None,
        test_size: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        check_at_least(1, max_tokens=max_tokens, min_tokens=min_tokens)
        check_at_least(0, val_size=val_size or 0, test_size=test_size or 0)
        check_at_least(1, most_tokens=1 if most_tokens is None else most_tokens)
        self.root = Path(root).expanduser().absolute()
        texts = _held_out(read_texts(self.root, text_key), val_size, test_size, str(self.root))
        fitting = self._fitting(texts, TextTokenizer.train((), max_tokens, tokens), min_tokens)
        # Of the training texts alone: what is held out may have words that no generator could know.
        self._tokenizer = TextTokenizer.train(fitting["train"], max_tokens, tokens, most_tokens=most_tokens)
        self.tokenizer = self._tokenizer.json
        self._rows = self._encoded(fitting)

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        return Splits(*(TensorImages(self._rows[name], None) for name in SPLITS))

    def lines(self, split: Literal["train", "val", "test"]) -> list[str]:
        """The texts of a split, as the tokenizer has them."""
        return self._tokenizer.decode(self._rows[split])

    def _fitting(self, texts: Texts, tokenizer: TextTokenizer, least: int) -> Texts:
        """The texts that are neither too long nor too short; tells how many are."""
        lengths = {name: tokenizer.lengths(some) for name, some in texts.items()}
        every = [length for some in lengths.values() for length in some]
        reasons = [
            f"{count} are {what}"
            for count, what in (
                (sum(each > tokenizer.max_tokens for each in every), f"longer than max_tokens, {tokenizer.max_tokens}"),
                (sum(each < least for each in every), f"shorter than min_tokens, {least}"),
            )
            if count
        ]
        fitting = {
            name: [
                text
                for text, length in zip(some, lengths[name], strict=True)
                if least <= length <= tokenizer.max_tokens
            ]
            for name, some in texts.items()
        }
        self._tell(reasons, len(every), len(fitting["train"]))
        return fitting

    def _encoded(self, texts: Texts) -> dict[str, Tensor]:
        """Rows of tokens of each split, without texts that have unknown tokens; tells how many have."""
        rows: dict[str, Tensor] = {}
        for name, some in texts.items():
            encoded = self._tokenizer.encode(some)
            known = (encoded != self._tokenizer.unknown_token).all(1)
            rows[name] = encoded[known].to(torch.int32)
        total = sum(map(len, texts.values()))
        n_unknown = total - sum(map(len, rows.values()))
        reasons = [f"{n_unknown} have tokens that are not in the vocabulary"] if n_unknown else []
        self._tell(reasons, total, len(rows["train"]))
        return rows

    def _tell(self, reasons: list[str], total: int, n_left: int) -> None:
        if not n_left:
            raise ValueError(
                f"TextLinesDataModule: no text is left to train on, of {total} in {self.root}: {', '.join(reasons)}."
            )
        if reasons:
            rank_zero_warn(
                f"TextLinesDataModule: of {total} texts in {self.root}, {' and '.join(reasons)}; they are left out."
            )


def _held_out(found: Texts, val_size: int | None, test_size: int | None, location: str) -> Texts:
    """Texts of each split; of those that nothing says it of, some are held out."""
    free = found[""]
    usual = min(1000, len(free) // 10)
    parts = held_out(
        len(free) if free else 1,
        location,
        "texts",
        val_size=0 if found["val"] or not free else usual if val_size is None else val_size,
        test_size=0 if found["test"] or not free else usual if test_size is None else test_size,
    )
    chosen = [[free[i] for i in part.tolist()] if free else [] for part in parts]
    return {name: found[name] + some for name, some in zip(SPLITS, chosen, strict=True)}
