"""Training programs of others, run from the user's checkouts as they are.

A step ends where the program asks its DataLoader for the next batch, so nothing in the program has to change. Packages
that it imports and does not use in training may be absent: modules without content stand in for them.
"""

import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch.utils.data import DataLoader

from benchmarks.contestants.turns import Turns


def script(
    turns: Turns,
    folder: Path,
    path: Path,
    arguments: Sequence[str] = (),
    batches: int = 1,
    without: Sequence[str] = (),
    home: str = ".",
    links: Mapping[str, Path] | None = None,
) -> None:
    """Run a training script, to its end or that of its process.

    Args:
        turns: Whose step ends.
        folder: What ``FOLDER`` in an argument stands for.
        path: The script. What lies beside it can be imported.
        arguments: The script's.
        batches: Batches of a step.
        without: Packages that it imports and does not use.
        home: Working directory, below the folder.
        links: Folders that the script looks for, below the folder, and where they are.
    """
    count_steps(turns, batches)
    (folder / home).mkdir(parents=True, exist_ok=True)
    for place, target in (links or {}).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).symlink_to(target)
    os.chdir(folder / home)
    sys.path.insert(0, str(path.parent))
    sys.argv = [str(path), *(word.replace("FOLDER", str(folder)) for word in arguments)]
    with _standing_in(without):
        runpy.run_path(str(path), run_name="__main__")


def mimicry_sngan(turns: Turns, folder: Path, checkout: Path, images: Path, batch_size: int) -> None:
    """mimicry's Trainer as its README and `examples/sngan_example.py` use it, with other images.

    Args:
        turns: Whose step ends.
        folder: For its logs.
        checkout: Of mimicry.
        images: Folder of a folder for each class.
        batch_size: Images in a batch.
    """
    count_steps(turns, batches=5)
    sys.path.insert(0, str(checkout))
    from torch.optim import Adam
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Normalize, ToTensor

    with _standing_in(["tensorflow", "skimage"]):  # They are its metrics', not its training's.
        from torch_mimicry.nets.sngan import SNGANDiscriminator32, SNGANGenerator32
        from torch_mimicry.training import Trainer

    data = ImageFolder(str(images), Compose([ToTensor(), Normalize((0.5,), (0.5,))]))
    networks = {"netG": SNGANGenerator32(), "netD": SNGANDiscriminator32()}
    moved = {f"opt{name[-1]}": Adam(network.parameters(), 2e-4, betas=(0.0, 0.9)) for name, network in networks.items()}
    Trainer(
        **networks,
        **moved,
        n_dis=5,
        num_steps=100000,
        lr_decay="linear",
        dataloader=DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=0),
        log_dir=str(folder / "log"),
        device="cpu",
    ).train()


def count_steps(turns: Turns, batches: int) -> None:
    """Let a step end whenever any DataLoader is asked for another batch after ``batches`` of them."""
    plain = DataLoader.__iter__
    taken = 0

    def counted(self: DataLoader[Any]) -> Iterator[Any]:
        nonlocal taken
        for batch in plain(self):
            if taken and taken % batches == 0:
                turns.step_ends()
            taken += 1
            yield batch

    DataLoader.__iter__ = counted  # type: ignore[assignment, method-assign]


class _Nothing(ModuleType):
    """A module in which every name is a module of this kind."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, loader=None)
        self.__path__: list[str] = []
        self.__all__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing(f"{self.__name__}.{name}")


@contextmanager
def _standing_in(packages: Sequence[str]) -> Iterator[None]:
    """Make packages importable that are not installed, for programs that import and do not use them."""
    absent = {package: _Nothing(package) for package in packages}
    sys.modules.update(absent)
    yield
    for package in absent:
        del sys.modules[package]
