"""Speed options (bfloat16, channels-last, fused optimisers, ...), chosen by trials before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
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
from gan_lightning.trainer.speed import fuse, keep_freed_memory, lay_out, multiplies_bf16, seconds_of
from gan_lightning.trainer.step_batches import join_loaders

TRIED = ("tf32", "cudnn_benchmark", "channels_last", "bf16")
"""Options that are tried, in this order, each beside those before it. The first two are for GPUs."""
TURNS = 10
"""Turns of a trial. An option must win each of them: what does not pay every time is off."""
PAYS = 0.97
"""Largest ratio, a median over the turns, of the time of a step with an option to that without it at which it pays."""


class FastTraining(Callback):
    """Turns on the speed options that pay on this machine, and prints the choice with its reasons.

    Before the first step, its gradients are computed with and without an option in turns. It stays on only if it is
    faster in each turn, in seconds of CPU on a CPU, which other programs hardly change. A trial changes no weights,
    statistics or random numbers, and checkpoints record the choice for resumed runs. Results differ from the default
    settings by rounding, and by the dropout masks, which depend on the memory layout. Options that are given are not
    tried, so equal commands that give them end in equal bits.

    Args:
        bf16: Autocast to bfloat16, as ``precision="bf16-mixed"``; penalties stay in float32. None: if the device has
            instructions for it and it is faster. The trainer's own ``precision`` takes precedence.
        channels_last: Memory layout N x H x W x C. None: if it is faster.
        fused: Fused optimiser kernels, where torch has them.
        keep_memory: On a CPU, keep freed memory for the next step instead of returning it to the system.
        tf32: On a GPU, TensorFloat-32 for the products of matrices in float32. None: if it is faster.
        cudnn_benchmark: On a GPU, let cuDNN choose each convolution's algorithm by a trial. None: if it is faster.
        compile: ``torch.compile`` the networks. It takes about a minute at the start; no CPU has gained by it so far.

    Attributes:
        chosen: Whether each option is on, by its argument's name; empty before the first step.
    """

    def __init__(
        self,
        bf16: bool | None = None,
        channels_last: bool | None = None,
        fused: bool = True,
        keep_memory: bool = True,
        tf32: bool | None = None,
        cudnn_benchmark: bool | None = None,
        compile: bool = False,
    ) -> None:
        check_flag_if_given(bf16=bf16, channels_last=channels_last, tf32=tf32, cudnn_benchmark=cudnn_benchmark)
        check_flag(fused=fused, keep_memory=keep_memory, compile=compile)
        self.bf16 = bf16
        self.channels_last = channels_last
        self.fused = fused
        self.keep_memory = keep_memory
        self.tf32 = tf32
        self.cudnn_benchmark = cudnn_benchmark
        self.compile = compile
        self.chosen: dict[str, bool] = {}
        self._why: dict[str, str] = {}
        self._ready = False
        self._precision: Precision | None = None
        self._matmul_precision = torch.get_float32_matmul_precision()
        self._settings: list[list[dict[str, Any]]] = []

    @classmethod
    def of(cls, names: str) -> FastTraining:
        """Make one that tries nothing.

        Args:
            names: The options that are on, of ``TRIED`` and compile: ``channels_last,bf16``; ``none``: none of them.

        Raises:
            ValueError: There is no such option.
        """
        given = [] if names == "none" else [name.strip() for name in names.split(",")]
        known = (*TRIED, "compile")
        for name in given:
            if name not in known:
                raise ValueError(f"fast names {name!r}: choose from {', '.join(known)}, or none.")
        return cls(**{name: name in given for name in known})

    @property
    def names(self) -> str:
        """What is on of ``TRIED`` and compile, in the form that :meth:`of` takes."""
        return ",".join(name for name in (*TRIED, "compile") if self.chosen.get(name)) or "none"

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._ready = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self._ready:
            return
        self._ready = True
        self._why = dict.fromkeys(self.chosen, "as when the run began")
        self._set_up(trainer, pl_module)
        batches = join_loaders(trainer.train_dataloader, batch)
        for name in TRIED if pl_module.device.type == "cuda" else ("channels_last", "bf16"):
            # Another precision is the user's own choice.
            if name != "bf16" or trainer.precision == "32-true":
                self._choose(name, trainer, pl_module, batches)
        chosen = [f"{name} {'on' if on else 'off'} ({self._why[name]})" for name, on in self.chosen.items()]
        trainer.print("Fast: " + ", ".join(chosen) + ".")

    def _set_up(self, trainer: Trainer, game: AdversarialModule) -> None:
        """Turn on the options that need no timing."""
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
        if self.compile:
            for network in _networks(game):
                network.compile()
        self._note("compile", self.compile, "as asked" if self.compile else "only if asked for")

    def _choose(self, name: str, trainer: Trainer, game: AdversarialModule, batches: list[Any]) -> None:
        """Decide on an option: the checkpoint's choice, else the user's, else a trial."""
        on, why = self.chosen.get(name, getattr(self, name)), "as asked"
        if on is None and name == "bf16" and not multiplies_bf16(game.device):
            on, why = False, "this device has no instructions for it"
        elif on is None:
            gains = self._gains(name, trainer, game, batches) or [0.0]
            on, why = pays(gains), f"{median(gains):.2f} times as fast here" if any(gains) else "a step fails with it"
            if not on and median(gains) * PAYS >= 1:
                why += f", but {min(gains):.2f} in one turn"
        self._note(name, on, why)
        if on:
            self._turn(name, True, trainer, game)

    def _gains(self, name: str, trainer: Trainer, game: AdversarialModule, batches: list[Any]) -> list[float]:
        """How many times as fast a step is with an option, in each turn up to the first not won; none: it fails."""

        def step() -> None:
            with trainer.precision_plugin.train_step_context():
                _gradients(game, batches)

        def seconds(on: bool) -> float:
            self._turn(name, on, trainer, game)
            return seconds_of(step, game.device)

        gains: list[float] = []
        with _state_restored(game):
            # The first turn does not count: kernels are chosen, and memory is asked for.
            seconds(False)
            try:
                seconds(True)
            except RuntimeError:  # A layer of the user's own that views its memory, or too little memory.
                self._turn(name, False, trainer, game)
                return []
            while len(gains) < TURNS and all(gain > 1 for gain in gains):
                # Rank 0 decides: all ranks must compute in the same way, and as many steps.
                gains.append(float(trainer.strategy.broadcast(seconds(False) / seconds(True))))
            self._turn(name, False, trainer, game)
        return gains

    def _turn(self, name: str, on: bool, trainer: Trainer, game: AdversarialModule) -> None:
        if name == "channels_last":
            lay_out(game, torch.channels_last if on else torch.contiguous_format, trainer.optimizers)
        elif name == "tf32":
            torch.set_float32_matmul_precision("high" if on else self._matmul_precision)
        elif name == "cudnn_benchmark":
            torch.backends.cudnn.benchmark = on
        elif on and self._precision is None:
            self._precision = trainer.strategy.precision_plugin
            trainer.strategy.precision_plugin = MixedPrecision("bf16-mixed", game.device.type)
        elif not on and self._precision is not None:
            trainer.strategy.precision_plugin, self._precision = self._precision, None

    def _note(self, name: str, on: bool, why: str) -> None:
        self._why.setdefault(name, why)
        self.chosen[name] = on

    # Checkpoints have the default layout, so that a run may be resumed without this callback.

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
        # Only the timed options are restored; the rest follows the arguments.
        self.chosen = {name: on for name, on in state_dict["chosen"].items() if name in TRIED}


def pays(gains: Sequence[float]) -> bool:
    """Whether an option is worth it that made a step so many times as fast in each turn."""
    return all(gain > 1 for gain in gains) and median(gains) * PAYS >= 1


def _networks(game: AdversarialModule) -> Iterator[nn.Module]:
    """The networks with a forward pass: the values of a ModuleDict, not the dictionary itself."""
    for player in (game.generator, game.discriminator):
        yield from player.values() if isinstance(player, nn.ModuleDict) else (player,)


def _gradients(game: AdversarialModule, batches: list[Any]) -> None:
    """Compute both players' gradients on the last batch of a step, without penalties and without an update."""
    batch = game.draw_latents(game.prepare_batch(batches[-1]))
    batch = replace(batch, fake=game.generate_fakes(batch))
    for player, rival, shown, loss in (
        (game.discriminator, game.generator, batch.detached(), game.discriminator_loss),
        (game.generator, game.discriminator, batch, game.generator_loss),
    ):
        # As in a step: the other player is frozen.
        with frozen(rival):
            if terms := loss(shown):
                torch.stack(list(terms.values())).sum().backward()
        player.zero_grad()


@contextmanager
def _state_restored(game: AdversarialModule) -> Iterator[None]:
    """Restore the buffers and the random number generators after a trial."""
    # Buffers such as BatchNorm's statistics change in every forward pass; weights do not, without an update.
    before = [(buffer, buffer.clone()) for buffer in game.buffers()]
    with own_randomness(0, game.device):
        yield
    with torch.no_grad():
        for buffer, value in before:
            buffer.copy_(value)
