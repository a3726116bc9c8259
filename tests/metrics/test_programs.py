"""Measures of written programs, against cases worked by hand."""

import pytest

from datamodules.components.screens import random_program, tokens_of
from gan_lightning.metrics.programs import program_measures, token_errors


@pytest.mark.parametrize(
    ("made", "truth", "errors"),
    [([1, 2, 3], [1, 2, 3], 0), ([1, 9, 3], [1, 2, 3], 1), ([1, 2], [1, 2, 3, 4], 2), ([9, 1, 2, 3], [1, 2, 3], 4)],
)
def test_errors_by_place_and_by_length(made: list[int], truth: list[int], errors: int) -> None:
    assert token_errors(made, truth) == token_errors(truth, made) == errors


def test_measures_are_means_over_programs() -> None:
    program = tokens_of(random_program(0, 0))
    cut = program[:-10]
    measures = program_measures([program, cut, []], [program] * 3)
    share = len(cut) / len(program)
    assert measures["token_accuracy"] == pytest.approx((1 + share + 0) / 3)
    assert measures["error"] == pytest.approx((0 + (1 - share) + 1) / 3)
    assert measures["exact"] == measures["valid"] == pytest.approx(1 / 3)
    assert 1 / 3 < measures["bleu_4"] < 2 / 3


def test_a_program_that_is_too_long_is_measured_by_its_own_length() -> None:
    measures = program_measures([[5, 6, 7, 8, 9]], [[5, 6]])
    assert measures["token_accuracy"] == 1
    assert measures["error"] == pytest.approx(3 / 5)
