"""Games that colour what they are given, a grey photograph or line art, guided by hints and palettes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.hints import Hint, draw_hints, palette_dim, palettes, place_hints
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.games.portable import Applied, Input, Portable, images_of
from gan_lightning.games.randomness import own_randomness
from gan_lightning.games.translation import AttributeEdits, PairedTranslationGame
from gan_lightning.losses import Terms
from gan_lightning.metrics.luminance import peak_signal_to_noise
from gan_lightning.trainer.loader_batches import split_batch
from gan_lightning.visualization.lab import lab_to_displayable, rgb_to_lab

ColorizerFactory = Callable[[ImageShape, ImageShape, int], nn.Module]
Given = Literal["drawing", "lightness"]


class ColorizationGame(PairedTranslationGame):
    """A game whose generator makes colours, of what is given, of hints and of a palette.

    Of drawings ``condition`` is the drawing, and ``real`` and ``fake`` are images; the loader yields pairs. Of
    photographs ``condition`` is the lightness L of Lab, and ``real`` and ``fake`` are a and b; the loader yields the
    photographs, and a translation has the lightness of what it was made of. ``latent`` is the hints, N x (C + 1) x H x
    W, and the palettes, which in training are drawn from ``real``.

    Args:
        image_shape: Channels, height, width of coloured images.
        condition_shape: The same of drawings; None: there are none.
        given: What is given. None: drawings where there are some.
        generator: Makes the generator from the shapes of what is given, with the hints, and of what is made, and the
            length of a palette.
        discriminator: Makes the discriminator from the shape of what is given and the colours joined in one.
        hint_probability: p of the number of hints, ``P(k) = p (1 - p)^k``; 1: no hints.
        largest_hint: Largest side of a hint in training, in pixels; a user's has the mean one.
        reveal_probability: Probability that all colours are given as hints.
        palette_probability: Probability that the palette is given.
        **game: Arguments of :class:`~gan_lightning.games.translation.TranslationGame`.

    Raises:
        ValueError: The images have no colours, or there are no drawings.
    """

    guidance = ("hints", "reference")
    column_captions = ("given", "no hints", "hints", "true")

    def __init__(
        self,
        image_shape: ImageShape,
        condition_shape: ImageShape | None,
        given: Given | None,
        generator: ColorizerFactory,
        discriminator: DiscriminatorFactory,
        hint_probability: float = 1 / 8,
        largest_hint: int = 9,
        reveal_probability: float = 0.01,
        palette_probability: float = 0.5,
        **game: Any,
    ) -> None:
        colors = _colors(type(self).__name__, image_shape, condition_shape, given)
        sides = image_shape[1:]
        super().__init__(
            # Hints are the channels that are made, and a mask.
            generator=resolve(generator)(
                (colors.n_given + colors.n_made + 1, *sides), (colors.n_made, *sides), palette_dim(colors.n_made)
            ),
            discriminator=resolve(discriminator)((colors.n_given + colors.n_made, *sides)),
            **game,
        )
        self.colors = colors
        self.joined_channels = (colors.n_given, colors.n_made)
        self.hint_law = hint_probability, largest_hint, reveal_probability
        self.palette_probability = palette_probability

    # Training.

    def prepare_batch(self, raw: Any) -> GameBatch:
        if not self.colors.of_one_image:
            return super().prepare_batch(raw)
        images = self.scaled(split_batch(raw)[0])
        return GameBatch(self.colors.made(images), self.colors.given(images))

    def check_first_batch(self, raw: Any, real: Any, condition: Any = None) -> None:
        # The range of the loader's images: a and b have another.
        if self.colors.of_one_image:
            real, condition = split_batch(raw)[0], None
        super().check_first_batch(raw, real, condition)

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        shown = torch.rand(len(batch.real), device=self.device, dtype=torch.float32) < self.palette_probability
        return replace(batch, latent=(draw_hints(batch.real, *self.hint_law), palettes(batch.real, shown)))

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        hints, palette = batch.latent
        return self.generator(torch.cat([batch.condition, hints], dim=1), palette)

    # Colouring.

    @property
    def given_channels(self) -> int:
        return self.reference_channels if self.colors.of_one_image else super().given_channels

    def check_guidance(self, names: Collection[str]) -> None:
        super().check_guidance(names)
        if "hints" in names and self.reference_channels > 4:
            raise ValueError(
                f"{type(self).__name__} makes images of {self.reference_channels} channels, and hints are red, green "
                "and blue: leave them out."
            )

    def translate_batch(
        self,
        images: Tensor,
        direction: str | None,
        attributes: AttributeEdits,
        hints: Sequence[Hint] = (),
        reference: Tensor | None = None,
    ) -> Tensor:
        """Colour images, N x C x H x W.

        Args:
            images: Drawings or photographs, whose own colours do not count.
            direction: None.
            attributes: None.
            hints: Colours at points.
            reference: Images whose palettes are to be used, 1 or N x C' x any x any.
        """
        planes = self._placed(hints, images) if hints else None
        palette = None if reference is None else palettes(self.colors.made(reference.to(images)))
        return self.colored(self.colors.given(images), planes, palette)

    def colored(self, given: Tensor, hints: Tensor | None = None, palette: Tensor | None = None) -> Tensor:
        """Colour what is given by the averaged generator: images, N x C x H x W in [-1, 1].

        Args:
            given: N x C x H x W, as ``condition`` of a batch.
            hints: As :func:`~gan_lightning.games.hints.draw_hints` makes them. None: there are none.
            palette: 1 or N x palette_dim, of :func:`~gan_lightning.games.hints.palettes`. None: it is not given.
        """
        if hints is None:
            hints = given.new_zeros(len(given), self.colors.n_made + 1, *given.shape[2:])
        if palette is None:
            palette = given.new_zeros(1, palette_dim(self.colors.n_made))
        with evaluating(self.averaged_generator):
            return self._joined(given, hints, palette.expand(len(given), -1))

    def _joined(self, given: Tensor, hints: Tensor, palette: Tensor) -> Tensor:
        made = self.averaged_generator(torch.cat([given, hints], dim=1), palette)
        return self.colors.joined(given, made)

    def portable(self, domain: str | None = None) -> Portable:
        """The network from images, hints and palettes to coloured images; see :meth:`TranslationGame.portable`."""
        made, n_made = super().portable(domain), self.colors.n_made

        def image(image: Tensor, hints: Tensor, palette: Tensor) -> Tensor:
            return self._joined(self.colors.given(image), hints, palette)

        planes = f"{n_made} planes of colours and a mask of where they are given; zeros: no hints"
        bins = "square roots of the shares of colours, and a 1; zeros: no palette"
        inputs = {
            **made.inputs,
            "hints": images_of(n_made + 1, planes),
            "palette": Input(("batch", palette_dim(n_made)), bins, torch.rand),
        }
        facts = {"given": "drawing" if not self.colors.of_one_image else "photograph"}
        return replace(made, network=Applied(image, self.averaged_generator), inputs=inputs, facts=facts)

    def _placed(self, hints: Sequence[Hint], images: Tensor) -> Tensor:
        # K x 3 x 1 x 1, red, green and blue
        colors = self.scaled(torch.tensor([hint.color for hint in hints], dtype=torch.uint8)[:, :, None, None])
        if self.reference_channels < 3:
            colors = colors.mean(1, keepdim=True)
        if self.reference_channels in (2, 4):
            colors = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)  # opaque
        colors = self.colors.made(colors)
        side = (self.hint_law[1] + 1) // 2
        return place_hints([(hint.x, hint.y) for hint in hints], colors.flatten(1).to(images), side, images)

    # Validation.

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """PSNR in dB over all channels: without hints, with drawn ones, with the image's own palette."""
        with own_randomness(0, self.device):
            hints = draw_hints(batch.real, *self.hint_law)
        made = {
            "psnr": self.colored(batch.condition),
            "psnr_hints": self.colored(batch.condition, hints),
            "psnr_palette": self.colored(batch.condition, palette=palettes(batch.real)),
        }
        true = self.colors.joined(batch.condition, batch.real)
        # [-1, 1] is 2 wide; of equal images 106 dB.
        return {name: peak_signal_to_noise(images, true, 2.0, 1e-10).mean() for name, images in made.items()}

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Given, with drawn hints on it; coloured without and with the hints; true."""
        given, hints = batch.condition, draw_hints(batch.real, *self.hint_law)
        dots = self.colors.joined(given, hints[:, :-1])
        shown = torch.where(hints[:, -1:] > 0, dots, self.colors.plain(given))
        return [shown, self.colored(given), self.colored(given, hints), self.colors.joined(given, batch.real)]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        return self.colored(self.checked_batch(batch).condition)


@dataclass(frozen=True)
class DrawingColors:
    """A drawing is given, and the image is made.

    Attributes:
        n_given: Channels of the drawing.
        n_made: Channels of the image.
    """

    n_given: int
    n_made: int
    of_one_image = False
    """Whether both are parts of one image, of which what is given can be computed."""

    def given(self, images: Tensor) -> Tensor:
        """What is given of images, N x C x H x W."""
        return images

    def made(self, images: Tensor) -> Tensor:
        """What is to be made of images, N x C x H x W."""
        return images

    def joined(self, given: Tensor, made: Tensor) -> Tensor:
        """Images in [-1, 1] of both."""
        return made

    def plain(self, given: Tensor) -> Tensor:
        """An image of what is given, grey where it has other channels than the images that are made."""
        return given if self.n_given in (1, self.n_made) else given.mean(1, keepdim=True)


@dataclass(frozen=True)
class LabColors:
    """The lightness of Lab is given, and a and b are made; see :mod:`gan_lightning.visualization.lab`."""

    n_given = 1
    n_made = 2
    of_one_image = True

    def given(self, images: Tensor) -> Tensor:
        return rgb_to_lab(images)[:, :1]

    def made(self, images: Tensor) -> Tensor:
        return rgb_to_lab(images)[:, 1:]

    def joined(self, given: Tensor, made: Tensor) -> Tensor:
        return lab_to_displayable(torch.cat([given, made], dim=1))

    def plain(self, given: Tensor) -> Tensor:
        return self.joined(given, torch.zeros_like(given).expand(-1, 2, -1, -1))


def _colors(
    who: str, image_shape: ImageShape, condition_shape: ImageShape | None, given: Given | None
) -> DrawingColors | LabColors:
    if given == "lightness" or (given is None and condition_shape is None):
        if image_shape[0] != 3:
            without = "given is lightness" if given else "condition_shape is None, so that there are no drawings"
            raise ValueError(
                f"{without}: {who} then makes the colours of images whose lightness is given, and these have "
                f"{image_shape[0]} channels: set the data's channels to 3."
            )
        return LabColors()
    if condition_shape is None:
        raise ValueError(
            f"condition_shape is not known: {who} of drawings learns from pairs of images, such as those of "
            "PairedImageDataModule: change the data, or set given to lightness."
        )
    return DrawingColors(condition_shape[0], image_shape[0])
