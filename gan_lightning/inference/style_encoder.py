"""The style of an image, carried over to other texts: an encoder that inverts a trained generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.randomness import fold, own_randomness
from gan_lightning.inference.sampling import check_texts
from gan_lightning.networks.gan_cls import StyleEncoder

_LEARNING_RATE = 2e-4
_STREAM = 4


def train_style_encoder(
    model: AdversarialModule, steps: int = 2000, batch_size: int = 64, seed: int = 0, encoder: nn.Module | None = None
) -> nn.Module:
    """Train S on ``E |z - S(G(z, t))|^2``, the mean over the latent (Reed et al., 2016, arXiv 1605.05396, equation 6).

    Latents z are drawn, and texts t from the game's own; the generator stays as it is. No data are needed.

    Args:
        model: A game of texts, such as GAN-CLS.
        steps: Updates of S, by Adam.
        batch_size: Samples in each.
        seed: Of the latents, the texts and the first weights of S.
        encoder: S. None: a :class:`~gan_lightning.networks.StyleEncoder`.

    Returns:
        S in evaluation mode, on the model's device: N x C x H x W in [-1, 1] to N x latent_dim.

    Raises:
        ValueError: The model makes no images of texts, or a number is out of its range.
    """
    game = _of_texts(model)
    if steps < 1 or batch_size < 2:
        raise ValueError(f"steps is {steps} and batch_size is {batch_size}: they must be at least 1 and 2.")
    with own_randomness(fold(seed, _STREAM), game.device), torch.inference_mode(False), torch.enable_grad():
        style = (encoder or StyleEncoder(game.image_shape, game.latent_dim)).to(game.device)

        def loss(step: int) -> Tensor:
            start = step * batch_size
            latents = game.indexed_latents(start, start + batch_size, fold(seed, _STREAM)).to(game.device)
            tokens = game.tokenizer.encode(game.indexed_texts(start, start + batch_size, fold(seed, _STREAM)))
            return F.mse_loss(style(game(latents, tokens).detach()), latents)

        fit_encoder(style, loss, steps, "Learning styles")
    return style.eval()


def fit_encoder(encoder: nn.Module, loss: Callable[[int], Tensor], steps: int, title: str) -> None:
    """Minimise a loss by Adam, with a progress bar.

    Args:
        encoder: What is trained.
        loss: Of a step, by its number.
        steps: How many.
        title: Of the progress bar.
    """
    encoder.train()
    adam = torch.optim.Adam(encoder.parameters(), _LEARNING_RATE, (0.5, 0.999))
    for step in tqdm(range(steps), title, unit=" steps", disable=None):
        adam.zero_grad()
        loss(step).backward()
        adam.step()


def transfer_style(model: AdversarialModule, encoder: nn.Module, images: Tensor, texts: Sequence[str]) -> Tensor:
    """Make images of texts in the style of others: ``G(S(x), t)`` for every image x and every text t.

    Args:
        model: A game of texts.
        encoder: As :func:`train_style_encoder` returns it.
        images: N x C x H x W, uint8 or in [-1, 1], of the model's shape.
        texts: T texts.

    Returns:
        (N T) x C x H x W in [-1, 1], image by image, on the model's device.

    Raises:
        ValueError: The model makes no images of texts, or the images are not of its shape.
    """
    game = _of_texts(model)
    check_texts(game, texts)
    game.check_shape(images)
    with evaluating(encoder):
        latents = encoder(game.scaled(images.to(game.device)))
    tokens = game.tokenizer.encode(texts).repeat(len(images), 1)
    return game(latents.repeat_interleave(len(texts), dim=0), tokens)


def _of_texts(model: AdversarialModule) -> Any:
    if not hasattr(model, "indexed_texts"):
        raise ValueError(f"{type(model).__name__} makes no images of texts, whose style could be that of another.")
    return model
