"""Four ways to find directions in the space of latents, by labels or without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.games.freezing import evaluating
from gan_lightning.inference.edit.spaces import LatentSpace

_BATCH = 256
_ROUNDING = 1e-5
_LEAST_OF_A_CLASS = 4
_HELD_OUT = 0.3


def mean_difference(latents: Tensor, has: Tensor) -> Tensor:
    """Arithmetic of means (Radford et al., 2016, arXiv 1511.06434, figure 7): ``mean_with - mean_without``.

    Args:
        latents: N x ...
        has: Whether each image has what the direction is to add, N.

    Returns:
        Of the shape of one latent; a strength of 1 is the whole difference.

    Raises:
        ValueError: All have it, or none has.
    """
    _check_both(has, 1)
    return latents[has].mean(0) - latents[~has].mean(0)


def hyperplane(latents: Tensor, has: Tensor, seed: int = 0) -> tuple[Tensor, float]:
    """The normal of the hyperplane ``n . latent + b = 0`` between two classes (InterFaceGAN, arXiv 1907.10786, sec. 3).

    The hyperplane is that of a logistic regression, with weights that make both classes count as much, where the
    authors take a linear SVM of the samples whose scores are the most extreme.

    Args:
        latents: N x ...
        has: The classes, N.
        seed: Of the split: 30 % of the latents are held out, as in the authors' code.

    Returns:
        The normal, of the shape of one latent, as long as the latents' standard deviation along it; and the mean of the
        accuracies of both classes on the held-out latents, 0.5 by chance.

    Raises:
        ValueError: A class has fewer than 4 latents.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import train_test_split

    _check_both(has, _LEAST_OF_A_CLASS)
    x, y = latents.flatten(1).double().cpu().numpy(), has.cpu().numpy()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=_HELD_OUT, stratify=y, random_state=seed)
    fitted = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x_train, y_train)
    accuracy = float(balanced_accuracy_score(y_test, fitted.predict(x_test)))
    normal = torch.from_numpy(fitted.coef_[0]).to(latents).view(latents.shape[1:])
    return in_deviations(normal / normal.norm(), latents), accuracy


def orthogonalised(vector: Tensor, others: Sequence[Tensor]) -> Tensor:
    """A direction without its part along others: ``n - N (N^T N)^-1 N^T n`` (InterFaceGAN, section 3.2, figure 3).

    Following it leaves what the others change. The length stays that of the vector.

    Args:
        vector: Of any shape.
        others: Of the same shape.

    Raises:
        ValueError: Nothing is left of it.
    """
    if not others:
        return vector
    n = vector.flatten().double()
    span = torch.linalg.qr(torch.stack([other.flatten().double() for other in others], dim=1)).Q
    rest = n - span @ (span.t() @ n)
    if rest.norm() < 1e-6 * n.norm():
        raise ValueError("Nothing is left of the direction: it is a sum of those that it is to be orthogonal to.")
    return (rest * (n.norm() / rest.norm())).to(vector.dtype).view_as(vector)


def sefa(weight: Tensor, n: int) -> Tensor:
    """SeFa in closed form: ``argmax ||A n||^2`` over unit vectors n (Shen and Zhou, 2021, arXiv 2007.06600, eq. 6).

    These are the eigenvectors of ``A^T A`` with the largest eigenvalues, as in the paper; the authors' code gives each
    row of A the length 1 first. They lie in the numbers of the latent that A takes: those of :func:`taken`.

    Args:
        weight: A, M x d: the first affine map that takes the latent, as :func:`affine_map` finds it.
        n: Number of directions, at most as many as A takes numbers.

    Returns:
        n x d, orthonormal, by falling eigenvalue.

    Raises:
        ValueError: There are not so many directions.
    """
    # Along a number that the layer does not take nothing is known, so no direction is made up of these.
    _check_number(n, int(taken(weight).sum()))
    a = weight.double().cpu()
    # eigh sorts by rising eigenvalue, and has the vectors in columns.
    vectors = torch.linalg.eigh(a.t() @ a).eigenvectors.flip(1).t()[:n]
    return _oriented(vectors).to(weight)


def taken(weight: Tensor) -> Tensor:
    """Which numbers of the latent an affine map, M x d, takes: d booleans.

    All of them in most generators. LAPGAN's first layer takes the latent of its coarsest level, and BigGAN's the first
    part of the latent, whose other parts go into later layers.
    """
    lengths = weight.norm(dim=0)
    return lengths > _ROUNDING * lengths.max()


def ganspace(latents: Tensor, n: int, features: Tensor | None = None, seed: int = 0) -> Tensor:
    """GANSpace: principal components of styles, or of first features (Härkönen et al., 2020, arXiv 2004.02546).

    Of styles they are the directions themselves: ``w + V x`` (equation 1). Those of the first features go back to
    latents by regression: ``U = argmin sum_j ||U x_j - z_j||^2``, x the coordinates of the features (section 2.2).

    Args:
        latents: Styles or latents of N samples, N x d.
        n: Number of directions.
        features: Of the first layer, N x M; None: the components of the latents are found.
        seed: Of scikit-learn's random projections, in which the components of many features are found.

    Returns:
        n x d by falling variance; a strength of 1 is a standard deviation along the component.

    Raises:
        ValueError: There are not so many components.
    """
    from sklearn.decomposition import PCA

    of = (latents if features is None else features).float().cpu().numpy()
    _check_number(n, min(len(of) - 1, latents.shape[1], of.shape[1]))
    components = PCA(n, random_state=seed).fit(of)
    deviations = torch.from_numpy(components.explained_variance_).sqrt()[:, None]
    if features is None:
        vectors = torch.from_numpy(components.components_) * deviations
    else:
        # N x n, of variance 1
        x = torch.from_numpy(components.transform(of)) / deviations.t()
        z = latents.cpu().to(x)
        vectors = torch.linalg.lstsq(x, z - z.mean(0)).solution
    return _oriented(vectors).to(latents)


def in_deviations(vector: Tensor, latents: Tensor) -> Tensor:
    """A unit vector times the standard deviation of latents, N x ..., along it."""
    return vector * (latents.flatten(1) @ vector.flatten()).std()


def affine_map(space: LatentSpace, layers: tuple[int, int] | None = None) -> Tensor:
    """A, M x d: the first affine map of the latent, as it is applied, factors of equalised rates included.

    Its columns are what the layer makes of each unit vector, less what it makes of 0. In w and w+ it is the rows of the
    affine layers of all chosen layers, one matrix below another.

    Args:
        space: Of a game.
        layers: First layer and the one after the last, in w and w+. None: all.

    Raises:
        ValueError: The generator has no such layer.
    """
    if space.name == "z":
        return first_features(space, torch.eye(space.shape()[0])).t()
    network = space.network
    n_styles, length = network.n_styles, space.shape()[-1]
    first, last = layers or (0, n_styles)
    found: list[nn.Module] = []
    styles = torch.zeros(2, n_styles, length, device=space.game.device)
    # What is given another style in the second image takes that of a chosen layer.
    styles[1, first:last] = 1

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].shape == (2, length) and not torch.equal(inputs[0][0], inputs[0][1]) and layer not in found:
            found.append(layer)

    with ExitStack() as stack:
        stack.enter_context(evaluating(network))
        for part in network.modules():
            if isinstance(part, nn.Linear):
                stack.callback(part.register_forward_pre_hook(look).remove)
        network.synthesise(styles)
        units = torch.eye(length, device=styles.device)
        rows = [(layer(units) - layer(torch.zeros_like(units))).t() for layer in list(found)]
    if not rows:
        raise ValueError(f"The layers {first}:{last} of {type(space.game).__name__} have no affine map of styles.")
    return torch.cat(rows)


def first_features(space: LatentSpace, latents: Tensor) -> Tensor:
    """What the first affine layer makes of latents in z, N x M, less what it makes of 0.

    It is the first linear or convolutional layer whose output depends on the latent; nothing behind it is computed.

    Args:
        space: z of a game.
        latents: N x d.

    Raises:
        ValueError: The generator has no such layer.
    """
    made: list[Tensor] = []
    layer: nn.Module | None = None
    latents = latents.to(space.game.device)
    for batch in latents.split(_BATCH):
        with_zero = torch.cat([torch.zeros_like(batch[:1]), batch])
        inputs = (with_zero, *space.condition_of_any(len(with_zero)))
        # Found once: where parts of the latent go into several layers, later unit vectors would find another.
        layer, output = _first_output(space.network, layer, *inputs)
        if layer is None:
            raise ValueError(
                f"The generator of {type(space.game).__name__} has no linear or convolutional layer that takes "
                "latents: find directions by labels."
            )
        made.append(output[1:] - output[:1])
    return torch.cat(made)


class _Reached(Exception):
    def __init__(self, layer: nn.Module, output: Tensor) -> None:
        self.layer, self.output = layer, output


def _first_output(network: Any, chosen: nn.Module | None, *inputs: Tensor) -> tuple[nn.Module | None, Tensor]:
    """The first layer whose output is not the same for all inputs, or the chosen one, and its output, N x M."""

    def look(layer: nn.Module, given: Any, output: Tensor) -> None:
        rows = output.flatten(1)
        if layer is chosen or (chosen is None and not torch.equal(rows, rows[:1].expand_as(rows))):
            raise _Reached(layer, rows)

    with ExitStack() as stack:
        stack.enter_context(evaluating(network))
        for part in _affine_layers(network):
            stack.callback(part.register_forward_hook(look).remove)
        try:
            network(*inputs)
        except _Reached as reached:
            return reached.layer, reached.output.float()
    return None, torch.empty(0)


def _affine_layers(network: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    return (part for part in network.modules() if isinstance(part, kinds))


def labels_by(classifier: Callable[[Tensor], Any], images: Tensor, number: int | None = None) -> Tensor:
    """Whether a classifier finds what a direction is to add, N.

    Args:
        classifier: Of images N x C x H x W in [-1, 1]: N or N x 1 logits, or N x K scores of classes.
        images: On the device of the classifier.
        number: Of the class, where there are several; None: 1 of two.

    Raises:
        ValueError: It returns something else, or has no such class.
    """
    with torch.no_grad():
        scores = classifier(images)
    scores = getattr(scores, "logits", scores)
    if not isinstance(scores, Tensor) or scores.ndim not in (1, 2) or len(scores) != len(images):
        got = f"{tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"The classifier returns {got} of {len(images)} images: it must return a score of each.")
    if scores.ndim == 1 or scores.shape[1] == 1:
        return scores.flatten() > 0
    number = 1 if number is None and scores.shape[1] == 2 else number
    if number is None or not 0 <= number < scores.shape[1]:
        raise ValueError(
            f"The classifier knows the classes 0 to {scores.shape[1] - 1}: say by its number which one the direction "
            "leads to."
        )
    return scores.argmax(1) == number


def _check_both(has: Tensor, least: int) -> None:
    n_with, n_without = int(has.sum()), int((~has).sum())
    if min(n_with, n_without) < least:
        raise ValueError(
            f"{n_with} images have it and {n_without} do not: a direction needs at least {least} of either, so give "
            "more images."
        )


def _check_number(n: int, most: int) -> None:
    if not 1 <= n <= most:
        raise ValueError(f"n is {n}: this generator has 1 to {most} directions of the kind.")


def _oriented(vectors: Tensor) -> Tensor:
    """Vectors, n x d, with the sign that makes the largest number of each positive: a solver's sign is arbitrary."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()
