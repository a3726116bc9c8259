"""Group the batches of any loader by steps: one list of batches for each generator update."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from datamodules.components.first_process import rank_zero_warn
from datamodules.components.workers import shield_workers, shielded_iterator
from gan_lightning.trainer.internals import reloads_train_loader, replace_method
from gan_lightning.trainer.loader_batches import LoaderBatches, NamedLoaderBatches

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

# Key of a checkpoint, as version 0.1 wrote it.
_N_YIELDED = "rounds"


class StepBatches:
    """A loader that yields lists of ``size`` batches, one list for each step.

    With ``n_critic`` discriminator updates of ``accumulate`` batches each, a game step consumes
    ``n_critic * accumulate`` fresh batches. As one list they make a step of the trainer, of the progress bar, of the
    logger and of every interval one generator update. An incomplete list at the end of an epoch is dropped.

    Args:
        loader: Any iterable of batches, with a length or without. If it has ``state_dict`` and ``load_state_dict``, a
            run resumes in the middle of an epoch.
        size: Batches in a list.

    Raises:
        ValueError: The loader cannot fill a single list.
    """

    def __init__(self, loader: Any, size: int) -> None:
        batches = length_of(loader)
        if batches is not None and batches < size:
            raise ValueError(f"An epoch has {_too_few(batches, size)}")
        self.loader = loader
        self.size = size
        # Lightning looks these up by name, to set their epoch.
        self.sampler = getattr(loader, "sampler", None)
        self.batch_sampler = getattr(loader, "batch_sampler", None)
        dataset = getattr(loader, "dataset", getattr(loader, "source", None))
        # Lightning's tuner of the batch size asks the loader for its data set.
        if length_of(dataset) is not None:
            self.dataset = _ShortDataset(dataset, size)
        # A stream's length is known at its end only; its position is what its own state says.
        self._endless = batches is None
        self._has_state = hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")
        self._continues = self._has_yielded = False
        self._n_yielded = 0
        self._states: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self.loader) // self.size  # Raises TypeError for a stream, which marks it as one.

    def __iter__(self) -> Iterator[list[Any]]:
        batches: list[Any] = []
        continues, self._continues, self._n_yielded, self._states = self._continues, False, 0, []
        for batch in shielded_iterator(self.loader):
            batches.append(batch)
            if len(batches) == self.size:
                self._n_yielded += 1
                self._keep_state()
                yield batches
                batches = []
        if self._n_yielded == 0 and not continues:
            # Lightning would start empty epochs for ever.
            if self._has_yielded and not batches:
                raise ValueError(
                    f"The loader, a {type(self.loader).__name__}, is used up and yields nothing a second time: give "
                    "one that restarts for every epoch, such as a DataLoader, or a max_steps that it can serve."
                )
            raise ValueError(f"The loader has come to its end after {_too_few(len(batches), self.size)}")
        self._n_yielded, self._has_yielded = 0, True

    def _keep_state(self) -> None:
        """Keep a stream's states after the last two lists: Lightning prefetches one list to detect the end."""
        # Only streams: a loader with a length knows its own end, and is not read ahead.
        if self._endless and self._has_state:
            self._states = [*self._states[-1:], self.loader.state_dict()]

    def state_dict(self) -> dict[str, Any]:
        if not self._has_state:
            return {_N_YIELDED: self._n_yielded}
        return self._states[0] if self._states else self.loader.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._has_state and state and set(state) != {_N_YIELDED}:
            self.loader.load_state_dict(state)
            self._continues = True
        elif not self._has_state and 0 < state.get(_N_YIELDED, 0) != length_of(self):
            rank_zero_warn(
                f"The checkpoint was saved in the middle of an epoch, and {type(self.loader).__name__} has no "
                "state_dict() to go on from there: it starts again. torchdata's StatefulDataLoader goes on."
            )


class _ShortDataset:
    """A dataset that reports the length at which a batch of twice that size would leave no complete step.

    Lightning's tuner doubles the batch size until a batch is as long as the dataset. It ignores that a step takes
    several batches and that incomplete ones are dropped.
    """

    def __init__(self, dataset: Any, size: int) -> None:
        self._dataset = dataset
        self._size = size

    def __len__(self) -> int:
        return len(self._dataset) // (2 * self._size) + 1

    def __getattr__(self, name: str) -> Any:
        # By vars(): ``self._dataset`` would come here again while it is not set yet, as in unpickling.
        return getattr(vars(self)["_dataset"], name)


def length_of(sized: object) -> int | None:
    """Length of a loader, a dataset or a sampler; None: it has none, like a stream."""
    try:
        return len(sized)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        return None


def _too_few(batches: int, size: int) -> str:
    return (
        f"{batches} batches, but one step needs n_critic x accumulate = {size}: lower batch_size, n_critic or "
        "accumulate, or add images."
    )


def join_loaders(loaders: Any, lists: Any) -> list[Any]:
    """Batches of a step for one loader or several: from ``{"A": [a, ...], "B": [b, ...]}`` ``[{"A": a, "B": b}, ...]``.

    Args:
        loaders: The trainer's ``train_dataloader``: a :class:`StepBatches`, or a dictionary or list of them.
        lists: What these have yielded for one step.
    """
    if isinstance(loaders, Mapping) and isinstance(lists, Mapping):
        parts = [join_loaders(loaders[name], lists[name]) for name in loaders]
        return [NamedLoaderBatches(zip(loaders, each, strict=True)) for each in zip(*parts, strict=True)]
    if isinstance(loaders, tuple | list) and len(loaders) == len(lists):
        parts = [join_loaders(*both) for both in zip(loaders, lists, strict=True)]
        return [LoaderBatches(each) for each in zip(*parts, strict=True)]
    return lists


def batches_of(loaders: Any) -> Iterator[Any]:
    """Iterate over single batches of a loader, of :class:`StepBatches`, or of several loaders together."""
    if isinstance(loaders, StepBatches):
        # Not the lists of a step: pictures want single batches.
        yield from loaders.loader
    elif isinstance(loaders, Mapping):
        for each in zip(*map(batches_of, loaders.values()), strict=False):
            yield dict(zip(loaders, each, strict=True))
    elif isinstance(loaders, tuple | list):
        for each in zip(*map(batches_of, loaders), strict=False):
            yield list(each)
    else:
        yield from loaders


def gather_step_batches(trainer: Trainer, size: int) -> None:
    """Make the trainer yield lists of ``size`` training batches, whatever loader it is given.

    Loader workers ignore stop signals: the run stops between two steps and needs them until then.

    ``Strategy.process_dataloader`` is Lightning's hook to wrap a loader. It runs after a distributed sampler has been
    inserted, so the ranks share the data as usual.
    """

    def layer(process_dataloader: Callable[..., Any]) -> Callable[..., Any]:
        def process_and_gather(loader: object) -> object:
            # Lightning's own work first, which may put a distributed sampler into the loader.
            loader = process_dataloader(loader)
            shield_workers(loader)
            # A tuner has loaders for validation made in the midst of training, when those for training are there.
            missing = trainer.train_dataloader is None or reloads_train_loader(trainer)
            return StepBatches(loader, size) if trainer.training and missing else loader

        return process_and_gather

    replace_method(trainer.strategy, "process_dataloader", "batches of a step", layer)


def batch_sizes(loader: Any) -> set[int]:
    """Batch sizes that a loader yields in an epoch; empty if the loader has no ``batch_size``."""
    size = loader.size if isinstance(loader, StepBatches) else 1
    loader = loader.loader if isinstance(loader, StepBatches) else loader
    usual, images = getattr(loader, "batch_size", None), length_of(getattr(loader, "sampler", None))
    if not isinstance(usual, int):
        return set()
    if images is None or images < usual or getattr(loader, "drop_last", False):
        return {usual}
    # The last batch is dropped with an incomplete list, unless it completes one.
    last = images % usual
    return {usual, last} if last and (images // usual + 1) % size == 0 else {usual}
