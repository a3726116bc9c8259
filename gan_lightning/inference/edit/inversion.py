"""The latents of given images: a generator is inverted by optimising what it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.image import unit_linspace
from gan_lightning.games.randomness import fold, indexed_normal
from gan_lightning.inference.edit.distances import Distance
from gan_lightning.inference.edit.progress import Watch, watched_bar
from gan_lightning.inference.edit.rendering import differentiable, render_each
from gan_lightning.inference.edit.spaces import (
    LatentSpace,
    SpaceName,
    noise_correlation,
    normalise_noise,
    space_of,
)

Start = Literal["mean", "encoder", "samples"]

_EXPLORATION = 0.05
_STREAM = 8


@dataclass(frozen=True)
class Inversion:
    """Latents of N images.

    Attributes:
        space: z, w or w+.
        latents: N x latent_dim in z, N x 1 x D in w, N x L x D in w+.
        noise: Maps of noise, N x 1 x H x W each, of a game of styles in w and w+; none elsewhere.
        images: What the generator makes of them, N x C x H x W in [-1, 1].
        losses: Mean squared differences by what was compared, "pixels" and "features", and the regularisers "latent"
            and "noise" without their weights; (steps + 1) x N each, the last of the result.
        way: Images on the way from the start to the result, frames x N x C x H x W; None: none were asked for.
    """

    space: str
    latents: Tensor
    noise: list[Tensor]
    images: Tensor
    losses: dict[str, Tensor]
    way: Tensor | None = None

    def of(self, image: int) -> Inversion:
        """The inversion of one of the images."""
        row = slice(image, image + 1)
        losses = {name: each[:, row] for name, each in self.losses.items()}
        way = None if self.way is None else self.way[:, row]
        noise = [each[row] for each in self.noise]
        return Inversion(self.space, self.latents[row], noise, self.images[row], losses, way)


def invert(
    model: AdversarialModule,
    images: Tensor,
    *,
    space: SpaceName | None = None,
    labels: Sequence[int | str] | None = None,
    texts: Sequence[str] | None = None,
    start: Start | Tensor | None = None,
    candidates: int = 256,
    distance: Distance | None = None,
    latent_weight: float = 0.0,
    noise_weight: float = 1e5,
    exploration: float | None = None,
    steps: int = 1000,
    learning_rate: float = 0.1,
    batch_size: int = 16,
    seed: int = 0,
    first: int = 0,
    frames: int = 0,
    title: str = "Inverting",
    watch: Watch | None = None,
) -> Inversion:
    """Find latents of which the averaged generator makes given images.

    ``argmin distance(G(latent), x) + latent_weight * E (latent - mean)^2`` by Adam, each image for itself, with the
    schedule of StyleGAN2's projector (Karras et al., 2020, arXiv 1912.04958, appendix D): the rate rises in the first
    twentieth of the steps and falls by a cosine in the last quarter; in w and w+ styles are explored with normal noise
    that fades out in three quarters of the steps, and the generator's maps of noise are optimised too, with a
    regulariser that keeps pictures out of them. The class or text of an image stays as it is given.

    Args:
        model: A game whose generator makes images of latents.
        images: N x C x H x W, uint8 or in [-1, 1], of the model's shape.
        space: z: the latents; w: one style for all layers; w+: a style for each. None: w for games of styles, else z.
        labels: One class for all images, or one for each, by name or number; games of classes ask for it.
        texts: The same of texts, for games of texts.
        start: First latents: the mean; those of the game's encoder; for each image the best of ``candidates`` samples;
            or given ones. None: the mean in w and w+, else those of the encoder, or samples where there is none.
        candidates: Random latents that are compared.
        distance: What is minimised. None: the mean squared difference of the pixels.
        latent_weight: Weight of the latents' mean squared difference from their mean, which is 0 in z.
        noise_weight: Weight of the regulariser of noise, in w and w+.
        exploration: First deviation of the noise on latents, times the root mean squared length of ``w - mean``. None:
            0.05 from the mean style, 0 elsewhere; it is of w and w+ alone.
        steps: Of Adam; 0: the start.
        learning_rate: Largest rate.
        batch_size: Images at a time; results are the same but for rounding.
        seed: Of all that is drawn.
        first: Number of the first image: what is drawn for an image is a function of the seed and its number.
        frames: Reconstructions kept from the start to the result, at equal distances; at most ``steps + 1``.
        title: Of the progress bar.
        watch: Called with the steps done and their number after each; what it raises ends the inversion.

    Raises:
        ValueError: The model makes no images of latents, the images are not of its shape, or an argument is out of its
            range.
    """
    check_whole(0, steps=steps, frames=frames)
    check_whole(1, images=len(images), candidates=candidates, batch_size=batch_size)
    for name, value in (("latent_weight", latent_weight), ("noise_weight", noise_weight)):
        if not value >= 0:
            raise ValueError(f"{name} is {value:g}: it must be at least 0.")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate is {learning_rate:g}: it must be a number greater than 0.")
    of = space_of(model, space)
    game = of.game
    game.check_shape(images)
    distance = distance or Distance()
    condition = of.condition(len(images), labels, texts)
    chosen: Start | Tensor = start if start is not None else _usual_start(of)
    if isinstance(chosen, Tensor):
        chosen = of.check(chosen, len(images))
    if exploration is None:
        exploration = _EXPLORATION if of.name != "z" and isinstance(chosen, str) and chosen == "mean" else 0.0
    weights = {"latent": latent_weight, "noise": noise_weight}
    kept = []
    n_batches = -(-len(images) // batch_size)
    with (
        differentiable(of.network),
        watched_bar(n_batches * steps, title, " steps", watch) as bar,
    ):
        for begin in range(0, len(images), batch_size):
            rows = slice(begin, min(begin + batch_size, len(images)))
            target = game.scaled(images[rows].to(game.device)).float()
            batch = _Batch(of, target, tuple(part[rows] for part in condition), distance, weights, first + begin, seed)
            batch.begin(chosen[rows] if isinstance(chosen, Tensor) else chosen, candidates)
            kept.append(batch.optimise(steps, learning_rate, exploration, frames, bar))
    return _joined(of, kept, condition)


def _usual_start(space: LatentSpace) -> Start:
    if space.name != "z":
        return "mean"
    return "encoder" if hasattr(space.game, "encode") else "samples"


class _Batch:
    """The inversion of some images at once; nothing of one concerns another."""

    def __init__(
        self,
        space: LatentSpace,
        target: Tensor,
        condition: tuple[Tensor, ...],
        distance: Distance,
        weights: dict[str, float],
        first: int,
        seed: int,
    ) -> None:
        self.space, self.distance, self.weights = space, distance, weights
        self.condition = condition
        self.first, self.last, self.seed = first, first + len(target), seed
        self.target = target
        with torch.no_grad():
            self.given = distance.described(target)
            self.mean = space.mean(len(target), seed, condition)
            self.noise = space.first_noise(self.first, self.last, seed)

    @torch.no_grad()
    def begin(self, start: Start | Tensor, candidates: int) -> None:
        if isinstance(start, Tensor):
            self.latents = start.clone()
        elif start == "mean":
            self.latents = self.mean.clone()
        elif start == "encoder":
            self.latents = self.space.encoded(self.target, self.condition).clone()
        elif start == "samples":
            self.latents = self._best_samples(candidates)
        else:
            raise ValueError(f"start is {start!r}: it must be mean, encoder or samples, or latents.")

    def _best_samples(self, candidates: int) -> Tensor:
        """The nearest of the same latents for each image, made of its own condition."""
        known: dict[tuple[bytes, ...], tuple[Tensor, dict[str, Tensor]]] = {}
        best = []
        for row in range(len(self.target)):
            own = tuple(part[row : row + 1] for part in self.condition)
            # Images of one class share the samples that are made of it.
            kind = tuple(part.float().cpu().numpy().tobytes() for part in own)
            if kind not in known:
                known[kind] = self._samples(candidates, own)
            latents, described = known[kind]
            given = {name: value[row : row + 1] for name, value in self.given.items()}
            best.append(latents[self.distance.between(described, given)[0].argmin()])
        return torch.stack(best)

    def _samples(self, n: int, own: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """Latents of n samples of one condition, and what is compared of them."""
        condition = tuple(part.expand(n, *part.shape[1:]) for part in own)
        latents = self.space.drawn(n, self.seed, condition)
        described = [
            self.distance.described(self.space.make(latents[at], tuple(part[at] for part in condition), []).float())
            for at in torch.arange(n, device=latents.device).split(64)
        ]
        return latents, {name: torch.cat([each[name] for each in described]) for name in described[0]}

    def optimise(self, steps: int, rate: float, exploration: float, frames: int, bar: Any) -> dict[str, Any]:
        spread = self.space.spread(self.seed, self.condition) if exploration and steps else 0.0
        self.latents.requires_grad_()
        for each in self.noise:
            each.requires_grad_()
        adam = torch.optim.Adam([self.latents, *self.noise], betas=(0.9, 0.999))
        shown = {round(way * steps) for way in unit_linspace(frames)} if frames else set()
        way, losses = [], []
        for step in range(steps + 1):
            t = step / max(steps, 1)
            if step in shown:
                way.append(self._image())
            if step == steps:
                break
            for group in adam.param_groups:
                group["lr"] = rate * schedule(t)
            latents = self.latents
            strength = exploration * max(0.0, 1 - t / 0.75) ** 2
            if strength:
                latents = latents + strength * spread * self._normal(step)
            terms = self._terms(self.space.make(latents, self.condition, self.noise))
            adam.zero_grad()
            self._total(terms).sum().backward()
            adam.step()
            normalise_noise(self.noise)
            losses.append({name: term.detach() for name, term in terms.items()})
            bar.update()
        with torch.no_grad():
            losses.append(self._terms(self._image()))
        return {
            "latents": self.latents.detach(),
            "noise": [each.detach() for each in self.noise],
            "losses": {name: torch.stack([each[name] for each in losses]) for name in losses[0]},
            "way": torch.stack(way) if frames else None,
        }

    def _terms(self, made: Tensor) -> dict[str, Tensor]:
        terms = self.distance.terms(self.distance.described(made.float()), self.given)
        if self.weights["latent"]:
            terms["latent"] = self.space.excess(self.latents, self.mean)
        if self.noise:
            terms["noise"] = noise_correlation(self.noise)
        return terms

    def _total(self, terms: dict[str, Tensor]) -> Tensor:
        compared = self.distance.total({name: terms[name] for name in self.given})
        return compared + sum(self.weights[name] * term for name, term in terms.items() if name in self.weights)

    @torch.no_grad()
    def _image(self) -> Tensor:
        return self.space.make(self.latents, self.condition, self.noise)

    def _normal(self, step: int) -> Tensor:
        """Normal numbers of these images at a step, the same for all layers: N x 1 x D."""
        numbers = indexed_normal(self.first, self.last, self.latents.shape[-1], fold(self.seed, _STREAM, step))
        return numbers[:, None].to(self.latents)


def schedule(t: float) -> float:
    """Factor of the rate at a share t of the steps: up in the first twentieth, down by a cosine in the last quarter."""
    down = min(1.0, (1 - t) / 0.25)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, t / 0.05)


def _joined(space: LatentSpace, kept: list[dict[str, Any]], condition: tuple[Tensor, ...]) -> Inversion:
    latents = torch.cat([each["latents"] for each in kept])
    noise = [torch.cat(maps) for maps in zip(*(each["noise"] for each in kept), strict=True)]
    losses = {name: torch.cat([each["losses"][name] for each in kept], dim=1) for name in kept[0]["losses"]}
    way = None if kept[0]["way"] is None else torch.cat([each["way"] for each in kept], dim=1)
    made = render_each(space.game, space.name, latents, condition, noise)
    return Inversion(space.name, latents, noise, made, losses, way)
