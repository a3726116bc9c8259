"""Painting on the manifold of a generator's images: latents follow what a user's brushes ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.image import unit_linspace
from gan_lightning.games.randomness import fold, indexed_normal
from gan_lightning.inference.edit.brushes import Brush, Dab, constraints_of
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.progress import Watch, watched_bar
from gan_lightning.inference.edit.rendering import differentiable, inputs_of_kept, render_each

_STREAM = 9
_JITTER = 0.5
_RATE = 0.05  # of Brock et al.'s step, for a brush of no width


@dataclass(frozen=True)
class Painting:
    """Latents that have followed brushes.

    Attributes:
        kept: The latents, of N images; their errors are left out, for the images have changed.
        before: The images painted on, N x C x H x W in [-1, 1].
        images: What the generator makes of the latents now.
        losses: Mean squared differences from the constraints by name, and ``move``, the mean squared move of a number
            of the latent in standard deviations; (steps + 1) x N each, without their weights.
        way: Images on the way, frames x N x C x H x W; None: none were asked for.
    """

    kept: KeptLatents
    before: Tensor
    images: Tensor
    losses: dict[str, Tensor]
    way: Tensor | None = None


def paint(
    model: AdversarialModule,
    kept: KeptLatents,
    brushes: Sequence[Brush],
    *,
    label: int | None = None,
    steps: int = 50,
    smoothness: float = 5.0,
    largest_move: float = 1.0,
    edge_weight: float = 0.2,
    learning_rate: float = 0.1,
    candidates: int = 1,
    seed: int = 0,
    frames: int = 0,
    title: str = "Painting",
    watch: Watch | None = None,
) -> Painting:
    """Move latents so that their images show what brushes ask for (Zhu et al., ECCV 2016, arXiv 1609.03552, section 4).

    ``argmin sum m (G(z) - v)^2 / sum m + edge_weight * sum m_e (H(G(z)) - H(v))^2 / sum m_e`` with
    ``+ smoothness * E (z - z_0)^2``, by Adam: v and m are what the brushes paint and where, H histograms of oriented
    gradients, and the weights the authors' code's. As their z is uniform in (-1, 1) and latents here are normal, a
    number's move is counted in standard deviations, of styles too, and no tanh bounds it. Instead the root of the mean
    squared move is at most ``largest_move``: at 1, a latent stays as near to its start as samples are to their mean.
    Maps of noise, classes and texts stay as they are.

    Args:
        model: A game whose generator makes images of latents.
        kept: The latents of N images of it.
        brushes: What is painted on all of them; a later one covers those before it.
        label: Class of all images, in place of their own. None: their own.
        steps: Of Adam.
        smoothness: Weight of the latents' move; 0 to draw from scratch.
        largest_move: Its bound, greater than 0.
        edge_weight: Weight of the histograms.
        learning_rate: Of Adam, in standard deviations.
        candidates: Starts of each image, of which the best end is kept: its latent, and others that differ from it by
            normal noise of half a standard deviation.
        seed: Of that noise.
        frames: Images kept from the start to the end, at equal distances; at most ``steps + 1``.
        title: Of the progress bar.
        watch: Called with the steps done and their number after each; what it raises ends the work.

    Raises:
        ValueError: The latents are not of this model, a brush lies outside of the images, or an argument is out of its
            range.
    """
    check_whole(0, steps=steps, frames=frames)
    check_whole(1, candidates=candidates)
    for name, value in (("smoothness", smoothness), ("edge_weight", edge_weight)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value:g}: it must be a number of at least 0.")
    for name, value in (("largest_move", largest_move), ("learning_rate", learning_rate)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value:g}: it must be a number greater than 0.")
    canvas = _Canvas(model, kept, label)
    weights = {"color": 1.0, "edges": edge_weight, "move": smoothness}
    constraints = constraints_of(canvas.before, brushes)

    def terms(made: Tensor) -> dict[str, Tensor]:
        return constraints.terms(made.float())

    ends = []
    with (
        differentiable(canvas.of.network),
        watched_bar(candidates * steps, title, " steps", watch) as bar,
    ):
        for number in range(candidates):
            moves = canvas.first_moves(number, seed).requires_grad_()
            adam = torch.optim.Adam([moves], lr=learning_rate, betas=(0.9, 0.999))
            ends.append(canvas.follow(moves, adam, terms, weights, steps, largest_move, frames, bar))
    best = torch.stack([end.costs(weights) for end in ends]).argmin(dim=0)
    return canvas.painting([ends[int(end)] for end in best])


def morph(model: AdversarialModule, start: KeptLatents, end: KeptLatents, frames: int = 7) -> Tensor:
    """Images of latents on the straight line between two (iGAN's way from a photograph to its edit, of 7 frames).

    Args:
        model: The game that both are of.
        start: The latents of N images; their classes, text and maps of noise are those of the way.
        end: N others of the same space.
        frames: At least 2.

    Returns:
        frames x N x C x H x W in [-1, 1] on the model's device.

    Raises:
        ValueError: They are not of this model.
    """
    check_whole(2, frames=frames)
    of, first, condition, noise = inputs_of_kept(model, start)
    last = of.check(end.latents, len(first))
    # This form gives both ends exactly.
    line = [(1 - way) * first + way * last for way in unit_linspace(frames)]
    return torch.stack([render_each(model, start.space, latents, condition, noise) for latents in line])


def contextual_strokes(
    model: AdversarialModule,
    kept: KeptLatents,
    dabs: Sequence[Dab],
    *,
    label: int | None = None,
    strokes: int = 10,
    rate: float = 1.0,
    frames: int = 0,
    title: str = "Painting",
    watch: Watch | None = None,
) -> Painting:
    """The contextual brush of the Neural Photo Editor (Brock et al., ICLR 2017, arXiv 1609.07093, section 2).

    Each stroke is one step of descent on the difference of the places painted on from their colours,
    ``z <- z - 0.05 (1 + d) grad_z E (c - G(z))^2``, d the diameter of the largest dab in pixels, as in the authors'
    code. Nothing pulls the latent back. Styles move by the same rule in standard deviations.

    Args:
        model: A game whose generator makes images of latents.
        kept: The latents of N images of it.
        dabs: What is painted on all of them.
        label: Class of all images, in place of their own. None: their own.
        strokes: How often the brush passes.
        rate: Factor of the step.
        frames: See :func:`paint`.
        title: Of the progress bar.
        watch: Called with the steps done and their number after each; what it raises ends the work.

    Raises:
        ValueError: As :func:`paint`, or a brush is no dab.
    """
    check_whole(0, strokes=strokes, frames=frames)
    if not 0 < rate < math.inf:
        raise ValueError(f"rate is {rate:g}: it must be a number greater than 0.")
    if not all(isinstance(dab, Dab) for dab in dabs):
        raise ValueError("The contextual brush paints colours alone: give dabs, or take paint() for lines and warps.")
    canvas = _Canvas(model, kept, label)
    constraints = constraints_of(canvas.before, dabs)
    width = 2 * max(dab.radius for dab in dabs) + 1

    def terms(made: Tensor) -> dict[str, Tensor]:
        return {"color": constraints.terms(made.float())["color"]}

    with (
        differentiable(canvas.of.network),
        watched_bar(strokes, title, " strokes", watch) as bar,
    ):
        moves = torch.zeros_like(canvas.latents).requires_grad_()
        descent = torch.optim.SGD([moves], lr=rate * _RATE * (1 + width))
        end = canvas.follow(moves, descent, terms, {"color": 1.0}, strokes, math.inf, frames, bar)
    return canvas.painting([end] * len(canvas.latents))


@dataclass(frozen=True)
class _End:
    """Where one start of all images has come to."""

    latents: Tensor
    losses: dict[str, Tensor]
    way: list[Tensor]

    def costs(self, weights: dict[str, float]) -> Tensor:
        return torch.stack([weights[name] * values[-1] for name, values in self.losses.items()]).sum(0)


class _Canvas:
    """The latents painted on, and their images."""

    def __init__(self, model: AdversarialModule, kept: KeptLatents, label: int | None) -> None:
        self.model, self.kept, self.label = model, kept, label
        self.of, self.latents, self.condition, self.noise = inputs_of_kept(model, kept, label)
        self.before = self._images(self.latents)
        self.deviation = self.of.deviation(0, self.condition)

    def first_moves(self, number: int, seed: int) -> Tensor:
        """Moves of the latents, in standard deviations, that a candidate starts from; none of the first."""
        moves = torch.zeros_like(self.latents)
        if number:
            numbers = indexed_normal(0, len(moves), moves[0].numel(), fold(seed, _STREAM, number))
            moves += _JITTER * numbers.view_as(moves).to(moves)
        return moves

    def follow(
        self,
        moves: Tensor,
        optimizer: torch.optim.Optimizer,
        terms: Callable[[Tensor], dict[str, Tensor]],
        weights: dict[str, float],
        steps: int,
        largest_move: float,
        frames: int,
        bar: Any,
    ) -> _End:
        """Move all latents by an optimiser within a bound."""
        shown = {round(way * steps) for way in unit_linspace(frames)} if frames else set()
        way, losses = [], []
        for step in range(steps + 1):
            with torch.no_grad():
                _bound(moves, largest_move)
            latents = self.latents + moves * self.deviation
            if step in shown:
                way.append(self._images(latents.detach()))
            found = terms(self.of.make(latents, self.condition, self.noise))
            found["move"] = moves.flatten(1).square().mean(1)
            losses.append({name: term.detach() for name, term in found.items()})
            if step < steps:
                optimizer.zero_grad()
                sum(weights[name] * term for name, term in found.items() if name in weights).sum().backward()  # type: ignore[union-attr]
                optimizer.step()
                bar.update()
        names = losses[0]
        return _End(latents.detach(), {name: torch.stack([each[name] for each in losses]) for name in names}, way)

    def painting(self, ends: Sequence[_End]) -> Painting:
        """The painting of each image, by the end that it has come to."""
        rows = [*enumerate(ends)]
        latents = torch.stack([end.latents[row] for row, end in rows])
        losses = {name: torch.stack([end.losses[name][:, row] for row, end in rows], dim=1) for name in ends[0].losses}
        way = torch.stack([torch.stack(end.way)[:, row] for row, end in rows], dim=1) if ends[0].way else None
        labels = self.kept.labels if self.label is None else torch.full((len(rows),), self.label)
        kept = replace(self.kept, latents=latents, labels=labels, errors={})
        return Painting(kept, self.before, self._images(latents), losses, way)

    def _images(self, latents: Tensor) -> Tensor:
        return render_each(self.model, self.kept.space, latents, self.condition, self.noise)


def _bound(moves: Tensor, largest: float) -> None:
    """Shorten moves, N x ..., whose root mean square is larger, in place."""
    lengths = moves.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (moves.ndim - 1))
    moves.mul_((largest / lengths.clamp(min=1e-12)).clamp(max=1))
