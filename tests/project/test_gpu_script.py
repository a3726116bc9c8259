"""The script for a GPU, rehearsed: parts run in their order and within their limits, and print what they find."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from gan_lightning.variants import DCGAN

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.sh"


def run_with(python: str, folder: Path, *arguments: str) -> list[str]:
    """Lines of the script with another program in the place of Python."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        env={**os.environ, "PYTHON": str(program)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_parts_run_in_their_order_whatever_fails(tmp_path: Path) -> None:
    lines = run_with('echo "$4 $5 $6"; test "$4" != speed', tmp_path, "--rehearse")
    assert [line.strip() for line in lines[:-1]] == [
        "waits --rehearse",
        *("speed DCGAN --rehearse", "dcgan: failed with code 1"),
        *("speed Pix2Pix --rehearse", "pix2pix: failed with code 1"),
        *("speed SNGAN --rehearse", "sngan: failed with code 1"),
        *("speed StyleGAN2 --rehearse", "stylegan2: failed with code 1"),
        "train R3GAN --rehearse",
    ]
    assert re.fullmatch(r"done after \d+ s", lines[-1])


def test_limits_of_all_parts_are_nine_minutes_at_most() -> None:
    limits = [int(limit) for limit in re.findall(r"^\s*part (\d+) ", SCRIPT.read_text(), re.MULTILINE)]
    assert len(limits) == 7
    assert sum(limits) <= 540


def test_a_part_is_cut_off_at_its_limit(tmp_path: Path) -> None:
    short = tmp_path / "benchmarks" / "gpu.sh"
    short.parent.mkdir()
    short.write_text(re.sub(r"^part \d+", "part 1", SCRIPT.read_text().replace("limit < 5", "limit < 1"), flags=re.M))
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", str(short)], env={**os.environ, "PYTHON": str(program)}, capture_output=True, text=True, timeout=60
    )
    assert "dcgan: cut off after 1 s" in done.stdout.splitlines()
    assert "r3gan: cut off after 1 s" in done.stdout.splitlines()


def test_the_speed_of_a_variant_is_rehearsed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)
    gpu.main(["speed", "DCGAN", "--rehearse"])
    said = capsys.readouterr().out
    for way in ("bare loop", "fit", "fit --fast", "fit compiled"):
        assert re.search(rf"^speed: DCGAN: {way}: [\d,]+ images/s, [\d.]+ ms a step", said, re.MULTILINE), said
    assert "speed: DCGAN: bare loop as a graph: RuntimeError: a graph needs CUDA" in said


def test_operations_of_a_step_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the rule that a backward pass costs twice a forward pass, for weights and for inputs."""
    work = gpu.workload("DCGAN", rehearse=True)
    assert work is not None
    loop = gpu.DeviceLoop(work, torch.device("cpu"))
    forward: list[int] = []
    for network, given in ((loop.game.generator, torch.zeros(4, 4)), (loop.game.discriminator, loop.same[0].float())):
        with gpu.FlopCounterMode(display=False) as counter:
            network(given)
        forward.append(counter.get_total_flops())
    generator, discriminator = forward
    # D sees real and fake images, then the fakes once more, for inputs alone; G makes them once.
    most = 3 * generator + 2 * 3 * discriminator + 2 * discriminator
    assert generator + 3 * discriminator < loop.flops() <= most


def test_operations_of_a_gradient_penalty_are_counted() -> None:
    work = gpu.workload("StyleGAN2", rehearse=True)
    assert work is not None
    loop = gpu.DeviceLoop(work, torch.device("cpu"))
    with_penalty = loop.flops()
    loop.game.discriminator_penalty = lambda batch: {}
    assert 0 < loop.flops() < with_penalty


@pytest.mark.parametrize("part", ["speed", "train"])
def test_a_variant_that_there_is_not_is_a_line(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([part, "NoSuchGAN", "--rehearse"])
    assert f"{part}: NoSuchGAN: there is no such variant yet" in capsys.readouterr().out


def test_a_variant_that_waits_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Waiting(DCGAN):
        def generator_loss(self, batch: Any) -> Any:
            raise RuntimeError("called a synchronizing CUDA operation")

    monkeypatch.setattr(gpu, "VARIANTS", [DCGAN, Waiting])
    gpu.main(["waits", "--rehearse"])
    said = capsys.readouterr().out
    assert "waits: DCGAN: for nothing" in said
    assert "waits: Waiting: RuntimeError: called a synchronizing CUDA operation" in said
    assert "waits: 1 of 2 variants" in said


def test_training_is_rehearsed(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["train", "DCGAN", "--rehearse"])
    assert "train: DCGAN: code 0; " in capsys.readouterr().out


def test_a_gpu_is_given_options_that_fit_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The rehearsal trains on digits, so that it cannot see a wrong name here.
    with pytest.raises(SystemExit) as ended:
        gpu.gan_lightning(["fit", *gpu.training_options("R3GAN", str(tmp_path)), "--print_config"])
    assert ended.value.code in (0, None)
    printed = capsys.readouterr().out
    assert f"data_dir: {tmp_path}" in printed
    assert "max_time: 00:00:02:00" in printed
