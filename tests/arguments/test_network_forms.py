"""A network of another form than the game calls is refused before anything is made."""

from functools import partial
from typing import Any

import pytest
from torch import Tensor, nn

from gan_lightning import networks, variants
from tests.helpers.games import VARIANTS, small


@pytest.mark.parametrize(
    ("game", "argument", "network", "sentence"),
    [
        ("ACGAN", "discriminator", "MLPDiscriminator", "which returns one tensor, and ACGAN needs 2 tensors"),
        ("InfoGAN", "discriminator", "MLPDiscriminator", "which returns one tensor, and InfoGAN needs 4 tensors"),
        ("BEGAN", "discriminator", "ConvDiscriminator", "which returns one tensor, and BEGAN needs 2 tensors"),
        ("DCGAN", "discriminator", "ClassifyingDiscriminator", "which returns 2 tensors, and DCGAN needs one tensor"),
        ("CoGAN", "generator", "ConvGenerator", "which returns one tensor, and CoGAN needs tensors by name"),
        ("ConditionalGAN", "discriminator", "MLPDiscriminator", "is called with image, and .* with image, labels"),
        ("GAN", "generator", "ConditionalMLPGenerator", "is called with latent, labels, and GAN calls it with latent"),
        (
            "DCGAN",
            "generator",
            "GANCLSGenerator",
            "with latent, sentence, and DCGAN calls it with latent, as ConvGenerator",
        ),
        ("DCGAN", "discriminator", "GANCLSDiscriminator", "DCGAN calls it with image, as ConvDiscriminator"),
    ],
)
@pytest.mark.parametrize("given", ["class", "partial", "parser"])
def test_it_is_refused(game: str, argument: str, network: str, sentence: str, given: str) -> None:
    kind: Any = getattr(networks, network)
    kind = {"class": kind, "partial": partial(kind, width=4), "parser": partial(lambda made: made(), kind)}[given]
    with pytest.raises(ValueError, match=f"{argument} is {network}, .*{sentence}"):
        getattr(variants, game)(**{argument: kind})


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_the_usual_networks_pass(variant: Any) -> None:
    small(variant)


class Bare(nn.Module):
    """A network of a user's own, without an annotation."""

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.weight = nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], 1)

    def forward(self, image):  # type: ignore[no-untyped-def]
        return self.weight(image.flatten(1))


class ManyInOne(Bare):
    """One that says little."""

    def forward(self, *images: Tensor) -> Any:
        return super().forward(images[0])


@pytest.mark.parametrize("network", [Bare, ManyInOne])
def test_what_says_nothing_is_let_through(network: Any) -> None:
    variants.DCGAN((1, 32, 32), discriminator=network)
