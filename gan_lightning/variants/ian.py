"""IAN: a variational auto-encoder and a GAN in one, whose encoder reads the discriminator's features."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.encoder import EncoderGame
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageShape
from gan_lightning.losses import Terms, condition_kl, map_distance, ternary_discriminator, ternary_generator
from gan_lightning.losses.terms import batch_mean
from gan_lightning.networks import IANDiscriminator, IANEncoder, IANGenerator
from gan_lightning.regularizers import orthonormal_penalty

HeadFactory = Callable[[ImageShape, int], nn.Module]


class IAN(EncoderGame, ema_decay=None):
    """Brock, Lim, Ritchie, Weston, *Neural Photo Editing with Introspective Adversarial Networks*, ICLR 2017,
    arXiv 1609.07093, section 3.

    The encoder is a head on the discriminator's feature maps f: ``E(x) = mu + sigma * e``, mu and sigma of ``f(x)``.
    The discriminator tells three classes apart, with the reconstruction ``x' = G(E(x))``:
    ``L_D = -E log D_real(x) - E log D_rec(x') - E log D_sample(G(z))``. Generator and head minimise
    ``-E log D_real(x') - E log D_real(G(z)) + 6 E |x' - x| + E (f(x') - f(x))^2 + KL + 1e-3 sum |W W^T - I|``: the
    features' term is a mean over the maps, the divergence from N(0, 1) a mean over the latent's numbers, and the last
    term is over the kernels of both. The maps move with D alone.

    As in the authors' code, pixels and features are compared by plain differences; 6 is its 3 times ``2 |x' - x|``.
    There the head moves at D's update too, by the generator's loss. The default networks are the full model's, without
    its autoregressive flow of latents. Nothing is averaged, so that the head fits the maps that it reads.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        encoder: Makes the encoder's head from the shape of the discriminator's last map and the latent length; it
            returns mu and log sigma.
        discriminator: Makes the discriminator from the image shape; it returns logits of the three classes and feature
            maps, which it has a method ``maps`` for too.
        pixel_weight: Weight of ``E |x' - x|``.
        feature_weight: Weight of the features' term.
        kl_weight: Weight of the divergence.
        orthogonal_weight: Weight of the penalty on kernels that are not orthonormal. 0: none.
        ema_decay: Decay per update of the moving average of the generator's and the head's weights. None: no average.
    """

    generator: nn.ModuleDict
    training_parts = ("augmentation", "regularizers")  # The encoder reads the discriminator's features.
    augments_inputs = False  # The encoder reads images as they are, and so does the comparison of features.

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: GeneratorFactory = IANGenerator,
        encoder: HeadFactory = IANEncoder,
        discriminator: DiscriminatorFactory = IANDiscriminator,
        pixel_weight: float = 6.0,
        feature_weight: float = 1.0,
        kl_weight: float = 1.0,
        orthogonal_weight: float = 1e-3,
        **game: Any,
    ) -> None:
        judge: Any = resolve(discriminator)(image_shape)
        with evaluating(judge):
            _, channels, height, width = judge.maps(torch.zeros(1, *image_shape))[-1].shape
        super().__init__(
            image_shape,
            latent_dim,
            # G and the head are one player: they minimise one loss.
            generator=lambda shape, length: nn.ModuleDict(
                {
                    "generator": resolve(generator)(shape, length),
                    "encoder": resolve(encoder)((channels, height, width), length),
                }
            ),
            discriminator=lambda _: judge,
            **game,
        )
        self.weights = {"pixels": pixel_weight, "features": feature_weight, "kl": kl_weight}
        self.orthogonal_weight = orthogonal_weight

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Draw latents from the prior, and the noise of the encoder's reparametrised samples, N x latent_dim each."""
        batch = super().draw_latents(batch)
        return replace(batch, latent={"prior": batch.latent, "noise": torch.randn_like(batch.latent)})

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator["generator"](batch.latent["prior"])

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, maps = self._judged(batch.real)
        with torch.no_grad():
            reconstruction = self._reconstructed(maps, batch)[0]
        return ternary_discriminator(real, self._judged(reconstruction)[0], self._judged(batch.fake)[0])

    def generator_loss(self, batch: GameBatch) -> Terms:
        given = self._maps(batch.real)
        reconstruction, mean, log_deviation = self._reconstructed(given, batch)
        judged, maps = self._judged(reconstruction)
        terms = {
            "pixels": batch_mean((reconstruction - batch.real).abs()),
            "features": map_distance(maps, given),
            "kl": condition_kl(mean, 2 * log_deviation),
        }
        weighted = {name: self.weights[name] * term for name, term in terms.items()}
        return {**ternary_generator(judged, self._judged(batch.fake)[0]), **weighted}

    def generator_penalty(self, batch: GameBatch) -> Terms:
        if self.orthogonal_weight == 0:
            return {}
        return {"orthogonal": self.orthogonal_weight * orthonormal_penalty(self.generator)}

    def _judged(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of images as they are judged in training, and feature maps of images as they are."""
        logits, maps = self.discriminator(self.augmented(images))
        return logits, maps if self.augmentation is None else self._maps(images)

    def _maps(self, images: Tensor) -> list[Tensor]:
        return cast(Any, self.discriminator).maps(images)

    def _reconstructed(self, maps: list[Tensor], batch: GameBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions by latents drawn from the posterior, with mu and log sigma."""
        mean, log_deviation = self.generator["encoder"](maps[-1])
        latents = mean + log_deviation.exp() * batch.latent["noise"]
        return self.generator["generator"](latents), mean, log_deviation

    # Inference.

    @property
    def image_generator(self) -> nn.Module:
        return cast(nn.ModuleDict, self.averaged_generator)["generator"]

    def encode_batch(self, images: Tensor) -> Tensor:
        head = cast(nn.ModuleDict, self.averaged_generator)["encoder"]
        with evaluating(self.discriminator), evaluating(head):
            return head(self._maps(images)[-1])[0]
