"""LAPGAN: a GAN at each level of a Laplacian pyramid; images are generated from coarse to fine."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.inference.checkpoint import read_checkpoint
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks import (
    LAPGANCoarseDiscriminator,
    LAPGANDiscriminator,
    LAPGANGenerator,
    LaplacianGenerator,
    MLPGenerator,
)
from gan_lightning.networks.lapgan import lengths
from gan_lightning.networks.layers.laplacian import gaussian_pyramid, up

ResidualFactory = Callable[[ImageShape], nn.Module]


class LAPGAN(ImageGame):
    """Denton, Chintala, Szlam, Fergus, *Deep Generative Image Models using a Laplacian Pyramid of Adversarial
    Networks*, NeurIPS 2015, arXiv 1506.05751, section 3.

    At each side k of the pyramid ``L_Dk = E -log D_k(I_k) + E -log(1 - D_k(l_k + G_k(z_k, l_k)))`` and
    ``L_Gk = E -log D_k(l_k + G_k(z_k, l_k))`` with ``l_k = up(I_{k-1})``, ``I_{k-1} = down(I_k)``; at the coarsest
    ``G(z)`` alone. The paper's D_k adds low-pass image and residual before anything else: its input is the image.
    In training the low-pass images are the data's, so the levels are independent and may be trained in one run or in
    several. A sample passes through all levels and is clamped to [-1, 1] at the end only.

    The networks are the authors' for CIFAR-10, of 8, 16 and 32 pixels. Departures: Adam instead of SGD (0.02, momentum
    .5 rising to .8), so that one rate serves all levels; normal instead of uniform noise; images in [-1, 1] instead of
    standardised ones.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the coarsest level's latent vector; each other level has a plane of noise beside.
        sides: Sides of the levels' images, from coarse to fine; the last is the image's own. None: halved twice. Of
            images that are not square they are the heights, and every level has the image's aspect ratio.
        generator: Makes a level's generator from the shape of its images; it maps noise and low-pass images to
            residuals.
        discriminator: Makes a level's discriminator from the shape of its images.
        coarse_generator: Makes the coarsest level's generator from image shape and latent length.
        coarse_discriminator: Makes the coarsest level's discriminator from its image shape.
        levels: Sides of the levels to train in this run. None: all.
        from_levels: Checkpoints that levels are loaded from when training begins, by the side of the level.

    Raises:
        ValueError: The sides make no pyramid, or there are no such levels.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        latent_dim: int = 100,
        sides: Sequence[int] | None = None,
        generator: ResidualFactory = LAPGANGenerator,
        discriminator: DiscriminatorFactory = LAPGANDiscriminator,
        coarse_generator: GeneratorFactory = MLPGenerator,
        coarse_discriminator: DiscriminatorFactory = LAPGANCoarseDiscriminator,
        levels: Sequence[int] | None = None,
        from_levels: Mapping[int, str] | None = None,
        **game: Any,
    ) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: it must be at least 1.")
        all_sides = _sides(image_shape, sides)
        sizes = [(side, side * image_shape[2] // image_shape[1]) for side in all_sides]
        coarsest, *finer = ((image_shape[0], *size) for size in sizes)
        generators = [resolve(coarse_generator)(coarsest, latent_dim), *map(resolve(generator), finer)]
        discriminators = [resolve(coarse_discriminator)(coarsest), *map(resolve(discriminator), finer)]
        super().__init__(
            image_shape,
            # The noise of all levels in one vector: to samples and interpolations it is a game like the others.
            sum(lengths(sizes, latent_dim)),
            lambda _, __: LaplacianGenerator(dict(zip(all_sides, generators, strict=True)), latent_dim, sizes),
            lambda _: nn.ModuleDict({str(side): each for side, each in zip(all_sides, discriminators, strict=True)}),
            **game,
        )
        self.sides, self.sizes = all_sides, sizes
        self.levels = self._existing_levels("levels", all_sides if levels is None else levels)
        if not self.levels:
            raise ValueError(f"levels is empty: name the sides of levels that learn, of {self.sides}.")
        given = from_levels or {}
        self.from_levels = dict(zip(self._existing_levels("from_levels", given), given.values(), strict=True))
        for players in (self.generator.levels, self.discriminator):
            for side, network in cast(nn.ModuleDict, players).items():
                # Without a gradient neither an optimiser nor the average moves them.
                if int(side) not in self.levels:
                    network.requires_grad_(False)

    def _existing_levels(self, argument: str, levels: Iterable[Any]) -> list[int]:
        """The levels that an argument names; an error if one does not exist."""
        named = [int(side) for side in levels]
        for side in named:
            if side not in self.sides:
                raise ValueError(f"{argument} names {side}, and the sides of the levels are {self.sides}.")
        return named

    def on_fit_start(self) -> None:
        if self.game_step == 0:  # A run that goes on has all levels in its checkpoint.
            for side, path in self.from_levels.items():
                self.load_level(side, path)
        super().on_fit_start()

    def load_level(self, side: int, path: str | Path) -> None:
        """Load a level, both players and the average, from the checkpoint of another run.

        Raises:
            ValueError: There is no such checkpoint, or it has no such level.
        """
        loaded = _level(read_checkpoint(path)["state_dict"], side)
        own = _level(self.state_dict(), side)
        if {name: weight.shape for name, weight in loaded.items()} != {n: w.shape for n, w in own.items()}:
            raise ValueError(
                f"{path} has no level of side {side} with the networks, or with the average, that are here."
            )
        # Not strict: the other levels are missing from it.
        self.load_state_dict(loaded, strict=False)

    take = load_level
    """Its name until 0.3."""

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Draw the noise, and split the real images into the pyramid's levels, each with its low-pass image."""
        latent = super().draw_latents(batch).latent
        levels = gaussian_pyramid(batch.real, self.sizes)
        images = dict(zip(self.sides, levels, strict=True))
        # l_k = up(down(I_k)), of real images: no level waits for a coarser one to learn (section 3).
        low_pass = [up(coarse, size) for coarse, size in zip(levels[:-1], self.sizes[1:], strict=True)]
        condition = dict(zip(self.sides[1:], low_pass, strict=True))
        return GameBatch({side: images[side] for side in self.levels}, condition, latent)

    def generate_fakes(self, batch: GameBatch) -> dict[int, Tensor]:
        generator = cast(LaplacianGenerator, self.generator)
        noises = generator.noises(batch.latent)
        return {side: generator.at(side, noises[side], batch.condition.get(side)) for side in self.levels}

    def _discriminator_of(self, side: int) -> nn.Module:
        return cast(nn.ModuleDict, self.discriminator)[str(side)]

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Each level is a game of its own: they share no weights, so one sum serves them all.
        terms: Terms = {}
        for side in self.levels:
            discriminator = self._discriminator_of(side)
            with judge_named(str(side)):
                of_level = minimax_discriminator(discriminator(batch.real[side]), discriminator(batch.fake[side]))
            terms |= {f"{name}_{side}": term for name, term in of_level.items()}
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        return {
            f"adversarial_{side}": non_saturating_generator(self._discriminator_of(side)(fake))["adversarial"]
            for side, fake in batch.fake.items()
        }


def _sides(image_shape: ImageShape, sides: Sequence[int] | None) -> list[int]:
    """The sides of the levels, from coarse to fine."""
    _, height, width = image_shape
    if sides is None:
        if height % 4 or width % 4:
            odd = height if height % 4 else width
            raise ValueError(f"{odd} cannot be halved twice: give LAPGAN its sides, from coarse to fine.")
        return [height // 4, height // 2, height]
    sides = [int(side) for side in sides]
    if len(sides) < 2 or sides[-1] != height or sides[0] < 1 or any(a >= b for a, b in pairwise(sides)):
        raise ValueError(f"sides is {sides}: it must be two sides or more that grow up to the image's {height}.")
    for side in sides:
        if side * width % height:
            raise ValueError(
                f"sides has {side}, and an image of {height} x {width} is not a whole number of pixels wide there: "
                "choose other sides, which are heights."
            )
    return sides


def _level(state: Mapping[str, Tensor], side: int) -> dict[str, Tensor]:
    """The weights of one level, of both players and the average."""
    # ``ema.module`` is the average's copy of the generator.
    starts = tuple(f"{place}.{side}." for place in ("generator.levels", "discriminator", "ema.module.levels"))
    return {name: weight for name, weight in state.items() if name.startswith(starts)}
