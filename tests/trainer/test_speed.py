"""Each way to train faster by itself: that it computes the same, and that it does what it says."""

import inspect
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LambdaCallback
from torch import nn

from gan_lightning.cli import main
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.trainer.speed import (
    _HOOKS_OF_A_STEP,
    ask_less_for_gpus,
    eagerly,
    fuse,
    lay_out,
    multiplies_bf16,
    skip_empty_hooks,
)
from gan_lightning.variants import DCGAN
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
    with eagerly(network):
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


def test_a_gpu_that_is_not_there_is_not_looked_for_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (True, False):
        monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        ask_less_for_gpus()
        assert ("PYTORCH_NVML_BASED_CUDA_CHECK" in os.environ) == there


@pytest.mark.parametrize("profiler", [[], ["--trainer.profiler", "simple"]], ids=["none", "simple"])
def test_a_profiler_that_was_asked_for_measures(profiler: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert main(["fit", *TINY, "--trainer.fast_dev_run", "1", *profiler]) == 0
    assert ("training_step" in caplog.text) == bool(profiler)


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_the_trainer_alone_can_be_measured(command: str, tmp_path: Path) -> None:
    place = ["--trainer.default_root_dir", str(tmp_path), "--trainer.barebones", "true"]
    arguments = [command, *TINY[:-2], *place]  # without its log_every_n_steps
    assert main([*arguments, *(["--trainer.max_steps", "2"] if command == "fit" else [])]) == 0
    assert not [*tmp_path.iterdir()]


class Listener(Callback):
    """Notes the hooks of a step that it is asked at."""

    heard: ClassVar[list[str]] = []


def _noting(hook: str) -> Any:
    def note(self: Listener, *_: Any) -> None:
        self.heard.append(hook)

    return note


for _hook in _HOOKS_OF_A_STEP:
    setattr(Listener, _hook, _noting(_hook))


class Listening(DCGAN):
    """A game that has hooks of its own."""

    heard: ClassVar[list[str]] = []

    def on_after_backward(self) -> None:
        super().on_after_backward()
        self.heard.append("on_after_backward")


def test_who_does_something_in_a_step_is_asked_and_nobody_else() -> None:
    Listener.heard, Listening.heard = [], []
    game = ["--model", f"{__name__}.Listening", *TINY[2:], "--trainer.callbacks", f"{__name__}.Listener"]
    assert main(["fit", *game, "--trainer.fast_dev_run", "1"]) == 0
    player = ["on_before_backward", "on_after_backward", "on_before_optimizer_step"]
    assert Listener.heard == ["on_train_batch_start", *player, *player, "on_train_batch_end"]
    assert Listening.heard == ["on_after_backward"] * 2


def test_hooks_that_do_nothing_are_not_called() -> None:
    said: list[str] = []
    spoken = LambdaCallback(on_after_backward=lambda *_: said.append("after"))
    empty, listener = Callback(), Listener()
    skip_empty_hooks([spoken, empty, listener], Callback)
    assert not any(callable(getattr(empty, hook)) for hook in _HOOKS_OF_A_STEP)
    assert all(callable(getattr(listener, hook)) for hook in _HOOKS_OF_A_STEP)
    spoken.on_after_backward(None, None)  # type: ignore[arg-type]
    assert said == ["after"]


class Longer(DCGAN):
    """Its step has another signature."""

    def training_step(self, batches: Any, batch_idx: int, why: str = "") -> Any:  # type: ignore[override]
        return super().training_step(batches, batch_idx)


def test_a_signature_that_is_remembered_is_the_methods_own() -> None:
    assert "__signature__" in vars(DCGAN.training_step)
    assert list(inspect.signature(DCGAN.training_step).parameters) == ["self", "batches", "batch_idx"]
    assert list(inspect.signature(Longer.training_step).parameters) == ["self", "batches", "batch_idx", "why"]
