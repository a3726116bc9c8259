"""Files of what ``predict`` makes: images, clips, or samples of a medium."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from gan_lightning.visualization.images import are_points, file_suffix, to_uint8, write_image
from gan_lightning.visualization.media import Medium
from gan_lightning.visualization.videos import write_clip

_RATE = 10
"""Frames a second of predicted clips."""


class PredictionWriter(BasePredictionWriter):
    """Writes predicted images, in [-1, 1], as PNG files into ``predictions/`` of the run directory.

    Images of 2 or more than 4 channels are written as .npy files, uint8, H x W x C; clips, N x T x C x H x W, as GIF
    and MP4 files, and examples of a game with a medium, such as sounds or texts, as its files.

    ``00003_017.png`` is image 17 of batch 3, counted over all ranks; each of several loaders gets a folder of its own.
    """

    def __init__(self) -> None:
        # Batch by batch: the images of a whole test set need not fit into memory.
        super().__init__(write_interval="batch")
        self._folder: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if are_points(getattr(pl_module, "image_shape", ())):
            raise ValueError(
                f"{type(pl_module).__name__} makes points, and predictions are written as PNG files: take "
                "`gan-lightning generate`."
            )
        log_dir = trainer.log_dir  # Collective: rank 0 broadcasts it.
        if stage == "predict" and log_dir is not None and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._folder = Path(log_dir) / "predictions"

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        if self._folder is None:
            return
        medium: Medium | None = getattr(pl_module, "medium", None)
        if medium is None and not (isinstance(prediction, Tensor) and prediction.ndim in (4, 5)):
            raise ValueError(
                f"{type(pl_module).__name__}.predict_step must return images, N x C x H x W, "
                "to be written as PNG files, or clips, N x T x C x H x W."
            )
        several = len(trainer.num_predict_batches) > 1
        folder = self._folder / str(dataloader_idx) if several else self._folder
        folder.mkdir(parents=True, exist_ok=True)
        # Ranks take batches in turn, so this number is unique over all of them.
        number = batch_idx * trainer.world_size + trainer.global_rank
        if medium is not None:
            for i, example in enumerate(prediction):
                medium.save(folder / f"{number:05d}_{i:03d}{medium.suffix}", example)
            return
        suffix = file_suffix(prediction.shape[-3])
        for i, image in enumerate(to_uint8(prediction).cpu()):
            path = folder / f"{number:05d}_{i:03d}{suffix}"
            if image.ndim == 4:
                write_clip(path, image, _RATE)
            else:
                write_image(path, image)
