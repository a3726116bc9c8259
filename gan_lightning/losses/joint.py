"""Losses of discriminators with two heads, one for images and one for images with their texts: StackGAN and later ones.

``sp(t) = log(1 + exp(t))`` is the softplus: ``sp(-s) = -log sigmoid(s)``.
"""

import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.losses.terms import Terms, batch_mean

Logits = tuple[Tensor | None, Tensor]
"""Of images, None without that head, and of images with their texts; (N,) each."""


def joint_discrimination(real: Logits, wrong_pair: Tensor, fake: Logits, is_summed: bool = False) -> Terms:
    """Discriminator's loss: real with its text is real; real with a wrong text, and fake with the right one, is not.

    With both heads ``(sp(-r) + sp(-r_t)) / 2 + (sp(f) + sp(f_t) + sp(w_t)) / 3``, as in the code of StackGAN's stage 2
    and of AttnGAN. ``is_summed``: ``2 sp(-r) + sp(-r_t) + sp(f) + sp(f_t) + sp(w_t)``, as in StackGAN++'s code, where
    a real image with a wrong text is a real image once more. Without the head of images all have ``sp(-r_t) + (sp(f_t)
    + sp(w_t)) / 2``, Reed's loss (arXiv 1605.05396).

    Args:
        real: r and r_t, on real images with their texts.
        wrong_pair: w_t, on real images with texts of others.
        fake: f and f_t, on generated images with the texts they were made from.
        is_summed: Whether terms are summed and not averaged.

    Returns:
        ``real_pair``, ``wrong_pair``, ``fake_pair``, and with both heads ``real_image`` and ``fake_image``.
    """
    real_image, real_pair = real
    fake_image, fake_pair = fake
    report_accuracies(real_pair, fake_pair, boundary=0.0)
    pairs = {
        "real_pair": batch_mean(F.softplus(-real_pair)),
        "wrong_pair": batch_mean(F.softplus(wrong_pair)),
        "fake_pair": batch_mean(F.softplus(fake_pair)),
    }
    if real_image is None or fake_image is None:
        weights = {"real_pair": 1.0, "wrong_pair": 1 / 2, "fake_pair": 1 / 2}
        return {name: weights[name] * term for name, term in pairs.items()}
    of_real, of_fake = (1.0, 1.0) if is_summed else (1 / 2, 1 / 3)
    return {
        "real_pair": of_real * pairs["real_pair"],
        "wrong_pair": of_fake * pairs["wrong_pair"],
        "fake_pair": of_fake * pairs["fake_pair"],
        "real_image": (2 * of_real if is_summed else of_real) * batch_mean(F.softplus(-real_image)),
        "fake_image": of_fake * batch_mean(F.softplus(fake_image)),
    }


def joint_generation(fake: Logits) -> Terms:
    """Generator's loss: fakes are taken for real, alone and with their texts; ``sp(-f) + sp(-f_t)``.

    Args:
        fake: f and f_t, on generated images with the texts they were made from.

    Returns:
        ``pair``, and with both heads ``image``.
    """
    image, pair = fake
    terms = {"pair": batch_mean(F.softplus(-pair))}
    return terms if image is None else {**terms, "image": batch_mean(F.softplus(-image))}
