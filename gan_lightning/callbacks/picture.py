"""Base class of callbacks that write pictures: when, into which folder, and to which loggers."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from gan_lightning.arguments.ranges import check_seed, check_whole, check_whole_if_given
from gan_lightning.games.batch import GameBatch
from gan_lightning.loggers.guards import errors_as_warnings
from gan_lightning.trainer.internals import before_batch_transfer
from gan_lightning.trainer.step_batches import batches_of
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import are_points, drawable, enlarge, grid, to_pil, to_uint8, write_png

_COMFORTABLE_SIDE = 512


class Picture(Callback, ABC):
    """Writes a picture at intervals into a folder of the run directory, and sends it to the loggers.

    Files are named by the step; the first shows step 0 and the last the last step. Training's random numbers are left
    alone.

    Args:
        every_n_steps: Generator updates between two pictures.
        seed: Seed of the latents.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject: ClassVar[str]
    """Name of the folder, and of the picture in a logger."""
    required_method: ClassVar[str]
    """Name of the game's method that makes the images; games without it are skipped."""

    def __init__(self, every_n_steps: int, seed: int, scale: int | None) -> None:
        check_whole(1, every_n_steps=every_n_steps)
        check_whole_if_given(1, scale=scale)
        check_seed(seed=seed)
        self.every_n_steps = every_n_steps
        self.seed = seed
        self.scale = scale
        self._folder: Path | None = None
        self._written_step = -1

    @classmethod
    def reason_to_skip(cls, game: Any) -> str | None:
        """Return why a game has no such picture; None if it has."""
        name = type(game).__name__
        if medium := getattr(game, "medium", None):
            return f"{name} makes {medium.name} and no images: MediaSamples writes them"
        if not hasattr(game, cls.required_method):
            return f"{name} has no {cls.required_method}()"
        return f"{name} makes points, which ScatterPlot plots" if are_points(getattr(game, "image_shape", ())) else None

    @abstractmethod
    def images(self, game: Any) -> tuple[Tensor, int | None]:
        """Make the images, N x C x H x W in [-1, 1], and return them with the number of columns; None: a square."""

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        """Captions of the columns and of the rows; empty: no captions.

        Args:
            game: The game.
            columns: Number of columns, as returned by :meth:`images`.
            n: Images in the picture.
        """
        return (), ()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        log_dir = trainer.log_dir  # Collective: rank 0 broadcasts it.
        if log_dir is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._folder = None
        elif reason := self.reason_to_skip(pl_module):
            warnings.warn(f"{reason}: {type(self).__name__} makes no picture.", stacklevel=2)
            self._folder = None
        else:
            alike = [each for each in trainer.callbacks if isinstance(each, Picture) and each.subject == self.subject]  # type: ignore[attr-defined]
            # Position among the callbacks of the same kind.
            number = next((i for i, each in enumerate(alike) if each is self), 0)
            # A second callback of the same kind gets a folder of its own: samples_2.
            self._folder = Path(log_dir) / (f"{self.subject}_{number + 1}" if number else self.subject)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._written_step = trainer.global_step  # A resumed run has written this one.
        # Before the first update: what training starts from.
        if trainer.global_step == 0:
            self._write(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every_n_steps == 0:
            self._write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step != self._written_step:
            self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._folder is None:
            return
        step = self._written_step = trainer.global_step
        images, columns = self.images(pl_module)
        cells = drawable(images)
        # Cells of an image: the channels of those that are neither grey, RGB nor RGBA.
        n_cells = len(cells) // max(len(images), 1)
        columns = columns if n_cells == 1 else n_cells * (columns or math.ceil(math.sqrt(len(images))))
        # C x H x W, uint8; enlarged by whole pixels, so that small images stay sharp.
        image = grid(to_uint8(cells).cpu(), columns)
        picture = enlarge(image, self.scale or -(-_COMFORTABLE_SIDE // image.shape[2]))
        names, rows = self.captions(pl_module, columns, len(images))
        picture = captioned(picture, [text for name in names for text in (name, *[""] * (n_cells - 1))], rows)
        path = self._folder / f"step_{step:08d}.png"
        with write_errors_as_warnings(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_png(path, picture)
        # After the file, which no failing service must cost.
        for logger in trainer.loggers:
            send_picture(logger, self._folder.name, picture, step)


@contextmanager
def write_errors_as_warnings(path: Path) -> Iterator[None]:
    """Turn an OSError, such as that of a full disk, into a warning, so that training continues."""
    try:
        yield
    except OSError as error:
        warnings.warn(f"{path} could not be written ({error.strerror or error}): training goes on.", stacklevel=2)


def send_picture(logger: Logger, subject: str, picture: Tensor, step: int) -> None:
    """Send a picture to a logger that accepts images."""
    with errors_as_warnings(logger, step):
        if hasattr(logger, "log_image"):  # Weights & Biases
            logger.log_image(subject, [to_pil(picture)], step=step)
        elif add_image := getattr(getattr(logger, "experiment", None), "add_image", None):  # TensorBoard
            add_image(subject, picture, step)


def prepared(game: Any, raw: Any) -> GameBatch:
    """A batch as the loader gives it, on the game's device and as the game sees it."""
    hooked = before_batch_transfer(game, raw)  # a data module may override it
    return game.prepare_batch(game.trainer.strategy.batch_to_device(hooked, game.device))


def first_batches(trainer: Trainer, n: int) -> list[Any]:
    """First ``n`` examples of the validation set, or of the training set if there is none, as a list of batches."""
    data: Any = getattr(trainer, "datamodule", None)
    # A loader of its own: the trainer's may be in use, and its training loader yields the batches of a whole step.
    loaders = trainer.val_dataloaders if data is None else data.val_dataloader()
    loaders = loaders[0] if isinstance(loaders, list) and loaders else loaders
    if not loaders:
        loaders = trainer.train_dataloader if data is None else data.train_dataloader()
    batches: list[Any] = []
    missing = n
    for raw in batches_of(loaders):
        # Cut to what is missing: the last batch may have more examples than the picture shows.
        batches.append(apply_to_collection(raw, Tensor, lambda part, most=missing: part[:most]))
        sizes: list[int] = []
        apply_to_collection(batches[-1], Tensor, lambda part, sizes=sizes: sizes.append(len(part)))
        missing -= sizes[0]
        if missing <= 0:
            break
    return batches
