"""Losses of pairs of an image and a text: pure functions of a discriminator's logits, or of two encoders' features."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.losses.terms import Terms, batch_mean


def matching_aware_discriminator(real: Tensor, wrong: Tensor, fake: Tensor, wrong_weight: float = 0.5) -> Terms:
    """Discriminator's loss of GAN-CLS (Reed et al., ICML 2016, arXiv 1605.05396, algorithm 1).

    ``L_D = E sp(-s_r) + w E sp(s_w) + (1 - w) E sp(s_f)`` with w = 1/2: a real image with a text of another image is as
    wrong as a fake with the right one.

    Args:
        real: Logits on real images with their texts, any shape.
        wrong: Logits on real images with texts of other images.
        fake: Logits on generated images with the texts that they were made of.
        wrong_weight: w, from 0, a conditional GAN that never sees a wrong text, to 1.

    Returns:
        ``real``, ``wrong`` and ``fake``, each in [0, inf).
    """
    report_accuracies(real, fake, boundary=0.0)
    return {
        "real": batch_mean(F.softplus(-real)),
        "wrong": wrong_weight * batch_mean(F.softplus(wrong)),
        "fake": (1 - wrong_weight) * batch_mean(F.softplus(fake)),
    }


def joint_embedding(images: Tensor, texts: Tensor, same: Tensor | None = None, margin: float = 1.0) -> Terms:
    """Symmetric structured joint embedding (Reed et al., CVPR 2016, arXiv 1605.05395, equations 4 to 7).

    With scores ``F_ij = images_i . texts_j`` of N pairs, of which i = j match,
    ``1 / N^2 sum_{j != i} max(0, margin + F_ij - F_ii)`` finds the text of an image, and the same of ``F_ji`` finds the
    image of a text. The paper takes the largest term of each i; the authors' code the sum, as here.

    Args:
        images: Features of images, N x E.
        texts: Features of texts, N x E.
        same: Pairs that match too, N x N, such as images of one class or with one text; they are left out.
        margin: By how much a match is to be better.

    Returns:
        ``text_of_image`` and ``image_of_text``, each in [0, inf).
    """
    scores = images @ texts.T
    own = scores.diagonal()
    skipped = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    skipped = skipped if same is None else skipped | same
    to_texts, to_images = (
        (margin + each - own[:, None]).relu().masked_fill(skipped, 0).mean() for each in (scores, scores.T)
    )
    return {"text_of_image": to_texts, "image_of_text": to_images}
