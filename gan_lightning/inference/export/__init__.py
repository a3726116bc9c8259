"""A game's averaged generator as a file that runs without this package: ONNX, torch.export's, safetensors.

What is exported is said by the kind of game, in its ``portable``; see :mod:`gan_lightning.games.portable`. Each file
says in itself what it is of, and none is written before what is in it has made the same images as torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.export.exported import Exported, portable_of
from gan_lightning.inference.export.onnx_file import write_onnx
from gan_lightning.inference.export.torch_file import write_torch
from gan_lightning.inference.export.weights_file import write_weights

__all__ = ["FORMATS", "Exported", "export", "portable_of"]

Writer = Callable[[AdversarialModule, Path, str | None], Exported]

FORMATS: dict[str, tuple[str, Writer]] = {
    "onnx": (".onnx", write_onnx),
    "torch": (".pt2", write_torch),
    "safetensors": (".safetensors", write_weights),
}
"""How the name of a file ends, and what writes it, by the format's name."""


def export(game: AdversarialModule, path: str | Path, format: str = "onnx", domain: str | None = None) -> Exported:
    """Write the averaged generator of a game to a file of its own.

    Args:
        game: A game that makes images, on a CPU.
        path: The file; what is there is replaced once the new one is complete.
        format: One of :data:`FORMATS`: ``onnx``, for onnxruntime and browsers; ``torch``, the ``.pt2`` of
            ``torch.export``; ``safetensors``, the weights, for :func:`~gan_lightning.inference.from_pretrained`.
        domain: Of the images made, for games of several, such as CycleGAN and CoGAN. None: the first.

    Returns:
        What was written.

    Raises:
        ModuleNotFoundError: What writes the format is not installed.
        OSError: It cannot be written; nothing is left of it.
        ValueError: The game makes no images, its network cannot be exported, the exported one makes other images than
            torch, or there is no such format or domain.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}: choose {', '.join(FORMATS)}.")
    suffix, write = FORMATS[format]
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path}: the name of such a file must end with {suffix}, by which programs know the format.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(game, path, domain)
