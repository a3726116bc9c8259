"""The benchmark of growth: the law that it prints, and each measurement end to end at tiny sizes."""

import math
import os
import pickle
from functools import partial
from multiprocessing import get_context
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


@pytest.mark.parametrize(("name", "size"), [("batch", 2), ("resolution", 16), ("files", 30)])
def test_every_measurement_works(name: str, size: int, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    assert growth.MEASURED[name][2](tmp_path / "own", size) > 0


@pytest.mark.parametrize("size", [1, 2])
def test_processes_are_measured_in_images_a_second(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer and smaller images than those of the benchmark, which take seconds."""
    measure, taken = growth.step_seconds, []

    def small(folder: Path, batch_size: int, side: int, steps: int, *options: str) -> tuple[float, float]:
        assert (batch_size, side) == (64, 32)
        taken.append(measure(folder, 2, 16, 2, *options))
        return taken[-1]

    monkeypatch.setattr(growth, "step_seconds", small)
    assert growth.of_processes(tmp_path, size) == size * 64 / taken[0][1]


def test_memory_is_watched(tmp_path: Path) -> None:
    rows = growth.of_steps(tmp_path, 16)
    assert [len(row) for row in rows] == [3] * 4
    assert all(value >= 1 for row in rows for value in row)


@pytest.fixture
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import everything again, as those do that are spawned."""
    monkeypatch.setattr(growth, "get_context", {"spawn": get_context("fork")}.__getitem__)


def _process(folder: Path, size: int) -> tuple[int, int]:
    return os.getpid(), size


@pytest.mark.usefixtures("_forked")
def test_a_point_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    processes = [growth.alone(_process, str(tmp_path), size) for size in (1, 2)]
    assert [size for _, size in processes] == [1, 2]
    assert len({os.getpid(), *(process for process, _ in processes)}) == 3
    for _, _, measure, _ in growth.MEASURED.values():  # what is spawned is pickled
        assert (
            pickle.loads(pickle.dumps(partial(growth._in_its_process, measure=measure))).keywords["measure"] is measure
        )


@pytest.mark.usefixtures("_forked")
def test_the_command_prints_a_table_and_a_law(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["log", "--rounds", "1", "--sizes", "50", "100"])
    heading, _, first, second, _, law = capsys.readouterr().out.strip().splitlines()
    assert heading.startswith("| log | ms of CPU to the first row |")
    assert first.startswith("| 50 |")
    assert second.startswith("| 100 |")
    assert law.startswith("It grows as log ** ")
