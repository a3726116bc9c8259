"""A studio of small models, without a server."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_lightning.commands.from_checkpoint import laid_out, load_model
from gan_lightning.inference.pretrained import save_pretrained
from gan_lightning.studio.generators import Generator
from gan_lightning.studio.runs import Runs
from gan_lightning.studio.studio import Studio


def generator_of(model: Any, folder: Path, directions: Path | None = None) -> Generator:
    """A generator that is read from a folder, as commands read it."""
    save_pretrained(model, folder)
    return Generator(str(folder), load, directions)


def load(source: str) -> Any:
    model = load_model(Path(source), "cpu")
    return laid_out(model) if hasattr(model, "sample") else model


def studio_of(*generators: Generator, runs: Path | None = None) -> Studio:
    return Studio([*generators], None if runs is None else Runs(runs))


def pixels(uri: str) -> Any:
    """The pixels in a URI of a PNG."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def png(side: int = 16, make: Callable[[Any], Any] = lambda ramp: ramp) -> bytes:
    """A PNG: a ramp from black on the left."""
    ramp = np.broadcast_to(np.linspace(0, 255, side, dtype=np.uint8), (side, side))
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(make(ramp))).save(content, "PNG")
    return content.getvalue()
