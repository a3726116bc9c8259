"""EBGAN: the discriminator is an auto-encoder, and its reconstruction error is the energy."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, energy_discriminator, energy_generator, pulling_away
from gan_lightning.networks import ConvAutoencoder
from gan_lightning.optimizers import EBGANAdam


class EBGAN(
    ImageGame,
    discriminator=ConvAutoencoder,
    generator_optimizer=EBGANAdam,
    discriminator_optimizer=EBGANAdam,
):
    """Zhao, Mathieu, LeCun, *Energy-based Generative Adversarial Network*, ICLR 2017, arXiv 1609.03126, section 2.

    ``D(x) = ||Dec(Enc(x)) - x||_2``, one norm an image; ``L_D = E D(x) + E max(0, margin - D(G(z)))`` and
    ``L_G = E D(G(z)) + pulling_away_weight * PT`` with ``PT = 1 / (N (N - 1)) sum_{i != j} cos^2(S_i, S_j)`` of the
    codes ``S = Enc(G(z))``, which keeps the samples of a batch apart. G's gradient passes through both of the
    norm's sides.

    The networks are convolutional, for 32 or 64 pixels, where the paper has fully connected ones for MNIST. Images
    are in [-1, 1] instead of [0, 1], which doubles a norm: a paper's margin there is twice as large here. The norm
    grows with the image, and the margin must grow with it.

    Args:
        discriminator: Makes the auto-encoder from the image shape; it returns reconstructions and codes.
        margin: Energy beyond which a generated image costs the discriminator nothing.
        pulling_away_weight: Weight of PT in the generator's loss; 0.1 in the paper, 0 turns it off.
    """

    augments_inputs = False  # An image is compared with its reconstruction, and so both are of the augmented one.

    def __init__(self, margin: float = 20.0, pulling_away_weight: float = 0.1, **game: Any) -> None:
        super().__init__(**game)
        self.margin = margin
        self.pulling_away_weight = pulling_away_weight

    def energy(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction error of each image (N,), and the images' codes (N x ...)."""
        images = self.augmented(images)
        reconstruction, code = self.discriminator(images)
        # ``images`` keeps its graph: G's gradient passes through the reconstruction and through its target.
        error = (reconstruction - images).flatten(1)
        return torch.linalg.vector_norm(error.float(), dim=1), code

    @property
    def smallest_batch(self) -> int:
        """Two with the pulling-away term, which compares the images of a batch."""
        return 2 if self.pulling_away_weight else super().smallest_batch

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return energy_discriminator(self.energy(batch.real)[0], self.energy(batch.fake)[0], self.margin)

    def generator_loss(self, batch: GameBatch) -> Terms:
        energy, code = self.energy(batch.fake)
        terms = energy_generator(energy)
        # In the generator's loss only: the term spreads fakes and says nothing of real images.
        if self.pulling_away_weight:
            terms["pulling_away"] = self.pulling_away_weight * pulling_away(code)
        return terms
