"""Several processes that no parent tells anything: of torchrun's agents and of a Slurm job. All are real, but Slurm."""

import atexit
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch import Callback, Trainer

from gan_lightning.commands.run_summary import RunRecord
from gan_lightning.games.base import AdversarialModule
from gan_lightning.trainer.slurm import SlurmJob
from tests.helpers.command_line import repeatable_metrics
from tests.helpers.games import assert_same_bits
from tests.helpers.processes import PATIENCE, open_gate, wait_until

ROOT = Path(__file__).parents[2]
QUICKSTART = ["--config", "configs/quickstart.yaml", "--data.batch_size", "40", "--trainer.log_every_n_steps", "1"]
BATCHES = 1597 // 2 // 40  # of each of two processes in an epoch


class Witness(Callback):
    """Writes what a process saw: every image, the weights that it ended with, and whether it left its group."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        atexit.register(self._look_back)  # The last to be registered is the first to be called.
        self.images: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.images += [images for images, _ in batch]

    def on_fit_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:  # when both have agreed
        told = {"images": torch.cat(self.images), "state": pl_module.state_dict(), "seed": pl_module.seed}
        told["world_size"] = trainer.world_size
        torch.save(told, self.folder / f"rank_{trainer.global_rank}_to_{trainer.global_step}.pt")

    def _look_back(self) -> None:
        if torch.distributed.is_initialized():
            (self.folder / f"still_in_the_group_{os.getpid()}").touch()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def two_nodes(folder: Path, steps: int, *arguments: str) -> str:
    """Train on two nodes of one process each; what the first one said."""
    port, agents = free_port(), []
    for node in range(2):
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node_rank", str(node)]
        command += ["--nproc_per_node", "1", "--master_addr", "127.0.0.1", "--master_port", str(port)]
        command += ["-m", "gan_lightning", "fit", *QUICKSTART, "--trainer.num_nodes", "2", "--trainer.devices", "1"]
        command += ["--trainer.default_root_dir", str(folder / "runs"), "--trainer.max_steps", str(steps)]
        command += [
            "--trainer.callbacks+=tests.trainer.test_clusters.Witness",
            "--trainer.callbacks.folder",
            str(folder),
        ]
        agents.append(subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True))
    said = [agent.communicate(timeout=PATIENCE)[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0]
    assert not [*folder.glob("still_in_the_group_*")], "a process may abort when all its work is done"
    assert said[1] == "", "only the first process has anything to say"
    return said[0]


def witnessed(folder: Path, steps: int) -> list[dict[str, Any]]:
    return [torch.load(folder / f"rank_{rank}_to_{steps}.pt") for rank in range(2)]


def state_of(run: Path) -> dict[str, Any]:
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: checkpoint[name] for name in ("state_dict", "optimizer_states", "global_step", "gan_lightning")}


@pytest.mark.slow
def test_two_nodes_make_one_run_and_continue_it(tmp_path: Path) -> None:
    two_nodes(tmp_path, BATCHES, "--seed_everything", "false")  # each process has a seed of its own
    home = tmp_path / "runs" / "quickstart"
    assert [path.name for path in home.iterdir()] == ["version_0"]
    ranks = witnessed(tmp_path, BATCHES)
    assert [rank["world_size"] for rank in ranks] == [2, 2]
    assert ranks[0]["seed"] == ranks[1]["seed"]
    images = torch.cat([rank["images"] for rank in ranks])
    assert len(images) == 2 * BATCHES * 40
    # The digits themselves have a few twins.
    assert len(torch.unique(images.flatten(1), dim=0)) > 0.99 * len(images)
    assert_same_bits(ranks[0]["state"], ranks[1]["state"])

    said = two_nodes(tmp_path, BATCHES + 3, "--ckpt_path", "last")
    assert said.count(f"Continuing {home / 'version_0'}.") == 1
    assert [path.name for path in home.iterdir()] == ["version_0"]
    assert state_of(home / "version_0")["global_step"] == BATCHES + 3
    ranks = witnessed(tmp_path, BATCHES + 3)
    assert [len(rank["images"]) for rank in ranks] == [3 * 40, 3 * 40]
    assert_same_bits(ranks[0]["state"], ranks[1]["state"])
    assert len((home / "version_0" / "metrics.csv").read_text().splitlines()) == 1 + BATCHES + 3


TOOLS = {
    # Stands for Slurm: starts the tasks, one of which is slow, and writes down who they are.
    "srun": """
shift  # its own option
echo "${SRUN_CPUS_PER_TASK:-none}" > "$FAKE/cpus_per_task"
for ((task = 0; task < SLURM_NTASKS; task++)); do
    SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_NODEID=0 "$@" &
    echo $! > "$FAKE/task_$task"
done
status=0
for task in $(jobs -p); do wait "$task" || status=$?; done
exit $status
""",
    "scontrol": 'echo "$@" >> "$FAKE/scontrol_$SLURM_JOB_ID"; exit "${SCONTROL_EXIT:-0}"',
    "gan-lightning": f'exec "{sys.executable}" -m gan_lightning "$@"',
}


class Job:
    """A job of two tasks, in a Slurm that is not there."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number
        self.run = folder / "runs" / f"gan_{number}" / "version_0"
        for name, script in TOOLS.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}")
            (folder / name).chmod(0o755)

    def submit(self, steps: int, until: int | None = None) -> "subprocess.Popen[str]":
        numbers = {"JOB_ID": self.number, "NTASKS": 2, "NTASKS_PER_NODE": 2, "NNODES": 1, "JOB_NUM_NODES": 1}
        numbers["CPUS_PER_TASK"] = 8
        slurm = {f"SLURM_{name}": str(value) for name, value in {**numbers, "JOB_NAME": "gan"}.items()}
        path = f"{self.folder}:{os.environ['PATH']}"
        arguments = [*QUICKSTART, "--trainer.max_steps", str(steps), "--trainer.val_check_interval", "7"]
        arguments += ["--trainer.default_root_dir", str(self.folder / "runs"), "--trainer.precision", "32-true"]
        gate = self.folder / "gate"
        arguments += ["--trainer.callbacks+=tests.helpers.processes.Gate", "--trainer.callbacks.file", str(gate)]
        open_gate(gate, sys.maxsize if until is None else until)
        return subprocess.Popen(
            ["bash", "configs/trainer/slurm.sbatch", *arguments],
            env={**os.environ, **slurm, "PATH": path, "FAKE": str(self.folder), "MASTER_PORT": str(free_port())},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, step: int) -> None:
        metrics = self.run / "metrics.csv"
        wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) > step)

    def tell(self, task: int, number: int) -> None:
        os.kill(int((self.folder / f"task_{task}").read_text()), number)
        open_gate(self.folder / "gate", sys.maxsize)  # the step that is under way ends first

    def asked_of_slurm(self) -> str:
        asked = self.folder / f"scontrol_{self.number}"
        return asked.read_text() if asked.exists() else ""


@pytest.fixture
def jobs(tmp_path: Path) -> Any:
    started: list[subprocess.Popen[str]] = []

    def submit(job: Job, steps: int, until: int | None = None) -> "subprocess.Popen[str]":
        started.append(job.submit(steps, until))
        return started[-1]

    yield submit
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_slurm_job_whose_time_is_over_queues_again_and_ends_in_the_same_bits(tmp_path: Path, jobs: Any) -> None:
    (tmp_path / "straight").mkdir()
    (tmp_path / "broken").mkdir()
    straight, broken = Job(tmp_path / "straight", 7), Job(tmp_path / "broken", 8)
    undisturbed, first = jobs(straight, 36), jobs(broken, 36, until=12)
    broken.wait_for(4)
    broken.tell(1, signal.SIGTERM)  # one of two, as if the other were to hear it later
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 128 + signal.SIGTERM
    assert broken.asked_of_slurm() == "", "Slurm requeues a job that it preempts, and not one that was cancelled"

    second = jobs(broken, 36, until=24)
    broken.wait_for(state_of(broken.run)["global_step"] + 4)
    broken.tell(1, signal.SIGUSR1)
    said = second.communicate(timeout=PATIENCE)[0]
    assert second.returncode == 128 + signal.SIGTERM
    assert f"Continuing {broken.run}." in said
    assert "Job 8 is saved and back in Slurm's queue." in said
    assert broken.asked_of_slurm() == "requeue 8\n"
    assert 8 <= state_of(broken.run)["global_step"] < 36

    again = jobs(broken, 36)
    again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    undisturbed.communicate(timeout=PATIENCE)
    assert undisturbed.returncode == 0
    assert straight.asked_of_slurm() == ""
    assert (straight.folder / "cpus_per_task").read_text() == "8\n", "srun does not inherit --cpus-per-task"
    assert_same_bits(state_of(broken.run), state_of(straight.run))
    assert state_of(broken.run)["global_step"] == 36
    assert repeatable_metrics(broken.run) == repeatable_metrics(straight.run)
    assert "val/fid" in (broken.run / "metrics.csv").read_text()
    assert [path.name for path in broken.run.parent.iterdir()] == ["version_0"]
    assert not [*tmp_path.rglob("hpc_ckpt*")]


@pytest.mark.parametrize(
    ("array", "asked", "status", "says"),
    [
        ({}, "requeue 9", 0, "Job 9 is saved and back in Slurm's queue."),
        ({"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "3"}, "requeue 5_3", 0, "Job 5_3 is saved and back"),
        ({}, "requeue 9", 1, "scontrol did not requeue it (exit code 1): submit it again."),
    ],
)
def test_how_slurm_is_asked(
    array: dict[str, str],
    asked: str,
    status: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = Job(tmp_path, 9)
    told = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FAKE": str(tmp_path), "SCONTROL_EXIT": str(status)}
    for name, value in {**told, "SLURM_JOB_ID": "9", **array}.items():
        monkeypatch.setenv(name, value)
    SlurmJob(SLURMEnvironment()).requeue()
    assert says in capsys.readouterr().out
    assert job.asked_of_slurm() == f"{asked}\n"


class Elsewhere:
    """The other process, which has found a checkpoint."""

    def broadcast(self, value: Any) -> Any:
        return "runs/quickstart/version_0/checkpoints/last.ckpt" if isinstance(value, str) else value

    def reduce_boolean_decision(self, decision: bool, all: bool) -> bool:
        return decision


def test_nodes_that_do_not_share_a_disk_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(accelerator="cpu", logger=False)
    monkeypatch.setattr(Trainer, "strategy", Elsewhere())
    monkeypatch.setattr(Trainer, "global_rank", 1)
    with pytest.raises(ValueError, match=re.escape("Process 1 starts from None, but another one does not")):
        RunRecord().setup(trainer, None, "fit")  # type: ignore[arg-type]
