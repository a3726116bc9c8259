"""An animation of the pictures of a run."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from PIL import Image

from datamodules.components.decoding import open_image
from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.picture import write_errors_as_warnings
from gan_lightning.loggers.guards import errors_as_warnings
from gan_lightning.trainer.internals import add_summary
from gan_lightning.visualization.images import write_gif


class RunAnimation(Callback):
    """Makes ``samples.gif`` of the pictures in ``samples/`` when the run ends, and sends it to the loggers.

    The pictures in ``translations/`` become ``translations.gif``. List it after the callbacks that write the pictures.

    Args:
        frame_ms: Milliseconds per picture; the last one is shown for two seconds.
        max_frames: Largest number of frames, evenly spaced over the run.
    """

    def __init__(self, frame_ms: int = 200, max_frames: int = 100) -> None:
        check_whole(20, frame_ms=frame_ms)
        check_whole(2, max_frames=max_frames)
        self.frame_ms = frame_ms
        self.max_frames = max_frames

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log_dir = trainer.log_dir
        if log_dir is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for subject in ("samples", "translations"):
            # From the files and not from memory: a resumed run's animation begins where the run did.
            pictures = sorted((Path(log_dir) / subject).glob("step_*.png"))
            if len(pictures) < 2:
                continue
            path = Path(log_dir) / f"{subject}.gif"
            with write_errors_as_warnings(path):
                self._write(path, pictures)
                for logger in trainer.loggers:
                    send_animation(logger, "animation", path, trainer.global_step)

    def _write(self, path: Path, pictures: list[Path]) -> None:
        last = len(pictures) - 1
        # At most max_frames indices at even distances, the first and the last picture included.
        chosen = sorted({round(last * i / (self.max_frames - 1)) for i in range(self.max_frames)})
        frames = [_frame(pictures[number]) for number in chosen]
        durations = [self.frame_ms] * (len(frames) - 1) + [2000]
        write_gif(path, frames, durations)


def _frame(picture: Path) -> Image.Image:
    with open_image(picture) as image:
        # 256 colours: all that GIF has.
        return image.convert("P")


def send_animation(logger: Logger, name: str, path: Path, step: int) -> None:
    """Send a GIF file by a name to a logger that accepts videos or images."""
    experiment: Any = getattr(logger, "experiment", None)
    with errors_as_warnings(logger, step):
        if hasattr(logger, "log_video"):  # Weights & Biases
            logger.log_video(name, [str(path)], step=step, format=["gif"])
        elif hasattr(experiment, "add_image"):  # TensorBoard, which plays a GIF where it expects a picture
            from tensorboard.compat.proto.summary_pb2 import Summary

            image = Summary.Image(encoded_image_string=path.read_bytes())
            add_summary(experiment, Summary(value=[Summary.Value(tag=name, image=image)]), step)
