"""Number of the data's modes that the samples cover, during training."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer

from gan_lightning.arguments.ranges import check_seed, check_whole
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.metrics.mode_coverage import mode_coverage
from gan_lightning.trainer.processes import on_rank_zero


class ModeCoverage(Measurement):
    """Logs how many modes of a mixture the samples cover, and the share of high-quality samples.

    ``val/modes`` counts the modes with at least ``min_share`` of their expected share of the samples within three
    standard deviations; ``val/high_quality`` is the share of all samples that lie so near to any mode; see
    :func:`gan_lightning.metrics.mode_coverage.mode_coverage`. When testing, the names begin with ``test/``. It is for
    data whose modes are known: a data module with ``centres`` (K x D) and ``std``, such as ``ToyDataModule``.

    The samples are those that ``sample()`` makes, from the average of the weights, and the same latents every time.
    Training goes on in the same bits with this callback or without it.

    Args:
        num_samples: How many samples.
        every_n_steps: Generator updates between two measurements. None: measure at every validation.
        seed: Which latents.
        min_share: Share of a mode's expected samples, 1 / K of all, that covers it. 0.08 of eight modes: 1 % of all.

    Raises:
        ValueError: An argument is out of its range, the model makes no samples, or the data module has no ``centres``
            and ``std``.
    """

    def __init__(
        self, num_samples: int = 2500, every_n_steps: int | None = None, seed: int = 0, min_share: float = 0.08
    ) -> None:
        super().__init__(every_n_steps)
        check_whole(1, num_samples=num_samples)
        check_seed(seed=seed)
        if isinstance(min_share, bool) or not isinstance(min_share, int | float) or not 0 < min_share <= 1:
            raise ValueError(f"min_share is {min_share!r}: it must be greater than 0 and at most 1.")
        self.num_samples = num_samples
        self.seed = seed
        self.min_share = min_share

    @property
    def names(self) -> list[str]:
        return ["modes", "high_quality"]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            return
        super().setup(trainer, pl_module, stage)
        data: Any = getattr(trainer, "datamodule", None)
        if not hasattr(pl_module, "sample"):
            raise ValueError(f"ModeCoverage needs samples, and {type(pl_module).__name__} has no sample().")
        if not (hasattr(data, "centres") and hasattr(data, "std")):
            name = "there is no data module" if data is None else f"{type(data).__name__} does not have them"
            raise ValueError(f"ModeCoverage must know the modes (centres and std), and {name}: use ToyDataModule.")

    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]

        def cover() -> dict[str, float]:
            # The same latents each time: a change of the figure is then a change of the generator.
            samples = game.sample(self.num_samples, seed=self.seed)
            modes, high_quality = mode_coverage(samples, data.centres, data.std, self.min_share)
            return {"modes": float(modes), "high_quality": high_quality}

        # Rank 0 measures and broadcasts: the samples are the same on all ranks.
        return on_rank_zero(cover)
