"""``gan-lightning zoo``: list the pretrained models in this package."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_lightning.commands.errors import errors_in_one_sentence
from gan_lightning.commands.options import OptionParser

if TYPE_CHECKING:
    from gan_lightning.inference.zoo import ZooModel

_ABOUT = """\
List the pretrained models in this package, with their sizes and scores; or tell all of one: what it makes, the command
that trained it, its data and their licence. Commands that take --ckpt take zoo:NAME.
"""

_EXAMPLES = """\
examples:
  gan-lightning zoo
  gan-lightning zoo conditional_gan_mnist
  gan-lightning generate --ckpt zoo:conditional_gan_mnist --labels 7 --out sevens
"""


def run(command: str, arguments: Sequence[str]) -> int:
    parser = OptionParser(prog="gan-lightning zoo", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="tell all of this model")
    name = parser.parse_args(arguments).name
    with errors_in_one_sentence(command):
        from gan_lightning.inference import zoo

        models = zoo.models()
        if name is None:
            print(_listing(models), end="")
        else:
            name = zoo.find(name.removeprefix(zoo.PREFIX)).name
            print(_all_of(next(model for model in models if model.name == name)), end="")
    return 0


def _listing(models: "Sequence[ZooModel]") -> str:
    """A line for each model: name, class, step, size, scores, what it makes."""
    rows = [("name", "class", "steps", "MB", "scores", "what it makes")]
    rows += [
        (model.name, model.variant, f"{model.step:,}", f"{model.size / 1e6:.2f}", _scores(model), model.about)
        for model in models
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    total = sum(model.size for model in models) / 1e6
    return "\n".join((*lines, f"{len(models)} models, {total:.1f} MB", ""))


def _all_of(model: "ZooModel") -> str:
    parts = {
        "name": f"zoo:{model.name}",
        "class": model.variant,
        "makes": model.about,
        "size": f"{model.size / 1e6:.2f} MB",
        "trained by": model.command,
        "for": f"{model.step:,} steps",
        "data": model.data,
        "licence": model.licence,
        "scores": _scores(model),
        "measured by": model.measured_by,
    }
    return "".join(f"{name:12}{text}\n" for name, text in parts.items() if text)


def _scores(model: "ZooModel") -> str:
    return ", ".join(f"{name} {score:.4g}" for name, score in model.scores.items())
