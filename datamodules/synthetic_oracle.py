"""Sequences that a known random network has drawn, for experiments on sequence GANs."""

from datamodules.base import SplitDataModule, Splits, check_at_least
from datamodules.components.loading import TensorImages
from datamodules.components.oracle import Oracle

_TRAIN_STREAM, _VAL_STREAM, _TEST_STREAM = 0, 1, 2


class SyntheticOracleDataModule(SplitDataModule):
    """Sequences of a fixed random LSTM, the oracle, which says how probable any sequence is (SeqGAN, arXiv 1609.05473).

    So a generator can be judged by what real data never tell: the probability of its samples under the distribution
    that it learns; see the callback ``SequenceQuality``. Batches are tokens, int64, N x ``max_tokens``.

    Args:
        n_tokens: Size of the vocabulary; 5,000 in the paper.
        max_tokens: Length of the sequences; 20 in the paper.
        embed_dim: Length of a token's vector in the oracle.
        hidden: Length of its state.
        train_size: Sequences for training.
        val_size: Sequences for validation, and as many for testing.
        batch_size: Sequences in a batch, in each process.
        oracle_seed: Which oracle, and which sequences.
        seed: The order of the training sequences is a function of this seed and the epoch.

    Attributes:
        oracle: See above.

    Raises:
        ValueError: An argument is out of its range.
    """

    examples = "sequences"

    def __init__(
        self,
        n_tokens: int = 5000,
        max_tokens: int = 20,
        embed_dim: int = 32,
        hidden: int = 32,
        train_size: int = 10_000,
        val_size: int = 1000,
        batch_size: int = 64,
        oracle_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        check_at_least(2, n_tokens=n_tokens)
        check_at_least(1, max_tokens=max_tokens, embed_dim=embed_dim, hidden=hidden)
        check_at_least(1, train_size=train_size, val_size=val_size)
        check_at_least(0, oracle_seed=oracle_seed)
        self.n_tokens = n_tokens
        self.max_tokens = max_tokens
        self.sizes = {_TRAIN_STREAM: train_size, _VAL_STREAM: val_size, _TEST_STREAM: val_size}
        self.oracle = Oracle(n_tokens, max_tokens, embed_dim, hidden, oracle_seed)

    @property
    def location(self) -> str:
        return "the oracle's data"

    def load_splits(self) -> Splits:
        return Splits(*(TensorImages(self.oracle.draw(size, stream), None) for stream, size in self.sizes.items()))
