"""What Weights & Biases has written while offline."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_FULL, _LAST = 1, 4


class Written:
    """The content of one ``run-<id>.wandb``."""

    def __init__(self, path: Path) -> None:
        records = [*_records(path.read_bytes())]

        def of(kind: str) -> list[Any]:
            return [getattr(record, kind) for record in records if record.WhichOneof("record_type") == kind]

        self.id = of("run")[0].run_id
        self.axes = {metric.glob_name: metric.step_metric for metric in of("metric") if metric.glob_name}
        self.config = {item.key: json.loads(item.value_json) for one in of("config") for item in one.update}
        self.history = [_row(row) for row in of("history")]
        self.artifacts = {
            artifact.name: [(Path(file.path).name, file.size) for file in artifact.manifest.contents]
            for artifact in of("artifact")
        }

    def series(self, name: str) -> dict[int, Any]:
        """The values of a name by the step that they are drawn at."""
        return {row["trainer/global_step"]: row[name] for row in self.history if name in row}


def _row(written: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for item in written.item:
        name, *rest = item.nested_key  # A picture is a dict of what there is to know of it.
        value = json.loads(item.value_json)
        row[name] = row.get(name, {}) | {rest[0]: value} if rest else value
    return row


def _records(data: bytes) -> Iterator[Any]:
    """The records in a file of LevelDB's log format, behind a header of 7 bytes; wandb 0.31 brings no reader."""
    from wandb.proto.wandb_internal_pb2 import Record

    assert data[:4] == b":W&B"
    at, pieces = 7, b""
    while at + 7 <= len(data):
        room = _BLOCK - at % _BLOCK
        if room < 7:  # Too little for a header: padding.
            at += room
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        pieces += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (_FULL, _LAST):
            yield Record.FromString(pieces)
            pieces = b""
