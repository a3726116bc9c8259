"""SRGAN: super-resolution with a perceptual and an adversarial loss."""

from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.components.bicubic import upscale
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.games.portable import Applied, Portable
from gan_lightning.games.translation import AttributeEdits, PairedTranslationGame
from gan_lightning.inference.tiling import in_tiles
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.metrics.luminance import psnr, ssim
from gan_lightning.networks import SRGANDiscriminator, SRResNet
from gan_lightning.networks.layers.frozen import Frozen
from gan_lightning.networks.vgg import VGG19Features
from gan_lightning.optimizers import SRGANAdam
from gan_lightning.variants.pix2pix import TranslatorFactory
from gan_lightning.visualization.images import to_uint8

# Pooling i and convolution j of phi_ij: the map after convolution j, activated, and before pooling i (equation 5).
_MAPS = {"vgg54": (5, 4), "vgg22": (2, 2)}


class SRGAN(PairedTranslationGame, generator_optimizer=SRGANAdam, discriminator_optimizer=SRGANAdam):
    """Ledig et al., *Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network*, CVPR 2017,
    arXiv 1609.04802, equations 3 to 6.

    ``L_D = E -log D(y) + E -log(1 - D(G(x)))`` and ``L_G = content + 1e-3 E -log D(G(x))`` with
    ``content = 1 / (W H) sum |phi(y) / 12.75 - phi(G(x)) / 12.75|^2``: the squared distance of VGG19's feature
    maps, summed over channels, averaged over positions and batch. For the first ``warm_up_steps``,
    ``L_G = E (y - G(x))^2`` alone, the mean over pixels and channels, without updates of the discriminator: the paper's
    SRResNet, which its SRGAN starts from. Adam's moments are reset after the warm-up.

    Images are in [-1, 1]; the network converts its input to the paper's [0, 1]. VGG19's input is normalised as in its
    training, which the paper leaves open. VGG19 is loaded when training begins and is in no checkpoint.

    Args:
        image_shape: Channels, height, width of the crops made. The command line takes it from the data.
        condition_shape: Channels, height, width of the crops given. The command line takes it from the data.
        generator: Makes the generator from the shapes of the images given and made.
        discriminator: Makes the discriminator from the image shape.
        warm_up_steps: Steps on the mean squared error alone; a million in the paper.
        content: Content loss after the warm-up: on the paper's VGG54 or VGG22 feature maps, or on pixels (mse).
        adversarial_weight: Weight of the adversarial term.
        vgg_scale: Factor of VGG19's feature maps.
        vgg_weights: File with VGG19's weights: torchvision's, or AdaIN's ``vgg_normalized.pth``, whose maps have
            another scale. None: torchvision's, downloaded when training begins.
        tile_size: Side of the tiles, in pixels of the image given, by which larger images are enlarged.

    Raises:
        ValueError: An argument is out of its range, or the crops are too small for VGG19's maps.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 96, 96),
        condition_shape: ImageShape = (3, 24, 24),
        generator: TranslatorFactory = SRResNet,
        discriminator: DiscriminatorFactory = SRGANDiscriminator,
        warm_up_steps: int = 0,
        content: Literal["vgg54", "vgg22", "mse"] = "vgg54",
        adversarial_weight: float = 1e-3,
        vgg_scale: float = 1 / 12.75,
        vgg_weights: str | None = None,
        tile_size: int = 128,
        **game: Any,
    ) -> None:
        if condition_shape is None:
            raise ValueError(
                "condition_shape is not known: SRGAN learns from images in two resolutions, such as those of "
                "SuperResolutionDataModule."
            )
        if content not in (*_MAPS, "mse"):
            raise ValueError(f"content is {content!r}: it must be vgg54, vgg22 or mse.")
        if warm_up_steps < 0 or tile_size < 1:
            raise ValueError(
                f"warm_up_steps is {warm_up_steps} and tile_size is {tile_size}: they must be at least 0 and 1."
            )
        # Four poolings come before VGG54 and one before VGG22; each halves the side, and a pixel must be left.
        least = 2 ** (_MAPS[content][0] - 1) if content in _MAPS else 1
        if content in _MAPS and image_shape[0] not in (1, 3):
            raise ValueError(
                f"content {content} compares maps of VGG19, which takes RGB or grey, and the images have "
                f"{image_shape[0]} channels: set content to mse."
            )
        if min(image_shape[1:]) < least:
            raise ValueError(
                f"content {content} compares crops from {least} x {least} up, not {image_shape[1]} x "
                f"{image_shape[2]}: change the data's crop_size."
            )
        super().__init__(
            generator=resolve(generator)(condition_shape, image_shape),
            discriminator=resolve(discriminator)(image_shape),
            **game,
        )
        self.scale = image_shape[1] // condition_shape[1]
        self.warm_up_steps = warm_up_steps
        self.content = content
        self.adversarial_weight = adversarial_weight
        self.vgg_scale = vgg_scale
        self.vgg_weights = vgg_weights
        self.tile_size = tile_size
        self._features: nn.Module | None = None

    @property
    def is_warming_up(self) -> bool:
        return self.game_step < self.warm_up_steps

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit" and self.content in _MAPS:
            self.features()  # Missing weights raise now, and not after the warm-up.

    def features(self) -> nn.Module:
        """VGG19's feature maps for the content loss, loaded on first use."""
        if self._features is None:
            vgg = Frozen(VGG19Features(*_MAPS[self.content], weights=self.vgg_weights))
            self._features = vgg.to(self.device, self.number_type)
        return self._features

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if 0 < self.game_step == self.warm_up_steps:
            # SRGAN begins as a training of its own from SRResNet's weights: Adam must not bring the moments of the MSE.
            self.optimizer_of("generator").optimizer.state.clear()

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        if self.is_warming_up:
            # SRResNet has no discriminator.
            return {}
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        if self.is_warming_up:
            return {"mse": F.mse_loss(batch.fake, batch.real)}
        adversarial = non_saturating_generator(self.discriminator(batch.fake))["adversarial"]
        return {"content": self.content_loss(batch), "adversarial": self.adversarial_weight * adversarial}

    def content_loss(self, batch: GameBatch) -> Tensor:
        """Content loss: squared distance between the VGG19 maps, or the pixels, of fakes and of real images."""
        if self.content == "mse":
            return F.mse_loss(batch.fake, batch.real)
        features = self.features()
        with torch.no_grad():
            wanted = features(batch.real)
        difference = self.vgg_scale * (features(batch.fake) - wanted).float()
        # Equation 5 divides by W H and not by the channels: a mean over them would be 512 times smaller.
        return difference.square().sum(dim=1).mean()

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        """Enlarge images; where the generator has a ``reach``, tile by tile, with the same result."""
        reach = getattr(self.averaged_generator, "reach", None)
        whole = max(images.shape[2:])
        # With overlaps of the receptive field's radius a tile's result is that of the whole image.
        made = in_tiles(self.averaged_generator, images, whole if reach is None else self.tile_size, reach or 0)
        return made.clamp(-1, 1)

    def portable(self, domain: str | None = None) -> Portable:
        """The network that enlarges whole images, and no tiles; see :meth:`TranslationGame.portable`."""
        network = self.averaged_generator
        return replace(super().portable(domain), network=Applied(lambda image: network(image).clamp(-1, 1), network))

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """PSNR in dB and SSIM as published: on the luminance, of whole levels, less ``scale`` pixels at the border.

        A grey photograph that comes as RGB is measured as one of three channels, which gives .6 dB more, .09 dB in
        the mean over Set14, than to measure its own levels.
        """
        images, truth = (to_uint8(part) for part in (self.translate(batch.condition), batch.real))
        return {"psnr": psnr(images, truth, self.scale).mean(), "ssim": ssim(images, truth, self.scale).mean()}

    column_captions = ("bicubic", "made", "true")

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Enlarged by bicubic interpolation, made, true."""
        bicubic = upscale(to_uint8(batch.condition).cpu(), self.scale).to(batch.real.device)
        return [self.scaled(bicubic), self.translate(batch.condition), batch.real]
