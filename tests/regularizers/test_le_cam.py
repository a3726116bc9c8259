"""LeCam against values worked by hand, and the mistakes that are made of it."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.regularizers import Judgement, LeCam, le_cam_penalty

REAL, FAKE = torch.tensor([1.0, 3.0]), torch.tensor([-2.0, 0.0])


def judged(logits: Tensor) -> Judgement:
    return Judgement(nn.Identity(), logits, (), {}, logits)


def term(regularizer: LeCam, real: Tensor, fake: Tensor, step: int = 5) -> Tensor:
    game: Any = SimpleNamespace(game_step=step)
    return regularizer.discriminator_terms(game, None, judged(real), judged(fake))["le_cam"]


def test_value_by_hand() -> None:
    # Held near the other kind's average: (1 + 9) / 2 and (9 + 1) / 2. Near their own it would be 4.
    assert le_cam_penalty(REAL, FAKE, torch.tensor(1.0), torch.tensor(0.0)) == 10
    # The hinge: real images below the average of fakes, and fakes above that of real images, cost nothing.
    assert le_cam_penalty(REAL, FAKE, torch.tensor(-2.0), torch.tensor(3.0)) == 0


def test_averages_follow_the_current_means_until_it_starts_and_decay_then() -> None:
    regularizer = LeCam(weight=2.0, decay=0.75, start_step=2)
    assert term(regularizer, REAL, FAKE, step=0) == 0
    assert (regularizer.mean_real, regularizer.mean_fake) == (2, -1)
    assert term(regularizer, REAL + 2, FAKE - 4, step=1) == 0
    assert (regularizer.mean_real, regularizer.mean_fake) == (4, -5)
    # The averages move first: 0.75 * 4 + 0.25 * 8 = 5 and 0.75 * -5 + 0.25 * -1 = -4.
    value = term(regularizer, torch.tensor([8.0]), torch.tensor([-1.0]), step=2)
    assert (regularizer.mean_real, regularizer.mean_fake) == (5, -4)
    assert value == 2 * ((8 + 4) ** 2 + (5 + 1) ** 2)


def test_without_a_start_the_first_mean_is_taken_as_it_is() -> None:
    regularizer = LeCam(start_step=0)
    term(regularizer, REAL, FAKE, step=0)
    assert (regularizer.mean_real, regularizer.mean_fake) == (2, -1)


def test_averages_carry_no_gradient_and_are_in_the_checkpoint() -> None:
    regularizer = LeCam(weight=1.0, start_step=0)
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    term(regularizer, real, fake).backward()
    # 2 (D(x) - a_F) / N with a_F = -1, and -2 (a_R - D(G(z))) / N with a_R = 2.
    assert_close(real.grad, torch.tensor([2.0, 4.0]))
    assert_close(fake.grad, torch.tensor([-4.0, -2.0]))
    assert {*regularizer.state_dict()} == {"mean_real", "mean_fake"}


@pytest.mark.parametrize("shape", [(2, 1), (2, 1, 3, 3)])
def test_maps_are_means_over_patches(shape: tuple[int, ...]) -> None:
    real = REAL.reshape(2, *[1] * (len(shape) - 1)).expand(shape)
    fake = FAKE.reshape(2, *[1] * (len(shape) - 1)).expand(shape)
    assert_close(term(LeCam(1.0, start_step=0), real, fake), term(LeCam(1.0, start_step=0), REAL, FAKE))
