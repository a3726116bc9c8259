"""Every private name of a library that is relied on is still there."""

import ast
import gc
import inspect
import weakref
from contextlib import suppress
from functools import cache
from typing import Any

import jsonargparse
import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.strategies import DDPStrategy, launchers
from lightning.pytorch.trainer import call
from torch import nn

from gan_lightning.commands import parser_internals
from gan_lightning.trainer import internals


@cache
def trainer() -> pl.Trainer:
    return pl.Trainer(barebones=True, accelerator="cpu")


@cache
def parser() -> jsonargparse.ArgumentParser:
    made = jsonargparse.ArgumentParser()
    made.add_argument("--n", type=int)
    return made


def connector() -> Any:
    return internals_of(trainer, "_logger_connector")()


def internals_of(owner: Any, name: str) -> Any:
    return lambda: getattr(owner(), name)


def epoch_loop() -> Any:
    return trainer().fit_loop.epoch_loop


def optimizer() -> LightningOptimizer:
    return LightningOptimizer(torch.optim.SGD([nn.Parameter(torch.zeros(1))]))


def wrapped_state() -> dict[str, Any]:
    return nn.Linear(1, 1).state_dict()


def tensorboard() -> Any:
    return pytest.importorskip("torch.utils.tensorboard").SummaryWriter


def action() -> Any:
    return internals_of(parser, "_actions")()[-1]


def parser_of_class() -> jsonargparse.ArgumentParser:
    made: list[jsonargparse.ArgumentParser] = []

    class Noted(jsonargparse.ArgumentParser):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    outer = Noted()
    outer.add_subclass_arguments(nn.ReLU, "layer")
    outer.parse_args(["--layer", "torch.nn.ReLU"])
    return made[-1]


PRIVATE = [
    (trainer, "_accelerator_connector"),
    (internals_of(trainer, "_accelerator_connector"), "cluster_environment"),
    (trainer, "_logger_connector"),
    (connector, "log_metrics"),
    (connector, "update_train_step_metrics"),
    (trainer, "_signal_connector"),
    (internals_of(trainer, "_signal_connector"), "received_sigterm"),
    (internals_of(trainer, "_signal_connector"), "register_signal_handlers"),
    (lambda: pl.Trainer, "_results"),
    (lambda: trainer().fit_loop, "_data_fetcher"),
    (lambda: trainer().fit_loop, "_should_reload_train_dl"),
    (epoch_loop, "_batches_that_stepped"),
    (epoch_loop, "_should_check_val_fx"),
    (lambda: pl.LightningModule, "_on_before_batch_transfer"),
    (lambda: call, "_interrupt"),
    (optimizer, "_on_before_step"),
    (optimizer, "_on_after_step"),
    (DDPStrategy, "_ddp_kwargs"),
    (lambda: launchers, "_MultiProcessingLauncher"),
    (lambda: launchers._MultiProcessingLauncher, "_wrapping_function"),
    (lambda: launchers._MultiProcessingLauncher(DDPStrategy(), "fork"), "_start_method"),
    *(
        (ModelCheckpoint, name)
        for name in (
            "_train_time_interval",
            "_last_time_checked",
            "_every_n_train_steps",
            "_every_n_epochs",
            "_should_save_on_train_epoch_end",
            "_should_skip_saving_checkpoint",
            "_monitor_candidates",
            "_save_topk_checkpoint",
            "_save_last_checkpoint",
        )
    ),
    (lambda: CSVLogger("."), "_experiment"),
    (lambda: ExperimentWriter, "_check_log_dir_exists"),
    (lambda: WandbLogger(offline=True), "_wandb_init"),
    (tensorboard, "_get_file_writer"),
    *((lambda: torch, f"_foreach_{name}") for name in ("add_", "copy_", "div_", "lerp_", "norm", "sub")),
    (lambda: torch.cpu, "_is_avx512_bf16_supported"),
    (lambda: torch.cpu, "_is_amx_tile_supported"),
    (lambda: torch, "_C"),
    (lambda: torch._C, "_will_engine_execute_node"),
    (lambda: torch.empty(1), "_version"),
    (lambda: nn.Module, "_apply"),
    (lambda: nn.Module, "_compiled_call_impl"),
    (lambda: nn.Module, "_call_impl"),
    (lambda: torch.compile(nn.Linear(1, 1)), "_orig_mod"),
    (wrapped_state, "_metadata"),
    (parser, "_actions"),
    (parser, "_negative_number_matcher"),
    (action, "_typehint"),
    (parser_of_class, "_inner_parser"),
    *(
        (lambda: jsonargparse.DefaultHelpFormatter, name)
        for name in ("_format_action_invocation", "_expand_help", "_fill_text")
    ),
]
"""Makers of an object, and the attribute that it must have: used in the internals, or overridden by a class of ours."""


def check(owner: Any, name: str) -> None:
    made = owner()
    kind = made.__name__ if inspect.isclass(made) or inspect.ismodule(made) else type(made).__name__
    assert hasattr(made, name), (
        f"{kind} no longer has {name}: find what took its place, and mend {internals.__name__} or "
        f"{parser_internals.__name__}."
    )


@pytest.mark.parametrize(("owner", "name"), PRIVATE, ids=[name for _, name in PRIVATE])
def test_a_private_name_that_is_relied_on_is_still_there(owner: Any, name: str) -> None:
    check(owner, name)


def test_one_that_is_gone_is_named_in_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"FitLoop no longer has _gone: find what took its place, and mend gan_"):
        check(lambda: trainer().fit_loop, "_gone")


@pytest.mark.parametrize("room", [internals, parser_internals])
def test_every_private_name_that_is_used_has_its_line(room: Any) -> None:
    tree = ast.walk(ast.parse(inspect.getsource(room)))
    used = {node.attr for node in tree if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    missing = {name for name in used if not name.startswith("__")} - {name for _, name in PRIVATE}
    assert not missing, f"{room.__name__} uses {missing}: give each a line in PRIVATE."


class Owner:
    """An object whose method is replaced."""

    def name(self) -> str:
        return "own"


def layer_of(text: str) -> internals.Layer:
    return lambda method: lambda: f"{text}({method()})"


def test_methods_are_replaced_once_for_each_purpose_and_keep_their_order() -> None:
    owner = Owner()
    for round_ in "ab":
        internals.replace_method(owner, "name", "first", layer_of("first" + round_))
        internals.replace_method(owner, "name", "second", layer_of("second" + round_))
    assert owner.name() == "secondb(firstb(own))"
    assert Owner().name() == "own"


def test_a_layer_that_somebody_else_puts_on_top_stays() -> None:
    owner = Owner()
    internals.replace_method(owner, "name", "ours", layer_of("ours"))
    theirs = layer_of("theirs")(owner.name)
    owner.name = theirs  # type: ignore[method-assign]
    internals.replace_method(owner, "name", "others", layer_of("others"))
    assert owner.name() == "others(theirs(ours(own)))"


def test_an_object_whose_method_was_replaced_is_freed() -> None:
    """A table that held it would hold the trainer, the model and its weights of every fit in a notebook."""
    owner = Owner()
    internals.replace_method(owner, "name", "ours", layer_of("ours"))
    freed = weakref.ref(owner)
    del owner
    gc.collect()
    assert freed() is None


def test_a_method_replaced_for_a_while_is_back_after_an_error() -> None:
    owner = Owner()
    with suppress(ZeroDivisionError), internals.method_replaced(owner, "name", layer_of("new")):
        assert owner.name() == "new(own)"
        raise ZeroDivisionError
    assert vars(owner) == {}
    assert owner.name() == "own"


def test_an_object_becomes_one_of_a_subclass_only() -> None:
    class Special(Owner):
        pass

    owner = Owner()
    internals.change_class(owner, Special)
    assert type(owner) is Special
    with pytest.raises(TypeError, match="Owner is no subclass of Special"):
        internals.change_class(owner, Owner)
