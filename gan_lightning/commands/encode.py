"""``gan-lightning encode``: the latents of image files."""

from collections.abc import Sequence

from gan_lightning.commands.inverting import add_inversion, invert_files, write_found
from gan_lightning.commands.options import OptionParser

_ABOUT = """\
Find the latents of which a checkpoint's generator makes given images, and write one file of each: photos/a/b.jpg
becomes DIR/a/b.npz. `generate --latents` shows them again. Latents are optimised from a start, such as what the model's
encoder finds (`--steps 0`: that alone), with the schedule of StyleGAN2's projector. An image that cannot be used is
left out and named at the end, and the exit code is then 1.
"""

_EXAMPLES = """\
examples:
  gan-lightning encode --ckpt last.ckpt --input photos --resize --out latents
  gan-lightning encode --ckpt ali.ckpt --input digits --steps 0 --out encoded
  gan-lightning encode --ckpt stylegan2.pkl --input photos --space w+ --distance vgg19 --out styles
  gan-lightning generate --ckpt last.ckpt --latents latents --out again
"""


def run(command: str, arguments: Sequence[str]) -> int:
    parser = OptionParser(prog="gan-lightning encode", description=_ABOUT, epilog=_EXAMPLES)
    add_inversion(parser)
    options = parser.parse_args(arguments)
    return invert_files(
        command, options, (), lambda model: None, lambda target: [target], lambda made: write_found(made, options.text)
    )
