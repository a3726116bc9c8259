"""``gan-lightning fit | validate | test | predict``: Lightning's command line, with exit codes and run directories."""

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from gan_lightning.callbacks.divergence import DivergenceError, DivergenceGuard
from gan_lightning.commands.errors import DEBUG, errors_in_one_sentence
from gan_lightning.commands.rollback import with_rollbacks
from gan_lightning.commands.run_summary import RunRecord
from gan_lightning.commands.training_cli import TrainingCLI
from gan_lightning.trainer.atomic_checkpoint import SaveError
from gan_lightning.trainer.ddp import is_lost_process


def run(command: str, arguments: Sequence[str]) -> int:
    _silence_advertisements()
    # Before anything is printed or made: only one process may.
    _set_rank_of_node()
    # Outside of the guard, which asks it whether an error is one of the arguments.
    record = RunRecord()
    # OSError too: before training begins, a file that cannot be read is a mistake in the options.
    kinds = (ValueError, OSError, ModuleNotFoundError, MisconfigurationException)
    with errors_in_one_sentence(command, kinds, applies=record.is_refusal):
        try:
            _run_with_rollbacks(command, arguments, record)
        except DivergenceError as error:
            record.print_summary()
            if rank_zero_only.rank:  # type: ignore[attr-defined]
                return 0  # Rank 0 prints it, and Lightning must not kill rank 0 for the failure of another rank.
            print(f"gan-lightning {command}: {error}", file=sys.stderr)
            return 1
        except SIGTERMException as stop:  # Lightning would leave with 0, as if the job were done.
            record.print_summary(*getattr(stop, "__notes__", ()))
            # A nonzero code of another rank looks like a crash to Lightning, which would kill all of them.
            return 0 if rank_zero_only.rank else stop.code or 128 + signal.SIGTERM  # type: ignore[attr-defined, return-value]
        except SystemExit:  # A second Ctrl-C, which Lightning has handled.
            record.print_summary()
            raise
        except SaveError as error:
            print(f"gan-lightning {command}: {error}", file=sys.stderr)
            return 1
        except OSError as error:  # before the first save: SaveError and the guards of pictures and logs come later
            if not record.begun or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            place = error.filename or record.directory or "the run directory"
            print(f"gan-lightning {command}: {place} cannot be written ({error.strerror}): make room.", file=sys.stderr)
            return 1
        except RuntimeError as error:
            sentence = None if os.environ.get(DEBUG) else _advice_for(error)
            if sentence is None:
                raise
            print(f"gan-lightning {command}: {sentence}", file=sys.stderr)
            return 1 if record.begun else 2
        finally:
            record.remove_if_empty()
        record.print_summary()
    return 0


def _advice_for(error: RuntimeError) -> str | None:
    """Advice for a RuntimeError that is not a mistake in the code; None: it may be one."""
    said = str(error)
    # The other process has said why; this one only noticed its silence.
    if is_lost_process(error):
        return (
            f"process {rank_zero_only.rank} lost another one of this run, which was "  # type: ignore[attr-defined]
            "killed or failed: see what it said; continue with --ckpt_path last, on any number of devices."
        )
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said:
        return "there is not enough memory: take smaller networks, smaller images or a smaller batch_size."
    if "device-side assert" in said:
        return (
            "the GPU has stopped at a number that is out of its range, mostly a label that is no class: the same "
            "command with --trainer.accelerator cpu names it."
        )
    if said.startswith(("Early stopping conditioned on metric", "`ModelCheckpoint(monitor=")):
        return " ".join(said.split())
    return None


def _run_with_rollbacks(command: str, arguments: Sequence[str], record: RunRecord) -> None:
    """Run a command; after a divergence continue from the last good checkpoint if the guard says so."""
    cli: TrainingCLI

    def start(directory: Path | None, attempt: int) -> Trainer:
        nonlocal cli
        record.directory = directory
        cli = TrainingCLI(command, arguments, record)
        for callback in cli.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, DivergenceGuard):
                callback.attempt = attempt
        return cli.trainer

    with_rollbacks(start, lambda: cli.run())


def _silence_advertisements() -> None:
    """Suppress Lightning's advertisements."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda message: "Tip: For seamless cloud" not in message.getMessage())


def _set_rank_of_node() -> None:
    """Set the rank of a node started by hand: until the trainer exists, each would take itself for rank 0."""
    if "RANK" not in os.environ and int(os.environ.get("NODE_RANK") or 0) > 0:
        rank_zero_only.rank = int(os.environ["NODE_RANK"])  # type: ignore[attr-defined]
