"""Help texts of ``fit``, ``validate``, ``test`` and ``predict``."""

import argparse
import inspect
import re
import textwrap

from jsonargparse import DefaultHelpFormatter

from gan_lightning.commands.class_choices import choices

_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_CODE = re.compile(r"``(.+?)``", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*])\*(\w[^*]*)\*(?!\w)")
_SECTIONS = re.compile(r"^(Args|Arguments|Attributes|Example|Examples|Raises|Returns|Note|Notes)::?\s*$", re.MULTILINE)
_KNOWN = re.compile(r", known subclasses: [^)]*")
_STATED_DEFAULT = re.compile(r"\s*Default: (?:``[^`]+``|[\w.-]+)\.")
_RECORD_DEFAULT = re.compile(r"default: \{'class_path': '(?:\w+\.)*(\w+)'\}")


def without_markup(text: str) -> str:
    """Take the markup out of a docstring's text."""
    return _EMPHASIS.sub(r"\1", _CODE.sub(r"\1", _ROLE.sub(r"\1", text)))


def description_of(kind: type) -> str:
    """Description in a class's docstring, without the sections."""
    text = inspect.getdoc(kind) or ""
    return without_markup(_SECTIONS.split(text, maxsplit=1)[0]).strip()


def list_of_classes(kinds: list[type]) -> str:
    """One line a class: its name and the first sentence of its docstring."""
    lines = []
    width = max(len(kind.__name__) for kind in kinds) + 2
    for kind in kinds:
        first = " ".join(description_of(kind).split("\n\n")[0].split()).rstrip(":.")
        lines.append(f"  {kind.__name__:{width}}{textwrap.shorten(first, 118 - width, placeholder=' ...')}")
    return "\n".join(lines)


class HelpFormatter(DefaultHelpFormatter):
    """jsonargparse's help without a line for every environment variable; the description says how they are named."""

    def __init__(self, prog: str, **kwargs: int) -> None:
        super().__init__(prog, **kwargs)
        self._listed_by: dict[tuple[str, ...], str] = {}

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # argparse's own: jsonargparse adds the name of an environment variable to each option.
        return argparse.HelpFormatter._format_action_invocation(self, action)

    def _expand_help(self, action: argparse.Action) -> str:
        text = super()._expand_help(action)
        # Docstrings of Lightning state defaults in words; jsonargparse appends them once more.
        text = text.replace(" Default: ``None``.", "")
        if "default: null" in text and _STATED_DEFAULT.search(text):
            text = text.replace(", default: null", "")  # The trainer decides on null, and its text says how.
        else:
            text = _STATED_DEFAULT.sub("", text)
        # In place of jsonargparse's list, which holds every subclass that is imported.
        text = _KNOWN.sub(lambda _: self._choose(action), text)
        return without_markup(_RECORD_DEFAULT.sub(r"default: \1", text))

    def _choose(self, action: argparse.Action) -> str:
        """The classes to choose from; a list that an earlier option has shown is only referred to."""
        names = tuple(choices(action))
        if not names:
            return ""
        first = self._listed_by.setdefault(names, action.option_strings[0])
        return f", one of: {', '.join(names)}" if first == action.option_strings[0] else f", one of those of {first}"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(indent + line for line in text.splitlines(keepends=True))
