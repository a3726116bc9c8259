"""Named scalars that a loss or a layer reports and callbacks read; computed only if a callback wants them.

In a loss or a layer::

    if is_wanted("discriminator/mean_real"):
        report("discriminator/mean_real", real.mean())

and in a callback, around the steps that it watches, ``listen(function)`` and ``stop_listening(function)``.
:class:`~gan_lightning.callbacks.TrainingHealth` logs all that is reported. Report from eager code: ``torch.compile``
would make the question part of the graph.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

Listener = Callable[[str, Tensor], None]
"""Called with a value's name, as it stands in the log after ``train/``, and the value, a scalar without gradient."""

# State of the module, since losses are pure functions and know no game, trainer or callback.
_listeners: dict[Listener, frozenset[str]] = {}
_discriminators: list[str] = []


def listen(listener: Listener, *names: str) -> None:
    """Call a function with every value reported from now on.

    Args:
        listener: What is called; it must not change the value.
        names: Names that it is called for, those of all discriminators where there are several. None given: all.
    """
    _listeners[listener] = frozenset(names)


def stop_listening(listener: Listener) -> None:
    """Stop calling a function; no effect if it is not listening."""
    _listeners.pop(listener, None)


@contextmanager
def without_reports() -> Iterator[None]:
    """Report nothing within it, such as in steps that are only simulated (unrolled GAN)."""
    kept = _listeners.copy()
    _listeners.clear()
    try:
        yield
    finally:
        _listeners.update(kept)


nobody_listens = without_reports
"""Its name until 0.3."""


def is_wanted(*names: str) -> bool:
    """Whether a listener wants one of these names; check it before computing a value for the report alone."""
    return any(not wanted or not wanted.isdisjoint(names) for wanted in _listeners.values())


def report(name: str, value: Tensor) -> None:
    """Pass a scalar to the listeners of its name, without reading it off the device.

    Args:
        name: Such as ``discriminator/accuracy_real``. Within :func:`judge_named` that name is added: ``..._A``.
        value: A tensor without dimensions. If several are reported in a step, the log has the last one.

    Raises:
        ValueError: It has dimensions.
    """
    if value.ndim > 0:
        raise ValueError(f"{name} is reported in the shape {tuple(value.shape)}: it must be a scalar.")
    # Reports are made in every step, mostly with nobody there.
    if not _listeners:
        return
    full = "_".join((name, *_discriminators))
    # A copy: a listener may stop listening.
    for listener, wanted in [*_listeners.items()]:
        if not wanted or name in wanted:
            listener(full, value.detach())


@contextmanager
def judge_named(name: str) -> Iterator[None]:
    """Name the discriminator whose loss is computed within, in a game that has several."""
    _discriminators.append(name)
    try:
        yield
    finally:
        _discriminators.pop()
