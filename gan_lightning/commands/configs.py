"""``gan-lightning configs``: list the shipped configs, and find one by name."""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gan_lightning.commands.errors import errors_in_one_sentence
from gan_lightning.commands.options import OptionParser

_PACKAGE = Path(__file__).parent.parent
_TIME = re.compile(r"^# On two CPU cores: (.+ \((?:measured|estimated)\))\.$", re.MULTILINE)
_FLAGS = ("--config", "-c")
_WORDS = re.compile(r"[\w.-]+(/[\w.-]+)*")

_ABOUT = """\
List the configs that are shipped, with what each trains, for how many steps, and how long that takes on two CPU cores;
or write one to the screen. `--config NAME` takes one by its name, from any folder; a path is taken as well.
"""

_EXAMPLES = """\
examples:
  gan-lightning configs
  gan-lightning configs quickstart > mine.yaml
  gan-lightning fit --config quickstart
  gan-lightning fit --config dcgan_mnist --config trainer/gpu
"""


def run(command: str, arguments: Sequence[str]) -> int:
    parser = OptionParser(
        prog="gan-lightning configs",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="write this config to the screen")
    name = parser.parse_args(arguments).name
    with errors_in_one_sentence(command):
        text = listing() if name is None else _shipped(name).read_text()
    print(text, end="")
    return 0


def home() -> Path:
    """The folder of the shipped configs: in the package where it is installed, beside it in a checkout.

    Raises:
        FileNotFoundError: There is none.
    """
    # The wheel holds them in the package; in a checkout they lie at the top, where they are edited.
    places = [_PACKAGE / "configs", _PACKAGE.parent / "configs"]
    for place in places:
        if (place / "quickstart.yaml").is_file():
            return place
    raise FileNotFoundError(f"The shipped configs are missing from {places[0]}: install GAN Lightning again.")


def names() -> list[str]:
    """The names of the shipped configs, whole ones first and then pieces such as ``trainer/gpu``."""
    # quickstart first, then all others, then the pieces with a slash
    found = [path.relative_to(home()).with_suffix("").as_posix() for path in home().rglob("*.yaml")]
    return sorted(found, key=lambda name: ("/" in name, name != "quickstart", name))


def by_name(arguments: Sequence[str]) -> list[str]:
    """Arguments of a command with the path of a config in the place of its name.

    Raises:
        FileNotFoundError: There is neither a file nor a shipped config of this name.
    """
    return [*_by_name(arguments)]


def _by_name(arguments: Sequence[str]) -> Iterator[str]:
    is_config = False
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if is_config and not argument.startswith("-"):
            yield _path(argument)
        elif flag in _FLAGS and equals:
            yield f"{flag}={_path(value)}"
        else:
            yield argument
        is_config = argument in _FLAGS


def _path(value: str) -> str:
    """Path of a config given by path or name; anything else is left to the parser."""
    if not value.strip():
        raise FileNotFoundError("--config is empty: give a file, or the name of a shipped config.")
    # A file of the user's own goes before a shipped config of the same name.
    return value if Path(value).exists() or not _WORDS.fullmatch(value) else str(_shipped(value))


def _shipped(name: str) -> Path:
    plain = name.removesuffix(".yaml")
    known = names()
    if plain in known:
        return home() / f"{plain}.yaml"
    shipped = plain.removeprefix("configs/")
    # A misspelt name: offer up to three similar ones.
    near = [shipped] if shipped in known else difflib.get_close_matches(plain.rpartition("/")[2], known, 3)
    hint = f": did you mean {' or '.join(near)}?" if near else "."
    raise FileNotFoundError(f"There is no file and no shipped config {name}{hint} `gan-lightning configs` lists them.")


def listing() -> str:
    """All shipped configs, a line each."""
    # One row a config; the pieces (``trainer/...``) follow in a list of their own.
    whole = [("NAME", "TRAINS", "STEPS", "ON TWO CPU CORES")]
    pieces = []
    for name in names():
        text = (home() / f"{name}.yaml").read_text()
        if "/" in name:
            pieces.append(f"  {name:22}{_usage(text)}")
        else:
            whole.append((name, *_content(text)))
    widths = [max(map(len, column)) + 2 for column in zip(*whole, strict=True)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in whole]
    more = "pieces that go with any of them (`--config NAME --config PIECE`):"
    return "\n".join([*lines, "", more, *pieces, "", f"The files are in {home()}.", ""])


def _content(text: str) -> tuple[str, str, str]:
    """What a config trains, for how many steps and how long."""
    # Only for the listing: to take a config by its name must not read any.
    import yaml

    config: dict[str, Any] = yaml.safe_load(text)
    model, data = (config[key]["class_path"].rpartition(".")[2] for key in ("model", "data"))
    time = _TIME.search(text)
    return (
        f"{model} on {data.removesuffix('DataModule')}",
        f"{config['trainer']['max_steps']:,}",
        time[1] if time else "?",
    )


def _usage(text: str) -> str:
    return text.splitlines()[0].removeprefix("#").strip()
