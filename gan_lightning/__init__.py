"""GAN Lightning: every classic GAN as one short, readable LightningModule, on one engine."""

from typing import Any

__version__ = "0.2.0"


_ENGINE = {
    "AdversarialModule": "gan_lightning.game",
    "GameBatch": "gan_lightning.game",
    "ImageGame": "gan_lightning.image_game",
    "LabelGame": "gan_lightning.label_game",
    "Terms": "gan_lightning.losses",
}


def check_datamodules() -> None:
    """Refuse to run with another package called ``datamodules`` in the place of ours.

    Raises:
        ImportError: There is one.
    """
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("datamodules")
    places = [] if found is None else [found.origin, *(found.submodule_search_locations or [])]
    place = next(filter(None, places), "nowhere")
    if not Path(place).resolve().is_relative_to(Path(__file__).parents[1].resolve()):
        raise ImportError(
            f"The package datamodules that Python finds is {place}, and not GAN Lightning's, which it hides: give it "
            "another name."
        )


def __getattr__(name: str) -> Any:
    """Import the engine and the variants when they are first asked for: torch takes seconds to load."""
    import importlib

    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    check_datamodules()
    module = importlib.import_module(_ENGINE.get(name, "gan_lightning.variants"))
    if name not in vars(module):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(module)[name]
