"""GAN-CLS's networks: the authors' layers at 64 x 64, and other sizes."""

import pytest
import torch

from gan_lightning.networks import GANCLSDiscriminator, GANCLSGenerator
from tests.helpers.parameters import n_parameters, without_memory


def test_the_authors_sizes_at_64_pixels() -> None:
    """Counted off main_cls.lua: its convolutions' biases are set to 0 in every step, and are left out here."""

    def block(channels: int, inner: int) -> int:
        convolutions = channels * inner + 9 * inner * inner + 9 * inner * channels
        return convolutions + 2 * (inner + inner + channels)

    generator = 1024 * 128 + 128
    generator += 16 * (100 + 128) * 1024 + 2 * 1024 + block(1024, 256)
    generator += 16 * 1024 * 512 + 2 * 512 + block(512, 128)
    generator += 16 * 512 * 256 + 2 * 256 + 16 * 256 * 128 + 2 * 128 + 16 * 128 * 3
    with without_memory():
        assert n_parameters(GANCLSGenerator()) == generator

    discriminator = 16 * 3 * 64 + 16 * 64 * 128 + 2 * 128 + 16 * 128 * 256 + 2 * 256 + 16 * 256 * 512 + 2 * 512
    discriminator += block(512, 128) + 1024 * 128 + 128 + 2 * 128
    discriminator += (512 + 128) * 512 + 2 * 512 + 16 * 512
    with without_memory():
        assert n_parameters(GANCLSDiscriminator()) == discriminator


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (3, 32, 48), (3, 64, 64)])
def test_other_sizes(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    generator = GANCLSGenerator(shape, latent_dim=5, embed_dim=7, width=4, text_dim=3)
    discriminator = GANCLSDiscriminator(shape, embed_dim=7, width=4, text_dim=3)
    images = generator(torch.randn(3, 5), torch.randn(3, 7))
    assert images.shape == (3, *shape)
    assert float(images.detach().abs().max()) <= 1
    assert discriminator(images, torch.randn(3, 7)).shape == (3,)


def test_both_networks_look_at_the_text() -> None:
    torch.manual_seed(0)
    generator = GANCLSGenerator((3, 16, 16), 5, 7, width=4).eval()
    discriminator = GANCLSDiscriminator((3, 16, 16), 7, width=4).eval()
    latent, texts = torch.randn(1, 5).expand(2, -1), torch.randn(2, 7)
    one, other = generator(latent, texts)
    assert not torch.equal(one, other)
    same = torch.stack([one, one])
    assert len(set(discriminator(same, texts).tolist())) == 2
