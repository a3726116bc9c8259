"""Quality and variety of generated sequences, during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from gan_lightning.arguments.ranges import check_seed, check_whole
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.games.sequence import SequenceGame
from gan_lightning.metrics.text import bleu, copied_ngrams, copied_texts, distinct_texts, self_bleu, validity
from gan_lightning.trainer.processes import on_rank_zero

_LARGEST = 5
_COPIED = 4
_OF_TEXTS = [
    *(f"{kind}_{n}" for kind in ("bleu", "self_bleu") for n in range(2, _LARGEST + 1)),
    f"copied_{_COPIED}grams",
    "copied_texts",
    "distinct_texts",
]


class SequenceQuality(Measurement):
    """Measures the samples of a game of sequences, and logs ``val/nll`` and others.

    - ``nll``: mean ``-log p`` of held-out tokens under the generator: how much of the data it can make.
    - ``nll_oracle``: mean ``-log p`` of the samples' tokens under the network that drew the data, where that is known
      (``SyntheticOracleDataModule``): how good samples are, however alike.
    - ``bleu_2`` to ``bleu_5`` of samples against held-out texts; ``self_bleu_2`` to ``self_bleu_5`` among samples,
      which rise as their variety goes; ``copied_4grams`` and ``copied_texts``, the shares of four neighbouring words
      and of whole samples that are in the training texts; ``distinct_texts``, the share of samples that differ. These
      are of games with a tokenizer, by words, even where tokens are characters.
    - ``validity``: share of samples that the data's grammar allows, where the data module has ``is_valid``.

    The samples are those of ``sample()``, of the same random numbers every time.

    Args:
        num_samples: How many samples.
        num_real: Held-out and training sequences that are looked at, each at most so many, evenly spread.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        seed: Of the samples.

    Raises:
        ValueError: An argument is out of its range, the model makes no sequences, or the data module has no splits.
    """

    def __init__(
        self, num_samples: int = 1000, num_real: int = 10_000, every_n_steps: int | None = None, seed: int = 0
    ) -> None:
        super().__init__(every_n_steps)
        check_whole(2, num_samples=num_samples)
        check_whole(1, num_real=num_real)
        check_seed(seed=seed)
        self.num_samples = num_samples
        self.num_real = num_real
        self.seed = seed
        self._names: list[str] = []

    @property
    def names(self) -> list[str]:
        return self._names

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            return
        data: Any = getattr(trainer, "datamodule", None)
        if not isinstance(pl_module, SequenceGame):
            raise ValueError(f"SequenceQuality measures sequences, and {type(pl_module).__name__} makes none.")
        if not hasattr(data, "splits"):
            raise ValueError(
                "SequenceQuality compares samples with the data's texts: give the trainer a data module that has "
                "them, such as TextLinesDataModule."
            )
        self._names = [
            "nll",
            *(["nll_oracle"] if hasattr(data, "oracle") else []),
            *(_OF_TEXTS if pl_module.tokenizer is not None else []),
            *(["validity"] if hasattr(data, "is_valid") else []),
        ]
        super().setup(trainer, pl_module, stage)

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        # Rank 0 measures and broadcasts: the samples are the same on all ranks.
        return on_rank_zero(lambda: self._scores(trainer.datamodule, game))  # type: ignore[attr-defined]

    def _scores(self, data: Any, game: SequenceGame) -> dict[str, float]:
        samples = game.sample(self.num_samples, seed=self.seed)
        splits = data.splits
        held_out = _some(next((each for each in (splits.val, splits.test) if len(each)), splits.train), self.num_real)
        scores = {"nll": game.negative_log_likelihood(held_out)}
        if "nll_oracle" in self._names:
            scores["nll_oracle"] = data.oracle.negative_log_likelihood(samples)
        if "validity" in self._names:
            scores["validity"] = validity(game.texts_of(samples), data.is_valid)
        if game.tokenizer is not None:
            training = _some(splits.train, self.num_real)
            scores |= text_scores(*(game.texts_of(each) for each in (samples, held_out, training)))
        return scores


def text_scores(samples: Sequence[str], held_out: Sequence[str], training: Sequence[str]) -> dict[str, float]:
    """Measures of texts by words; see :class:`SequenceQuality`.

    Args:
        samples: Generated texts, two at least.
        held_out: References.
        training: Texts that samples may be copies of.
    """
    words, references, known = ([text.split() for text in texts] for texts in (samples, held_out, training))
    scores = [*bleu(words, references, _LARGEST)[1:], *self_bleu(words, _LARGEST)[1:]]
    scores += [copied_ngrams(words, known, _COPIED), copied_texts(words, known), distinct_texts(words)]
    return dict(zip(_OF_TEXTS, scores, strict=True))


def _some(source: Any, most: int) -> Tensor:
    """At most so many sequences of a split, evenly spread."""
    n = min(len(source), most)
    places = torch.arange(n) * len(source) // n
    return torch.cat([*source.image_batches([*places.split(256)])])
