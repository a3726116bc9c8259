"""What is special to AttnGAN and DAMSM: losses by hand, encoders from one game to the other, pictures of attention."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.callbacks import AttentionMaps
from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import image_text_matching
from gan_lightning.variants import DAMSM, AttnGAN
from tests.helpers.games import TEXTS, assert_same_bits, example_batch, play, run_directory, small


def cost(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def ready(model: Any, n: int = 6) -> GameBatch:
    batch = model.draw_latents(model.prepare_batch(example_batch(model, n)))
    return GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))


def test_losses_by_hand() -> None:
    model: Any = small(AttnGAN, matching_weight=7.0, kl_weight=3.0).eval()
    batch = ready(model)
    text, wrong = batch.condition.text, batch.condition.wrong
    mean, log_variance = model.generator.conditioning.moments(text.sentence)
    of_discriminator = torch.zeros(())
    of_generator = 3 * 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).mean()
    for side in (8, 16):
        judge = model.discriminator[str(side)]
        real, real_pair = judge(batch.real[side], text.sentence)
        fake, fake_pair = judge(batch.fake[side], text.sentence)
        wrong_pair = judge(batch.real[side], wrong.sentence)[1]
        of_discriminator = of_discriminator + (cost(real, 1) + cost(real_pair, 1)) / 2
        of_discriminator = of_discriminator + (cost(fake, 0) + cost(fake_pair, 0) + cost(wrong_pair, 0)) / 3
        of_generator = of_generator + cost(fake, 1) + cost(fake_pair, 1)
    regions, codes = model.image_encoder.network(batch.fake[16])
    # Six digits of six names: none is alike.
    matching = image_text_matching(regions, codes, text.words, text.sentence, text.mask)
    of_generator = of_generator + 7 * (matching["words"] + matching["sentence"])
    assert_close(sum(model.discriminator_loss(batch).values()), of_discriminator)
    assert_close(sum(model.generator_loss(batch).values()), of_generator)


def test_equal_texts_are_no_candidates() -> None:
    model: Any = small(AttnGAN)
    tokens = example_batch(model, 12)["tokens"]  # ten names
    batch = model.prepare_batch({**example_batch(model, 12), "tokens": tokens})
    expected = torch.eye(12, dtype=torch.bool)
    for i, j in ((0, 10), (1, 11)):
        # "a big zero" for 10, whose digit 0 is "a small zero" at place 0
        expected[i, j] = expected[j, i] = torch.equal(tokens[i], tokens[j])
    assert torch.equal(batch.condition.alike, expected)
    twice = model.prepare_batch({**example_batch(model, 4), "tokens": tokens[[0, 1, 0, 2]]}).condition.alike
    assert twice.nonzero().tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2], [3, 3]]


def test_encoders_are_those_of_a_damsm_and_stand_still(tmp_path: Path) -> None:
    play(small(DAMSM), 3, tmp_path / "damsm", batch_size=20)
    path = run_directory(tmp_path / "damsm") / "checkpoints" / "last.ckpt"
    trained: Any = DAMSM.load_from_checkpoint(path, map_location="cpu")
    model: Any = small(AttnGAN)
    with pytest.warns(UserWarning, match="The image encoder is not trained"):
        play(small(AttnGAN), 1, tmp_path / "untrained", batch_size=20)
    inference.init_from(model, {"text_encoder": path, "image_encoder": path})
    play(model, 2, tmp_path / "attngan", batch_size=20)
    for mine, theirs in ((model.text_encoder, trained.generator), (model.image_encoder, trained.discriminator)):
        assert_same_bits(dict(mine.network.state_dict()), dict(theirs.state_dict()))
        assert not any(part.training for part in mine.modules())
    # Samples need no other file.
    again: Any = AttnGAN.load_from_checkpoint(run_directory(tmp_path / "attngan") / "checkpoints" / "last.ckpt")
    assert_close(again.sample(2, texts=["a big nine"]), model.sample(2, texts=["a big nine"]))


def test_words_change_the_image(tmp_path: Path) -> None:
    # By attention alone: the sentence, and so the condition and the first stage, stay.
    model: Any = small(AttnGAN).eval()
    latents = model.indexed_latents(0, 1, 0)
    text = model.encode_texts(["a big nine"])
    one = model.generator.images(latents, *model.generator_inputs(text))
    other = model.generator.images(latents, *model.generator_inputs(text._replace(words=-text.words)))
    assert_close(other[8], one[8], rtol=0, atol=0)
    assert (other[16] - one[16]).abs().max() > 1e-4


def test_attention_is_a_picture_of_each_word(tmp_path: Path) -> None:
    model: Any = small(AttnGAN)
    images, attention = model.attention(["a big nine", "a small zero", "one"], seed=2)
    assert images.shape == (3, 1, 16, 16)
    assert_close(
        images,
        torch.cat([model.sample(1, 2, i, texts=[t]) for i, t in enumerate(["a big nine", "a small zero", "one"])]),
    )
    assert_close(attention.sum(1), torch.ones(3, 8, 8))
    assert attention.shape[1] == 3
    assert (attention[2, 1:] == 0).all()  # one word
    table, columns = model.attention_table(3)
    assert columns == 1 + 3
    assert table.shape == (12, 1, 16, 16)
    assert table.min() >= -1
    assert table.max() <= 1 + 1e-5
    assert model.attention_captions(3, 4)[1] == TEXTS[:3]
    model.texts = ["big nine", "one"]
    table, columns = model.attention_table(2)  # No column has padding alone.
    assert (columns, len(table)) == (3, 6)
    play(model, 1, tmp_path, callbacks=[AttentionMaps(rows=2)])
    assert {path.name for path in (run_directory(tmp_path) / "attention").iterdir()} == {
        "step_00000000.png",
        "step_00000001.png",
    }


def test_one_stage_trains_without_pictures_of_attention(tmp_path: Path) -> None:
    model: Any = small(AttnGAN, n_stages=1)
    play(model, 1, tmp_path, batch_size=20, callbacks=[AttentionMaps(1)])
    assert not (run_directory(tmp_path) / "attention").exists()
    with pytest.raises(ValueError, match="one stage"):
        model.attention(["a small zero"])
