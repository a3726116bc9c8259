"""Upload of a run's config and checkpoint to Weights & Biases."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.loggers.guards import errors_as_warnings


class RunArtifacts(Callback):
    """Uploads the run's ``config.yaml`` and its best checkpoint to Weights & Biases at the end of the run.

    The best checkpoint is that of the first ``ModelCheckpoint`` with a ``monitor``, otherwise ``last.ckpt``. The
    artifacts are called ``config-<run's id>`` and ``checkpoint-<run's id>``.

    Args:
        checkpoint: Whether to upload the checkpoint, which may be large; False: the config only.
    """

    def __init__(self, checkpoint: bool = True) -> None:
        self.checkpoint = checkpoint

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log_dir = trainer.log_dir  # Collective: rank 0 broadcasts it.
        if log_dir is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        files = {"config": Path(log_dir) / "config.yaml"}
        if self.checkpoint and (best := best_checkpoint(trainer)) is not None:
            files["checkpoint"] = best
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                with errors_as_warnings(logger, trainer.global_step):
                    _upload(logger, files)


def best_checkpoint(trainer: Trainer) -> Path | None:
    """Path of the best checkpoint of the first callback with a monitor, else of ``last.ckpt``, else None."""
    callbacks = trainer.checkpoint_callbacks
    # Written by the callbacks already: uploading a file again costs no second save.
    best = [getattr(callback, "best_model_path", "") for callback in callbacks if getattr(callback, "monitor", None)]
    last = [callback.path for callback in callbacks if isinstance(callback, LastCheckpoint)]
    found = [Path(path) for path in (*best, *last) if path and Path(path).is_file()]
    return found[0] if found else None


def _upload(logger: WandbLogger, files: dict[str, Path]) -> None:
    import wandb

    run = logger.experiment
    for kind, path in files.items():
        if path.is_file():
            artifact = wandb.Artifact(f"{kind}-{run.id}", type=kind)
            artifact.add_file(str(path))
            run.log_artifact(artifact)
