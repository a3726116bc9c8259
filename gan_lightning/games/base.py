"""The two-player game: alternating updates, their batches, the state of a run. Nothing about any loss.

A variant subclasses :class:`AdversarialModule` and says what each player minimises; see ``variants/dcgan.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.arguments import Checked, Schedule
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recipes import primitive_arguments, resolve, resolve_object
from gan_lightning.augmentations.base import Augmentation
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import freeze_layers, frozen
from gan_lightning.games.old_hooks import alias_old_hooks
from gan_lightning.games.overridden_hooks import warn_of_hooks
from gan_lightning.games.players import PLAYERS, check_optimizer, made_by, places_of_players
from gan_lightning.games.randomness import fold, seed_draws
from gan_lightning.games.regularized import regularized
from gan_lightning.games.state import load_state, save_state
from gan_lightning.loggers.guards import count_updates, guard_loggers, log_before_a_stop, log_last_step_of_short_run
from gan_lightning.loggers.step_values import log_terms
from gan_lightning.losses.terms import Terms, summed
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.optimizers.ema import average_of
from gan_lightning.optimizers.schedulers import Schedules
from gan_lightning.regularizers.regularizer import Regularizer, checked_regularizers
from gan_lightning.trainer.batch_checks import ChecksImages
from gan_lightning.trainer.collectives import restore_buffers, synchronise_buffers, synchronised_buffers
from gan_lightning.trainer.internals import do_not_count_steps, expire_logged_values
from gan_lightning.trainer.last_logged import RecordsLogs
from gan_lightning.trainer.loader_batches import number_of_examples, split_batch
from gan_lightning.trainer.module import Module
from gan_lightning.trainer.number_types import (
    convert_layer_inputs,
    keeping_float32,
    number_type,
    tensors_kept_in_float32,
    warn_of_low_precision,
)
from gan_lightning.trainer.speed import running_eagerly
from gan_lightning.trainer.state_dict import keep_own_state, keep_uncompiled_names, uncompiled_name
from gan_lightning.trainer.step_batches import batch_sizes, join_loaders

if TYPE_CHECKING:
    from lightning.pytorch.core.optimizer import LightningOptimizer

LossFunction = Callable[["GameBatch"], Terms]
OptimizerFactory = Callable[[Iterable[Any]], Optimizer]
AugmentationFactory = Callable[[], Augmentation]


class AdversarialModule(ChecksImages, RecordsLogs, Checked):
    """Alternating updates of a generator and a discriminator. One step is one update of the generator.

    A step makes ``n_critic`` updates of the discriminator, each on fresh real images, then one of the generator, each
    with the other player's weights frozen. The last discriminator update and the generator's share their fakes, unless
    ``shares_fakes`` is False.

    All random numbers of a step (latents, dropout, penalties) are a function of the seed, the step and the rank, so a
    resumed run is bit-identical. The step is ``game_step``, kept with the weights: a second ``fit`` continues it.

    Args:
        generator: Network that makes the fakes; several go into one ``nn.ModuleDict``.
        discriminator: Network that judges real and fake images.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's optimiser from its parameters.
        generator_scheduler: Makes a learning-rate scheduler from the generator's optimiser; it counts steps,
            or real images, as :class:`~gan_lightning.optimizers.schedulers.ScheduledRate` does.
        discriminator_scheduler: The same for the discriminator; it counts steps too, not discriminator updates.
        n_critic: Discriminator updates in a step.
        accumulate: Batches whose gradients are averaged into one update of either player.
        penalty_interval: Compute a player's penalties at every so many of its updates, multiplied by this number
            (lazy regularisation, StyleGAN2).
        generator_penalty_interval: The same number of the generator, where it is another. None: ``penalty_interval``.
        gradient_clip_norm: Clip the norm of a player's gradients to this before its update. None: no clipping.
        ema_decay: Decay per update of the moving average of the generator's weights, which makes all samples. None: no
            average.
        ema_half_life: Half-life of that average in real images, or its schedule, in place of ``ema_decay``, which is
            None then: another batch size keeps the same average.
        ema_half_life_updates: The same in updates of the generator, in place of images. ``ema_decay`` and
            ``ema_half_life`` are None then.
        ema_ramp_up: The half-life is at most this share of ``images_seen``; 0.05 in StyleGAN2. None: no ramp.
        ema_start: Step from which on the average is one, counted from 1: before, it is a copy of the generator.
        augmentation: Makes the random transformation of all images that the discriminator is given in training, real
            and fake, for data sets of few images: DiffAugment, ADA. None: it is given the images themselves.
        regularizers: What is added to the losses of a game of one discriminator: LeCam, CR, BCR, ZCR, TopK.
        freeze_generator: How many of the generator's first layers keep their weights, in a run that begins with those
            of another; or the names of layers, such as ``["layers.1"]``. See
            :func:`~gan_lightning.games.freezing.layers_of`.
        freeze_discriminator: The same of the discriminator, whose first layers are nearest the image: FreezeD (Mo et
            al., 2020, arXiv 2002.10964).

    Attributes:
        game_step: Updates of the generator so far, over all calls of ``fit``; ``trainer.global_step`` counts a
            trainer's.
        images_seen: Real images that the discriminator's updates have taken so far, over all calls of ``fit`` and all
            ranks, each rank as many. Every :class:`~gan_lightning.arguments.Schedule` is a function of it; it is
            constant within a step.
        initialised_from: Files that gave the players their first weights, by player; see
            :func:`gan_lightning.inference.init_from`.
        number_type: dtype of the generator's weight matrices, and so of the images in a step. Averages and statistics
            are in float32 where this has fewer digits.
    """

    shares_fakes: bool = True
    """False: the generator's update has fakes of its own, of latents drawn after the discriminator's update."""
    augments_inputs: bool = True
    """Whether the discriminator's inputs are augmented; False: the losses call :meth:`augmented`, since they compare
    its output with its input."""
    joined_channels: Sequence[int] | None = None
    """Channels of the images that are joined into one input of the discriminator. None: an input is one image."""
    training_parts: tuple[str, ...] = ("discriminator", "augmentation", "regularizers")
    """Attributes whose weights training alone needs: a pretrained model is saved without them."""
    differentiates_twice: bool = True
    """Whether penalties hold gradients of gradients; False: compiled networks stay compiled in them."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        generator_optimizer: OptimizerFactory = DCGANAdam,
        discriminator_optimizer: OptimizerFactory = DCGANAdam,
        generator_scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        discriminator_scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        n_critic: int = 1,
        accumulate: int = 1,
        penalty_interval: int = 1,
        generator_penalty_interval: int | None = None,
        gradient_clip_norm: float | None = None,
        ema_decay: float | None = 0.999,
        ema_half_life: Schedule | float | None = None,
        ema_half_life_updates: float | None = None,
        ema_ramp_up: float | None = None,
        ema_start: int = 0,
        augmentation: AugmentationFactory | None = None,
        regularizers: Sequence[Regularizer] = (),
        freeze_generator: int | Sequence[str] = 0,
        freeze_discriminator: int | Sequence[str] = 0,
    ) -> None:
        super().__init__()
        # Hyper-parameters of a checkpoint are primitive values: classes are recorded by their import paths.
        arguments = primitive_arguments(inspect.currentframe())
        check_limits(arguments)
        self.save_hyperparameters(arguments)
        # Two optimisers in one step: Lightning's automatic optimisation has one.
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.ema = average_of(generator, ema_decay, ema_half_life, ema_ramp_up, ema_start, ema_half_life_updates)
        self.augmentation: Augmentation | None = augmentation and resolve(augmentation, Augmentation)()
        self.generator_optimizer = resolve(generator_optimizer, Optimizer)
        self.discriminator_optimizer = resolve(discriminator_optimizer, Optimizer)
        self.generator_scheduler = generator_scheduler and resolve(generator_scheduler, LRScheduler)
        self.discriminator_scheduler = discriminator_scheduler and resolve(discriminator_scheduler, LRScheduler)
        made = [resolve_object(each, Regularizer) for each in regularizers]
        self.regularizers = checked_regularizers(made, type(self).__name__, discriminator)
        self.n_critic = n_critic
        self.accumulate = accumulate
        self.penalty_interval = penalty_interval
        self.generator_penalty_interval = generator_penalty_interval
        self.gradient_clip_norm = gradient_clip_norm
        self._frozen_weights = {
            "generator": freeze_layers("freeze_generator", generator, freeze_generator),
            "discriminator": freeze_layers("freeze_discriminator", discriminator, freeze_discriminator),
        }
        self.number_type = number_type(generator)
        self.seed: int | None = None
        self.game_step = 0
        self.images_seen = 0
        keep_uncompiled_names(self)
        self.register_load_state_dict_pre_hook(keep_own_state)
        self._schedules = Schedules()
        self._optimizer_of_player: tuple[Any, dict[str, LightningOptimizer]] | None = None
        self._is_set_up = False
        self.buffers_of_ranks: list[dict[str, Tensor]] = []
        self._synchronised = ExitStack()
        self.updates_loaded = 0
        self.initialised_from: dict[str, str] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        alias_old_hooks(cls)
        warn_of_hooks(cls, Module)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AdversarialModule:
        # .to(), .half(), .double() and .cuda() all end here. Averages and statistics stay in float32.
        super()._apply(keeping_float32(fn, tensors_kept_in_float32(self)), recurse)
        self.number_type = number_type(self.generator)
        convert_layer_inputs(self)
        return self

    # Hooks of a variant. Losses return weighted terms, which are summed for the gradient and logged one by one.

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        """Loss of the discriminator by terms; {}: no update. ``batch.fake`` is detached."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what its discriminator minimises: discriminator_loss."
        )

    def generator_loss(self, batch: GameBatch) -> Terms:
        """Loss of the generator by terms. The discriminator is frozen."""
        raise NotImplementedError(f"{type(self).__name__} must say what its generator minimises: generator_loss.")

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        """Terms added to the discriminator's loss at every ``penalty_interval``-th of its updates."""
        return {}

    def generator_penalty(self, batch: GameBatch) -> Terms:
        """Terms added to the generator's loss at every ``generator_penalty_interval``-th of its updates."""
        return {}

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into a ``GameBatch``; uint8 and uint16 images are scaled to [-1, 1].

        Args:
            raw: Images, [images], (images, condition, ...), or a dictionary with ``image`` and ``label``; see
                :func:`gan_lightning.trainer.loader_batches.split_batch`.
        """
        images, condition = split_batch(raw)
        return GameBatch(self.scaled(images), condition)

    def checked_batch(self, raw: Any) -> GameBatch:
        """:meth:`prepare_batch`, and a check of the value range of the first batch's images."""
        batch = self.prepare_batch(raw)
        self.check_first_batch(raw, batch.real, batch.condition)
        return batch

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Add the latents, or whatever else is sampled."""
        return batch

    def generate_fakes(self, batch: GameBatch) -> Any:
        """Make the fakes of a batch: the forward pass of the generator."""
        return self.generator(batch.latent)

    def after_discriminator_update(self) -> None:
        """Called after each of the ``n_critic`` turns of the discriminator, for example to clip its weights.

        It is called also where ``discriminator_loss`` returned {}, so that there was no update.
        """

    def augmented(self, images: Tensor) -> Tensor:
        """Images as the discriminator is to judge them in training; unchanged elsewhere, or without an augmentation."""
        return images if self.augmentation is None else self.augmentation.augmented(images)

    def _augmenting(self) -> AbstractContextManager[None]:
        """Within it, images pass the augmentation before a discriminator."""
        if self.augmentation is None:
            return nullcontext()
        self.augmentation.images_seen = self.images_seen
        players = self.discriminator
        networks = players.values() if isinstance(players, nn.ModuleDict) else [players]
        return self.augmentation.before(networks if self.augments_inputs else [], self.joined_channels)

    @property
    def averaged_generator(self) -> nn.Module:
        """Network that makes samples: the moving average of the generator if there is one."""
        return self.generator if self.ema is None else self.ema.module

    # The step.

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        """Make one step: ``n_critic`` updates of the discriminator, one of the generator.

        Returns:
            The last loss of each player by its name, for callbacks.
        """
        step = self.game_step
        terms: dict[str, Tensor] = {}
        if not self._is_set_up or self.seed is None or self.buffers_of_ranks:
            self._begin()
        batches = join_loaders(self.trainer.train_dataloader, batches)
        images = self.trainer.world_size * sum(map(number_of_examples, batches))
        # Random numbers depend on (seed, step, rank) alone, not on what was drawn before.
        seed_draws(fold(cast(int, self.seed), step, self.global_rank), self.device)
        discriminator_optimizer, generator_optimizer = map(self.optimizer_of, PLAYERS)
        # Lightning counts the steps of every optimiser; without the discriminator's, global_step counts generator
        # updates.
        do_not_count_steps(discriminator_optimizer)
        expire_logged_values(self.trainer, "train/")

        # The last fakes serve both players, with one graph, unless several batches' graphs would be kept at once.
        one_graph = self.shares_fakes and self.accumulate == 1
        for update in range(self.n_critic):
            # Fresh real images for every update of the discriminator.
            raw_batches = batches[update * self.accumulate : (update + 1) * self.accumulate]
            with_latents = [self.draw_latents(self.checked_batch(raw)) for raw in raw_batches]
            # A graph of the generator only where its own update will use it.
            with torch.set_grad_enabled(one_graph and update == self.n_critic - 1):
                with_fakes = [replace(batch, fake=self.generate_fakes(batch)) for batch in with_latents]
            with frozen(self.generator), self._augmenting():
                terms |= self._update(
                    "discriminator",
                    discriminator_optimizer,
                    (batch.detached() for batch in with_fakes),
                    self.discriminator_loss,
                    self.discriminator_penalty,
                    step * self.n_critic + update,
                )
            self.after_discriminator_update()

        # The discriminator passes gradients on to the fakes and takes none.
        with frozen(self.discriminator), self._augmenting():
            terms |= self._update(
                "generator",
                generator_optimizer,
                with_fakes if one_graph else self._with_fresh_fakes(with_fakes),
                self.generator_loss,
                self.generator_penalty,
                step,
            )
        if self.ema is not None:
            self.ema.update(self.generator, step + 1, images, self.images_seen)
        self.game_step = step + 1
        self.images_seen += images
        self._schedules.step(self)
        if self.augmentation is not None and "train/discriminator/loss" in terms:
            self.augmentation.check_use(type(self).__name__)
            self.augmentation.end_step(images, self.game_step)
        log_terms(self, terms)
        return {player: terms[loss] for player in PLAYERS if (loss := f"train/{player}/loss") in terms}

    def _begin(self) -> None:
        """Run ``on_fit_start`` where Lightning has not: a tuner makes steps before the fit.

        Raises:
            TypeError: ``setup`` was not called, since a subclass forgot ``super()``.
        """
        if not self._is_set_up:
            raise TypeError(
                f"{type(self).__name__} was not set up, as Lightning's Trainer does before it trains: where its class "
                "has a setup() of its own, that must call super().setup(stage)."
            )
        AdversarialModule.on_fit_start(self)

    def _with_fresh_fakes(self, batches: list[GameBatch]) -> Iterator[GameBatch]:
        """Generate fakes with a gradient, one batch at a time: of the same latents, or of new ones."""
        for batch in batches:
            with_latents = batch if self.shares_fakes else self.draw_latents(batch)
            yield replace(with_latents, fake=self.generate_fakes(with_latents))

    def _update(
        self,
        player: str,
        optimizer: LightningOptimizer,
        batches: Iterable[GameBatch],
        loss: LossFunction,
        penalty: LossFunction,
        number: int,
    ) -> dict[str, Tensor]:
        """Update one player once.

        Args:
            player: Its name.
            optimizer: Its optimiser.
            batches: ``accumulate`` batches with fakes.
            loss: Its loss.
            penalty: Its penalty.
            number: Of the update, counted from 0.

        Returns:
            Its terms by their names in the log, means over the batches; {} if there was no update.
        """
        means: dict[str, Tensor] = {}
        interval = self.penalty_interval
        if player == "generator" and self.generator_penalty_interval is not None:
            interval = self.generator_penalty_interval
        for batch in batches:
            terms = regularized(self, player, loss, batch)
            # No update of the discriminator: no backward, no optimiser step, no log.
            if player == "discriminator" and terms == {}:
                optimizer.zero_grad()  # of batches before this one, under accumulation
                return {}
            total = summed(terms, loss)
            # Lazy regularisation: rarer penalties, multiplied by the interval, have the same mean (StyleGAN2).
            if number % interval == 0:
                # Compiled code has no double backward.
                with running_eagerly(*([self.generator, self.discriminator] if self.differentiates_twice else [])):
                    penalties = penalty(batch)
                if penalties:
                    total = total + summed(penalties, penalty) * interval
                    terms = {**terms, **penalties}
            self.manual_backward(self._share(total))
            for name, term in {"loss": total, **terms}.items():
                name, share = f"train/{player}/{name}", self._share(term.detach())
                means[name] = means[name] + share if name in means else share
        optimizer.step()
        optimizer.zero_grad()
        return means

    def _share(self, term: Tensor) -> Tensor:
        """Contribution of one batch to the mean over the batches of an update."""
        return term if self.accumulate == 1 else term / self.accumulate

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Here and not in the step: under fp16 the gradients are unscaled only now.
        if self.gradient_clip_norm is not None:
            self.clip_gradients(optimizer, self.gradient_clip_norm, "norm")

    # Hooks of Lightning.

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        optimizers, schedulers = [], []
        for player in PLAYERS:
            named = getattr(self, player).named_parameters()
            weights = [weight for name, weight in named if uncompiled_name(name) not in self._frozen_weights[player]]
            optimizer = made_by(self, f"{player}_optimizer", weights)
            optimizers.append(optimizer)
            if getattr(self, f"{player}_scheduler"):
                schedulers.append(made_by(self, f"{player}_scheduler", optimizer))
        return optimizers, schedulers

    def optimizer_of(self, player: str) -> LightningOptimizer:
        """Optimiser of a player, found by its weights: ``configure_optimizers`` may return any order.

        Args:
            player: One of ``PLAYERS``.

        Raises:
            ValueError: There is none, or no two are the players' own; see :mod:`gan_lightning.games.players`.
        """
        given: Any = self.optimizers()
        if self._optimizer_of_player is None or self._optimizer_of_player[0] is not given:
            optimizers = given if isinstance(given, list) else [given]
            places = places_of_players(self, optimizers)
            for name, place in places.items():
                check_optimizer(f"The {name}'s optimiser", optimizers[place].optimizer)
            warn_of_low_precision(optimizers)
            self._optimizer_of_player = given, {name: optimizers[place] for name, place in places.items()}
        return self._optimizer_of_player[1][player]

    def setup(self, stage: str) -> None:
        from gan_lightning.trainer.setup import prepare  # With all of Lightning: where something is trained.

        prepare(self.trainer, stage, self.n_critic * self.accumulate)
        self.check_next_batch()
        if self.trainer.precision == "64-true":
            self.double()  # Lightning does so when it has loaded a checkpoint, which would round the weights.
        if stage == "fit":
            guard_loggers(self.trainer)
            log_before_a_stop(self.trainer, lambda: self.last_step)
            self._schedules.read(self.trainer, self)
            self._is_set_up = True
        count_updates(self.trainer, lambda: self.updates_loaded)

    def on_fit_start(self) -> None:
        if self.seed is None:
            # Rank 0's for all: processes started by a cluster may have different seeds.
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())
        restore_buffers(self, self.buffers_of_ranks)
        self.buffers_of_ranks = []

    @property
    def smallest_batch(self) -> int:
        """Smallest batch size: BatchNorm of vectors has no variance in a batch of one."""
        players = (*self.generator.modules(), *self.discriminator.modules())
        return 2 if any(isinstance(part, nn.BatchNorm1d) for part in players) else 1

    def on_train_start(self) -> None:
        # Before the first step: the last batch of an epoch may be the small one.
        few = [size for size in batch_sizes(self.trainer.train_dataloader) if size < self.smallest_batch]
        if few:
            raise ValueError(
                f"{type(self).__name__} needs batches of {self.smallest_batch} images at least, since it compares the "
                f"images of a batch, and the loader has one of {few[0]}: change batch_size, or set drop_last=True."
            )

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Check the range of the images; callbacks measure. Lightning validates only modules with this method."""
        self.check_first_batch(batch, batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Check the range of the images, as in validation."""
        self.check_first_batch(batch, batch)

    # Ranks have different buffers (BatchNorm's statistics). A validation and a checkpoint use their mean, and training
    # continues with each rank's own.

    def on_validation_start(self) -> None:
        self._synchronised.enter_context(synchronised_buffers(self))

    def on_validation_epoch_end(self) -> None:  # After the measurements and before any checkpoint.
        self._synchronised.close()

    def on_train_end(self) -> None:
        log_last_step_of_short_run(self.trainer, self.last_step)
        synchronise_buffers(self)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._synchronised.close()  # In case a validation was interrupted.
        save_state(self, checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        load_state(self, checkpoint)


alias_old_hooks(AdversarialModule)  # ``__init_subclass__`` runs for subclasses only.
