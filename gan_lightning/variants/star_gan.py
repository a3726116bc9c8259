"""StarGAN: one generator for many attributes, and a discriminator that also classifies them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.attributes import Attributes
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageShape
from gan_lightning.games.label import named_classes
from gan_lightning.games.portable import Applied, Input, Portable, zeros_and_ones
from gan_lightning.games.translation import AttributeEdits, TranslationGame
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import StarGANDiscriminator, StarGANGenerator
from gan_lightning.networks.layers.labels import one_hot
from gan_lightning.optimizers import StarGANAdam
from gan_lightning.regularizers import PenaltyMethod, gradient_penalty
from gan_lightning.trainer.batch_checks import check_attributes, check_labels

AttributeNetworkFactory = Callable[[ImageShape, int], nn.Module]

HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")


class StarGAN(TranslationGame, generator_optimizer=StarGANAdam, discriminator_optimizer=StarGANAdam, n_critic=5):
    """Choi et al., *StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation*,
    CVPR 2018, arXiv 1711.09020, equations 5 and 6 with the gradient penalty of equation 8.

    With patch scores s, an image's attributes c and target attributes c', a permutation of the batch's,
    ``L_D = E s(G(x, c')) - E s(x) + 10 E (||grad s(x~)||_2 - 1)^2 + cls(x, c)`` and
    ``L_G = -E s(G(x, c')) + cls(G(x, c'), c') + 10 E |x - G(G(x, c'), c)|``. ``cls`` is the binary cross-entropy summed
    over the attributes and averaged over the batch, or the softmax cross-entropy if labels are classes. The penalty is
    on the gradient of an image's summed patch scores. ``latent`` of a batch is c'.

    To translate an image, the attributes that are not given are predicted by the discriminator, from the image resized
    to the training size.

    Args:
        image_shape: Channels, height, width of the images. The command line takes it from the data.
        attributes: Names of the attributes, in the order of the labels, N x A zeros and ones. The command line takes
            it from the data. None: the labels are classes.
        num_classes: Where there are no attributes: labels are 0 ... num_classes - 1. The command line takes it from
            the data.
        class_names: The name of each class, where there are no attributes. The command line takes it from the data.
            None: "0", "1", ...
        exclusive: Groups of attributes of which an image has at most one: setting one clears the others. Names that are
            not in ``attributes`` are ignored. By default CelebA's hair colours.
        generator: Makes the generator from the image shape and the number of attributes; it is called with images and
            attributes.
        discriminator: Makes the discriminator from the same; it returns scores of patches and logits of attributes.
            It must carry no BatchNorm.
        class_weight: Weight of ``cls`` in both players.
        reconstruction_weight: Weight of the last term of L_G.
        penalty_weight: Weight of the gradient penalty.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.

    Raises:
        ValueError: There are neither attributes nor classes, or an attribute is there twice.
    """

    training_parts = ("augmentation", "regularizers")  # The discriminator predicts attributes that are not given.

    def __init__(
        self,
        image_shape: ImageShape = (3, 128, 128),
        attributes: Sequence[str] | None = None,
        num_classes: int | None = None,
        exclusive: Sequence[Sequence[str]] = (HAIR_COLOURS,),
        generator: AttributeNetworkFactory = StarGANGenerator,
        discriminator: AttributeNetworkFactory = StarGANDiscriminator,
        class_weight: float = 1.0,
        reconstruction_weight: float = 10.0,
        penalty_weight: float = 10.0,
        class_names: Sequence[str] | None = None,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        n_classes = num_classes or 0
        names = tuple(attributes or named_classes(class_names, n_classes) or map(str, range(n_classes)))
        if not names:
            raise ValueError(
                "StarGAN learns attributes or classes, so it needs data with labels: there are neither attributes nor "
                "num_classes."
            )
        if len(set(names)) < len(names):
            raise ValueError(f"attributes has a name twice: {', '.join(names)}.")
        super().__init__(
            generator=resolve(generator)(image_shape, len(names)),
            discriminator=resolve(discriminator)(image_shape, len(names)),
            **game,
        )
        self.image_shape = image_shape
        self.attributes = names
        self.has_classes = not attributes
        self.rules = Attributes(names, [names] if self.has_classes else exclusive)
        self.class_weight = class_weight
        self.reconstruction_weight = reconstruction_weight
        self.penalty_weight = penalty_weight
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"

    # The game.

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        labels, n = batch.condition, len(self.attributes)
        shape = tuple(labels.shape) if isinstance(labels, Tensor) else None
        if self.has_classes and shape == (len(batch.real),) and not labels.is_floating_point():
            if self.labels_are_checked(labels):
                check_labels(labels, n)
            return replace(batch, condition=one_hot(labels, batch.real, n))
        if not self.has_classes and shape == (len(batch.real), n):
            if self.labels_are_checked(labels):
                check_attributes(labels)
            return replace(batch, condition=labels.to(batch.real.dtype))
        wanted = "the class of every image, an integer" if self.has_classes else f"{n} attributes of every image"
        got = "none" if shape is None else f"{shape} of {labels.dtype}"
        raise ValueError(f"StarGAN was made for {wanted}, and the data's labels are {got}.")

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        # Targets are other images' attributes: combinations that occur, such as one hair colour at a time.
        return replace(batch, latent=batch.condition[torch.randperm(len(batch.condition), device=self.device)])

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        return self.generator(batch.real, batch.latent)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, logits = self.discriminator(batch.real)
        fake, _ = self.discriminator(batch.fake)
        # D learns the attributes from real images alone (equation 2): a fake does not have its own yet.
        return {**wasserstein_discriminator(real, fake), "class": self._classification(logits, batch.condition)}

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        # The scores are the critic; the attributes' head has no Lipschitz bound.
        penalty = gradient_penalty(
            lambda images: self.discriminator(images)[0], batch.real, batch.fake, method=self.penalty_method
        )
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake, logits = self.discriminator(batch.fake)
        # Back to the original attributes (equation 4): what they do not name must survive both ways.
        reconstructed = self.generator(batch.fake, batch.condition)
        return {
            **wasserstein_generator(fake),
            "class": self._classification(logits, batch.latent),
            "reconstruction": self.reconstruction_weight * F.l1_loss(reconstructed, batch.real),
        }

    def _classification(self, logits: Tensor, attributes: Tensor) -> Tensor:
        if self.has_classes:
            # One-hot rows, N x K, which cross_entropy takes as probabilities.
            return self.class_weight * F.cross_entropy(logits, attributes)
        # Summed over attributes, averaged over images, as in the authors' code: a mean over both is A times weaker.
        summed = F.binary_cross_entropy_with_logits(logits, attributes, reduction="sum")
        return self.class_weight * summed / len(logits)

    # Translation.

    guidance = ("strength",)

    @property
    def target_domains(self) -> Sequence[str]:
        return self.attributes

    @property
    def every_edit(self) -> Mapping[str, AttributeEdits]:
        return self.rules.single

    def of_domain(self, name: str) -> tuple[str | None, AttributeEdits]:
        # Names before numbers, as of `generate --labels`: a class may be named "3" and have another number.
        if name not in self.attributes and self.has_classes and name.isdecimal() and int(name) < len(self.attributes):
            name = self.attributes[int(name)]
        return (None, {name: True}) if name in self.attributes else super().of_domain(name)

    def translate_batch(
        self, images: Tensor, direction: str | None, attributes: AttributeEdits, strength: float = 1.0
    ) -> Tensor:
        own = self.predict_attributes(images)
        asked = self.rules.edited(own, attributes)
        # At 1 exactly those asked for: a sum of the two would round.
        return self.averaged_generator(images, asked if strength == 1 else own + strength * (asked - own))

    def portable(self, domain: str | None = None) -> Portable:
        """The network from images and the attributes that they are to have; see :meth:`TranslationGame.portable`."""
        if domain is not None:
            raise ValueError(f"StarGAN's attributes are an input of its network: leave out the domain {domain!r}.")
        made, network = super().portable(), self.averaged_generator
        about = "1 for what the image made is to have, 0 for the rest"
        attributes = Input(("batch", len(self.attributes)), about, zeros_and_ones)
        return replace(
            made,
            network=Applied(lambda image, attributes: network(image, attributes), network),
            inputs={**made.inputs, "attributes": attributes},
            facts={"attributes": [*self.attributes]},
        )

    def translate_back(self, images: Tensor, given: Tensor, direction: str | None = None) -> Tensor:
        """Translate images back to the attributes of those that they were made of, N x C x H x W each."""
        own = self.predict_attributes(given.to(self.device))
        return self.fitted(images, lambda each: self.averaged_generator(each, own))

    def check_translation(self, direction: str | None, attributes: AttributeEdits | None) -> None:
        super().check_translation(direction, attributes)
        self.rules.check(attributes or {})
        if self.has_classes and not all((attributes or {}).values()):
            raise ValueError("StarGAN was trained on classes: ask for the one that an image is to be of.")

    def predict_attributes(self, images: Tensor) -> Tensor:
        """Attributes that the discriminator recognises in images of any size: N x A zeros and ones."""
        # The head for attributes covers a map of one size, so D takes images of the training size only.
        fitted = F.interpolate(images, self.image_shape[1:], mode="bilinear", antialias=True)
        logits = self.discriminator(fitted)[1]
        if self.has_classes:
            return one_hot(logits.argmax(dim=1), images, len(self.attributes))
        return (logits > 0).to(images.dtype)

    seen = predict_attributes
    """Its name until 0.3."""

    # Validation.

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """Reconstruction error of a round trip, to the attributes of the next image in the batch and back; for each
        attribute, how often the discriminator recognises it after it was flipped. The discriminator has trained the
        generator, so these accuracies are too high."""
        there = self._translated(batch.real, batch.condition.roll(1, dims=0))
        terms = {"reconstruction": F.l1_loss(self._translated(there, batch.condition), batch.real)}
        for i, name in enumerate(self.attributes):
            asked = self.rules.flipped(batch.condition, name)
            found = self.predict_attributes(self._translated(batch.real, asked))[:, i] == asked[:, i]
            terms[f"accuracy_{name}"] = found.to(batch.real.dtype).mean()
        return terms

    @property
    def column_captions(self) -> Sequence[str]:
        return ("given", *self.attributes)

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """The image, then the image with one attribute after the other flipped, as in the paper's figures."""
        flipped = (self.rules.flipped(batch.condition, name) for name in self.attributes)
        return [batch.real, *(self._translated(batch.real, attributes) for attributes in flipped)]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """The panels of every image side by side, N x C x H x (1 + A) W."""
        return torch.cat(self.picture_columns(self.checked_batch(batch)), dim=3)

    def _translated(self, images: Tensor, attributes: Tensor) -> Tensor:
        with evaluating(self.averaged_generator):
            return self.averaged_generator(images, attributes)
