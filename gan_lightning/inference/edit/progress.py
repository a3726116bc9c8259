"""Progress of long work: a bar on the terminal, and whoever else watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Watch = Callable[[int, int], None]
"""Called with the steps that are done and their number; what it raises ends the work."""


class _Watched:
    def __init__(self, bar: tqdm, watch: Watch | None) -> None:
        self._bar, self._watch, self._done = bar, watch, 0

    def update(self) -> None:
        self._bar.update()
        self._done += 1
        if self._watch is not None:
            self._watch(self._done, self._bar.total)


@contextmanager
def watched_bar(total: int, title: str, unit: str, watch: Watch | None = None) -> Iterator[_Watched]:
    """A progress bar of so many steps, whose ``update`` also calls ``watch``; there is none of no steps."""
    with tqdm(total=total, desc=title, unit=unit, disable=not total) as bar:
        yield _Watched(bar, watch)
