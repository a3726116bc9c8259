"""pix2code: the program of a page from its screenshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.components.screens import END, MOST_TOKENS, PLACEHOLDER, START, TOKENS, text_of
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.metrics.programs import program_measures
from gan_lightning.networks import Pix2CodeGenerator, ProgramDiscriminator
from gan_lightning.optimizers import Pix2CodeRMSprop
from gan_lightning.trainer.loader_batches import describe
from gan_lightning.visualization.programs import PageProgram

ProgramNetworkFactory = Callable[[tuple[int, int, int], int], nn.Module]


class Pix2Code(AdversarialModule, generator_optimizer=Pix2CodeRMSprop, ema_decay=None):
    """Beltramelli, *pix2code: Generating Code from a Graphical User Interface Screenshot*, 2017, arXiv 1705.07962.

    Maximum likelihood, no adversary: ``L_G = -E log p(t_{i+1} | x, t_1 ... t_i)``, the mean over all tokens of a
    program from its start to its end. The paper cuts each program into windows of 48 tokens, which begin with an empty
    state and predict the one token after them; here the networks read a program once and predict every token, so that
    they know all tokens before it and not 48 at most, and an epoch costs about a fiftieth.

    With ``adversarial_weight`` above 0 (no part of the paper) a discriminator tells true programs, one-hot, from the
    probabilities that the generator gives after the true tokens, each with its screenshot: non-saturating losses.

    Validation writes programs freely, the likeliest token after those written before, and compares them with the true
    ones; see :func:`~gan_lightning.metrics.programs.program_measures`.

    Args:
        image_shape: Channels, height, width of a screenshot. The command line takes it from the data.
        generator: Makes the generator from the shape of a screenshot and the number of tokens.
        discriminator: Makes the discriminator from the same.
        adversarial_weight: Weight of the adversarial term; 0: without it, and without updates of the discriminator.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        generator: ProgramNetworkFactory = Pix2CodeGenerator,
        discriminator: ProgramNetworkFactory = ProgramDiscriminator,
        adversarial_weight: float = 0.0,
        **game: Any,
    ) -> None:
        channels, height, width = image_shape
        image_shape = (channels, height, width)
        super().__init__(
            generator=resolve(generator)(image_shape, len(TOKENS)),
            discriminator=resolve(discriminator)(image_shape, len(TOKENS)),
            **game,
        )
        self.image_shape = image_shape
        self.adversarial_weight = adversarial_weight

    @property
    def medium(self) -> PageProgram:
        """What programs are as files."""
        return PageProgram()

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into one-hot programs with screenshots and tokens as their condition.

        Args:
            raw: A dictionary of ``images``, N x C x H x W, and ``tokens``, N x T, each from its start on.
        """
        images, tokens = (raw.get(name) if isinstance(raw, Mapping) else None for name in ("images", "tokens"))
        if not isinstance(images, Tensor) or not isinstance(tokens, Tensor) or tokens.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} needs screenshots and the tokens of their programs, as ScreenshotsDataModule "
                f"gives them, {{'images': ..., 'tokens': N x T}}, and the loader yields {describe(raw)}."
            )
        if images.shape[1:] != self.image_shape:
            raise ValueError(
                f"The data has images of {' x '.join(map(str, images.shape[1:]))}, but the model was made for "
                f"{' x '.join(map(str, self.image_shape))} (channels x height x width): change the data's image_size "
                "or the model's image_shape."
            )
        # What is to be predicted: all tokens after the start.
        real = F.one_hot(tokens[:, 1:].long(), len(TOKENS)).to(self.number_type)
        return GameBatch(real, {"images": self.scaled(images), "tokens": tokens.long()})

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        """Probabilities of each token after the true ones, N x T x V."""
        logits = self.generator(batch.condition["images"], batch.condition["tokens"][:, :-1])
        return logits.softmax(dim=2)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        if self.adversarial_weight == 0:
            return {}
        images = batch.condition["images"]
        counted = self._counted(batch)
        real, fake = (self.discriminator(programs * counted, images) for programs in (batch.real, batch.fake))
        return minimax_discriminator(real, fake)

    def generator_loss(self, batch: GameBatch) -> Terms:
        terms = {"likelihood": cross_entropy(batch.fake, batch.condition["tokens"][:, 1:])}
        if self.adversarial_weight:
            logits = self.discriminator(batch.fake * self._counted(batch), batch.condition["images"])
            terms["adversarial"] = self.adversarial_weight * non_saturating_generator(logits)["adversarial"]
        return terms

    def _counted(self, batch: GameBatch) -> Tensor:
        """1 where a program has a token, 0 after its end, N x T x 1: nobody learns from what comes there."""
        return (batch.condition["tokens"][:, 1:, None] != PLACEHOLDER).to(batch.real.dtype)

    def write_programs(self, images: Tensor) -> list[list[int]]:
        """Write the programs of images, token by token, each the likeliest; at most 150 tokens.

        Args:
            images: N x C x H x W in [-1, 1].

        Returns:
            Tokens of each, without start and end.
        """
        network = cast(Pix2CodeGenerator, self.averaged_generator)
        with evaluating(network):
            features = network.features(images.to(self.device, self.number_type))
            token = torch.full((len(images), 1), START, device=self.device)
            state = None
            written = []
            for _ in range(MOST_TOKENS):
                logits, state = network.step(features, token, state)
                token = logits[:, -1:].argmax(dim=2)
                written.append(token)
                ends = torch.cat(written, dim=1) == END
                if bool(ends.any(dim=1).all()):
                    break
        return [before_end(row) for row in torch.cat(written, dim=1).tolist()] if len(images) else []

    def transcribe(self, images: Tensor) -> list[str]:
        """Texts of the programs of images, N x C x H x W in [-1, 1]; the language need not allow them."""
        return [text_of(program) for program in self.write_programs(images)]

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_measures(batch, "val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._log_measures(batch, "test")

    def _log_measures(self, raw: Any, split: str) -> None:
        batch = self.checked_batch(raw)
        made = self.write_programs(batch.condition["images"])
        truth = [before_end(row) for row in batch.condition["tokens"].tolist()]
        terms = {f"{split}/{name}": value for name, value in program_measures(made, truth).items()}
        self.log_dict(terms, batch_size=len(made), sync_dist=True)


def before_end(tokens: list[int]) -> list[int]:
    """Tokens up to the first end, without starts and placeholders."""
    cut = tokens[: tokens.index(END)] if END in tokens else tokens
    return [token for token in cut if token not in (START, PLACEHOLDER)]


def cross_entropy(probabilities: Tensor, tokens: Tensor) -> Tensor:
    """Mean of -log p over all tokens but placeholders.

    Args:
        probabilities: N x T x V.
        tokens: N x T.
    """
    of_true = probabilities.gather(2, tokens[..., None]).squeeze(2)
    # A probability of 0 in float32 is not infinitely wrong.
    costs = -of_true.clamp(min=torch.finfo(torch.float32).tiny).log()
    counted = tokens != PLACEHOLDER
    return (costs * counted).sum() / counted.sum()
