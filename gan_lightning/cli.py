"""Entry point of the command line: finds the command that was asked for and imports nothing heavier than that."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from gan_lightning import __version__, check_datamodules
from gan_lightning.commands.stopping import exit_code_after_signals
from gan_lightning.trainer.without_lightning import leave_out_lightning

COMMANDS = {
    # command: (module with its `run(command, arguments)`, what it does)
    "fit": ("gan_lightning.commands.training", "train a model"),
    "validate": ("gan_lightning.commands.training", "compute the metrics on the validation images"),
    "test": ("gan_lightning.commands.training", "compute the metrics on the test images"),
    "predict": ("gan_lightning.commands.training", "write an image for every image of the test set"),
    "generate": ("gan_lightning.commands.generate", "write samples from a checkpoint; no data needed"),
    "translate": ("gan_lightning.commands.translate", "write the translations of image files by a checkpoint"),
    "encode": ("gan_lightning.commands.encode", "find the latents of which a checkpoint makes image files"),
    "reconstruct": (
        "gan_lightning.commands.reconstruct",
        "write image files beside their reconstructions",
    ),
    "project": ("gan_lightning.commands.reconstruct", "the same by StyleGAN2's name for it"),
    "directions": ("gan_lightning.commands.directions", "find directions of latents that change images"),
    "edit": ("gan_lightning.commands.edit", "write samples, or images of kept latents, along such directions"),
    "compose": ("gan_lightning.commands.compose", "blend images, and widen them, in all layers of a StyleGAN"),
    "export": ("gan_lightning.commands.export", "write a generator as ONNX, torch.export or safetensors file"),
    "evaluate": ("gan_lightning.commands.evaluate", "compute the metrics of a checkpoint or of a folder of samples"),
    "zoo": ("gan_lightning.commands.zoo", "list the pretrained models in this package, for --ckpt zoo:NAME"),
    "studio": ("gan_lightning.commands.studio", "open a page in the browser: sliders, brushes, photographs, runs"),
    "configs": ("gan_lightning.commands.configs", "list the configs that are shipped, by their names"),
    "shards": ("gan_lightning.commands.shards", "write a folder of images as shards, which can be streamed"),
    "screens": ("gan_lightning.commands.screens", "write random web pages: programs, HTML and screenshots"),
    "zip": ("gan_lightning.commands.image_zip", "write images and labels as one zip file, as StyleGAN2-ADA reads it"),
}

_TRAINS_NOTHING = (
    *("generate", "translate", "encode", "reconstruct", "project", "directions", "edit", "compose"),
    *("export", "evaluate", "zoo", "studio"),
)
"""These do without Lightning, in a process of their own."""
_BRINGS_LIGHTNING = ("--import", "--data", "--labels_from")
"""Unless one of these is given: code of the user's own, and data modules, are written for Lightning's classes."""

HELP = """\
usage: gan-lightning COMMAND [options]

Train, evaluate and sample generative adversarial networks.

commands:
{commands}

  gan-lightning COMMAND --help    all options of a command

A mistake in the options or files is reported in one sentence; GAN_LIGHTNING_DEBUG=1 shows the traceback.

examples:
  gan-lightning fit --config quickstart
  gan-lightning fit --model DCGAN --data CIFAR10DataModule --trainer.max_steps 50000
  gan-lightning generate --ckpt runs/quickstart/version_0/checkpoints/last.ckpt --n 64 --out samples
  gan-lightning translate --ckpt last.ckpt --input photos --out results
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command and its options; ``sys.argv[1:]`` unless given.

    Returns:
        The exit code: 0 if all went well, 2 if the command or the options make no sense, 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    is_own_process = arguments is None  # It ends with the command.
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = arguments[0] if arguments else "--help"
    if command in ("-h", "--help"):
        width = max(map(len, COMMANDS)) + 2
        lines = [f"  {name:{width}}{what}" for name, (_, what) in COMMANDS.items()]
        print(HELP.format(commands="\n".join(lines)), end="")
        return 0
    if command == "--version":
        print(__version__)
        return 0
    if command not in COMMANDS:
        print(f"gan-lightning: there is no command {command!r}: choose from {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # Packages of the user's own; at the end, where they can hide no installed one.
    try:
        # The user's folder is on the path by now: a ``datamodules`` of its own could be found in the place of ours.
        check_datamodules()
    except ImportError as error:
        print(f"gan-lightning {command}: {error}", file=sys.stderr)
        return 2
    brings_lightning = any(argument.partition("=")[0] in _BRINGS_LIGHTNING for argument in arguments)
    if is_own_process and command in _TRAINS_NOTHING and not brings_lightning:
        leave_out_lightning()
    # Imported within the guard: torch takes seconds to load, and Ctrl-C in them is a stop like any other.
    return exit_code_after_signals(command, lambda: import_module(COMMANDS[command][0]).run(command, arguments[1:]))
