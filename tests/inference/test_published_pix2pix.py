"""Weights of the authors' PyTorch code make the same images here as there."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.inference.published.loading import SOURCES
from gan_lightning.networks import PatchDiscriminator, ResidualTranslator, UNet
from gan_lightning.variants import CycleGAN, Pix2Pix
from gan_lightning.visualization.images import to_uint8
from tests.helpers import reference_networks as reference

GENERATORS = {
    "unet_256": partial(reference.unet, 8, width=4),
    "unet_128": partial(reference.unet, 7, width=4, given=1),
    "resnet_9blocks": partial(reference.resnet, 9, width=4, made=1),
    "resnet_6blocks": partial(reference.resnet, 6, width=3),
    "resnet with dropout": partial(reference.resnet, 6, width=4, dropout=True),
}
DISCRIMINATORS = {
    "basic": partial(reference.patch, width=4, given=6),
    "basic, instance": partial(reference.patch, width=4, norm=nn.InstanceNorm2d),
    "n_layers": partial(reference.patch, 5, width=2),
    "one layer": partial(reference.patch, 1, width=2, norm=nn.InstanceNorm2d),
}


def saved(network: nn.Module, folder: Path, **options: Any) -> Path:
    torch.save(network.state_dict(), folder / "latest_net_G.pth", **options)
    return folder / "latest_net_G.pth"


def images(channels: int, n: int = 1, height: int = 128, width: int = 128) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def assert_same(made: Tensor, expected: Tensor) -> None:
    assert expected.std() > 0.01
    assert_close(made, expected, rtol=0, atol=1e-6)


class TestNetworks:
    @pytest.mark.parametrize("name", [*GENERATORS, *DISCRIMINATORS])
    def test_it_answers_the_same(self, name: str, tmp_path: Path) -> None:
        theirs = reference.shuffled((GENERATORS | DISCRIMINATORS)[name]()).eval()
        ours = inference.reference_network(saved(theirs, tmp_path))
        assert not ours.training
        side = 256 if name == "unet_256" else 128
        given = images(next(theirs.parameters()).shape[1], 2, side, 2 * side)
        with torch.no_grad():
            assert_same(ours(given), theirs(given))

    def test_what_they_are_is_seen(self, tmp_path: Path) -> None:
        kinds = {}
        for name, make in (GENERATORS | DISCRIMINATORS).items():
            kinds[name] = type(inference.reference_network(saved(make(), tmp_path)))
        assert [*kinds.values()] == [UNet] * 2 + [ResidualTranslator] * 3 + [PatchDiscriminator] * 4

    def test_files_of_data_parallel(self, tmp_path: Path) -> None:
        theirs = reference.shuffled(GENERATORS["unet_128"]()).eval()
        ours = inference.reference_network(saved(nn.DataParallel(theirs), tmp_path))
        with torch.no_grad():
            assert_same(ours(images(1)), theirs(images(1)))

    def test_files_of_old_versions(self, tmp_path: Path) -> None:
        """The statistics in them were not used in the authors' tests, which run as in training."""
        theirs = reference.shuffled(reference.resnet(6, width=4, norm=reference.old_instance_norm, dropout=False))
        names = theirs.state_dict().keys()
        assert {name.rpartition(".")[2] for name in names} >= {"running_mean", "running_var", "num_batches_tracked"}
        ours = inference.reference_network(saved(theirs, tmp_path, _use_new_zipfile_serialization=False))
        with torch.no_grad():
            assert_same(ours(images(3)), theirs.train()(images(3)))
        judge = reference.shuffled(reference.patch(width=4, norm=reference.old_instance_norm))
        ours = inference.reference_network(saved(judge, tmp_path, _use_new_zipfile_serialization=False))
        with torch.no_grad():
            assert_same(ours(images(3)), judge.train()(images(3)))

    def test_they_can_be_trained_on(self, tmp_path: Path) -> None:
        shape = (3, 128, 128)
        pix2pix = Pix2Pix(shape, shape, partial(UNet, width=4), partial(PatchDiscriminator, width=4))
        generator = inference.reference_network(saved(reference.unet(7, width=4), tmp_path))
        pix2pix.generator.load_state_dict(generator.state_dict())
        discriminator = inference.reference_network(saved(reference.patch(width=4, given=6), tmp_path))
        pix2pix.discriminator.load_state_dict(discriminator.state_dict())
        cycle_gan = CycleGAN(shape, partial(ResidualTranslator, width=4), partial(PatchDiscriminator, width=4))
        generator = inference.reference_network(saved(reference.resnet(6, width=4), tmp_path))
        cycle_gan.generator["AtoB"].load_state_dict(generator.state_dict())


class TestTranslator:
    @pytest.mark.parametrize("name", ["unet_256", "unet_128"])
    def test_the_published_test_mode(self, name: str, tmp_path: Path) -> None:
        """Dropout at the same places draws the same numbers."""
        theirs = reference.shuffled(GENERATORS[name]()).train()
        model = inference.load_reference(saved(theirs, tmp_path))
        side = 256 if name == "unet_256" else 128
        given = images(next(theirs.parameters()).shape[1], 2, side, side)
        with torch.no_grad():
            torch.manual_seed(5)
            expected = torch.cat([theirs(image) for image in given.split(1)])
            torch.manual_seed(6)
            other = torch.cat([theirs(image) for image in given.split(1)])
        assert (expected - other).abs().max() > 0.01
        assert_same(model.translate(given, seed=5), expected)

    def test_a_resnet_leaves_nothing_to_chance(self, tmp_path: Path) -> None:
        theirs = reference.shuffled(GENERATORS["resnet_6blocks"]())
        model = inference.load_reference(saved(theirs, tmp_path))
        with torch.no_grad():
            assert_same(model.translate(images(3), seed=3), theirs(images(3)))
        assert model.translate(images(3, 1, 31, 45)).shape == (1, 3, 31, 45)

    @pytest.mark.parametrize("name", ["unet_128", "resnet_9blocks"])
    def test_the_command(self, name: str, tmp_path: Path) -> None:
        path = saved(reference.shuffled(GENERATORS[name]()), tmp_path)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "a.png")
        for seed in (0, 1):
            options = ["--ckpt", path, "--input", tmp_path / "a.png", "--out", tmp_path / f"{seed}", "--seed", seed]
            assert main(["translate", *map(str, options), "--device", "cpu"]) == 0
            made = np.asarray(Image.open(tmp_path / f"{seed}" / "a.png"))
            expected = inference.translate(inference.load_reference(path), tmp_path / "a.png", seed=seed)
            assert np.array_equal(made.reshape(20, 30, -1), to_uint8(expected).permute(1, 2, 0).numpy())


class TestMistakes:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: reference.resnet(6, width=4, norm=nn.BatchNorm2d),
            lambda: reference.resnet(6, width=4, norm=nn.BatchNorm2d, dropout=True),
            lambda: reference.unet(7, width=4, norm=nn.InstanceNorm2d),
            lambda: reference.pixel(4),
            lambda: nn.Linear(2, 2),
            lambda: reference.Named(nn.Conv2d(3, 4, 3)),
        ],
        ids=["resnet with batch norm", "with dropout too", "unet with instance norm", "pixel", "linear", "one layer"],
    )
    def test_other_networks(self, make: Any, tmp_path: Path) -> None:
        path = saved(make(), tmp_path)
        with pytest.raises(inference.CheckpointError) as error:
            inference.reference_network(path)
        assert str(error.value) == (
            f"{path} cannot be used: its weights fit none of the networks that are known: "
            f"{'; '.join(source.ABOUT for source in SOURCES)}."
        )

    @pytest.mark.parametrize("change", ["missing", "more", "larger"])
    def test_weights_that_do_not_fit(self, change: str, tmp_path: Path) -> None:
        weights = reference.resnet(6, width=4).state_dict()
        if change == "missing":
            del weights["model.12.conv_block.5.bias"]
        elif change == "more":
            weights["model.12.conv_block.5.scale"] = torch.ones(1)
        else:
            weights["model.4.weight"] = torch.ones(8, 4, 5, 5)
        torch.save(weights, tmp_path / "net.pth")
        with pytest.raises(inference.CheckpointError, match="fit none of the networks"):
            inference.reference_network(tmp_path / "net.pth")

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda: reference.patch(width=2), "holds a discriminator, which makes no images"),
            (lambda: reference.unet(5, 2, 1, 2), "holds a generator from 1 channels to 2: only grey"),
            (lambda: reference.resnet(1, 2, 4, 3), "holds a generator from 4 channels to 3: only grey"),
        ],
    )
    def test_what_cannot_translate(self, make: Any, says: str, tmp_path: Path) -> None:
        with pytest.raises(inference.CheckpointError, match=says):
            inference.load_reference(saved(make(), tmp_path))

    @pytest.mark.parametrize("is_new", [True, False])
    @pytest.mark.parametrize("harm", ["missing", "short", "damaged", "without weights"])
    def test_other_files(self, harm: str, is_new: bool, tmp_path: Path) -> None:
        path = saved(reference.patch(width=2), tmp_path, _use_new_zipfile_serialization=is_new)
        whole = path.read_bytes()
        if harm == "missing":
            path = tmp_path / "nowhere.pth"
        elif harm == "short":
            path.write_bytes(whole[:2000])
        elif harm == "damaged" and is_new:  # What old files hold has no checksums.
            middle = len(whole) // 2
            path.write_bytes(
                whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 9]) + whole[middle + 9 :]
            )
        else:
            torch.save({"weights": [1.0, 2.0], "options": {"width": 2}}, path)
        with pytest.raises(inference.CheckpointError, match="is missing, broken, or no file of a network's weights"):
            inference.load_reference(path)

    def test_code_is_not_run(self, tmp_path: Path) -> None:
        class Attack:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (tmp_path / "attacked",)

        torch.save({"model.0.weight": Attack()}, tmp_path / "evil.pth", _use_new_zipfile_serialization=False)
        with pytest.raises(inference.CheckpointError):
            inference.reference_network(tmp_path / "evil.pth")
        assert not (tmp_path / "attacked").exists()

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ({"state_dict": {}}, "was not written by GAN Lightning"),
            ({"a.weight": torch.ones(2)}, "cannot be used: its weights fit none of the networks"),
        ],
    )
    def test_the_command_says_which_kind_of_file_is_wrong(
        self, content: Any, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        torch.save(content, tmp_path / "a.pth")
        Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
        options = ["--ckpt", tmp_path / "a.pth", "--input", tmp_path / "a.png", "--out", tmp_path / "out"]
        with pytest.raises(SystemExit, match="2"):
            main(["translate", *map(str, options)])
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gan-lightning translate: {tmp_path / 'a.pth'} {says}")
