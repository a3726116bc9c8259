"""The Inception Score (Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv 1606.03498)."""

import math

import numpy as np
from torch import Tensor

SPLITS = 10


def class_score(logits: Tensor, splits: int = SPLITS, seed: int = 2020) -> float:
    """``exp(E_x KL(p(y|x) || p(y)))``: the mean over splits, after torch-fidelity's shuffle.

    It is an Inception Score only if the logits are Inception's.

    Args:
        logits: Class scores, (n, classes).
        splits: Into how many parts the samples are cut; fewer if there are fewer samples.
        seed: Of the shuffle.

    Returns:
        From 1 (nothing to tell apart) to the number of classes. NaN without samples.
    """
    n = len(logits)
    if n == 0:
        return math.nan
    order = np.random.RandomState(seed).permutation(n)  # torch-fidelity's draw
    logits = logits[order.tolist()].double()
    splits = min(splits, n)
    scores = []
    for i in range(splits):
        part = logits[i * n // splits : (i + 1) * n // splits]
        # p(y|x), n / splits x classes
        # log_softmax and not the log of a softmax, which is -inf where a probability rounds to 0.
        log_p, p = part.log_softmax(dim=1), part.softmax(dim=1)
        # p(y), the mean over the part
        marginal = p.mean(dim=0)
        # A class that no image can be has p = 0 and log p(y) = -inf: it adds nothing.
        divergence = (p * (log_p - marginal.clamp(min=1e-300).log())).sum(dim=1).mean()
        scores.append(divergence.exp().item())
    return float(np.mean(scores))
