"""Every constructor argument of every variant and network, given what it cannot take."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gan_lightning.networks
import gan_lightning.optimizers
from datamodules.components.annotated import annotations_of
from gan_lightning.callbacks.fast_training import _gradients
from gan_lightning.games.base import AdversarialModule
from gan_lightning.optimizers.historical_averaging import HistoricalAveragingAdam
from gan_lightning.optimizers.schedulers import LinearDecay
from gan_lightning.variants import ACGAN, DCGAN, LSGAN
from tests.helpers.games import SMALL_NETWORKS, VARIANTS, example_batch, small

ODD: list[Any] = [None, "a", 0, -1, 2.5, math.nan, math.inf, True, (), (0, 8, 8), {}, object()]
NETWORKS = [getattr(gan_lightning.networks, name) for name in gan_lightning.networks.__all__]


def refusal(attempt: Callable[[], Any], name: str, value: Any) -> str:
    """What is said, '' if the attempt succeeds; only a ValueError is one of our sentences."""
    try:
        attempt()
    except ValueError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{name}={value!r}: {type(error).__name__}: {error}") from error
    return ""


def played(variant: Any, name: str, value: Any) -> None:
    model = small(variant, **{name: value})
    if not name.endswith("_shape"):  # Of another shape only the data can tell.
        _gradients(model, [example_batch(model, 4)])
        model.configure_optimizers()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
@pytest.mark.filterwarnings("ignore")
def test_odd_arguments_of_a_variant_play_or_are_named(variant: Any) -> None:
    common = {} if variant is DCGAN else annotations_of(AdversarialModule).keys() - {"generator", "discriminator"}
    for name in annotations_of(variant).keys() - common:
        for value in ODD:
            said = refusal(lambda name=name, value=value: played(variant, name, value), name, value)
            assert not said or (name in said and "\n" not in said), f"{name}={value!r}: {said}"


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_odd_arguments_of_a_network_make_it_or_are_named(network: Any) -> None:
    known = annotations_of(network)
    given = (1, 16, 16) if network is gan_lightning.networks.SRResNet else (1, 32, 32)
    usual = {"image_shape": (1, 32, 32), "latent_dim": 4, "condition_shape": given, "levels": {}, "n_tokens": 9}
    usual["max_tokens"] = 5
    if network is gan_lightning.networks.Pix2CodeGenerator:  # its convolutions have no padding
        usual["image_shape"] = (1, 40, 40)
    usual = {name: value for name, value in usual.items() if name in known} | SMALL_NETWORKS.get(network, {})
    for name in known:
        for value in ODD:
            arguments = {**usual, name: value}
            said = refusal(lambda arguments=arguments: network(**arguments), name, value)
            assert not said or name in said or "shape" in name, f"{name}={value!r}: {said}"
            assert "\n" not in said


OURS = [
    v for v in vars(gan_lightning.optimizers).values() if inspect.isclass(v) and issubclass(v, torch.optim.Optimizer)
]


@pytest.mark.parametrize("kind", [*OURS, HistoricalAveragingAdam, LinearDecay], ids=lambda kind: kind.__name__)
def test_odd_arguments_of_optimisers_and_schedulers_are_named(kind: Any) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    first: Any = [weight] if issubclass(kind, torch.optim.Optimizer) else torch.optim.SGD([weight], lr=1.0)
    usual = {} if issubclass(kind, torch.optim.Optimizer) else {"constant_steps": 1, "decay_steps": 1}
    for name in [*annotations_of(kind)][1:]:
        for value in [None, "a", math.nan, True, (), [1], {}, object()]:
            with pytest.raises(ValueError, match=f"^{name} is "):
                kind(first, **{**usual, name: value})


def test_what_is_told_says_what_is_taken() -> None:
    for arguments, sentence in [
        ({"latent_dim": None}, "latent_dim is None: it must be a whole number."),
        ({"image_shape": (3, 64)}, r"image_shape is \(3, 64\): it must be channels, height and width, three whole"),
        ({"ema_decay": "0.9"}, "ema_decay is '0.9': it must be a number or None."),
        ({"generator": torch.nn.Linear(1, 1)}, "generator is Linear.*: it must be a class, a functools.partial"),
        ({"n_critic": True}, "n_critic is True: it must be a whole number."),
        ({"r1_weight": math.inf}, "r1_weight is inf: it must be a finite number."),
    ]:
        with pytest.raises(ValueError, match=sentence):
            DCGAN(**arguments)


def test_a_variant_of_ones_own_is_checked_by_its_annotations() -> None:
    class Mine(ACGAN):
        def __init__(self, strength: float = 1.0, **game: Any) -> None:
            super().__init__(**game)

    with pytest.raises(ValueError, match="strength is 'much': it must be a number"):
        Mine("much")  # type: ignore[arg-type]


def test_signatures_stay_as_they_are_written() -> None:
    class Bare(DCGAN):
        pass

    for variant in (Bare, LSGAN, DCGAN):
        assert [*inspect.signature(variant).parameters][:2] == ["image_shape", "latent_dim"]
    for network in NETWORKS:
        assert "args" not in inspect.signature(network).parameters


def test_arguments_without_a_type_are_taken() -> None:
    class Mine(DCGAN):
        def __init__(self, image_shape, weight=1.0, more: Any = None, later: "Missing" = None, **game) -> None:  # type: ignore[no-untyped-def, name-defined]  # noqa: F821
            super().__init__(image_shape, **game)
            self.weight = weight

    assert Mine((1, 8, 8), weight="anything", more=3).weight == "anything"


def test_numbers_of_numpy_are_recorded_as_numbers() -> None:
    model = DCGAN(image_shape=tuple(np.array([1, 8, 8])), latent_dim=np.int64(9), r1_weight=np.float32(5))
    assert dict(model.hparams)["latent_dim"] == 9
    assert dict(model.hparams)["image_shape"] == [1, 8, 8]
    assert type(model.hparams["r1_weight"]) is float
