"""Does a run that is killed again and again end in the bits of one that was left alone?

    python -m benchmarks kills --n 50

A tiny game saves at every step. It is killed (SIGKILL) after a random time, its start included, of up to a third of
what the whole run takes, every other time at the next save, and continued with `--ckpt_path last`; when it ends before
it is killed, it is compared with the run that was left alone, and another begins. After every kill the checkpoint must
load, and must not be older than the one before. The processes are forked from one that has imported everything and
done nothing, to start sooner.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from gan_lightning.commands import runs
from gan_lightning.inference.checkpoint import read_checkpoint
from tests.helpers.command_line import repeatable_metrics
from tests.helpers.games import assert_same_bits

CHECKPOINT = Path("checkpoints/last.ckpt")
PARTIAL = Path("checkpoints/.last.ckpt.partial")
STATE = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "gan_lightning")


def train(folder: str, steps: int) -> None:
    """The run, continued where there is something to continue, in a process of its own."""
    from gan_lightning.cli import main

    with open(Path(folder).with_suffix(".log"), "a") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    torch.set_num_threads(1)
    arguments = ["--model", "DCGAN", "--model.generator.width", "4", "--model.discriminator.width", "4"]
    arguments += ["--model.n_critic", "2", "--data", "DigitsDataModule", "--trainer.accelerator", "cpu"]
    arguments += ["--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false"]
    arguments += ["--trainer.callbacks+=LastCheckpoint", "--trainer.callbacks.every_n_steps", "1"]
    arguments += ["--trainer.default_root_dir", folder, "--name", "run", "--trainer.max_steps", str(steps)]
    sys.exit(main(["fit", *arguments, "--ckpt_path", "last"]))


class Kills:
    """Runs in a folder, killed at random; raises AssertionError where one is not what it must be.

    Attributes:
        counts: How many kills there were, by where they fell, and how many runs came to their end.
    """

    def __init__(self, folder: Path, steps: int, seed: int) -> None:
        self.folder = folder
        self.steps = steps
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.kills", "gan_lightning.commands.training"])

    def run(self, n: int) -> None:
        """Kill runs `n` times, and let the last one end."""
        self._ends(self._start("warm-up", steps=1))  # Starts the process that has imported everything.
        begin = time.monotonic()
        self._ends(self._start("alone"))
        self._duration = time.monotonic() - begin
        while self.counts["kills"] < n:
            name = f"killed_{self.counts['runs']}"
            while not self._ended(self._start(name), name, again=self.counts["kills"] < n):
                pass
            self._compare(name)
            self.counts["runs"] += 1

    def _start(self, name: str, steps: int | None = None) -> BaseProcess:
        process = self._context.Process(target=train, args=(str(self.folder / name), steps or self.steps))
        process.start()
        return process

    def _ended(self, process: BaseProcess, name: str, again: bool) -> bool:
        """Whether the run came to its end; if not, it was killed."""
        if not again:
            self._ends(process)
            return True
        before = self._step(self._home(name))
        process.join(self.random.uniform(0, self._duration / 3))
        while self.counts["kills"] % 2 and process.is_alive() and not (self._home(name) / PARTIAL).exists():
            pass
        process.kill()
        process.join()
        if process.exitcode == 0:
            return True
        assert process.exitcode == -9, f"the run left with {process.exitcode}: see {self.folder / name}.log"
        partial = self._home(name) / PARTIAL
        after = self._step(self._home(name))
        assert after >= before, f"the checkpoint went from step {before} back to {after}"
        self.counts["kills"] += 1
        where = "while saving" if partial.exists() else "while training" if after > before else "before its first save"
        self.counts[where] += 1
        partial.unlink(missing_ok=True)  # so that the next kill is told from this one
        return False

    def _ends(self, process: BaseProcess) -> None:
        process.join()
        assert process.exitcode == 0, f"the run left with {process.exitcode}: see the logs in {self.folder}"

    def _home(self, name: str) -> Path:
        """The newest run that began to train: one killed before it began leaves its folder behind, empty."""
        home = self.folder / name / "run"
        return runs.newest_run(home) or home / "version_0"

    def _step(self, home: Path) -> int:
        path = home / CHECKPOINT
        return read_checkpoint(path)["global_step"] if path.exists() else 0

    def _compare(self, name: str) -> None:
        mine, theirs = (self._end(home) for home in (self._home(name), self._home("alone")))
        assert_same_bits(mine, theirs)

    def _end(self, home: Path) -> dict[str, Any]:
        checkpoint = read_checkpoint(home / CHECKPOINT)
        assert checkpoint["global_step"] == self.steps
        return {name: checkpoint[name] for name in STATE} | {"metrics": repeatable_metrics(home)}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks kills")
    parser.add_argument("--n", type=int, default=50, help="kills (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="length of a run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    kills = Kills(folder, options.steps, options.seed)
    kills.run(options.n)
    shutil.rmtree(folder)
    counts = kills.counts
    print(f"{counts['kills']} kills: {counts['before its first save']} before a process saved, ", end="")
    print(f"{counts['while training']} while it trained, {counts['while saving']} while it saved;")
    print(f"{counts['runs']} runs of {options.steps} steps came to their end, all in the bits of the one left alone.")
