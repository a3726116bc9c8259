"""Default name of a run."""

import re

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def stem(kind: type) -> str:
    """Class name in snake case; the file name decides where capitals are ambiguous (WGANGP is wgan_gp)."""
    name = kind.__name__.removesuffix("DataModule") or kind.__name__
    # The module's name is written by hand, and says where words begin in WGANGP.
    file = kind.__module__.rpartition(".")[2]
    return file if file.replace("_", "") == name.lower() else _WORD.sub("_", name).lower()


def run_name(model: type, data: type) -> str:
    """``<model>_<data>``, as the configs of the variants are named."""
    return f"{stem(model)}_{stem(data)}"
