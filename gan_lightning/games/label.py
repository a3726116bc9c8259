"""Class-conditional games: every real image has a label, and every sample a class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageGame, ImageShape, repeat_cyclically
from gan_lightning.games.portable import Applied, Input, Portable, integers
from gan_lightning.games.randomness import fold, indexed_uniform
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.trainer.batch_checks import check_labels

LabelGeneratorFactory = Callable[[ImageShape, int, int], nn.Module]
LabelDiscriminatorFactory = Callable[[ImageShape, int], nn.Module]

_LABEL_STREAM = 1


class LabelGame(ImageGame):
    """A game whose generator makes images of a given class.

    Fakes have the labels of the batch's real images, so that labels alone do not separate real from fake. Labels of
    samples have the frequencies of the training data; before training, and for loaders without ``labels`` or
    ``targets``, they are uniform.

    A subclass that sets ``needs_classes`` to False also plays without them, where ``num_classes`` is None: as an
    :class:`~gan_lightning.games.image.ImageGame`, whose networks are made and called without classes and labels.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        num_classes: Labels are 0 ... num_classes - 1. The command line takes it from the data.
        generator: Makes the generator from the image shape, the latent length and the number of classes; it is
            called with latents and labels.
        discriminator: Makes the discriminator from the image shape and the number of classes.
        class_names: Names of the classes, for ``generate``. The command line takes them from the data. None: numbers
            only.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    class_counts: Tensor
    needs_classes: bool = True
    """Whether there must be classes; False: ``num_classes=None`` makes an unconditional game."""

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        num_classes: int | None = 10,
        generator: LabelGeneratorFactory = ConvGenerator,
        discriminator: LabelDiscriminatorFactory = ConvDiscriminator,
        class_names: Sequence[str] | None = None,
        **game: Any,
    ) -> None:
        if (self.needs_classes and num_classes is None) or (num_classes is not None and num_classes < 1):
            raise ValueError(
                f"num_classes is {num_classes}: {type(self).__name__} learns classes, so it needs data with labels."
            )
        classes = () if num_classes is None else (num_classes,)
        super().__init__(
            image_shape,
            latent_dim,
            generator=lambda shape, length: resolve(generator)(shape, length, *classes),
            discriminator=lambda shape: resolve(discriminator)(shape, *classes),
            **game,
        )
        self.num_classes = num_classes
        self.class_names = None if num_classes is None else named_classes(class_names, num_classes)
        if num_classes is not None:
            # Ones, for a uniform distribution until training begins.
            self.register_buffer("class_counts", torch.ones(num_classes, dtype=torch.int64))

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        if self.num_classes is None:
            return replace(batch, condition=None)
        labels = batch.condition
        if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.is_floating_point():
            shaped = isinstance(labels, Tensor)
            got = (
                f"{tuple(labels.shape)} of {labels.dtype}"
                if shaped
                else "none"
                if labels is None
                else repr(labels)[:60]
            )
            raise ValueError(
                f"{type(self).__name__} needs the class of every image, one integer each, and the data's labels are "
                f"{got}."
            )
        if len(labels) != len(batch.examples):
            raise ValueError(
                f"{type(self).__name__} needs the class of every image, and there are {len(labels)} labels for "
                f"{len(batch.examples)} images."
            )
        # Reading labels off a device synchronises: those on a GPU are checked in the first batch only.
        if self.labels_are_checked(labels):
            check_labels(labels, self.num_classes)
        # Embeddings and cross-entropy take int64 only.
        return replace(batch, condition=labels.long())

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator(batch.latent, *labels_of(batch))

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.num_classes is None:
            return
        # Class frequencies of the training data, for the labels of samples; a buffer, so checkpoints keep them.
        labels = _labels_of(self.trainer.train_dataloader)
        if labels is None or labels.ndim != 1 or labels.is_floating_point():
            return
        check_labels(labels, self.num_classes)
        self.class_counts.copy_(torch.bincount(labels.long(), minlength=self.num_classes))

    def indexed_labels(self, start: int, stop: int, seed: int) -> Tensor:
        """Labels ``start`` to ``stop - 1`` of the sequence given by ``seed``, N, as frequent as in the data."""
        # Inverse of the cumulative distribution: a uniform number falls into the interval of a class.
        ends = self.class_counts.cpu().cumsum(0)
        place = indexed_uniform(start, stop, 1, fold(seed, _LABEL_STREAM))[:, 0].double() * ends[-1]
        return torch.searchsorted(ends.double(), place, right=True)

    def check_classes(self, labels: Sequence[int] | None) -> None:
        """Refuse classes that do not exist; None stands for those of the data.

        Raises:
            ValueError: There is no such class, or none is given.
        """
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(f"This {type(self).__name__} has no classes: leave labels out.")
            return
        if labels is not None and (len(labels) == 0 or any(label not in range(self.num_classes) for label in labels)):
            raise ValueError(
                f"labels is {str(labels)[:60]}: this {type(self).__name__} has the classes 0 to {self.num_classes - 1}."
            )

    def labels_of_samples(self, start: int, stop: int, seed: int, labels: Sequence[int] | None) -> Tensor:
        """Classes of samples ``start`` to ``stop - 1``: ``labels``, repeated, or None: as frequent as in the data."""
        return self.indexed_labels(start, stop, seed) if labels is None else repeat_cyclically(labels, start, stop)

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        batch_size: int = 256,
        labels: Sequence[int] | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, its class included.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.
            labels: Sample ``i`` is of class ``labels[i % len(labels)]``. None: classes as frequent as in the data.
            truncation: See :meth:`truncated_latents`.

        Returns:
            n x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There is no such class.
        """
        self.check_classes(labels)
        if self.num_classes is None:
            return super().sample(n, seed, start, batch_size, truncation=truncation)
        stop = start + n
        chosen = self.labels_of_samples(start, stop, seed, labels)
        latents = self.latents_of_samples(start, stop, seed, truncation)
        return self.render(latents, chosen, batch_size=batch_size)

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """One row per class, of the first classes if there are more than ``n``."""
        if self.num_classes is None:
            return super().sample_table(n, seed)
        rows = self._rows(n)
        columns = n // rows
        labels = [row for row in range(rows) for _ in range(columns)]
        return self.sample(rows * columns, seed=seed, labels=labels), columns

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        return [], [] if self.num_classes is None else [str(label) for label in range(self._rows(n))]

    def _rows(self, n: int) -> int:
        assert self.num_classes is not None
        # More classes than images: the first ones, in about a square.
        return self.num_classes if self.num_classes <= n else math.isqrt(n)

    def interpolate_between(
        self,
        a: int,
        b: int,
        ways: Sequence[float],
        seed: int = 0,
        labels: Sequence[int] | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Interpolate between samples ``a`` and ``b``; the class changes half-way.

        Args:
            a: Number of the first sample.
            b: Number of the last sample.
            ways: N positions between them: 0 is sample ``a``, 1 is sample ``b``.
            seed: Seed of the samples.
            labels: One class for all images, or those of the two ends. None: those of the two samples.
            truncation: Of the two samples; see :meth:`truncated_latents`.

        Returns:
            N x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There is no such class.
        """
        self.check_classes(labels)
        if self.num_classes is None:
            return super().interpolate_between(a, b, ways, seed, truncation=truncation)
        start, end = (self.latents_of_samples(i, i + 1, seed, truncation) for i in (a, b))
        if labels is None:
            labels = [int(self.indexed_labels(i, i + 1, seed)) for i in (a, b)]
        # A discrete class cannot be interpolated: one for each half of the way.
        chosen = torch.tensor([labels[0] if way < 0.5 else labels[-1] for way in ways])
        return self.render(self.latent_path(start, end, ways), chosen)

    def row_condition(self, row: int) -> dict[str, Any]:
        """Row ``i`` has class ``i`` modulo the number of classes."""
        return {} if self.num_classes is None else {"labels": [row % self.num_classes]}

    def portable(self, domain: str | None = None) -> Portable:
        """The network from latents and, with classes, labels to images; see :meth:`ImageGame.portable`."""
        made = super().portable(domain)
        if self.num_classes is None:
            return made
        network = self.image_generator
        labels = Input(("batch",), f"classes, 0 to {self.num_classes - 1}", integers(self.num_classes))
        return replace(
            made,
            network=Applied(lambda latent, labels: network(latent, labels), network),
            inputs={**made.inputs, "labels": labels},
            facts={**made.facts, "class_names": self.class_names and [*self.class_names]},
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N x C x H x W, in [-1, 1]) of latent vectors (N x latent_dim) and, with classes, labels (N,)."""
        with evaluating(self.image_generator):
            return self.image_generator(latent, *([] if self.num_classes is None else [labels]))


def labels_of(batch: GameBatch) -> list[Tensor]:
    """What both networks of a label game take beside a batch's latents or images: its labels, if it has any."""
    return [] if batch.condition is None else [batch.condition]


def named_classes(class_names: Sequence[str] | None, num_classes: int) -> tuple[str, ...] | None:
    """Check the names of the classes.

    Raises:
        ValueError: Their number is not that of the classes, or a name occurs twice.
    """
    if class_names is None:
        return None
    if isinstance(class_names, str) or len(class_names) != num_classes or len(set(class_names)) < num_classes:
        raise ValueError(f"class_names is {class_names!r}: it must be a list of {num_classes} different names.")
    return tuple(map(str, class_names))


def _labels_of(loader: Any) -> Tensor | None:
    """All labels of a loader's data set, as our data sets and torchvision's have them; None of others."""
    loader = getattr(
        loader, "loader", loader
    )  # The trainer's loader wraps the user's: it yields the batches of a step.
    labels = getattr(getattr(loader, "source", None), "labels", None)
    if labels is None:
        labels = getattr(getattr(loader, "dataset", None), "targets", None)
    return None if labels is None else torch.as_tensor(labels)
