"""The optimisers of the papers: torch's own, with the settings that the papers state as defaults.

They are classes so that a name and a few numbers describe them fully in a config and in a checkpoint. Torch adds eps
to the root of the corrected second moment. TensorFlow and Chainer add it before the correction, the code of Salimans et
al. under the root: it matters only to weights whose gradients are below 1e-4.
"""

import torch
from torch.optim.optimizer import ParamsT

from gan_lightning.arguments import checked


@checked
class DCGANAdam(torch.optim.Adam):
    """Adam with a short memory of the gradient: learning rate 2e-4, betas (0.5, 0.999).

    Radford, Metz, Chintala, 2016, arXiv 1511.06434, section 4; the field's default since.

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


@checked
class WGANGPAdam(DCGANAdam):
    """Adam without momentum: learning rate 1e-4, betas (0, 0.9).

    Gulrajani et al., 2017, arXiv 1704.00028, algorithm 1.

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
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class InfoGANAdam(DCGANAdam):
    """DCGAN's Adam, five times as fast, for the generator: learning rate 1e-3, betas (0.5, 0.999).

    Chen et al., 2016, arXiv 1606.03657, the authors' code; the discriminator keeps 2e-4.

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
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class CoGANAdam(DCGANAdam):
    """DCGAN's Adam with a penalty on the weights: learning rate 2e-4, betas (0.5, 0.999), weight decay 5e-4.

    Liu, Tuzel, 2016, arXiv 1606.07536, the authors' code.

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
        weight_decay: float = 5e-4,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class ALIAdam(DCGANAdam):
    """DCGAN's Adam, half as fast: learning rate 1e-4, betas (0.5, 0.999).

    Dumoulin et al., 2017, arXiv 1606.00704, whose printed second beta of 1e-3 is a slip.

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
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class SNGANAdam(DCGANAdam):
    """Adam without momentum: learning rate 2e-4, betas (0, 0.9).

    Miyato et al., 2018, arXiv 1802.05957, the setting of its residual networks.

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
        betas: tuple[float, float] = (0.0, 0.9),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class SAGANDiscriminatorAdam(DCGANAdam):
    """Adam without momentum, four times as fast as the generator's: learning rate 4e-4, betas (0, 0.9).

    Zhang et al., 2019, arXiv 1805.08318; the generator has ``WGANGPAdam``'s 1e-4.

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
        lr: float = 4e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class EBGANAdam(DCGANAdam):
    """Adam with learning rate 1e-3; the betas are DCGAN's.

    Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, appendix.

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
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class BEGANAdam(DCGANAdam):
    """Adam with learning rate 1e-4, betas (0.9, 0.999).

    Berthelot, Schumm, Metz, 2017, arXiv 1703.10717, section 4.1: an initial rate of 5e-5 to 1e-4.

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
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class ImprovedGANAdam(DCGANAdam):
    """DCGAN's Adam, fifteen times as fast: learning rate 3e-3, betas (0.5, 0.999).

    Salimans et al., 2016, arXiv 1606.03498, the authors' code for MNIST.

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
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class StarGANAdam(DCGANAdam):
    """DCGAN's Adam, half as fast: learning rate 1e-4, betas (0.5, 0.999).

    Choi et al., 2018, arXiv 1711.09020, section 5.

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
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


@checked
class SRGANAdam(DCGANAdam):
    """Adam with learning rate 1e-4, betas (0.9, 0.999).

    Ledig et al., 2017, arXiv 1609.04802, section 3.2.

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
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


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
