"""Real processes, really killed, through the command line: what they leave can be continued in the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_lightning.trainer.atomic_checkpoint import AtomicCheckpointIO
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import repeatable_metrics
from tests.helpers.games import assert_same_bits, last_state, play, small
from tests.helpers.processes import PATIENCE, open_gate, wait_until

ROOT = Path(__file__).parents[2]
STEPS = 72


def fit(folder: Path, until: int | None = None) -> "subprocess.Popen[bytes]":
    """The quickstart, shortened, saving every third step; continued if there is something to continue.

    It waits before the step number ``until``.
    """
    command = [sys.executable, "-m", "gan_lightning", "fit", "--config", "configs/quickstart.yaml"]
    command += ["--trainer.default_root_dir", str(folder), "--trainer.max_steps", str(STEPS), "--ckpt_path", "last"]
    command += ["--trainer.log_every_n_steps", "1", "--model.n_critic", "2", "--model.accumulate", "2"]
    command += ["--trainer.val_check_interval", "30"]  # in reach of what watches the FID
    command += ["--trainer.callbacks+=LastCheckpoint", "--trainer.callbacks.every_n_steps", "3"]
    command += ["--trainer.callbacks+=tests.helpers.processes.Gate", "--trainer.callbacks.file", str(folder / "gate")]
    folder.mkdir(exist_ok=True)
    open_gate(folder / "gate", STEPS if until is None else until)
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def logged_steps(folder: Path) -> int:
    path = folder / "quickstart" / "version_0" / "metrics.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def checkpoint(folder: Path) -> dict[str, object]:
    return torch.load(folder / "quickstart" / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)


def kill_after(folder: Path, step: int, signum: int, delay: float) -> None:
    process = fit(folder, until=step + 15)
    wait_until(lambda: logged_steps(folder) >= step, process)
    time.sleep(delay)
    process.send_signal(signum)
    open_gate(folder / "gate", STEPS)  # one that is asked to stop ends its step first
    process.wait(PATIENCE)
    assert process.returncode == (-signum if signum == signal.SIGKILL else 128 + signum)


@pytest.mark.slow
def test_killed_runs_end_in_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    undisturbed = fit(straight)
    random.seed(0)
    kill_after(broken, 4, signal.SIGKILL, random.uniform(0, 0.1))
    kill_after(broken, 20, signal.SIGTERM, random.uniform(0, 0.1))
    assert checkpoint(broken)["global_step"] == logged_steps(broken), "SIGTERM did not save the step it stopped at"
    kill_after(broken, logged_steps(broken) + 5, signal.SIGKILL, random.uniform(0, 0.1))
    assert fit(broken).wait(PATIENCE) == 0
    assert undisturbed.wait(PATIENCE) == 0

    names = ("state_dict", "optimizer_states", "global_step", "epoch", "gan_lightning")
    mine, theirs = checkpoint(broken), checkpoint(straight)
    assert theirs["global_step"] == STEPS
    assert_same_bits({name: mine[name] for name in names}, {name: theirs[name] for name in names})
    assert repeatable_metrics(broken / "quickstart/version_0") == repeatable_metrics(straight / "quickstart/version_0")
    assert not (broken / "quickstart" / "version_1").exists()


SAVER = """
import sys, torch
from gan_lightning.trainer.atomic_checkpoint import AtomicCheckpointIO
io, number = AtomicCheckpointIO(), int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    io.save_checkpoint({"number": number, "weights": torch.full((2_000_000,), float(number))}, sys.argv[1])
"""


def test_a_kill_while_saving_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"number": 0, "weights": torch.zeros(2_000_000)}, path)
    random.seed(1)
    process = subprocess.Popen([sys.executable, "-c", SAVER, str(path), "0"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for _ in range(20):  # stopped in its tracks twenty times: what a kill there would leave
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGSTOP)
        whole = torch.load(path, weights_only=True)
        assert torch.equal(whole["weights"], torch.full((2_000_000,), float(whole["number"])))
        process.send_signal(signal.SIGCONT)
    wait_until(lambda: torch.load(path, weights_only=True)["number"] > 0, process)
    process.kill()
    process.wait()
    whole = torch.load(path, weights_only=True)
    assert torch.equal(whole["weights"], torch.full((2_000_000,), float(whole["number"])))
    AtomicCheckpointIO().save_checkpoint({"number": -1}, path)
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"], "a partial file was left behind"


def test_the_disk_has_the_file_before_it_takes_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *arguments, n=name, o=original: (calls.append(n), o(*arguments))[1])
    AtomicCheckpointIO().save_checkpoint({"number": 1}, tmp_path / "last.ckpt")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"number": 1}, path)

    def full_disk(checkpoint: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint({"number": 2}, path)
    assert torch.load(path, weights_only=True) == {"number": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_a_resumed_run_ends_in_the_same_bits_in_any_precision(tmp_path: Path, precision: Any) -> None:
    options: dict[str, Any] = {"precision": precision, "limit_val_batches": 0}
    play(small(DCGAN), 4, tmp_path / "straight", **options)
    play(small(DCGAN), 4, tmp_path / "broken", crash_at=2, **options)
    play(small(DCGAN), 4, tmp_path / "broken", resume=True, **options)
    assert_same_bits(last_state(tmp_path / "straight"), last_state(tmp_path / "broken"))
