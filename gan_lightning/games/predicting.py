"""Predictions of games that sample by number, and whose samples are no images."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gan_lightning.trainer.loader_batches import number_of_examples


class PredictsSamples:
    """Mixin of games with ``sample(n, seed, start)``: ``Trainer.predict`` makes a sample for each example of data."""

    _predicted = 0

    def predict_step(self: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """As many samples as the batch has examples, as :meth:`sample` returns them, all different over batches and
        ranks.
        """
        n = number_of_examples(batch)
        first = 0 if batch_idx == 0 and dataloader_idx == 0 else self._predicted
        self._predicted = first + n
        # Ranks take sequences of their own.
        samples: Tensor = self.sample(n, seed=self.global_rank, start=first)
        return samples
