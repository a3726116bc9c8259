"""A run that begins with the weights of another one, or of published networks."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gan_lightning.cli import main
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference import CheckpointError, init_from, load, read_checkpoint
from gan_lightning.networks import ConvDiscriminator, ConvGenerator, PatchDiscriminator, PlainConvDiscriminator, UNet
from gan_lightning.variants import DCGAN, R3GAN, SNGAN, WGANGP, ConditionalGAN, CycleGAN, Pix2Pix, ProjectionGAN
from tests.helpers import reference_networks as reference
from tests.helpers.games import VARIANTS, assert_same_bits, last_state, play, run_directory, save_checkpoint, small
from tests.inference.test_published_dcgan_example import netd, netg

CONV: dict[str, Any] = {
    "generator": partial(ConvGenerator, width=4),
    "discriminator": partial(ConvDiscriminator, width=4),
}


def under(state: Any, place: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(f"{place}."): weight for name, weight in state.items() if name.startswith(f"{place}.")}


def shaken(game: AdversarialModule) -> AdversarialModule:
    """The game with other weights, and an average that is not the generator's."""
    torch.manual_seed(7)
    for weight in game.state_dict().values():
        if weight.is_floating_point():
            weight.add_(torch.rand_like(weight))
    return game


def run_of(game: AdversarialModule, folder: Path) -> Path:
    return save_checkpoint(shaken(game), folder / "other.ckpt")


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_a_variant_begins_with_its_own_kind(variant: type[AdversarialModule], tmp_path: Path) -> None:
    path = run_of(small(variant), tmp_path)
    theirs = read_checkpoint(path)["state_dict"]
    game = small(variant)
    assert [report.n_taken for report in init_from(game, path)] == [len(under(theirs, p)) for p in PLAYERS]
    assert_same_bits(under(game.state_dict(), "discriminator"), under(theirs, "discriminator"))
    average = under(theirs, "ema.module")
    assert_same_bits(under(game.state_dict(), "generator"), average or under(theirs, "generator"))
    assert_same_bits(under(game.state_dict(), "ema.module"), average)


PLAYERS = ("generator", "discriminator")


def test_training_begins_at_step_0(tmp_path: Path) -> None:
    """With new optimisers, counts and draws: the run is that of a game made with these weights."""
    play(small(DCGAN), 3, tmp_path / "before", seed=1)
    last = run_directory(tmp_path / "before") / "checkpoints" / "last.ckpt"
    game = small(DCGAN)
    init_from(game, last)
    assert (game.game_step, game.images_seen) == (0, 0)
    twin = small(DCGAN)
    twin.load_state_dict(game.state_dict())
    for name, one in (("one", game), ("twin", twin)):
        play(one, 2, tmp_path / name, seed=2)
    one, other = (last_state(tmp_path / name) for name in ("one", "twin"))
    assert one["global_step"] == one["gan_lightning"]["game_step"] == 2
    assert one["gan_lightning"].pop("initialised_from") == dict.fromkeys(PLAYERS, str(last))
    assert_same_bits(one, other)


def test_another_variant_takes_what_fits(tmp_path: Path) -> None:
    path = run_of(small(DCGAN), tmp_path)
    theirs = read_checkpoint(path)["state_dict"]
    game: Any = small(
        WGANGP, latent_dim=4, generator=CONV["generator"], discriminator=partial(PlainConvDiscriminator, width=4)
    )
    before = deepcopy(game.state_dict())
    generator, discriminator = init_from(game, path)
    assert str(generator) == f"generator: all of {path}."
    # Without BatchNorm the kernels after the first are the same in number, at other places of the sequence.
    assert discriminator.n_taken == 2
    assert str(discriminator) == (
        f"discriminator: 2 of 6 tensors, of {path}; new: layers.0.bias, layers.2.bias, layers.4; "
        "left out: layers.3, layers.5."
    )
    after = under(game.state_dict(), "discriminator")
    for name in ("layers.0.weight", "layers.2.weight"):
        assert torch.equal(after[name], theirs[f"discriminator.{name}"])
    for name in ("layers.0.bias", "layers.4.weight"):
        assert torch.equal(after[name], before[f"discriminator.{name}"])


def test_labels_are_added(tmp_path: Path) -> None:
    path = run_of(small(DCGAN), tmp_path)
    game = small(ConditionalGAN, num_classes=10, **CONV)
    generator, discriminator = init_from(game, path)
    assert str(generator).endswith(
        "tensors, of " + str(path) + "; new: layers.1 (14 x 8 x 4 x 4, there 4 x 8 x 4 x 4)."
    )
    assert discriminator.missing == ("layers.0 (4 x 11 x 4 x 4, there 4 x 1 x 4 x 4)",)
    # A projection discriminator has one layer more, and its generator's norms have weights by class.
    path = run_of(small(SNGAN), tmp_path)
    generator, discriminator = init_from(small(ProjectionGAN, num_classes=10), path)
    assert discriminator.missing == ("embedding",)
    assert discriminator.unused == ()
    assert generator.n_taken > 0
    assert all(".norm" in layer or "layers.4" in layer or "residual" in layer for layer in generator.missing)


def test_another_resolution(tmp_path: Path) -> None:
    """The discriminator's layers nearest the image are those of the smaller one."""
    path = run_of(small(DCGAN, 16), tmp_path)
    game = small(DCGAN, 32)
    _, discriminator = init_from(game, path)
    assert discriminator.missing == ("layers.5 (16 x 8 x 4 x 4, there 1 x 8 x 4 x 4)", "layers.6", "layers.8")
    theirs = read_checkpoint(path)["state_dict"]
    assert torch.equal(game.state_dict()["discriminator.layers.2.weight"], theirs["discriminator.layers.2.weight"])


def test_another_resolution_of_a_network_by_resolutions(tmp_path: Path) -> None:
    """The last stages, of the coarsest maps, are the same; the layer at the image is new."""
    path = run_of(small(R3GAN, 16), tmp_path)
    game = small(R3GAN, 32)
    _, discriminator = init_from(game, path)
    theirs, ours = read_checkpoint(path)["state_dict"], game.state_dict()
    places = [int(name.split(".")[2]) for name in theirs if name.startswith("discriminator.stages.")]
    for name, weight in under(theirs, f"discriminator.stages.{max(places)}").items():
        assert torch.equal(ours[f"discriminator.stages.{max(places) + 1}.{name}"], weight)
    assert not torch.equal(ours["discriminator.from_image.weight"], theirs["discriminator.from_image.weight"])
    assert discriminator.unused == ("other.from_image",)


class TestFiles:
    def test_either_player(self, tmp_path: Path) -> None:
        path = run_of(small(DCGAN), tmp_path)
        for player, other in (PLAYERS, PLAYERS[::-1]):
            game = small(DCGAN)
            before = deepcopy(game.state_dict())
            assert [report.player for report in init_from(game, {player: path})] == [player]
            assert_same_bits(under(game.state_dict(), other), under(before, other))
            assert not torch.equal(*(next(iter(under(one, player).values())) for one in (game.state_dict(), before)))

    def test_published_networks(self, tmp_path: Path) -> None:
        """PyTorch's example saves its players in two files."""
        files = {"generator": tmp_path / "netG.pth", "discriminator": tmp_path / "netD.pth"}
        torch.save(netg(), files["generator"])
        torch.save(netd(), files["discriminator"])
        make: dict[str, Any] = {name: partial(kind.func, width=3) for name, kind in CONV.items()}
        game = DCGAN((3, 64, 64), 5, **make)
        assert [str(report) for report in init_from(game, files)] == [f"{p}: all of {files[p]}." for p in PLAYERS]
        assert torch.equal(game.state_dict()["generator.layers.1.weight"], netg()["main.0.weight"])
        assert torch.equal(game.state_dict()["ema.module.layers.4.weight"], netg()["main.3.weight"])
        assert torch.equal(game.state_dict()["discriminator.layers.3.running_var"], netd()["main.3.running_var"])
        # One file for both players may have one of them.
        reports = init_from(DCGAN((3, 64, 64), 5, **make), files["generator"])
        assert [str(report).split(" of")[0] for report in reports] == ["generator: all", "discriminator: nothing"]

    def test_parts_of_a_player(self, tmp_path: Path) -> None:
        theirs = {"generator.BtoA": reference.resnet(1, width=2, given=1, made=1)}
        theirs["discriminator.A"] = reference.patch(1, width=4, given=1, norm=torch.nn.InstanceNorm2d)
        files = {place: tmp_path / f"{place}.pth" for place in theirs}
        for place, network in theirs.items():
            torch.save(network.state_dict(), files[place])
        game = small(CycleGAN)
        before = deepcopy(game.state_dict())
        assert all(str(report).endswith(f": all of {report.path}.") for report in init_from(game, files))
        ours = game.state_dict()
        assert torch.equal(ours["generator.BtoA.layers.1.weight"], theirs["generator.BtoA"].model[1].weight)  # type: ignore[index, union-attr]
        assert_same_bits(under(ours, "generator.AtoB"), under(before, "generator.AtoB"))

    def test_translators(self, tmp_path: Path) -> None:
        torch.save(reference.unet(7, width=4).state_dict(), tmp_path / "latest_net_G.pth")
        shape = (3, 128, 128)
        game = Pix2Pix(shape, shape, partial(UNet, width=4), partial(PatchDiscriminator, width=4))
        assert str(init_from(game, {"generator": tmp_path / "latest_net_G.pth"})[0]).startswith("generator: all of")


class TestMistakes:
    @pytest.mark.parametrize(
        ("files", "says"),
        [
            ("nowhere.ckpt", r"There is no checkpoint .*nowhere\.ckpt"),
            (
                {"critic": "other.ckpt"},
                r"init_from names 'critic', and SNGAN has generator, discriminator\.$",
            ),
            ({"generator.AtoB": "other.ckpt"}, r"init_from names 'generator\.AtoB', and SNGAN has"),
            ("", "init_from is '': it must name a file"),
            ({"generator": ""}, "it must name a file"),
            ({}, "it must name a file"),
            ("other.ckpt", r"Nothing in .*other\.ckpt fits this SNGAN: no weight of its players"),
            ({"generator": "other.ckpt"}, r"Nothing in .*other\.ckpt fits the generator of this SNGAN\.$"),
        ],
    )
    def test_files_that_cannot_be_used(
        self, files: Any, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        run_of(small(DCGAN), tmp_path)
        game = small(SNGAN)
        before = deepcopy(game.state_dict())
        with pytest.raises(ValueError, match=says):
            init_from(game, files)
        assert_same_bits(dict(game.state_dict()), dict(before))
        assert game.initialised_from == {}

    def test_counts_alone_are_no_fit(self, tmp_path: Path) -> None:
        """Every BatchNorm has a count of batches, of one shape and often of one name."""
        path = run_of(small(DCGAN, generator=partial(ConvGenerator, width=3)), tmp_path)
        with pytest.raises(CheckpointError, match="fits the generator"):
            init_from(small(DCGAN, generator=partial(ConvGenerator, width=5), latent_dim=7), {"generator": path})


RUN = Path("runs/mine/version_0")
FIT = ["fit", "--config", "dcgan.yaml", "--name", "mine"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config and with the run to begin from."""
    monkeypatch.chdir(tmp_path)
    networks = {
        "generator": {"class_path": "gan_lightning.networks.ConvGenerator", "init_args": {"width": 4}},
        "discriminator": {"class_path": "gan_lightning.networks.ConvDiscriminator", "init_args": {"width": 4}},
    }
    config = {
        "model": {"class_path": "DCGAN", "init_args": {"latent_dim": 4, **networks}},
        "data": {"class_path": "DigitsDataModule", "init_args": {"image_size": 16, "batch_size": 100}},
        "trainer": {"max_steps": 2, "accelerator": "cpu", "enable_progress_bar": False},
    }
    Path("dcgan.yaml").write_text(yaml.safe_dump(config))
    run_of(small(DCGAN), tmp_path)
    return tmp_path


class TestCommand:
    def test_a_run_and_its_resume(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = [*FIT, "--init_from", "other.ckpt", "--model.freeze_discriminator", "1"]
        assert main(options) == 0
        printed = capsys.readouterr().out
        for player in PLAYERS:
            assert f"Initial weights of the {player}: all of other.ckpt.\n" in printed
        theirs = read_checkpoint("other.ckpt")["state_dict"]
        # The first layer is frozen, so it has the weights of the file after training too; the others have moved.
        ours = read_checkpoint(RUN / "checkpoints" / "last.ckpt")["state_dict"]
        assert torch.equal(ours["discriminator.layers.0.weight"], theirs["discriminator.layers.0.weight"])
        moved = (ours["discriminator.layers.2.weight"] - theirs["discriminator.layers.2.weight"]).abs()
        # Adam's step is its rate of 2e-4 at most, but for its first ones, which 1 / sqrt(1 - beta2) bounds.
        assert 0 < moved.max() < 2e-2
        assert yaml.safe_load((RUN / "config.yaml").read_text())["init_from"] == "other.ckpt"
        # The same command goes on, without the file.
        Path("other.ckpt").unlink()
        assert main([*options, "--ckpt_path", "last", "--trainer.max_steps", "3"]) == 0
        checkpoint = read_checkpoint(RUN / "checkpoints" / "last.ckpt")
        assert checkpoint["global_step"] == 3
        assert checkpoint["gan_lightning"]["initialised_from"] == dict.fromkeys(PLAYERS, "other.ckpt")
        # And so does the config of the run alone.
        again = ["fit", "--config", str(RUN / "config.yaml"), "--ckpt_path", "last", "--trainer.max_steps", "4"]
        assert main(again) == 0
        assert load(RUN / "checkpoints" / "last.ckpt").game_step == 4

    def test_the_first_start_of_a_command_that_resumes(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """As under Slurm, where one command starts a run and continues it."""
        assert main([*FIT, "--init_from", "other.ckpt", "--ckpt_path", "last"]) == 0
        assert "Initial weights of the generator: all of other.ckpt." in capsys.readouterr().out

    def test_one_player(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*FIT, "--init_from", "{generator: other.ckpt}"]) == 0
        printed = capsys.readouterr().out
        assert "of the generator" in printed
        assert "of the discriminator" not in printed

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (
                ["--init_from", "other.ckpt", "--ckpt_path", "other.ckpt"],
                "other.ckpt holds weights alone",
            ),
            (["--init_from", "nowhere.ckpt"], "There is no checkpoint nowhere.ckpt."),
            (["--init_from", ""], "init_from is '': it must name a file"),
            (["--init_from", "dcgan.yaml"], "dcgan.yaml is no complete checkpoint"),
            (["--init_from", "other.ckpt", "--model.latent_dim", "5", "--model.generator.width", "3"], None),
            (["--init_from", "{generator: other.ckpt}", "--model.generator.width", "3"], "fits the generator of this"),
        ],
    )
    def test_mistakes(
        self, place: Path, options: list[str], says: str | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if says is None:
            assert main([*FIT, *options]) == 0
            assert "Initial weights of the generator: nothing of other.ckpt." in capsys.readouterr().out
            return
        with pytest.raises(SystemExit, match="2"):
            main([*FIT, *options])
        assert says in capsys.readouterr().err
        assert not RUN.exists()

    def test_a_run_that_began_otherwise(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(FIT) == 0
        with pytest.raises(SystemExit, match="2"):
            main([*FIT, "--init_from", "other.ckpt", "--ckpt_path", "last"])
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gan-lightning fit:")]
        assert line.endswith(
            "--init_from begins a run, and --ckpt_path continues that of runs/mine/version_0/checkpoints/last.ckpt, "
            "which did not begin with these weights: give one of them."
        )


def test_two_processes_begin_with_the_same_weights(tmp_path: Path) -> None:
    path = run_of(small(DCGAN), tmp_path)
    game = small(DCGAN, freeze_discriminator=1)
    init_from(game, path)
    play(game, 2, tmp_path, batch_size=20, devices=2, strategy="ddp_fork")
    state = last_state(tmp_path)
    theirs, ours = read_checkpoint(path)["state_dict"], state["state_dict"]
    assert torch.equal(ours["discriminator.layers.0.weight"], theirs["discriminator.layers.0.weight"])
    assert 0 < (ours["discriminator.layers.2.weight"] - theirs["discriminator.layers.2.weight"]).abs().max() < 2e-2
    assert state["gan_lightning"]["initialised_from"] == dict.fromkeys(PLAYERS, str(path))
