"""What a generator offers a user: which sliders, menus and tools there are, as JSON."""

from __future__ import annotations

from typing import Any

from gan_lightning.games.code import CodeGame
from gan_lightning.games.style import StyleGame
from gan_lightning.games.text import TextGame
from gan_lightning.games.video import VideoGame
from gan_lightning.studio import composing
from gan_lightning.studio.choices import Choice
from gan_lightning.studio.generators import TRAINED, Generator
from gan_lightning.studio.pictures import can_be_moved, first_components, latents_of
from gan_lightning.visualization.images import are_points


def offer_of(generator: Generator) -> dict[str, Any]:
    """All that the page shows of a generator.

    Raises:
        ValueError: The model cannot be loaded, or makes no images.
    """
    with generator.lock:
        model = generator.model
        common = {"source": generator.source, "variant": type(model).__name__}
        if isinstance(model, VideoGame):
            raise ValueError(f"{generator.source} continues videos: use `gan-lightning translate --frames`.")
        if generator.translates:
            return {**common, "kind": "translator", **_of_translator(model)}
        if medium := getattr(model, "medium", None):
            raise ValueError(
                f"{generator.source}: {type(model).__name__} makes {medium.name}, and the studio shows images: use "
                "`gan-lightning generate`."
            )
        if not hasattr(model, "sample"):
            raise ValueError(f"{generator.source}: {type(model).__name__} makes no images.")
        return {**common, "kind": "sampler", **_of_sampler(generator, model)}


def _of_sampler(generator: Generator, model: Any) -> dict[str, Any]:
    moved = can_be_moved(generator)
    start = latents_of(generator, Choice()) if moved else None
    return {
        "shape": [*model.image_shape],
        "points": are_points(model.image_shape),
        "classes": _classes(model),
        "text": model.indexed_texts(0, 1, 0)[0] if isinstance(model, TextGame) else None,
        "codes": _codes(model),
        "domains": [*getattr(model, "domains", ())],
        "truncation": _truncation(model),
        "moved": moved,
        "components": len(first_components(model, start)) if start is not None else 0,
        "directions": [
            {"name": direction.name, "unit": direction.unit, "source": direction.source}
            for direction in sorted(generator.directions.values(), key=lambda each: each.name)
        ]
        if moved
        else [],
        "noise": bool(start is not None and start.noise),
        "compose": composing.offered(model) if moved else None,
        "spaces": _spaces(start.space) if start is not None else [],
        "starts": ["mean", "samples", *(["encoder"] if hasattr(model, "encode") else []), TRAINED],
    }


def _of_translator(model: Any) -> dict[str, Any]:
    return {
        "directions": [*model.directions],
        "attributes": [*(getattr(model, "attributes", None) or ())],
        "guidance": [*model.guidance],
    }


def _classes(model: Any) -> list[str]:
    n = getattr(model, "num_classes", None)
    if n is None or not hasattr(model, "check_classes"):
        return []
    return [*map(str, getattr(model, "class_names", None) or range(n))]


def _codes(model: Any) -> dict[str, int] | None:
    if not isinstance(model, CodeGame):
        return None
    return {"categories": model.n_categories, "continuous": model.n_continuous}


def _truncation(model: Any) -> dict[str, float] | None:
    """Range of the slider, and where it changes nothing, or next to nothing."""
    if not hasattr(model, "truncated_latents") or are_points(model.image_shape):
        return None
    if isinstance(model, StyleGame):
        return {"low": 0.0, "high": 1.5, "none": 1.0}
    return {"low": 0.05, "high": 3.0, "none": 3.0}


def _spaces(name: str) -> list[str]:
    return ["w", "w+", "z"] if name == "w+" else ["z"]
