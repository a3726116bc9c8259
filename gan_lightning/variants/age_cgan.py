"""Age-cGAN: faces of an age, and an encoder that finds the latent of a given face."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageShape
from gan_lightning.games.label import LabelDiscriminatorFactory, LabelGame, LabelGeneratorFactory
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import AgeDiscriminator, AgeEncoder, ConvGenerator

LabelEncoderFactory = Callable[[ImageShape, int, int], nn.Module]


class AgeCGAN(LabelGame):
    """Antipov, Baccouche, Dugelay, *Face Aging with Conditional Generative Adversarial Networks*, ICIP 2017,
    arXiv 1702.01983.

    Classes are groups of ages y. Until ``encoder_step`` it is a conditional GAN: the discriminator maximises
    ``E log D(x, y) + E log(1 - D(G(z, y), y))``, the generator ``E log D(G(z, y), y)``. Then the generator becomes its
    average and is held still, and an encoder learns its inverse from samples alone: ``L_E = E ||z - E(G(z, y), y)||``.

    The encoder's latent of a face is a first guess z_0, which
    :func:`~gan_lightning.inference.edit.inversion.invert` improves, ``z* = argmin ||FR(x) - FR(G(z, y_0))||`` with the
    features FR of a network that recognises faces; ``G(z*, y)`` then shows the face at another age y. On the command
    line that is ``gan-lightning reconstruct --every_class --distance NETWORK --pixel_weight 0``. Adam takes the place
    of L-BFGS-B there.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        num_classes: Number of groups of ages. The command line takes it from the data.
        generator: Makes the generator from the image shape, the latent length and the number of classes.
        encoder: Makes the encoder from the same; it is called with images and labels.
        discriminator: Makes the discriminator from the image shape and the number of classes.
        encoder_step: Step from which on the encoder is trained, and the generator held still.
    """

    generator: nn.ModuleDict

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        num_classes: int | None = 6,
        generator: LabelGeneratorFactory = ConvGenerator,
        encoder: LabelEncoderFactory = AgeEncoder,
        discriminator: LabelDiscriminatorFactory = AgeDiscriminator,
        encoder_step: int = 86_000,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            num_classes,
            # One player and one optimiser: a network whose weights have no gradient in a stage stays as it is.
            generator=lambda *sizes: nn.ModuleDict(
                {"generator": resolve(generator)(*sizes), "encoder": resolve(encoder)(*sizes)}
            ),
            discriminator=discriminator,
            **game,
        )
        self.encoder_step = encoder_step

    @property
    def trains_encoder(self) -> bool:
        """Whether the encoder is trained, and the generator held still."""
        return self.game_step >= self.encoder_step

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        if self.game_step == self.encoder_step and self.ema is not None:
            # The encoder inverts the network that makes the samples, and so does their average from now on.
            averaged = cast(nn.ModuleDict, self.averaged_generator)["generator"]
            self.generator["generator"].load_state_dict(averaged.state_dict())
        return super().training_step(batches, batch_idx)

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        generator = self.generator["generator"]
        if self.trains_encoder:
            with evaluating(generator):
                return generator(batch.latent, batch.condition)
        return generator(batch.latent, batch.condition)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        if self.trains_encoder:
            return {}
        labels = batch.condition
        return minimax_discriminator(self.discriminator(batch.real, labels), self.discriminator(batch.fake, labels))

    def generator_loss(self, batch: GameBatch) -> Terms:
        if self.trains_encoder:
            found = self.generator["encoder"](batch.fake, batch.condition)
            return {"encoder": torch.linalg.vector_norm(batch.latent - found, dim=1).mean()}
        return non_saturating_generator(self.discriminator(batch.fake, batch.condition))

    # Inference.

    @property
    def image_generator(self) -> nn.Module:
        return cast(nn.ModuleDict, self.averaged_generator)["generator"]

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """One latent per row, one age per column."""
        rows, columns = max(1, n // len(self._ages)), len(self._ages)
        latents = self.indexed_latents(0, rows, seed).repeat_interleave(columns, dim=0)
        return self.render(latents, torch.arange(columns).repeat(rows)), columns

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        return self._ages, []

    @property
    def _ages(self) -> list[str]:
        return [*(self.class_names or map(str, range(cast(int, self.num_classes))))]

    def encode(self, images: Tensor, batch_size: int = 256, labels: Sequence[int] | None = None) -> Tensor:
        """Encode images of known classes to latents by the averaged encoder.

        Args:
            images: N x C x H x W, uint8 or in [-1, 1].
            batch_size: Images per forward pass.
            labels: The class of each image.

        Returns:
            N x latent_dim on the model's device.

        Raises:
            ValueError: The images have another shape than the model's, or the classes are not theirs.
        """
        self.check_shape(images)
        if labels is None or len(labels) != len(images):
            raise ValueError(f"AgeCGAN's encoder takes the class of each of the {len(images)} images: give labels.")
        self.check_classes(labels or None)
        encoder = cast(nn.ModuleDict, self.averaged_generator)["encoder"]
        # An empty start, so that no image gives 0 x latent_dim.
        latents = [torch.empty(0, self.latent_dim, device=self.device)]
        with evaluating(encoder):
            for some, of in zip(images.split(batch_size), torch.tensor(labels).split(batch_size), strict=True):
                latents.append(encoder(self.scaled(some.to(self.device)), of.to(self.device)))
        return torch.cat(latents)
