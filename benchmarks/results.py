"""Do the figures of README.md and docs/results.md still hold? Each row of them is run again, and compared.

    python -m benchmarks results                                   # the rows, with their recorded figures
    python -m benchmarks results quickstart [--seeds 0 1] [--out FOLDER]

A row of results.yaml has commands, figures that are found in what these print, and the values that were recorded, run
by run: other seeds, and other machines, numbers of threads or vector instructions with the same seed, for a run of
thousands of steps is not repeatable beyond one machine. A new value holds if it lies in the recorded range, widened on
both sides by the figure's margin. The exit code is 1 if one does not.
"""

import argparse
import csv
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROGRAMS = {"gan-lightning": "gan_lightning", "benchmarks": "benchmarks"}
"""What a command may begin with, and the module that it is."""


RECORD = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Figure:
    """One number of a row.

    Args:
        name: What it is.
        recorded: Its values, by what was different in the run: its seed, and a machine or a setting.
        margin: How far beyond the recorded range a value still holds.
        find: A regular expression with one group, the number, in what the commands print. Or
        column: a column of the run's metrics.csv, whose last value it is.
        digits: After the point, in the documents.
        unit: Stands after the number there.
    """

    name: str
    recorded: Mapping[str, float]
    margin: float
    find: str | None = None
    column: str | None = None
    digits: int = 1
    unit: str = ""

    def holds(self, value: float) -> bool:
        return min(self.recorded.values()) - self.margin <= value <= max(self.recorded.values()) + self.margin

    def shown(self) -> str:
        """The mean and the range, as the documents show them: `87.0 % (80.5 to 91.5)`."""
        values = self.recorded.values()
        mean, low, high = (
            f"{value:.{self.digits}f}" for value in (sum(values) / len(values), min(values), max(values))
        )
        return f"{mean}{self.unit}" if low == high else f"{mean}{self.unit} ({low} to {high})"


@dataclass(frozen=True)
class Row:
    """What was run, and what came of it.

    Args:
        name: How it is asked for.
        about: What was trained, in a line.
        page: The document that shows the figures.
        commands: Run one after the other, with {seed} and {run}, the run directory, filled in.
        figures: What they come to.
    """

    name: str
    about: str
    page: str
    commands: list[str]
    figures: list[Figure]


def rows() -> dict[str, Row]:
    """The rows of results.yaml, by name."""
    described: dict[str, dict[str, Any]] = yaml.safe_load(RECORD.read_text())["rows"]
    return {
        name: Row(name, figures=[Figure(figure, **of) for figure, of in row.pop("figures").items()], **row)
        for name, row in described.items()
    }


def command_line(command: str, run: Path, seed: int) -> list[str]:
    """A command of a row, for this interpreter; a fit writes into the run directory."""
    program, *words = shlex.split(command.format(seed=seed, run=run))
    if words[0] == "fit":
        *root, name, _ = run.parts
        words += ["--seed_everything", str(seed), "--name", name, "--trainer.default_root_dir", str(Path(*root))]
    return [sys.executable, "-m", PROGRAMS[program], *words]


def carry_out(row: Row, seed: int, out: Path) -> str:
    """Run the commands of a row, and show and return what they print, with the time that they took.

    Raises:
        subprocess.CalledProcessError: One failed.
    """
    printed, begun = "", time.monotonic()
    for command in row.commands:
        words = command_line(command, run_directory(row, seed, out), seed)
        print("$", shlex.join(words[2:]), flush=True)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                printed += line
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words)
    took = f"took {time.monotonic() - begun:.1f} s\n"
    print(took, end="", flush=True)
    return printed + took


def run_directory(row: Row, seed: int, out: Path) -> Path:
    """Where the fit of a row writes, which is its first run there."""
    return out / f"{row.name}-{seed}" / "version_0"


def found(figure: Figure, printed: str, run: Path) -> float:
    """The value of a figure in what the commands printed, or in the run's metrics.csv.

    Raises:
        ValueError: It is in neither.
    """
    if figure.find is not None:
        match = re.search(figure.find, printed)
        if match:
            return float(match[1])
        raise ValueError(f"{figure.name}: what was printed holds nothing like {figure.find}.")
    with (run / "metrics.csv").open(newline="") as lines:
        values = [line[figure.column] for line in csv.DictReader(lines) if line.get(figure.column or "")]
    if values:
        return float(values[-1])
    raise ValueError(f"{figure.name}: {run / 'metrics.csv'} has no value of {figure.column}.")


def verdict(figure: Figure, value: float) -> str:
    low, high = min(figure.recorded.values()), max(figure.recorded.values())
    holds = "holds" if figure.holds(value) else "DOES NOT HOLD"
    margin = f"widened by {figure.margin:g}"
    return f"{holds}: {figure.name} {value:g}, recorded {low:g} to {high:g} in {len(figure.recorded)} runs, {margin}"


def main(arguments: Sequence[str]) -> None:
    known = rows()
    parser = argparse.ArgumentParser(prog="python -m benchmarks results")
    parser.add_argument("row", nargs="?", choices=list(known), metavar="ROW", help="none: list the rows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="a run with each (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/results"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.row is None:
        for row in known.values():
            print(f"{row.name}: {row.about}")
            print(*(f"    {figure.name}: {figure.shown()}" for figure in row.figures), sep="\n")
        return
    row = known[options.row]
    taken = [run for seed in options.seeds if (run := run_directory(row, seed, options.out)).exists()]
    if taken:
        parser.error(f"{taken[0]} is of an earlier run: remove it, or name another folder with --out.")
    verdicts = []
    for seed in options.seeds:
        try:
            printed = carry_out(row, seed, options.out)
            run = run_directory(row, seed, options.out)
            verdicts += [(figure, found(figure, printed, run), seed) for figure in row.figures]
        except (subprocess.CalledProcessError, OSError, ValueError) as error:
            sys.exit(f"{row.name}, seed {seed}: no figure. {error}")
    print(*(f"seed {seed} {verdict(figure, value)}" for figure, value, seed in verdicts), sep="\n")
    if not all(figure.holds(value) for figure, value, _ in verdicts):
        sys.exit(1)
