"""``gan-lightning studio``: a page in the browser."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.commands.errors import errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, laid_out, load_model
from gan_lightning.commands.options import OptionParser, path, whole

_PORT = 8765

_ABOUT = """\
Open a page on this machine, for the browser: samples by sliders, classes and words, brushes, photographs found and
edited in latent space, translations with hints, and runs as they train. It needs `pip install 'gan-lightning[studio]'`.
The page loads nothing from elsewhere, and only this machine can ask for it unless --host says otherwise. Without --ckpt
it offers the zoo.
"""

_EXAMPLES = """\
examples:
  gan-lightning studio
  gan-lightning studio --ckpt runs/dcgan_celeba/version_0/checkpoints/last.ckpt zoo:dcgan_celeba
  gan-lightning studio --runs runs
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        _check_extra()
        import_packages(options.packages)
        from gan_lightning.studio.server import is_loopback, serve
        from gan_lightning.studio.studio import Studio

        studio = Studio(*_offered(options))
        if not is_loopback(options.host):
            print(
                f"Whoever reaches {options.host} can use the page, and sees the runs: there is no password.",
                file=sys.stderr,
            )
        serve(studio, options.host, options.port, lambda address: print(f"The studio is at {address}", flush=True))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning studio", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument(
        "--ckpt",
        nargs="+",
        default=[],
        metavar="PATH",
        help="checkpoints that `fit` wrote, or zoo:NAME (default: all of the zoo)",
    )
    parser.add_argument(
        "--runs", type=path, metavar="DIR", help="folder of runs to look at as they train; their models are offered too"
    )
    parser.add_argument(
        "--directions",
        type=path,
        default=Path("directions"),
        metavar="DIR",
        help="folder of directions that `directions` has found, at any depth (default: %(default)s)",
    )
    parser.add_argument(
        "--encoders",
        type=path,
        default=Path("encoders"),
        metavar="DIR",
        help="folder of encoders that `encode --encoder` has trained, at any depth (default: %(default)s)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; others than this can be reached from elsewhere"
    )
    parser.add_argument("--port", type=whole(0), default=_PORT, help="0: any that is free (default: %(default)s)")
    add_import(parser)
    add_device(parser)
    return parser


def _check_extra() -> None:
    """Refuse to start without the packages of the extra.

    Raises:
        ValueError: One is missing.
    """
    try:
        import starlette
        import uvicorn
    except ImportError as error:
        raise ValueError(f"{error.name} is missing: pip install 'gan-lightning[studio]'.") from error
    del starlette, uvicorn


def _offered(options: argparse.Namespace) -> tuple[list[Any], Any]:
    """Generators and runs.

    Raises:
        ValueError: There are none.
    """
    from gan_lightning.inference import zoo
    from gan_lightning.studio.generators import Generator
    from gan_lightning.studio.runs import Runs

    runs = None if options.runs is None else Runs(options.runs)
    sources = [*options.ckpt]
    if runs is not None:
        sources += [str(file) for name in runs.names() if (file := runs.checkpoint(name)) is not None]
    if not sources and runs is None:
        sources = [f"{zoo.PREFIX}{name}" for name in zoo.names()]
    if not sources and runs is None:
        raise ValueError("There is nothing to show: give checkpoints, --ckpt, or a folder of runs, --runs.")

    def load(source: str) -> Any:
        model = load_model(Path(source), options.device)
        # As `generate` has it, so that pictures have the same bits.
        return laid_out(model) if hasattr(model, "sample") else model

    generators = [Generator(source, load, options.directions, options.encoders) for source in dict.fromkeys(sources)]
    for generator in generators[: len(options.ckpt)]:
        generator.model  # noqa: B018  # A wrong path is a sentence now, and not on the page.
    return generators, runs
