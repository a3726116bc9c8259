"""The first thing anyone runs, for its full length: is what it draws like the real digits?"""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from gan_lightning.metrics import frechet_distance, moments
from gan_lightning.variants import DCGAN
from tests.helpers.processes import PATIENCE

ROOT = Path(__file__).parents[2]
SEED = 1  # anyone who runs the first command sees seed 0
TRAINED = os.environ.get("GAN_LIGHTNING_TEST_QUICKSTART")
"""The run directory of the first command as it is, where somebody has just run it: the gate does."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the shipped config, from a fresh process."""
    if TRAINED:
        return Path(TRAINED)
    folder = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-m", "gan_lightning", "fit", "--config", "configs/quickstart.yaml"]
    command += ["--seed_everything", str(SEED), "--trainer.default_root_dir", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Run directory: " in done.stdout + done.stderr
    return folder / "quickstart" / "version_0"


def test_it_draws_digits_and_leaves_what_it_promises(run: Path) -> None:
    """One test, so that one worker trains it once."""
    check_samples_are_as_near_to_the_digits_as_digits_are(run)
    check_every_digit_is_drawn_and_none_too_often(run)
    check_the_run_directory_holds_what_it_promises(run)


def check_samples_are_as_near_to_the_digits_as_digits_are(run: Path) -> None:
    """One half of the real digits is at a distance of 0.07 from the other half."""
    real = torch.from_numpy(load_digits().images).flatten(1) / 16
    fake = samples(run)
    assert frechet_distance(*moments(real), *moments(fake)) <= 0.10


def check_every_digit_is_drawn_and_none_too_often(run: Path) -> None:
    digits = load_digits()
    train, held_out, train_labels, held_out_labels = train_test_split(
        digits.data / 16, digits.target, test_size=0.3, random_state=0
    )
    judge = SVC(C=10).fit(train, train_labels)
    assert judge.score(held_out, held_out_labels) > 0.95
    shares = np.bincount(judge.predict(samples(run).numpy()), minlength=10) / 1797
    assert shares.min() >= 0.05
    assert shares.max() <= 0.15


def check_the_run_directory_holds_what_it_promises(run: Path) -> None:
    assert (run / "config.yaml").is_file()
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2400
    assert (run / "checkpoints" / "best.ckpt").is_file()
    assert sorted(file.name for file in (run / "samples").glob("*.png"))[-1] == "step_00002400.png"
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    distances = [float(row["val/fid_pixels"]) for row in rows if row["val/fid_pixels"]]
    assert len(distances) == 8
    assert min(distances) < 0.1 < distances[0]


def samples(run: Path) -> torch.Tensor:
    model = DCGAN.load_from_checkpoint(run / "checkpoints" / "last.ckpt")
    return ((model.sample(1797, seed=0) + 1) / 2).flatten(1).double()
