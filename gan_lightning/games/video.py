"""Games of videos: a generator that predicts the frame after those it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.portable import Applied, Portable, images_of
from gan_lightning.games.translation import TranslationGame
from gan_lightning.losses import Terms
from gan_lightning.metrics.video import frame_measures, moving_areas
from gan_lightning.trainer.loader_batches import clips_in
from gan_lightning.visualization.images import to_uint8


class VideoGame(TranslationGame):
    """A game whose generator predicts a frame from the ``n_given`` frames before it.

    The loader yields clips, N x T x C x H x W, T at least ``n_given + 1``. In a batch ``condition`` has the given
    frames and ``real`` all later ones, each joined along the channels: N x (t C) x H x W. A variant overrides
    :meth:`translate_batch`, which predicts one frame; those after it are predicted of predicted frames.

    Args:
        generator: Network from given frames to the next one.
        discriminator: Network that judges frames.
        image_shape: Channels, height, width of a frame.
        n_given: Frames that a frame is predicted of.
        n_predict: Frames predicted in validation, in pictures and by ``predict``.
        **game: Arguments of :class:`~gan_lightning.games.translation.TranslationGame`.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        image_shape: tuple[int, int, int],
        n_given: int = 4,
        n_predict: int = 2,
        **game: Any,
    ) -> None:
        super().__init__(generator=generator, discriminator=discriminator, **game)
        # Given frames and the next one may be joined into one input of the discriminator.
        self.channels = image_shape[0]
        self.joined_channels = (self.channels,) * (n_given + 1)
        self.n_given = n_given
        self.n_predict = n_predict

    def prepare_batch(self, raw: Any) -> GameBatch:
        frames = self.scaled(clips_in(raw, self.n_given + 1, type(self).__name__))
        given, later = frames[:, : self.n_given], frames[:, self.n_given :]
        return GameBatch(later.flatten(1, 2), given.flatten(1, 2))

    def predict_frames(self, given: Tensor, n: int) -> Tensor:
        """Predict ``n`` frames of any size, each from the ``n_given`` before it, predicted ones among them.

        Args:
            given: N x (n_given C) x H x W in [-1, 1].
            n: At least 1.

        Returns:
            N x n x C x H x W in [-1, 1], on the model's device.
        """
        given = given.to(self.device)
        predicted: list[Tensor] = []
        with torch.no_grad():
            for _ in range(n):
                predicted.append(self.translate(given))
                # The oldest frame leaves.
                given = torch.cat([given[:, self.channels :], predicted[-1]], dim=1)
        return torch.stack(predicted, dim=1)

    def portable(self, domain: str | None = None) -> Portable:
        """The network from given frames, joined along the channels, to the next frame."""
        made = super().portable(domain)
        about = f"{self.n_given} frames, the oldest first, joined along the channels"
        network = Applied(lambda frames: self.translate_batch(frames, None, {}), self.averaged_generator)
        return replace(made, network=network, inputs={"frames": images_of(self.n_given * self.channels, about)})

    def continued(self, batch: GameBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Given frames, true later ones and predictions of these, N x t x C x H x W each; at most ``n_predict``."""
        given, later = (part.unflatten(1, (-1, self.channels)) for part in (batch.condition, batch.real))
        later = later[:, : self.n_predict]
        return given, later, self.predict_frames(batch.condition, later.shape[1])

    def validation_metrics(self, batch: GameBatch) -> Terms:
        """Measures of each predicted frame, and of the last given one in its place (``copy_...``).

        ``psnr_1`` is of moving areas of the first predicted frame, as published; see
        :func:`~gan_lightning.metrics.video.frame_measures`. ``whole_psnr_1`` is of the whole frame.
        """
        given, later, predicted = (to_uint8(part) for part in self.continued(batch))
        terms: Terms = {}
        before = copy = given[:, -1]
        for i in range(later.shape[1]):
            truth, made = later[:, i], predicted[:, i]
            moving = moving_areas(before, truth)
            measures = {
                "": frame_measures(made, truth, moving),
                "copy_": frame_measures(copy, truth, moving),
                "whole_": frame_measures(made, truth),
            }
            terms |= {
                f"{prefix}{name}_{i + 1}": values.mean()
                for prefix, of_frames in measures.items()
                for name, values in of_frames.items()
            }
            before = truth
        return terms

    @property
    def column_captions(self) -> Sequence[str]:
        later = [str(i + 1) for i in range(self.n_predict)]
        given = [f"given {i + 1}" for i in range(self.n_given)]
        return [*given, *(f"true {i}" for i in later), *(f"made {i}" for i in later)]

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Given frames, of which the last is what a copy would be; true later ones; predicted ones."""
        return [frame for part in self.continued(batch) for frame in part.unbind(dim=1)]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Clips of given frames and ``n_predict`` predicted ones, N x T x C x H x W in [-1, 1]."""
        given = self.checked_batch(batch).condition
        made = self.predict_frames(given, self.n_predict)
        return torch.cat([given.unflatten(1, (-1, self.channels)), made], dim=1)
