"""How often the discriminator is right, overheard where its loss is computed, so that nothing is computed twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

Listener = Callable[[Tensor, Tensor], None]
"""Is told the shares, scalars from 0 to 1, of real and of fake images that were taken for what they are."""

listeners: list[Listener] = []
_names: list[str] = []


@contextmanager
def judge_named(name: str) -> Iterator[None]:
    """Say whose outputs :func:`judged` is given here, in a game of several discriminators."""
    _names.append(name)
    try:
        yield
    finally:
        _names.pop()


@contextmanager
def unheard() -> Iterator[None]:
    """Keep from the listeners what is judged only in thought."""
    kept = listeners.copy()
    listeners.clear()
    try:
        yield
    finally:
        listeners.extend(kept)


def name_of_judge() -> str:
    """The name of the discriminator that a listener is told of, '' where there is only one."""
    return "_".join(_names)


def judged(real: Tensor, fake: Tensor, boundary: float | None = None, real_is_higher: bool = True) -> None:
    """Tell the listeners, if there are any, how often a discriminator is right.

    Call it where a discriminator's loss has its outputs. An image with several outputs, such as patches, is judged by
    their mean.

    Args:
        real: Outputs on real images, N x ...
        fake: Outputs on generated images, N x ...
        boundary: Between real and fake: where a sigmoid is 1/2, half-way between two targets. None, for critics and
            energies, which have none: half-way between the batch's mean real and mean fake output.
        real_is_higher: Whether the outputs of real images are to be higher than those of fakes.
    """
    if not listeners:
        return
    real, fake = (outputs.detach().reshape(len(outputs), -1).float().mean(dim=1) for outputs in (real, fake))
    limit = (real.mean() + fake.mean()) / 2 if boundary is None else boundary
    if not real_is_higher:
        real, fake, limit = -real, -fake, -limit
    for listener in listeners:
        listener((real > limit).float().mean(), (fake < limit).float().mean())
