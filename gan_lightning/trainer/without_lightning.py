"""Commands that train nothing do without Lightning: its import takes twice as long again as torch's."""

_left_out = False


def leave_out_lightning() -> None:
    """Build the games of this process on torch's module instead of Lightning's.

    For a process that ends with its command: no trainer takes its games. It must be called before a game is imported,
    and has no effect on those that have been.
    """
    global _left_out
    _left_out = True


def is_left_out() -> bool:
    """Whether this process does without Lightning."""
    return _left_out
