"""Share batches between ranks and gather their results. Without a process group there is one rank.

Batch ``k`` goes to rank ``k % world_size``. Batches are never split, so features are bit-identical for any number of
ranks.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")


def rank_and_size() -> tuple[int, int]:
    """Rank of this process, and the number of ranks."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def share(batches: Sequence[Tensor], rank: int, world_size: int) -> Sequence[Tensor]:
    """Batches of one rank."""
    return batches[rank::world_size]


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum of a tensor over all ranks, on every rank. Collective."""
    if rank_and_size()[1] > 1:
        # all_reduce works in place, and the caller keeps its own share.
        tensor = tensor.clone()
        distributed.all_reduce(tensor)
    return tensor


def gather_rows(rows: Tensor, batches: Sequence[Tensor]) -> Tensor:
    """Gather the rows of all ranks in the order of the images. Collective.

    Args:
        rows: One for each image of this rank's share of ``batches``, n x d.
        batches: All batches, as indices from 0 to N - 1.

    Returns:
        N x d, on every rank.
    """
    _, world_size = rank_and_size()
    if world_size == 1:
        return rows
    places = [torch.cat([*share(batches, rank, world_size), torch.empty(0).long()]) for rank in range(world_size)]
    # all_gather needs equal shapes: shares are padded to the longest one, and cut again below.
    padded = rows.new_zeros(max(map(len, places)), rows.shape[1])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(world_size)]
    distributed.all_gather(parts, padded)
    whole = rows.new_empty(sum(map(len, places)), rows.shape[1])
    for place, part in zip(places, parts, strict=True):
        whole[place.to(rows.device)] = part[: len(place)]
    return whole


def on_rank_zero(compute: Callable[[], T]) -> T:
    """Compute on rank 0 and broadcast the result, or raise its error on every rank. Collective."""
    rank, world_size = rank_and_size()
    if world_size == 1:
        return compute()
    answer: list[T | Exception | None] = [None]
    if rank == 0:
        try:
            answer = [compute()]
        except Exception as error:
            answer = [error]
    # An error is sent as well: without it the other ranks would wait for a result for ever.
    distributed.broadcast_object_list(answer)
    if isinstance(answer[0], Exception):
        raise answer[0]
    return answer[0]  # type: ignore[return-value]
