"""What holds for every test: one thread, random numbers and signal handlers of its own."""

import os
import random
import signal
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from unittest import mock

# Tiny networks gain nothing from a second thread, and two threads may sum in another order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

# What takes seconds to import is imported where it is used: the process that hands the tests out to others runs none.


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests first: what is left at the end is short, and no worker waits for another one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True, scope="session")
def _plugins_are_looked_for_once() -> Iterator[None]:
    """Lightning reads the entry points of every installed package for each trainer, which takes longer than a step."""
    from lightning.fabric.utilities import registry

    with mock.patch.object(registry, "entry_points", cache(registry.entry_points)):
        yield


@pytest.fixture(autouse=True)
def _own_random_numbers(request: pytest.FixtureRequest) -> None:
    """Seed by the test's name, so that it draws the same numbers alone, in any order and on any worker.

    ``GAN_LIGHTNING_TEST_SEED`` draws others: a bound that holds for one seed alone is no bound.
    """
    import numpy as np
    import torch

    name = request.node.nodeid + os.environ.get("GAN_LIGHTNING_TEST_SEED", "")
    seed = zlib.crc32(name.encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the libraries under test draw from it
    torch.manual_seed(seed)


@pytest.fixture(autouse=True)
def _own_signal_handlers() -> Iterator[None]:
    """Give the signals back: a test that lets a callback listen outside of a run leaves its handler behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell starts what runs in its background without one.
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _torchs_own_loaders() -> Iterator[None]:
    """Undo what Lightning leaves behind where a loader is asked for outside of a game's run, and there is an error."""
    from gan_lightning.trainer.internals import restore_loader_classes

    yield
    restore_loader_classes()


@pytest.fixture(autouse=True)
def _own_wandb() -> None:
    """End what an earlier test has begun: W&B keeps the environment, and its run, for the whole process."""
    if wandb := sys.modules.get("wandb"):
        wandb.finish()
        wandb.teardown()
