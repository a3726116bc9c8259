"""Is a face at another age still the same face, and does it look that old? Held-out faces of CelebA, and a picture.

    python -m benchmarks ageing --ckpt last.ckpt --data-dir DIR --out strips.png

For want of a network that recognises faces, small ones learn here from the training faces: one tells 39 attributes and
not the age, and its features are what the latents are optimised by; another, with other first weights and no labels,
tells two crops of a face from those of other faces, and its features measure what the first cannot flatter; a third
tells `Young`. The picture has a row for each of eight faces: the face, its reconstruction by the encoder alone, then
optimised by pixels, then by features, and that latent at both ages.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules import CelebADataModule
from datamodules.celeba import ATTRIBUTES
from gan_lightning import inference
from gan_lightning.inference.edit import Distance, Inversion, invert, render_each
from gan_lightning.metrics.image_sources import real_images
from gan_lightning.variants import AgeCGAN
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import enlarge, grid, to_uint8, write_png

SHOWN, SCALE, BATCH_SIZE = 8, 3, 64
YOUNG = ATTRIBUTES.index("Young")


def network(outputs: int, width: int = 32) -> nn.Sequential:
    """Three strided convolutions, 64 features, and a linear layer: images of 32 x 32 in [-1, 1] to ``outputs``."""
    layers: list[nn.Module] = []
    for inputs, made in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
        layers += [nn.Conv2d(inputs, made, 4, stride=2, padding=1), nn.BatchNorm2d(made), nn.LeakyReLU(0.2)]
    embedding = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(64))
    return nn.Sequential(embedding, nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(64, outputs)))


def trained(made: nn.Sequential, n: int, steps: int, loss: Callable[[Tensor], Tensor]) -> nn.Sequential:
    """The network after some steps of Adam on batches of the numbers of n faces."""
    made.eval()(torch.zeros(2, 3, 32, 32))
    adam = torch.optim.Adam(made.train().parameters(), 1e-3)
    for _ in range(steps):
        adam.zero_grad()
        loss(torch.randint(n, (BATCH_SIZE,))).backward()
        adam.step()
    return made.eval()


def two_crops(made: nn.Module, faces: Tensor) -> Tensor:
    """Cross-entropy of telling a crop's partner from the crops of other faces, at a temperature of 0.2 (SimCLR)."""
    views = [F.normalize(made(cropped(faces)), dim=1) for _ in range(2)]
    return F.cross_entropy(views[0] @ views[1].T / 0.2, torch.arange(len(faces)))


def cropped(faces: Tensor) -> Tensor:
    """Faces moved by up to 3 pixels, half of them mirrored, a little brighter or darker."""
    down, right = torch.randint(7, (2,)).tolist()
    height, width = faces.shape[2:]
    moved = F.pad(faces, (3, 3, 3, 3), mode="replicate")[:, :, down : down + height, right : right + width]
    moved = torch.where(torch.rand(len(faces), 1, 1, 1) < 0.5, moved.flip(3), moved)
    return (moved + 0.2 * torch.randn(len(faces), 1, 1, 1)).clamp(-1, 1)


def apart(embedding: nn.Module, one: Tensor, other: Tensor) -> float:
    """Mean distance 1 - cosine of the features of faces and of others."""
    with torch.no_grad():
        return float((1 - F.cosine_similarity(embedding(one), embedding(other))).mean())


@torch.no_grad()
def judged_so(judges: nn.Module, images: Tensor, age: int) -> float:
    """Share of images that a classifier finds to be of an age."""
    return float((judges(images).argmax(1) == age).float().mean())


def all_of(data: CelebADataModule, split: str) -> tuple[Tensor, Tensor]:
    source = real_images(data, split)
    (images,) = source.image_batches([torch.arange(len(source))])
    assert source.labels is not None
    return images.float() / 127.5 - 1, source.labels


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ageing")
    parser.add_argument("--ckpt", type=Path, required=True, help="of AgeCGAN, classes by Young, 32 x 32")
    parser.add_argument("--data-dir", default="data", help="folder that holds celeba")
    parser.add_argument("--n", type=int, default=64, help="held-out faces (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="of each optimisation (default: %(default)s)")
    parser.add_argument("--training-steps", type=int, default=400, help="of each network (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="picture")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    assert isinstance(model, AgeCGAN)
    data = CelebADataModule(options.data_dir, image_size=32, flip=False, in_memory=True)
    (faces, attributes), (held_out, of_held_out) = all_of(data, "train"), all_of(data, "val")
    held_out, young = held_out[: options.n], of_held_out[: options.n, YOUNG].long()
    others = [column for column in range(len(ATTRIBUTES)) if column != YOUNG]

    torch.manual_seed(0)
    n, steps = len(faces), options.training_steps
    tells, compares, judges = network(len(others)), network(32), network(2)
    known, ages_known = attributes[:, others], attributes[:, YOUNG].long()
    trained(tells, n, steps, lambda rows: F.binary_cross_entropy_with_logits(tells(faces[rows]), known[rows]))
    trained(compares, n, steps, lambda rows: two_crops(compares, faces[rows]))
    # Three in four are young: each age counts as much.
    weight = torch.bincount(ages_known).float().reciprocal()
    trained(judges, n, steps, lambda rows: F.cross_entropy(judges(cropped(faces[rows])), ages_known[rows], weight))

    def found(steps: int, distance: Distance | None = None) -> Inversion:
        # A small rate: latents stay near the encoder's, where the generator has learnt to make faces.
        chosen: dict[str, Any] = {"distance": distance, "learning_rate": 0.03, "batch_size": BATCH_SIZE}
        return invert(model, held_out, labels=young.tolist(), steps=steps, **chosen)

    ways = {
        "encoder": found(0),
        "pixels": found(options.steps),
        "features": found(options.steps, Distance(tells[0], pixel_weight=0)),
    }
    print(f"| {len(held_out)} held-out faces | mean squared error | 1 - cosine of the features | of other features |")
    print("|---|---|---|---|")
    rows = {name: each.images for name, each in ways.items()} | {"another face": held_out.roll(1, 0)}
    for name, images in rows.items():
        error = float((images - held_out).square().mean())
        print(f"| {name} | {error:.3f} | {apart(tells[0], images, held_out):.3f} | ", end="")
        print(f"{apart(compares[0], images, held_out):.3f} |")
    latents = ways["features"].latents
    aged = [render_each(model, "z", latents, (torch.full((len(latents),), age),)) for age in range(2)]
    ages = ["not Young", "Young"]
    for age, name in enumerate(ages):
        told, made = (judged_so(judges, images, age) for images in (held_out[young == age], aged[age]))
        other = judged_so(judges, aged[age][young != age], age)
        print(
            f"| judged {name} | {told:.0%} of those held out | {made:.0%} of all made so | {other:.0%} of the others |"
        )
    shown = [place for age in (1, 0) for place in (young == age).nonzero()[: SHOWN // 2, 0].tolist()]
    columns = [held_out, *(each.images for each in ways.values()), *aged]
    cells = torch.stack([column[shown] for column in columns], dim=1).flatten(0, 1)
    picture = grid(enlarge(to_uint8(cells), SCALE), len(columns))
    write_png(options.out, captioned(picture, ["face", *ways, *ages]))
