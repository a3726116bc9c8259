"""The files of ``torch.export``, for torch without this package, and for what is built on it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch

from datamodules.components.atomic_write import replacing
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.export.exported import (
    KEY,
    Exported,
    axes_of,
    description_of,
    largest_difference,
    portable_of,
    same_examples,
)
from gan_lightning.inference.export.program import program_of
from gan_lightning.inference.export.steps import steps

ABOUT = f"{KEY}.json"
"""The description's name among the extra files in it."""


def write_torch(game: AdversarialModule, path: Path, domain: str | None = None) -> Exported:
    """Write a network as a ``.pt2`` file; arguments and errors as of :func:`~gan_lightning.inference.export.export`.

    What is checked is what was read again.
    """
    portable = portable_of(game, domain)
    with same_examples(), steps("Exporting", "tracing", "checking", "writing") as step:
        step()
        program, free = program_of(portable)
        # Examples would be in the file as a pickle, which torch loads with code in it where it is asked to.
        program.example_inputs = None
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # folders of this machine
        step()
        content = io.BytesIO()
        about = json.dumps(description_of(game, portable, free), ensure_ascii=False)
        torch.export.save(program, content, extra_files={ABOUT: about})
        content.seek(0)
        network: Any = torch.export.load(content).module()
        difference = largest_difference(portable, free, lambda inputs: network(**inputs).detach())
        step()
        with replacing(path) as file:
            file.write(content.getvalue())
    return Exported(path, axes_of(portable, free), difference)
