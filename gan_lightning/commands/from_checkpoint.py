"""Options and loading shared by the commands that start from a checkpoint."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.options import whole
from gan_lightning.visualization.image_sets import begin_set, fingerprint

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule

_MANY_CHANNELS = 128
_STANDING_BATCHES = 16  # as in BigGAN's code


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where to compute; auto: the GPU if there is one (default: %(default)s)",
    )


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="packages",
        nargs="+",
        default=[],
        metavar="MODULE",
        help="modules and packages of your own that the checkpoint needs: what a file names is not imported for its "
        "own sake, since that would run code",
    )


def add_standing_statistics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--standing_statistics",
        type=whole(1),
        nargs="?",
        const=_STANDING_BATCHES,
        metavar="N",
        help="of N batches of fresh samples, truncated as the samples are, instead of BatchNorm's running averages of "
        f"training; N alone left out: {_STANDING_BATCHES} (default: those of training)",
    )


def import_packages(names: Sequence[str]) -> None:
    """Import the modules of ``--import``, so that a checkpoint may name their classes.

    Raises:
        ValueError: A module is not there.
    """
    from gan_lightning.arguments.recipes import open_package

    for name in names:
        try:
            open_package(name)
        except (ImportError, TypeError, ValueError) as error:  # a name that begins with a dot, an empty one
            raise ValueError(
                f"--import {name}: {str(error).rstrip('.')}. Modules are looked for in the folder that you stand in, "
                "in $PYTHONPATH and where pip installs."
            ) from error


def load_model(checkpoint: Path, device: str) -> "AdversarialModule":
    """Load the model of a checkpoint, or a generator that another program has published, onto a device.

    Raises:
        ValueError: The file is neither, broken or missing, or there is no such device.
    """
    from gan_lightning import inference

    return inference.load_any(checkpoint, torch_device(device))


def load_sampler(checkpoint: Path, device: str) -> "AdversarialModule":
    """Load a model that generates samples from latents.

    Raises:
        ValueError: It needs images as input, or it cannot be loaded.
    """
    model = load_model(checkpoint, device)
    if not hasattr(model, "sample"):
        name = type(model).__name__
        if hasattr(model, "encode_texts"):
            raise ValueError(
                f"{name} makes no images, but says how well images and texts match: the callbacks TextRetrieval and "
                "RetrievalGrid measure and show it."
            )
        if medium := getattr(model, "medium", None):
            raise ValueError(
                f"{name} makes {medium.name} of {medium.name} and not of latents: `gan-lightning predict` makes those "
                "of the data."
            )
        raise ValueError(f"{name} makes no samples from latents: it needs images, so use `gan-lightning translate`.")
    return laid_out(model)


def laid_out(model: "AdversarialModule") -> "AdversarialModule":
    """A model that makes samples, its weights in the order in memory that is fastest where it is."""
    import torch

    from gan_lightning.networks.stylegan2 import ModulatedConv2d
    from gan_lightning.trainer.speed import lay_out

    modulated = [part for part in model.averaged_generator.modules() if isinstance(part, ModulatedConv2d)]
    if model.device.type == "cpu" and any(part.weight.shape[1] >= _MANY_CHANNELS for part in modulated):
        # Not channels-last, which hides its layers from Winograd's algorithm: an image takes two thirds of the time.
        for part in modulated:
            part.keeps_kernels = True
        return model
    # A layer of the user's own may view what a convolution returns, which another layout does not allow.
    known = {type(part).__module__.partition(".")[0] for part in model.averaged_generator.modules()}
    if model.device.type == "cpu" and known <= {"torch", "gan_lightning"}:
        # 1.1 to 1.5 times as fast, and off by rounding. For a single image, as of a translation, it would not pay.
        lay_out(model.averaged_generator, torch.channels_last)
    return model


def torch_device(device: str) -> str:
    """The torch device of ``--device``; auto: the GPU if there is one."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU here.")
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    return automatic if device == "auto" else device


def open_set(command: str, options: argparse.Namespace, total: int, names: Sequence[str]) -> None:
    """Create the folder of the results, or continue in it.

    See :func:`~gan_lightning.visualization.image_sets.begin_set`.

    Args:
        command: The command.
        options: Its options.
        total: How many images it makes.
        names: The options that decide what the images are, beside the checkpoint and the device.

    Raises:
        ValueError: It cannot be written into.
        FileExistsError: There is something else in it.
    """
    from gan_lightning.inference.checkpoint import local_path

    arguments = {name: getattr(options, name) for name in names}
    # All that determines the images: the same command may continue, another may not.
    made = {"checkpoint": fingerprint(local_path(options.ckpt)), **arguments, "device": torch_device(options.device)}
    try:
        begin_set(options.out, command, total, made)
        # An earlier command may have made the folder, so that nothing has been written to it yet.
        if not os.access(options.out, os.W_OK | os.X_OK):
            raise PermissionError(None, "Permission denied")
    except FileExistsError:
        raise
    except OSError as error:
        raise ValueError(f"{options.out} cannot be written into ({error.strerror}): give another --out.") from error
