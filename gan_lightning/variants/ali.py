"""ALI: a generator and an encoder, its inverse, against a discriminator of pairs of image and latent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.encoder import EncoderGame
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import GeneratorFactory, ImageShape
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import BiGANDiscriminator, BiGANEncoder, BiGANGenerator
from gan_lightning.optimizers import ALIAdam

EncoderFactory = Callable[[ImageShape, int], nn.Module]
JointDiscriminatorFactory = Callable[[ImageShape, int], nn.Module]


class ALI(EncoderGame, generator_optimizer=ALIAdam, discriminator_optimizer=ALIAdam):
    """Dumoulin et al., *Adversarially Learned Inference*, ICLR 2017, arXiv 1606.00704, algorithm 1.

    The discriminator judges pairs of an image and a latent, (x, E(x)) against (G(z), z):
    ``L_D = -E log D(x, E(x)) - E log(1 - D(G(z), z))``. Generator and encoder minimise the same with labels swapped:
    ``L_{G, E} = -E log(1 - D(x, E(x))) - E log D(G(z), z)``. At the optimum both pairs have one joint distribution, and
    E inverts G. No term compares pixels.

    ``E(x) = mu(x) + sigma(x) * e`` with normal e; without e, ``stochastic=False``, it is BiGAN (Donahue, Krähenbühl,
    Darrell, ICLR 2017, arXiv 1605.09782), but for its uniform z and its factor 1/2. The default networks are small and
    fully connected, for MNIST, as BiGAN's; the paper's are ``ALIGenerator``, ``ALIEncoder`` and ``ALIDiscriminator``.
    Images are in [-1, 1] instead of [0, 1].

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        encoder: Makes the encoder from the image shape and the number of its outputs: mu and log sigma, or mu alone.
        discriminator: Makes the discriminator of pairs from the image shape and the latent length.
        stochastic: Whether E(x) is sampled from a normal distribution, as in ALI, or deterministic, as in BiGAN.
        generator_optimizer: Makes the generator's and the encoder's optimiser from their parameters.
    """

    generator: nn.ModuleDict

    def __init__(
        self,
        image_shape: ImageShape = (1, 28, 28),
        latent_dim: int = 50,
        generator: GeneratorFactory = BiGANGenerator,
        encoder: EncoderFactory = BiGANEncoder,
        discriminator: JointDiscriminatorFactory = BiGANDiscriminator,
        stochastic: bool = True,
        **game: Any,
    ) -> None:
        # ALI's encoder gives mu and log sigma side by side, BiGAN's a latent.
        outputs = 2 * latent_dim if stochastic else latent_dim
        super().__init__(
            image_shape,
            latent_dim,
            # G and E are one player: algorithm 1 minimises one joint loss, so one optimiser moves both.
            generator=lambda shape, length: nn.ModuleDict(
                {"generator": resolve(generator)(shape, length), "encoder": resolve(encoder)(shape, outputs)}
            ),
            discriminator=lambda shape: resolve(discriminator)(shape, latent_dim),
            **game,
        )
        self.stochastic = stochastic

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Draw latents from the prior, and the noise of the encoder's reparametrised samples, N x latent_dim each."""
        batch = super().draw_latents(batch)
        # The encoder's noise is drawn here, once, so that both players see the same E(x). A pair has one true part, x
        # or z ("real"), and one that is made from it ("fake"), see generate_fakes.
        prior, noise = batch.latent, torch.randn_like(batch.latent)
        return replace(batch, real={"image": batch.real, "latent": prior}, latent={"prior": prior, "noise": noise})

    def generate_fakes(self, batch: GameBatch) -> dict[str, Tensor]:
        image = self.generator["generator"](batch.latent["prior"])
        mean, deviation = self._posterior(self.generator["encoder"](batch.real["image"]))
        # Reparametrisation: E(x) is sampled, and still has a gradient with respect to mu and sigma.
        return {"image": image, "latent": mean + deviation * batch.latent["noise"]}

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return minimax_discriminator(*self._logits(batch))

    def generator_loss(self, batch: GameBatch) -> Terms:
        encoded, generated = self._logits(batch)
        return {
            # Labels are swapped in both terms: the first one moves G alone, the second E alone.
            # -log(1 - D) = sp(s) is the non-saturating loss of the negated logit.
            **non_saturating_generator(generated),
            "encoder": non_saturating_generator(-encoded)["adversarial"],
        }

    def _logits(self, batch: GameBatch) -> tuple[Tensor, Tensor]:
        """Logits of the encoder's pairs and of the generator's."""
        encoded = self.discriminator(batch.real["image"], batch.fake["latent"])
        return encoded, self.discriminator(batch.fake["image"], batch.real["latent"])

    def _posterior(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, N x latent_dim each, from the encoder's output."""
        if not self.stochastic:
            return outputs, torch.zeros_like(outputs)
        mean, log_deviation = outputs.chunk(2, dim=1)
        return mean, log_deviation.exp()

    # Inference.

    @property
    def image_generator(self) -> nn.Module:
        return cast(nn.ModuleDict, self.averaged_generator)["generator"]

    def encode_batch(self, images: Tensor) -> Tensor:
        encoder = cast(nn.ModuleDict, self.averaged_generator)["encoder"]
        with evaluating(encoder):
            return self._posterior(encoder(images))[0]
