"""GAN Lightning: every classic GAN as one short, readable LightningModule, on one engine."""

from typing import Any

from gan_lightning import moved_names

__version__ = "0.2.0"

# First of all: a checkpoint may name a module by its old path before anything else is imported.
moved_names.install()


_ENGINE = {
    "AdversarialModule": "gan_lightning.games.base",
    "GameBatch": "gan_lightning.games.batch",
    "ImageGame": "gan_lightning.games.image",
    "LabelGame": "gan_lightning.games.label",
    "Terms": "gan_lightning.losses.terms",
}


def check_datamodules() -> None:
    """Refuse to run with another package called ``datamodules`` in the place of ours.

    Raises:
        ImportError: There is one.
    """
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("datamodules")
    # A package without __init__.py has no origin, only places.
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
    import sys

    if not name[:1].isupper():  # Python asks for submodules here too, and all that we offer are classes.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The engine's classes without the variants, which import every network.
    home = _ENGINE.get(name, "gan_lightning.variants")
    if home not in sys.modules:  # Classes are looked up hundreds of times in a start.
        check_datamodules()
    module = importlib.import_module(home)
    if name not in vars(module):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(module)[name]
