"""How the help of ``fit``, ``validate``, ``test`` and ``predict`` reads."""

import argparse
import re
from typing import Any

from jsonargparse import DefaultHelpFormatter
from lightning.pytorch.cli import LightningArgumentParser

_KNOWN = re.compile(r"known subclasses: (?P<names>[^)]*)")


def _without_torch(match: re.Match[str]) -> str:
    """Where this package has classes of the kind, leave out the hundreds of torch's."""
    names = match["names"].split(", ")
    if any(name.startswith("gan_lightning.") for name in names):
        names = [name for name in names if not name.startswith("torch")]
    return f"known subclasses: {', '.join(names)}"


class HelpFormatter(DefaultHelpFormatter):
    """jsonargparse's help without a line for every environment variable; the description says how they are named."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return argparse.HelpFormatter._format_action_invocation(self, action)

    def _get_help_string(self, action: argparse.Action) -> str:
        return _KNOWN.sub(_without_torch, super()._get_help_string(action))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(indent + line for line in text.splitlines(keepends=True))


class Parser(LightningArgumentParser):
    """Lightning's parser with this help; the help of a class (``--model.help DCGAN``) is made by a parser as well."""

    def __init__(self, *args: Any, formatter_class: type[HelpFormatter] = HelpFormatter, **kwargs: Any) -> None:
        super().__init__(*args, formatter_class=formatter_class, **kwargs)
