"""Errors of a disk that is full, read-only or gone."""


def error_of_disk(error: BaseException) -> OSError | None:
    """The ``OSError`` behind an error that was raised while saving; None if there is none.

    On a full disk ``torch.save`` ends in a ``RuntimeError`` about positions in the file, raised while it handles the
    ``OSError``.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        # __context__: torch raises its error while it handles the disk's, without ``from``.
        cause = cause.__context__
    return cause
