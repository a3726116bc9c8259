"""Parser of ``fit``, ``validate``, ``test`` and ``predict``, with jsonargparse's errors in one sentence."""

import argparse
import inspect
import re
import secrets
import sys
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

import datamodules
from gan_lightning.commands.class_choices import choices, is_selectable, selectable_subclasses
from gan_lightning.commands.help import HelpFormatter, description_of, list_of_classes
from gan_lightning.commands.parser_internals import is_of_class, options_of, type_of
from gan_lightning.commands.types_in_words import alternatives, in_words, makes_classes

# jsonargparse wraps the mistake of a nested parser into text, once a level. These marks let us find it in there: drawn
# at random, since keys and values of a config may hold any character. _HERE begins a sentence on an option of the
# nested parser, whose own place comes before it.
_BEGIN, _END, _HERE = (f"<{secrets.token_hex(8)}>" for _ in range(3))
_SENTENCE = re.compile(f"{_BEGIN}(.*?){_END}", re.DOTALL)
_NO_OPTION = re.compile(r"Option '(.+?)' is not accepted|unrecognized arguments: (?:--)?([^\s=]+)", re.DOTALL)
_NO_CLASS = re.compile(
    r"Expected a dot import path string: (?P<name>\S+)"
    r"|Problem with given class_path '(?P<path>[^']+)':\s+(?P<why>No module named .*|module \S+ has no attribute .*)"
)
_PLACE = re.compile(r'Parser key "([\w.+]+)"')
_ELEMENT = re.compile(r"Expected an? <class '(\w+)'>\. Got value: ")
_GIVEN = re.compile(r"(?:Got value|Given value): (.*?)(?:\. Got value: |$)", re.MULTILINE)
_REQUIRED = re.compile(r"the following arguments are required: ([\w, -]+)")
_NO_MAPPING = re.compile("Unable to load config '(.*?)'")
_NOUNS = {"data": "data module", "callbacks": "callback", "plugins": "plugin", "regularizers": "regularizer"}
_KEY = re.compile(r'Parser key "([\w.]+)"|--([\w.]+)\.help:')


def mistake(sentence: str) -> argparse.ArgumentError:
    """An error whose sentence is printed unchanged, from whatever nested parser it comes."""
    return argparse.ArgumentError(None, f"{_BEGIN}{sentence}{_END}")


class Parser(LightningArgumentParser):
    """Lightning's parser. jsonargparse makes one more of these for every class (``--model DCGAN``)."""

    command = ""
    """Set by :func:`parser_for`, since jsonargparse constructs the nested parsers itself."""

    def __init__(self, *args: Any, formatter_class: type[HelpFormatter] = HelpFormatter, **kwargs: Any) -> None:
        kwargs.setdefault("prog", f"gan-lightning {self.command}")
        super().__init__(*args, formatter_class=formatter_class, **kwargs)
        self._described: type | None = None
        self._key: str | None = None
        self._linked: set[str] = set()

    def add_class_arguments(self, class_type: type, nested_key: str | None = None, *args: Any, **kwargs: Any) -> Any:
        added = super().add_class_arguments(class_type, nested_key, *args, **kwargs)
        self._described, self._key = class_type, nested_key
        # An argument linked to the data has no default, so a value there is the user's.
        prefix = f"{nested_key}." if nested_key else ""
        self._linked = {f"{prefix}{name}" for name in kwargs.get("linked_targets") or ()} & set(added)
        self.set_defaults(dict.fromkeys(self._linked))
        return added

    # Mistakes.

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        sentence = self._sentence(message)
        if not self.exit_on_error:
            raise mistake(sentence) from ex
        one_line = " ".join(sentence.removeprefix(_HERE).split())  # a key may hold anything
        print(f"{self.prog}: {one_line}", file=sys.stderr)
        self.exit(2)

    def _sentence(self, message: str) -> str:
        # 1. A sentence of a nested parser, wrapped into the text of an outer one: take it out again.
        if found := _SENTENCE.search(message):
            place, sentence = _place(message[: found.start()]), found[1]
            # The nested parser knows an option by its own name only: the outer one puts the place before it.
            is_relative = place and sentence.startswith(_HERE)
            return f"{_HERE}{place}.{sentence.removeprefix(_HERE)}" if is_relative else sentence
        # 2. An option that does not exist: list those that do.
        if no_option := _NO_OPTION.search(message):
            name = no_option[1] or no_option[2]
            if name.split(".")[0] in ("class_path", "init_args"):  # It was taken for the options themselves.
                return f"Options of {self._name} stand beside its class_path: put them beneath init_args."
            # The class has it, but the game gives it: such as a network's image_shape.
            own = self._described is not None and name in inspect.signature(self._described).parameters
            here = " in this place, where the model sets it" if self._is_of_class and own else ""
            if not self._options():  # The base class that stands in for one which is named later, or not at all.
                return f"{self._name} has no options: name the class first, and then its {name}."
            return f"{self._name} has no option {name}{here}: it has {', '.join(self._options())}."
        # 3. A class that does not exist: list those that can be selected.
        no_class = _NO_CLASS.search(message)
        keys = _KEY.findall(message[: no_class.start()]) if no_class else []
        action = next((action for action in options_of(self) if keys and action.dest in keys[-1]), None)
        if no_class is None or action is None or float in alternatives(type_of(action)):
            return self._of_a_value(message)  # What takes a number too may have been given no class at all.
        option = action.dest.rpartition(".")[2]
        name = no_class["name"] or f"{no_class['path']} ({no_class['why'].strip().rstrip('.')})"
        return (
            f"There is no {_NOUNS.get(option, option)} {name}: choose from {', '.join(choices(action))}; a class "
            f"of your own is named by its import path.{_shadowing_hint(no_class['path'])}"
        )

    def _of_a_value(self, message: str) -> str:
        """One sentence for a value of the wrong type, or for any other error of jsonargparse."""
        place = _place(message)
        if required := _REQUIRED.search(message):
            return f"{_HERE}{place and place + '.'}{required[1]} must be given."
        # The type in words, and the classes if it is one.
        given, element = _GIVEN.search(message), _ELEMENT.search(message)
        action = next((action for action in options_of(self) if action.dest == place), None)
        hint = type_of(action)
        if action is not None and hint is not None and given:
            # The wrong one may be an element of a list: then the message names the element.
            kinds = {getattr(kind, "__name__", "") for kind in alternatives(hint)}
            where = f"{place} has {given[1]} in it" if element and element[1] not in kinds else f"{place} is {given[1]}"
            names = f": choose from {', '.join(choices(action))}" if makes_classes(hint) else ""
            return f"{_HERE}{where.replace('None', 'null')}: it must be {in_words(hint)}{names}."
        if place and (held := _NO_MAPPING.search(message)):
            return f"{_HERE}{place} is {held[1]}: it must be a mapping of its options, or a file that holds one."
        sentence = " ".join(_PLACE.sub("", message).replace("- :", "").split()).lstrip(": ").rstrip(".")
        return f"{_HERE}{place}: {sentence}." if place else f"{sentence[:1].upper()}{sentence[1:]}."

    @property
    def _name(self) -> str:
        return self._described.__name__ if self._is_of_class and self._described is not None else self.command

    @property
    def _is_of_class(self) -> bool:
        return is_of_class(self)

    def _options(self) -> list[str]:
        shown = [action.dest for action in options_of(self) if action.help != argparse.SUPPRESS]
        shown = [dest.partition(".")[0] for dest in shown if dest not in self._linked]
        return [name for name in dict.fromkeys(shown) if name not in ("help", "print_config")]

    # Help.

    def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
        if not self._is_of_class or self._described is None:
            return super().format_help(formatter)
        if not is_selectable(self._described):
            kinds = list_of_classes(selectable_subclasses(self._described))
            return f"{kinds}\n\n{self.prog} --{self._key}.help CLASS lists what one takes.\n"
        self.usage = f"{self.prog} --{self._key} {self._described.__name__} [--{self._key}.OPTION VALUE ...]"
        self.description = description_of(self._described)
        for group in (self.groups or {}).values():
            group.title = "options"
        return super().format_help(formatter)


def _shadowing_hint(path: str | None) -> str:
    """Hint for a user's package ``datamodules``, which is shadowed by ours."""
    mine = Path.cwd() / "datamodules"
    if not (path or "").startswith("datamodules.") or not mine.is_dir() or mine.samefile(datamodules.__path__[0]):
        return ""
    return f" {mine} is hidden by GAN Lightning's package of that name: give yours another one."


def _place(message: str) -> str:
    """Dotted path of an error: jsonargparse names the nested keys one by one."""
    return ".".join(dict.fromkeys(_PLACE.findall(message)))


@cache
def parser_for(command: str) -> type[Parser]:
    """Parser class of a command; its nested parsers know the command too."""
    # A class for each command, since jsonargparse makes nested parsers by the class of the outer one.
    return type("Parser", (Parser,), {"command": command})
