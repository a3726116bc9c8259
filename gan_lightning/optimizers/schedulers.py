"""Learning-rate schedulers: the linear decay of translation papers, schedules of images, and when they are stepped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from gan_lightning.arguments import Schedule, checked, value_of
from gan_lightning.arguments.ranges import check_whole
from gan_lightning.arguments.recipes import record, resolve_number
from gan_lightning.trainer.internals import method_replaced, replace_method

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

_OF_AN_OPTIMISER = ("optimizer", "lr_scheduler", "monitor")
_OF_A_SCHEDULER = ("scheduler", "name", "interval", "frequency", "monitor", "strict", "reduce_on_plateau")


@checked
class LinearDecay(LambdaLR):
    """Constant learning rate, then linear decay to 0.

    Zhu et al., 2017, arXiv 1703.10593: 100 epochs and 100 epochs.

    Args:
        optimizer: Optimiser whose learning rate is scheduled.
        constant_steps: Steps at the initial learning rate.
        decay_steps: Steps of the decay to 0.

    Raises:
        ValueError: A number of steps is negative, or there is no decay.
    """

    def __init__(self, optimizer: Optimizer, constant_steps: int, decay_steps: int) -> None:
        if constant_steps < 0 or decay_steps < 1:
            raise ValueError(
                f"constant_steps is {constant_steps} and decay_steps is {decay_steps}: they must be at least 0 and 1."
            )
        super().__init__(
            # Bounded below: after its end the rate stays 0, where a straight line would turn negative.
            optimizer,
            lambda step: min(1.0, max(0.0, (constant_steps + decay_steps - step) / decay_steps)),
        )


@checked
class ScheduledRate(LRScheduler):
    """Learning rate times a schedule of the real images seen, whatever the batch size and the number of processes.

    Args:
        optimizer: Optimiser whose learning rate is scheduled.
        factor: Factor of the initial learning rate of each parameter group.
    """

    def __init__(self, optimizer: Optimizer, factor: Schedule | float) -> None:
        # Before the base class, whose constructor asks for the first rate.
        self.factor = resolve_number(factor)
        self.images_seen = 0
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        factor = value_of(self.factor, self.images_seen)
        # From the base rates: a factor on the current ones would compound.
        return [rate * factor for rate in self.base_lrs]

    def begin_at(self, images: int) -> None:
        """Set what the step after so many real images needs, where a second fit begins."""
        self.images_seen = images
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        # As plain values: a checkpoint with an object of ours could not be read with weights_only=True.
        return {**super().state_dict(), "factor": record(self.factor)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "factor": resolve_number(state_dict["factor"])})


@checked
class ScheduledAdam(ScheduledRate):
    """:class:`ScheduledRate` for Adam whose second beta is a schedule of the real images seen as well.

    R3GAN (Huang et al., 2024, arXiv 2501.05441): a short memory while the game changes fast, a long one later.

    Args:
        optimizer: Adam, or what else has a pair of betas.
        factor: Factor of the initial learning rate of each parameter group.
        beta2: Decay rate of the second moment, at least 0 and below 1.

    Raises:
        ValueError: The optimiser has no betas, or beta2 is out of its range.
    """

    def __init__(self, optimizer: Optimizer, factor: Schedule | float, beta2: Schedule | float) -> None:
        self.beta2 = resolve_number(beta2)
        low, high = self.beta2.bounds if isinstance(self.beta2, Schedule) else (self.beta2, self.beta2)
        if not 0 <= low <= high < 1:
            raise ValueError(f"beta2 is {self.beta2}: it must be at least 0 and less than 1")
        if any("betas" not in group for group in optimizer.param_groups):
            raise ValueError(f"beta2 is a setting of Adam, and {type(optimizer).__name__} has no betas")
        super().__init__(optimizer, factor)

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        self._set_beta2()

    def begin_at(self, images: int) -> None:
        super().begin_at(images)
        self._set_beta2()

    def _set_beta2(self) -> None:
        for group in self.optimizer.param_groups:
            group["betas"] = (group["betas"][0], float(value_of(self.beta2, self.images_seen)))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "beta2": record(self.beta2)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "beta2": resolve_number(state_dict["beta2"])})


class Schedules:
    """Steps the schedulers of a fit after every ``frequency``-th step or epoch, counted from 1.

    Lightning steps none in manual optimisation, and keeps nothing that tells a scheduler of epochs from one without an
    interval. Here one without an interval counts steps, as those of ``generator_scheduler`` do.
    """

    def __init__(self) -> None:
        self._of_epochs: set[int] = set()

    def read(self, trainer: Trainer, game: LightningModule) -> None:
        """Read what ``configure_optimizers`` returns when the trainer calls it, which is after ``setup``."""

        def layer(setup_optimizers: Callable[..., Any]) -> Callable[..., Any]:
            def read_and_set_up(trainer: Trainer) -> None:
                with method_replaced(game, "configure_optimizers", lambda own: partial(self._read, game, own)):
                    setup_optimizers(trainer)

            return read_and_set_up

        replace_method(trainer.strategy, "setup_optimizers", "schedules", layer)

    def _read(self, game: LightningModule, configure: Callable[[], Any]) -> Any:
        given = configure()
        schedules = [*_schedules(given)]
        self._of_epochs = {id(one["scheduler"]) for one in schedules if one["interval"] == "epoch"}
        for one in schedules:
            if isinstance(one["scheduler"], ScheduledRate):
                # A second fit goes on where the first ended: its schedule counts images over both.
                one["scheduler"].begin_at(cast(int, game.images_seen))
        return given

    def step(self, game: LightningModule) -> None:
        """Step the schedulers that are due after the training step just made."""
        trainer = game.trainer
        for config in trainer.lr_scheduler_configs:
            by_epoch = id(config.scheduler) in self._of_epochs
            # This step is counted in global_step already, this epoch in current_epoch not yet.
            count = trainer.current_epoch + 1 if by_epoch else trainer.global_step
            if isinstance(config.scheduler, ScheduledRate):
                config.scheduler.images_seen = cast(int, game.images_seen)
            if count % config.frequency == 0 and (trainer.is_last_batch or not by_epoch):
                game.lr_scheduler_step(config.scheduler, None)


def check_scheduler(scheduler: object) -> None:
    """Refuse a scheduler that needs a monitored loss.

    Raises:
        ValueError: It is ReduceLROnPlateau.
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError("ReduceLROnPlateau waits for a loss to fall, and a GAN's losses do not: choose another.")


def _schedules(given: Any) -> Iterator[dict[str, Any]]:
    """Yield scheduler and interval from the return value of ``configure_optimizers``, in any form that Lightning takes.

    Raises:
        ValueError: It sets an option that games do not support.
    """
    if isinstance(given, Mapping) and "optimizer" in given:
        _check_keys("an optimiser", given, _OF_AN_OPTIMISER, ": n_critic says how often the discriminator moves")
        _check_monitor(given)
        yield from _schedules(given.get("lr_scheduler"))
    elif isinstance(given, Mapping):
        _check_keys("a scheduler", given, _OF_A_SCHEDULER)
        if "scheduler" not in given:
            raise ValueError(f"{_WHO} has no scheduler in a dictionary of {', '.join(map(str, given))}: add it.")
        check_scheduler(given["scheduler"])
        _check_monitor(given)
        interval = given.get("interval", "step")
        if interval not in ("step", "epoch"):
            raise ValueError(f"{_WHO} has interval {interval!r} of a scheduler: it must be step or epoch.")
        # 0 would divide by nothing at the first step.
        check_whole(1, frequency=given.get("frequency", 1))
        yield {"scheduler": given["scheduler"], "interval": interval}
    elif isinstance(given, tuple | list):
        for each in given:
            yield from _schedules(each)
    else:
        check_scheduler(given)
        if isinstance(given, LRScheduler):
            yield {"scheduler": given, "interval": "step"}


_WHO = "configure_optimizers"


def _check_keys(what: str, given: Mapping[str, Any], known: tuple[str, ...], hint: str = "") -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{_WHO} gave {name!r} for {what}, which takes {', '.join(known)}{hint}.")


def _check_monitor(given: Mapping[str, Any]) -> None:
    check_scheduler(given.get("lr_scheduler"))
    if given.get("reduce_on_plateau") or given.get("monitor") is not None:
        raise ValueError(
            f"{_WHO} lets a scheduler wait for {given.get('monitor', 'a plateau')}, and the schedulers of a game count "
            "steps or epochs: leave monitor and reduce_on_plateau out."
        )
