"""The picture of a choice: a sample as ``generate`` makes it, or one that is moved in latent space."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning import inference
from gan_lightning.games.code import CodeGame
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.label import LabelGame
from gan_lightning.games.text import TextGame
from gan_lightning.inference.edit import KeptLatents, edit_kept, render_kept
from gan_lightning.inference.edit.spaces import space_of
from gan_lightning.studio.choices import Choice
from gan_lightning.studio.generators import Generator, space_name
from gan_lightning.visualization.images import are_points
from gan_lightning.visualization.scatter_plot import Window, plot_scatter

N_COMPONENTS = 8
_POINTS = 1000


def sample(model: Any, choice: Choice) -> Tensor:
    """The sample of a choice, 1 x C x H x W in [-1, 1]: that of ``generate --n 1 --seed SEED``.

    Raises:
        ValueError: The model has no such class, text, code, domain or truncation.
    """
    return next(inference.generate(model, 1, choice.seed, **_of_sample(choice)))


def scatter(model: Any, choice: Choice) -> Tensor:
    """The samples of a model of points in the plane, uint8, 3 x H x W."""
    points = torch.cat([*inference.generate(model, _POINTS, choice.seed, **_of_sample(choice))]).flatten(1).cpu()
    return plot_scatter(points, Window.around(points))


def latents_of(generator: Generator, choice: Choice, base: KeptLatents | None = None) -> KeptLatents:
    """The latents of a choice.

    Args:
        generator: The generator.
        choice: Where ``base`` is given, its sample does not count, but its class does.
        base: Latents that are moved in the place of a sample's, of one image.

    Raises:
        ValueError: The model's latents cannot be moved so.
    """
    model = generator.model
    kept = base if base is not None else _latents_of_sample(model, choice)
    if base is not None and choice.label is not None:
        kept = replace(kept, labels=torch.tensor(inference.check_labels(model, [choice.label])))
    if choice.components:
        kept = replace(kept, latents=_with_components(kept, choice.components))
    edits = [(_direction(generator, name), strength) for name, strength in choice.follows.items()]
    if edits:
        kept = edit_kept(model, kept, edits)
    return replace(kept, noise=_noise(model, kept, choice), errors={})


def picture(generator: Generator, choice: Choice, base: KeptLatents | None = None) -> Tensor:
    """The picture of a choice, 1 x C x H x W in [-1, 1]; arguments and errors as of :func:`latents_of`."""
    with generator.lock:
        if base is None and not choice.is_moved:
            return sample(generator.model, choice)
        return render_kept(generator.model, latents_of(generator, choice, base))


def can_be_moved(generator: Generator) -> bool:
    """Whether the pictures of a model are those of single latents, which sliders and brushes can move."""
    model = generator.model
    if are_points(getattr(model, "image_shape", ())):
        return False
    try:
        moved = render_kept(model, latents_of(generator, Choice()))
    except (ValueError, TypeError, AttributeError):  # Of a game whose generator is called in another way.
        return False
    made = sample(model, Choice())
    return moved.shape == made.shape and bool(torch.allclose(moved, made, atol=1e-4))


def first_components(model: Any, kept: KeptLatents) -> list[float]:
    """The first numbers of a latent in z; none of styles."""
    if kept.space != "z":
        return []
    return kept.latents[0, : min(N_COMPONENTS, model.latent_dim)].tolist()


def _of_sample(choice: Choice) -> dict[str, Any]:
    return {
        "labels": None if choice.label is None else [choice.label],
        "codes": {name: [value] for name, value in choice.codes.items()} or None,
        "domain": choice.domain,
        "truncation": choice.truncation,
        "texts": None if choice.text is None else [choice.text],
    }


def _latents_of_sample(model: Any, choice: Choice) -> KeptLatents:
    if choice.domain not in (None, *getattr(model, "domains", ())[:1]):
        raise ValueError(f"Latents are moved in the first domain, and not in {choice.domain}: choose that one.")
    of = space_of(model, space_name(model))
    labels = None if choice.label is None else inference.check_labels(model, [choice.label])
    text = choice.text
    if isinstance(model, TextGame) and text is None:
        text = model.indexed_texts(0, 1, choice.seed)[0]
    with evaluating(of.network):
        texts = None if text is None else [text]
        latents, condition = of.samples(0, 1, choice.seed, labels, texts, choice.truncation)
    if choice.codes:
        latents = _with_codes(model, latents, choice.codes)
    classes = condition[0].cpu() if isinstance(model, LabelGame) and condition else None
    return KeptLatents(of.name, latents, of.own_noise(1), classes, text)


def _with_codes(model: Any, latents: Tensor, codes: Any) -> Tensor:
    inference.check_codes(model, {name: [value] for name, value in codes.items()})
    assert isinstance(model, CodeGame)
    noise, category, continuous = (part.clone() for part in model.parts(latents))
    chosen = category.argmax(1)
    for name, value in codes.items():
        if name == "category":
            chosen = torch.full_like(chosen, int(value))
        else:
            continuous[:, int(name.removeprefix("continuous"))] = value
    return model.join(noise, chosen, continuous)


def _with_components(kept: KeptLatents, components: Any) -> Tensor:
    if kept.space != "z":
        raise ValueError("The numbers of styles have no sliders: follow a direction.")
    latents = kept.latents.clone()
    for place, value in components.items():
        if place >= latents.shape[1]:
            raise ValueError(f"The latent has no number {place}: it has 0 to {latents.shape[1] - 1}.")
        latents[:, place] = value
    return latents


def _noise(model: Any, kept: KeptLatents, choice: Choice) -> list[Tensor]:
    if not choice.changes_noise:
        return kept.noise
    if not kept.noise:
        raise ValueError(f"{type(model).__name__} has no maps of noise.")
    maps = kept.noise
    if choice.noise_seed is not None:
        maps = space_of(model, kept.space).first_noise(0, 1, choice.noise_seed)  # type: ignore[arg-type]
    return [each * choice.noise for each in maps]


def _direction(generator: Generator, name: str) -> Any:
    known = generator.directions
    if name not in known:
        raise ValueError(f"There is no direction {name!r}: this generator has {', '.join(known) or 'none'}.")
    return known[name]
