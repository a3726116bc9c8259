"""The texts of samples: ``--text`` and ``--texts``."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.options import path

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule

_LARGEST_FILE = 1 << 24
_NAMED = 10  # as many unknown words are named


def add_texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text",
        nargs="+",
        metavar="TEXT",
        help="what the samples show, for models of texts such as GAN-CLS: N samples of each text; with `--interpolate` "
        "one text for the whole way, or one for each of its samples (default: texts of the data)",
    )
    parser.add_argument(
        "--texts", type=path, metavar="FILE", help="the same from a file, a text in each line; a grid with captions"
    )


def read_texts(options: argparse.Namespace) -> None:
    """Put the texts of ``--texts`` in the place of ``--text``.

    Raises:
        ValueError: Both are given, or the file cannot be read or holds no text.
    """
    if options.texts is None:
        if options.text is not None and not all(text.strip() for text in options.text):
            raise ValueError("--text: a text is empty.")
        return
    if options.text is not None:
        raise ValueError("--text and --texts both say what the samples show: give one of them.")
    options.text = _lines(options.texts)
    options.grid = options.grid or not options.interpolate


def _lines(file: Path) -> list[str]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"--texts: {file} is larger than 16 MiB: give a file with a text in each line.")
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"--texts: {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"--texts: {file} is no UTF-8 text.") from error
    texts = [" ".join(line.split()) for line in lines if line.strip()]
    if not texts:
        raise ValueError(f"--texts: {file} has no text in it: write one in each line.")
    return texts


def tell_of_texts(model: "AdversarialModule", texts: list[str] | None) -> None:
    """Say which words the model does not know, which texts have none, and how many it cuts."""
    tokenizer = getattr(model, "tokenizer", None)
    if texts is None or tokenizer is None:
        return
    unknown = list(dict.fromkeys(word for text in texts for word in tokenizer.unknown(text)))
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        print(f"Words that were in no training caption: {', '.join(unknown[:_NAMED])}{more}.", file=sys.stderr)
    lengths = tokenizer.lengths(texts)
    if mute := [text for text, length in zip(texts, lengths, strict=True) if not length]:
        print(f"Texts without a word: {', '.join(mute[:_NAMED])}.", file=sys.stderr)
    if n_cut := sum(length > tokenizer.max_tokens for length in lengths):
        print(f"{n_cut} of {len(texts)} texts are cut to {tokenizer.max_tokens} tokens.", file=sys.stderr)
