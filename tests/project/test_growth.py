"""The benchmark of growth: the law that it prints, and each measurement end to end at tiny sizes."""

import math
from pathlib import Path

import pytest

from benchmarks import growth


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_power_is_found_and_what_is_off_it(power: float) -> None:
    sizes = [1, 10, 100, 1000]
    found, off = growth.law(sizes, [3 * size**power for size in sizes])
    assert found == pytest.approx(power, abs=1e-9)
    assert off == pytest.approx(1)
    # One point of three doubled: least squares shifts all by a third of it and leaves two thirds there.
    found, off = growth.law([1, 10, 100], [1, 2, 1])
    assert found == pytest.approx(0, abs=1e-9)
    assert off == pytest.approx(math.exp(2 / 3 * math.log(2)))


@pytest.mark.parametrize(("name", "size"), [("batch", 2), ("resolution", 16), ("processes", 1), ("files", 30)])
def test_every_measurement_works(name: str, size: int, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    assert growth.MEASURED[name][2](tmp_path / "own", size) > 0


def test_memory_is_watched(tmp_path: Path) -> None:
    rows = growth.of_steps(tmp_path, 16)
    assert [len(row) for row in rows] == [3] * 4
    assert all(value >= 1 for row in rows for value in row)


def test_the_command_prints_a_table_and_a_law(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["log", "--rounds", "1", "--sizes", "50", "100"])
    heading, _, first, second, _, law = capsys.readouterr().out.strip().splitlines()
    assert heading.startswith("| log | ms of CPU to the first row |")
    assert first.startswith("| 50 |")
    assert second.startswith("| 100 |")
    assert law.startswith("It grows as log ** ")
