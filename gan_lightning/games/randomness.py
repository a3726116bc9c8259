"""Random numbers as a function of named integers, so that a run can be continued exactly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def fold(*parts: int) -> int:
    """Mix integers, for example ``(seed, step, rank)``, into one well-spread 63-bit seed."""
    # SeedSequence spreads neighbouring numbers: seeds 0 and 1, or steps 1 and 2, give unrelated draws.
    state = np.random.SeedSequence([part % 2**64 for part in parts]).generate_state(1, np.uint64)
    return int(state[0]) % 2**63


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed the generators of the CPU and of a device, as ``torch.manual_seed`` does.

    On a CPU this is faster: torch.manual_seed also records the seed, with a stack trace, for device types not in use.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def indexed_normal(start: int, stop: int, dim: int, seed: int, block: int = 256) -> Tensor:
    """Standard normal vectors ``start`` to ``stop - 1`` of an infinite sequence given by ``seed``.

    Vector ``i`` depends on the seed and ``i`` alone, so ranks can divide a set of samples among them, and a longer set
    begins with the shorter one.

    Returns:
        ``stop - start`` x ``dim`` on the CPU, float32.
    """
    return _indexed(torch.randn, start, stop, dim, seed, block)


def indexed_uniform(start: int, stop: int, dim: int, seed: int, block: int = 256) -> Tensor:
    """Vectors uniform in [0, 1), otherwise as :func:`indexed_normal`."""
    return _indexed(torch.rand, start, stop, dim, seed, block)


def _indexed(draw: Callable[..., Tensor], start: int, stop: int, dim: int, seed: int, block: int) -> Tensor:
    # A block of vectors has a generator of its own, seeded by its number: none before it need be drawn.
    blocks = []
    for number in range(start // block, (stop + block - 1) // block):
        generator = torch.Generator().manual_seed(fold(seed, number))
        # float32 explicitly: within a step of Lightning's "bf16-true" the default dtype is bfloat16.
        blocks.append(draw(block, dim, generator=generator, dtype=torch.float32))
    offset = start - start // block * block
    return torch.cat(blocks)[offset : offset + stop - start] if blocks else torch.empty(0, dim, dtype=torch.float32)


def truncated_normal(normal: Tensor, limit: float) -> Tensor:
    """Map standard normal numbers to truncated ones, in [-limit, limit].

    The distribution is that of normal numbers drawn again until they lie within (Brock et al., 2019, arXiv 1809.11096):
    each number goes to the same quantile of it, ``Q(p + (1 - 2 p) P(z))`` with ``p = P(-limit)``. So the numbers of a
    sequence remain a function of its seed, and another limit moves each a little way.

    Args:
        normal: Of any shape.
        limit: Greater than 0.
    """
    # In float64: of the smallest limits P takes values that agree in many digits.
    outside = torch.special.ndtr(torch.tensor(-limit, dtype=torch.float64)).item()
    places = outside + (1 - 2 * outside) * torch.special.ndtr(normal.double())
    return torch.special.ndtri(places).clamp(-limit, limit).to(normal.dtype)


def slerp(start: Tensor, end: Tensor, way: float | Tensor) -> Tensor:
    """Interpolate on the sphere from ``start`` (``way`` 0) to ``end`` (``way`` 1), N x d each; a way or N x 1 of them.

    ``sin((1 - t) a) / sin(a) * start + sin(t a) / sin(a) * end``, a the angle between the two (Shoemake, 1985).
    """
    # The angle is clamped away from 0, where sin(a) would divide by 0: parallel vectors are interpolated linearly.
    cosine = torch.cosine_similarity(start, end, dim=1).clamp(-1, 1)
    angle = cosine.arccos()[:, None].clamp(min=1e-6)
    # Divided first, the weights at the ends are exactly 1 and 0, and so the ends are the given vectors bit for bit.
    return ((1 - way) * angle).sin() / angle.sin() * start + (way * angle).sin() / angle.sin() * end


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the random number generators within, and restore them afterwards."""
    # The CPU's generator is always among those that are restored.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**64)  # any integer is a seed, as for `fold`
        yield
