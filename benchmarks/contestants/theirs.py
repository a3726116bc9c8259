"""Training programs of others, run from the user's checkouts as they are.

A step ends where the program asks its DataLoader for the next batch, so nothing in the program has to change. Packages
that it imports and does not use in training may be absent: modules without content stand in for them.
"""

import argparse
import os
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from torch.utils.data import DataLoader, Dataset

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


def rosinality_stylegan2(turns: Turns, folder: Path, checkout: Path, images: Path, batch_size: int, side: int) -> None:
    """The training function of rosinality's `train.py` with its defaults, on other images and on a CPU.

    The script itself names the device cuda and reads LMDB; its operators have a form in plain torch for CPUs, beside
    kernels that would be compiled at the import. torchvision's `save_image` has lost the argument ``range`` since.

    Args:
        turns: Whose step ends.
        folder: For its samples and checkpoints.
        checkout: Of stylegan2-pytorch.
        images: Folder of a folder for each class.
        batch_size: Images in a batch.
        side: Of the images.
    """
    count_steps(turns, batches=1)
    sys.path.insert(0, str(checkout))
    import torch.utils.cpp_extension
    import torchvision.utils
    from torch.optim import Adam
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, Resize, ToTensor

    torch.utils.cpp_extension.load = lambda *_, **__: None  # type: ignore[assignment]
    torchvision.utils.save_image = lambda *_, **__: None  # type: ignore[assignment]
    with _standing_in(["lmdb", "wandb", "dataset"]):
        import train  # type: ignore[import-not-found]
        from model import Discriminator, Generator  # type: ignore[import-not-found]
    (folder / "checkpoint").mkdir()
    os.chdir(folder)

    resized = [Resize((side, side)), RandomHorizontalFlip(), ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]
    pictures = ImageFolder(str(images), Compose(resized))

    def alone(batch: list[Any]) -> Any:
        return torch.stack([image for image, _ in batch])

    loader = DataLoader(pictures, batch_size=batch_size, shuffle=True, drop_last=True, collate_fn=alone)
    # The defaults of its command line, but for the pictures of samples, which are not what is measured
    arguments = argparse.Namespace(
        iter=10**6,
        start_iter=0,
        batch=batch_size,
        latent=512,
        n_sample=1,
        distributed=False,
        augment=False,
        augment_p=0,
        mixing=0.9,
        d_reg_every=16,
        g_reg_every=4,
        r1=10,
        path_regularize=2,
        path_batch_shrink=2,
        wandb=False,
    )
    generator, average = (Generator(side, 512, 8, channel_multiplier=2) for _ in range(2))
    discriminator = Discriminator(side, channel_multiplier=2)
    average.load_state_dict(generator.state_dict())
    moved = [
        Adam(network.parameters(), 0.002 * share, betas=(0.0, 0.99**share))
        for network, share in ((generator, 4 / 5), (discriminator, 16 / 17))
    ]
    train.train(arguments, loader, generator, discriminator, *moved, average, torch.device("cpu"))


def wavegan_pytorch(turns: Turns, folder: Path, checkout: Path, sounds: Path, batch_size: int, width: int) -> None:
    """The trainer of wavegan-pytorch with the paper's settings, on the first second of sounds at 16 kHz, on a CPU.

    Its own settings are those of two players in turn; the paper's are set here, five updates of the critic a step. Two
    things are mended in its critic, so that both sides train the same: layers of BatchNorm that are made and not used
    are left out of its optimiser, and phase shuffle, whose switch is the wrong way round, is on. Its loader, which
    reads files by librosa through another package, is replaced by sounds in memory; no pictures are made.

    Args:
        turns: Whose step ends.
        folder: For what it writes.
        checkout: Of wavegan-pytorch.
        sounds: Folder of WAV files of 16 kHz, at any depth.
        batch_size: Sounds in a batch.
        width: Channels of the widest map in sixteenths.
    """
    import soundfile
    import torch
    import torch.nn.functional as F

    count_steps(turns, batches=5)
    sys.path.insert(0, str(checkout))
    os.chdir(folder)
    import params  # type: ignore[import-not-found]

    params.n_critic, params.lr_d, params.batch_size = 5, params.lr_g, batch_size
    params.window_length, params.model_capacity_size, params.take_backup = 16384, width, False
    absent = ["librosa", "librosa.display", "matplotlib", "matplotlib.pyplot", "pescador"]
    with _standing_in(absent):
        import train

    train.latent_space_interpolation = train.save_samples = lambda *_, **__: None
    train.n_iterations = 10**6
    read = [torch.from_numpy(soundfile.read(file, dtype="float32")[0]) for file in sorted(sounds.rglob("*.wav"))]
    data = torch.stack([F.pad(sound[:16384], (0, 16384 - len(sound[:16384]))) for sound in read])[:, None]
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, drop_last=True)  # type: ignore[arg-type]

    class Endless:
        """What the trainer calls: ``len`` and ``next``."""

        def __init__(self) -> None:
            self.batches = (batch for _ in iter(int, 1) for batch in loader)

        def __len__(self) -> int:
            return len(loader)

        def __next__(self) -> Any:
            return next(self.batches)

    game = train.WaveGan_GP(Endless(), None)
    for network, optimizer in ((game.generator, game.optimizer_g), (game.discriminator, game.optimizer_d)):
        for part in network.modules():
            for unused in ("batch_norm", "bn1"):
                if hasattr(part, unused):
                    delattr(part, unused)
            if hasattr(part, "use_phase_shuffle"):
                part.use_phase_shuffle = part.phase_shuffle.shift_factor > 0
        optimizer.param_groups[0]["params"] = [*network.parameters()]
    game.train()


def attn_gan(turns: Turns, folder: Path, checkout: Path, images: Path, batch_size: int) -> None:
    """The trainer of AttnGAN's code with the widths of its `bird_attn2.yml`, one stage of 64 x 64, on a CPU.

    It is of Python 2.7 and torch 0.3: an iterator's ``next()``, ``data[0]`` of a number and masks of bytes are spelled
    as Python 3 and torch have them since. The encoders are held still and need no training to be measured: the text
    encoder is the code's, the image encoder ours, where the published one stands on Inception. It needs the packages
    easydict and six.

    Args:
        turns: Whose step ends.
        folder: For its encoders.
        checkout: Of AttnGAN.
        images: Folder of `captions.txt` and `images/`, as Flickr8k has them.
        batch_size: Images in a batch.
    """
    import torch

    from gan_lightning.networks import RegionEncoder

    count_steps(turns, batches=1)
    spelled = {
        "data_iter.next()": "next(data_iter)",
        ".data[0]": ".item()",
        "torch.ByteTensor(masks)": "torch.tensor(masks).bool()",
    }
    with _standing_in(["nltk", "nltk.tokenize", "pandas", "skimage", "skimage.transform"]):
        names = [
            "miscc",
            "miscc.config",
            "GlobalAttention",
            "model",
            "datasets",
            "miscc.utils",
            "miscc.losses",
            "trainer",
        ]
        modules = {name: _respelled(name, checkout / "code", spelled) for name in names}
    cfg, trainer = modules["miscc.config"].cfg, modules["trainer"]
    cfg.CUDA, cfg.TREE.BRANCH_NUM, cfg.GAN.GF_DIM, cfg.TRAIN.BATCH_SIZE = False, 1, 32, batch_size
    cfg.TRAIN.SMOOTH.GAMMA1, cfg.TRAIN.SMOOTH.LAMBDA = 4.0, 5.0
    cfg.TRAIN.NET_E = str(folder / "text_encoder.pth")

    data = _CaptionedPhotographs(images, cfg.TEXT.WORDS_NUM)
    trainer.CNN_ENCODER = lambda length: RegionEncoder((3, 64, 64), length)
    torch.save(trainer.CNN_ENCODER(cfg.TEXT.EMBEDDING_DIM).state_dict(), folder / "image_encoder.pth")
    words = trainer.RNN_ENCODER(data.n_words, nhidden=cfg.TEXT.EMBEDDING_DIM)
    torch.save(words.state_dict(), cfg.TRAIN.NET_E)
    torch.cuda.set_device = lambda device: None  # There is none.
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, drop_last=True)
    trainer.condGANTrainer(str(folder), loader, data.n_words, {}).train()


class _CaptionedPhotographs(Dataset[Any]):
    """Photographs of 64 x 64 with the numbers of their words, as AttnGAN's loader yields them."""

    def __init__(self, folder: Path, longest: int) -> None:
        from torchvision.datasets import ImageFolder
        from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, Resize, ToTensor

        scaled = [Resize((64, 64)), RandomHorizontalFlip(), ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]
        self.photographs = ImageFolder(str(folder), Compose(scaled))  # of one folder, `images`
        rows = [row.split(",", 1) for row in (folder / "captions.txt").read_text().splitlines()[1:]]
        texts = {name: text.lower().split()[:longest] for name, text in reversed(rows)}  # the first of each image
        numbers = {word: i + 1 for i, word in enumerate(sorted({word for text in texts.values() for word in text}))}
        self.n_words = len(numbers) + 1
        self.names = [Path(path).name for path, _ in self.photographs.samples]
        tokens = [[numbers[word] for word in texts[name]] for name in self.names]
        self.tokens = [(some + [0] * (longest - len(some)), len(some)) for some in tokens]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        import torch

        tokens, length = self.tokens[i]
        return [self.photographs[i][0]], torch.tensor(tokens)[:, None], length, i, self.names[i]


def _respelled(name: str, folder: Path, spelled: Mapping[str, str]) -> Any:
    """Import a module of a program with some words of its text replaced."""
    path = folder.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = path.read_text()
    for old, new in spelled.items():
        text = text.replace(old, new)
    module = sys.modules[name] = ModuleType(name)
    module.__dict__["__path__"] = [str(path.parent)]
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


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
