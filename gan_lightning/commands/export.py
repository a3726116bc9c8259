"""``gan-lightning export``: a generator as a file that runs without this package."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.from_checkpoint import add_import, import_packages, load_model
from gan_lightning.commands.options import OptionParser, path

if TYPE_CHECKING:
    from gan_lightning.inference.export import Exported

_ABOUT = """\
Write the averaged generator of a checkpoint to one file that runs without this package, and say what it takes. Its
inputs have names: latents, labels, tokens, images. Batches may have any size, and images of translators any sides that
fit the network. Before the file is written, its images are compared with torch's on random inputs.
"""

_EXAMPLES = """\
formats:
  onnx         for onnxruntime, in Python, C++, Java or a browser (pip install 'gan-lightning[export]')
  torch        the .pt2 of torch.export: runs in torch alone
  safetensors  the weights, for gan_lightning.inference.from_pretrained and every --ckpt

examples:
  gan-lightning export --ckpt last.ckpt --out generator.onnx
  gan-lightning export --ckpt zoo:conditional_gan_mnist --format torch --out digits.pt2
  gan-lightning export --ckpt cycle_gan.ckpt --domain photo --out to_photo.onnx
  gan-lightning export --ckpt last.ckpt --format safetensors --out weights.safetensors
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    with errors_in_one_sentence(command):
        if options.out.exists():  # before anything is loaded
            raise FileExistsError(f"{options.out} exists: name a new file.")
        import_packages(options.packages)
        from gan_lightning.inference.export import export

        model = load_model(options.ckpt, "cpu")
        with disk_errors_in_one_sentence(command, options.out, "run the same command again"):
            made = export(model, options.out, options.format, options.domain)
    print(_summary(made, type(model).__name__))
    return 0


def _parser() -> OptionParser:
    parser = OptionParser(prog="gan-lightning export", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument(
        "--ckpt", required=True, type=path, metavar="FILE", help="checkpoint, pretrained model, or zoo:NAME"
    )
    parser.add_argument("--out", required=True, type=path, metavar="FILE", help="the file; it must be new")
    parser.add_argument(
        "--format", choices=["onnx", "torch", "safetensors"], default="onnx", help="see below (default: %(default)s)"
    )
    parser.add_argument(
        "--domain", metavar="NAME", help="domain of the images made, of CycleGAN and CoGAN (default: the first)"
    )
    add_import(parser)
    return parser


def _summary(made: "Exported", name: str) -> str:
    size = f"{made.path}: {name}, {made.path.stat().st_size / 1e6:.2f} MB"
    if not made.inputs:
        return size
    inputs = ", ".join(f"{key} ({' x '.join(map(str, axes)) or 'a number'})" for key, axes in made.inputs.items())
    return f"{size}; inputs: {inputs}; output: images, at most {made.difference:.1g} from torch's"
