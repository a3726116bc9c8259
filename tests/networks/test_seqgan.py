"""SeqGAN's networks, and the discriminator of GumbelGAN."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from gan_lightning.networks import LSTMDiscriminator, LSTMGenerator, TextCNN


def _parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_sizes_are_the_papers() -> None:
    with torch.device("meta"):
        assert _parameters(LSTMGenerator(5000, 20)) == 333_320
        assert _parameters(TextCNN(5000, 20)) == 7_045_402


def test_the_generator_is_an_lstm() -> None:
    """Against torch's, whose second bias is zero here."""
    mine = LSTMGenerator(7, 5, embed_dim=3, hidden=4, init_std=1.0)
    theirs = nn.LSTM(3, 4, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(mine.inputs.weight)
        theirs.bias_ih_l0.copy_(mine.inputs.bias)
        theirs.weight_hh_l0.copy_(mine.recurrent.weight)
        theirs.bias_hh_l0.zero_()
    tokens = torch.randint(0, 7, (6, 5))
    shifted = F.pad(tokens[:, :-1], (1, 0))  # token 0 is the start
    hidden, _ = theirs(mine.embedding(shifted))
    assert_close(mine(tokens), mine.output(hidden))


def test_steps_and_one_hot_vectors_give_the_same_logits() -> None:
    network = LSTMGenerator(7, 5, embed_dim=3, hidden=4, init_std=1.0)
    tokens = torch.randint(0, 7, (6, 5))
    expected = network(tokens)
    one_hot = F.one_hot(tokens, 7).float()
    assert_close(network(one_hot), expected)
    for given in (tokens, one_hot):
        token, state = torch.zeros_like(given[:, 0]), network.start(6)
        if given.ndim == 3:
            token[:, 0] = 1
        for place in range(5):
            logits, state = network.step(token, state)
            assert_close(logits, expected[:, place])
            token = given[:, place]


def test_first_weights_have_the_deviation_asked_for() -> None:
    network = LSTMGenerator(500, 5, init_std=0.1)
    assert float(network.output.weight.detach().std()) == pytest.approx(0.1, rel=0.05)
    assert float(network.embedding.weight.detach().std()) == pytest.approx(0.1, rel=0.05)


def test_the_convolutions_see_runs_of_tokens() -> None:
    """Worked step by step with dot products in place of convolutions."""
    network = TextCNN(6, 4, embed_dim=3, widths=(1, 3), filters=(2, 4)).eval()
    tokens = torch.tensor([[1, 5, 2, 0]])
    vectors = network.embedding.weight[tokens[0]]  # 4 x 3
    features = []
    for layer, width in zip(network.convolutions, (1, 3), strict=True):
        for weight, bias in zip(layer.weight, layer.bias, strict=True):  # 3 x width
            scores = [(vectors[i : i + width].T * weight).sum() + bias for i in range(4 - width + 1)]
            features.append(torch.stack(scores).max().clamp(min=0))
    x = torch.stack(features)
    t = torch.sigmoid(network.gate.weight @ x)
    x = t * (network.transform.weight @ x).clamp(min=0) + (1 - t) * x
    fake, real = network.output.weight @ x + network.output.bias
    assert_close(network(tokens), (real - fake)[None])
    assert_close(network(F.one_hot(tokens, 6).float()), network(tokens))


def test_convolutions_wider_than_a_sequence_are_left_out() -> None:
    assert [layer.kernel_size for layer in TextCNN(9, 3).convolutions] == [(1,), (2,), (3,)]
    with pytest.raises(ValueError, match="no convolution fits into 3 tokens"):
        TextCNN(9, 3, widths=(4, 5), filters=(1, 1))
    with pytest.raises(ValueError, match="each width needs a number of filters"):
        TextCNN(9, 3, widths=(1, 2), filters=(1,))


def test_the_recurrent_discriminator_reads_to_the_end() -> None:
    network = LSTMDiscriminator(6, 4, embed_dim=3, hidden=5)
    tokens = torch.tensor([[1, 5, 2, 0], [2, 5, 2, 0], [1, 5, 2, 3]])
    logits = network(tokens)
    assert logits.shape == (3,)
    assert_close(network(F.one_hot(tokens, 6).float()), logits)
    assert len(logits.unique()) == 3  # the first token counts, and so does the last
