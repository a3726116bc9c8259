"""Unrolled GAN: the generator differentiates through steps of the discriminator's optimiser."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.players import places_of_players
from gan_lightning.losses import Terms, minimax_discriminator, minimax_generator, non_saturating_generator
from gan_lightning.losses.reported import without_reports
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from gan_lightning.optimizers.look_ahead import NetworkFunction, check_unrollable, unrolled_network
from gan_lightning.trainer.internals import trainer_of
from gan_lightning.variants.gan import GAN


class UnrolledGAN(
    GAN,
    image_shape=(1, 28, 28),
    latent_dim=100,
    generator=MLPGenerator,
    discriminator=MLPDiscriminator,
):
    """Metz, Poole, Pfau, Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, ICLR 2017, arXiv 1611.02163.

    With ``f = E log D(x) + E log(1 - D(G(z)))`` the discriminator D of weights ``theta`` maximises f, and the
    generator minimises ``f(G, theta^K)`` where ``theta^0 = theta`` and ``theta^{k+1} = theta^k + step(grad f(G,
    theta^k))``: its gradient passes through K steps of D's optimiser (section 2). These steps are discarded: D is
    trained as in ``GAN``.

    As in the authors' notebook, both terms of f stand in the generator's loss: the term of the real images depends on
    G through ``theta^K``. With ``saturating`` off it minimises ``-E log D(G(z))`` under ``theta^K`` instead. With
    ``n_unrolled`` 0 the game is ``MinimaxGAN`` or ``GAN``, to the bit.

    D is updated first, and G unrolls from the new D, on the same images, with the state of D's optimiser; in the
    notebook both updates are simultaneous. Each rank, and each accumulated batch, unrolls on its own images. Every
    unrolled step has dropout masks of its own.

    Args:
        discriminator: Makes the discriminator from the image shape. It must have second derivatives.
        n_unrolled: Steps of the discriminator's optimiser that the generator differentiates through, K in the paper,
            which has 0, 1, 5 and 10.
        saturating: Whether the generator minimises f, as in the paper, or the non-saturating loss.
    """

    def __init__(self, n_unrolled: int = 5, saturating: bool = True, **game: Any) -> None:
        super().__init__(**game)
        self.n_unrolled = n_unrolled
        self.saturating = saturating

    def generator_loss(self, batch: GameBatch) -> Terms:
        discriminator = self._unrolled_discriminator(batch) if self.n_unrolled else self.discriminator
        if not self.saturating:
            return non_saturating_generator(discriminator(batch.fake))
        terms = minimax_generator(discriminator(batch.fake))
        if self.n_unrolled:
            # No constant to G: theta^K depends on G through the unrolled steps.
            terms["real"] = -non_saturating_generator(discriminator(batch.real))["adversarial"]
        return terms

    def _unrolled_discriminator(self, batch: GameBatch) -> NetworkFunction:
        def loss(discriminator: NetworkFunction) -> Tensor:
            terms = minimax_discriminator(discriminator(batch.real), discriminator(batch.fake), self.real_target)
            return torch.stack([*terms.values()]).sum()

        # Accuracies of steps that are discarded do not belong in the log.
        with without_reports():
            return unrolled_network(
                self.discriminator, self._optimizer_of_discriminator(), loss, self.n_unrolled, self.gradient_clip_norm
            )

    def _optimizer_of_discriminator(self) -> Optimizer:
        if trainer_of(self) is not None:
            return self.optimizer_of("discriminator").optimizer
        optimizers, _ = self.configure_optimizers()  # Outside of training: a new optimiser, without state.
        return optimizers[places_of_players(self, optimizers)["discriminator"]]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        optimizers, schedulers = super().configure_optimizers()
        check_unrollable(optimizers[places_of_players(self, optimizers)["discriminator"]])
        return optimizers, schedulers
