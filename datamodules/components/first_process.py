"""Warnings of the first process of a run."""

import warnings

from lightning_utilities.core.rank_zero import rank_zero_only


def rank_zero_warn(message: str) -> None:
    """Warn in the first process of a run only, at the caller's line, as Lightning's function of this name does.

    Lightning sets the rank when it is imported. It need not be, for this: a process without it is the only one.
    """
    if getattr(rank_zero_only, "rank", 0) == 0:
        warnings.warn(message, stacklevel=2)
