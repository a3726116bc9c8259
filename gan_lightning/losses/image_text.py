"""How well images and texts match: the losses of DAMSM (Xu et al., CVPR 2018, arXiv 1711.10485, section 3.2).

An image is features of its regions and a code of the whole, a text features of its words and of the sentence. Every
image of a batch is compared with every text. Where the paper and the authors' code differ, these are the code's losses,
since its constants are tuned to them: the score of an image and a text, equation 10, is not raised to ``1 / gamma_2``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.terms import Terms, batch_mean


def word_attention(regions: Tensor, words: Tensor, mask: Tensor, gamma_1: float = 4.0) -> Tensor:
    """Where in each image each word of each text is: equations 7 to 9.

    ``s_ij = softmax_i e_i . v_j`` over the words of the text, ``alpha_ij = softmax_j gamma_1 s_ij`` over the regions.

    Args:
        regions: v, N x E x R.
        words: e, M x E x T.
        mask: M x T, True where there is a word.
        gamma_1: How much attention keeps to few regions.

    Returns:
        alpha, N x M x T x R; a word's sum over the regions is 1. What it is of padding has no meaning.
    """
    m, _, t = words.shape
    # N x (M T) x R: one product for all texts
    scores = _precise(words).mT.flatten(0, 1) @ _precise(regions)
    scores = scores.unflatten(1, (m, t)).masked_fill(~mask[:, :, None], -torch.inf).softmax(dim=2)
    return (gamma_1 * scores).softmax(dim=3)


def word_scores(regions: Tensor, words: Tensor, mask: Tensor, gamma_1: float = 4.0, gamma_2: float = 5.0) -> Tensor:
    """How well each image matches each text by its words: equation 10.

    ``R = log sum_i exp(gamma_2 cos(c_i, e_i))`` with ``c_i = sum_j alpha_ij v_j``, the regions that word i looks at.

    Args:
        regions: v, N x E x h x w.
        words: e, M x E x T.
        mask: M x T, True where there is a word.
        gamma_1: See :func:`word_attention`.
        gamma_2: How much the words that match best count.

    Returns:
        N x M.
    """
    places, words = _precise(regions.flatten(2)), _precise(words)
    attention = word_attention(places, words, mask, gamma_1)
    # N x M x T x E: what each word looks at in each image
    contexts = (attention.flatten(1, 2) @ places.mT).unflatten(1, attention.shape[1:3])
    similarity = F.cosine_similarity(contexts, words.mT[None], dim=3)
    return (gamma_2 * similarity).masked_fill(~mask, -torch.inf).logsumexp(dim=2)


def sentence_scores(codes: Tensor, sentences: Tensor) -> Tensor:
    """Cosine of each image's code (N x E) and each text's sentence (M x E): N x M."""
    return F.normalize(_precise(codes), dim=1) @ F.normalize(_precise(sentences), dim=1).mT


def contrastive(scores: Tensor, gamma_3: float = 10.0, same: Tensor | None = None) -> Tensor:
    """Cross-entropy of finding the text of each image, and of finding the image of each text: equations 11 and 12.

    Args:
        scores: N x N; image and text of the same number belong together.
        gamma_3: Factor of the scores.
        same: N x N, True where a text also fits an image that it is not of, such as two of a class: no candidate. What
            it says of an image and its own text has no effect.

    Returns:
        A scalar, the sum of both directions.
    """
    scores = gamma_3 * scores
    if same is not None:
        own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(same & ~own, -torch.inf)
    places = torch.arange(len(scores), device=scores.device)
    return F.cross_entropy(scores, places) + F.cross_entropy(scores.mT, places)


def image_text_matching(
    regions: Tensor,
    codes: Tensor,
    words: Tensor,
    sentences: Tensor,
    mask: Tensor,
    same: Tensor | None = None,
    gamma_1: float = 4.0,
    gamma_2: float = 5.0,
    gamma_3: float = 10.0,
) -> Terms:
    """DAMSM's loss of a batch of images and their texts: ``L_w1 + L_w2 + L_s1 + L_s2``, equation 13.

    The gammas are those of the authors' configurations for birds and for COCO.

    Args:
        regions: Of the images, N x E x h x w.
        codes: Of the images, N x E.
        words: Of the texts, N x E x T.
        sentences: Of the texts, N x E.
        mask: N x T, True where there is a word.
        same: See :func:`contrastive`.
        gamma_1: See :func:`word_attention`.
        gamma_2: See :func:`word_scores`.
        gamma_3: See :func:`contrastive`.

    Returns:
        ``words`` and ``sentence``.
    """
    by_words = word_scores(regions, words, mask, gamma_1, gamma_2)
    return {
        "words": contrastive(by_words, gamma_3, same),
        "sentence": contrastive(sentence_scores(codes, sentences), gamma_3, same),
    }


def condition_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence of augmented conditions from the normal distribution (Zhang et al., 2017, arXiv 1612.03242, eq. 4).

    ``1/2 E (sigma^2 + mu^2 - 1 - log sigma^2)``: the divergence of one number of the condition. The paper has the sum
    over the condition's numbers, the authors' code their mean, with a weight of 2.

    Args:
        mean: mu, N x C.
        log_variance: log sigma^2, N x C.

    Returns:
        A scalar, at least 0.
    """
    return 0.5 * batch_mean(log_variance.exp() + mean.square() - 1 - log_variance)


def color_consistency(fine: Tensor, coarse: Tensor) -> Tensor:
    """How far two sizes of the same images differ in color (Zhang et al., 2018, arXiv 1710.10916, equation 9).

    ``E |mu - mu'|^2 + 5 E |Sigma - Sigma'|^2``, mean and covariance of the pixels of each image, with the authors'
    factor of 5, each square a mean over its entries.

    Args:
        fine: N x C x H x W.
        coarse: N x C x h x w.

    Returns:
        A scalar, at least 0.
    """
    (mean, covariance), (of_coarse, covariance_of_coarse) = map(_moments, (fine, coarse))
    return F.mse_loss(mean, of_coarse) + 5 * F.mse_loss(covariance, covariance_of_coarse)


def _moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean color (N, C) and covariance of colors (N, C, C) of images."""
    pixels = _precise(images.flatten(2))
    mean = pixels.mean(dim=2, keepdim=True)
    centred = pixels - mean
    return mean[:, :, 0], centred @ centred.mT / pixels.shape[2]


def _precise(values: Tensor) -> Tensor:
    """The same in float32 at least: exponentials of exponentials follow, or differences of near numbers."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
