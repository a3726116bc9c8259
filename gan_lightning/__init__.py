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


def __getattr__(name: str) -> Any:
    """Import the engine and the variants when they are first asked for: torch takes seconds to load."""
    import importlib

    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_ENGINE.get(name, "gan_lightning.variants"))
    if name not in vars(module):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(module)[name]
