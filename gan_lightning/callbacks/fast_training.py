"""Find out what makes a game faster on the machine at hand, and do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from gan_lightning.arguments.ranges import check_flag, check_flag_if_given
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import frozen
from gan_lightning.games.randomness import own_randomness
from gan_lightning.trainer.speed import fuse, keep_freed_memory, lay_out, multiplies_bf16, seconds
from gan_lightning.trainer.step_batches import side_by_side

PAYS = 0.97
"""An option stays on if a step takes at most this share of the time without it."""


class FastTraining(Callback):
    """Turns on what makes this game faster on this machine, and says what it chose and why.

    Before the first step the gradients of that step are computed a few times, with and without an option, and what does
    not pay stays off. The trial leaves no trace: weights, statistics and random numbers are those of a run without it.
    A checkpoint keeps the choice, so that a run that is resumed goes on as it began.

    Results differ from those of the default settings by rounding, bfloat16's where that is chosen, and by where dropout
    falls, which follows the layout.

    Args:
        bf16: Compute in bfloat16 where it is safe, as ``precision="bf16-mixed"`` does; penalties stay in float32. None:
            where the device has instructions for it and it pays. A precision that the trainer was given stays.
        channels_last: Keep the channels of a pixel side by side. None: where it pays.
        fused: Move all weights of a player in one pass, where torch has a fused optimiser of that kind.
        keep_memory: On a CPU, keep freed memory for the next step instead of giving it back to the system.
        tf32: On a GPU, multiply float32 in TensorFloat-32, and let cuDNN try its ways.
        compile: Compile the networks. It takes about a minute at the start; on CPUs it has not paid so far.

    Attributes:
        chosen: What is on, by the argument's name; empty before the first step.
    """

    def __init__(
        self,
        bf16: bool | None = None,
        channels_last: bool | None = None,
        fused: bool = True,
        keep_memory: bool = True,
        tf32: bool = True,
        compile: bool = False,
    ) -> None:
        check_flag_if_given(bf16=bf16, channels_last=channels_last)
        check_flag(fused=fused, keep_memory=keep_memory, tf32=tf32, compile=compile)
        self.bf16 = bf16
        self.channels_last = channels_last
        self.fused = fused
        self.keep_memory = keep_memory
        self.tf32 = tf32
        self.compile = compile
        self.chosen: dict[str, bool] = {}
        self._why: dict[str, str] = {}
        self._ready = False
        self._precision: Precision | None = None
        self._settings: list[list[dict[str, Any]]] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._ready = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._ready:
            return
        self._ready = True
        self._why = dict.fromkeys(self.chosen, "as when the run began")
        self._set_up(trainer, pl_module)
        batches = side_by_side(trainer.train_dataloader, batch)
        self._choose("channels_last", trainer, pl_module, batches)
        if trainer.precision == "32-true":  # Another one has been asked for.
            self._choose("bf16", trainer, pl_module, batches)
        chosen = [f"{name} {'on' if on else 'off'} ({self._why[name]})" for name, on in self.chosen.items()]
        trainer.print("Fast: " + ", ".join(chosen) + ".")

    def _set_up(self, trainer: Trainer, game: AdversarialModule) -> None:
        """Turn on what needs no trial."""
        device = game.device
        self._settings = [
            [{name: group[name] for name in ("fused", "foreach") if name in group} for group in optimizer.param_groups]
            for optimizer in trainer.optimizers
        ]
        if self.fused:
            fused = [fuse(optimizer) for optimizer in trainer.optimizers]
            self._note("fused", any(fused), "one pass over the weights" if any(fused) else "no such optimiser")
        if self.keep_memory and device.type == "cpu":
            kept = keep_freed_memory()
            self._note("keep_memory", kept, "freed memory serves the next step" if kept else "there is no glibc")
        if self.tf32 and device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True
            self._note("tf32", True, "for what stays in float32")
        if self.compile:
            for network in _networks(game):
                network.compile()
        self._note("compile", self.compile, "as asked" if self.compile else "only if asked for")

    def _choose(self, name: str, trainer: Trainer, game: AdversarialModule, batches: list[Any]) -> None:
        """Decide on one option, unless the user or the checkpoint has, and turn it on."""
        on, why = self.chosen.get(name, getattr(self, name)), "as asked"
        if on is None and name == "bf16" and not multiplies_bf16(game.device):
            on, why = False, "this device has no instructions for it"
        elif on is None:
            # One process decides: all must compute alike.
            gain = float(trainer.strategy.broadcast(self._gain(name, trainer, game, batches)))
            on, why = gain * PAYS >= 1, f"{gain:.2f} times as fast here"
        self._note(name, on, why)
        if on:
            self._turn(name, True, trainer, game)

    def _gain(self, name: str, trainer: Trainer, game: AdversarialModule, batches: list[Any]) -> float:
        def step() -> None:
            with trainer.precision_plugin.train_step_context():
                _gradients(game, batches)

        with _traceless(game):
            without = seconds(step, game.device)
            self._turn(name, True, trainer, game)
            with_it = seconds(step, game.device)
            self._turn(name, False, trainer, game)
        return without / with_it

    def _turn(self, name: str, on: bool, trainer: Trainer, game: AdversarialModule) -> None:
        if name == "channels_last":
            lay_out(game, torch.channels_last if on else torch.contiguous_format, trainer.optimizers)
        elif on:
            self._precision = trainer.strategy._precision_plugin
            trainer.strategy._precision_plugin = MixedPrecision("bf16-mixed", game.device.type)
        else:
            trainer.strategy._precision_plugin = self._precision

    def _note(self, name: str, on: bool, why: str) -> None:
        self._why.setdefault(name, why)
        self.chosen[name] = on

    # A checkpoint is laid out as any other, so that a run may go on with this callback or without it.

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        for name in ("state_dict", "optimizer_states"):
            if name in checkpoint:
                checkpoint[name] = apply_to_collection(checkpoint[name], Tensor, Tensor.contiguous)
        for optimizer, settings in zip(checkpoint.get("optimizer_states", []), self._settings, strict=False):
            for group, before in zip(optimizer["param_groups"], settings, strict=True):
                group.update(before)

    def state_dict(self) -> dict[str, Any]:
        return {"chosen": dict(self.chosen)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # What was tried; the rest is as the user says now.
        self.chosen = {name: on for name, on in state_dict["chosen"].items() if name in ("channels_last", "bf16")}


def _networks(game: AdversarialModule) -> Iterator[nn.Module]:
    """The networks that are called: a dictionary of several is not."""
    for player in (game.generator, game.discriminator):
        yield from player.values() if isinstance(player, nn.ModuleDict) else (player,)


def _gradients(game: AdversarialModule, batches: list[Any]) -> None:
    """What a step computes for its last exchange, but for the penalties; nobody moves."""
    exchange = game.draw_latents(game.prepare_batch(batches[-1]))
    exchange = replace(exchange, fake=game.generate_fakes(exchange))
    for player, rival, shown, loss in (
        (game.discriminator, game.generator, exchange.detached(), game.discriminator_loss),
        (game.generator, game.discriminator, exchange, game.generator_loss),
    ):
        with frozen(rival):
            if terms := loss(shown):
                torch.stack(list(terms.values())).sum().backward()
        player.zero_grad()


@contextmanager
def _traceless(game: AdversarialModule) -> Iterator[None]:
    """Give back the buffers and the random numbers that a trial moves."""
    before = [(buffer, buffer.clone()) for buffer in game.buffers()]
    with own_randomness(0, game.device):
        yield
    with torch.no_grad():
        for buffer, value in before:
            buffer.copy_(value)
