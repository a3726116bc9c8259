"""Random numbers as a function of named integers, so that a run can be continued exactly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def fold(*parts: int) -> int:
    """Mix integers, for example ``(seed, step, rank)``, into one well-spread 63-bit seed."""
    state = np.random.SeedSequence([part % 2**64 for part in parts]).generate_state(1, np.uint64)
    return int(state[0]) % 2**63


def seed_draws(seed: int, device: torch.device) -> None:
    """Let all draws on the CPU and on a device follow from a seed, like ``torch.manual_seed``.

    That one also notes the seed for every kind of device that the process has not used, with the stack it was called
    from, which in a step of a small game is felt.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def indexed_normal(start: int, stop: int, dim: int, seed: int, block: int = 256) -> Tensor:
    """Standard normal vectors number ``start`` to ``stop - 1`` of the endless sequence that ``seed`` names.

    Vector ``i`` is the same whoever asks for it and with however many neighbours, so processes can share out
    one set of samples and a longer set begins with the shorter one.

    Returns:
        ``stop - start`` x ``dim`` on the CPU, float32.
    """
    return _indexed(torch.randn, start, stop, dim, seed, block)


def indexed_uniform(start: int, stop: int, dim: int, seed: int, block: int = 256) -> Tensor:
    """The same for vectors that are uniform in [0, 1)."""
    return _indexed(torch.rand, start, stop, dim, seed, block)


def _indexed(draw: Callable[..., Tensor], start: int, stop: int, dim: int, seed: int, block: int) -> Tensor:
    blocks = []
    for number in range(start // block, (stop + block - 1) // block):
        generator = torch.Generator().manual_seed(fold(seed, number))
        # Whatever the default type: within a step of Lightning's "bf16-true" it is bfloat16.
        blocks.append(draw(block, dim, generator=generator, dtype=torch.float32))
    offset = start - start // block * block
    return torch.cat(blocks)[offset : offset + stop - start] if blocks else torch.empty(0, dim, dtype=torch.float32)


def slerp(start: Tensor, end: Tensor, way: float) -> Tensor:
    """The vectors that are ``way`` (0 to 1) of the angle from ``start`` to ``end``, N x d each.

    ``sin((1 - t) a) / sin(a) * start + sin(t a) / sin(a) * end``, a the angle between the two (Shoemake, 1985).
    """
    cosine = torch.cosine_similarity(start, end, dim=1).clamp(-1, 1)
    angle = cosine.arccos()[:, None].clamp(min=1e-6)
    # Divided first, the weights are exactly 1 and 0 at the ends, so that a way begins and ends with the very vectors.
    return ((1 - way) * angle).sin() / angle.sin() * start + (way * angle).sin() / angle.sin() * end


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Draw from a sequence of its own; the one outside goes on where it stood."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**64)  # any integer names a sequence, as it does for `fold`
        yield
