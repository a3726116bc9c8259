"""What is turned on is what pays, it computes the same, and looking for it changes nothing."""

from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from gan_lightning.callbacks import FastTraining
from gan_lightning.callbacks import fast_training as module
from gan_lightning.games.base import AdversarialModule
from gan_lightning.trainer.speed import seconds_of
from gan_lightning.variants import DCGAN, WGAN, WGANGP, CycleGAN
from tests.helpers.command_line import TINY, fit, refused
from tests.helpers.games import VARIANTS, assert_same_bits, last_state, play, small

OFF: dict[str, Any] = {"bf16": False, "channels_last": False, "fused": False, "keep_memory": False}


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let steps take these times, in turn: without and with channels_last, then without and with bf16.

    There is one turn, after the one that does not count, which takes the same.
    """

    def set_times(*times: float, turns: int = 1) -> list[float]:
        left = [time for pair in zip(times[::2], times[1::2], strict=True) for time in (*pair, *pair)]

        def seconds_of(work: Any, device: torch.device) -> float:
            work()
            return left.pop(0)

        monkeypatch.setattr(module, "TURNS", turns)
        monkeypatch.setattr(module, "seconds_of", seconds_of)
        monkeypatch.setattr(module, "multiplies_bf16", lambda device: True)
        return left

    return set_times


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_trial_leaves_no_trace(variant: type[AdversarialModule], takes: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 8, "limit_val_batches": 0}
    play(small(variant), 2, tmp_path / "plain", **options)
    left = takes(1.0, 1.0, 1.0, 1.0)  # nothing pays
    callback = FastTraining(fused=False, keep_memory=False)
    play(small(variant), 2, tmp_path / "tried", callbacks=[callback], **options)
    assert not left
    assert not any(callback.chosen.values())
    assert_same_bits(last_state(tmp_path / "plain"), last_state(tmp_path / "tried"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_fast_computes_the_same(variant: type[AdversarialModule], tmp_path: Path) -> None:
    """In double precision, where other roundings do not add up to anything; dropout falls elsewhere by its nature."""
    for name, on in (("plain", False), ("fast", True)):
        callback = FastTraining(bf16=False, channels_last=on, fused=on, keep_memory=False)
        options: dict[str, Any] = {"limit_val_batches": 0, "precision": "64-true", "callbacks": [callback]}
        model = small(variant)
        for part in model.modules():
            if isinstance(part, torch.nn.modules.dropout._DropoutNd):
                part.p = 0.0
        play(model, 2, tmp_path / name, batch_size=8, **options)
    plain, fast = (last_state(tmp_path / name)["state_dict"] for name in ("plain", "fast"))
    for name, value in plain.items():
        torch.testing.assert_close(
            fast[name], value, rtol=1e-6, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_what_pays_is_on_and_the_rest_is_off(takes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    takes(2.0, 1.0, 1.0, 0.99)
    callback = FastTraining(keep_memory=False)
    play(small(DCGAN), 1, tmp_path, limit_val_batches=0, callbacks=[callback])
    assert callback.chosen == {"fused": True, "channels_last": True, "bf16": False, "compile": False}
    said = capsys.readouterr().out
    assert "channels_last on (2.00 times as fast here)" in said
    assert "bf16 off (1.01 times as fast here)" in said


@pytest.mark.parametrize(
    ("gains", "pay"),
    [
        ([1.3] * 10, True),
        ([1.3] * 9 + [0.99], False),  # One turn that it does not win.
        ([1.02] * 10, False),  # It wins each, and by too little.
        ([1.04] * 6 + [1.001] * 4, True),  # 1.04 is the median.
    ],
)
def test_an_option_pays_that_wins_every_turn(gains: list[float], pay: bool) -> None:
    assert module.pays(gains) is pay


def test_options_take_turns_until_one_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order: list[bool] = []
    # Without and with: a turn that does not count, two that are won, one that is lost.
    times = iter([1.0, 9.0, 2.0, 1.0, 2.0, 1.0, 1.0, 1.1])

    def seconds_of(work: Any, device: torch.device) -> float:
        weights = [weight for weight in model.generator.parameters() if weight.ndim == 4 and weight.shape[-1] > 1]
        order.append(all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights))
        return next(times)

    monkeypatch.setattr(module, "seconds_of", seconds_of)
    model = small(DCGAN)
    callback = FastTraining(bf16=False, keep_memory=False)
    play(model, 1, tmp_path, limit_val_batches=0, callbacks=[callback])
    assert order == [False, True] * 4
    assert callback.chosen["channels_last"] is False


def test_seconds_are_of_the_processor_and_not_of_the_clock() -> None:
    assert seconds_of(lambda: sleep(0.02), torch.device("cpu"), most=2) < 0.02


@pytest.mark.parametrize(("names", "on"), [("channels_last,bf16", {"channels_last", "bf16"}), ("none", set())])
def test_options_are_given_by_their_names(names: str, on: set[str], takes: Any, tmp_path: Path) -> None:
    left = takes(2.0, 1.0, 2.0, 1.0)
    callback = FastTraining.of(names)
    play(small(DCGAN), 1, tmp_path, limit_val_batches=0, callbacks=[callback])
    assert len(left) == 8, "nothing is tried"
    assert {name for name in ("channels_last", "bf16") if callback.chosen[name]} == on
    assert callback.names == names


@pytest.mark.parametrize("names", ["", "bf32", "bf16,", "channels_last bf16"])
def test_an_option_that_there_is_not(names: str) -> None:
    with pytest.raises(ValueError, match=r"^fast names .*: choose from tf32, .* or none\.$"):
        FastTraining.of(names)


def test_a_device_without_bf16_does_not_try_it(takes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    takes(1.0, 1.0)
    monkeypatch.setattr(module, "multiplies_bf16", lambda device: False)
    callback = FastTraining()
    play(small(DCGAN), 1, tmp_path, limit_val_batches=0, callbacks=[callback])
    assert callback.chosen["bf16"] is False


def test_a_precision_that_was_asked_for_stays(takes: Any, tmp_path: Path) -> None:
    left = takes(1.0, 1.0)
    trainer = play(small(DCGAN), 1, tmp_path, limit_val_batches=0, callbacks=[FastTraining()], precision="bf16-mixed")
    assert not left
    assert trainer.precision == "bf16-mixed"


def test_bf16_is_what_the_trainer_calls_bf16_mixed(tmp_path: Path) -> None:
    play(small(DCGAN), 2, tmp_path / "asked", limit_val_batches=0, precision="bf16-mixed")
    callback = FastTraining(**{**OFF, "bf16": True})
    play(small(DCGAN), 2, tmp_path / "fast", limit_val_batches=0, callbacks=[callback])
    play(small(DCGAN), 2, tmp_path / "plain", limit_val_batches=0)
    asked, fast, plain = (last_state(tmp_path / name) for name in ("asked", "fast", "plain"))
    assert_same_bits(asked["state_dict"], fast["state_dict"])
    with pytest.raises(AssertionError):
        assert_same_bits(plain["state_dict"], fast["state_dict"])


@pytest.mark.parametrize("variant", [DCGAN, WGANGP, WGAN, CycleGAN])
def test_a_run_that_is_resumed_goes_on_as_it_began(
    variant: type[AdversarialModule], takes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fast() -> dict[str, Any]:
        takes(2.0, 1.0, 2.0, 1.0)  # everything pays
        return {"callbacks": [FastTraining()], "batch_size": 20, "limit_val_batches": 0}

    play(small(variant), 5, tmp_path / "straight", **fast())
    play(small(variant), 5, tmp_path / "broken", crash_at=3, **fast())
    options = fast()
    left = takes(1.0, 2.0)  # nothing would pay now
    play(small(variant), 5, tmp_path / "broken", resume=True, **options)
    assert len(left) == 4, "nothing is tried again"
    assert "bf16 on (as when the run began)" in capsys.readouterr().out
    assert_same_bits(last_state(tmp_path / "straight"), last_state(tmp_path / "broken"))


def test_a_run_may_go_on_without_it(tmp_path: Path) -> None:
    """A checkpoint is laid out as any other, and its optimisers are as they were."""
    fast = FastTraining(bf16=False, channels_last=True, keep_memory=False)
    play(small(DCGAN), 3, tmp_path / "fast", callbacks=[fast], limit_val_batches=0)
    state = last_state(tmp_path / "fast")
    assert all(weight.is_contiguous() for weight in state["state_dict"].values())
    for optimizer in state["optimizer_states"]:
        assert [(group["fused"], group["foreach"]) for group in optimizer["param_groups"]] == [(None, None)]
        assert all(value["exp_avg"].is_contiguous() for value in optimizer["state"].values())
    trainer = play(small(DCGAN), 4, tmp_path / "fast", resume=True, limit_val_batches=0)
    assert trainer.global_step == 4


def test_compiled_networks_are_penalised_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compile_(self, backend="aot_eager"))
    play(small(WGANGP, n_critic=1), 2, tmp_path / "plain", limit_val_batches=0)
    fast = FastTraining(**OFF, compile=True)
    play(small(WGANGP, n_critic=1), 2, tmp_path / "fast", callbacks=[fast], limit_val_batches=0)
    plain, compiled = (last_state(tmp_path / name)["state_dict"] for name in ("plain", "fast"))
    assert plain.keys() == compiled.keys()
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-3)


def fast_in_config(run: Path) -> Any:
    return yaml.safe_load((run / "config.yaml").read_text())["fast"]


def test_the_config_names_what_was_chosen_and_repeats_it(
    takes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str, **options: Any) -> Path:
        name = f"run{len(list(tmp_path.iterdir()))}"
        assert fit(*arguments, "--name", name, "--trainer.default_root_dir", str(tmp_path), **options) == 0
        return tmp_path / name / "version_0"

    takes(2.0, 1.0, 1.0, 2.0)
    first = run("--fast")
    assert "Fast: " in capsys.readouterr().out
    assert fast_in_config(first) == "channels_last"
    left = takes(1.0, 2.0, 2.0, 1.0)
    second = run("--fast", "channels_last")
    third = run("--config", str(first / "config.yaml"))
    assert len(left) == 8, "nothing is tried"
    assert fast_in_config(second) == fast_in_config(third) == "channels_last"
    states = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (first, second, third)]
    for state in states[1:]:
        assert_same_bits(states[0]["state_dict"], state["state_dict"])


def test_a_run_that_is_resumed_has_one_config(takes: Any, tmp_path: Path) -> None:
    options = ("--fast", "--name", "run", "--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "9")
    takes(2.0, 1.0, 1.0, 2.0)
    assert fit(*options) == 0
    left = takes(1.0, 2.0, 2.0, 1.0)
    assert fit(*options, "--ckpt_path", "last", steps=4) == 0
    assert len(left) == 8, "nothing is tried"
    assert fast_in_config(tmp_path / "run" / "version_0") == "channels_last"


def test_a_name_that_is_no_option_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fast names 'bf32': choose from" in refused(capsys, "fit", *TINY, "--fast", "bf32")


class Viewing(nn.Module):
    """A discriminator whose memory must be contiguous."""

    def __init__(self, image_shape: tuple[int, int, int] = (1, 16, 16)) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(image_shape[0], 4, 3), nn.Conv2d(4, 4, 3))
        self.linear = nn.LazyLinear(1)
        self(torch.zeros(1, *image_shape))

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.linear(self.layers(image).view(len(image), -1))
        return x.squeeze(1)


def test_an_option_with_which_a_step_fails_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    game = small(DCGAN, discriminator=Viewing)
    play(game, 1, tmp_path, callbacks=[FastTraining(bf16=False)], onednn=True)
    assert "channels_last off (a step fails with it)" in capsys.readouterr().out
