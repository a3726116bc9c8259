"""Ways to train faster, each by itself, that leave what is computed as it is, some but for rounding."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter

import torch
from torch import nn
from torch.optim import Optimizer

from gan_lightning.trainer.internals import cpu_multiplies_bf16, give_compiled_call, take_compiled_call
from gan_lightning.trainer.state_dict import is_wrapped

_FUSED_ON = ("cpu", "cuda", "mps", "xpu")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, without which it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_multiplies_bf16()


def keep_freed_memory() -> bool:
    """Let the process keep the memory that large tensors give back, for the next ones; where there is no glibc: False.

    glibc hands it back to the system and asks for it again in every step, which clears each page first.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        most = 2**31 - 1
        return libc.mallopt(_M_MMAP_THRESHOLD, most) == 1 and libc.mallopt(_M_TRIM_THRESHOLD, most) == 1
    except (OSError, AttributeError):
        return False


@torch.no_grad()
def lay_out(module: nn.Module, memory_format: torch.memory_format, optimizers: Iterable[Optimizer] = ()) -> None:
    """Lay the weights of convolutions out anew, in place, and with them what the optimisers remember of them.

    A fused optimiser goes through both side by side and does not look how they are laid out.

    Args:
        module: Its weights keep their identity and their values.
        memory_format: torch.channels_last or torch.contiguous_format.
        optimizers: Of these weights.
    """
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)
            if weight.grad is not None:
                weight.grad = weight.grad.contiguous(memory_format=memory_format)
    for optimizer in optimizers:
        lay_out_state(optimizer)


def lay_out_state(optimizer: Optimizer) -> None:
    """Lay out what an optimiser remembers of its weights as they are laid out themselves."""
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def fuse(optimizer: Optimizer) -> bool:
    """Let an Adam go through all weights in one pass.

    It goes through weights, gradients and moments side by side in memory, so from here on they must be laid out alike:
    weights with gaps stay as they are. So do other kinds, which torch fuses with limits: its SGD fails where a weight
    gets its first gradient late, and where one is sparse.

    Returns:
        Whether it does.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if not isinstance(optimizer, torch.optim.Adam) or not all(_can_be_fused(weight) for weight in weights):
        return False
    if any(group["differentiable"] for group in optimizer.param_groups):
        return False
    for group in optimizer.param_groups:
        group.update(fused=True, foreach=False)
        for weight in group["params"]:
            if isinstance(count := optimizer.state.get(weight, {}).get("step"), torch.Tensor):
                optimizer.state[weight]["step"] = count.to(weight.device)
    lay_out_state(optimizer)
    return True


def _can_be_fused(weight: torch.Tensor) -> bool:
    dense = torch.empty_like(weight).stride() == weight.stride()
    return dense and weight.is_floating_point() and weight.device.type in _FUSED_ON


@contextmanager
def eagerly(*players: nn.Module) -> Iterator[None]:
    """Run compiled players, or their parts, as they were written: compiled code has no second derivative."""
    parts = [part for player in players for part in (player, *player.children())]
    compiled = [(part, call) for part in parts if (call := take_compiled_call(part)) is not None]
    wrapped = any(is_wrapped(part) for part in parts)
    try:
        with torch.compiler.set_stance("force_eager") if wrapped else nullcontext():
            yield
    finally:
        for part, call in compiled:
            give_compiled_call(part, call)


def seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """How long the work takes: the fastest of some repeats, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(perf_counter() - start)
    return min(times[1:])
