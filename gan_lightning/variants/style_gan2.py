"""StyleGAN2: styles that scale weights, a generator of skips, lazy penalties of both players."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame, labels_of
from gan_lightning.games.style import StyleGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.optimizers import StyleGAN2Adam
from gan_lightning.regularizers import PenaltyMethod, path_lengths, r1_penalty, refuse_batch_norm
from gan_lightning.trainer.internals import trainer_of


class StyleGAN2(
    StyleGame,
    LabelGame,
    image_shape=(3, 64, 64),
    latent_dim=512,
    generator=StyleGAN2Generator,
    discriminator=StyleGAN2Discriminator,
    generator_optimizer=StyleGAN2Adam,
    discriminator_optimizer=StyleGAN2Adam,
    penalty_interval=16,
    generator_penalty_interval=4,
    ema_decay=None,
    ema_half_life=10_000,
    ema_ramp_up=0.05,
):
    """Karras et al., *Analyzing and Improving the Image Quality of StyleGAN*, CVPR 2020, arXiv 1912.04958.

    The non-saturating game, with R1 at every 16th update of D and path length regularisation (equation 4) at every
    fourth of G, each multiplied by its interval:

    ``L_D = E softplus(-D(x)) + E softplus(D(G(z))) + r1_weight / 2 * E ||grad D(x)||^2``,
    ``L_G = E softplus(-D(G(z))) + path_length_weight * E (||J_w^T y||_2 - a)^2``

    with a the moving average of the lengths, on the first half of a batch, of latents of their own. With classes both
    players are conditional (*Training Generative Adversarial Networks with Limited Data*, NeurIPS 2020, arXiv
    2006.06676, StyleGAN2-ADA); its augmentation is ``augmentation=ADA``.

    Args:
        num_classes: Labels are 0 ... num_classes - 1. The command line takes it from the data. None: no classes.
        conditional: False: an unconditional game on data with classes.
        r1_weight: Gamma of R1, or its schedule. None: 0.0002 times the pixels of an image over the images of an update,
            the rule of StyleGAN2-ADA's automatic configuration. 10 in the paper for faces of 1024 pixels.
        path_length_weight: Weight of path length regularisation; 0: none, as in the configuration for CIFAR-10.
        penalty_method: How R1 is computed: ``finite_difference`` estimates it without a second derivative.
    """

    needs_classes = False
    path_length_mean: Tensor

    def __init__(
        self,
        num_classes: int | None = None,
        conditional: bool = True,
        r1_weight: Schedule | float | None = None,
        path_length_weight: float = 2.0,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(num_classes=num_classes if conditional else None, **game)
        self.r1_weight = None if r1_weight is None else resolve_number(r1_weight)
        self.path_length_weight = path_length_weight
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact" or path_length_weight > 0
        # Each process has its own, as in the authors' code.
        self.register_buffer("path_length_mean", torch.zeros(()))
        refuse_batch_norm(self.discriminator, "StyleGAN2")

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        images: Tensor = self.generator(styles=self.random_styles(batch.latent, *labels_of(batch)))
        return images

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = (self.discriminator(images, *labels_of(batch)) for images in (batch.real, batch.fake))
        return minimax_discriminator(real, fake)

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        weight = self.gamma(len(batch.real))
        if weight == 0:
            return {}

        def logits(images: Tensor) -> Tensor:
            return self.discriminator(images, *labels_of(batch))

        return {"r1": weight * r1_penalty(logits, batch.real, self.penalty_method)}

    def gamma(self, batch_size: int) -> float:
        """Weight of R1 for updates of so many images in each process, one process where there is no trainer."""
        if self.r1_weight is not None:
            return value_of(self.r1_weight, self.images_seen)
        _, height, width = self.image_shape
        trainer = trainer_of(self)
        images = batch_size * self.accumulate * (1 if trainer is None else trainer.world_size)
        return 2e-4 * height * width / images

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake, *labels_of(batch)))

    def generator_penalty(self, batch: GameBatch) -> Terms:
        if self.path_length_weight == 0:
            return {}
        n = max(1, len(batch.real) // 2)
        latent = torch.randn_like(batch.latent[:n])
        # As all penalties, outside autocast: second derivatives in bfloat16 are off by a percent.
        with torch.autocast(latent.device.type, enabled=False):
            styles = self.random_styles(latent, *(labels[:n] for labels in labels_of(batch)))
            if not styles.requires_grad:  # Of a mapping network that is frozen for the run.
                styles.requires_grad_()
            lengths = path_lengths(self.generator(styles=styles), styles)
        mean = torch.lerp(self.path_length_mean, lengths.mean().to(self.path_length_mean), 0.01)
        self.path_length_mean.copy_(mean.detach())
        return {"path_length": self.path_length_weight * (lengths - mean).square().mean()}
