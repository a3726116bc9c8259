"""Games of texts: what a sample shows, wrong captions, encoders from another run, and what is refused."""

import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from datamodules.components.tokens import TextTokenizer
from gan_lightning import inference
from gan_lightning.games.text import TextGame, mismatched
from gan_lightning.networks import LSTMTextEncoder
from gan_lightning.networks.text import Text
from gan_lightning.variants import DAMSM, GANCLS, JointEmbedding
from tests.helpers.games import TEXTS, TOKENIZER, assert_same_bits, play, run_directory, save_checkpoint, small


class Shows(nn.Module):
    """An image whose every pixel is the first number of the text's features."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        return (self.weight * sentence[:, 0])[:, None, None, None].expand(-1, 1, 16, 16)


class FirstToken(nn.Module):
    """A text encoder whose features are the first token."""

    embed_dim = 1
    needs_training = False

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, tokens: Tensor) -> Text:
        first = tokens[:, :1].float() * self.weight
        return Text(first[..., None], first, torch.ones_like(first, dtype=torch.bool))


WORDS = TextTokenizer.train([f"w{i}" for i in range(8)], 2)
"""Word w0 is token 2, w1 is token 3, ..."""


def showing(texts: Any = None) -> TextGame:
    model = small(
        GANCLS,
        text_encoder=FirstToken,
        tokenizer=WORDS.json,
        texts=texts or [f"w{i}" for i in range(8)],
        ema_decay=None,
    )
    model.generator = Shows()
    assert isinstance(model, TextGame)
    return model


def shown(images: Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def test_a_sample_shows_the_text_that_is_asked_for() -> None:
    model = showing()
    assert shown(model.sample(5, texts=["w3"])) == [5] * 5
    assert shown(model.sample(5, texts=["w3", "w0"])) == [5, 2, 5, 2, 5]
    assert shown(model.sample(3, start=3, batch_size=2, texts=["w3", "w0"])) == [2, 5, 2]
    assert shown(model(torch.zeros(2, 4), WORDS.encode(["w1", "w7"]))) == [3, 9]


def test_texts_that_are_not_given_are_drawn_by_seed_and_number() -> None:
    model = showing()
    whole = shown(model.sample(600, seed=3))
    assert shown(model.sample(300, seed=3, start=250, batch_size=7)) == whole[250:550]
    assert shown(model.sample(600, seed=4)) != whole
    counts = torch.bincount(torch.tensor(shown(model.sample(4000))).long(), minlength=10)[2:] / 4000
    assert_close(counts, torch.full((8,), 1 / 8), atol=0.03, rtol=0)  # 6 standard deviations


def test_a_picture_has_one_row_a_text() -> None:
    model = showing()
    images, columns = model.sample_table(9)
    assert (shown(images), columns) == ([2, 2, 2, 4, 4, 4, 7, 7, 7], 3)
    assert model.table_captions(9) == ([], ["w0", "w2", "w5"])
    images, columns = showing(["w1"]).sample_table(4)
    assert (shown(images), columns) == ([3] * 4, 4)


def test_a_way_leads_from_text_to_text() -> None:
    model = showing()
    assert shown(model.interpolate_between(0, 0, [0, 0.25, 0.5, 1], texts=["w0", "w4"])) == [2, 3, 4, 6]
    assert shown(model.interpolate_between(4, 5, [0, 1], seed=2)) == shown(model.sample(2, seed=2, start=4))
    assert shown(torch.cat([*inference.traverse(model, [0, 0, 0], 3, texts=["w0", "w4", "w2"])])) == [2, 4, 6, 5, 4]
    with pytest.raises(ValueError, match=r"^texts takes one value or two, for the samples on the way, not 3"):
        inference.interpolate(model, 0, 0, texts=["w0", "w1", "w2"])
    table = model.interpolation_table(rows=2, frames=2)
    assert shown(table) == [2, 2, 3, 3]


def test_words_of_a_way_are_those_of_the_nearer_text() -> None:
    model = showing()
    start, end = (model.encode_texts([text]) for text in ("w0", "w4"))
    assert model.interpolate_texts(start, end, 0.4).words.item() == 2
    assert model.interpolate_texts(start, end, 0.6).words.item() == 6


@pytest.mark.parametrize("texts", [[], "red", [3]])
def test_what_is_no_list_of_texts_is_refused(texts: Any) -> None:
    with pytest.raises(ValueError, match=r"^texts is .*: it must be a list of texts, one at least"):
        showing().sample(2, texts=texts)


# Batches.


def with_wrong(wrong: Any) -> dict[str, Any]:
    return {"images": torch.zeros(2, 1, 16, 16), "texts": ["w0", "w1"], "wrong_tokens": wrong}


def test_batches_may_have_texts_in_place_of_tokens() -> None:
    model = showing()
    images = torch.zeros(3, 1, 16, 16)
    texts = ["w0", "w1", "w2 w3"]
    for raw in (
        {"image": images, "caption": texts},
        (images, texts),
        {"images": images, "tokens": WORDS.encode(texts)},
    ):
        captions = model.prepare_batch(raw).condition
        assert captions.tokens.tolist() == [[2, 0], [3, 0], [4, 5]]
        assert captions.text.sentence.tolist() == [[2], [3], [4]]
        assert captions.wrong.sentence.tolist() == [[3], [4], [2]]


def test_a_wrong_caption_is_the_next_that_differs() -> None:
    tokens = torch.tensor([[1, 2], [1, 2], [3, 0], [1, 2], [4, 0]])
    assert mismatched(tokens).tolist() == [[3, 0], [3, 0], [1, 2], [4, 0], [1, 2]]
    assert mismatched(tokens[:1]).tolist() == [[1, 2]]
    assert mismatched(tokens[:2]).tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (torch.zeros(2, 1, 16, 16), "GANCLS needs a text for every image"),
        ((torch.zeros(2, 1, 16, 16), torch.zeros(2)), "GANCLS needs a text for every image"),
        ((torch.zeros(2, 1, 16, 16), ["w0"]), "there are 1 texts for 2 images"),
        ((torch.zeros(2, 1, 16, 16), torch.full((2, 2), 99)), "tokens from 99 to 99, but the model's tokenizer has 10"),
        (with_wrong(torch.full((1, 2), 3)), "there are 1 wrong texts for 2 images"),
        (with_wrong(torch.full((2, 2), 99)), "tokens from 99 to 99, but the model's tokenizer has 10"),
        (with_wrong(["w1"]), "there are 1 wrong texts for 2 images"),
        (
            with_wrong(torch.zeros(2, 2)),
            "The wrong texts of the loader's batches must be wrong_texts, N texts, or wrong_",
        ),
    ],
)
def test_batches_without_texts_are_refused(raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        showing().prepare_batch(raw)


def test_wrong_texts_of_a_batch_are_taken() -> None:
    raw = {"images": torch.zeros(2, 1, 16, 16), "texts": ["w0", "w1"], "wrong_texts": ["w5", "w6 w7"]}
    assert showing().prepare_batch(raw).condition.wrong_tokens.tolist() == [[7, 0], [8, 9]]


@pytest.mark.parametrize("variant", [GANCLS, JointEmbedding])
def test_a_batch_of_equal_texts_is_told(variant: Any) -> None:
    images = torch.zeros(3, 1, 16, 16)
    with pytest.warns(UserWarning, match=rf"^All 3 texts of a batch are the same.* and {variant.__name__} learns"):
        small(variant).prepare_batch((images, 3 * TEXTS[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(variant).prepare_batch((images, [TEXTS[0], TEXTS[0], TEXTS[1]]))


def test_encoders_ask_for_a_text_for_every_image() -> None:
    with pytest.raises(ValueError, match="JointEmbedding needs a text for every image, and there are 1 texts for 2"):
        small(JointEmbedding).prepare_batch((torch.zeros(2, 1, 16, 16), TEXTS[:1]))


def test_of_one_pair_there_is_nothing_to_match(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JointEmbedding needs batches of 2 images at least"):
        play(small(JointEmbedding), 1, tmp_path, batch_size=1)


def test_a_text_of_padding_alone_is_an_unknown_word() -> None:
    """Attention to no word at all makes the loss of the whole batch NaN."""
    tokens = torch.tensor([[2, 3], [0, 0], [4, 0]])
    raw = {"images": torch.zeros(3, 1, 16, 16), "tokens": tokens, "wrong_tokens": tokens.roll(1, 0)}
    captions = showing().prepare_batch(raw).condition
    assert captions.tokens.tolist() == [[2, 3], [1, 0], [4, 0]]
    assert captions.wrong_tokens.tolist() == [[4, 0], [2, 3], [1, 0]]
    # A loss with attention.
    model = small(DAMSM)
    channels, height, width = model.image_shape
    empty = {"images": torch.zeros(2, channels, height, width), "tokens": torch.tensor([[2, 3], [0, 0]])}
    batch = model.prepare_batch(empty)
    loss = model.discriminator_loss(replace(batch, fake=model.generate_fakes(batch)))
    assert all(term.isfinite() for term in loss.values())
    sampler = showing()
    latents = torch.zeros(1, sampler.latent_dim)
    assert shown(sampler(latents, torch.tensor([[0, 0]]))) == [1]


def test_a_game_of_texts_asks_for_a_tokenizer() -> None:
    with pytest.raises(ValueError, match=r"^tokenizer is None: GANCLS learns from images with texts"):
        small(GANCLS, tokenizer=None)
    with pytest.raises(ValueError, match=r"^text_encoder made Identity, which does not say how long its features are"):
        small(GANCLS, text_encoder=nn.Identity)


# The encoder.


def trained(folder: Path, **arguments: Any) -> Path:
    """Checkpoint of two encoders that have been trained for two steps."""
    play(small(JointEmbedding, **arguments), 2, folder, batch_size=20)
    return run_directory(folder) / "checkpoints" / "last.ckpt"


def test_the_encoder_stays_as_it_is_and_is_in_the_checkpoint(tmp_path: Path) -> None:
    model = small(GANCLS, text_encoder=partial(LSTMTextEncoder, embed_dim=8, word_dim=4))
    before = {name: weight.clone() for name, weight in model.text_encoder.state_dict().items()}
    with pytest.warns(UserWarning, match=r"^LSTMTextEncoder is not trained: GANCLS does not move it"):
        play(model, 2, tmp_path, batch_size=20)
    assert_same_bits(dict(model.text_encoder.state_dict()), before)
    assert not any(part.training for part in model.text_encoder.modules())
    loaded = inference.load(run_directory(tmp_path) / "checkpoints" / "last.ckpt")
    assert_same_bits(dict(loaded.text_encoder.state_dict()), before)
    assert_close(loaded.sample(2, texts=["a big one"]), model.sample(2, texts=["a big one"]))
    assert loaded.texts == TEXTS


@pytest.mark.parametrize("ema_decay", [None, 0.5])
def test_the_encoder_of_another_run(tmp_path: Path, ema_decay: float | None) -> None:
    path = trained(tmp_path / "pairs", ema_decay=ema_decay)
    pairs = inference.load(path)
    model = small(GANCLS, text_encoder=partial(LSTMTextEncoder, embed_dim=8, word_dim=4))
    (report,) = inference.init_from(model, {"text_encoder": path})
    assert str(report) == f"text_encoder: all of {path}."
    assert_close(model.encode_texts(TEXTS).sentence, pairs.encode_texts(TEXTS).sentence)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings(
            "ignore", r".*(eval mode|IterableDataset|num_workers|val_dataloader|logging interval).*"
        )
        play(model, 1, tmp_path / "images", batch_size=20)
    again = small(GANCLS, text_encoder=partial(LSTMTextEncoder, embed_dim=8, word_dim=4))
    inference.init_from(again, {"text_encoder": run_directory(tmp_path / "images") / "checkpoints" / "last.ckpt"})
    assert_close(again.encode_texts(TEXTS).sentence, pairs.encode_texts(TEXTS).sentence)


def test_encoders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = trained(tmp_path)
    with pytest.raises(inference.CheckpointError, match="has no text_encoder like that of this GANCLS"):
        inference.init_from(small(GANCLS), {"text_encoder": path})
    other = TextTokenizer.train([*TEXTS, "three four two six seven", "ten"], 5)
    encoder = partial(LSTMTextEncoder, embed_dim=8, word_dim=4)
    assert other.n_tokens == TOKENIZER.n_tokens
    with pytest.raises(inference.CheckpointError, match="was trained with another vocabulary than this GANCLS has"):
        inference.init_from(small(GANCLS, text_encoder=encoder, tokenizer=other.json), {"text_encoder": path})
    with pytest.raises(ValueError, match="init_from names 'image_encoder', and GANCLS has generator, "):
        inference.init_from(small(GANCLS, text_encoder=encoder), {"image_encoder": path})
    plain = save_checkpoint(small(GANCLS), tmp_path / "bag.ckpt")
    with pytest.raises(inference.CheckpointError, match="has no text_encoder like that"):
        inference.init_from(small(GANCLS, text_encoder=encoder), {"text_encoder": plain})


# Pairs of encoders.


def test_two_encoders_come_to_agree(tmp_path: Path) -> None:
    """Of 100 digits, the loss of matching falls."""
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=0.03)
    model = small(JointEmbedding, generator_optimizer=adam, discriminator_optimizer=adam)
    play(model, 30, tmp_path, batch_size=50)
    lines = (run_directory(tmp_path) / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train/generator/loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_features_of_images_and_texts_do_not_depend_on_the_batch() -> None:
    model = small(JointEmbedding)
    images = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8)
    assert_close(model.encode_images(images, batch_size=2), model.encode_images(images))
    assert_close(model.encode_texts(TEXTS, batch_size=3).words, model.encode_texts(TEXTS).words)
    assert model.encode_images(images).shape == (5, 8)
