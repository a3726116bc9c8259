"""The oracle's data: a network in torch with the oracle's weights knows the same probabilities."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from datamodules import SyntheticOracleDataModule
from datamodules.components.oracle import Oracle
from gan_lightning.networks import LSTMGenerator

NAMES = {
    "embedding.weight": "embedding",
    "inputs.weight": "inputs",
    "inputs.bias": "bias",
    "recurrent.weight": "recurrent",
    "output.weight": "output",
    "output.bias": "output_bias",
}


def _in_torch(oracle: Oracle, n_tokens: int) -> LSTMGenerator:
    network = LSTMGenerator(n_tokens, oracle.max_tokens, embed_dim=4, hidden=5).double()
    network.load_state_dict({name: torch.from_numpy(oracle.weights[mine]) for name, mine in NAMES.items()})
    return network


def test_the_likelihood_is_that_of_the_network() -> None:
    oracle = Oracle(9, 6, embed_dim=4, hidden=5)
    tokens = oracle.draw(300, 0)
    logits = _in_torch(oracle, 9)(tokens)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())
    assert oracle.negative_log_likelihood(tokens) == pytest.approx(float(expected.detach()), rel=1e-9)


def test_sequences_are_drawn_from_it() -> None:
    """How often each first pair of tokens comes, against the chain rule."""
    oracle = Oracle(4, 3, embed_dim=4, hidden=5, seed=2)
    tokens = oracle.draw(20_000, 0)
    network = _in_torch(oracle, 4)
    pairs = torch.tensor([(a, b, 0) for a in range(4) for b in range(4)])
    logs = network(pairs).log_softmax(2).gather(2, pairs[..., None])[:, :2, 0].sum(1)
    found = torch.bincount(tokens[:, 0] * 4 + tokens[:, 1], minlength=16) / 20_000
    assert_close(found.double(), logs.exp().detach(), rtol=0, atol=0.015)


def test_sequences_are_a_function_of_seed_and_stream() -> None:
    oracle = Oracle(50, 5)
    assert torch.equal(oracle.draw(1500, 0)[:40], Oracle(50, 5).draw(40, 0))
    assert not torch.equal(oracle.draw(40, 0), oracle.draw(40, 1))
    assert not torch.equal(oracle.draw(40, 0), Oracle(50, 5, seed=1).draw(40, 0))
    assert np.std(oracle.weights["output"]) == pytest.approx(1, abs=0.05)


def test_the_data_module_gives_tokens() -> None:
    data = SyntheticOracleDataModule(n_tokens=20, max_tokens=6, train_size=50, val_size=10, batch_size=8)
    data.setup()
    assert (data.n_tokens, data.max_tokens) == (20, 6)
    batch = next(iter(data.train_dataloader()))
    assert batch.shape == (8, 6)
    assert [len(data.splits.train), len(data.splits.val), len(data.splits.test)] == [50, 10, 10]
    assert not torch.equal(data.splits.val.images, data.splits.test.images)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="n_tokens is 1"):
        SyntheticOracleDataModule(n_tokens=1)
