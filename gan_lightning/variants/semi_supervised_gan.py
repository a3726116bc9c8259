"""Semi-supervised GAN: a classifier that learns from a few labels and from unlabelled images."""

from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import GeneratorFactory, ImageGame, ImageShape
from gan_lightning.games.label import LabelDiscriminatorFactory
from gan_lightning.losses import Terms, minimax_discriminator
from gan_lightning.networks import NoisyClassifier, SoftplusGenerator
from gan_lightning.optimizers import ImprovedGANAdam
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.trainer.batch_checks import check_labels
from gan_lightning.variants.feature_matching_gan import match


class SemiSupervisedGAN(ImageGame, generator_optimizer=ImprovedGANAdam, discriminator_optimizer=ImprovedGANAdam):
    """Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, arXiv 1606.03498, section 5.

    The discriminator has a logit ``l_k`` for each of K classes; that of "generated", number K + 1, is always 0. So an
    image is real with probability ``D(x) = Z(x) / (Z(x) + 1)``, ``Z(x) = sum_k exp l_k(x)``: the logit is ``log Z``.
    ``L_D = E (log Z(x) - l_y(x)) + 1/2 (E -log D(u) + E -log(1 - D(G(z))))``, with x, y of the labelled images and u of
    the others; G matches features, as :class:`FeatureMatchingGAN`'s does.

    Validation and test log the accuracy, ``val/accuracy`` and ``test/accuracy``, of an average of D's weights, as in
    the authors' code; here it leaves the initial weights faster, see
    :class:`~gan_lightning.optimizers.ema.ExponentialMovingAverage`.

    A batch of the data has as many labelled images as unlabelled ones: ``MNISTDataModule(n_labels=100)``. If all images
    have labels, they serve as both. ``condition`` is the labelled images and their classes.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector. z is normal, and uniform in the authors' code.
        num_classes: K. The command line takes it from the data.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the discriminator from the image shape and the number of classes; it returns their logits.
        unsupervised_weight: Weight of D's unsupervised loss. 0: D is trained on labelled images alone.
        discriminator_ema_decay: Decay of the moving average of D's weights, which classifies. None: D itself does.

    Raises:
        ValueError: There are no classes.
    """

    training_parts = ("augmentation", "regularizers")  # The discriminator is the classifier.

    def __init__(
        self,
        image_shape: ImageShape = (1, 28, 28),
        latent_dim: int = 100,
        num_classes: int = 10,
        generator: GeneratorFactory = SoftplusGenerator,
        discriminator: LabelDiscriminatorFactory = NoisyClassifier,
        unsupervised_weight: float = 1.0,
        discriminator_ema_decay: float | None = 0.9999,
        **game: Any,
    ) -> None:
        if num_classes is None or num_classes < 1:
            raise ValueError(
                f"num_classes is {num_classes}: SemiSupervisedGAN learns classes, so some must have labels."
            )
        super().__init__(
            image_shape,
            latent_dim,
            generator,
            lambda shape: resolve(discriminator)(shape, num_classes),
            **game,
        )
        self.num_classes = num_classes
        self.unsupervised_weight = unsupervised_weight
        decay = discriminator_ema_decay
        # D is what is used after training, and so D's weights are averaged as well.
        self.discriminator_ema = None if decay is None else ExponentialMovingAverage(self.discriminator, decay)

    def prepare_batch(self, raw: Any) -> GameBatch:
        if isinstance(raw, dict) and "labelled" in raw:
            batch, labelled, labels = super().prepare_batch(raw["images"]), self.scaled(raw["labelled"]), raw["labels"]
        else:
            batch = super().prepare_batch(raw)
            labelled, labels = batch.real, batch.condition
        if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.is_floating_point():
            raise ValueError("SemiSupervisedGAN needs the classes of some images: take data with labels.")
        if self.labels_are_checked(labels):
            check_labels(labels, self.num_classes)
        return replace(batch, condition=(labelled, labels))

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        labelled, labels = batch.condition
        # A softmax does not change when all logits are shifted, so that of "generated" may be fixed at 0 (section 5).
        terms = {"class": F.cross_entropy(self.discriminator(labelled), labels.long())}
        if self.unsupervised_weight:
            # sigmoid(log Z) = Z / (Z + 1): log Z is the logit of being real.
            real, fake = (self.discriminator(images).logsumexp(dim=1) for images in (batch.real, batch.fake))
            for name, term in minimax_discriminator(real, fake).items():
                # The halves are the authors' code's.
                terms[name] = self.unsupervised_weight / 2 * term
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        return match(self.discriminator, batch)

    def after_discriminator_update(self) -> None:
        if self.discriminator_ema is not None:
            # Counted from 1.
            self.discriminator_ema.update(self.discriminator, self.game_step + 1)

    def classify(self, images: Tensor) -> Tensor:
        """The classes (N,) of images (N x C x H x W, in [-1, 1]), as the averaged discriminator sees them."""
        network = self.discriminator if self.discriminator_ema is None else self.discriminator_ema.module
        with evaluating(network):
            return network(images.to(self.device)).argmax(dim=1)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_accuracy(batch, "val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_accuracy(batch, "test")

    def _log_accuracy(self, raw: Any, split: str) -> None:
        images, labels = self.checked_batch(raw).condition
        right = (self.classify(images) == labels).float().mean()
        self.log(f"{split}/accuracy", right, batch_size=len(labels), sync_dist=True)
