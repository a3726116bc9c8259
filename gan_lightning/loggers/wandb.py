"""Logging to Weights & Biases."""

import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment

from gan_lightning.trainer.internals import log_offline


class SteadyWandbLogger(WandbLogger):
    """Weights & Biases logger that falls back to offline mode if the service cannot be reached at the start.

    The command line uses it in place of Lightning's own; its arguments are the same.

    Raises:
        ValueError: Weights & Biases rejects the key, or there is none.
    """

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        # Imported on use: it is an optional dependency.
        import wandb
        from wandb.errors import CommError, UsageError

        try:
            return super().experiment
        except CommError as error:
            wandb.teardown()  # Its background process still holds the run of this id.
            log_offline(self)
            run = super().experiment
            warnings.warn(
                f"Weights & Biases cannot be reached ({str(error).splitlines()[0].rstrip('.')}): the run is logged "
                f"offline. Upload it later with: wandb sync {Path(run.dir).parent}",
                stacklevel=2,
            )
            return run
        # A wrong or missing key is a mistake in the setup, and no failure of the service.
        except UsageError as error:
            raise ValueError(f"Weights & Biases: {error} Or set WANDB_MODE=offline.") from error
