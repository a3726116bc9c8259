"""The spaces that latents are looked for in: z of any image game; w and w+ of games of styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageGame
from gan_lightning.games.randomness import fold, indexed_normal
from gan_lightning.games.style import StyleGame
from gan_lightning.inference.sampling import check_labels, check_texts
from gan_lightning.networks.layers.styles import Noise

SpaceName = Literal["z", "w", "w+"]

_MEAN_STREAM, _NOISE_STREAM = 6, 7
_N_MEAN = 10_000  # latents whose styles have the mean, as in StyleGAN2's code
_SMALLEST_NOISE = 8


def space_of(game: Any, name: SpaceName | None) -> LatentSpace:
    """The space of this name; None: w for a game of styles, z for others.

    Raises:
        ValueError: The game makes no images of latents, or there is no such space.
    """
    if not isinstance(game, ImageGame):
        raise ValueError(f"{type(game).__name__} makes no images of latents, so no latents show an image.")
    known = {"z": LatentSpace, "w": StyleSpace, "w+": LayerStyleSpace}
    if name is not None and name not in known:
        raise ValueError(f"There is no space {name!r}: choose z, w or w+.")
    if name in ("w", "w+") and not isinstance(game, StyleGame):
        raise ValueError(f"{type(game).__name__} has no styles, so its latents are in the space z: leave {name} out.")
    return known[name or ("w" if isinstance(game, StyleGame) else "z")](game)


class LatentSpace:
    """The latents of a game, N x latent_dim: standard normal, and in games of codes these beside.

    Args:
        game: The game.
    """

    name: str = "z"

    def __init__(self, game: Any) -> None:
        self.game = game
        self.network = game.image_generator

    def condition(self, n: int, labels: Sequence[int | str] | None, texts: Sequence[str] | None) -> tuple[Tensor, ...]:
        """What the generator takes beside the latents of n images, n x ... each, on the game's device.

        Args:
            n: Number of images.
            labels: One class for all of them, or one for each, by name or number.
            texts: The same of texts.

        Raises:
            ValueError: The game has no classes or texts, or it has and none are given, or not one or n.
        """
        for name, given in (("labels", labels), ("texts", texts)):
            if given is not None and len(given) not in (1, n):
                raise ValueError(f"{name} has {len(given)}: give one for all {n} images, or one for each.")
        if texts is not None or hasattr(self.game, "check_texts"):
            check_texts(self.game, texts or ())
            made: tuple[Tensor, ...] = self.game.generator_inputs(self.game.encode_texts(texts))
            return tuple(part.expand(n, *part.shape[1:]) for part in made)
        if labels is not None:
            return (torch.tensor(check_labels(self.game, labels), device=self.game.device).expand(n),)
        if getattr(self.game, "num_classes", None) is not None and hasattr(self.game, "check_classes"):
            raise ValueError(f"{type(self.game).__name__} makes images of classes: give those of the images as labels.")
        return ()

    def drawn(self, n: int, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        """Latents of samples 0 to n - 1, n x ...; ``condition`` has n rows."""
        latents: Tensor = self.game.latents_of_samples(0, n, seed, None)
        return latents.to(self.game.device)

    def shape(self) -> tuple[int, ...]:
        """Shape of one latent."""
        with evaluating(self.network):  # In training mode a mapping network follows the mean of its styles.
            return tuple(self.drawn(1, 0, self.condition_of_any(1)).shape[1:])

    def samples(
        self,
        start: int,
        stop: int,
        seed: int,
        labels: Sequence[int] | None = None,
        texts: Sequence[str] | None = None,
        truncation: float | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Latents and conditions of samples ``start`` to ``stop - 1``, n x ... each: those that ``generate`` shows.

        Args:
            start: Number of the first sample.
            stop: Number of the sample after the last.
            seed: Seed of the sequence.
            labels: Classes of the samples, in turn. None: as frequent as in the data.
            texts: The same of texts.
            truncation: Of the latents.

        Raises:
            ValueError: The game has no such classes, texts or truncation.
        """
        game = self.game
        if truncation is not None and isinstance(game, StyleGame) and self.name == "z":
            raise ValueError(
                f"{type(game).__name__} truncates styles, so truncation goes only with directions in w or w+."
            )
        latents = game.latents_of_samples(start, stop, seed, truncation).to(game.device)
        if hasattr(game, "check_texts") and texts is None:
            texts = game.indexed_texts(start, stop, seed)
        elif texts:
            texts = [texts[number % len(texts)] for number in range(start, stop)]
        if hasattr(game, "check_classes") and game.num_classes is not None:
            game.check_classes(labels)
            labels = game.labels_of_samples(start, stop, seed, labels).tolist()
        return latents, self.condition(stop - start, labels, texts)

    def mean(self, n: int, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        """The mean of n latents, n x ...: zeros."""
        return torch.zeros_like(self.drawn(n, seed, condition))

    def encoded(self, images: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        """What the game's encoder finds of images, N x ...

        Raises:
            ValueError: It has none.
        """
        if not hasattr(self.game, "encode"):
            raise ValueError(f"{type(self.game).__name__} has no encoder: start from samples.")
        classes = {"labels": condition[0].tolist()} if hasattr(self.game, "check_classes") and condition else {}
        latents: Tensor = self.game.encode(images, **classes)
        return latents

    def check(self, latents: Tensor, n: int) -> Tensor:
        """Given latents on the game's device.

        Raises:
            ValueError: They are not n of this space.
        """
        shape = (n, *self.shape())
        if tuple(latents.shape) != shape:
            wanted, got = (" x ".join(map(str, each)) for each in (shape, latents.shape))
            raise ValueError(f"The latents are {got}: {type(self.game).__name__} takes {wanted} in {self.name}.")
        return latents.detach().to(self.game.device, torch.float32)

    def condition_of_any(self, n: int) -> tuple[Tensor, ...]:
        """Some condition of n images, where only shapes matter."""
        if hasattr(self.game, "check_texts"):
            return self.condition(n, None, [""])
        is_labelled = hasattr(self.game, "check_classes") and self.game.num_classes is not None
        return self.condition(n, [0] if is_labelled else None, None)

    def spread(self, seed: int, condition: tuple[Tensor, ...]) -> Tensor | float:
        """By how much latents are explored at first; 0: not at all."""
        return 0.0

    def deviation(self, seed: int, condition: tuple[Tensor, ...]) -> Tensor | float:
        """Standard deviation of a number of the latents of samples, the same of all: 1, or N x 1 x 1."""
        return 1.0

    def first_noise(self, first: int, last: int, seed: int) -> list[Tensor]:
        """Maps of noise for images ``first`` to ``last - 1`` that are optimised with the latents; none here."""
        return []

    def own_noise(self, n: int) -> list[Tensor]:
        """The constant maps of noise that n samples have; none here."""
        return []

    def make(self, latents: Tensor, condition: tuple[Tensor, ...], noise: list[Tensor]) -> Tensor:
        """Images, N x C x H x W."""
        images: Tensor = self.network(latents, *condition)
        return images

    def excess(self, latents: Tensor, mean: Tensor) -> Tensor:
        """Mean square of each latent's distance from the mean, N."""
        return (latents - mean).flatten(1).square().mean(1)


class StyleSpace(LatentSpace):
    """One style for all layers, N x 1 x D."""

    name = "w"
    layers: int | None = 1

    def __init__(self, game: Any) -> None:
        super().__init__(game)
        self._known: dict[tuple[int | None, int], tuple[Tensor, Tensor]] = {}

    def drawn(self, n: int, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        styles: Tensor = self.network.styles(super().drawn(n, seed, condition), *condition)
        return styles[:, : self.layers].contiguous()

    def samples(
        self,
        start: int,
        stop: int,
        seed: int,
        labels: Sequence[int] | None = None,
        texts: Sequence[str] | None = None,
        truncation: float | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        _, condition = super().samples(start, stop, seed, labels, texts)
        styles = self.game.indexed_styles(start, stop, seed, labels, truncation)
        # As they lie in memory: a copy in another order would be rounded otherwise.
        return styles[:, : self.layers], condition

    def mean(self, n: int, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        """The mean of the styles of 10,000 latents, of the image's own class where there are classes."""
        return self._moments(n, seed, condition)[0]

    def spread(self, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        """The root of the mean squared length of ``w - mean``, N x 1 x 1."""
        return self._moments(len(condition[0]) if condition else 1, seed, condition)[1]

    def deviation(self, seed: int, condition: tuple[Tensor, ...]) -> Tensor:
        spread, (_, length) = self.spread(seed, condition), self.shape()
        return spread / math.sqrt(length)

    def _moments(self, n: int, seed: int, condition: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Mean styles, n x 1 or L x D, and the deviations, n x 1 x 1."""
        classes = condition[0].tolist() if condition else [None] * n
        moments = [self._moments_of(each, seed) for each in classes]
        rows = self.network.n_styles if self.layers is None else self.layers
        means = torch.stack([mean for mean, _ in moments])[:, None]
        return means.repeat(1, rows, 1), torch.stack([deviation for _, deviation in moments])[:, None, None]

    def _moments_of(self, label: int | None, seed: int) -> tuple[Tensor, Tensor]:
        if (label, seed) not in self._known:
            styles = []
            for latents in super().drawn(_N_MEAN, fold(seed, _MEAN_STREAM), ()).split(1000):
                labels = [] if label is None else [torch.full((len(latents),), label, device=latents.device)]
                styles.append(self.network.styles(latents, *labels)[:, 0])
            w = torch.cat(styles)
            mean = w.mean(0)
            self._known[label, seed] = mean, (w - mean).square().sum(1).mean().sqrt()
        return self._known[label, seed]

    def encoded(self, images: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
        styles: Tensor = self.network.styles(super().encoded(images, condition), *condition)
        return styles[:, : self.layers].contiguous()

    def first_noise(self, first: int, last: int, seed: int) -> list[Tensor]:
        """One map for each layer with noise, N x 1 x H x W, normal."""
        maps = [part.constant for part in self.network.modules() if isinstance(part, Noise)]
        return [
            indexed_normal(first, last, each[0].numel(), fold(seed, _NOISE_STREAM, place))
            .view(last - first, *each.shape[1:])
            .to(each)
            for place, each in enumerate(maps)
        ]

    def own_noise(self, n: int) -> list[Tensor]:
        return [
            part.constant.expand(n, -1, -1, -1).clone() for part in self.network.modules() if isinstance(part, Noise)
        ]

    def make(self, latents: Tensor, condition: tuple[Tensor, ...], noise: list[Tensor]) -> Tensor:
        styles = latents.expand(-1, self.network.n_styles, -1)
        images: Tensor = self.network.synthesise(styles, noise or None)
        return images


class LayerStyleSpace(StyleSpace):
    """A style for each layer, N x L x D: w+."""

    name = "w+"
    layers = None


def noise_correlation(maps: list[Tensor]) -> Tensor:
    """How much neighbouring numbers of maps of noise are correlated, N (Karras et al., 2020, arXiv 1912.04958, app. D).

    ``mean(n * n_x)^2 + mean(n * n_y)^2``, n_x and n_y moved by a pixel, summed over the maps and over each one averaged
    down by two until a side is 8 or less.

    Args:
        maps: N x 1 x H x W each.
    """
    total = maps[0].new_zeros(len(maps[0]))
    for each in maps:
        while True:
            for axis in (2, 3):
                total = total + (each * each.roll(1, axis)).mean((1, 2, 3)).square()
            if min(each.shape[2:]) <= _SMALLEST_NOISE:
                break
            each = F.avg_pool2d(each, 2)
    return total


@torch.no_grad()
def normalise_noise(maps: list[Tensor]) -> None:
    """Give each map, N x 1 x H x W, mean 0 and variance 1, in place."""
    for each in maps:
        each.sub_(each.mean((1, 2, 3), keepdim=True))
        each.mul_(each.square().mean((1, 2, 3), keepdim=True).rsqrt())
