"""A game's network as a program of ``torch.export``: its operations, for any batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from gan_lightning.games.freezing import evaluating
from gan_lightning.games.portable import Portable
from gan_lightning.inference.export.exported import examples, sizes_of
from gan_lightning.inference.export.steps import without_remarks


def program_of(portable: Portable) -> tuple[ExportedProgram, dict[str, int]]:
    """Trace a network, with free height and width where it allows them, and with those of training where not.

    Returns:
        The program, and the free axes with what each must be a multiple of.

    Raises:
        ValueError: It cannot be traced.
    """
    used = {axis for given in portable.inputs.values() for axis in given.shape if isinstance(axis, str)}
    every = {name: 1 if name == "batch" else portable.side_multiple for name in sorted(used)}
    if {"height", "width"} & used and portable.sides is not None:
        try:
            return _traced(portable, every), every
        # torch raises any of several errors for a network that fixes a size, some of them private.
        except Exception:
            every = {"batch": 1}
    try:
        return _traced(portable, every), every
    except Exception as error:
        raise ValueError(
            f"torch.export cannot trace the network: {_first_line(error)} Its forward pass must not choose by the "
            "values of its inputs, nor turn sizes into plain numbers."
        ) from error


def _traced(portable: Portable, free: Mapping[str, int]) -> ExportedProgram:
    axes: dict[str, Any] = {}
    for name, multiple in free.items():
        # A side of 4 n is written so: n is the free number.
        axes[name] = Dim(name) if multiple == 1 else multiple * Dim(f"{name}_{multiple}")
    dynamic = {
        name: {place: axes[axis] for place, axis in enumerate(given.shape) if axis in axes}
        for name, given in portable.inputs.items()
    }
    # Sizes of 0 and 1 are taken for constants, and so are those that always equal another's.
    inputs = examples(portable, sizes_of(portable, free, batch=2, more=2))
    with evaluating(portable.network), without_remarks():
        return torch.export.export(portable.network, (), inputs, dynamic_shapes=dynamic, strict=False)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[0].rstrip('.')}."
