"""GAN Lightning: every classic GAN as one short, readable LightningModule, on one engine."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the variants and the engine when they are first asked for: torch takes seconds to load."""
    import importlib

    for module in ("gan_lightning.game", "gan_lightning.image_game", "gan_lightning.variants"):
        found = getattr(importlib.import_module(module), name, None)
        if found is not None and not name.startswith("_"):
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
