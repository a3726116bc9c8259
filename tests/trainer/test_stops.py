"""What becomes of a run in other processes than the one that was started, and of signals to all of them at once."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from gan_lightning import cli
from gan_lightning.cli import main
from tests.helpers.command_line import LAST, RUN, TINY, fit, refused, step_of
from tests.helpers.processes import wait_until

FORKED = ["--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]
NO_PICTURES = ["--trainer.enable_progress_bar=false", "--trainer.limit_val_batches=0"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class StopAll(pl.Callback):
    """Signals this process and all that it has started, at step 2, as a terminal or a scheduler does."""

    def __init__(self, number: int = signal.SIGTERM, rank: int = 0) -> None:
        self.number = number
        self.rank = rank

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 2 and trainer.global_rank == self.rank:
            children = [str(child.pid) for child in multiprocessing.active_children()]
            if children:  # They go first, and another process says so: from this one they take orders.
                subprocess.run(["kill", f"-{self.number}", *children], check=True)
                time.sleep(0.5)
            os.kill(os.getpid(), self.number)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        os.kill(os.getpid(), self.number)


class Images(pl.LightningDataModule):
    """A loader of the user's own, with workers."""

    image_shape = (1, 8, 8)

    def __init__(self, persistent: bool = False) -> None:
        super().__init__()
        self.persistent = persistent

    def train_dataloader(self) -> Any:
        images = [torch.zeros(1, 8, 8, dtype=torch.uint8)] * 40
        return DataLoader(images, batch_size=4, num_workers=2, persistent_workers=self.persistent)


def stopping(number: int, rank: int = 0) -> list[str]:
    callback = "tests.trainer.test_stops.StopAll"
    more = [f"--trainer.callbacks+={callback}", f"--trainer.callbacks.number={number}"]
    return [*more, f"--trainer.callbacks.rank={rank}"]


AFTER_THREADS = """
import sys, torch
torch.set_num_threads(4)
torch.ones(1_000_000).mul_(2)  # large enough for a parallel loop
from gan_lightning.cli import main
sys.exit(main(sys.argv[1:]))
"""


class TestForkedProcesses:
    def test_they_train_after_several_threads_were_used(self) -> None:
        """As in a notebook, or on the command line with large networks; no time is measured, it would hang."""
        environment = {**os.environ, "OMP_NUM_THREADS": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", AFTER_THREADS, "fit", *TINY, *FORKED, *NO_PICTURES, "--trainer.max_steps=2"]
        with subprocess.Popen(command, env=environment, start_new_session=True) as process:
            try:
                assert process.wait(timeout=600) == 0
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        assert step_of(LAST) == 2

    def test_a_finished_run_keeps_its_directory(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fit(*FORKED, *NO_PICTURES) == 0
        assert step_of(LAST) == 2
        assert (RUN / "config.yaml").is_file()
        assert f"Run directory: {RUN}\n" in capsys.readouterr().out
        assert main(["predict", *TINY, *FORKED, "--data.test_size", "4", "--ckpt_path", "last"]) == 0
        assert len([*Path("runs/dcgan_digits/predict_0/predictions").iterdir()]) == 4

    def test_a_mistake_is_one_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = refused(capsys, "fit", *TINY, *FORKED, "--data.batch_size", "5000")
        assert said.splitlines()[-1].startswith("gan-lightning fit: batch_size 5000 is larger than")
        assert not Path("runs").exists()

    def test_spawned_ones_are_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = refused(capsys, "fit", *TINY, *FORKED, "--trainer.strategy", "ddp_spawn")
        assert "trainer.strategy spawns processes, which works in Python only" in said.splitlines()[-1]

    @pytest.mark.slow
    @pytest.mark.parametrize("rank", [0, 1])
    def test_a_process_that_is_stopped_stops_all_and_saves(self, rank: int, capsys: pytest.CaptureFixture[str]) -> None:
        assert fit(*FORKED, *NO_PICTURES, *stopping(signal.SIGTERM, rank), steps=50) == 143
        assert step_of(LAST) == 2
        assert "Stopped at step 2 of 50, and saved." in capsys.readouterr().out


@pytest.mark.slow
class TestWorkers:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_signal_to_all_ends_the_step_and_saves(
        self, number: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for i in range(40):
            Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
        data = ["--data", "ImageFolderDataModule", "--data.root", str(tmp_path), "--data.image_size", "8"]
        data += ["--data.num_workers=2", "--data.in_memory=false", "--data.batch_size", "4", "--name", "run"]
        given = [*TINY[:2], *data, *TINY[6:], *NO_PICTURES, "--trainer.max_steps", "50"]
        others = multiprocessing.active_children()  # of tests before this one
        assert main(["fit", *given, *stopping(number)]) == code
        assert step_of(Path("runs/run/version_0/checkpoints/last.ckpt")) == 2
        said = capsys.readouterr()
        assert "Stopped at step 2 of 50, and saved." in said.out
        assert "Traceback" not in said.err
        # On a busy machine torch gives up waiting for a worker, and sends it a signal: it ends a moment later.
        wait_until(lambda: set(multiprocessing.active_children()) <= {*others})

    @pytest.mark.parametrize("persistent", ["true", "false"])
    def test_workers_of_the_users_own_loader(self, persistent: str) -> None:
        data = ["--data", "tests.trainer.test_stops.Images", "--data.persistent", persistent, "--name", "run"]
        given = [*TINY[:2], *data, *TINY[6:], *NO_PICTURES, "--trainer.max_steps", "50"]
        assert main(["fit", *given, *stopping(signal.SIGTERM)]) == 143
        assert step_of(Path("runs/run/version_0/checkpoints/last.ckpt")) == 2


class TestAnyCommand:
    @pytest.fixture(autouse=True)
    def _signals_of_a_new_process(self) -> Iterator[None]:
        """Whatever the process that runs the tests makes of signals: a command begins with Python's own handlers."""
        own = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        before = {number: signal.signal(number, handler) for number, handler in own.items()}
        yield
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_signal_in_a_validation_is_a_line(
        self, number: int, code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["validate", *TINY, "--name", "run", *stopping(number)]) == code
        word = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        said = capsys.readouterr().err
        assert said.splitlines()[-1] == f"gan-lightning validate: stopped by {word}."
        assert "Traceback" not in said
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    def test_an_import_that_makes_something_else_of_ctrl_c(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def run(command: str, arguments: Any) -> int:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise ImportError("numpy.core.multiarray failed to import") from None
            return 0

        monkeypatch.setitem(sys.modules, "half_imported", SimpleNamespace(run=run))
        monkeypatch.setitem(cli.COMMANDS, "generate", ("half_imported", ""))
        assert main(["generate"]) == 130
        assert capsys.readouterr().err == "\ngan-lightning generate: stopped by Ctrl-C.\n"
