"""From a checkpoint to images."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning import inference
from gan_lightning.arguments import recipes
from gan_lightning.cli import main
from gan_lightning.games.base import AdversarialModule
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.variants import DCGAN, WGAN
from gan_lightning.visualization.images import grid, to_uint8
from tests.helpers.games import assert_same_bits, play, run_directory, small


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small DCGAN after two steps."""
    folder = tmp_path_factory.mktemp("trained")
    play(small(DCGAN, ema_decay=0.5), 2, folder)
    return run_directory(folder) / "checkpoints" / "last.ckpt"


def changed(trained: Path, folder: Path, **entries: Any) -> Path:
    """The checkpoint with other entries."""
    checkpoint = {**torch.load(trained, weights_only=True), **entries}
    torch.save(checkpoint, folder / "changed.ckpt")
    return folder / "changed.ckpt"


def colour(folder: Path) -> Path:
    """A checkpoint of a game on colour images."""
    parts: dict[str, Any] = {
        "generator": partial(ConvGenerator, width=4),
        "discriminator": partial(ConvDiscriminator, width=4),
    }
    model = DCGAN((3, 16, 16), 4, **parts)
    checkpoint: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "colour.ckpt")
    return folder / "colour.ckpt"


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


class TestLoad:
    def test_the_model_comes_back_with_its_weights(self, trained: Path) -> None:
        model = inference.load(trained)
        assert type(model) is DCGAN
        assert not model.training
        assert_same_bits(model.state_dict(), torch.load(trained, weights_only=True)["state_dict"])

    def test_samples_are_those_of_the_average(self, trained: Path) -> None:
        model = inference.load(trained)
        weights = torch.load(trained, weights_only=True)["state_dict"]
        assert any(
            not torch.equal(weights[name], weights[f"ema.module.{name[10:]}"])
            for name in weights
            if name.startswith("generator.")
        )
        average = ConvGenerator((1, 16, 16), 4, width=4).eval()
        average.load_state_dict({n.removeprefix("ema.module."): w for n, w in weights.items() if n.startswith("ema.")})
        assert torch.equal(model.sample(3), average(model_latents(3)).detach())

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(inference.CheckpointError, match=r"There is no checkpoint .*nothing\.ckpt\.$"):
            inference.load(tmp_path / "nothing.ckpt")

    @pytest.mark.parametrize("kept", [0, 10, 2000, -100])
    def test_a_truncated_file(self, trained: Path, tmp_path: Path, kept: int) -> None:
        (tmp_path / "short.ckpt").write_bytes(trained.read_bytes()[:kept])
        with pytest.raises(inference.CheckpointError, match=r"short\.ckpt is no complete checkpoint"):
            inference.load(tmp_path / "short.ckpt")

    def test_a_damaged_file(self, trained: Path, tmp_path: Path) -> None:
        whole = trained.read_bytes()
        (tmp_path / "damaged.ckpt").write_bytes(whole[:200] + bytes(500) + whole[700:])
        with pytest.raises(inference.CheckpointError, match=r"damaged\.ckpt is (damaged|no complete checkpoint)"):
            inference.load(tmp_path / "damaged.ckpt")

    def test_a_file_of_another_kind(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("Dear diary, " * 100)
        with pytest.raises(inference.CheckpointError, match=r"notes\.txt is no complete checkpoint"):
            inference.load(tmp_path / "notes.txt")

    @pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], {"gan_lightning": None}])
    def test_a_checkpoint_of_another_program(self, tmp_path: Path, content: Any) -> None:
        torch.save(content, tmp_path / "foreign.ckpt")
        with pytest.raises(inference.CheckpointError, match=r"foreign\.ckpt was not written by GAN Lightning"):
            inference.load(tmp_path / "foreign.ckpt")

    def test_a_pickle_that_would_run_code_does_not(self, tmp_path: Path) -> None:
        class Attack:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (tmp_path / "attacked",)

        torch.save({"gan_lightning": Attack()}, tmp_path / "evil.ckpt")
        (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Attack()))
        with pytest.raises(inference.CheckpointError, match=r"evil\.ckpt is no checkpoint of GAN Lightning"):
            inference.load(tmp_path / "evil.ckpt")
        with pytest.raises(inference.CheckpointError, match=r"evil\.pkl is no complete checkpoint"):
            inference.load(tmp_path / "evil.pkl")
        assert not (tmp_path / "attacked").exists()

    def test_a_checkpoint_with_damage_inside(self, trained: Path, tmp_path: Path) -> None:
        path = tmp_path / "damaged.ckpt"
        content = bytearray(trained.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
        path.write_bytes(content)
        with pytest.raises(inference.CheckpointError, match=r"damaged\.ckpt is (damaged|no complete checkpoint)"):
            inference.load(path)

    @pytest.mark.parametrize("variant", ["torch.nn.Linear", "os.getcwd", "torch.no_such.Name", "", "DCGAN", 3, None])
    def test_a_variant_that_is_no_game(self, trained: Path, tmp_path: Path, variant: str) -> None:
        path = changed(trained, tmp_path, gan_lightning={"variant": variant})
        with pytest.raises(
            inference.CheckpointError, match=r"no AdversarialModule|no import path|cannot be imported here"
        ):
            inference.load(path)

    @pytest.mark.parametrize("place", ["variant", "generator", "generator_optimizer"])
    def test_what_a_checkpoint_names_is_not_imported_for_that(
        self, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        package = f"their_{place}"
        (tmp_path / f"{package}.py").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
        monkeypatch.syspath_prepend(tmp_path)
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        recipe = {"class_path": f"{package}.Thing", "init_args": {}}
        others = {"hyper_parameters": {**arguments, place: recipe}}
        path = changed(
            trained, tmp_path, **({"gan_lightning": {"variant": f"{package}.Thing"}} if place == "variant" else others)
        )
        with pytest.raises(
            inference.CheckpointError, match=rf"{package}\.Thing is in a package .* --import {package} "
        ):
            inference.load(path)
        assert not (tmp_path / "ran").exists()
        if place != "variant":
            with pytest.raises(ValueError, match="has not been imported"):
                DCGAN.load_from_checkpoint(path)
            assert not (tmp_path / "ran").exists()
        monkeypatch.setattr(recipes, "_OPEN", {*recipes._OPEN})
        recipes.open_package(package)  # The user trusts it.
        assert (tmp_path / "ran").exists()
        with pytest.raises(inference.CheckpointError, match="has no attribute 'Thing'"):
            inference.load(path)

    def test_a_recipe_that_would_run_code_does_not(self, trained: Path, tmp_path: Path) -> None:
        marker = tmp_path / "attacked"
        recipe = {"class_path": "tests.inference.test_sampling.touch", "init_args": {"path": str(marker)}}
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        path = changed(trained, tmp_path, hyper_parameters={**arguments, "generator": recipe})
        with pytest.raises(inference.CheckpointError, match=r"test_sampling\.touch is not known to make a torch\.nn"):
            inference.load(path)
        assert not marker.exists()

    @pytest.mark.parametrize(
        ("place", "class_path", "wanted"),
        [
            ("generator", "torch.optim.Adam", "torch.nn.Module"),
            ("generator_optimizer", "torch.nn.Identity", "torch.optim.Optimizer"),
            ("generator_scheduler", "gan_lightning.networks.ConvGenerator", "torch.optim.lr_scheduler.LRScheduler"),
        ],
    )
    def test_a_recipe_of_another_kind(
        self, trained: Path, tmp_path: Path, place: str, class_path: str, wanted: str
    ) -> None:
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        recipe = {"class_path": class_path, "init_args": {}}
        path = changed(trained, tmp_path, hyper_parameters={**arguments, place: recipe})
        with pytest.raises(inference.CheckpointError, match=f"{class_path} is not known to make a {wanted}"):
            inference.load(path)

    def test_a_function_that_says_it_makes_a_network_is_a_recipe(self, trained: Path, tmp_path: Path) -> None:
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        recipe = {"class_path": "tests.inference.test_sampling.make_generator", "init_args": {}}
        path = changed(trained, tmp_path, hyper_parameters={**arguments, "generator": recipe})
        assert torch.equal(inference.load(path).sample(2), inference.load(trained).sample(2))

    def test_weights_of_other_networks(self, trained: Path, tmp_path: Path) -> None:
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        path = changed(trained, tmp_path, hyper_parameters={**arguments, "latent_dim": 5})
        with pytest.raises(inference.CheckpointError, match="does not fit the DCGAN of this version of the code"):
            inference.load(path)

    def test_arguments_of_another_version(self, trained: Path, tmp_path: Path) -> None:
        arguments = torch.load(trained, weights_only=True)["hyper_parameters"]
        path = changed(trained, tmp_path, hyper_parameters={**arguments, "from_the_future": 5})
        with pytest.raises(inference.CheckpointError, match="from_the_future"):
            inference.load(path)


def touch(*_: Any, path: str) -> torch.nn.Module:
    Path(path).touch()
    return torch.nn.Identity()


touch.__annotations__.pop("return")


def make_generator(image_shape: tuple[int, int, int], latent_dim: int) -> torch.nn.Module:
    return ConvGenerator(image_shape, latent_dim, width=4)


def model_latents(n: int) -> torch.Tensor:
    from gan_lightning.games.randomness import indexed_normal

    return indexed_normal(0, n, 4, 0)


def test_generate_yields_the_models_samples_in_batches() -> None:
    model = small(WGAN)
    batches = list(inference.generate(model, 7, seed=3, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    torch.testing.assert_close(torch.cat(batches), model.sample(7, seed=3))


class TestCommand:
    def run(self, *arguments: object) -> int:
        return main(["generate", *map(str, arguments)])

    def test_files_are_the_models_samples(self, trained: Path, tmp_path: Path) -> None:
        assert self.run("--ckpt", trained, "--n", 5, "--out", tmp_path / "out", "--seed", 3, "--device", "cpu") == 0
        files = sorted((tmp_path / "out").iterdir())
        assert [file.name for file in files] == [f"0000{i}.png" for i in range(5)]
        expected = to_uint8(inference.load(trained).sample(5, seed=3))[:, 0].numpy()
        assert np.array_equal(np.stack([pixels(file) for file in files]), expected)

    def test_the_seed_decides(self, trained: Path, tmp_path: Path) -> None:
        for name, seed, batch_size in [("a", 1, 64), ("b", 1, 3), ("c", 2, 64)]:
            self.run(
                *("--ckpt", trained, "--n", 4, "--out", tmp_path / name),
                *("--seed", seed, "--batch_size", batch_size, "--device", "cpu"),
            )
        a, b, c = ([pixels(file) for file in sorted((tmp_path / name).iterdir())] for name in "abc")
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)

    def test_colour(self, tmp_path: Path) -> None:
        path = colour(tmp_path)
        self.run("--ckpt", path, "--n", 1, "--out", tmp_path / "out", "--device", "cpu")
        with Image.open(tmp_path / "out" / "00000.png") as image:
            assert (image.mode, image.size) == ("RGB", (16, 16))
        expected = to_uint8(inference.load(path).sample(1))[0].permute(1, 2, 0).numpy()
        assert np.array_equal(pixels(tmp_path / "out" / "00000.png"), expected)

    def test_grid(self, trained: Path, tmp_path: Path) -> None:
        self.run("--ckpt", trained, "--n", 5, "--out", tmp_path / "out", "--grid", "--device", "cpu")
        assert [file.name for file in (tmp_path / "out").iterdir()] == ["grid.png"]
        expected = grid(to_uint8(inference.load(trained).sample(5)))[0].numpy()
        assert np.array_equal(pixels(tmp_path / "out" / "grid.png"), expected)

    def test_progress_and_place_are_told(
        self, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.run("--ckpt", trained, "--n", 3, "--out", tmp_path / "out")
        told = capsys.readouterr()
        assert "3/3" in told.err
        assert f"3 samples are in {tmp_path / 'out'}." in told.out

    def test_an_empty_folder_is_filled_and_a_full_one_refused(
        self, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        out.mkdir()
        assert self.run("--ckpt", trained, "--n", 1, "--out", out) == 0
        before = (out / "00000.png").read_bytes()
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", trained, "--n", 2, "--out", out, "--seed", 9)
        assert f"{out} exists and is not an empty folder" in capsys.readouterr().err
        assert [(file.name, file.read_bytes()) for file in out.iterdir()] == [("00000.png", before)]

    def test_a_file_in_the_way_is_refused(self, trained: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", trained, "--out", tmp_path / "out")
        assert (tmp_path / "out").read_text() == "mine"

    def test_a_broken_checkpoint_is_told_in_one_sentence(
        self, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "short.ckpt").write_bytes(trained.read_bytes()[:2000])
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", tmp_path / "short.ckpt", "--out", tmp_path / "out")
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gan-lightning generate: {tmp_path / 'short.ckpt'} is no complete checkpoint")
        assert not (tmp_path / "out").exists()

    def test_a_game_without_samples(
        self, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delattr("gan_lightning.games.image.ImageGame.sample")
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", trained, "--out", tmp_path / "out")
        assert "DCGAN makes no samples from latents" in capsys.readouterr().err

    def test_a_bug_while_sampling_keeps_its_traceback(
        self, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def buggy(self: AdversarialModule, *_: Any, **__: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr(DCGAN, "sample", buggy)
        with pytest.raises(ValueError, match="a bug"):
            self.run("--ckpt", trained, "--out", tmp_path / "out")

    @pytest.mark.parametrize("option", ["--n", "--batch_size"])
    def test_numbers_below_one_are_refused(self, tmp_path: Path, option: str) -> None:
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", "x", "--out", tmp_path / "out", option, 0)
