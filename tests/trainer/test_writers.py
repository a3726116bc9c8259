"""Several writers of one file: processes in one run directory, callbacks with one folder."""

import errno
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from gan_lightning.callbacks import SampleGrid
from gan_lightning.loggers import RunLogger
from gan_lightning.trainer import run_lock
from gan_lightning.trainer.run_lock import RunInUseError
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import LAST, RUN, TINY, fit, refused, step_of
from tests.helpers.games import last_state, play, run_directory, small

HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
file.write("process 7 on node0"); file.flush()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Any]:
    """Another process, which trains in a directory until it is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def hold(directory: Path) -> "subprocess.Popen[bytes]":
        directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", HOLDER, str(directory / run_lock.NAME)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        assert processes[-1].stdout is not None
        assert processes[-1].stdout.readline() == b"ready\n"
        return processes[-1]

    yield hold
    for process in processes:
        process.kill()
        process.wait()


class TestProcesses:
    def test_a_run_is_continued_by_one_process_at_a_time(
        self, another: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fit(steps=1)
        before = (RUN / "metrics.csv").read_bytes()
        process = another(RUN)
        said = refused(capsys, "fit", *TINY, "--ckpt_path", "last", "--trainer.max_steps", "2").splitlines()[-1]
        assert said.startswith(f"gan-lightning fit: {RUN} is in use: process 7 on node0 trains in it.")
        assert (RUN / "metrics.csv").read_bytes() == before
        process.kill()  # The system takes the lock from it.
        process.wait()
        assert fit("--ckpt_path", "last", steps=2) == 0
        assert step_of(LAST) == 2

    def test_the_same_in_python_and_a_process_does_not_lock_itself_out(self, another: Any, tmp_path: Path) -> None:
        play(small(DCGAN), 1, tmp_path)
        play(small(DCGAN), 2, tmp_path, resume=True)
        another(run_directory(tmp_path))
        with pytest.raises(RunInUseError, match="is in use: process 7 on node0"):
            play(small(DCGAN), 3, tmp_path, resume=True)
        assert last_state(tmp_path)["global_step"] == 2

    def test_a_disk_that_knows_no_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "lockf", refuse)
        with pytest.warns(UserWarning, match=r"cannot be locked \(No locks available\)"):
            _ = RunLogger(str(tmp_path), "run", 0).experiment


class TestCallbacks:
    def test_the_newest_state_is_nobody_elses(self, tmp_path: Path) -> None:
        other = ModelCheckpoint(save_last=True, save_weights_only=True, every_n_train_steps=1)
        with pytest.warns(UserWarning, match="writes last_of_model_checkpoint.ckpt here"):
            play(small(DCGAN), 2, tmp_path, callbacks=[other])
        assert (run_directory(tmp_path) / "checkpoints" / "last_of_model_checkpoint.ckpt").is_file()
        play(small(DCGAN), 3, tmp_path, resume=True)
        assert last_state(tmp_path)["global_step"] == 3

    def test_a_checkpoint_of_its_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"ModelCheckpoint.filename is last, but last.ckpt in this folder"):
            play(small(DCGAN), 2, tmp_path, callbacks=[ModelCheckpoint(filename="last")])
        play(small(DCGAN), 1, tmp_path, callbacks=[ModelCheckpoint(tmp_path / "elsewhere", filename="last")])

    def test_two_pictures_of_a_kind_have_a_folder_each(self, tmp_path: Path) -> None:
        play(small(DCGAN), 1, tmp_path, callbacks=[SampleGrid(n=4, scale=1), SampleGrid(n=9, scale=1)])
        first, second = (run_directory(tmp_path) / name / "step_00000001.png" for name in ("samples", "samples_2"))
        assert first.read_bytes() != second.read_bytes()
