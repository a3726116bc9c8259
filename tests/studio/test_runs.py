"""Runs: curves that are those of the file, and nothing from outside the folder."""

from pathlib import Path

import pytest

from gan_lightning.studio.runs import Runs, curves_in


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    run = tmp_path / "runs" / "dcgan" / "version_0"
    for name in ("samples/step_00000010.png", "samples/step_00000020.png", "samples.gif", "checkpoints/last.ckpt"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(name.encode())
    (run / "metrics.csv").write_text("epoch,step,fid,loss\n0,1,,0.5\n0,2,30.0,nan\n1,3,,0.25\n1,4,,0.")
    return Runs(tmp_path / "runs")


def test_names_pictures_and_curves(runs: Runs) -> None:
    assert runs.names() == ["dcgan/version_0"]
    told = runs.told("dcgan/version_0")
    assert told["pictures"] == {
        "animations": ["samples.gif"],
        "samples": ["samples/step_00000010.png", "samples/step_00000020.png"],
    }
    # What is missing or no number is left out; a line that is being written has what is there of it.
    assert told["curves"] == {"fid": [(2, 30)], "loss": [(1, 0.5), (3, 0.25), (4, 0)]}
    assert runs.picture("dcgan/version_0", "samples.gif") == b"samples.gif"
    assert runs.checkpoint("dcgan/version_0") == runs.root / "dcgan/version_0/checkpoints/last.ckpt"


def test_a_long_curve_is_thinned_and_keeps_the_newest(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text("step,loss\n" + "".join(f"{step},{step / 2}\n" for step in range(1001)))
    points = curves_in(file)["loss"]
    assert len(points) <= 400
    assert points[-1] == (1000, 500)
    assert all(y == x / 2 for x, y in points)


@pytest.mark.parametrize("link", ["secret.png", "samples/secret.png"])
def test_a_link_that_leads_out_is_not_followed(runs: Runs, tmp_path: Path, link: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    run = runs.root / "dcgan/version_0"
    (run / link).symlink_to(tmp_path / "secret.png")
    assert not any("secret" in name for names in runs.told("dcgan/version_0")["pictures"].values() for name in names)
    with pytest.raises(ValueError, match="no picture"):
        runs.picture("dcgan/version_0", link)


def test_nor_a_run_outside(runs: Runs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "metrics.csv").write_text("step,loss\n1,2\n")
    (runs.root / "linked").symlink_to(outside)
    assert runs.names() == ["dcgan/version_0"]
    for name in ("linked", "../outside", str(outside)):
        with pytest.raises(ValueError, match="no run"):
            runs.told(name)
