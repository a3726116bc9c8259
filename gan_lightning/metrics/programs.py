"""Measures of programs that a network has written: against the true ones, token by token."""

from collections.abc import Sequence

from datamodules.components.screens import ProgramError, parse, text_of
from gan_lightning.metrics.text import References, sentence_bleu

Program = Sequence[int]


def token_errors(made: Program, truth: Program) -> int:
    """Places at which two programs differ; those that only one of them has count (Beltramelli, 2017, the code)."""
    differing = sum(one != other for one, other in zip(made, truth, strict=False))
    return differing + abs(len(made) - len(truth))


def program_measures(made: Sequence[Program], truth: Sequence[Program]) -> dict[str, float]:
    """Measures of written programs, without start and end: means over the programs.

    ``token_accuracy``: share of the true tokens that stand at their place. ``error``: :func:`token_errors` as a share
    of the longer program, the published classification error. ``exact``: share of programs without an error.
    ``valid``: share that the language allows. ``bleu_4``: sentence BLEU, against the one true program.

    The programs must have been written freely, each token after those written before: after the true tokens accuracy is
    far higher, and says little.

    Args:
        made: Tokens of each program, at least one.
        truth: Of the true ones, none empty.
    """
    pairs = [*zip(made, truth, strict=True)]
    errors = [token_errors(*pair) for pair in pairs]
    hits = [sum(one == other for one, other in zip(*pair, strict=False)) / len(pair[1]) for pair in pairs]
    bleu = [sentence_bleu(one, References([other], 4))[3] if one else 0.0 for one, other in pairs]
    values = {
        "token_accuracy": hits,
        "error": [error / max(len(one), len(other)) for error, (one, other) in zip(errors, pairs, strict=True)],
        "exact": [float(error == 0) for error in errors],
        "valid": [float(is_valid(one)) for one in made],
        "bleu_4": bleu,
    }
    return {name: sum(of_programs) / len(of_programs) for name, of_programs in values.items()}


def is_valid(tokens: Program) -> bool:
    """Whether the language allows a program."""
    try:
        parse(text_of(tokens))
    except ProgramError:
        return False
    return True
