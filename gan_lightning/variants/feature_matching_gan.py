"""Feature matching: the generator matches the mean features of real images in the discriminator."""

import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import Terms, feature_matching
from gan_lightning.networks.layers.last_layer import features
from gan_lightning.trainer.collectives import average_over_processes
from gan_lightning.trainer.speed import running_eagerly
from gan_lightning.variants.dcgan import DCGAN


class FeatureMatchingGAN(DCGAN):
    """Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, arXiv 1606.03498, section 3.1.

    ``L_G = ||E f(x) - E f(G(z))||^2``, the means over the batches of all processes, with f(x) the input of the
    discriminator's last layer, as in the authors' code. The discriminator plays :class:`DCGAN`'s game.

    BatchNorm in the discriminator sets the means that are to be matched, of real images and of fakes alike, so take
    it out; the authors have weight normalisation in its place. The paper's squared norm is a sum over the features;
    the authors' code has the mean of the squares, or of absolute values on CIFAR-10.
    """

    def generator_loss(self, batch: GameBatch) -> Terms:
        return match(self.discriminator, batch)


def match(discriminator: nn.Module, batch: GameBatch) -> Terms:
    """Generator loss: the squared distance between the discriminator's mean features of real images and of fakes."""
    # The features are caught by a hook, which compiled code skips.
    with running_eagerly(discriminator):
        with torch.no_grad():
            # A target: no gradient, so no graph.
            real = features(discriminator, batch.real)
        fake = features(discriminator, batch.fake)
    return {"feature_matching": feature_matching(with_joint_mean(real), with_joint_mean(fake))}


def with_joint_mean(features: Tensor) -> Tensor:
    """Features (N x F) shifted to the mean over the batches of all processes. Collective.

    They have the gradient of this process's own, so that the mean over the processes is that of the joined batch.
    """
    # A square of means is no mean of squares: the ranks must know the joint mean before they square.
    own = features.detach().mean(dim=0)
    average_over_processes([mean := own.clone()])
    return features + (mean - own)
