"""Named values: who listens hears them, and nothing is computed for nobody."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from gan_lightning.losses import minimax_discriminator
from gan_lightning.losses.reported import is_wanted, judge_named, listen, report, stop_listening, without_reports


class Ear:
    def __init__(self) -> None:
        self.heard: dict[str, Tensor] = {}

    def __call__(self, name: str, value: Tensor) -> None:
        self.heard[name] = value


@pytest.fixture
def ears() -> Iterator[tuple[Ear, Ear]]:
    everything, one = Ear(), Ear()
    listen(everything)
    listen(one, "discriminator/b")
    yield everything, one
    for ear in (everything, one):
        stop_listening(ear)
        stop_listening(ear)


def test_a_listener_hears_the_names_that_it_asked_for(ears: tuple[Ear, Ear]) -> None:
    everything, one = ears
    value = torch.tensor(1.0, requires_grad=True)
    report("discriminator/a", value)
    with judge_named("A"), judge_named("16"):
        report("discriminator/b", 2 * value)
    assert {name: v.item() for name, v in everything.heard.items()} == {"discriminator/a": 1, "discriminator/b_A_16": 2}
    assert [*one.heard] == ["discriminator/b_A_16"]
    assert not any(v.requires_grad for v in everything.heard.values())


def test_wanted_is_what_somebody_listens_to() -> None:
    ear = Ear()
    assert not is_wanted("a")
    listen(ear, "a")
    assert is_wanted("a", "b")
    assert not is_wanted("b")
    with without_reports():
        assert not is_wanted("a")
        report("a", torch.tensor(1.0))
    assert is_wanted("a")
    assert not ear.heard
    stop_listening(ear)
    assert not is_wanted("a")


def test_accuracies_are_not_computed_for_those_who_want_another_value(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear()
    listen(ear, "another")
    try:
        monkeypatch.setattr("gan_lightning.losses.accuracy.report", lambda *_: pytest.fail("computed for nobody"))
        minimax_discriminator(torch.zeros(2), torch.zeros(2))
    finally:
        stop_listening(ear)


def test_the_mean_sign_of_real_outputs_follows_from_the_accuracy() -> None:
    """r_t of StyleGAN2-ADA, E sign D(x), by hand: signs + + - + of four images."""
    ear = Ear()
    listen(ear, "discriminator/accuracy_real")
    minimax_discriminator(torch.tensor([[3.0], [0.1], [-2.0], [1.0]]), torch.zeros(4, 1))
    stop_listening(ear)
    assert 2 * ear.heard["discriminator/accuracy_real"].item() - 1 == 0.5


def test_only_scalars_are_reported() -> None:
    with pytest.raises(ValueError, match=r"a is reported in the shape \(2,\): it must be a scalar"):
        report("a", torch.zeros(2))
