"""The next frame of a video, predicted at several scales with an adversarial and a gradient difference loss."""

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.games.translation import AttributeEdits
from gan_lightning.games.video import VideoGame
from gan_lightning.losses import Terms, gradient_difference, minimax_discriminator, non_saturating_generator
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks import FrameDiscriminator, MultiScalePredictor
from gan_lightning.networks.mathieu import pyramid
from gan_lightning.optimizers import VideoPredictionDiscriminatorSGD, VideoPredictionSGD
from gan_lightning.variants.pix2pix import TranslatorFactory

_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": F.l1_loss, "l2": F.mse_loss}


class VideoPrediction(
    VideoGame,
    generator_optimizer=VideoPredictionSGD,
    discriminator_optimizer=VideoPredictionDiscriminatorSGD,
):
    """Mathieu, Couprie, LeCun, *Deep multi-scale video prediction beyond mean square error*, ICLR 2016,
    arXiv 1511.05440, equations 2 to 7.

    With the given frames x, the next one y and its prediction G(x) at each scale k,
    ``L_D = sum_k E -log D_k(x_k, y_k) + E -log(1 - D_k(x_k, G_k(x)))`` and
    ``L_G = sum_k E |y_k - G_k(x)|^p + GDL(y_k, G_k(x)) - .05 E log D_k(x_k, G_k(x))``, see
    :func:`~gan_lightning.losses.gradient_difference`. Later frames are predicted of the predicted ones.

    Distances are means over pixels, as in the authors' code, where the paper writes sums. Departure: both players learn
    from the same clips; the paper draws new ones for the generator's update.

    Args:
        image_shape: Channels, height, width of a frame. The command line takes it from the data.
        n_given: Frames that a frame is predicted of; clips have one more at least.
        n_predict: Frames predicted in validation, in pictures and by ``predict``.
        generator: Makes the generator from the shapes of the given frames, joined along the channels, and of one.
        discriminator: Makes the discriminator of a scale from the shape of given frames and one more, joined.
        distance: l1 or l2, p = 1 or 2.
        distance_weight: Its weight.
        gradient_weight: Weight of the gradient difference loss; 0: without it.
        adversarial_weight: Weight of the adversarial term; 0: without it, and without updates of the discriminator.

    Raises:
        ValueError: An argument is out of its range, or the frames have a size that the networks do not take.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        n_given: int = 4,
        n_predict: int = 2,
        generator: TranslatorFactory = MultiScalePredictor,
        discriminator: DiscriminatorFactory = FrameDiscriminator,
        distance: Literal["l1", "l2"] = "l2",
        distance_weight: float = 1.0,
        gradient_weight: float = 1.0,
        adversarial_weight: float = 0.05,
        **game: Any,
    ) -> None:
        channels, height, width = image_shape
        predictor = resolve(generator)((n_given * channels, height, width), image_shape)
        # A discriminator for each scale, by the height of its frames, from coarse to fine.
        factors = [2**k for k in reversed(range(predictor.n_scales))]
        self.sides = [height // factor for factor in factors]
        judges = {
            str(height // factor): resolve(discriminator)(((n_given + 1) * channels, height // factor, width // factor))
            for factor in factors
        }
        super().__init__(predictor, nn.ModuleDict(judges), image_shape, n_given, n_predict, **game)
        self.distance = _DISTANCES[distance]
        self.distance_weight = distance_weight
        self.gradient_weight = gradient_weight
        self.adversarial_weight = adversarial_weight

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Nothing is drawn: the next frame and the given ones at each scale, by the height of the frames."""
        n_scales = len(self.sides)
        real = pyramid(batch.real[:, : self.channels], n_scales)
        condition = pyramid(batch.condition, n_scales)
        return GameBatch(dict(zip(self.sides, real, strict=True)), dict(zip(self.sides, condition, strict=True)))

    def generate_fakes(self, batch: GameBatch) -> dict[int, Tensor]:
        return dict(zip(self.sides, self.generator(batch.condition[self.sides[-1]]), strict=True))

    def _judged(self, batch: GameBatch, frames: dict[int, Tensor], side: int) -> Tensor:
        discriminator = cast(nn.ModuleDict, self.discriminator)[str(side)]
        return discriminator(torch.cat([batch.condition[side], frames[side]], dim=1))

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        if self.adversarial_weight == 0:
            return {}
        terms: Terms = {}
        for side in self.sides:
            with judge_named(str(side)):
                of_scale = minimax_discriminator(
                    self._judged(batch, batch.real, side), self._judged(batch, batch.fake, side)
                )
            terms |= {f"{name}_{side}": term for name, term in of_scale.items()}
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        pairs = [(batch.fake[side], batch.real[side]) for side in self.sides]
        terms = {"distance": self.distance_weight * torch.stack([self.distance(*pair) for pair in pairs]).sum()}
        if self.gradient_weight:
            gradients = torch.stack([gradient_difference(*pair) for pair in pairs]).sum()
            terms["gradient_difference"] = self.gradient_weight * gradients
        if self.adversarial_weight:
            for side in self.sides:
                of_scale = non_saturating_generator(self._judged(batch, batch.fake, side))["adversarial"]
                terms[f"adversarial_{side}"] = self.adversarial_weight * of_scale
        return terms

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        """Predict the frame after given ones, N x (n_given C) x H x W: the finest scale's."""
        return self.averaged_generator(images)[-1]
