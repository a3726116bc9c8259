"""Private parts of other libraries, all in one place, each with its purpose and why nothing public serves it.

Looked up in the sources of lightning 2.6.1 (the lowest that ``pyproject.toml`` allows) and 2.6.6, and in torch 2.14.
``tests/trainer/test_internals.py`` has a line for each name (but those that Lightning leaves behind in
``restore_loader_classes``, which ``tests/trainer/test_own_trainer.py`` covers), and says which one a new version no
longer has. The private parts of argparse and jsonargparse are in ``commands/parser_internals.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader

if TYPE_CHECKING:  # Commands that train nothing do without Lightning.
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.core.optimizer import LightningOptimizer
    from lightning.pytorch.loggers import WandbLogger
    from lightning.pytorch.strategies import DDPStrategy
    from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher as MultiProcessingLauncher

Layer = Callable[[Callable[..., Any]], Callable[..., Any]]


# Objects of Lightning that are changed in place, since a user made them: a subclass would have to be asked for.


def replace_method(owner: object, name: str, purpose: str, layer: Layer) -> None:
    """Replace a method of one object by one that is made from it. Idempotent for a purpose.

    A game prepares its trainer once for every fit. Each time the method is made from the original, with one layer for
    each purpose, in the order in which they came.

    Args:
        owner: A strategy, callback or logger.
        name: Of its method.
        purpose: What the layer is for: a second one for it takes the place of the first.
        layer: Takes the method, returns the new one.
    """
    # Kept in the object: a table of this module's would keep every trainer, and its model, for the whole process.
    replaced: dict[str, tuple[Any, Any, dict[str, Layer]]] = vars(owner).setdefault("_replaced_methods", {})
    method = getattr(owner, name)
    last, original, layers = replaced.get(name, (None, None, {}))
    if method is not last:  # The first time, or somebody else has put a method of theirs on top.
        original, layers = method, {}
    layers = {**layers, purpose: layer}
    made = original
    for each in layers.values():
        made = each(made)
    replaced[name] = made, original, layers
    setattr(owner, name, made)


@contextmanager
def method_replaced(owner: object, name: str, layer: Layer) -> Iterator[None]:
    """Replace a method of one object within the context."""
    own = vars(owner).get(name)
    setattr(owner, name, layer(getattr(owner, name)))
    try:
        yield
    finally:
        # The class's method is back; one that was the object's own before must be put back by hand.
        delattr(owner, name)
        if own is not None:
            setattr(owner, name, own)


def change_class(owner: object, kind: type) -> None:
    """Make an object that Lightning has made one of a subclass, which adds methods and class attributes only."""
    # A subclass without state of its own: the object keeps all that its constructor has set.
    if not issubclass(kind, type(owner)):
        raise TypeError(f"{kind.__name__} is no subclass of {type(owner).__name__}.")
    owner.__class__ = kind


def trainer_of(module: LightningModule) -> Trainer | None:
    """The trainer that a module is attached to, or None, where the public ``module.trainer`` raises."""
    try:
        return module.trainer
    except RuntimeError:
        return None


# What is logged, and under which number. Lightning 2.6.1 and later.


def log_metrics(trainer: Trainer, metrics: Mapping[str, Tensor], step: int) -> None:
    """Hand metrics to all loggers, as numbers, outside of a hook, where ``LightningModule.log`` refuses to."""
    trainer._logger_connector.log_metrics(dict(metrics), step)


def number_rows(trainer: Trainer, number: Callable[[], int]) -> None:
    """Override the step under which all loggers write.

    Lightning numbers them by the steps of its loop, counted from 0. A metric called ``step``, its public way, would
    take the place of the epoch.
    """
    connector, loop = trainer._logger_connector, trainer.fit_loop.epoch_loop

    def log_metrics(metrics: Any, step: int | None = None) -> None:
        before, loop._batches_that_stepped = loop._batches_that_stepped, number()
        try:
            # The method of the class: that of the object is this function.
            type(connector).log_metrics(connector, metrics, step)
        finally:
            loop._batches_that_stepped = before

    connector.log_metrics = log_metrics  # type: ignore[method-assign]


def log_step_now(trainer: Trainer) -> None:
    """Log the current step at once; Lightning's own call, after all callbacks, is skipped this once."""
    connector = trainer._logger_connector
    connector.update_train_step_metrics()

    def logged_already() -> None:
        del connector.update_train_step_metrics  # the method of the class is back

    connector.update_train_step_metrics = logged_already  # type: ignore[method-assign]


def expire_logged_values(trainer: Trainer, prefix: str) -> None:
    """Mark logged values as reset, so that later rows omit them: Lightning repeats them until the epoch ends.

    Args:
        trainer: Within its training step.
        prefix: Of the names meant.
    """
    results: Any = trainer._results
    for metric in results.values():
        if not metric.has_reset:
            metric.has_reset = metric.meta.name.startswith(prefix)


# The loop. Lightning 2.6.1 and later.


def do_not_count_steps(optimizer: LightningOptimizer) -> None:
    """Exclude an optimiser's steps from ``trainer.global_step`` until the end of this training step.

    In manual optimisation Lightning counts the steps of every optimiser, and resets these two for every batch.
    """
    from lightning.pytorch.core.optimizer import do_nothing_closure

    optimizer._on_before_step = do_nothing_closure
    optimizer._on_after_step = do_nothing_closure


def validation_is_due(trainer: Trainer) -> bool:
    """Whether Lightning would validate between this training step and the next, but for a request to stop."""
    loop = trainer.fit_loop
    if loop._data_fetcher is None:  # Nothing is trained.
        return False
    # Lightning validates once more before it obeys should_stop; when the run is resumed, none is due there.
    stop, trainer.should_stop = trainer.should_stop, False
    due = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
    trainer.should_stop = stop
    return due


def reloads_train_loader(trainer: Trainer) -> bool:
    """Whether the training loader at hand is about to be rebuilt (``reload_dataloaders_every_n_epochs``)."""
    return trainer.fit_loop._should_reload_train_dl


def before_batch_transfer(game: LightningModule, batch: Any) -> Any:
    """Call ``on_before_batch_transfer`` of the data module or, where it has none, of the game, as Lightning does."""
    return game._on_before_batch_transfer(batch)


def end_as_interrupted(trainer: Trainer, error: BaseException) -> None:
    """End a run as Lightning does where an error is raised: callbacks get ``on_exception``, loggers are closed."""
    from lightning.pytorch.trainer import call

    call._interrupt(trainer, error)


# Signals, clusters and processes. Lightning 2.6.1 and later.


def stop_after_step(trainer: Trainer) -> None:
    """End the run after this step, as by SIGTERM. ``should_stop`` would end it as a finished one."""
    trainer._signal_connector.received_sigterm = True


def when_signals_are_registered(trainer: Trainer, then: Callable[[], None]) -> None:
    """Call something each time that Lightning has installed its signal handlers, before the first hook."""
    connector = trainer._signal_connector
    register = connector.register_signal_handlers

    def register_and_call() -> None:
        register()
        then()

    connector.register_signal_handlers = register_and_call  # type: ignore[method-assign]


def cluster_environment(trainer: Trainer) -> Any:
    """The cluster environment that a trainer detected, which only strategies of several devices make public."""
    return trainer._accelerator_connector.cluster_environment


def ddp_options(strategy: DDPStrategy) -> dict[str, Any]:
    """Keyword arguments for torch's ``DistributedDataParallel``, such as ``find_unused_parameters``."""
    return strategy._ddp_kwargs


def __getattr__(name: str) -> Any:
    """``MultiProcessingLauncher`` starts the processes of ``ddp_fork``, ``ddp_spawn`` and ``ddp_notebook``.

    A strategy takes no other launcher. It is imported by whoever asks for it.
    """
    if name != "MultiProcessingLauncher":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

    return _MultiProcessingLauncher


def start_method(launcher: MultiProcessingLauncher) -> str:
    """How a launcher starts its processes: ``fork``, ``spawn`` or ``forkserver``."""
    return launcher._start_method


# Callbacks and loggers. Lightning 2.6.1 and later, tensorboard of torch 2.13 and later.


def seconds_between_checkpoints(callback: object) -> float | None:
    """``train_time_interval`` of a ``ModelCheckpoint``, which is private. None: it saves by steps or epochs."""
    # getattr: EarlyStopping has none.
    interval = getattr(callback, "_train_time_interval", None)
    return None if interval is None else interval.total_seconds()


def seconds_since_checkpoint(callback: ModelCheckpoint) -> float | None:
    """Seconds since a callback that saves by the clock has done so. None: its training has not begun."""
    last = callback._last_time_checked
    return None if last is None else time.monotonic() - last


def restart_clock(callback: ModelCheckpoint) -> None:
    """Let a callback that saves by the clock count its interval from now on."""
    callback._last_time_checked = time.monotonic()


def would_save(callback: ModelCheckpoint, trainer: Trainer, hook: str) -> bool:
    """Whether a callback saves in a hook of this step or epoch; Lightning decides so within the hook.

    Args:
        callback: It watches a name.
        trainer: Within the hook.
        hook: ``on_train_batch_end``, ``on_validation_end`` or ``on_train_epoch_end``.
    """
    if hook == "on_train_batch_end":
        return callback._every_n_train_steps > 0 and trainer.global_step % callback._every_n_train_steps == 0
    # Lightning's own conditions, which it asks only when it is about to save.
    at_epoch_end = callback._should_save_on_train_epoch_end(trainer)
    in_its_hook = at_epoch_end == (hook == "on_train_epoch_end")
    every = callback._every_n_epochs
    return in_its_hook and every > 0 and (trainer.current_epoch + 1) % every == 0


def save_now(callback: ModelCheckpoint, trainer: Trainer) -> None:
    """Let a callback save, if it has not saved this step: it has no public way to do so outside of its hooks."""
    if not callback._should_skip_saving_checkpoint(trainer):
        candidates = callback._monitor_candidates(trainer)
        callback._save_topk_checkpoint(trainer, candidates)
        callback._save_last_checkpoint(trainer, candidates)


def log_offline(logger: WandbLogger) -> None:
    """Let a logger whose run has not begun begin it offline; the public ``offline`` is for its constructor only."""
    logger._wandb_init["mode"] = "offline"


def add_summary(writer: Any, summary: Any, step: int) -> None:
    """Write a record of TensorBoard as it is: ``SummaryWriter.add_image`` would decode a GIF to one picture."""
    writer._get_file_writer().add_summary(summary, step)


# torch 2.13 and later.

foreach_add_ = torch._foreach_add_
foreach_copy_ = torch._foreach_copy_
foreach_div_ = torch._foreach_div_
foreach_lerp_ = torch._foreach_lerp_
foreach_norm = torch._foreach_norm
foreach_sub = torch._foreach_sub
"""One kernel for a list of tensors, as torch's own optimisers use them; on a GPU one for each would be launched."""

WRAPPED = "_orig_mod"
"""Attribute of ``torch.compile(network)`` that holds the network; it appears in the keys of its state dict."""


def metadata_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a state dict by module name, such as the version of a BatchNorm layer."""
    return getattr(state, "_metadata", {})


def is_compiled(module: nn.Module) -> bool:
    """Whether ``module.compile()`` was called: then its hooks are compiled with it."""
    return module._compiled_call_impl is not None


def disable_compiled_call(module: nn.Module) -> Any:
    """Disable ``module.compile()``. Returns what :func:`restore_compiled_call` takes; None: it is not compiled."""
    compiled, module._compiled_call_impl = module._compiled_call_impl, None
    return compiled


def restore_compiled_call(module: nn.Module, compiled: Any) -> None:
    """Enable again what :func:`disable_compiled_call` disabled."""
    module._compiled_call_impl = compiled


@contextmanager
def calls_watched(module: nn.Module, watch: Callable[[tuple[Any, ...], dict[str, Any], Any], None]) -> Iterator[None]:
    """Call a function with the inputs and the output of each call of a module within, compiled or not.

    A forward hook would become a part of what ``torch.compile`` makes, which takes no notice of its removal.
    """
    own, called = vars(module), module._compiled_call_impl or module._call_impl
    missing = "_compiled_call_impl" not in own  # then there is that of the class, None

    def watched(*args: Any, **named: Any) -> Any:
        output = called(*args, **named)
        watch(args, named, output)
        return output

    before, own["_compiled_call_impl"] = own.get("_compiled_call_impl"), watched
    try:
        yield
    finally:
        if missing:
            del own["_compiled_call_impl"]
        else:
            own["_compiled_call_impl"] = before


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bfloat16: AVX-512's or AMX."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def gradient_is_asked(ctx: Any, place: int) -> bool:
    """Whether a backward pass will use the gradient of an input, within the ``backward`` of an ``autograd.Function``.

    ``ctx.needs_input_grad`` is of the forward pass: true for a weight also where ``torch.autograd.grad`` was asked for
    the gradient of the images alone.

    Args:
        ctx: Of the function.
        place: Of the input among the tensors that the function was given.
    """
    try:
        return torch._C._will_engine_execute_node(ctx.next_functions[place][0])
    except (AttributeError, IndexError, RuntimeError, TypeError):
        # A leaf whose gradient is asked for by its name is refused; functions under torch.func have no next ones.
        return True


# What Lightning leaves behind. Lightning 2.6.1 to 2.6.6.


def restore_loader_classes() -> None:
    """Restore the constructors of ``DataLoader``, ``BatchSampler`` and their subclasses, which Lightning wraps.

    Lightning wraps them while it asks for loaders. Where a ``train_dataloader`` raises, it does not unwrap them: every
    later loader of the process remembers its arguments, and one with a positional batch size cannot predict.
    """
    for each in (*_with_subclasses(DataLoader), *_with_subclasses(BatchSampler)):
        for name in ("__init__", "__setattr__", "__delattr__"):
            method: Any = vars(each).get(name)
            # Several errors wrap it several times, and Lightning keeps but the last of what it has wrapped.
            while getattr(method, "__globals__", {}).get("__name__") == "lightning.fabric.utilities.data":
                method = method.__wrapped__
                setattr(each, name, method)
            if f"__old{name}" in vars(each):
                delattr(each, f"__old{name}")


def _with_subclasses(kind: type) -> Iterator[type]:
    yield kind
    subclasses: list[type] = type.__subclasses__(kind)
    for subclass in subclasses:
        yield from _with_subclasses(subclass)


def version_of(weight: Tensor) -> int:
    """A number that grows whenever a weight is changed in place, by an optimiser or a checkpoint.

    Args:
        weight: Made outside of inference mode, in which weights have none.
    """
    return weight._version
