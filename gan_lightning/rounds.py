"""Gather several batches of any loader into one round of the game."""

from collections.abc import Iterator
from typing import Any

from lightning.pytorch import Trainer

from datamodules.workers import shield, started


class Rounds:
    """A loader that yields lists of ``size`` batches: what one game step needs.

    With ``n_critic`` discriminator updates of ``accumulate`` batches each, a game step consumes
    ``n_critic * accumulate`` fresh batches. Handing them over together makes a step of the trainer, of the progress
    bar, of the logger and of every interval one generator update. What is left at the end of an epoch and cannot
    fill a round is not used in that epoch.

    Args:
        loader: Any iterable of batches. If it has ``state_dict`` and ``load_state_dict``, a run resumes in the
            middle of an epoch.
        size: Batches in a round.
    """

    def __init__(self, loader: Any, size: int) -> None:
        if hasattr(loader, "__len__") and len(loader) < size:
            raise ValueError(
                f"An epoch has {len(loader)} batches, but one step needs n_critic x accumulate = {size}: "
                "lower batch_size, n_critic or accumulate, or add images."
            )
        self.loader = loader
        self.size = size
        # Lightning looks for these by name, to tell them the epoch.
        self.sampler = getattr(loader, "sampler", None)
        self.batch_sampler = getattr(loader, "batch_sampler", None)

    def __len__(self) -> int:
        return len(self.loader) // self.size

    def __iter__(self) -> Iterator[list[Any]]:
        batches: list[Any] = []
        for batch in started(self.loader):
            batches.append(batch)
            if len(batches) == self.size:
                yield batches
                batches = []

    def state_dict(self) -> dict[str, Any]:
        return self.loader.state_dict() if hasattr(self.loader, "state_dict") else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            self.loader.load_state_dict(state)


def gather_rounds(trainer: Trainer, size: int) -> None:
    """Make the trainer hand out rounds of ``size`` training batches, whatever loader it is given.

    The workers of every loader are shielded from signals to stop: a run ends between two steps, and needs them till
    then.

    ``Strategy.process_dataloader`` is Lightning's place to wrap a loader: it comes after a distributed sampler has
    been put in, so any loader shares its data among the processes as usual.
    """
    strategy = trainer.strategy
    process = getattr(strategy.process_dataloader, "before_rounds", strategy.process_dataloader)

    def process_dataloader(loader: object) -> object:
        loader = process(loader)
        shield(loader)
        return Rounds(loader, size) if trainer.training else loader

    process_dataloader.before_rounds = process  # type: ignore[attr-defined]
    strategy.process_dataloader = process_dataloader  # type: ignore[method-assign, assignment]
