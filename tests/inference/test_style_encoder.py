"""An encoder that inverts a generator of texts, and styles carried over to other texts."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning import inference
from gan_lightning.networks import StyleEncoder
from gan_lightning.variants import DCGAN, GANCLS
from tests.helpers.games import TEXTS, assert_same_bits, small


class Painted(nn.Module):
    """The latent's four numbers fill the quarters of an image, whose corner shows the text."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        image = (latent.view(-1, 1, 2, 2) / 4).repeat_interleave(8, 2).repeat_interleave(8, 3) * self.weight
        corner = torch.zeros_like(image)
        corner[:, 0, 0, 0] = 1
        return image * (1 - corner) + sentence[:, :1, None, None] / 10 * corner


def painting() -> Any:
    model = small(GANCLS, ema_decay=None)
    model.generator = Painted()
    return model


def test_the_encoder_inverts_the_generator_and_the_style_goes_to_other_texts() -> None:
    model = painting()
    torch.manual_seed(3)
    encoder = StyleEncoder((1, 16, 16), 4, width=8)
    state = torch.get_rng_state()
    inference.train_style_encoder(model, steps=150, batch_size=32, encoder=encoder)
    assert torch.equal(torch.get_rng_state(), state)
    assert not encoder.training
    latents = model.indexed_latents(0, 64, 77)
    images = model(latents, model.tokenizer.encode(TEXTS * 16))
    error = (encoder(images) - latents).square().mean().item()
    assert error < 0.2, "of a variance of 1"
    made = inference.transfer_style(model, encoder, images[:3], TEXTS[:2])
    assert made.shape == (6, 1, 16, 16)
    # Image by image: the quarters are those of the given image, the corner that of the text.
    assert (made[2:4, :, 4:] - images[1, :, 4:]).abs().mean() < (made[2:4, :, 4:] - images[2, :, 4:]).abs().mean()
    corners = model.encode_texts(TEXTS[:2]).sentence[:, 0] / 10
    torch.testing.assert_close(made[:, 0, 0, 0], corners.repeat(3))


def test_it_is_the_same_again_and_leaves_the_model_alone() -> None:
    model = small(GANCLS)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (inference.train_style_encoder(model, steps=2, batch_size=4, seed=1) for _ in range(2))
    assert_same_bits(dict(first.state_dict()), dict(second.state_dict()))
    assert_same_bits(dict(model.state_dict()), before)
    other = inference.train_style_encoder(model, steps=2, batch_size=4, seed=2)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^DCGAN makes no images of texts, whose style could be that of another"):
        inference.train_style_encoder(small(DCGAN))
    with pytest.raises(ValueError, match=r"^steps is 0 and batch_size is 64"):
        inference.train_style_encoder(small(GANCLS), steps=0)
    with pytest.raises(ValueError, match="The data has images of 1 x 8 x 8, but the model was made for 1 x 16 x 16"):
        inference.transfer_style(small(GANCLS), nn.Identity(), torch.zeros(1, 1, 8, 8), ["a"])
