"""What goes wrong with disks, files, versions and processes: nothing already made is lost, and a sentence tells it.

The disks are real: small ones in memory, which only root may mount.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

import gan_lightning
from benchmarks.kills import Kills
from datamodules import DigitsDataModule
from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.trainer.atomic_checkpoint import AtomicCheckpointIO, SaveError
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import LAST, TINY, fit, refused, step_of
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small
from tests.helpers.processes import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
OLD = Path(__file__).parents[1] / "data" / "dcgan_eac9e89.ckpt"
"""Written by the first commit that had a command line, by fit with the arguments of OLD_MODEL."""
OLD_MODEL = [*("--model", "DCGAN", "--data", "DigitsDataModule", "--model.latent_dim", "4")]
OLD_MODEL += [*("--model.generator.width", "4", "--model.discriminator.width", "4", "--trainer.accelerator", "cpu")]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    if _mount("-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)):
        pytest.skip("no disk can be mounted here: it takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _mount(*arguments: str) -> int:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True).returncode
    except OSError:
        return 1


class At(pl.Callback):
    """Does something at the beginning of a step."""

    def __init__(self, step: int, deed: Any) -> None:
        self.step = step
        self.deed = deed

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            self.deed()


def fill(place: Path) -> None:
    """Leave 8 KB: for rows of the log, but for no checkpoint."""
    (place / "ballast").write_bytes(bytes(shutil.disk_usage(place).free - 8192))


class TestDisk:
    def test_a_full_disk_while_training_costs_saves_but_not_the_run(self, disk: Path) -> None:
        full, room = At(3, lambda: fill(disk)), At(5, lambda: (disk / "ballast").unlink())
        with pytest.warns(UserWarning, match=r"Step 4: .*last\.ckpt could not be saved \(No space left on device\)"):
            play(small(DCGAN), 7, disk, callbacks=[full, room], save_every=1)
        assert last_state(disk)["global_step"] == 7

    def test_a_full_disk_at_the_end_is_a_failure_and_leaves_what_was_saved(self, disk: Path) -> None:
        with pytest.warns(UserWarning, match="Step 5: "), pytest.raises(SaveError, match="No space left on device"):
            play(small(DCGAN), 5, disk, callbacks=[At(3, lambda: fill(disk))], save_every=1)
        assert last_state(disk)["global_step"] == 3
        assert [path.name for path in (run_directory(disk) / "checkpoints").iterdir()] == ["last.ckpt"]
        (disk / "ballast").unlink()
        play(small(DCGAN), 5, disk, resume=True)
        straight = disk.parent / "straight"
        play(small(DCGAN), 5, straight)
        assert_same_bits(last_state(disk), last_state(straight))
        assert metrics_file(disk) == metrics_file(straight)

    def test_a_full_disk_for_the_best_ends_the_run_and_keeps_the_best_before(self, disk: Path) -> None:
        best = ModelCheckpoint(disk / "best", "{step}", monitor="step", mode="max", every_n_train_steps=1)
        with pytest.raises(SaveError, match=r"step=4\.ckpt could not be saved \(No space left on device\)"):
            play(small(DCGAN), 6, disk, callbacks=[At(3, lambda: fill(disk)), best], save_every=3)
        assert [file.name for file in (disk / "best").iterdir()] == ["step=3.ckpt"]
        assert last_state(disk)["global_step"] == 3

    def test_a_disk_that_is_full_in_the_middle_of_an_array_is_told_as_such(self, disk: Path) -> None:
        path = disk / "last.ckpt"
        AtomicCheckpointIO().save_checkpoint({"number": 1}, path)
        with pytest.raises(SaveError, match=r"last\.ckpt could not be saved \(No space left on device\)"):
            AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(500_000)}, path)
        assert torch.load(path, weights_only=True) == {"number": 1}
        assert [file.name for file in disk.iterdir()] == ["last.ckpt"]

    def test_a_full_disk_costs_the_metrics_their_cache_and_nothing_else(self, disk: Path) -> None:
        """In the middle of an array too, where torch says something else."""
        cache = TensorCache(disk)
        cache.store("real", {"of": "digits"}, {"mean": torch.zeros(3)})
        with pytest.warns(UserWarning, match=r"real\.pt could not be written, .* again: .*No space left on device"):
            cache.store("real", {"of": "digits"}, {"mean": torch.zeros(500_000)})
        kept = cache.load("real", {"of": "digits"})
        assert kept is not None
        assert kept["mean"].tolist() == [0, 0, 0]
        assert [file.name for file in disk.iterdir()] == ["real.pt"]

    def test_the_command_says_so_in_a_sentence_and_leaves_with_1(
        self, disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(DCGAN, "on_train_start", lambda self: fill(disk))
        with (
            pytest.warns(UserWarning, match="Step 2: "),
            pytest.warns(UserWarning, match=r"step_00000002\.png could not be written \(No space left on device\)"),
        ):
            assert fit("--trainer.default_root_dir", str(disk)) == 1
        told = capsys.readouterr().err.splitlines()[-1]
        assert told.startswith(f"gan-lightning fit: {disk}/dcgan_digits/version_0/checkpoints/last.ckpt could not be ")
        assert "(No space left on device): what was saved before stands; see to the disk, and continue" in told

    def test_a_disk_that_cannot_be_written_to_is_told_before_the_run(
        self, disk: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _mount("-o", "remount,ro", str(disk))
        told = refused(capsys, "fit", *TINY, "--trainer.default_root_dir", str(disk))
        assert "Read-only file system" in told.splitlines()[-1]
        assert str(disk) in told.splitlines()[-1]
        assert "Traceback" not in told

    def test_a_disk_that_is_full_from_the_start_is_a_sentence(
        self, disk: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fill(disk)
        assert main(["fit", *TINY, "--trainer.max_steps", "2", "--trainer.default_root_dir", str(disk)]) == 1
        assert "cannot be written (No space left on device): make room." in capsys.readouterr().err.splitlines()[-1]

    def test_a_disk_that_becomes_read_only_leaves_what_was_saved(self, disk: Path) -> None:
        path = disk / "last.ckpt"
        AtomicCheckpointIO().save_checkpoint({"number": 1}, path)
        _mount("-o", "remount,ro", str(disk))
        with pytest.raises(SaveError, match=r"last\.ckpt could not be saved \(Read-only file system\)"):
            AtomicCheckpointIO().save_checkpoint({"number": 2}, path)
        assert torch.load(path, weights_only=True) == {"number": 1}


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_elsewhere")
class TestFiles:
    def test_a_checkpoint_cut_at_every_tenth_is_refused(self, tmp_path: Path) -> None:
        whole, cut = OLD.read_bytes(), tmp_path / "cut.ckpt"
        for tenth in range(10):
            cut.write_bytes(whole[: len(whole) * tenth // 10])
            with pytest.raises(inference.CheckpointError, match=r"cut\.ckpt is no complete checkpoint"):
                inference.load(cut)

    def test_a_checkpoint_in_the_format_of_a_torch_before_1_6_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "legacy.ckpt"
        torch.save(torch.load(OLD, weights_only=True), path, _use_new_zipfile_serialization=False)
        with pytest.raises(inference.CheckpointError, match=r"legacy\.ckpt is no complete checkpoint"):
            inference.load(path)

    def test_flipped_bytes_are_noticed_wherever_they_change_anything(self, tmp_path: Path) -> None:
        whole, flipped = OLD.read_bytes(), tmp_path / "flipped.ckpt"
        right = torch.load(OLD, weights_only=True)
        refused = 0
        for place in range(0, len(whole), len(whole) // 100):
            flipped.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            try:
                read = inference.read_checkpoint(flipped)
            except inference.CheckpointError:
                refused += 1
            else:
                assert_same_bits(read, right)  # a byte that means nothing, as in padding
        assert refused > 50

    def test_a_broken_last_checkpoint_names_the_whole_ones_beside_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        (LAST.parent / "best.ckpt").write_bytes(LAST.read_bytes())
        LAST.write_bytes(LAST.read_bytes()[:1000])
        told = refused(capsys, "fit", *TINY, "--ckpt_path", "last").splitlines()[-1]
        assert f"{LAST} is no complete checkpoint" in told
        assert f"Whole beside it: {LAST.parent / 'best.ckpt'} of step 2; give --ckpt_path one." in told
        fit("--ckpt_path", str(LAST.parent / "best.ckpt"), steps=3)

    def test_a_checkpoint_of_other_images_is_told_in_a_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        before = LAST.read_bytes()
        told = refused(capsys, "fit", *TINY, "--data.image_size", "16", "--ckpt_path", str(LAST)).splitlines()[-1]
        assert f"{LAST} was trained with other networks than this command's: give the --model arguments" in told
        assert LAST.read_bytes() == before

    @pytest.mark.parametrize("version", ["1.9.0", "99.0.0"])
    def test_a_checkpoint_of_another_lightning_loads(self, version: str, tmp_path: Path) -> None:
        path = rewritten(tmp_path, **{"pytorch-lightning_version": version})
        assert torch.equal(inference.load(path).sample(2), inference.load(OLD).sample(2))
        assert main(["fit", *OLD_MODEL, "--trainer.max_steps", "4", "--ckpt_path", str(path)]) == 0


@pytest.mark.usefixtures("_elsewhere")
class TestVersions:
    def test_the_first_checkpoints_load_sample_and_train_on(self) -> None:
        model = inference.load(OLD)
        saved = torch.load(OLD, weights_only=True)
        assert saved["gan_lightning"].get("version", "0.1.0") == "0.1.0" != gan_lightning.__version__
        assert_same_bits(model.state_dict(), saved["state_dict"])
        assert model.sample(3).shape == (3, 1, 8, 8)
        assert main(["fit", *OLD_MODEL, "--trainer.max_steps", "5", "--ckpt_path", str(OLD)]) == 0
        assert step_of(LAST) == saved["global_step"] + 2

    @pytest.mark.parametrize("version", ["0.1.0", "99.0.0"])
    def test_a_checkpoint_that_does_not_fit_says_which_version_wrote_it(
        self, version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stamp = {**torch.load(OLD, weights_only=True)["gan_lightning"], "version": version}
        path = rewritten(tmp_path, gan_lightning=stamp, state_dict={})
        says = f"GAN Lightning {version} wrote it, and this is {gan_lightning.__version__}: install that version"
        with pytest.raises(inference.CheckpointError, match=says):
            inference.load(path)
        assert says in refused(capsys, "fit", *OLD_MODEL, "--ckpt_path", str(path)).splitlines()[-1]


def rewritten(folder: Path, **entries: Any) -> Path:
    """The old checkpoint with other entries."""
    torch.save({**torch.load(OLD, weights_only=True), **entries}, folder / "rewritten.ckpt")
    return folder / "rewritten.ckpt"


@pytest.mark.slow
def test_runs_killed_at_random_end_in_the_same_bits(tmp_path: Path) -> None:
    kills = Kills(tmp_path, steps=36, seed=3)
    kills.run(3)
    assert kills.counts["kills"] == 3


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_run_continues_on_another_number_of_processes(before: int, after: int, tmp_path: Path) -> None:
    """The place in the data's order is kept, to the step: with images left over, the last few are seen again."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a forked process must not find the threads of its parent
    kinds: dict[int, dict[str, Any]] = {1: {}, 2: {"devices": 2, "strategy": "ddp_fork"}}
    try:
        play(small(DCGAN, ema_decay=None), 3, tmp_path, batch_size=4, **kinds[before])
        at_three = last_state(tmp_path)
        play(small(DCGAN, ema_decay=None), 4, tmp_path, batch_size=4, resume=True, **kinds[after])
    finally:
        torch.set_num_threads(threads)
    saved = torch.load(run_directory(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4
    loader = saved["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]
    seen, a_step = 3 * 4 * before, 4 * after
    assert loader["images"] == seen // a_step * a_step + a_step
    moments = [state["state"][0]["step"] for state in (*at_three["optimizer_states"], *saved["optimizer_states"])]
    assert [int(moment) for moment in moments] == [3, 3, 4, 4]  # Adam went on


def two_ranks(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gan_lightning", "fit", *TINY, "--trainer.devices", "2", "--data.batch_size", "32"]
    command += ["--trainer.default_root_dir", str(folder), "--trainer.max_steps", "100000"]
    command += ["--trainer.callbacks+=LastCheckpoint", "--trainer.callbacks.every_n_steps", "5", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    wait_until(path.exists, process)


def second_rank(process: "subprocess.Popen[str]") -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the second process where Linux lists it")
def test_a_process_that_dies_ends_the_run_which_continues_on_fewer(tmp_path: Path) -> None:
    last = tmp_path / "dcgan_digits" / "version_0" / "checkpoints" / "last.ckpt"
    process = two_ranks(tmp_path)
    wait_for(last, process)
    other = second_rank(process)
    Path(f"/proc/{other}").stat()
    subprocess.run(["kill", "-9", str(other)], check=True)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode in (1, -9), said
    if process.returncode == 1:
        assert "process 0 lost another one of this run, which was killed or failed" in said
    step = step_of(last)
    one = ["--trainer.max_steps", str(step + 1), "--trainer.default_root_dir", str(tmp_path), "--ckpt_path", "last"]
    assert main(["fit", *TINY, *one, "--data.batch_size", "32"]) == 0
    assert step_of(last) == step + 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the second process where Linux lists it")
@pytest.mark.parametrize(("sent", "rank"), [(signal.SIGTERM, 0), (signal.SIGINT, 1)])
def test_two_processes_that_are_told_to_stop_save_first(sent: signal.Signals, rank: int, tmp_path: Path) -> None:
    home = tmp_path / "dcgan_digits" / "version_0"
    process = two_ranks(tmp_path)
    wait_for(home / "checkpoints" / "last.ckpt", process)
    subprocess.run(["kill", f"-{int(sent)}", str([process.pid, second_rank(process)][rank])], check=True)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == (128 + sent if rank == 0 else 128 + signal.SIGTERM), said
    rows = (home / "metrics.csv").read_text().splitlines()
    assert step_of(home / "checkpoints" / "last.ckpt") == len(rows) - 1, "the step that it stopped at was not saved"


class ToldEarly(DigitsDataModule):
    """The second process is told to stop while its images are made ready."""

    def train_dataloader(self) -> Any:
        if self.trainer is not None and self.trainer.global_rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().train_dataloader()


@pytest.mark.slow
@pytest.mark.parametrize("n_sanity_batches", [0, 1])
def test_two_processes_that_are_told_to_stop_before_they_train_do_not_hang(
    n_sanity_batches: int, tmp_path: Path
) -> None:
    sanity = f"--trainer.num_sanity_val_steps={n_sanity_batches}"
    process = two_ranks(tmp_path, "--data", f"{__name__}.ToldEarly", "--name", "run", sanity)
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert step_of(tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt") == 1


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = [word for word in page.replace("`", " ").split() if "::" in word and word.startswith("tests/")]
    assert len(named) > 15
    for name in named:
        file, *_, test = name.split("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(), f"there is no {name}"
