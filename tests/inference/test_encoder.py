"""An encoder of a given generator: it learns the latents, nothing else moves, and inversions start nearer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.inference.edit import invert, read_encoder, train_encoder, write_encoder
from gan_lightning.variants import DCGAN, CycleGAN, StyleGAN2
from tests.helpers.games import small, vivid


def test_the_hybrid_is_nearer_than_random_starts_at_equal_steps() -> None:
    model: Any = vivid(DCGAN)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    encoder = train_encoder(model, 120, width=8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    images = model.sample(8, seed=99)
    with torch.no_grad():
        starts = encoder(images)
    assert starts.shape == (8, 4)
    error = {
        name: invert(model, images, start=start, candidates=1, steps=10).losses["pixels"].mean(1)
        for name, start in {"hybrid": starts, "random": "samples"}.items()
    }
    assert error["hybrid"][0] < error["random"][0]
    assert error["hybrid"][-1] < 0.8 * error["random"][-1]
    # The optimisation brings it nearer than the encoder alone.
    assert error["hybrid"][-1] < error["hybrid"][0]


@pytest.mark.parametrize("space", ["w", "w+"])
def test_styles(space: Any, tmp_path: Path) -> None:
    model: Any = small(StyleGAN2).eval()
    encoder = train_encoder(model, 30, space=space, width=4, pixel_weight=0)
    images = model.sample(4, seed=9)
    with torch.no_grad():
        latents = encoder(images)
    assert latents.shape == (4, 1 if space == "w" else model.image_generator.n_styles, 6)
    again = train_encoder(model, 30, space=space, width=4, pixel_weight=0)
    assert all(torch.equal(*pair) for pair in zip(encoder.parameters(), again.parameters(), strict=True))
    write_encoder(tmp_path / "e.safetensors", encoder, model, space)
    with torch.no_grad():
        assert_close(read_encoder(tmp_path / "e.safetensors", model, space)(images), latents)
    with pytest.raises(ValueError, match=r"is of the space w.*: give --space w"):
        read_encoder(tmp_path / "e.safetensors", model, "z")


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="CycleGAN makes no images of latents"):
        train_encoder(small(CycleGAN))
    with pytest.raises(ValueError, match="pixel_weight is -1"):
        train_encoder(small(DCGAN), pixel_weight=-1)
    with pytest.raises(ValueError, match="steps is 0"):
        train_encoder(small(DCGAN), 0)
