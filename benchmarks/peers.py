"""`gan-lightning fit` against the training programs of other projects, as their authors wrote them.

    python -m benchmarks peers --peers DIR --data-dir DATA [WORKLOAD ...]

DIR holds the user's own checkouts of pytorch-CycleGAN-and-pix2pix, PyTorch-GAN, mimicry, stylegan2-pytorch and
AttnGAN, DATA the folders `facades`, `monet2photo`, `cifar10/train/<class>/*`, `flickr8k` and `MNIST/raw`. Both sides
train the same networks with the same optimisers on the same files, in batches of the same size, and decode them in the
training process. A process each stays warm, and they take turns of some steps; a step is one update of the generator.
Printed are the medians over the rounds of a step's seconds of CPU and seconds, the largest resident set of the
process, and ratios peer / ours of the same round: above 1 we are faster.

One core, with the instructions of a processor that has AVX2 and no more:

    OMP_NUM_THREADS=1 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.contestants.turns import Program, Round, contestants
from benchmarks.contestants.workloads import WORKLOADS

ISA = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")


def compare(
    programs: dict[str, Program], rounds: int, steps: int, warm_up: int, same_updates: bool = True
) -> dict[str, list[Round]]:
    """What the turns of each program cost, round by round.

    Raises:
        ValueError: The programs do not move equally many weights equally often in a step.
    """
    costs: dict[str, list[Round]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as folder, contestants(programs, warm_up, Path(folder)) as taking_part:
        for number in range(rounds):
            # Every other round the other way round, so that none always follows the same one.
            for name in list(programs)[:: -1 if number % 2 else 1]:
                costs[name].append(taking_part[name].turn(steps))
    check_same(costs, same_updates)
    return costs


def check_same(costs: dict[str, list[Round]], same_updates: bool = True) -> None:
    """Refuse programs that train networks of other sizes; a bias more or less is let pass, and printed.

    Raises:
        ValueError: Numbers of weights differ by more than a hundred thousandth, or updates in a step at all.
    """
    peer, *others = [sorted(rounds[0].updates.items()) for rounds in costs.values()]
    for name, other in zip(list(costs)[1:], others, strict=True):
        same = len(peer) == len(other) and all(
            abs(a - b) <= 1e-5 * a and (n == m or not same_updates) for (a, n), (b, m) in zip(peer, other, strict=True)
        )
        if not same:
            raise ValueError(f"weights and their updates in a step: the peer has {peer}, {name} has {other}.")


def ratios(costs: dict[str, list[Round]], name: str, of: Callable[[Round], float]) -> str:
    """Median of the rounds' ratios peer / ours, with the lowest and the highest."""
    each = [of(peer) / of(ours) for peer, ours in zip(costs["peer"], costs[name], strict=True)]
    return f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def table(workload: str, costs: dict[str, list[Round]]) -> str:
    """Markdown."""
    rows = [f"| {workload} | CPU s | s | MiB | CPU, peer / ours | time, peer / ours | memory, ours / peer |"]
    rows.append("|---" * 7 + "|")
    for name, rounds in costs.items():
        medians = [median(one.cpu for one in rounds), median(one.wall for one in rounds)]
        memory = rounds[-1].memory
        against = ["1", "1"]
        if name != "peer":
            against = [ratios(costs, name, lambda one: one.cpu), ratios(costs, name, lambda one: one.wall)]
        cells = [name, *(f"{seconds:.3f}" for seconds in medians), f"{memory:.0f}", *against]
        rows.append(f"| {' | '.join(cells)} | {memory / costs['peer'][-1].memory:.2f} |")
    moved = [
        f"{name} {' and '.join(f'{weights:,} x {n:g}' for weights, n in rounds[0].updates.items())}"
        for name, rounds in costs.items()
    ]
    return "\n".join([*rows, "", f"Weights and their updates in a step: {', '.join(moved)}."])


def machine() -> str:
    """The processor, its cores, and the instructions that torch and oneDNN use, which environment variables limit."""
    info = Path("/proc/cpuinfo").read_text()
    model = info.split("model name")[1].split(":")[1].splitlines()[0].strip()
    # oneDNN says which instructions it takes when it is first used, which torch does for convolutions of some size.
    convolution = "import torch; torch.nn.Conv2d(32, 32, 3)(torch.zeros(16, 32, 32, 32))"
    verbose = {**os.environ, "ONEDNN_VERBOSE": "1"}
    said = subprocess.run([sys.executable, "-c", convolution], env=verbose, capture_output=True, text=True).stdout
    onednn = said.partition("isa:")[2].splitlines()[:1] or ["unknown instructions"]
    limits = "".join(f"; {name}={os.environ[name]}" for name in ISA if name in os.environ)
    return (
        f"{model}, {torch.get_num_threads()} of {os.cpu_count()} cores, torch {torch.__version__} with "
        f"{torch.backends.cpu.get_cpu_capability()}, oneDNN with {onednn[0]}{limits}"
    )


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark and print a table for each workload."""
    parser = argparse.ArgumentParser("python -m benchmarks peers")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"any of {', '.join(map(repr, WORKLOADS))}")
    parser.add_argument("--peers", type=Path, required=True, metavar="DIR", help="folder of the peers' checkouts")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="folder of the data sets")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, help="in a turn of each contestant")
    parser.add_argument("--warm-up", type=int, default=3, help="steps of each contestant before the first round")
    parser.add_argument("--only", nargs="+", metavar="OURS", default=["fit"], help="such as 'fit' 'fit --fast'")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.workloads if name not in WORKLOADS]:
        parser.error(f"there is no workload {unknown[0]!r}: choose from {', '.join(map(repr, WORKLOADS))}")
    if unknown := [name for name in options.only if name.split()[:1] != ["fit"]]:
        parser.error(f"--only has {unknown[0]!r}: give 'fit', with options of its own if it has any.")
    folders = options.peers.resolve(), options.data_dir.resolve()
    try:
        works = {name: WORKLOADS[name].programs(*folders, options.only) for name in options.workloads or WORKLOADS}
    except FileNotFoundError as missing:
        parser.error(str(missing))
    print(machine(), flush=True)
    for name, taking_part in works.items():
        steps = options.steps or WORKLOADS[name].steps
        costs = compare(taking_part, options.rounds, steps, options.warm_up, WORKLOADS[name].same_updates)
        print(f"\n{table(name, costs)}", flush=True)
