"""CycleGAN: translation between two domains without pairs, by cycle consistency."""

from collections.abc import Sequence
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.games.translation import AttributeEdits, TranslationGame
from gan_lightning.losses import Terms, least_squares_discriminator, least_squares_generator
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks import InstancePatchDiscriminator, ResidualTranslator
from gan_lightning.networks.layers.image_buffer import ImageBuffer
from gan_lightning.trainer.loader_batches import images_of_domains
from gan_lightning.variants.pix2pix import TranslatorFactory

Domains = dict[str, Tensor]


class CycleGAN(TranslationGame):
    """Zhu, Park, Isola, Efros, *Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*,
    ICCV 2017, arXiv 1703.10593, equation 3 with the least squares of section 4.

    With G from A to B and F from B to A, ``L_D = 1/2 (E (D(y) - 1)^2 + E D(fake)^2)`` for each domain's D, on fakes
    out of a buffer of 50, and ``L_G = E (D_B(G(x)) - 1)^2 + E (D_A(F(y)) - 1)^2 + 10 (E |F(G(x)) - x| +
    E |G(F(y)) - y|) + 10 * 0.5 (E |G(y) - y| + E |F(x) - x|)``.

    One step moves both discriminators, then both generators, where the authors' codes have other orders; all fakes
    are made once. Without the last pair of terms a painting keeps its content but not always its colours: the paper
    has it for paintings to photographs, the authors' codes throughout.

    Args:
        image_shape: Channels, height, width of the images of both domains. The command line takes it from the data.
        generator: Makes each of the generators from the shapes of the images given and made.
        discriminator: Makes each of the discriminators from the image shape.
        cycle_weight: Weight of the cycle terms; 10 in the paper.
        identity_weight: Weight of the identity terms, as a part of ``cycle_weight``. 0: they are not computed.
        buffer_size: Fakes of each domain that are kept for the discriminators.
        domain_names: What A and B are called in pictures and by ``translate``. The command line takes it from the data.

    Raises:
        ValueError: ``domain_names`` are not two different names.
    """

    directions = ("AtoB", "BtoA")
    training_parts = (*TranslationGame.training_parts, "buffers_of_fakes")
    generator: nn.ModuleDict
    discriminator: nn.ModuleDict
    buffers_of_fakes: nn.ModuleDict

    def __init__(
        self,
        image_shape: ImageShape = (3, 256, 256),
        generator: TranslatorFactory = ResidualTranslator,
        discriminator: DiscriminatorFactory = InstancePatchDiscriminator,
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        buffer_size: int = 50,
        domain_names: Sequence[str] = ("A", "B"),
        **game: Any,
    ) -> None:
        if isinstance(domain_names, str) or len(domain_names) != 2 or len(set(domain_names)) < 2:
            raise ValueError(f"domain_names is {domain_names!r}: it must be a list of two different names.")
        make_generator, make_discriminator = resolve(generator), resolve(discriminator)
        super().__init__(
            # Each cycle term has a gradient for both generators, so they are one player with one optimiser.
            generator=nn.ModuleDict({way: make_generator(image_shape, image_shape) for way in self.directions}),
            discriminator=nn.ModuleDict({domain: make_discriminator(image_shape) for domain in "AB"}),
            **game,
        )
        # A history of fakes keeps the players from oscillating (section 4, after Shrivastava et al., 2017). Each domain
        # has its own: a D that met the other domain's fakes would have an easy task.
        self.buffers_of_fakes = nn.ModuleDict({domain: ImageBuffer(buffer_size, image_shape) for domain in "AB"})
        self.domain_names = tuple(map(str, domain_names))
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight

    def prepare_batch(self, raw: Any) -> GameBatch:
        domains = images_of_domains(raw, tuple(self.discriminator), type(self).__name__, "UnpairedImageDataModule")
        return GameBatch({domain: self.scaled(images) for domain, images in domains.items()})

    def generate_fakes(self, batch: GameBatch) -> Domains:
        return {"A": self.generator["BtoA"](batch.real["B"]), "B": self.generator["AtoB"](batch.real["A"])}

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        terms: Terms = {}
        for domain, discriminator in self.discriminator.items():
            fake = cast(ImageBuffer, self.buffers_of_fakes[domain]).exchange(batch.fake[domain])
            with judge_named(domain):
                of_domain = least_squares_discriminator(discriminator(batch.real[domain]), discriminator(fake))
            terms |= {f"{name}_{domain}": term for name, term in of_domain.items()}
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        terms = {}
        for way, back in (self.directions, self.directions[::-1]):
            # A direction is named by its domains, "AtoB".
            source, target = way[0], way[-1]
            real, fake = batch.real[source], batch.fake[target]
            # The paper's square has no factor 1/2 in the generator's loss.
            adversarial = least_squares_generator(self.discriminator[target](fake))["adversarial"]
            terms[f"adversarial_{target}"] = 2 * adversarial
            terms[f"cycle_{source}"] = self.cycle_weight * F.l1_loss(self.generator[back](fake), real)
            if self.identity_weight > 0:
                # What is in a generator's target domain already is to stay as it is. The weight is a share of the
                # cycle's: 0.5 * 10 = 5.
                weight = self.cycle_weight * self.identity_weight
                terms[f"identity_{source}"] = weight * F.l1_loss(self.generator[back](real), real)
        return terms

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        return cast(nn.ModuleDict, self.averaged_generator)[cast(str, direction)](images)

    @property
    def target_domains(self) -> Sequence[str]:
        return self.domain_names

    def of_domain(self, name: str) -> tuple[str | None, AttributeEdits]:
        """The direction to a domain, by its name, or as A or B."""
        ways = dict(zip((*"BA", *self.domain_names[::-1]), self.directions * 2, strict=True))
        return (ways[name], {}) if name in ways else super().of_domain(name)

    def translate_back(self, images: Tensor, given: Tensor, direction: str | None = None) -> Tensor:
        """Translate images back to the domain of those that they were made of, N x C x H x W each."""
        there, back = self.directions
        return self.translate(images, there if direction == back else back)

    def validation_metrics(self, batch: GameBatch) -> Terms:
        return {f"cycle_{x}": F.l1_loss(there_and_back, real) for x, (real, _, there_and_back) in self._cycles(batch)}

    @property
    def column_captions(self) -> Sequence[str]:
        a, b = self.domain_names
        return (a, f"as {b}", "back", b, f"as {a}", "back")

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Image, translation and reconstruction, of A, then of B."""
        return [images for _, cycle in self._cycles(batch) for images in cycle]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """The images of A, as images of B."""
        return self.translate(self.checked_batch(batch).real["A"])

    def _cycles(self, batch: GameBatch) -> list[tuple[str, tuple[Tensor, Tensor, Tensor]]]:
        cycles = []
        for way in self.directions:
            real = batch.real[way[0]]
            there = self.translate(real, way)
            cycles.append((way[0], (real, there, self.translate_back(there, real, way))))
        return cycles
