"""What a constructor takes: annotations and ranges that are checked, recipes that a checkpoint can hold."""

from gan_lightning.arguments.annotations import Checked, check_arguments, checked

__all__ = ["Checked", "check_arguments", "checked"]
