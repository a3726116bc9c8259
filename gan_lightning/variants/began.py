"""BEGAN: an auto-encoder as the discriminator, and proportional control of the balance between the players."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, convergence, energy_balance_discriminator, energy_generator, next_balance
from gan_lightning.networks import BEGANAutoencoder, BEGANGenerator
from gan_lightning.optimizers import BEGANAdam
from gan_lightning.trainer.collectives import average_over_processes


class BEGAN(
    ImageGame,
    latent_dim=64,
    generator=BEGANGenerator,
    discriminator=BEGANAutoencoder,
    generator_optimizer=BEGANAdam,
    discriminator_optimizer=BEGANAdam,
):
    """Berthelot, Schumm, Metz, *BEGAN: Boundary Equilibrium GANs*, 2017, arXiv 1703.10717, section 3.4.

    ``L(v) = mean |v - D(v)|``, one number an image; ``L_D = L(x) - k_t L(G(z))``, ``L_G = L(G(z))`` and
    ``k_{t+1} = k_t + balance_rate (gamma L(x) - L(G(z)))``, from 0 on and within [0, 1]. G's gradient passes through
    both sides of the difference. Logged with the losses: k, and the measure of convergence
    ``M = L(x) + |gamma L(x) - L(G(z))|``.

    k moves with the discriminator, by the energies that it moved on, over all batches of the update and all
    processes. It is in the checkpoint.

    z is normal instead of uniform. The paper halves the rates when M stalls; here a scheduler may lower them.

    Args:
        discriminator: Makes the auto-encoder from the image shape; it returns reconstructions and codes.
        gamma: The ratio L(G(z)) / L(x) to be held; the lower, the better and the less varied the images.
        balance_rate: Step size of k, lambda_k in the paper.
    """

    k: Tensor
    energies: Tensor

    augments_inputs = False  # An image is compared with its reconstruction, and so both are of the augmented one.

    def __init__(self, gamma: float = 0.5, balance_rate: float = 1e-3, **game: Any) -> None:
        super().__init__(**game)
        self.gamma = gamma
        self.balance_rate = balance_rate
        # k_0 = 0: fakes are nothing to the auto-encoder until it reconstructs real images.
        self.register_buffer("k", torch.zeros(()))
        # L(x) and L(G(z)), summed over the batches of an update that is under way.
        self.register_buffer("energies", torch.zeros(2), persistent=False)

    def energy(self, images: Tensor) -> Tensor:
        """Mean absolute reconstruction error of each image (N,)."""
        images = self.augmented(images)
        reconstruction, _ = self.discriminator(images)
        # In float32: k follows the small difference of two energies.
        return (reconstruction - images).float().abs().flatten(1).mean(dim=1)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = self.energy(batch.real), self.energy(batch.fake)
        # Detached: k is set by a controller and not by a gradient.
        self.energies += torch.stack([real.detach().mean(), fake.detach().mean()])
        return energy_balance_discriminator(real, fake, self.k)

    def generator_loss(self, batch: GameBatch) -> Terms:
        return energy_generator(self.energy(batch.fake))

    def after_discriminator_update(self) -> None:
        # After the update, whose loss had k_t. All processes go on with one k, or they would play different games.
        means = self.energies / self.accumulate
        average_over_processes([means])
        self.k.copy_(next_balance(self.k, means[0], means[1], self.gamma, self.balance_rate))
        self.energies.zero_()
        self.log_dict({"train/k": self.k.clone(), "train/convergence": convergence(means[0], means[1], self.gamma)})
