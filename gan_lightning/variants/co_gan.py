"""CoGAN: two generators that share their first layers, so that one latent gives a pair of images of two domains."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.games.portable import Applied, Portable
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks import CoupledDiscriminator, CoupledGenerator
from gan_lightning.optimizers import CoGANAdam
from gan_lightning.trainer.loader_batches import images_of_domains


class CoGAN(
    ImageGame,
    image_shape=(1, 28, 28),
    generator=CoupledGenerator,
    discriminator=CoupledDiscriminator,
    generator_optimizer=CoGANAdam,
    discriminator_optimizer=CoGANAdam,
):
    """Liu, Tuzel, *Coupled Generative Adversarial Networks*, NeurIPS 2016, arXiv 1606.07536, equation 2.

    ``max_{G_A, G_B} min_{D_A, D_B}`` of two games at once, with the same z in both domains:
    ``L_D = sum_k (-E log D_k(x_k) - E log(1 - D_k(G_k(z))))`` and ``L_G = sum_k -E log D_k(G_k(z))``, k in {A, B}.
    Training uses no pairs. What couples the domains is that G_A and G_B share their first layers, which decide on the
    content, and D_A and D_B their last ones; only the layers next to the pixels belong to one domain.

    Shared layers are one module that both networks are made of, where other codes copy weights. The networks are the
    authors' for digits. z is normal instead of uniform, images are in [-1, 1] instead of [0, 1], the sum over the two
    domains is the paper's, where the authors' code takes the mean. The classifier of the paper's domain adaptation is
    left out.

    Args:
        image_shape: Channels, height, width of the images of both domains. The command line takes it from the data.
        generator: Makes the coupled generators from the image shape and the latent length.
        discriminator: Makes the coupled discriminators from the image shape.
    """

    domains = ("A", "B")

    def prepare_batch(self, raw: Any) -> GameBatch:
        domains = images_of_domains(raw, self.domains, type(self).__name__, "MNISTEdgesDataModule")
        for images in domains.values():
            self.check_shape(images)
        return GameBatch({domain: self.scaled(images) for domain, images in domains.items()})

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        terms: Terms = {}
        # Both domains in one call: their discriminators share the last layers.
        real, fake = self.discriminator(batch.real), self.discriminator(batch.fake)
        for domain in self.domains:
            with judge_named(domain):
                of_domain = minimax_discriminator(real[domain], fake[domain])
            terms |= {f"{name}_{domain}": term for name, term in of_domain.items()}
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        logits = self.discriminator(batch.fake)
        return {f"adversarial_{x}": non_saturating_generator(logits[x])["adversarial"] for x in self.domains}

    def generator_of(self, domain: str) -> nn.Module:
        """The averaged generator of one domain.

        Raises:
            ValueError: There is no such domain.
        """
        if domain not in self.domains:
            raise ValueError(f"CoGAN has no domain {domain!r}: choose {' or '.join(self.domains)}.")
        return cast(CoupledGenerator, self.averaged_generator).of(domain)

    @property
    def image_generator(self) -> nn.Module:
        """The generator of domain A, the default of ``sample``."""
        return self.generator_of(self.domains[0])

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        batch_size: int = 256,
        domain: str = "A",
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Samples of one domain; samples of the same number in the two domains are pairs.

        Returns:
            n x C x H x W on the model's device, in [-1, 1].
        """
        latents = self.latents_of_samples(start, start + n, seed, truncation)
        # The latents do not depend on the domain: this makes sample i of A and sample i of B a pair.
        return self.render(latents, batch_size=batch_size, generator=self.generator_of(domain))

    def interpolate_between(
        self,
        a: int,
        b: int,
        ways: Sequence[float],
        seed: int = 0,
        domain: str = "A",
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Images of one domain on the way from sample ``a`` to sample ``b``; see ImageGame."""
        start, end = (self.latents_of_samples(i, i + 1, seed, truncation) for i in (a, b))
        return self.render(self.latent_path(start, end, ways), generator=self.generator_of(domain))

    def portable(self, domain: str | None = None) -> Portable:
        """The network of one domain; see :meth:`ImageGame.portable`."""
        network = self.generator_of(domain or self.domains[0])
        made = replace(super().portable(), network=Applied(lambda latent: network(latent), network))
        return replace(made, facts={"domain": domain or self.domains[0]})

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """Pairs side by side, A and B."""
        pairs = [self.sample(max(n // 2, 1), seed, domain=domain) for domain in self.domains]
        return torch.stack(pairs, dim=1).flatten(0, 1), 2 * self._pairs_in_a_row(n)

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        return [*self.domains] * self._pairs_in_a_row(n), []

    def _pairs_in_a_row(self, n: int) -> int:
        return max(round(n**0.5 / 2), 1)
