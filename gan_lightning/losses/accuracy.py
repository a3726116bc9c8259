"""How often a discriminator is right, reported where its loss is computed, so that nothing is computed twice."""

from torch import Tensor

from gan_lightning.losses.reported import is_wanted, report
from gan_lightning.losses.reported import judge_named as judge_named

ACCURACIES = ("discriminator/accuracy_real", "discriminator/accuracy_fake")


def report_accuracies(real: Tensor, fake: Tensor, boundary: float | None = None, real_is_higher: bool = True) -> None:
    """Report how often a discriminator is right, ``ACCURACIES``, if a callback listens.

    Call it where a discriminator's loss has its outputs. An image with several outputs, such as patches, is judged by
    their mean. Where the boundary is 0, ``2 accuracy_real - 1`` is the mean sign of the outputs on real images: ``r_t``
    of StyleGAN2-ADA (Karras et al., 2020, arXiv 2006.06676).

    Args:
        real: Outputs on real images, N x ...
        fake: Outputs on generated images, N x ...
        boundary: Between real and fake: where a sigmoid is 1/2, half-way between two targets. None, for critics and
            energies, which have none: half-way between the batch's mean real and mean fake output.
        real_is_higher: Whether the outputs of real images are to be higher than those of fakes.
    """
    if not is_wanted(*ACCURACIES):
        return
    # One output per image, N: patches are averaged.
    real, fake = (outputs.detach().reshape(len(outputs), -1).float().mean(dim=1) for outputs in (real, fake))
    limit = (real.mean() + fake.mean()) / 2 if boundary is None else boundary
    # Energies are lower for real images.
    if not real_is_higher:
        real, fake, limit = -real, -fake, -limit
    for name, right in zip(ACCURACIES, (real > limit, fake < limit), strict=True):
        report(name, right.float().mean())


judged = report_accuracies
"""Its name until 0.2."""
