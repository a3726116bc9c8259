"""The optimisers of the papers: torch's own, with the settings that the papers state as defaults.

They are classes, so that a name and a few numbers describe them fully in a config and in a checkpoint. Each states the
settings in which it differs from DCGAN's in its first line, after the base class. Torch adds eps to the root of the
corrected second moment. TensorFlow and Chainer add it before the correction, the code of Salimans et al. under the
root: it matters only to weights whose gradients are below 1e-4.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from gan_lightning.arguments import checked
from gan_lightning.arguments.class_defaults import ClassDefaults
from gan_lightning.optimizers.fused import fused_where_safe

# Torch wraps the step of a class in its hooks, and a step that calls another one would run them twice.
_plain_step = inspect.unwrap(torch.optim.Adam.step)
_plain_rmsprop_step = inspect.unwrap(torch.optim.RMSprop.step)


@checked
class DCGANAdam(torch.optim.Adam, ClassDefaults):
    """Adam with a short memory of the gradient: learning rate 2e-4, betas (0.5, 0.999).

    Radford, Metz, Chintala, 2016, arXiv 1511.06434, section 4; the field's default since. On a CPU a step takes torch's
    fused kernel, which differs from its other ones by rounding, wherever the memory layouts allow it.

    Args:
        params: What to update.
        lr: Learning rate.
        betas: Decay rates of the first and the second moment.
        eps: Added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        # YAML writes [0, 0.99], and torch refuses an integer there.
        first, second = betas
        super().__init__(params, lr=lr, betas=(float(first), float(second)), eps=eps, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; the gradients are final when the closure has been called."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Only now: Lightning averages, unscales and clips the gradients in the closure, and may replace them.
        self._update()
        return loss

    def _update(self) -> None:
        """Update the weights from their gradients."""
        with fused_where_safe(self):
            _plain_step(self)


class WGANGPAdam(DCGANAdam, lr=1e-4, betas=(0.0, 0.9)):
    """Adam without momentum: learning rate 1e-4, betas (0, 0.9).

    Gulrajani et al., 2017, arXiv 1704.00028, algorithm 1.
    """


class WaveGANAdam(DCGANAdam, lr=1e-4, betas=(0.5, 0.9)):
    """Adam with a short memory of both moments: learning rate 1e-4, betas (0.5, 0.9).

    Donahue, McAuley, Puckette, 2019, arXiv 1802.04208, the authors' code.
    """


class MidiNetAdam(DCGANAdam, lr=5e-5):
    """DCGAN's Adam with a quarter of its learning rate: 5e-5, betas (0.5, 0.999).

    Yang et al., 2017, arXiv 1703.10847, the authors' code.
    """


class InfoGANAdam(DCGANAdam, lr=1e-3):
    """DCGAN's Adam with five times its learning rate, for the generator: 1e-3, betas (0.5, 0.999).

    Chen et al., 2016, arXiv 1606.03657, the authors' code; the discriminator keeps 2e-4.
    """


class DAMSMAdam(DCGANAdam, lr=2e-3):
    """DCGAN's Adam with ten times its learning rate, for both encoders: 2e-3, betas (0.5, 0.999).

    Xu et al., 2018, arXiv 1711.10485, the authors' code.
    """


class CoGANAdam(DCGANAdam, weight_decay=5e-4):
    """DCGAN's Adam with a penalty on the weights: learning rate 2e-4, betas (0.5, 0.999), weight decay 5e-4.

    Liu, Tuzel, 2016, arXiv 1606.07536, the authors' code.
    """


class ALIAdam(DCGANAdam, lr=1e-4):
    """DCGAN's Adam with half its learning rate: 1e-4, betas (0.5, 0.999).

    Dumoulin et al., 2017, arXiv 1606.00704, whose printed second beta of 1e-3 is a misprint.
    """


class SNGANAdam(DCGANAdam, betas=(0.0, 0.9)):
    """Adam without momentum: learning rate 2e-4, betas (0, 0.9).

    Miyato et al., 2018, arXiv 1802.05957, the setting of its residual networks.
    """


class SAGANDiscriminatorAdam(DCGANAdam, lr=4e-4, betas=(0.0, 0.9)):
    """Adam without momentum, at four times the generator's learning rate: 4e-4, betas (0, 0.9).

    Zhang et al., 2019, arXiv 1805.08318; the generator has ``WGANGPAdam``'s 1e-4.
    """


class BigGANAdam(DCGANAdam, lr=5e-5, betas=(0.0, 0.999), eps=1e-6):
    """Adam without momentum, for the generator: learning rate 5e-5, betas (0, 0.999), eps 1e-6.

    Brock, Donahue, Simonyan, 2019, arXiv 1809.11096, appendix C; eps is that of the authors' script for ImageNet.
    """


class BigGANDiscriminatorAdam(BigGANAdam, lr=2e-4):
    """The same at four times the generator's learning rate: 2e-4, betas (0, 0.999), eps 1e-6."""


class EBGANAdam(DCGANAdam, lr=1e-3):
    """Adam with learning rate 1e-3; the betas are DCGAN's.

    Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, appendix.
    """


class BEGANAdam(DCGANAdam, lr=1e-4, betas=(0.9, 0.999)):
    """Adam with learning rate 1e-4, betas (0.9, 0.999).

    Berthelot, Schumm, Metz, 2017, arXiv 1703.10717, section 4.1: an initial rate of 5e-5 to 1e-4.
    """


class ImprovedGANAdam(DCGANAdam, lr=3e-3):
    """DCGAN's Adam with fifteen times its learning rate: 3e-3, betas (0.5, 0.999).

    Salimans et al., 2016, arXiv 1606.03498, the authors' code for MNIST.
    """


class StarGANAdam(DCGANAdam, lr=1e-4):
    """DCGAN's Adam with half its learning rate: 1e-4, betas (0.5, 0.999).

    Choi et al., 2018, arXiv 1711.09020, section 5.
    """


class SRGANAdam(DCGANAdam, lr=1e-4, betas=(0.9, 0.999)):
    """Adam with learning rate 1e-4, betas (0.9, 0.999).

    Ledig et al., 2017, arXiv 1609.04802, section 3.2.
    """


class R3GANAdam(DCGANAdam, betas=(0.0, 0.9)):
    """Adam without momentum: learning rate 2e-4, betas (0, 0.9).

    Huang et al., 2024, arXiv 2501.05441: what they begin with; schedules take it to 5e-5 and 0.99.
    """


class ProGANAdam(DCGANAdam, lr=1e-3, betas=(0.0, 0.99)):
    """Adam without momentum: learning rate 1e-3, betas (0, 0.99).

    Karras et al., 2018, arXiv 1710.10196, appendix A.1; StyleGAN's up to images of 64 pixels.
    """


class StyleGAN2Adam(DCGANAdam, lr=2e-3, betas=(0.0, 0.99)):
    """Adam without momentum: learning rate 2e-3, betas (0, 0.99).

    Karras et al., 2020, arXiv 1912.04958, appendix B. The paper makes a step of its own for each rare penalty, and
    corrects rate and betas for those; here a penalty is in the step of the loss, as many steps as without it.
    """


@checked
class HiFiGANAdamW(torch.optim.AdamW, ClassDefaults):
    """AdamW with a short memory of the gradient: learning rate 2e-4, betas (0.8, 0.99), weight decay 0.01.

    Kong, Kim, Bae, 2020, arXiv 2010.05646, section 3.3.

    Args:
        params: What to update.
        lr: Learning rate.
        betas: Decay rates of the first and the second moment.
        eps: Added to the denominator.
        weight_decay: Share of the rate by which weights shrink.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.8, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        first, second = betas
        super().__init__(params, lr=lr, betas=(float(first), float(second)), eps=eps, weight_decay=weight_decay)


@checked
class WGANRMSprop(torch.optim.RMSprop):
    """RMSProp with learning rate 5e-5.

    Arjovsky, Chintala, Bottou, 2017, arXiv 1701.07875, algorithm 1; momentum makes a clipped critic unstable there.

    Args:
        params: What to update.
        lr: Learning rate.
        alpha: Decay rate of the squared gradient's average.
        eps: Added to the denominator.
    """

    def __init__(self, params: ParamsT, lr: float = 5e-5, alpha: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)


@checked
class Pix2CodeRMSprop(torch.optim.RMSprop):
    """RMSProp with learning rate 1e-4, of gradients whose elements are clipped to [-1, 1].

    Beltramelli, 2017, arXiv 1705.07962; decay and eps are Keras's.

    Args:
        params: What to update.
        lr: Learning rate.
        alpha: Decay rate of the squared gradient's average.
        eps: Added to the denominator.
        clip_limit: Largest size of an element of a gradient.
    """

    def __init__(
        self, params: ParamsT, lr: float = 1e-4, alpha: float = 0.9, eps: float = 1e-7, clip_limit: float = 1.0
    ) -> None:
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)
        self.clip_limit = clip_limit

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; the gradients are final when the closure has been called."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.clamp_(-self.clip_limit, self.clip_limit)
        _plain_rmsprop_step(self)
        return loss


@checked
class VideoPredictionSGD(torch.optim.SGD, ClassDefaults):
    """Gradient descent without momentum, learning rate 0.04, for the generator; it falls to 0.005 in the paper.

    Mathieu, Couprie, LeCun, 2016, arXiv 1511.05440, section 4.

    Args:
        params: What to update.
        lr: Learning rate.
        momentum: Decay rate of the sum of gradients.
        weight_decay: L2 penalty.
    """

    def __init__(self, params: ParamsT, lr: float = 0.04, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)


class VideoPredictionDiscriminatorSGD(VideoPredictionSGD, lr=0.02):
    """Gradient descent without momentum, learning rate 0.02.

    Mathieu, Couprie, LeCun, 2016, arXiv 1511.05440, section 4; both players in the authors' code.
    """


class SeqGANAdam(DCGANAdam, lr=1e-2, betas=(0.9, 0.999)):
    """Adam for the generator of tokens: learning rate 1e-2, betas (0.9, 0.999).

    Yu et al., 2017, arXiv 1609.05473, the authors' code; the discriminator has ``SeqGANDiscriminatorAdam``.
    """


class SeqGANDiscriminatorAdam(DCGANAdam, lr=1e-4, betas=(0.9, 0.999)):
    """Adam with learning rate 1e-4, betas (0.9, 0.999).

    Yu et al., 2017, arXiv 1609.05473, the authors' code.
    """


class GumbelGANAdam(DCGANAdam, lr=1e-3, betas=(0.9, 0.999)):
    """Adam with torch's own settings: learning rate 1e-3, betas (0.9, 0.999).

    Kusner, Hernandez-Lobato, 2016, arXiv 1611.04051.
    """
