"""Constructor arguments: checks of types and ranges, and their record in a checkpoint."""

from gan_lightning.arguments.annotations import Checked, check_arguments, checked

__all__ = ["Checked", "check_arguments", "checked"]
