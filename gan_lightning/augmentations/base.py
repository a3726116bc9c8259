"""How an augmentation takes its place before the discriminators of any game."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from gan_lightning.trainer.internals import is_compiled


class Augmentation(nn.Module, ABC):
    """Random transformations ``T`` of all images that a discriminator is given: ``D(T(x))`` takes the place of D(x).

    Both players train through ``T``: it is applied to real images and to fakes, in the updates of both. A penalty's
    gradient is with respect to the image before ``T``. Samples, metrics and validation see no augmented image.

    A subclass defines :meth:`transform` of plain torch operations, differentiable twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images_seen = 0
        """Real images seen before the step, in all processes: what schedules are functions of."""
        self._is_active = False
        self._joined: Sequence[int] | None = None
        self._has_transformed = False

    @abstractmethod
    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        """Transform each image by a draw of its own.

        Args:
            images: N x C x H x W in [-1, 1], float32 or float64, outside autocast.
            channels: Numbers of channels whose sum is C: several images that lie one after the other along axis 1
                belong together, such as the two of a pair, and are transformed alike.

        Returns:
            N x C x H x W.
        """

    def end_step(self, images: int, step: int) -> None:
        """Called at the end of each step in which the discriminator was updated, in all processes.

        Args:
            images: Real images that the step took in all processes.
            step: Number of the step, counted from 1.
        """

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Transform images that belong together, N x C_i x H x W each, alike.

        Returns:
            As many, each with its dtype.

        Raises:
            ValueError: They differ in number or size.
        """
        sizes = {(len(each), *each.shape[2:]) for each in images}
        if len(sizes) > 1:
            raise ValueError(
                f"The discriminator is given images of several sizes at once, {' and '.join(map(str, sorted(sizes)))} "
                "(images, height, width), and an augmentation must move them alike: train without one, or let the "
                "discriminator be given one image, or several of one size."
            )
        widths = [each.shape[1] for each in images]
        joined = images[0] if len(images) == 1 else torch.cat(images, dim=1)
        # A game may have joined them itself, and says so.
        channels = self._joined if self._joined is not None and [sum(self._joined)] == widths else widths
        # In bfloat16 positions would be off by pixels.
        with torch.autocast(joined.device.type, enabled=False):
            moved = self.transform(joined.to(torch.promote_types(joined.dtype, torch.float32)), channels)
        self._has_transformed = True
        return tuple(part.to(each.dtype) for part, each in zip(moved.split(widths, dim=1), images, strict=True))

    @contextmanager
    def before(self, discriminators: Iterable[nn.Module], joined: Sequence[int] | None = None) -> Iterator[None]:
        """Transform the images among the inputs of discriminators within the context.

        Args:
            discriminators: Called within, as often as they may be.
            joined: Channels of the images that a game joins along axis 1; None: none are.
        """
        # Hooks and not wrappers: weights keep their names, and penalties and feature extractors find their layers.
        handles = [each.register_forward_pre_hook(self._hook(each), with_kwargs=True) for each in discriminators]
        self._is_active, self._joined = True, joined
        try:
            yield
        finally:
            self._is_active = False
            for handle in handles:
                handle.remove()

    def augmented(self, images: Tensor) -> Tensor:
        """Transformed images within :meth:`before`, and the images themselves elsewhere."""
        return self(images)[0] if self._is_active else images

    def check_use(self, game: str) -> None:
        """Refuse a game none of whose images have been transformed: it would train as if there were no augmentation.

        Raises:
            ValueError: It is so.
        """
        if not self._has_transformed:
            raise ValueError(
                f"{game} has an augmentation, {type(self).__name__}, and no image met it: its losses do not call the "
                "discriminator itself (or the networks of the ModuleDict that it is) with images, N x C x H x W. Call "
                "it, pass images through self.augmented(), or train without an augmentation."
            )

    def _hook(self, discriminator: nn.Module) -> Any:
        # A compiled network has its hooks in the graph, where random numbers would be other ones: a break before it.
        return torch.compiler.disable(self._transform_inputs) if is_compiled(discriminator) else self._transform_inputs

    def _transform_inputs(self, network: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Forward pre-hook: images anywhere in the inputs, such as a dictionary by domain, are replaced."""
        images: list[Tensor] = []
        apply_to_collection((given, named), Tensor, lambda part: images.append(part) if _is_image(part) else None)
        if not images:
            return None
        moved = iter(self(*images))
        return apply_to_collection((given, named), Tensor, lambda part: next(moved) if _is_image(part) else part)


def _is_image(part: Tensor) -> bool:
    # Neither labels nor latents, and no points, which some networks take as images of one pixel.
    return part.ndim == 4 and part.is_floating_point() and part[0, 0].numel() > 1
