"""StackGAN: one stage sketches a small image of a text, another makes it large and fine."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextGame
from gan_lightning.losses import Terms, condition_kl, joint_discrimination, joint_generation
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks import StackGANGenerator, TextDiscriminator
from gan_lightning.networks.text import Text


class StackGAN(TextGame):
    """Zhang et al., *StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks*,
    ICCV 2017, arXiv 1612.03242, equations 3 to 6.

    With the mean mu of a text's condition, in both stages ``L_G = -log D(G, mu) + kl_weight * KL(N(mu, sigma^2) || N(0,
    1))``, and ``L_D = -log D(x, mu) - 1/2 [log(1 - D(G, mu)) + log(1 - D(x, mu'))]``, mu' of a wrong text. As in the
    authors' PyTorch code stage 2 has a second head for images alone, whose losses are averaged with those of the first,
    the discriminators take mu without a gradient, and KL is a mean over the condition's numbers.

    Stage 1 is trained for ``stage1_steps`` steps, and then held still, in evaluation mode, while stage 2 is trained;
    until then samples are stage 1's, enlarged. A run of stage 2 alone has ``stage1_steps`` 0 and begins with a trained
    stage 1, ``--init_from '{generator: last.ckpt}'`` or, of a published file, ``'{generator.stage1: netG.pth}'``.

    Args:
        image_shape: Channels, height, width of stage 2's images. The command line takes it from the data.
        latent_dim: Length of z; the noise of both conditions comes beside it.
        generator: Makes the generator from the image shape, the lengths of z, of text features and of the condition,
            and the scale.
        discriminator: Makes each discriminator from the shape of its images, the length of the condition, whether it
            also judges images alone, and False: initial weights are not orthogonal.
        condition_dim: Length of the condition.
        scale: How many times larger stage 2's images are than stage 1's, a power of two.
        stage1_steps: Steps of stage 1; 0: it is trained already.
        kl_weight: Weight of the condition's divergence.
    """

    generator: Any

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: Callable[[ImageShape, int, int, int, int], nn.Module] = StackGANGenerator,
        discriminator: Callable[[ImageShape, int, bool, bool], nn.Module] = TextDiscriminator,
        condition_dim: int = 128,
        scale: int = 4,
        stage1_steps: int = 20_000,
        kl_weight: float = 2.0,
        **game: Any,
    ) -> None:
        def discriminators(shape: ImageShape, _: int) -> nn.ModuleDict:
            small = (shape[0], shape[1] // scale, shape[2] // scale)
            make = resolve(discriminator)
            return nn.ModuleDict(
                {
                    "1": make(small, condition_dim, False, False),
                    "2": make(shape, condition_dim, True, False),
                }
            )

        super().__init__(
            image_shape,
            latent_dim,
            lambda *sizes: resolve(generator)(*sizes, condition_dim, scale),
            discriminators,
            **game,
        )
        self.latent_dim = sum(self.generator.lengths)
        self.scale = scale
        self.stage1_steps = stage1_steps
        self.kl_weight = kl_weight
        self._set_stage(2 if stage1_steps == 0 else 1)

    @property
    def stage(self) -> int:
        """The stage that is trained, and whose images samples are: 1 or 2."""
        stage: int = self.generator.stage
        return stage

    def _set_stage(self, stage: int) -> None:
        networks: list[Any] = [self.generator, self.averaged_generator]
        for network in networks:
            network.stage = stage

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.stage1_steps == 0 and not self.initialised_from.keys() & {"generator", "generator.stage1"}:
            rank_zero_warn(
                "stage1_steps is 0, and stage 1 has its random first weights: name a trained one by --init_from "
                "'{generator: last.ckpt}', or give it steps."
            )

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        stage = 1 if self.game_step < self.stage1_steps else 2
        if stage != self.stage:
            self._set_stage(stage)
        return super().training_step(batches, batch_idx)

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Draw the latents, and average the real images down to the size of the stage's."""
        batch = super().draw_latents(batch)
        return batch if self.stage == 2 else replace(batch, real=F.avg_pool2d(batch.real, self.scale))

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        images: Tensor = self.generator.of_stage(batch.latent, *self.generator_inputs(batch.condition.text))
        return images

    def _judge(self) -> nn.Module:
        return cast(nn.ModuleDict, self.discriminator)[str(self.stage)]

    def _mean(self, text: Text) -> Tensor:
        mean: Tensor = self.generator.conditioning.moments(text.sentence)[0]
        return mean.detach()

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        right, wrong = map(self._mean, (batch.condition.text, batch.condition.wrong))
        judge = self._judge()
        image, pair, wrong_pair = judge(batch.real, right, wrong)
        with judge_named(str(self.stage)):
            return joint_discrimination((image, pair), wrong_pair, judge(batch.fake, right))

    def generator_loss(self, batch: GameBatch) -> Terms:
        text = batch.condition.text
        kl = condition_kl(*self.generator.conditioning.moments(text.sentence))
        return {**joint_generation(self._judge()(batch.fake, self._mean(text))), "kl": self.kl_weight * kl}
