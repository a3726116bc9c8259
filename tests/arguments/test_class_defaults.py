"""Defaults that a class statement gives to inherited arguments."""

import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.components.annotated import annotations_of
from gan_lightning.arguments.recipes import record
from gan_lightning.games.image import ImageGame
from gan_lightning.networks import ConvGenerator, MLPDiscriminator, MLPGenerator
from gan_lightning.optimizers import CoGANAdam, DCGANAdam, WGANGPAdam
from gan_lightning.variants import DCGAN, SAGAN, SNGAN, WGAN, ProjectionGAN

SMALL: dict[str, Any] = {"generator": MLPGenerator, "discriminator": MLPDiscriminator}


class Stated(ImageGame, image_shape=(1, 8, 8), n_critic=3, generator_optimizer=WGANGPAdam, **SMALL):
    def __init__(self, strength: float = 0.5, **game: Any) -> None:
        super().__init__(**game)
        self.strength = strength
        self.save_hyperparameters()  # as users of Lightning do by habit


class Below(Stated, n_critic=2, latent_dim=7): ...


class Explicit(Below):
    """As one writes a constructor without stated defaults."""

    def __init__(self, image_shape: tuple[int, int, int] = (1, 4, 4), more: int = 1, **game: Any) -> None:
        super().__init__(image_shape, **game)


def test_defaults_of_a_class_statement_reach_the_class_that_declares_the_argument() -> None:
    model = Stated()
    assert (model.image_shape, model.n_critic, model.latent_dim, model.strength) == ((1, 8, 8), 3, 100, 0.5)
    assert model.generator_optimizer(model.generator.parameters()).defaults["lr"] == 1e-4
    given = Stated((1, 4, 4), 9, strength=2.0, n_critic=1)  # type: ignore[arg-type, misc]
    assert (given.image_shape, given.latent_dim, given.strength, given.n_critic) == ((1, 4, 4), 9, 2.0, 1)


def test_a_subclass_inherits_them_and_may_state_others() -> None:
    assert (Below().n_critic, Below().latent_dim, Below().image_shape) == (2, 7, (1, 8, 8))
    assert (Explicit().n_critic, Explicit().latent_dim, Explicit().image_shape) == (2, 7, (1, 4, 4))
    assert [*inspect.signature(Explicit).parameters] == ["image_shape", "more", "game"]


def test_the_signature_lists_inherited_arguments_first_and_gives_the_stated_defaults() -> None:
    for function in (WGAN, WGAN.__init__):
        parameters = dict(inspect.signature(function).parameters)
        parameters.pop("self", None)
        names = [*parameters]
        assert names[:5] == ["image_shape", "latent_dim", "generator", "discriminator", "clip_limit"]
        assert names[-2:] == ["n_critic", "game"]
        assert (parameters["n_critic"].default, parameters["n_critic"].annotation) == (5, int)
    assert inspect.signature(SAGAN).parameters["num_classes"].default == 1000
    assert [*annotations_of(WGAN)][:2] == ["image_shape", "latent_dim"]


def test_hyper_parameters_hold_every_argument_and_the_checkpoint_needs_none(tmp_path: Path) -> None:
    model = Explicit(more=4, strength=1.5)
    assert {"image_shape", "latent_dim", "n_critic", "strength", "more", "ema_decay"} <= {*model.hparams}
    assert (model.hparams["n_critic"], model.hparams["strength"], model.hparams["more"]) == (2, 1.5, 4)
    wgan = WGAN(image_shape=(1, 8, 8), clip_limit=0.1, **SMALL)
    path = tmp_path / "game.ckpt"
    state = {
        "state_dict": wgan.state_dict(),
        "hyper_parameters": dict(wgan.hparams),
        "pytorch-lightning_version": "2.6",
    }
    torch.save(state, path)
    loaded = WGAN.load_from_checkpoint(path, weights_only=True, strict=False)
    assert (loaded.clip_limit, loaded.image_shape, dict(loaded.hparams)) == (0.1, (1, 8, 8), dict(wgan.hparams))


@pytest.mark.parametrize(
    ("defaults", "kind", "sentence"),
    [
        (
            {"n_critics": 2},
            TypeError,
            "class Mine states a default of n_critics, and the classes above it have no such",
        ),
        ({"n_critic": "two"}, ValueError, "n_critic is 'two': it must be a whole number."),
        ({"latent_dim": 0}, ValueError, "latent_dim is 0: it must be at least 1."),
        ({"strength": 1.0}, TypeError, "class Mine states strength twice"),
    ],
)
def test_a_default_that_cannot_be_is_named_when_the_class_is_made(
    defaults: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):

        class Mine(ImageGame, **defaults):
            def __init__(self, strength: float = 1.0, **game: Any) -> None:
                super().__init__(**game)


def test_a_constructor_that_hands_nothing_on_cannot_state_defaults() -> None:
    with pytest.raises(
        TypeError, match="class Mine states defaults of n_critic, which its own __init__ does not hand on"
    ):

        class Mine(ImageGame, n_critic=2):
            def __init__(self, strength: float = 1.0) -> None:
                super().__init__()


def test_a_constructor_of_required_arguments_takes_them_by_name() -> None:
    class Mine(ImageGame, image_shape=(1, 8, 8), **SMALL):
        def __init__(self, strength: float, **game: Any) -> None:
            super().__init__(**game)
            self.strength = strength

    assert Mine(strength=2.0).strength == 2.0
    with pytest.raises(TypeError, match=r"Mine.__init__\(\) missing a required .*argument: 'strength'"):
        Mine()  # type: ignore[call-arg]


def test_mistakes_in_a_call_name_the_class() -> None:
    with pytest.raises(TypeError, match=r"CoGANAdam.__init__\(\) got an unexpected keyword argument 'momentum'"):
        CoGANAdam([torch.zeros(1)], momentum=0.9)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="speed"):
        SNGAN(speed=3)


def test_optimisers_are_classes_by_their_names_with_the_stated_settings() -> None:
    assert pickle.loads(pickle.dumps(CoGANAdam)) is CoGANAdam
    assert record(CoGANAdam) == {"class_path": "gan_lightning.optimizers.CoGANAdam", "init_args": {}}
    assert [*inspect.signature(CoGANAdam).parameters] == [*inspect.signature(DCGANAdam).parameters]
    weight = torch.nn.Parameter(torch.ones(1))
    assert CoGANAdam([weight], 1e-3).defaults["weight_decay"] == 5e-4
    assert CoGANAdam([weight], 1e-3).defaults["lr"] == 1e-3
    assert "arXiv 1606.07536" in (CoGANAdam.__doc__ or "")


def test_no_variant_with_stated_defaults_hands_arguments_on_by_name() -> None:
    for variant in (SNGAN, ProjectionGAN, SAGAN):
        assert "def __init__" not in inspect.getsource(variant)
        assert "latent_dim:" not in (variant.__doc__ or "")  # documented by the class that declares it
    assert DCGAN().hparams["generator"] == record(ConvGenerator)
