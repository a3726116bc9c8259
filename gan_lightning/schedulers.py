"""The learning-rate schedule that translation papers share; torch has the others."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan_lightning.arguments import checked


@checked
class LinearDecay(LambdaLR):
    """The full rate for some steps, then straight down to 0.

    Zhu et al., 2017, arXiv 1703.10593: 100 epochs and 100 epochs.

    Args:
        optimizer: Whose rate.
        constant_steps: Steps at the full rate.
        decay_steps: Steps from there to 0.

    Raises:
        ValueError: A number of steps is negative, or there is no decay.
    """

    def __init__(self, optimizer: Optimizer, constant_steps: int, decay_steps: int) -> None:
        if constant_steps < 0 or decay_steps < 1:
            raise ValueError(
                f"constant_steps is {constant_steps} and decay_steps is {decay_steps}: they must be at least 0 and 1."
            )
        super().__init__(
            optimizer, lambda step: min(1.0, max(0.0, (constant_steps + decay_steps - step) / decay_steps))
        )
