"""Options for faster training: memory format, fused Adam, kept memory. Results differ by rounding at most."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter, process_time

import torch
from torch import nn
from torch.optim import Optimizer

from gan_lightning.trainer.internals import cpu_multiplies_bf16, disable_compiled_call, restore_compiled_call
from gan_lightning.trainer.state_dict import is_wrapped

_FUSED_ON = ("cpu", "cuda", "mps", "xpu")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def multiplies_bf16(device: torch.device) -> bool:
    """Whether the device has bfloat16 instructions; without them bfloat16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and cpu_multiplies_bf16()


def keep_freed_memory() -> bool:
    """Let malloc keep the freed memory of large tensors for the next ones. Returns False without glibc.

    glibc returns it to the system and requests it again in every step, which zeroes each page. What is free now goes
    back once more, for it lies in the gaps between what was made so far, and not where the next tensors will.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.malloc_trim(0)
        most = 2**31 - 1
        return libc.mallopt(_M_MMAP_THRESHOLD, most) == 1 and libc.mallopt(_M_TRIM_THRESHOLD, most) == 1
    except (OSError, AttributeError):
        return False


@torch.no_grad()
def lay_out(module: nn.Module, memory_format: torch.memory_format, optimizers: Iterable[Optimizer] = ()) -> None:
    """Change the memory format of convolutions' weights in place, and of their optimiser states.

    A fused optimiser reads both in memory order and does not check that their formats agree.

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
    """Give an optimiser's states the strides of their weights."""
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def fuse(optimizer: Optimizer) -> bool:
    """Switch an Adam optimiser to its fused kernel, if its weights allow it.

    The kernel reads weights, gradients and moments in memory order, so they must have equal strides: weights with gaps
    stay unfused. So do other optimisers: torch's fused SGD fails where a weight gets its first gradient late or a
    sparse one.

    Returns:
        Whether it is fused now.
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
def running_eagerly(*players: nn.Module) -> Iterator[None]:
    """Run compiled networks, or their direct children, eagerly: compiled code has no double backward."""
    parts = [part for player in players for part in (player, *player.children())]
    compiled = [(part, call) for part in parts if (call := disable_compiled_call(part)) is not None]
    wrapped = any(is_wrapped(part) for part in parts)
    try:
        with torch.compiler.set_stance("force_eager") if wrapped else nullcontext():
            yield
    finally:
        for part, call in compiled:
            restore_compiled_call(part, call)


def seconds_of(work: Callable[[], object], device: torch.device, least: int = 2, most: int = 20) -> float:
    """Seconds of the fastest of some repeats: of CPU, over all threads, on a CPU; by the clock elsewhere.

    Other programs on the machine take from the clock, and hardly from the seconds of CPU of this process.

    Args:
        work: What is timed.
        device: Where it computes.
        least: Repeats of work that takes long.
        most: Repeats of work that takes no time; between the two, as many as go into a tenth of a second.
    """
    clock = process_time if device.type == "cpu" else perf_counter
    times: list[float] = []
    while len(times) < least or (len(times) < most and sum(times) < 0.1):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - start)
    return min(times)
