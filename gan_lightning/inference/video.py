"""Prediction of the frames after a video by a loaded model."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor
from tqdm import tqdm

from datamodules.components.video import FrameReader, Video, VideoError, warn_of_unevenness
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.video import VideoGame
from gan_lightning.inference.translation import ImageError

_USUAL_RATE = 10.0
"""Frames a second where a video does not say."""


def check_video(model: AdversarialModule, n: int | None) -> None:
    """Refuse a number of frames for a model that predicts none, and a model that does without one.

    Raises:
        ValueError: As above.
    """
    name = type(model).__name__
    if isinstance(model, VideoGame) and n is None:
        raise ValueError(f"{name} predicts the frames after a video: give --frames and how many.")
    if not isinstance(model, VideoGame) and n is not None:
        raise ValueError(f"{name} translates images and predicts no frames: leave out --frames.")


def continue_video(model: VideoGame, video: Video, n: int) -> tuple[Tensor, float]:
    """Predict the frames after the last ones of a video, of any size; a warning says so if it is cut off or uneven.

    Args:
        model: Predicts frames.
        video: A file or a folder of frames.
        n: Frames to predict.

    Returns:
        Its last ``n_given`` frames and the predicted ones, T x C x H x W in [-1, 1]; its frames a second.

    Raises:
        ImageError: It cannot be read, or has fewer frames than the model is given.
    """
    reader = FrameReader(video, model.channels, None)
    try:
        # The whole video is read: where it ends is known when it has.
        bar = tqdm(reader, f"Reading {video.path.name}", unit=" frames", leave=False, disable=None)
        last = deque(bar, model.n_given)
    except (VideoError, ModuleNotFoundError) as error:
        raise ImageError(f"{video.path} cannot be read: {error}.") from error
    if len(last) < model.n_given:
        name = type(model).__name__
        raise ImageError(f"{video.path} is too short: {name} is given {model.n_given} frames, and it has {len(last)}.")
    warn_of_unevenness(video.path, reader.unevenness)
    # T x C x H x W
    given = model.scaled(torch.stack([torch.from_numpy(frame.transpose(2, 0, 1).copy()) for frame in last]))
    made = model.predict_frames(given.flatten(0, 1)[None], n)[0]
    return torch.cat([given.to(made.device), made]), reader.rate or _USUAL_RATE
