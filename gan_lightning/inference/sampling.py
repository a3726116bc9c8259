"""Samples, interpolations and reconstructions of a loaded model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.code import Codes
from gan_lightning.games.image import unit_linspace

_NAMED = 20  # largest number of classes listed in a message


def check_labels(model: AdversarialModule, labels: Sequence[int | str]) -> list[int]:
    """Numbers of classes given by name or number.

    A string is taken for the name of a class in the training data first, and then for its number.

    Raises:
        ValueError: The model has no classes, or not these.
    """
    num_classes = getattr(model, "num_classes", None)
    name = type(model).__name__
    if num_classes is None:
        raise ValueError(f"{name} has no classes, so its samples cannot be chosen by label.")
    # Names before numbers: a class may be named "3" and have another number.
    names = list(getattr(model, "class_names", None) or ())
    numbers = []
    for label in labels:
        if isinstance(label, str) and label in names:
            numbers.append(names.index(label))
        elif str(label).isdecimal() and int(label) < num_classes:
            numbers.append(int(label))
        else:
            named = f": {', '.join(names[:_NAMED])}{' and more' if len(names) > _NAMED else ''}" if names else ""
            raise ValueError(f"There is no label {label}: this {name} has 0 to {num_classes - 1}{named}.")
    return numbers


def check_codes(model: AdversarialModule, codes: Codes) -> None:
    """Refuse codes that the model does not have.

    Raises:
        ValueError: The model has no codes, or not these.
    """
    if not hasattr(model, "check_codes"):
        raise ValueError(f"{type(model).__name__} knows no codes, so its samples cannot be chosen by them.")
    model.check_codes(codes)  # type: ignore[operator]


def encode(
    model: AdversarialModule, images: Tensor, batch_size: int = 256, labels: Sequence[int | str] | None = None
) -> Tensor:
    """Encode images to latents, for a model that has an encoder, such as ALI or AgeCGAN.

    Args:
        model: The game.
        images: N x C x H x W, uint8 or in [-1, 1].
        batch_size: Images per forward pass.
        labels: The class of each image, by name or number, for an encoder that takes it, such as AgeCGAN's.

    Returns:
        N x latent_dim on the model's device.

    Raises:
        ValueError: The model has no encoder, the images are not of its shape, or their classes are not the model's.
    """
    known = {} if labels is None else {"labels": check_labels(model, labels)}
    latents: Tensor = _encoding(model).encode(images, batch_size, **known)
    return latents


def reconstruct(model: AdversarialModule, images: Tensor, batch_size: int = 256) -> Tensor:
    """Reconstruct images, G(E(x)), N x C x H x W in [-1, 1]; arguments as in :func:`encode`."""
    return _encoding(model).reconstruct(images, batch_size)


def _encoding(model: AdversarialModule) -> Any:
    if not hasattr(model, "encode"):
        raise ValueError(f"{type(model).__name__} has no encoder, so it finds no latents of images: take ALI.")
    return model


def check_domain(model: AdversarialModule, domain: str) -> None:
    """Refuse a domain that the model does not have.

    Raises:
        ValueError: The model has a single domain, or not this one.
    """
    domains = getattr(model, "domains", None)
    name = type(model).__name__
    if domains is None:
        raise ValueError(f"{name} makes images of one domain, so its samples cannot be chosen by it.")
    if domain not in domains:
        raise ValueError(f"{name} has no domain {domain!r}: choose {' or '.join(domains)}.")


def check_truncation(model: AdversarialModule, truncation: float) -> None:
    """Refuse a truncation that the model cannot do.

    Raises:
        ValueError: The model has no latents to truncate, or the number is out of its range.
    """
    if not hasattr(model, "truncated_latents"):
        raise ValueError(f"{type(model).__name__} makes no samples of latents, so they cannot be truncated.")
    model.truncated_latents(model.indexed_latents(0, 1, 0), truncation)  # type: ignore[operator]


def check_texts(model: AdversarialModule, texts: Sequence[str]) -> None:
    """Refuse texts for a model that makes no images of texts.

    Raises:
        ValueError: It does not, or there are none.
    """
    if not hasattr(model, "check_texts"):
        raise ValueError(f"{type(model).__name__} makes no images of texts, so its samples cannot be chosen by one.")
    model.check_texts(texts)  # type: ignore[operator]


def generate(
    model: AdversarialModule,
    n: int,
    seed: int = 0,
    batch_size: int = 64,
    labels: Sequence[int | str] | None = None,
    codes: Codes | None = None,
    domain: str | None = None,
    start: int = 0,
    truncation: float | None = None,
    texts: Sequence[str] | None = None,
) -> Iterator[Tensor]:
    """Yield samples ``start`` to ``n - 1`` of the sequence given by ``seed``, in batches.

    Args:
        model: The game.
        n: Number of the sample after the last.
        seed: Seed of the sequence.
        batch_size: Samples per batch.
        labels: Classes of the samples, by name or number, repeated cyclically. None: as frequent as in the data.
        codes: Values of the samples' codes by name, repeated cyclically, such as
            ``{"category": [3], "continuous0": [-1, 0, 1]}``. Other codes are drawn as in training.
        domain: Domain of the images, for a game of several such as CoGAN. None: the first.
        start: Number of the first sample, a multiple of ``batch_size``; the samples are those of a run from 0.
        truncation: Of the latents; see :meth:`ImageGame.truncated_latents`. None: no truncation.
        texts: What the samples show, for a game of texts such as GAN-CLS, repeated cyclically. None: texts of the data.

    Returns:
        Batches of at most ``batch_size`` x C x H x W images in [-1, 1], on the model's device.

    Raises:
        ValueError: The model has no such labels, codes, domain, truncation or texts. Raised by the call, before the
            first batch.
    """
    chosen = _chosen(model, labels, codes, domain, truncation, texts)
    # A generator expression and no `yield`, so that errors are raised by the call.
    return (
        model.sample(min(batch_size, n - first), seed=seed, start=first, **chosen)  # type: ignore[operator]
        for first in range(start, n, batch_size)
    )


def interpolate(
    model: AdversarialModule,
    a: int,
    b: int,
    frames: int = 16,
    seed: int = 0,
    batch_size: int = 64,
    labels: Sequence[int | str] | None = None,
    codes: Codes | None = None,
    domain: str | None = None,
    truncation: float | None = None,
    texts: Sequence[str] | None = None,
) -> Iterator[Tensor]:
    """Yield an interpolation from sample ``a`` to sample ``b`` of the sequence given by ``seed``, in batches.

    The first frame is sample ``a``, the last one sample ``b``. Latents are interpolated on the sphere, codes linearly
    (a category by mixtures of two); a class changes half-way. Games of styles interpolate these, linearly, of two
    classes too.

    Args:
        model: The game.
        a: Number of the first sample.
        b: Number of the last sample. If it is ``a``, only labels or codes change.
        frames: Number of images, both ends included.
        seed: Seed of the samples.
        batch_size: Images per batch.
        labels: One class for all images, or those of the two ends. None: those of the two samples.
        codes: By the code's name, one value for all images, or those of the two ends. Other codes are those of the two
            samples.
        domain: Domain of the images, for a game of several such as CoGAN. None: the first.
        truncation: Of the latents of the two samples; see :meth:`ImageGame.truncated_latents`. None: no truncation.
        texts: One text for all images, or those of the two ends. None: those of the two samples.

    Returns:
        Batches of at most ``batch_size`` x C x H x W images in [-1, 1], on the model's device.

    Raises:
        ValueError: The model cannot interpolate, has no such labels, codes or domain, or a number is out of its range.
            Raised by the call, before the first batch.
    """
    chosen = (labels, codes, domain, truncation, texts)
    return traverse(model, [a, b], frames, seed, batch_size, *chosen)


def traverse(
    model: AdversarialModule,
    samples: Sequence[int],
    frames: int = 16,
    seed: int = 0,
    batch_size: int = 64,
    labels: Sequence[int | str] | None = None,
    codes: Codes | None = None,
    domain: str | None = None,
    truncation: float | None = None,
    texts: Sequence[str] | None = None,
) -> Iterator[Tensor]:
    """Yield images on a way through several samples of the sequence given by ``seed``, in batches.

    A way is a list of samples, and of what each of them is of: a latent by its number, a class, codes. Between two of
    them images are those of :func:`interpolate`.

    Args:
        model: The game.
        samples: Numbers of the samples that the way leads through, two or more; one may occur again.
        frames: Images from one of them to the next, both included; a sample on the way is one image.
        seed: Seed of the samples.
        batch_size: Images per batch.
        labels: One class for all images, or one for each of ``samples``. None: their own.
        codes: By the code's name, one value for all images, or one for each of ``samples``. Other codes are their own.
        domain: As of :func:`interpolate`.
        truncation: As of :func:`interpolate`.
        texts: One text for all images, or one for each of ``samples``. None: their own.

    Returns:
        Batches of at most ``batch_size`` x C x H x W images in [-1, 1], on the model's device;
        ``(len(samples) - 1) * (frames - 1) + 1`` images.

    Raises:
        ValueError: As of :func:`interpolate`. Raised by the call, before the first batch.
    """
    if not hasattr(model, "interpolate_between"):
        raise ValueError(f"{type(model).__name__} cannot interpolate: it knows no way from one sample to another.")
    if len(samples) < 2:
        raise ValueError(f"A way leads from one sample to another, so it takes two or more, not {len(samples)}.")
    if frames < 2:
        raise ValueError(f"A way from one sample to another has at least 2 frames, not {frames}.")
    if min(samples) < 0:
        raise ValueError(f"There is no sample {min(samples)}: samples are counted from 0.")
    chosen = _chosen(model, labels, codes, domain, truncation, texts)
    for name, values in {"labels": labels or [], "texts": texts or [], **(codes or {})}.items():
        if len(values) not in (0, 1, len(samples)):
            # Others would have to say where on the way they lie.
            most = "two" if len(samples) == 2 else len(samples)
            raise ValueError(f"{name} takes one value or {most}, for the samples on the way, not {len(values)}.")
    return _legs(model, samples, unit_linspace(frames), seed, batch_size, chosen)


def _legs(
    model: Any, samples: Sequence[int], ways: list[float], seed: int, batch_size: int, chosen: dict[str, Any]
) -> Iterator[Tensor]:
    for leg, (a, b) in enumerate(pairwise(samples)):
        # The first image of a leg is the last of the one before.
        own = ways[1 if leg else 0 :]
        ends = {name: _of_leg(value, leg) for name, value in chosen.items()}
        for first in range(0, len(own), batch_size):
            yield model.interpolate_between(a, b, own[first : first + batch_size], seed=seed, **ends)


def _of_leg(value: Any, leg: int) -> Any:
    """What was chosen for the samples of a way, for those at the ends of one leg: lists have one for each, or one."""
    if isinstance(value, dict):
        return {name: _of_leg(each, leg) for name, each in value.items()}
    return value[leg : leg + 2] if isinstance(value, list | tuple) and len(value) > 1 else value


def _chosen(
    model: AdversarialModule,
    labels: Sequence[int | str] | None,
    codes: Codes | None,
    domain: str | None,
    truncation: float | None,
    texts: Sequence[str] | None,
) -> dict[str, Any]:
    """Checked keyword arguments of the model's ``sample`` and ``interpolate_between``."""
    chosen: dict[str, Any] = {}
    if labels is not None:
        chosen["labels"] = check_labels(model, labels)
    if codes:
        check_codes(model, codes)
        chosen["codes"] = dict(codes)
    if domain is not None:
        check_domain(model, domain)
        chosen["domain"] = domain
    if truncation is not None:
        check_truncation(model, truncation)
        chosen["truncation"] = truncation
    if texts is not None:
        check_texts(model, texts)
        chosen["texts"] = [*texts]
    return chosen
