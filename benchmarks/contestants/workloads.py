"""The same training twice: by a peer's program, and by `gan-lightning fit`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.contestants import theirs
from benchmarks.contestants.turns import Program, Turns

NETWORKS = "benchmarks.contestants.networks"


@dataclass(frozen=True)
class Workload:
    """The same training twice.

    Args:
        checkout: Folder of the peer, among the checkouts.
        data: Folder of the files, among the data.
        peer: Makes the peer's program from these two folders.
        ours: Arguments of `gan-lightning fit`; ``DATA`` in them is the folder of the files.
        steps: Of a turn.
        same_updates: Whether both move their weights equally often in a step; False: only as many weights.
    """

    checkout: str
    data: str
    peer: Callable[[Path, Path], Program]
    ours: Sequence[str]
    steps: int
    same_updates: bool = True

    def programs(self, checkouts: Path, data: Path, ours: Sequence[str]) -> dict[str, Program]:
        """The peer's program, and `fit` with the options of each of ``ours``, such as "fit --fast".

        Raises:
            FileNotFoundError: The checkout or the files are not there.
        """
        checkout, files = checkouts / self.checkout, data / self.data
        for path, option in ((checkout, "--peers"), (files, "--data-dir")):
            if not path.is_dir():
                raise FileNotFoundError(f"there is no {path}: {option} names the folder that holds it.")
        arguments = [word.replace("DATA", str(files)) for word in self.ours]
        options = {name: [*arguments, *name.split()[1:]] for name in ours}
        return {"peer": self.peer(checkout, files)} | {
            name: partial(_fit, arguments=words) for name, words in options.items()
        }


def _fit(turns: Turns, folder: Path, arguments: Sequence[str]) -> None:
    from benchmarks.contestants.ours import fit  # Not above: a peer's process has nothing of ours in its memory.

    fit(turns, folder, arguments)


def _translation(images: str, peer: str, ours: str, batch_size: int, steps: int) -> Workload:
    """pytorch-CycleGAN-and-pix2pix without display, pages and loading processes, at its defaults otherwise."""
    quiet = "--gpu_ids -1 --num_threads 0 --display_id 0 --no_html --checkpoints_dir FOLDER --name peer"
    options = f"{peer} {quiet} --batch_size {batch_size}".split(" ")

    def program(checkout: Path, files: Path) -> Program:
        arguments = [f"--dataroot={files}", *options]
        absent = ["dominate", "dominate.tags"]
        return partial(theirs.script, path=checkout / "train.py", arguments=arguments, without=absent)

    loading = ["--data.root=DATA", f"--data.batch_size={batch_size}", "--data.num_workers=0"]
    return Workload("pytorch-CycleGAN-and-pix2pix", images, program, [*ours.split(), *loading], steps)


def _pix2pix(batch_size: int, steps: int) -> Workload:
    ours = "--model=Pix2Pix --data=PairedImageDataModule --data.direction=BtoA"
    return _translation("facades", "--model pix2pix --direction BtoA", ours, batch_size, steps)


def _cycle_gan(side: int, n_blocks: int, steps: int) -> Workload:
    load_size = round(side * 286 / 256)
    theirs = f"--model cycle_gan --netG resnet_{n_blocks}blocks --load_size {load_size} --crop_size {side}"
    ours = f"--model=CycleGAN --model.generator.n_blocks={n_blocks} --data=UnpairedImageDataModule"
    ours += f" --data.image_size={side} --data.load_size={load_size}"
    return _translation("monet2photo", theirs, ours, 1, steps)


def _sngan(batch_size: int, steps: int) -> Workload:
    def program(checkout: Path, files: Path) -> Program:
        return partial(theirs.mimicry_sngan, checkout=checkout, images=files / "train", batch_size=batch_size)

    ours = f"--model=SNGAN --model.generator={NETWORKS}.MimicryGenerator --data=ImageFolderDataModule"
    loading = "--data.root=DATA --data.image_size=32 --data.flip=false --data.num_workers=0"
    arguments = [*ours.split(), *loading.split(), f"--data.batch_size={batch_size}"]
    return Workload("mimicry", "cifar10", program, arguments, steps)


def _mnist(name: str, ours: str, steps: int, batches: int = 1) -> Workload:
    """A script of PyTorch-GAN at its defaults, which reads MNIST two folders above."""

    def program(checkout: Path, files: Path) -> Program:
        path = checkout / "implementations" / name / f"{name}.py"
        links = {"data/mnist/MNIST": files}
        return partial(theirs.script, path=path, batches=batches, links=links, home=f"implementations/{name}")

    loading = "--data=MNISTDataModule --data.data_dir=DATA/.. --data.val_size=0"
    arguments = [*loading.split(), *ours.replace("NETWORKS", NETWORKS).split()]
    return Workload("PyTorch-GAN", "MNIST", program, arguments, steps)


def _stylegan2(side: int, batch_size: int, steps: int) -> Workload:
    """Whole cycles of 16 steps: R1 is in every sixteenth, path lengths in every fourth, by the peer in updates more."""

    def program(checkout: Path, files: Path) -> Program:
        return partial(
            theirs.rosinality_stylegan2, checkout=checkout, images=files / "train", batch_size=batch_size, side=side
        )

    ours = "--model=StyleGAN2 --model.conditional=false --model.r1_weight=10 --data=ImageFolderDataModule"
    wide = "--model.generator.channel_base=32768 --model.discriminator.channel_base=32768"
    loading = f"--data.root=DATA --data.image_size={side} --data.num_workers=0 --data.batch_size={batch_size}"
    arguments = [*ours.split(), *wide.split(), *loading.split()]
    return Workload("stylegan2-pytorch", "cifar10", program, arguments, steps, same_updates=False)


def _attn_gan(batch_size: int, steps: int) -> Workload:
    """The first stage, of 64 x 64 images, which the code's own batches of wrong texts are one short of."""

    def program(checkout: Path, files: Path) -> Program:
        return partial(theirs.attn_gan, checkout=checkout, images=files, batch_size=batch_size)

    ours = "--model=AttnGAN --model.n_stages=1 --data=CaptionedImageDataModule --data.root=DATA --data.image_size=64"
    wide = "--model.generator.width=32 --model.discriminator.width=64"
    loading = (
        f"--data.max_tokens=18 --data.num_workers=0 --data.val_size=0 --data.test_size=0 --data.batch_size={batch_size}"
    )
    return Workload("AttnGAN", "flickr8k", program, [*ours.split(), *wide.split(), *loading.split()], steps)


def _wave_gan(width: int, batch_size: int, steps: int) -> Workload:
    def program(checkout: Path, files: Path) -> Program:
        return partial(theirs.wavegan_pytorch, checkout=checkout, sounds=files, batch_size=batch_size, width=width)

    ours = "--model=WaveGAN --data=SoundFolderDataModule --data.root=DATA --data.val_size=0"
    wide = f"--model.generator.width={width} --model.discriminator.width={width} --data.batch_size={batch_size}"
    return Workload("wavegan-pytorch", "drums", program, [*ours.split(), *wide.split()], steps)


_SMALL = "--model.generator=NETWORKS.SmallGenerator --model.discriminator=NETWORKS.SmallDiscriminator"
_DENSE = "--model.generator=NETWORKS.DenseGenerator --model.discriminator=NETWORKS.DenseCritic --model.latent_dim=100"
_ADAM = "--model.generator_optimizer=DCGANAdam --model.discriminator_optimizer=DCGANAdam"

WORKLOADS = {
    "pix2pix 256, batch 1": _pix2pix(1, steps=4),
    "pix2pix 256, batch 4": _pix2pix(4, steps=1),
    "CycleGAN 128, 6 blocks": _cycle_gan(128, 6, steps=2),
    "CycleGAN 256, 9 blocks": _cycle_gan(256, 9, steps=1),
    "SNGAN 32, batch 4": _sngan(4, steps=2),
    "SNGAN 32, batch 16": _sngan(16, steps=1),
    "SNGAN 32, batch 64": _sngan(64, steps=1),
    "StyleGAN2 64, batch 4": _stylegan2(64, 4, steps=16),
    "AttnGAN 64, batch 16": _attn_gan(16, steps=1),
    "WaveGAN 16384, width 16, batch 16": _wave_gan(16, 16, steps=1),
    "dcgan.py": _mnist("dcgan", f"--model=DCGAN {_SMALL}", steps=20),
    "lsgan.py": _mnist("lsgan", f"--model=LSGAN {_SMALL} --model.generator.norm_first=false", steps=20),
    "wgan_gp.py": _mnist("wgan_gp", f"--model=WGANGP {_DENSE} {_ADAM} --data.image_size=28", steps=20, batches=5),
}
