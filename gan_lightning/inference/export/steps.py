"""A progress bar of named steps, and the silence of what is done in them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def steps(title: str, *names: str) -> Iterator[Callable[[], None]]:
    """Show how far work is that has some steps of unlike length.

    Returns:
        What is to be called at the beginning of each step.
    """
    left = iter(enumerate(names))
    with tqdm(total=len(names), desc=title, unit="step", leave=False, disable=None) as bar:

        def step() -> None:
            done, name = next(left)
            bar.update(done - bar.n)
            bar.set_postfix_str(name)

        yield step


@contextmanager
def without_remarks() -> Iterator[None]:
    """Leave out the warnings of torch's exporters, which are about their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
