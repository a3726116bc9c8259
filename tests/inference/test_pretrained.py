"""Pretrained models: weights and a description, without a trainer's state."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.games.encoder import EncoderGame
from gan_lightning.games.translation import TranslationGame
from gan_lightning.games.video import VideoGame
from gan_lightning.inference import CheckpointError, from_pretrained, init_from, load_any, save_pretrained
from gan_lightning.inference.checkpoint import read_checkpoint
from gan_lightning.inference.pretrained import CONFIG, WEIGHTS
from gan_lightning.variants import DCGAN, ConditionalGAN, HiFiGAN, Pix2Code, StarGAN
from tests.helpers.games import VARIANTS, assert_same_bits, save_checkpoint, small


def moved(variant: type[AdversarialModule], **arguments: Any) -> Any:
    """A small game whose average is not its generator, as after some training."""
    game: Any = small(variant, **arguments)
    if game.ema is not None:
        with torch.no_grad():
            for weight in game.ema.module.parameters():
                weight.add_(0.05)
    game.game_step, game.images_seen = 7, 70
    return game.eval()


def made_by(game: Any) -> Any:
    """What a game makes, whatever kind it is of."""
    torch.manual_seed(0)
    if isinstance(game, EmbeddingGame):
        return game.encode_texts(["a small one"]).sentence, game.encode_images(torch.rand(2, *game.image_shape))
    if isinstance(game, TranslationGame):
        channels = game.n_given * game.channels if isinstance(game, VideoGame) else game.given_channels
        return game.translate(torch.rand(2, channels, 16, 16) * 2 - 1)
    if isinstance(game, Pix2Code):
        return game.write_programs(torch.rand(2, *game.image_shape) * 2 - 1)
    if isinstance(game, HiFiGAN):
        return game.resynthesised(torch.rand(2, 1, 64) * 2 - 1)
    if isinstance(game, EncoderGame):
        return game.sample(3), game.encode(torch.rand(2, *game.image_shape) * 2 - 1)
    return game.sample(3)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_what_is_read_makes_the_same(variant: type[AdversarialModule], tmp_path: Path) -> None:
    game = moved(variant)
    save_pretrained(game, tmp_path / "model")
    read = from_pretrained(tmp_path / "model")
    assert type(read) is variant
    assert read.hparams == game.hparams
    assert (read.game_step, read.images_seen) == (7, 70)
    assert_same_bits(made_by(read), made_by(game))
    assert not read.training


def test_the_average_alone_is_kept(tmp_path: Path) -> None:
    game = moved(DCGAN)
    save_pretrained(game, tmp_path)
    weights = load_file(tmp_path / WEIGHTS)
    assert_same_bits(weights, {f"generator.{name}": each for name, each in game.ema.module.state_dict().items()})
    read: Any = from_pretrained(tmp_path)
    # Training goes on from the average: the generator is it too.
    assert_same_bits(dict(read.generator.state_dict()), dict(game.ema.module.state_dict()))
    config = json.loads((tmp_path / CONFIG).read_text())
    assert config["gan_lightning"]["variant"] == "gan_lightning.DCGAN"
    assert config["citation"].startswith("Radford, Metz, Chintala")
    assert config["citation"].count("arXiv 1511.06434") == 1


def test_everything(tmp_path: Path) -> None:
    game = moved(DCGAN)
    save_pretrained(game, tmp_path, everything=True)
    assert_same_bits(dict(from_pretrained(tmp_path).state_dict()), dict(game.state_dict()))


def test_a_single_file(tmp_path: Path) -> None:
    game = moved(ConditionalGAN, num_classes=3, class_names=["a", "b", "ü"])
    file = save_pretrained(game, tmp_path / "new" / "model.safetensors")
    assert [*file.parent.iterdir()] == [file]
    read: Any = from_pretrained(file)
    assert read.class_names == ("a", "b", "ü")
    assert_same_bits(read.sample(4), game.sample(4))


def test_half_precision(tmp_path: Path) -> None:
    game = moved(DCGAN)
    with torch.no_grad():
        next(each for each in game.ema.module.parameters() if each.ndim > 1)[0, 0] = 1e6  # beyond float16
    save_pretrained(game, tmp_path, half=True)
    stored = load_file(tmp_path / WEIGHTS)
    own = {f"generator.{name}": each for name, each in game.ema.module.state_dict().items()}
    large = {name for name, weight in stored.items() if weight.dtype == torch.float32 and weight.ndim > 1}
    assert large == {name for name, weight in own.items() if weight.ndim > 1 and float(weight.abs().max()) == 1e6}
    for name, weight in stored.items():
        if weight.dtype == torch.float16:
            # float16 has 11 digits, and below 2^-14 steps of 2^-24.
            assert_close(weight.float(), own[name], rtol=2**-11, atol=2**-25)
        else:
            assert torch.equal(weight, own[name])
    assert any(weight.dtype == torch.float16 for weight in stored.values())
    assert all(weight.dtype == torch.float32 for weight in from_pretrained(tmp_path).parameters())


def test_a_discriminator_that_translations_need_is_kept(tmp_path: Path) -> None:
    game = moved(StarGAN)
    save_pretrained(game, tmp_path)
    images = torch.rand(5, 1, 16, 16) * 2 - 1
    assert_same_bits(from_pretrained(tmp_path).predict_attributes(images), game.predict_attributes(images))  # type: ignore[operator]


def test_a_run_begins_with_it_and_none_goes_on_from_it(tmp_path: Path) -> None:
    game = moved(DCGAN)
    save_pretrained(game, tmp_path)
    fresh: Any = small(DCGAN)
    (report, *_) = init_from(fresh, tmp_path)
    assert report.n_taken == report.n_tensors > 0
    assert_same_bits(dict(fresh.generator.state_dict()), dict(game.ema.module.state_dict()))
    with pytest.raises(CheckpointError, match="--init_from"):
        read_checkpoint(tmp_path)


def test_load_any_takes_all_kinds(tmp_path: Path) -> None:
    game = moved(DCGAN)
    paths = [save_pretrained(game, tmp_path / "folder"), save_pretrained(game, tmp_path / "file.safetensors")]
    for path in (*paths, save_checkpoint(game, tmp_path / "last.ckpt")):
        assert_same_bits(load_any(path).sample(2), game.sample(2))  # type: ignore[operator]


def _spoilt(folder: Path, how: str) -> None:
    weights, config = folder / WEIGHTS, folder / CONFIG
    described = json.loads(config.read_text())
    if how == "cut":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif how == "no weights":
        weights.unlink()
    elif how == "another kind":
        weights.write_bytes(b"PK\3\4" * 100)
    elif how == "no JSON":
        config.write_text("{")
    elif how == "deep":
        config.write_text("[" * 100_000)
    elif how == "another's":
        config.write_text('{"architectures": ["BertModel"]}')
    elif how == "huge":
        config.write_text(" " * (2**24 + 1))
    elif how == "code":
        described["gan_lightning"]["variant"] = "os.system"
        config.write_text(json.dumps(described))
    elif how == "foreign":
        described["gan_lightning"]["variant"] = "surely_not_there.Game"
        config.write_text(json.dumps(described))
    elif how == "wider":
        described["hyper_parameters"]["latent_dim"] = 6
        config.write_text(json.dumps(described))
    else:
        tensors = load_file(weights)
        del tensors[min(tensors)]
        save_file(tensors, weights)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("cut", "no whole safetensors file"),
        ("no weights", "no file"),
        ("another kind", "no whole safetensors file"),
        ("no JSON", "was not written by GAN Lightning"),
        ("deep", "was not written by GAN Lightning"),
        ("another's", "was not written by GAN Lightning"),
        ("huge", "more than 16 MiB"),
        ("code", "no AdversarialModule"),
        ("foreign", "has not been imported"),
        ("wider", "does not fit the DCGAN"),
        ("a layer less", "does not fit the DCGAN"),
    ],
)
def test_a_bad_one_is_one_sentence(how: str, says: str, tmp_path: Path) -> None:
    save_pretrained(moved(DCGAN), tmp_path)
    _spoilt(tmp_path, how)
    with pytest.raises(CheckpointError, match=says):
        load_any(tmp_path)
