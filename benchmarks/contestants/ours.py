"""`gan-lightning fit` through its command line, paused between two steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from benchmarks.contestants.turns import Turns
from gan_lightning.cli import main as gan_lightning

_turns: Turns | None = None


class StepEnds(Callback):
    """Ends a step where Lightning ends it."""

    def on_train_batch_end(self, *_: Any) -> None:
        assert _turns is not None
        _turns.step_ends()


def fit(turns: Turns, folder: Path, arguments: Sequence[str]) -> None:
    """Run `gan-lightning fit`, to its end or that of its process."""
    global _turns
    _turns = turns
    rare = ["--trainer.limit_val_batches=0", "--trainer.accelerator=cpu", "--trainer.max_steps=1000000"]
    ours = [f"--trainer.default_root_dir={folder}", f"--trainer.callbacks+={__name__}.StepEnds"]
    code = gan_lightning(["fit", *arguments, *rare, *ours])
    assert code == 0, f"gan-lightning fit ended with {code}"
