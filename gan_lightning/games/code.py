"""Games with latent codes beside the noise (InfoGAN): a category and continuous codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import GeneratorFactory, ImageGame, ImageShape, repeat_cyclically
from gan_lightning.games.portable import Applied, Input, Portable, integers, uniform
from gan_lightning.games.randomness import fold, indexed_uniform, slerp

CodeDiscriminatorFactory = Callable[[ImageShape, int, int], nn.Module]
Codes = Mapping[str, Sequence[float]]

_CODE_STREAM = 2
_LARGEST = torch.finfo(torch.float32).max


class CodeGame(ImageGame):
    """A game whose latent is normal noise, a category as a one-hot vector, and continuous codes from U(-1, 1).

    The codes are called ``category``, ``continuous0``, ``continuous1``, ...

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the noise, without the codes.
        n_categories: Values of the categorical code.
        n_continuous: Continuous codes.
        generator: Makes the generator from the image shape and the length of noise and codes together.
        discriminator: Makes the discriminator from the image shape and the numbers of codes.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        n_categories: int,
        n_continuous: int,
        generator: GeneratorFactory,
        discriminator: CodeDiscriminatorFactory,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            # To its networks noise and codes are one vector; only the game knows where one ends.
            generator=lambda shape, length: resolve(generator)(shape, length + n_categories + n_continuous),
            discriminator=lambda shape: resolve(discriminator)(shape, n_categories, n_continuous),
            **game,
        )
        self.n_categories = n_categories
        self.n_continuous = n_continuous

    def parts(self, latent: Tensor) -> tuple[Tensor, ...]:
        """Split latents into noise, one-hot category and continuous codes, N x ... each."""
        return latent.split([self.latent_dim, self.n_categories, self.n_continuous], dim=1)

    def join(self, noise: Tensor, category: Tensor, continuous: Tensor) -> Tensor:
        """Join noise (N x latent_dim), categories (N,) and continuous codes (N x n_continuous) to latents."""
        return torch.cat([noise, F.one_hot(category, self.n_categories).to(noise.dtype), continuous], dim=1)

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        # z: N x latent_dim; the category is uniform over n_categories, the codes are U(-1, 1).
        noise = super().draw_latents(batch).latent
        category = torch.randint(self.n_categories, (len(noise),), device=noise.device)
        continuous = 2 * torch.rand(len(noise), self.n_continuous, device=noise.device, dtype=noise.dtype) - 1
        return replace(batch, latent=self.join(noise, category, continuous))

    def indexed_latents(self, start: int, stop: int, seed: int) -> Tensor:
        # A stream of its own: the codes of sample i do not change with the length of its noise.
        uniform = indexed_uniform(start, stop, 1 + self.n_continuous, fold(seed, _CODE_STREAM))
        category = (uniform[:, 0] * self.n_categories).long()
        return self.join(super().indexed_latents(start, stop, seed), category, 2 * uniform[:, 1:] - 1)

    def truncated_latents(self, latents: Tensor, truncation: float | None) -> Tensor:
        """Truncate the noise of latents; codes stay as they are. See :meth:`ImageGame.truncated_latents`."""
        noise, *codes = self.parts(latents)
        return torch.cat([super().truncated_latents(noise, truncation), *codes], dim=1)

    # Input codes.

    def check_codes(self, codes: Codes) -> None:
        """Refuse codes that do not exist, and values out of their range.

        Raises:
            ValueError: There is no code of that name or no such category, or a code has no value or an infinite one.
        """
        mine = type(self).__name__
        continuous = [f"continuous{i}" for i in range(self.n_continuous)]
        for name, values in codes.items():
            if name not in ("category", *continuous):
                raise ValueError(f"There is no code {name!r}: this {mine} has {', '.join(['category', *continuous])}.")
            if len(values) == 0:
                raise ValueError(f"The code {name} was given no value.")
            for value in values:
                if name == "category" and value not in range(self.n_categories):
                    last = self.n_categories - 1
                    raise ValueError(
                        f"There is no category {value:g}: this {mine} has 0 to {last}, nothing in between."
                    )
                # Asked the other way round, since NaN compares false.
                if not abs(value) <= _LARGEST:
                    raise ValueError(f"{name} is {value:g}: it must be a finite number, and training drew -1 to 1.")

    def _choose(self, latents: Tensor, codes: Codes | None, start: int) -> Tensor:
        """Replace the given codes in latents, N x ..., of which the first has the number ``start``."""
        # Clones: split() returns views of the latents.
        noise, category, continuous = (part.clone() for part in self.parts(latents))
        self.check_codes(codes or {})
        for name, values in (codes or {}).items():
            chosen = repeat_cyclically(values, start, start + len(latents))
            if name == "category":
                category = F.one_hot(chosen.long(), self.n_categories).to(noise.dtype)
            else:
                continuous[:, int(name.removeprefix("continuous"))] = chosen
        return torch.cat([noise, category, continuous], dim=1)

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        batch_size: int = 256,
        codes: Codes | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, its codes included.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.
            codes: Values by the code's name: sample ``i`` has value ``i % len`` of each. Other codes are drawn as in
                training.
            truncation: Of the noise; see :meth:`truncated_latents`.

        Returns:
            n x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There are no such codes.
        """
        latents = self.latents_of_samples(start, start + n, seed, truncation)
        latents = self._choose(latents, codes, start)
        return self.render(latents, batch_size=batch_size)

    def portable(self, domain: str | None = None) -> Portable:
        """The network from noise, categories and continuous codes to images; see :meth:`ImageGame.portable`."""
        made, network = super().portable(domain), self.image_generator

        def image(latent: Tensor, category: Tensor, continuous: Tensor | None = None) -> Tensor:
            codes = latent[:, :0] if continuous is None else continuous
            made: Tensor = network(self.join(latent, category, codes))
            return made

        about = f"categories, 0 to {self.n_categories - 1}"
        inputs = {**made.inputs, "category": Input(("batch",), about, integers(self.n_categories))}
        if self.n_continuous:
            inputs["continuous"] = Input(("batch", self.n_continuous), "codes, in training from -1 to 1", uniform)
        return replace(made, network=Applied(image, network), inputs=inputs)

    # Pictures.

    def interpolate_between(
        self,
        a: int,
        b: int,
        ways: Sequence[float],
        seed: int = 0,
        codes: Codes | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Interpolate between samples ``a`` and ``b``: noise on the sphere, codes linearly.

        Between two categories the input is a mixture of two one-hot vectors, which does not occur in training.

        Args:
            a: Number of the first sample.
            b: Number of the last sample, perhaps the same.
            ways: N positions between them: 0 is sample ``a``, 1 is sample ``b``.
            seed: Seed of the samples.
            codes: By the code's name, one value for all images, or those of the two ends. Other codes are those of the
                two samples.
            truncation: Of the noise of the two samples; see :meth:`truncated_latents`.

        Returns:
            N x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There are no such codes.
        """
        ends = torch.cat([self.indexed_latents(i, i + 1, seed) for i in (a, b)])
        start, end = self._choose(self.truncated_latents(ends, truncation), codes, 0).split(1)
        return self.render(self.latent_path(start, end, ways))

    def interpolate_latents(self, start: Tensor, end: Tensor, way: float) -> Tensor:
        (noise, *codes), (noise_end, *codes_end) = self.parts(start), self.parts(end)
        # Codes are uniform, not normal: straight lines stay within their range.
        straight = [torch.lerp(code, code_end, way) for code, code_end in zip(codes, codes_end, strict=True)]
        return torch.cat([slerp(noise, noise_end, way), *straight], dim=1)

    def row_condition(self, row: int) -> dict[str, Any]:
        """Row ``i`` has category ``i`` modulo the number of categories."""
        return {"codes": {"category": [row % self.n_categories]}}

    def traverse(self, code: int = 0, columns: int = 10, seed: int = 0, limit: float = 2.0) -> Tensor:
        """Images of one noise vector: the category changes from row to row, a continuous code along each row.

        Args:
            code: Number of the continuous code; the others are 0.
            columns: Images in a row.
            seed: Seed of the noise.
            limit: Range of the code, [-limit, limit]; InfoGAN's figures have 2, while training draws from [-1, 1].

        Returns:
            (n_categories * columns) x C x H x W.
        """
        # n_categories rows of `columns` images with the same noise.
        category = torch.arange(self.n_categories).repeat_interleave(columns)
        noise = super().indexed_latents(0, 1, seed).expand(len(category), -1)
        continuous = torch.zeros(len(category), self.n_continuous)
        if self.n_continuous:
            continuous[:, code] = torch.linspace(-limit, limit, columns).repeat(self.n_categories)
        return self.render(self.join(noise, category, continuous))

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """One row per category, along which the first continuous code grows; see :meth:`traverse`."""
        columns = max(1, n // self.n_categories)
        return self.traverse(columns=columns, seed=seed), columns

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        return [], [str(category) for category in range(self.n_categories)]
