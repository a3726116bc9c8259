"""What is special to pix2pix: the halved discriminator's loss, the L1 term, and chance at test time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import Pix2Pix
from tests.helpers.games import assert_same_bits, small


class Planes(nn.Module):
    """Two patches for each image, the means of the condition's plane and of the image's; it keeps what it saw."""

    def forward(self, joined: Tensor) -> Tensor:
        self.seen = joined
        return joined.mean(dim=(2, 3))


def exchange() -> GameBatch:
    """Conditions of 0.5, true images of 1 and fakes of -1."""
    planes = torch.ones(2, 1, 16, 16)
    return GameBatch(planes, condition=planes / 2, fake=-planes)


def test_losses_by_hand() -> None:
    model = small(Pix2Pix)
    model.discriminator = Planes()
    # sp(-0.5) = 0.474077, sp(0.5) = 0.974077, sp(-1) = 0.313262, sp(1) = 1.313262
    discriminator = {name: term.item() for name, term in model.discriminator_loss(exchange()).items()}
    assert discriminator == pytest.approx(
        {"real": (0.474077 + 0.313262) / 4, "fake": (0.974077 + 0.313262) / 4}, abs=1e-6
    )
    generator = {name: term.item() for name, term in model.generator_loss(exchange()).items()}
    assert generator == pytest.approx({"adversarial": (0.474077 + 1.313262) / 2, "l1": 200.0}, abs=1e-4)


def test_the_discriminator_sees_the_condition_beside_the_image() -> None:
    model = small(Pix2Pix, condition_shape=(3, 16, 16))
    model.discriminator = judge = Planes()
    condition, image = torch.full((2, 3, 16, 16), 0.5), torch.ones(2, 1, 16, 16)
    model.generator_loss(GameBatch(image, condition=condition, fake=-image))
    assert judge.seen.mean(dim=(0, 2, 3)).tolist() == [0.5, 0.5, 0.5, -1.0]


def test_the_paper_is_the_default() -> None:
    model = Pix2Pix()
    assert sum(weight.numel() for weight in model.generator.parameters()) == 54_413_955
    assert sum(weight.numel() for weight in model.discriminator.parameters()) == 2_768_705
    assert model.ema is None
    for optimizer in model.configure_optimizers()[0]:
        assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]) == (2e-4, (0.5, 0.999))


class TestPublishedTestMode:
    def test_dropout_is_on_and_a_seed_decides_it(self) -> None:
        model = small(Pix2Pix)
        image = torch.randn(1, 1, 16, 16)
        assert torch.equal(model.translate(image), model.translate(image))
        assert not torch.equal(model.translate(image), model.translate(image, seed=1))

    def test_an_image_does_not_depend_on_its_neighbours(self) -> None:
        """The statistics are of one image, though dropout goes on from image to image."""
        model = small(Pix2Pix)
        model.generator.apply(lambda part: setattr(part, "p", 0.0) if isinstance(part, nn.Dropout) else None)
        images = torch.randn(3, 1, 16, 16)
        alone = torch.cat([model.translate(image) for image in images.split(1)])
        assert torch.equal(model.translate(images), alone)
        model.published_test_mode = False
        assert not torch.allclose(model.translate(images), alone, atol=1e-3)

    def test_nothing_is_remembered_of_it(self) -> None:
        model = small(Pix2Pix).eval()
        state = {name: value.clone() for name, value in model.state_dict().items()}
        model.translate(torch.randn(1, 1, 16, 16))
        assert_same_bits(dict(model.state_dict()), state)
        assert not any(part.training for part in model.modules())
        assert all(part.track_running_stats for part in model.modules() if isinstance(part, nn.BatchNorm2d))

    @pytest.mark.parametrize(("published", "moves"), [(True, False), (False, True)])
    def test_a_switch_says_which_statistics_count(self, published: bool, moves: bool) -> None:
        model = small(Pix2Pix, published_test_mode=published)
        image = torch.randn(1, 1, 16, 16)
        before = model.translate(image)
        for part in model.generator.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean += 1.0
        assert torch.equal(model.translate(image), before) is not moves

    def test_the_switch_turns_dropout_off(self) -> None:
        model = small(Pix2Pix, published_test_mode=False)
        image = torch.randn(1, 1, 16, 16)
        assert torch.equal(model.translate(image, seed=0), model.translate(image, seed=1))

    def test_the_random_numbers_outside_go_on(self) -> None:
        model = small(Pix2Pix)
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        first = torch.rand(1)
        model.translate(torch.randn(1, 1, 16, 16, generator=torch.Generator()))
        assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


def test_what_validation_measures() -> None:
    model = small(Pix2Pix)
    batch = model.prepare_batch((torch.full((2, 1, 16, 16), 255, dtype=torch.uint8), torch.rand(2, 1, 16, 16)))
    given, made, true = model.picture_columns(batch)
    assert torch.equal(given, batch.condition)
    assert torch.equal(true, batch.real)
    assert model.validation_metrics(batch)["l1"].item() == pytest.approx((1 - made).mean().item(), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition_shape": None}, "Pix2Pix learns from pairs of images"),
        ({"image_shape": (3, 32, 32)}, r"UNet makes images as large as those it is given, not 32 x 32 of 16 x 16"),
        ({"image_shape": (1, 18, 18), "condition_shape": (1, 18, 18)}, "sides that are multiples of 4, not 18 x 18"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(Pix2Pix, **arguments)
