"""Files of the run for those who look at it from afar."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger

from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.loggers.guards import forgiven


class RunArtifacts(Callback):
    """Gives Weights & Biases the run's ``config.yaml`` and its best checkpoint, when the run has ended.

    The best is that of the first ``ModelCheckpoint`` which monitors something; without one it is ``last.ckpt``. The
    artifacts are called ``config-<run's id>`` and ``checkpoint-<run's id>``.

    Args:
        checkpoint: Whether to give the checkpoint, which may be large, or the config only.
    """

    def __init__(self, checkpoint: bool = True) -> None:
        self.checkpoint = checkpoint

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log_dir = trainer.log_dir  # Every rank asks: the answer is broadcast.
        if log_dir is None or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        files = {"config": Path(log_dir) / "config.yaml"}
        if self.checkpoint and (best := best_checkpoint(trainer)) is not None:
            files["checkpoint"] = best
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                with forgiven(logger, trainer.global_step):
                    _give(logger, files)


def best_checkpoint(trainer: Trainer) -> Path | None:
    """The best checkpoint of the first callback that compares them, or the last one; None if there is neither."""
    callbacks = trainer.checkpoint_callbacks
    best = [getattr(callback, "best_model_path", "") for callback in callbacks if getattr(callback, "monitor", None)]
    last = [callback.path for callback in callbacks if isinstance(callback, LastCheckpoint)]
    found = [Path(path) for path in (*best, *last) if path and Path(path).is_file()]
    return found[0] if found else None


def _give(logger: WandbLogger, files: dict[str, Path]) -> None:
    import wandb

    run = logger.experiment
    for kind, path in files.items():
        if path.is_file():
            artifact = wandb.Artifact(f"{kind}-{run.id}", type=kind)
            artifact.add_file(str(path))
            run.log_artifact(artifact)
