"""The error of files that no model can be read from."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or of another program. The message is a sentence for the user."""
