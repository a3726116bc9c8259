"""One-sided label smoothing, in every variant whose discriminator says how probable it is that an image is real."""

from typing import Any

import pytest
import torch

from gan_lightning.games.batch import GameBatch
from tests.helpers.games import VARIANTS, argument_of, example_batch, small

SMOOTHED = [variant for variant in VARIANTS if argument_of(variant, "real_target")]


def terms_of(variant: Any, **arguments: float) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], list[float]]:
    """Both players' terms, and the mean logits of real images and of fakes, in whichever order they were judged."""
    if argument_of(variant, "n_unrolled"):  # its generator sees the discriminator that the smoothed labels make
        arguments["n_unrolled"] = 0
    model: Any = small(variant, **arguments).double()  # untrained, their logits are all but 0
    model.discriminator.eval()
    logits = []
    model.discriminator.register_forward_hook(lambda _, __, out: logits.append(out if torch.is_tensor(out) else out[0]))
    torch.manual_seed(0)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 6)))
    batch = GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))
    return model.discriminator_loss(batch), model.generator_loss(batch), [one.mean().item() for one in logits[:2]]


def test_the_cross_entropy_variants_have_it() -> None:
    names = {variant.__name__ for variant in SMOOTHED}
    assert names >= {"GAN", "MinimaxGAN", "DCGAN", "FeatureMatchingGAN", "ConditionalGAN", "ACGAN", "InfoGAN"}


@pytest.mark.parametrize("variant", SMOOTHED, ids=lambda variant: variant.__name__)
def test_real_images_alone_are_smoothed(variant: Any) -> None:
    """-0.9 log D - 0.1 log(1 - D) is -log D + 0.1 times the logit."""
    plain, plain_generator, logits = terms_of(variant, real_target=1.0)
    smooth, smooth_generator, _ = terms_of(variant, real_target=0.9)
    gained = (smooth.pop("real") - plain.pop("real")).item()
    assert any(gained == pytest.approx(0.1 * logit, rel=1e-5, abs=0) for logit in logits)
    for one, other in ((plain, smooth), (plain_generator, smooth_generator)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("target", [0.0, 1.1])
def test_a_target_that_is_no_probability_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match=f"real_target is {target}: it must be greater than 0 and at most 1"):
        small(SMOOTHED[0], real_target=target)
