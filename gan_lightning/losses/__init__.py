"""Losses of either player: pure functions of the discriminator's outputs, one file a family."""

from gan_lightning.losses.adversarial import (
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    maximum_likelihood_generator,
    minimax_discriminator,
    minimax_generator,
    non_saturating_generator,
    wasserstein_discriminator,
    wasserstein_generator,
)
from gan_lightning.losses.auxiliary import feature_map_distance, feature_matching, gaussian_nll
from gan_lightning.losses.energy import (
    convergence,
    energy_balance_discriminator,
    energy_discriminator,
    energy_generator,
    next_balance,
    pulling_away,
)
from gan_lightning.losses.image_text import color_consistency, condition_kl, image_text_matching
from gan_lightning.losses.introspective import map_distance, ternary_discriminator, ternary_generator
from gan_lightning.losses.joint import joint_discrimination, joint_generation
from gan_lightning.losses.matching import joint_embedding, matching_aware_discriminator
from gan_lightning.losses.relativistic import (
    relativistic,
    relativistic_average,
    relativistic_average_hinge,
    relativistic_average_least_squares,
)
from gan_lightning.losses.terms import Terms
from gan_lightning.losses.video import gradient_difference

__all__ = [
    "Terms",
    "color_consistency",
    "condition_kl",
    "convergence",
    "energy_balance_discriminator",
    "energy_discriminator",
    "energy_generator",
    "feature_map_distance",
    "feature_matching",
    "gaussian_nll",
    "gradient_difference",
    "hinge_discriminator",
    "hinge_generator",
    "image_text_matching",
    "joint_discrimination",
    "joint_embedding",
    "joint_generation",
    "least_squares_discriminator",
    "least_squares_generator",
    "map_distance",
    "matching_aware_discriminator",
    "maximum_likelihood_generator",
    "minimax_discriminator",
    "minimax_generator",
    "next_balance",
    "non_saturating_generator",
    "pulling_away",
    "relativistic",
    "relativistic_average",
    "relativistic_average_hinge",
    "relativistic_average_least_squares",
    "ternary_discriminator",
    "ternary_generator",
    "wasserstein_discriminator",
    "wasserstein_generator",
]
