"""Batches that are too small for a game are refused before the first step."""

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.variants import ALI, DCGAN, EBGAN, GAN, SemiSupervisedGAN
from tests.games.test_number_types import one_step
from tests.helpers.games import small


def fit(model: Any, images: int, batch_size: int, **options: Any) -> None:
    data = TensorDataset(torch.zeros(images, 1, 16, 16), torch.zeros(images, dtype=torch.int64))
    one_step(model, DataLoader(data, batch_size=batch_size, **options), num_sanity_val_steps=0)


@pytest.mark.parametrize("variant", [ALI, SemiSupervisedGAN, EBGAN])
@pytest.mark.parametrize(("images", "batch_size"), [(8, 1), (9, 4)])
def test_a_batch_of_one_is_refused_at_the_start(variant: Any, images: int, batch_size: int) -> None:
    options = {"pulling_away_weight": 0.1} if variant is EBGAN else {}
    with pytest.raises(ValueError, match=r"needs batches of 2 images at least.*the loader has one of 1"):
        fit(small(variant, **options), images, batch_size)


def test_what_is_never_handed_out_does_not_matter() -> None:
    fit(small(ALI), 9, 4, drop_last=True)
    fit(small(ALI, n_critic=2), 9, 4)  # two of three batches make the one round
    fit(small(GAN), 4, 1)
    fit(small(DCGAN), 5, 4)
