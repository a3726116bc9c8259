"""What it takes to change an attribute, by hand."""

import pytest
import torch
from torch import Tensor

from gan_lightning.games.attributes import Attributes

NAMES = ["Black_Hair", "Blond_Hair", "Male", "Young"]
RULES = Attributes(NAMES, [["Black_Hair", "Blond_Hair", "Gray_Hair"]])


def faces() -> Tensor:
    """A young man with black hair, and an old blond woman."""
    return torch.tensor([[1.0, 0, 1, 1], [0, 1, 0, 0]])


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, [[1, 0, 1, 1], [0, 1, 0, 0]]),
        ({"Male": True}, [[1, 0, 1, 1], [0, 1, 1, 0]]),
        ({"Young": False, "Male": True}, [[1, 0, 1, 0], [0, 1, 1, 0]]),
        ({"Blond_Hair": True}, [[0, 1, 1, 1], [0, 1, 0, 0]]),
        ({"Black_Hair": False}, [[0, 0, 1, 1], [0, 1, 0, 0]]),
        ({"Blond_Hair": False, "Black_Hair": True}, [[1, 0, 1, 1], [1, 0, 0, 0]]),
    ],
)
def test_a_wish_switches_off_what_it_excludes(wishes: dict[str, bool], expected: list[list[float]]) -> None:
    labels = faces()
    assert RULES.edited(labels, wishes).tolist() == expected
    assert torch.equal(labels, faces())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Male", [[1, 0, 0, 1], [0, 1, 1, 0]]),
        ("Black_Hair", [[1, 0, 1, 1], [1, 0, 0, 0]]),  # as the authors' code: never bald
        ("Blond_Hair", [[0, 1, 1, 1], [0, 1, 0, 0]]),
    ],
)
def test_flipping_one(name: str, expected: list[list[float]]) -> None:
    labels = faces()
    assert RULES.flipped(labels, name).tolist() == expected
    assert torch.equal(labels, faces())


def test_two_of_a_group_are_refused() -> None:
    with pytest.raises(ValueError, match="Black_Hair and Blond_Hair exclude each other: ask for one of them"):
        RULES.check({"Black_Hair": True, "Male": True, "Blond_Hair": True})
    RULES.check({"Black_Hair": True, "Blond_Hair": False, "Male": True, "Young": True})
