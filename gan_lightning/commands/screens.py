"""``gan-lightning screens``: random web pages, as programs, as HTML and as screenshots."""

import argparse
from collections.abc import Callable, Sequence

from gan_lightning.commands.browser import camera
from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.options import OptionParser, path, whole
from gan_lightning.visualization.image_sets import begin_set, end_set, write_atomically

_ABOUT = """\
Write random web pages in the language of pix2code (Beltramelli, 2017), for `ScreenshotsDataModule`: of each the
program, 00000.gui, the page that this is compiled to, 00000.html, and its screenshot, 00000.png. The same seed makes
the same programs and pages; fonts, and so the pixels, are those of the machine.

Screenshots are made by a headless Chromium, which needs the package playwright: pip install 'gan-lightning[screens]'.
"""

_EXAMPLES = """\
examples:
  gan-lightning screens --out data/screens --n 1750
  gan-lightning fit --config pix2code_screens --data.root data/screens
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    deciding = {"seed": options.seed, "size": options.size}
    with errors_in_one_sentence(command), disk_errors_in_one_sentence(command, options.out):
        begin_set(options.out, command, options.n, deciding)
        with camera(options.size, options.browser and str(options.browser)) as shoot:
            _write(options, shoot)
        end_set(options.out)
    print(f"{options.n} pages are in {options.out}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(prog="gan-lightning screens", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument(
        "--out",
        required=True,
        type=path,
        metavar="DIR",
        help="folder for the files; it must be new or empty, or what the same command, which was cut off, has left: it "
        "goes on there",
    )
    parser.add_argument("--n", type=whole(1), default=1750, help="number of pages (default: %(default)s, the paper's)")
    parser.add_argument("--seed", type=whole(0), default=0, help="which pages (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=whole(16),
        default=256,
        metavar="N",
        help="width and height of the screenshots in pixels (default: %(default)s, the paper's)",
    )
    parser.add_argument("--browser", type=path, metavar="PATH", help="a Chromium (default: the one that is installed)")
    return parser


def _write(options: argparse.Namespace, shoot: Callable[[str], bytes]) -> None:
    """Write the pages that are not there yet."""
    from tqdm import tqdm

    from datamodules.components.screens import compile_html, random_program
    from gan_lightning.games.randomness import fold

    for number in tqdm(range(options.n), "Making pages", unit=" pages"):
        file = options.out / f"{number:05d}.png"
        if file.is_file():
            continue
        program = random_program(options.seed, number)
        page = compile_html(program, fold(options.seed, number))
        write_atomically(file.with_suffix(".gui"), program.encode())
        write_atomically(file.with_suffix(".html"), page.encode())
        # Last: by this file a command that goes on knows what is there.
        write_atomically(file, shoot(page))
