"""Each way to train faster by itself: that it computes the same, and that it does what it says."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.cli import main
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.trainer.speed import (
    fuse,
    lay_out,
    multiplies_bf16,
    running_eagerly,
)
from tests.helpers.command_line import TINY


def trained(*, fast: bool) -> list[torch.Tensor]:
    """A convolution after three steps, before the last of which everything is turned on."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ConvTranspose2d(8, 2, 3)).double()
    optimizer = DCGANAdam(network.parameters(), lr=0.1)
    assert not fast or fuse(optimizer)
    for step in range(3):
        if fast and step == 2:
            lay_out(network, torch.channels_last, [optimizer])
        network(torch.randn(2, 4, 9, 9, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last) == fast
    return list(network.parameters())


def test_a_fused_optimiser_moves_weights_that_have_been_laid_out_anew_as_any_other_does() -> None:
    for mine, theirs in zip(trained(fast=True), trained(fast=False), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_moments_are_laid_out_as_the_weights_are_before_they_are_fused() -> None:
    """A fused optimiser would move weights by other weights' moments, without an error."""
    network = nn.Conv2d(4, 8, 3)
    optimizer = DCGANAdam(network.parameters())
    network(torch.randn(2, 4, 9, 9)).square().sum().backward()
    optimizer.step()
    before = optimizer.state[network.weight]["exp_avg"]
    network.to(memory_format=torch.channels_last)
    assert fuse(optimizer)
    after = optimizer.state[network.weight]["exp_avg"]
    assert after.stride() == network.weight.stride() != before.stride()
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("made", "fused"),
    [
        (torch.optim.Adam, True),
        (torch.optim.AdamW, True),
        (DCGANAdam, True),
        (partial(torch.optim.Adam, differentiable=True), False),
        (torch.optim.SGD, False),  # where a weight's first gradient comes late, torch's fused one fails
        (torch.optim.RMSprop, False),
    ],
)
def test_adam_alone_is_fused(made: Any, fused: bool) -> None:
    optimizer = made([nn.Parameter(torch.zeros(1))])
    assert fuse(optimizer) == fused
    assert bool(optimizer.param_groups[0].get("fused")) == fused


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(1, dtype=torch.complex64),
        torch.zeros(1, device="meta"),
        torch.zeros(4, 4)[:, ::2],
    ],
    ids=["complex", "nowhere", "with gaps"],
)
def test_weights_that_no_fused_optimiser_can_move_are_moved_one_by_one(weight: torch.Tensor) -> None:
    assert not fuse(DCGANAdam([nn.Parameter(weight)]))


def test_weights_keep_their_identity_and_can_be_laid_back() -> None:
    network = nn.Conv2d(4, 8, 3)
    weight, before = network.weight, network.weight.detach().clone()
    lay_out(network, torch.channels_last)
    lay_out(network, torch.contiguous_format)
    assert network.weight is weight
    assert weight.is_contiguous()
    assert torch.equal(weight, before)


def test_eagerly_runs_what_was_written_and_gives_the_compiled_back() -> None:
    network = nn.Sequential(nn.Linear(1, 1))
    compiled = network._compiled_call_impl = lambda x: "compiled"
    with running_eagerly(network):
        assert isinstance(network(torch.ones(1)), torch.Tensor)
    assert network._compiled_call_impl is compiled
    assert network(torch.ones(1)) == "compiled"


def test_bf16_is_for_devices_with_instructions_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not multiplies_bf16(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert multiplies_bf16(torch.device("cpu"))


KEEPS = "from gan_lightning.trainer.speed import keep_freed_memory\nassert keep_freed_memory()"
STEP = ["fit", *TINY, "--trainer.max_steps", "1", "--trainer.limit_val_batches", "0"]
FITS = f"from gan_lightning.cli import main\nassert main({STEP}) == 0"
COUNTS = """
import resource, torch
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def work():
    for _ in range(10):
        torch.ones(2**24)  # 64 MiB
work()
before = faults()
work()
print("faults", faults() - before)
"""


def faults_after(program: str, home: Path) -> int:
    """Pages that a process asks for when it makes and frees the same large tensors a second time."""
    done = subprocess.run(
        [sys.executable, "-c", program + COUNTS], cwd=home, capture_output=True, text=True, check=True
    )
    return int(done.stdout.rpartition("faults")[2])


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told to keep memory")
@pytest.mark.slow
@pytest.mark.parametrize("program", [KEEPS, FITS], ids=["asked for", "fit"])
def test_kept_memory_is_not_asked_for_again(program: str, tmp_path: Path) -> None:
    assert faults_after(program, tmp_path) * 10 < faults_after("", tmp_path)


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_the_trainer_alone_can_be_measured(command: str, tmp_path: Path) -> None:
    place = ["--trainer.default_root_dir", str(tmp_path), "--trainer.barebones", "true"]
    arguments = [command, *TINY[:-2], *place]  # without its log_every_n_steps
    assert main([*arguments, *(["--trainer.max_steps", "2"] if command == "fit" else [])]) == 0
    assert not [*tmp_path.iterdir()]
