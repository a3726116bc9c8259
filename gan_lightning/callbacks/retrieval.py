"""Whether samples show their texts, and whether encoders find held-out texts; pictures of what they find."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.arguments.ranges import check_seed, check_whole
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.callbacks.picture import Picture
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.inference.encoders import encoder_pair
from gan_lightning.metrics.image_sources import Samples
from gan_lightning.metrics.retrieval import distinct_texts, r_precision, retrieval_accuracy, text_scores
from gan_lightning.trainer.processes import on_rank_zero

_MOST_EXAMPLES = 1000


class TextRetrieval(Measurement):
    """Measures how well images and texts go together, and logs ``val/r_precision`` and others.

    Of a game of texts, such as GAN-CLS, it makes samples of the game's ``texts``, which are held out, and compares them
    in the space of ``encoders``: ``r_precision`` (by chance ``1 / n_candidates``), its ``r_precision_std`` over ten
    folds, and ``text_similarity``, 100 times the mean cosine of a sample and its text, the CLIP score where the
    encoders are CLIP's.

    Of a game of encoders, such as JointEmbedding or DAMSM, it compares the held-out images with their texts:
    ``r_precision``, and ``text_accuracy`` and ``image_accuracy``, how often an image's own text, or a text's own image,
    is the nearest of all.

    Args:
        encoders: Checkpoint of a game of encoders, or the import path of a class with ``encode_images`` and
            ``encode_texts``, such as a user's CLIP. None: for a game of encoders, which measures itself, and for one
            that has both, such as AttnGAN, which has learned to please them.
        n_candidates: Texts that each image is compared with, its own included.
        num_samples: Samples of a game of texts, of one text after the other.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        batch_size: Images at a time.
        seed: Of the latents, and of the candidates.

    Raises:
        ValueError: An argument is out of its range; before the run: there are too few texts, or nothing to measure.
    """

    def __init__(
        self,
        encoders: str | None = None,
        n_candidates: int = 100,
        num_samples: int = 1000,
        every_n_steps: int | None = None,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(every_n_steps)
        check_whole(2, n_candidates=n_candidates)
        check_whole(1, num_samples=num_samples, batch_size=batch_size)
        check_seed(seed=seed)
        self.encoders = encoders
        self.n_candidates = n_candidates
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self._pair: Any = None
        self._measures_encoders = False

    @property
    def names(self) -> list[str]:
        own = ["text_accuracy", "image_accuracy"] if self._measures_encoders else ["text_similarity"]
        return ["r_precision", "r_precision_std", *own]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            return
        game: Any = pl_module
        self._measures_encoders = isinstance(game, EmbeddingGame)
        if self._measures_encoders:
            n_texts = len(held_out_examples(trainer)[1].unique(dim=0))
        elif hasattr(game, "encode_texts") and hasattr(game, "sample"):
            self._pair = encoder_pair(self.encoders, game)
            n_texts = len(distinct_texts(self._pair, game.texts)[0])
            splits = getattr(getattr(trainer, "datamodule", None), "splits", None)
            if splits is not None and not (len(splits.val) or len(splits.test)):
                rank_zero_warn(
                    "The data hold out no images, so TextRetrieval measures samples of captions that training has "
                    "seen: set data.val_size to hold out some."
                )
        else:
            raise ValueError(f"TextRetrieval compares images with texts, and {type(game).__name__} knows no texts.")
        if n_texts < self.n_candidates:
            raise ValueError(
                f"TextRetrieval compares each image with n_candidates, {self.n_candidates}, different texts, and there "
                f"{'is' if n_texts == 1 else 'are'} {n_texts} held out: give a smaller number, or hold out more images "
                "(data.val_size)."
            )
        super().setup(trainer, pl_module, stage)

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        # Rank 0 measures and broadcasts: the samples are the same on all ranks.
        if self._measures_encoders:
            return on_rank_zero(lambda: self._of_encoders(*held_out_examples(trainer), game))
        return on_rank_zero(lambda: self._of_samples(game))

    def _of_samples(self, game: Any) -> dict[str, float]:
        texts = list(dict.fromkeys(game.texts))
        pair = self._pair.to(game.device) if hasattr(self._pair, "to") else self._pair
        samples = Samples(partial(game.sample, texts=texts), self.num_samples, self.seed)
        # Sample i is of text i, counted round.
        own = torch.arange(self.num_samples) % len(texts)
        return text_scores(pair, samples, texts, own, self.n_candidates, self.seed, self.batch_size)

    def _of_encoders(self, images: Tensor, tokens: Tensor, game: Any) -> dict[str, float]:
        # Texts that are equal are one.
        texts, own = tokens.unique(dim=0, return_inverse=True)
        features = (game.encode_images(images, self.batch_size), game.encode_tokens(texts).sentence)
        mean, std = r_precision(*features, own, self.n_candidates, self.seed)
        of_images, of_texts = retrieval_accuracy(*features, own)
        return {
            "r_precision": mean,
            "r_precision_std": std,
            "text_accuracy": of_images,
            "image_accuracy": of_texts,
        }


class RetrievalGrid(Picture):
    """Writes, for a game of encoders, the held-out images that fit each of some held-out texts best, a row each.

    Into ``retrievals/`` of the run directory. Loggers that accept images get the pictures too.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Texts in a picture.
        columns: Images of each, the best first.
        seed: Has no effect; pictures have one.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "retrievals"
    required_method = "encode_tokens"

    def __init__(
        self, every_n_steps: int = 500, n: int = 8, columns: int = 8, seed: int = 0, scale: int | None = None
    ) -> None:
        super().__init__(every_n_steps, seed, scale)
        check_whole(1, n=n, columns=columns)
        self.n, self.columns = n, columns
        self._texts: list[str] = []

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        images, tokens = held_out_examples(game.trainer)
        n = min(self.n, len(tokens))
        tokens = tokens[torch.arange(n) * len(tokens) // n]
        self._texts = game.tokenizer.decode(tokens)
        texts = F.normalize(game.encode_tokens(tokens).sentence, dim=1)
        scores = texts @ F.normalize(game.encode_images(images), dim=1).T
        best = scores.topk(min(self.columns, len(images)), dim=1).indices.cpu()
        return game.scaled(images[best.flatten()]), best.shape[1]

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        return (), self._texts


def held_out_examples(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """Images of the validation set, or of the test set where there are none, and the first caption's tokens of each.

    At most a thousand; all of them in every process.

    Raises:
        ValueError: The data have none.
    """
    data: Any = getattr(trainer, "datamodule", None)
    splits = getattr(data, "splits", None)
    found: list[Any] = [getattr(splits, "val", ()), getattr(splits, "test", ())]
    source = next((each for each in found if len(each)), None)
    if splits is not None and source is None:
        raise ValueError(
            f"{type(data).__name__} holds out no images for validation, by which encoders are measured and shown: set "
            "data.val_size, such as to a tenth of the images."
        )
    if source is None or not hasattr(source, "first"):
        raise ValueError(
            "Held-out images with texts are read from CaptionedImageDataModule: give the trainer one as datamodule, "
            "with images for validation."
        )
    n = min(len(source), _MOST_EXAMPLES)
    places = torch.arange(n) * len(source) // n
    images = torch.cat([*source.image_batches([*places.split(256)])])
    return images, source.first(places)
