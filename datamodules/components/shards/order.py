"""Shuffled order of streamed shards in which one process reads each shard once."""

from typing import Any

import numpy as np
from torch import Tensor

from datamodules.components.loading import ORDER_STREAM, EpochOrder


class ShardOrder(EpochOrder):
    """A shuffled order in which every process reads its own shards, one after the other: a function of (seed, epoch).

    The shards are shuffled, and the images within each; the row of images is cut into as many equal lanes as there
    are processes, so that two processes share no shard but those that a cut goes through; and each lane is shuffled
    once more in windows of ``buffer`` images. Fewer images than processes are left out, others in every epoch. As in
    ``EpochOrder``, position p belongs to process p % world_size, and is of lane p % lanes.

    An epoch keeps the lanes that it began with: continued by another number of processes, it still takes each image
    once, only that those processes then share the shards. The next epoch has a lane for each of them.

    Args:
        size: Number of images.
        shard_size: Images in a shard; the last may have fewer.
        buffer: Images in a window.
        seed: At least 0.
        rank: This process, below world_size.
        world_size: Number of processes.
    """

    def __init__(
        self, size: int, shard_size: int, buffer: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__(size, True, seed, rank, world_size)
        self.shard_size = shard_size
        self.buffer = buffer
        self.lanes = world_size

    def set_epoch(self, epoch: int) -> None:
        # A resumed epoch sets its own number once more, and keeps the lanes that it began with.
        if epoch != self.epoch:
            self.lanes = self.world_size
        super().set_epoch(epoch)

    def indices(self) -> Tensor:
        draws = self._draws(ORDER_STREAM)
        shards = [
            np.arange(start, min(start + self.shard_size, self.size))
            for start in draws.permutation(range(0, self.size, self.shard_size))
        ]
        # 1. Shuffled shards, shuffled images in each, as one row.
        row = np.concatenate([draws.permutation(shard) for shard in shards])
        # 2. One lane for each process: lanes x images.
        # A lane is a stretch of the row and not every n-th image: so a process has few shards open.
        lanes = row[: self.size - self.size % self.lanes].reshape(self.lanes, -1)
        # 3. Shuffle once more within windows of ``buffer`` images, across shards.
        for start in range(0, lanes.shape[1], self.buffer):
            window = lanes[:, start : start + self.buffer]
            window[...] = draws.permuted(window, axis=1)
        # Transposed: position p belongs to process p % world_size.
        return self._share(lanes.T.reshape(-1))

    def identity(self) -> dict[str, int]:
        # Another buffer is another order: a position in the old one would mean nothing.
        return {**super().identity(), "shard_size": self.shard_size, "shuffle_buffer": self.buffer}

    def state_dict(self) -> dict[str, int]:
        return {**super().state_dict(), "lanes": self.lanes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.lanes = state["lanes"]

    @property
    def _end(self) -> int:
        in_lanes = self.size - self.size % self.lanes
        return in_lanes - in_lanes % self.world_size
