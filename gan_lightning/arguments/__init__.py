"""Constructor arguments: checks of types and ranges, and their record in a checkpoint."""

from gan_lightning.arguments.annotations import Checked, check_arguments, checked
from gan_lightning.arguments.recordable import Recordable
from gan_lightning.arguments.schedules import (
    ConstantSchedule,
    CosineSchedule,
    GrowthSchedule,
    LinearSchedule,
    Schedule,
    StepSchedule,
    value_of,
)

__all__ = [
    "Checked",
    "ConstantSchedule",
    "CosineSchedule",
    "GrowthSchedule",
    "LinearSchedule",
    "Recordable",
    "Schedule",
    "StepSchedule",
    "check_arguments",
    "checked",
    "value_of",
]
