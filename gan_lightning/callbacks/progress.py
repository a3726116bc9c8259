"""Progress bar of the whole run."""

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from tqdm import tqdm

_LABELS = {
    "train/discriminator/loss": "D",
    "train/generator/loss": "G",
    "train/discriminator/gradient_norm": "|dD|",
    "train/generator/gradient_norm": "|dG|",
    "train/generator/diversity": "diversity",
    "train/images_per_second": "img/s",
}


class RunProgressBar(ProgressBar):
    """One bar over all generator updates of a run, with the losses, training health and newest validation metrics.

    Reading a loss synchronises the host with the device, so the bar is refreshed by the clock and not at every step: a
    few times a second on a terminal; rarely, and on a new line each time, in a file.

    Args:
        interval: Seconds between two refreshes on a terminal.
        file_interval: Seconds between two lines anywhere else.
    """

    def __init__(self, interval: float = 0.4, file_interval: float = 30.0) -> None:
        super().__init__()
        for name, seconds in [("interval", interval), ("file_interval", file_interval)]:
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
                raise ValueError(f"{name} is {seconds!r}: it must be a number of seconds, more than 0.")
        self.interval = interval
        self.file_interval = file_interval
        self._enabled = True
        self._bar: tqdm | None = None
        self._wait = 0.0
        self._next_look = 0.0
        self._losses: dict[str, Any] = {}

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        if self._enabled:
            # Above the bar, which a plain print would cut in two.
            tqdm.write(sep.join(map(str, args)), **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_bar": None}  # An open bar cannot be pickled.

    # Training: one bar from the first epoch to the last.

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._losses = {}
        self._open("Training", trainer.estimated_stepping_batches, " steps", trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # Of this step: callback_metrics has only those of the last logged step.
        self._losses |= {f"train/{player}/loss": loss for player, loss in (outputs or {}).items()}
        self._move(trainer.global_step, trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close(trainer)

    # The other commands, batch by batch. A validation within a training is short and has no bar.

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._open("Validating", sum(trainer.num_val_batches), " batches")

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._advance()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("Testing", sum(trainer.num_test_batches), " batches")

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self._advance()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("Predicting", sum(trainer.num_predict_batches), " batches")

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self._advance()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    # The bar.

    def _open(self, title: str, total: float, unit: str, initial: int = 0) -> None:
        self._close()
        if not self._enabled:
            return
        on_terminal = sys.stderr.isatty()
        # A file keeps each state of the bar as a line.
        self._wait = self.interval if on_terminal else self.file_interval
        self._next_look = time.monotonic() + self._wait
        self._bar = tqdm(
            desc=title,
            total=int(total) if 0 <= total < math.inf else None,
            initial=initial,
            unit=unit,
            ncols=None if on_terminal else 160,
            dynamic_ncols=on_terminal,
            mininterval=math.inf,  # Only refresh() updates the bar: tqdm's own timer would not update the figures.
            maxinterval=math.inf,
            file=None if on_terminal else _LineWriter(),
        )

    def _move(self, n: int, trainer: Trainer | None = None) -> None:
        """Set the count to ``n``; refresh the bar and its figures if the interval is over."""
        if self._bar is None:
            return
        # The count is free; reading the losses waits for the device.
        self._bar.n = n
        if time.monotonic() >= self._next_look:
            if trainer is not None:
                self._bar.set_postfix(_postfix(trainer, self._losses), refresh=False)
            self._bar.refresh()
            self._next_look = time.monotonic() + self._wait

    def _advance(self) -> None:
        if self._bar is not None:
            self._move(self._bar.n + 1)

    def _close(self, trainer: Trainer | None = None) -> None:
        if self._bar is None:
            return
        if trainer is not None:
            self._bar.n = trainer.global_step
            self._bar.set_postfix(_postfix(trainer, self._losses), refresh=False)
        self._bar.close()  # Refreshes it a last time.
        self._bar = None


def _postfix(trainer: Trainer, losses: Mapping[str, Any]) -> dict[str, str]:
    """Losses, training health and the newest validation metrics, read off the device."""
    # The losses of this step last: callback_metrics may hold older ones.
    metrics = {**trainer.callback_metrics, **losses}
    shown = {label: metrics[name] for name, label in _LABELS.items() if name in metrics}
    # Of several discriminators there is no room for all.
    shown |= _accuracies(metrics)
    shown |= {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
    return {label: _short(float(value)) for label, value in shown.items()}


def _accuracies(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracies of the discriminator on real and on fake images; of several discriminators, the mean."""
    shown = {}
    for kind in ("real", "fake"):
        name = f"train/discriminator/accuracy_{kind}"
        if shares := [float(value) for key, value in metrics.items() if key == name or key.startswith(f"{name}_")]:
            shown[kind] = sum(shares) / len(shares)
    return shown


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


class _LineWriter:
    """A stderr without carriage returns: each refresh of the bar is a line."""

    def write(self, text: str) -> None:
        if line := text.strip("\r\n "):
            sys.stderr.write(f"{line}\n")

    def flush(self) -> None:
        sys.stderr.flush()
