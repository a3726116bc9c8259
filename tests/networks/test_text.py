"""Encoders of texts and images against torch's own layers and a forward pass worked out in plain functions."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

from gan_lightning.networks import BagOfWords, CharCNNRNN, ConvImageEncoder, LSTMTextEncoder
from gan_lightning.networks.text import PADDING
from tests.helpers.parameters import n_parameters

TOKENS = torch.tensor([[4, 2, 7, 3, 5], [6, 0, 0, 0, 0], [3, 3, 2, 0, 0], [5, 4, 0, 0, 0]])
LENGTHS = torch.tensor([5, 1, 3, 2])


def test_the_lstm_is_torchs_bidirectional_one_on_packed_sequences() -> None:
    torch.manual_seed(0)
    encoder = LSTMTextEncoder(8, embed_dim=6, word_dim=4).eval()
    reference = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for suffix, own in {"": encoder.ahead, "_reverse": encoder.back}.items():
            for name, weight in own.named_parameters():
                getattr(reference, name + suffix).copy_(weight)
    packed = pack_padded_sequence(encoder.embedding(TOKENS), LENGTHS, batch_first=True, enforce_sorted=False)
    states, (last, _) = reference(packed)
    words, _ = pad_packed_sequence(states, batch_first=True)
    text = encoder(TOKENS)
    assert_close(text.words, words.transpose(1, 2))
    assert_close(text.sentence, torch.cat([*last], dim=1))
    assert torch.equal(text.mask, torch.arange(5) < LENGTHS[:, None])


def test_padding_does_not_change_a_text() -> None:
    torch.manual_seed(0)
    for encoder in (LSTMTextEncoder(8, embed_dim=6, word_dim=4).eval(), BagOfWords(8, 6)):
        long, short = encoder(F.pad(TOKENS, (0, 4))), encoder(TOKENS)
        assert_close(long.sentence, short.sentence)
        assert_close(long.words[:, :, :5], short.words)
        assert not long.words[:, :, 5:].any()
        assert not long.mask[:, 5:].any()


def test_an_lstm_without_a_word_is_finite_and_an_odd_length_is_refused() -> None:
    encoder = LSTMTextEncoder(8, embed_dim=6)
    assert torch.isfinite(encoder(torch.full((2, 3), PADDING)).sentence).all()
    with pytest.raises(ValueError, match=r"^embed_dim is 5: it must be even"):
        LSTMTextEncoder(8, embed_dim=5)


def test_published_sizes() -> None:
    # DAMSM's for birds: 5,450 words of 300, two LSTMs of 128: 4 x 128 x (300 + 128 + 2) each.
    assert n_parameters(LSTMTextEncoder(5450)) == 5450 * 300 + 2 * 4 * 128 * (300 + 128 + 2)
    # Reed et al.'s HybridCNN on 70 characters: convolutions, recurrence, the last layer.
    convolutions = (70 * 4 + 1) * 384 + (384 * 4 + 1) * 512 + (512 * 4 + 1) * 256
    assert n_parameters(CharCNNRNN(72)) == convolutions + 2 * (256 + 1) * 256 + (256 + 1) * 1024 == 1_814_144


def test_the_bag_of_words_is_the_sum_over_the_root_of_the_number() -> None:
    encoder = BagOfWords(9, 256)
    text = encoder(TOKENS)
    table = encoder.table
    assert_close(text.sentence[2], (2 * table[3] + table[2]) / 3**0.5)
    assert_close(text.words[1, :, 0], table[6])
    # The same vectors in every run, nearly orthogonal.
    torch.manual_seed(5)
    assert torch.equal(BagOfWords(9, 256).table, table)
    cosines = torch.corrcoef(table) - torch.eye(9)
    assert float(cosines.abs().max()) < 5 / 256**0.5
    assert not [*encoder.parameters()]


def test_the_char_cnn_rnn_against_plain_functions() -> None:
    torch.manual_seed(0)
    encoder = CharCNNRNN(6, embed_dim=5, width=8)
    tokens = torch.randint(0, 6, (3, 201))
    x = F.one_hot(tokens, 6).float()[:, :, 2:].transpose(1, 2)
    for layer, stride in ((0, 3), (3, 3), (6, 2)):
        weights = encoder.convolutions[layer]
        x = F.max_pool1d(F.conv1d(x, weights.weight, weights.bias).relu(), 3, stride)
    assert x.shape == (3, 4, 8)  # the authors' code has 8 steps too
    h = (x[:, :, 0] @ encoder.input.weight.T + encoder.input.bias).relu()
    mean = h / 8
    for step in range(1, 8):
        past = h @ encoder.hidden.weight.T + encoder.hidden.bias
        h = (x[:, :, step] @ encoder.input.weight.T + encoder.input.bias + past).relu()
        mean = mean + h / 8
    text = encoder(tokens)
    assert_close(text.sentence, mean @ encoder.output.weight.T + encoder.output.bias)
    assert text.words.shape == (3, 5, 8)
    assert_close(text.words[:, :, -1], h @ encoder.output.weight.T + encoder.output.bias)
    assert text.mask.shape == (3, 8)


def test_the_shortest_text_of_characters() -> None:
    encoder = CharCNNRNN(6, width=8)
    assert encoder(torch.zeros(1, encoder.shortest, dtype=torch.int64)).words.shape[2] == 1
    with pytest.raises(ValueError, match=r"^CharCNNRNN needs texts of 66 characters at least, and these have 65: set"):
        encoder(torch.zeros(1, encoder.shortest - 1, dtype=torch.int64))


def test_the_image_encoder_gives_regions_and_a_whole() -> None:
    torch.manual_seed(0)
    encoder = ConvImageEncoder((3, 32, 48), 10, width=4)
    images = torch.randn(5, 3, 32, 48)
    regions, whole = encoder(images)
    assert regions.shape == (5, 10, 4, 6)
    assert whole.shape == (5, 10)
    # Of each image alone.
    assert_close(encoder(images[2:3])[1], whole[2:3])


def test_scaled_features_are_the_same_text() -> None:
    torch.manual_seed(0)
    plain = LSTMTextEncoder(9, embed_dim=6, word_dim=4).eval()
    scaled = LSTMTextEncoder(9, embed_dim=6, word_dim=4, scale=20.0).eval()
    scaled.load_state_dict(plain.state_dict())
    tokens = torch.tensor([[3, 4, 0], [5, 6, 7]])
    one, other = plain(tokens), scaled(tokens)
    assert_close(other.sentence, 20 * one.sentence)
    assert_close(other.words, 20 * one.words)


def test_the_lstm_runs_under_autocast_on_any_processor() -> None:
    encoder = LSTMTextEncoder(8, embed_dim=6, word_dim=4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        sentence = encoder(TOKENS).sentence
    assert_close(sentence, encoder(TOKENS).sentence)
