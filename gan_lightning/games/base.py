"""The two-player game: who moves when, on which images, and what is remembered. Nothing about any loss.

A variant subclasses :class:`AdversarialModule` and says what each player minimises; see ``variants/dcgan.py``.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.arguments import Checked
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recipes import primitive_arguments, resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import frozen
from gan_lightning.games.old_hooks import alias_old_hooks
from gan_lightning.games.overridden_hooks import hooks_left_out
from gan_lightning.games.players import PLAYERS, check_optimizer, places_of_players
from gan_lightning.games.randomness import fold, seed_draws
from gan_lightning.games.state import load_state, save_state
from gan_lightning.loggers.guards import count_updates, guard_loggers, log_at_least_once, log_before_a_stop
from gan_lightning.loggers.step_values import log_terms
from gan_lightning.losses import Terms
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.optimizers.schedulers import Schedules, check_scheduler
from gan_lightning.trainer.atomic_checkpoint import use_atomic_saves
from gan_lightning.trainer.ddp import adopt, agree, agreed, give_back, leave_group_at_exit
from gan_lightning.trainer.internals import do_not_count_steps, expire_logged_values
from gan_lightning.trainer.loader_batches import Looking, parted
from gan_lightning.trainer.monitors import Noting, guard_monitors
from gan_lightning.trainer.number_types import (
    needing_digits,
    number_type,
    take_own_type,
    warn_of_few_digits,
    with_digits,
)
from gan_lightning.trainer.speed import eagerly
from gan_lightning.trainer.state_dict import keep_plain
from gan_lightning.trainer.step_batches import batch_sizes, gather_rounds, side_by_side

Move = Callable[["GameBatch"], Terms]


class AdversarialModule(Looking, Noting, Checked):
    """Two players that take turns. One step is one update of the generator.

    A step makes ``n_critic`` updates of the discriminator, each on fresh real images, then one of the generator.
    While one player moves, the other's weights are frozen. The last discriminator update and the generator's share
    their fakes, unless ``shares_fakes`` is False.

    Every draw of a step (latents, dropout, penalties) is a function of the run's seed, the step and the rank, so a
    run that is killed and resumed ends in the same bits. The step is the game's own count, ``game_step``: it travels
    with the weights, so that a second ``fit`` goes on where the first one ended, whatever its trainer counts.

    Args:
        generator: Makes the fakes. Several networks go into one ``nn.ModuleDict``.
        discriminator: Judges real and fake.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's optimiser from its parameters.
        generator_scheduler: Makes a learning-rate scheduler from the generator's optimiser; it counts steps.
        discriminator_scheduler: The same for the discriminator; it counts steps too, not discriminator updates.
        n_critic: Discriminator updates in a step.
        accumulate: Batches whose gradients are averaged into one update of either player.
        penalty_interval: Compute the penalties at every so many updates of the player, times this number.
        gradient_clip_norm: Scale a player's gradients down to this norm before its update. None: never.
        ema_decay: Decay of the average of the generator's weights that makes all samples. None: no average.

    Attributes:
        game_step: Updates of the generator so far, in all fits; ``trainer.global_step`` counts those of a trainer.
        number_type: Of the generator's kernels, and so of the images in a step. Averages and statistics keep float32's
            digits where it has fewer.
    """

    shares_fakes: bool = True
    """False for papers whose generator is judged on fakes of its own, drawn after the discriminator has moved."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerCallable = DCGANAdam,
        discriminator_optimizer: OptimizerCallable = DCGANAdam,
        generator_scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        discriminator_scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        n_critic: int = 1,
        accumulate: int = 1,
        penalty_interval: int = 1,
        gradient_clip_norm: float | None = None,
        ema_decay: float | None = 0.999,
    ) -> None:
        super().__init__()
        arguments = primitive_arguments(inspect.currentframe())
        check_limits(arguments)
        self.save_hyperparameters(arguments)
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.ema = None if ema_decay is None else ExponentialMovingAverage(generator, ema_decay)
        self.generator_optimizer = resolve(generator_optimizer, Optimizer)
        self.discriminator_optimizer = resolve(discriminator_optimizer, Optimizer)
        self.generator_scheduler = generator_scheduler and resolve(generator_scheduler, LRScheduler)
        self.discriminator_scheduler = discriminator_scheduler and resolve(discriminator_scheduler, LRScheduler)
        self.n_critic = n_critic
        self.accumulate = accumulate
        self.penalty_interval = penalty_interval
        self.gradient_clip_norm = gradient_clip_norm
        self.number_type = number_type(generator)
        self.seed: int | None = None
        self.game_step = 0
        keep_plain(self)
        self._schedules = Schedules()
        self._sorted: tuple[Any, dict[str, LightningOptimizer]] | None = None
        self._is_set_up = False
        self.buffers_of_ranks: list[dict[str, Tensor]] = []
        self._agreement = ExitStack()
        self.updates_loaded = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        alias_old_hooks(cls)
        for name in hooks_left_out(cls, LightningModule):
            warnings.warn(
                f"{cls.__name__}.{name} does not call super().{name}(...), so what the game itself does there is left "
                "out.",
                stacklevel=2,
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AdversarialModule:
        # torch's one place for .to(), .half(), .double() and .cuda(): what needs the digits stays in float32.
        super()._apply(with_digits(fn, needing_digits(self)), recurse)
        self.number_type = number_type(self.generator)
        take_own_type(self)
        return self

    # What a variant says. Terms are already weighted; they are summed for the gradient and logged one by one.

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        """What the discriminator minimises; {}: it stays as it is. ``batch.fake`` carries no gradient here."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what its discriminator minimises: discriminator_loss."
        )

    def generator_loss(self, batch: GameBatch) -> Terms:
        """What the generator minimises. The discriminator's weights take no gradient here."""
        raise NotImplementedError(f"{type(self).__name__} must say what its generator minimises: generator_loss.")

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        """What is added to the discriminator's loss at every ``penalty_interval``-th of its updates."""
        return {}

    def generator_penalty(self, batch: GameBatch) -> Terms:
        """What is added to the generator's loss at every ``penalty_interval``-th of its updates."""
        return {}

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn what the loader yields into an exchange; uint8 becomes [-1, 1].

        It takes images, [images], (images, condition, ...), and a dictionary with ``image`` and ``label``; see
        :func:`gan_lightning.trainer.loader_batches.parted`.
        """
        images, condition = parted(raw)
        return GameBatch(self.scaled(images), condition)

    def checked_batch(self, raw: Any) -> GameBatch:
        """:meth:`prepare_batch`, with a look at the range of the images of the first batch."""
        batch = self.prepare_batch(raw)
        self.look_at(raw, batch.real, batch.condition)
        return batch

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Add what chance decides, such as the latents."""
        return batch

    def generate_fakes(self, batch: GameBatch) -> Any:
        """The generator's answer to an exchange."""
        return self.generator(batch.latent)

    def after_discriminator_update(self) -> None:
        """Called when the discriminator has moved, for example to clip its weights."""

    @property
    def averaged_generator(self) -> nn.Module:
        """The network that makes samples: the generator's average if there is one."""
        return self.generator if self.ema is None else self.ema.module

    # The step.

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        """Play one step. Callbacks get each player's loss, the last one if it moved several times, by its name."""
        step = self.game_step
        terms: dict[str, Tensor] = {}
        if not self._is_set_up or self.seed is None or self.buffers_of_ranks:
            self._begin()
        batches = side_by_side(self.trainer.train_dataloader, batches)
        seed_draws(fold(cast(int, self.seed), step, self.global_rank), self.device)
        discriminator_optimizer, generator_optimizer = map(self.optimizer_of, PLAYERS)
        # Lightning counts every optimiser's step; leaving the discriminator's out makes a step a generator update.
        do_not_count_steps(discriminator_optimizer)
        expire_logged_values(self.trainer, "train/")

        # One graph may serve both players only if it need not be kept for several batches at once.
        one_graph = self.shares_fakes and self.accumulate == 1
        for update in range(self.n_critic):
            hand = batches[update * self.accumulate : (update + 1) * self.accumulate]
            exchanges = [self.draw_latents(self.checked_batch(raw)) for raw in hand]
            with torch.set_grad_enabled(one_graph and update == self.n_critic - 1):
                exchanges = [replace(exchange, fake=self.generate_fakes(exchange)) for exchange in exchanges]
            with frozen(self.generator):
                terms |= self._update(
                    "discriminator",
                    discriminator_optimizer,
                    (exchange.detached() for exchange in exchanges),
                    self.discriminator_loss,
                    self.discriminator_penalty,
                    step * self.n_critic + update,
                )
            self.after_discriminator_update()

        with frozen(self.discriminator):
            terms |= self._update(
                "generator",
                generator_optimizer,
                exchanges if one_graph else self._replay(exchanges),
                self.generator_loss,
                self.generator_penalty,
                step,
            )
        if self.ema is not None:
            self.ema.update(self.generator, step + 1)
        self.game_step = step + 1
        self._schedules.step(self)
        log_terms(self, terms)
        return {player: terms[loss] for player in PLAYERS if (loss := f"train/{player}/loss") in terms}

    def _begin(self) -> None:
        """Make up for hooks that were not called: a tuner tries steps before the fit begins, a subclass forgets one."""
        if not self._is_set_up:
            raise TypeError(
                f"{type(self).__name__} was not set up, as Lightning's Trainer does before it trains: where its class "
                "has a setup() of its own, that must call super().setup(stage)."
            )
        AdversarialModule.on_fit_start(self)

    def _replay(self, exchanges: list[GameBatch]) -> Iterator[GameBatch]:
        """Make fakes with a gradient, one batch at a time: of the same latents again, or of fresh ones."""
        for exchange in exchanges:
            drawn = exchange if self.shares_fakes else self.draw_latents(exchange)
            yield replace(drawn, fake=self.generate_fakes(drawn))

    def _update(
        self,
        player: str,
        optimizer: LightningOptimizer,
        exchanges: Iterable[GameBatch],
        loss: Move,
        penalty: Move,
        number: int,
    ) -> dict[str, Tensor]:
        """Move one player once. ``number`` counts its updates from 0. Returns its terms by the names they have in logs.

        They are means over the batches of the update; none if the player did not move.
        """
        means: dict[str, Tensor] = {}
        for exchange in exchanges:
            terms = loss(exchange)
            if player == "discriminator" and terms == {}:
                return {}
            total = _sum(terms, loss)
            if number % self.penalty_interval == 0:
                with eagerly(self.generator, self.discriminator):
                    penalties = penalty(exchange)
                if penalties:
                    total = total + _sum(penalties, penalty) * self.penalty_interval
                    terms = {**terms, **penalties}
            self.manual_backward(self._share(total))
            for name, term in {"loss": total, **terms}.items():
                name, share = f"train/{player}/{name}", self._share(term.detach())
                means[name] = means[name] + share if name in means else share
        optimizer.step()
        optimizer.zero_grad()
        return means

    def _share(self, term: Tensor) -> Tensor:
        """What one batch contributes to the mean over the batches of an update."""
        return term if self.accumulate == 1 else term / self.accumulate

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Here and not in the step: under fp16 the gradients have just been unscaled.
        if self.gradient_clip_norm is not None:
            self.clip_gradients(optimizer, self.gradient_clip_norm, "norm")

    # What Lightning asks for.

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        optimizers, schedulers = [], []
        for player in PLAYERS:
            optimizer = self._make(f"{player}_optimizer", getattr(self, player).parameters())
            optimizers.append(optimizer)
            if getattr(self, f"{player}_scheduler"):
                schedulers.append(self._make(f"{player}_scheduler", optimizer))
        return optimizers, schedulers

    def _make(self, name: str, of: Any) -> Any:
        try:
            made = getattr(self, name)(of)
        except (
            TypeError,
            ValueError,
            ZeroDivisionError,
        ) as error:  # torch tells neither whose setting it is nor its name
            raise ValueError(f"{name} cannot be made: {str(error).rstrip('.')}.") from error
        if name.endswith("_optimizer"):
            check_optimizer(name, made)
        check_scheduler(made)
        return made

    def optimizer_of(self, player: str) -> LightningOptimizer:
        """The optimiser that holds a player's weights, in whatever order ``configure_optimizers`` returns them.

        Args:
            player: One of ``PLAYERS``.

        Raises:
            ValueError: There is none, or no two are the players' own; see :mod:`gan_lightning.games.players`.
        """
        given: Any = self.optimizers()
        if self._sorted is None or self._sorted[0] is not given:
            optimizers = given if isinstance(given, list) else [given]
            places = places_of_players(self, optimizers)
            for name, place in places.items():
                check_optimizer(f"The {name}'s optimiser", optimizers[place].optimizer)
            warn_of_few_digits(optimizers)
            self._sorted = given, {name: optimizers[place] for name, place in places.items()}
        return self._sorted[1][player]

    def setup(self, stage: str) -> None:
        leave_group_at_exit()
        self.look_again()
        if self.trainer.precision == "64-true":
            self.double()  # Lightning does so when it has loaded a checkpoint, which would round the weights.
        if stage == "fit":
            adopt(self.trainer.strategy)
            use_atomic_saves(self.trainer.strategy)
            guard_loggers(self.trainer)
            log_before_a_stop(self.trainer, lambda: self.newest)
            guard_monitors(self.trainer)
            self._schedules.read(self.trainer, self)
            self._is_set_up = True
        gather_rounds(self.trainer, self.n_critic * self.accumulate)
        count_updates(self.trainer, lambda: self.updates_loaded)

    def on_fit_start(self) -> None:
        if self.seed is None:
            # One for all: where a cluster starts the processes, each may have drawn its own.
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())
        give_back(self, self.buffers_of_ranks)
        self.buffers_of_ranks = []

    @property
    def smallest_batch(self) -> int:
        """Images that a batch needs at least: BatchNorm of vectors has no variance in a batch of one."""
        players = (*self.generator.modules(), *self.discriminator.modules())
        return 2 if any(isinstance(part, nn.BatchNorm1d) for part in players) else 1

    def on_train_start(self) -> None:
        few = [size for size in batch_sizes(self.trainer.train_dataloader) if size < self.smallest_batch]
        if few:
            raise ValueError(
                f"{type(self).__name__} needs batches of {self.smallest_batch} images at least, since it compares the "
                f"images of a batch, and the loader has one of {few[0]}: change batch_size, or set drop_last=True."
            )

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Nothing: callbacks judge the samples. It is here because Lightning validates only what has this method."""
        self.look_at(batch, batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Nothing, as in validation."""
        self.look_at(batch, batch)

    # Processes have seen different images. They agree on what they judge and keep, and train on as before.

    def on_validation_start(self) -> None:
        self._agreement.enter_context(agreed(self))

    def on_validation_epoch_end(self) -> None:  # Callbacks have measured, and have not saved yet.
        self._agreement.close()

    def on_train_end(self) -> None:
        log_at_least_once(self.trainer, self.newest)
        agree(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._agreement.close()  # A validation may have been interrupted.
        save_state(self, checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        load_state(self, checkpoint)


alias_old_hooks(AdversarialModule)


def _sum(terms: Terms, move: Move) -> Tensor:
    """The sum of a variant's terms; a slip in writing one is told here, where its name is known."""
    if not isinstance(terms, dict) or not terms:
        raise TypeError(f"{move.__qualname__} returned {type(terms).__name__}: it must return named scalars.")
    for name, term in terms.items():
        if term.ndim > 0:
            raise ValueError(f"{move.__qualname__}: {name!r} has the shape {tuple(term.shape)}, and must be a scalar.")
    first, *others = terms.values()
    return torch.stack([first, *others]).sum() if others else first
