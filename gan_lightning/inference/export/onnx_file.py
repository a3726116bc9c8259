"""ONNX files, for onnxruntime in any language and in browsers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from datamodules.components.atomic_write import replacing
from gan_lightning import __version__
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.portable import Portable
from gan_lightning.inference.export.exported import (
    KEY,
    OUTPUT,
    Exported,
    axes_of,
    description_of,
    largest_difference,
    portable_of,
    same_examples,
)
from gan_lightning.inference.export.program import program_of
from gan_lightning.inference.export.steps import steps, without_remarks

_MOST_BYTES = 2**31 - 1
"""As large a message of protocol buffers may be."""


def write_onnx(game: AdversarialModule, path: Path, domain: str | None = None) -> Exported:
    """Write a network as one ONNX file; arguments and errors as of :func:`~gan_lightning.inference.export.export`."""
    _require_libraries()
    portable = portable_of(game, domain)
    with same_examples(), steps("Exporting", "tracing", "converting", "checking", "writing") as step:
        step()
        program, free = program_of(portable)
        step()
        model = _converted(program, portable, free)
        about = json.dumps(description_of(game, portable, free), ensure_ascii=False)
        model.metadata_props.add(key=KEY, value=about)
        if model.ByteSize() > _MOST_BYTES:
            raise ValueError(f"The network has {model.ByteSize() >> 20} MiB, and an ONNX file has 2 GiB at most.")
        content = model.SerializeToString()
        step()
        difference = largest_difference(portable, free, _session(content))
        step()
        with replacing(path) as file:
            file.write(content)
    return Exported(path, axes_of(portable, free), difference)


def _require_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ModuleNotFoundError(
            f"ONNX files are written and checked by onnx, onnxscript and onnxruntime, and {error.name} is not "
            "installed: pip install 'gan-lightning[export]'."
        ) from error


def _converted(program: ExportedProgram, portable: Portable, free: Mapping[str, int]) -> Any:
    try:
        with without_remarks():
            made = torch.onnx.export(
                program,
                output_names=[OUTPUT],
                dynamo=True,
                external_data=False,  # The weights would else be in a second file.
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().partition("\n")[0].rstrip(".")
        raise ValueError(f"ONNX does not have what the network computes: {cause}. Try the format torch.") from error
    assert made is not None
    model = made.model_proto
    model.producer_name, model.producer_version = "gan-lightning", __version__
    _name_axes(model.graph, portable, free)
    for node in model.graph.node:
        # Where each operation stands in the code: folders of this machine, and a third of a small file.
        node.ClearField("metadata_props")
    return model


def _name_axes(graph: Any, portable: Portable, free: Mapping[str, int]) -> None:
    """Call free axes ``batch``, ``height`` and ``width``, which torch calls such as ``s21`` and ``4*s39``."""
    names: dict[str, str] = {}
    for value in graph.input:
        for axis, size in zip(portable.inputs[value.name].shape, value.type.tensor_type.shape.dim, strict=True):
            if size.dim_param and isinstance(axis, str):
                names[size.dim_param] = axis
    symbols = {}
    for written, axis in names.items():
        symbol = re.search(r"s\d+", written)
        if symbol is not None:
            symbols[symbol[0]] = axis if free.get(axis, 1) == 1 else f"{axis}/{free[axis]}"
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                other = re.sub(r"s\d+", lambda found: symbols.get(found[0], found[0]), size.dim_param)
                size.dim_param = names.get(size.dim_param, other)
    # Shapes in between would go on with the other names; onnxruntime finds them itself.
    graph.ClearField("value_info")


def _session(content: bytes) -> Any:
    """The exported network, as onnxruntime runs it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: dict[str, Tensor]) -> Tensor:
        (images,) = session.run([OUTPUT], {name: each.numpy() for name, each in inputs.items()})
        return torch.from_numpy(images)

    return run
