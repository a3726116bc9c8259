"""What is special to colourisation: the lightness that is kept, hints, references, what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.hints import Hint
from gan_lightning.inference import read_reference
from gan_lightning.variants import Colorization, Pix2Pix
from gan_lightning.visualization.images import to_uint8
from gan_lightning.visualization.lab import rgb_to_lab
from tests.helpers.games import small, vivid

RED, BLUE = (210, 40, 30), (30, 40, 210)


def of_photographs(**arguments: Any) -> Colorization:
    return small(Colorization, image_shape=(3, 16, 16), condition_shape=None, **arguments)


def of_drawings(**arguments: Any) -> Colorization:
    return small(Colorization, image_shape=(3, 16, 16), **arguments)


def lively(model: Colorization) -> Colorization:
    with torch.no_grad():
        for weight in model.averaged_generator.parameters():
            weight.mul_(5)
    return model


def photographs(n: int = 2, side: int = 16) -> Tensor:
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Constant(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 1), 2.0)


@pytest.mark.parametrize(("delta", "difference"), [(0.0, 0.5), (0.25, 0.375), (1.0, 0.125)])
def test_the_losses_by_hand(delta: float, difference: float) -> None:
    """Huber's over delta: |d| - delta / 2 beyond delta, d^2 / (2 delta) below."""
    model = of_drawings(huber_delta=delta, l1_weight=10.0)
    model.discriminator = Constant()
    batch = GameBatch(torch.zeros(2, 3, 16, 16), torch.zeros(2, 1, 16, 16), None, torch.full((2, 3, 16, 16), 0.5))
    terms = {**model.generator_loss(batch)}
    assert float(terms.pop("l1")) == pytest.approx(10 * difference)
    assert [float(term) for term in terms.values()] == pytest.approx([math.log1p(math.exp(-2))])
    # D's are those of pix2pix.
    other = small(Pix2Pix)
    other.discriminator = Constant()
    assert model.discriminator_loss(batch) == other.discriminator_loss(batch)


def test_a_photograph_is_lightness_and_colours() -> None:
    model, images = of_photographs(), photographs()
    batch = model.draw_latents(model.prepare_batch([images, torch.arange(2)]))
    assert_close(torch.cat([batch.condition, batch.real], 1), rgb_to_lab(images / 127.5 - 1))
    assert [part.shape for part in batch.latent] == [(2, 3, 16, 16), (2, 530)]
    # Pairs, with the photograph to be made
    pairs = small(Colorization, image_shape=(3, 16, 16), given="lightness")
    assert_close(pairs.prepare_batch((images, images[:, :1])).condition, batch.condition)
    assert pairs.given_channels == 3
    assert of_drawings().given_channels == 1


@pytest.mark.parametrize(("height", "width"), [(16, 16), (13, 21)])
def test_the_lightness_of_a_photograph_is_kept(height: int, width: int) -> None:
    model = lively(of_photographs())
    given = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = model.translate(given, hints=[Hint(3, 4, RED)])
    assert float(rgb_to_lab(made)[:, 1:].std()) > 0.1, "it has colours"
    levels = to_uint8(made).float() / 127.5 - 1
    # See test_lab: rounding to levels
    assert float((rgb_to_lab(levels) - rgb_to_lab(given))[:, 0].abs().max()) * 50 < 0.3


@pytest.mark.parametrize("make", [of_photographs, of_drawings])
def test_hints_and_references_change_the_result(make: Any) -> None:
    model = lively(make())
    given = torch.rand(2, model.given_channels, 20, 24)
    red, blue = photographs(1, 4) * 0 + torch.tensor(RED)[None, :, None, None], photographs(1, 4)
    results = [
        model.translate(given),
        model.translate(given, hints=[Hint(5, 6, RED)]),
        model.translate(given, hints=[Hint(5, 6, BLUE)]),
        model.translate(given, reference=red / 127.5 - 1),
        model.translate(given, reference=blue / 127.5 - 1),
    ]
    for i, one in enumerate(results):
        assert one.shape == (2, 3, 20, 24)
        assert all(float((one - other).abs().mean()) > 1e-3 for other in results[:i])


def test_a_hint_has_the_users_colour_at_its_place() -> None:
    model, seen = of_drawings(largest_hint=1), []
    model.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.translate(torch.zeros(1, 1, 13, 16), hints=[Hint(5, 12, RED)])
    hint = seen[0][0, 1:]
    assert_close(hint[:, 12, 5], torch.tensor([*(level / 127.5 - 1 for level in RED), 1.0]))
    assert hint[3].sum() == 1
    # Grey images: the mean
    grey = small(Colorization, largest_hint=1)
    grey.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    grey.translate(torch.zeros(1, 1, 16, 16), hints=[Hint(5, 12, RED)])
    assert float(seen[1][0, 1, 12, 5]) == pytest.approx(sum(RED) / 3 / 127.5 - 1)


def test_hints_of_images_of_other_channels() -> None:
    model, seen = small(Colorization, largest_hint=1, image_shape=(4, 16, 16), condition_shape=(3, 16, 16)), []
    model.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.translate(torch.zeros(1, 3, 16, 16), hints=[Hint(5, 12, (255, 0, 255))])
    assert seen[0][0, 3:, 12, 5].tolist() == [1, -1, 1, 1, 1], "red, green, blue, opaque, and the mask"
    batch = model.prepare_batch((torch.rand(2, 4, 16, 16), torch.rand(2, 3, 16, 16)))
    assert [len(column[0]) for column in model.picture_columns(batch)] == [4, 4, 4, 4]
    with pytest.raises(ValueError, match="makes images of 6 channels, and hints are red, green and blue: leave them"):
        small(Colorization, image_shape=(6, 16, 16)).check_guidance(["hints"])


def test_validation() -> None:
    model = lively(of_photographs())
    batch = model.prepare_batch(photographs())
    torch.manual_seed(0)
    given, plain, hinted, true = model.picture_columns(batch)
    assert_close(true, photographs() / 127.5 - 1, atol=2e-3, rtol=0)
    assert not torch.equal(plain, hinted)
    assert (given[:, 0] == given[:, 1]).any(), "without hints it is grey"
    metrics = model.validation_metrics(batch)
    squares = ((plain + 1) / 2 - (true + 1) / 2).square().mean((1, 2, 3))
    assert float(metrics["psnr"]) == pytest.approx(float((-10 * squares.log10()).mean()), abs=1e-3)
    assert metrics.keys() == {"psnr", "psnr_hints", "psnr_palette"}
    assert torch.equal(model.predict_step(photographs(), 0), plain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition_shape": None}, "images whose lightness is given, and these have 1 channels: set the data's"),
        (
            {"condition_shape": None, "given": "drawing"},
            "Colorization of drawings learns from pairs of images, such",
        ),
        ({"hint_probability": 0.0}, "hint_probability is 0.0: it must be greater than 0"),
        ({"hint_probability": 1.5}, "hint_probability is 1.5: it must be at least 0 and at most 1"),
        ({"largest_hint": 0}, "largest_hint is 0: it must be at least 1"),
        ({"huber_delta": -1.0}, "huber_delta is -1.0: it must be at least 0"),
        ({"given": "lines"}, "given is 'lines': it must be drawing or lightness or None"),
    ],
)
def test_what_cannot_be_coloured_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(Colorization, **arguments)


def test_guidance_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    image = torch.zeros(1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"^Pix2Pix takes no hints: leave it out\.$"):
        small(Pix2Pix).translate(image, hints=[Hint(0, 0, RED)])
    with pytest.raises(ValueError, match=r"^Pix2Pix takes no reference: leave it out\.$"):
        read_reference(small(Pix2Pix), tmp_path / "none.png")
    with pytest.raises(ValueError, match="The hint 16,0,#d2281e lies outside the image of 16 x 16 pixels"):
        vivid(Colorization).translate(image, hints=[Hint(16, 0, RED)])
