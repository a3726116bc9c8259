"""What is special to Age-cGAN: an encoder that is trained after the generator, and inverts its average."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.networks import AgeDiscriminator, AgeEncoder
from gan_lightning.variants import AgeCGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, small, vivid


def weights(network: Any) -> list[Tensor]:
    """Weights and statistics of norms."""
    return [part.detach().clone() for part in network.state_dict().values()]


def differ(one: list[Tensor], other: list[Tensor]) -> bool:
    return any(not torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_the_generator_becomes_its_average_and_the_encoder_is_trained(tmp_path: Path) -> None:
    model: Any = small(AgeCGAN, encoder_step=3)
    encoder = weights(model.generator["encoder"])
    play(model, 3, tmp_path / "one", batch_size=20)
    assert not differ(weights(model.generator["encoder"]), encoder)
    average, judge = weights(model.image_generator), weights(model.discriminator)
    assert differ(weights(model.generator["generator"]), average)
    again: Any = small(AgeCGAN, encoder_step=3)
    play(again, 6, tmp_path / "two", batch_size=20)
    assert again.trains_encoder
    assert differ(weights(again.generator["encoder"]), encoder)
    # Held still, statistics of its norms too
    assert_same_bits(weights(again.generator["generator"]), average)
    assert_same_bits(weights(again.image_generator), average)
    assert_same_bits(weights(again.discriminator), judge)


def test_resume_across_the_change_is_exact(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options: dict[str, Any] = {"save_every": 1, "batch_size": 40}
    play(small(AgeCGAN, encoder_step=3), 6, straight, **options)
    for crash in (3, 4, None):  # just before the change, and just behind it
        play(small(AgeCGAN, encoder_step=3), 6, broken, resume=True, crash_at=crash, **options)
    assert_same_bits(last_state(broken), last_state(straight))
    assert metrics_file(broken) == metrics_file(straight)


def test_the_encoders_loss_is_the_euclidean_distance_of_latents() -> None:
    model: Any = small(AgeCGAN, encoder_step=0)
    latent, labels = torch.randn(5, 4), torch.arange(5)
    batch = model.generate_fakes(GameBatch(torch.zeros(5, 1, 16, 16), labels, latent))
    assert not batch.requires_grad
    assert model.discriminator_loss(GameBatch(batch, labels, latent, batch)) == {}
    loss = model.generator_loss(GameBatch(batch, labels, latent, batch))["encoder"]
    found = model.generator["encoder"](batch, labels)
    assert_close(loss, ((latent - found) ** 2).sum(1).sqrt().mean())


def test_an_image_is_encoded_with_its_class() -> None:
    model: Any = vivid(AgeCGAN)
    images = model.sample(3, labels=[1])
    found = inference.encode(model, images, batch_size=2, labels=[0, 1, 2])
    assert found.shape == (3, 4)
    encoder = model.averaged_generator["encoder"]
    with evaluating(encoder):
        assert_close(found, encoder(images, torch.tensor([0, 1, 2])), rtol=1e-4, atol=1e-4)
        assert (found - encoder(images, torch.tensor([0, 0, 0]))).abs().max() > 0.1
    with pytest.raises(ValueError, match="There is no label 10"):
        inference.encode(model, images, labels=[0, 1, 10])
    with pytest.raises(ValueError, match="the class of each of the 3 images"):
        inference.encode(model, images)


def test_a_table_shows_each_latent_at_each_age() -> None:
    model: Any = vivid(AgeCGAN)
    table, columns = model.sample_table(25, seed=3)
    assert columns == 10
    assert table.shape == (20, 1, 16, 16)
    latents = model.indexed_latents(0, 2, 3)
    assert_close(table[13], model(latents[1:], torch.tensor([3]))[0])
    assert model.table_captions(25) == ([str(label) for label in range(10)], [])


def test_the_class_joins_the_first_layers_output() -> None:
    judge = AgeDiscriminator((3, 8, 8), 2, width=4)
    encoder = AgeEncoder((3, 64, 96), 7, 2, width=2)
    assert judge.layers[0].in_channels == 4 + 2
    assert judge(torch.zeros(2, 3, 8, 8), torch.tensor([0, 1])).shape == (2,)
    assert encoder(torch.zeros(2, 3, 64, 96), torch.tensor([0, 1])).shape == (2, 7)
    # Without BatchNorm's statistics of the batch: the class alone differs.
    one, other = encoder.eval()(torch.zeros(2, 3, 64, 96), torch.tensor([0, 1]))
    assert (one - other).abs().max() > 1e-6
