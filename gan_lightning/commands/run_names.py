"""What a run is called unless the user says."""

import re

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def stem(kind: type) -> str:
    """A class in snake case, with its words as its file has them: capitals alone do not tell that WGANGP is wgan_gp."""
    name = kind.__name__.removesuffix("DataModule") or kind.__name__
    file = kind.__module__.rpartition(".")[2]
    return file if file.replace("_", "") == name.lower() else _WORD.sub("_", name).lower()


def run_name(model: type, data: type) -> str:
    """``<model>_<data>``, as the configs of the variants are named."""
    return f"{stem(model)}_{stem(data)}"
