"""``encode``, ``reconstruct`` and ``generate --latents``, from files to files."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.inference.edit import KeptLatents, read_latents, write_latents
from gan_lightning.variants import DCGAN, AgeCGAN, CycleGAN
from gan_lightning.visualization.images import to_uint8, write_png
from tests.helpers.command_line import run
from tests.helpers.games import save_checkpoint, vivid

QUICK = ["--steps", "3", "--candidates", "4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, and four samples of each: two in a folder of their own."""
    folder = tmp_path_factory.mktemp("inverting")
    for variant, name in ((DCGAN, "dcgan"), (AgeCGAN, "ages")):
        model: Any = vivid(variant)
        save_checkpoint(model, folder / f"{name}.ckpt")
        for number, image in enumerate(to_uint8(model.sample(3, seed=5))):
            place = folder / f"{name}_images" / ("deep" if number == 2 else "") / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_png(place, image)
    return folder


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


def read_frames(file: Path) -> tuple[int, int, int]:
    """Number, height and width of a video's frames."""
    import av

    with av.open(str(file)) as container:
        frames = [*container.decode(video=0)]
    return len(frames), frames[0].height, frames[0].width


def encoded(folder: Path, out: Path, *more: object) -> int:
    given = ("--ckpt", folder / "dcgan.ckpt", "--input", folder / "dcgan_images")
    return run("encode", *given, "--out", out, *QUICK, "--batch_size", 2, *more)


class TestEncode:
    def test_generate_shows_the_kept_latents_again(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        common = ("--ckpt", folder / "dcgan.ckpt", "--input", folder / "dcgan_images", *QUICK, "--batch_size", 2)
        assert run("reconstruct", *common, "--out", tmp_path / "pairs") == 0
        told = capsys.readouterr().out
        assert "The latents of 3 images are in" in told
        assert encoded(folder, tmp_path / "latents") == 0
        names = [Path("0"), Path("1"), Path("deep/2")]
        kept = [read_latents((tmp_path / "latents" / name).with_suffix(".npz")) for name in names]
        assert [each.latents.shape for each in kept] == [(1, 4)] * 3
        assert f"pixels: {sum(float(each.errors['pixels']) for each in kept) / 3:.4g}" in told
        again = ("generate", "--ckpt", folder / "dcgan.ckpt", "--latents", tmp_path / "latents")
        assert run(*again, "--out", tmp_path / "again") == 0
        for number, name in enumerate(names):
            pair = pixels((tmp_path / "pairs" / name).with_suffix(".png"))
            assert pair.shape == (18, 35)  # two cells, with gaps around them
            # To the bit: each image is made alone
            assert np.array_equal(pair[1:17, 1:17], pixels(folder / "dcgan_images" / name.with_suffix(".png")))
            assert np.array_equal(pair[1:17, 18:34], pixels(tmp_path / "again" / f"{number:05d}.png"))
        assert run(*again, "--truncation", 0.5, "--out", tmp_path / "other") == 2
        assert "--truncation does not go with --latents" in capsys.readouterr().err

    def test_a_command_that_was_cut_off_goes_on(self, folder: Path, tmp_path: Path) -> None:
        assert encoded(folder, tmp_path / "whole") == 0
        shutil.copytree(tmp_path / "whole", tmp_path / "part")
        (tmp_path / "part" / "1.npz").unlink()
        assert encoded(folder, tmp_path / "part") == 2  # finished: nothing goes on there
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gan_lightning.commands.inverting.end_set", lambda folder: None)
            assert encoded(folder, tmp_path / "cut") == 0
        (tmp_path / "cut" / "1.npz").unlink()
        before = (tmp_path / "cut" / "0.npz").stat().st_mtime_ns
        assert encoded(folder, tmp_path / "cut") == 0
        assert (tmp_path / "cut" / "0.npz").stat().st_mtime_ns == before
        for name in ("0", "1", "deep/2"):
            assert (tmp_path / "cut" / f"{name}.npz").read_bytes() == (tmp_path / "whole" / f"{name}.npz").read_bytes()

    def test_features_of_any_network(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        assert encoded(folder, tmp_path / "out", "--distance", "torch.nn.Flatten", "--pixel_weight", 0) == 0
        errors = read_latents(tmp_path / "out" / "0.npz").errors
        assert torch.equal(errors["features"], errors["pixels"])
        assert "mean squared difference of features" in capsys.readouterr().out

    def test_images_of_another_size_are_named(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        images = shutil.copytree(folder / "dcgan_images", tmp_path / "images")
        Image.new("RGB", (20, 30), "red").save(images / "a.png")
        np.save(images / "b.npy", np.zeros((16, 16, 2), np.uint8))
        given = ("encode", "--ckpt", folder / "dcgan.ckpt", "--input", images, *QUICK)
        assert run(*given, "--out", tmp_path / "out") == 1
        told = capsys.readouterr()
        assert "2 of 5 images could not be used" in told.err
        assert "a.png: 20 x 30 pixels, and the model makes 16 x 16: give --resize." in told.err
        assert "b.npy: its shape is 16 x 16 x 2" in told.err
        assert "The latents of 3 images" in told.out
        assert run(*given, "--resize", "--out", tmp_path / "resized") == 1
        assert (tmp_path / "resized" / "a.npz").is_file()


class TestReconstruct:
    def test_ages_and_the_way(self, folder: Path, tmp_path: Path) -> None:
        given = ("--ckpt", folder / "ages.ckpt", "--input", folder / "ages_images", "--labels", 3, "--scale", 2)
        assert run("reconstruct", *given, *QUICK, "--every_class", "--way", "--out", tmp_path / "out") == 0
        picture = pixels(tmp_path / "out" / "0.png")
        # 12 cells of 32 pixels with gaps of 2 around them, and names above
        assert picture.shape[1] == 12 * 34 + 2
        assert picture.shape[0] > 34
        made, third, fourth = (picture[-34:-2, 2 + 34 * cell : 34 + 34 * cell] for cell in (1, 5, 6))
        assert np.array_equal(made, third)
        assert not np.array_equal(made, fourth)
        with Image.open(tmp_path / "out" / "deep" / "2.gif") as way:
            assert way.size == (70, 36)
            assert way.n_frames == 3  # 3 steps, of which the first moves nothing
        assert read_latents(tmp_path / "out" / "0.npz").labels == torch.tensor([3])
        again = ("generate", "--ckpt", folder / "ages.ckpt", "--latents", tmp_path / "out" / "0.npz")
        assert run(*again, "--out", tmp_path / "same") == 0
        assert np.array_equal(pixels(tmp_path / "same" / "00000.png").repeat(2, 0).repeat(2, 1), made)
        assert run(*again, "--labels", 4, "--out", tmp_path / "older") == 0
        older = pixels(tmp_path / "older" / "00000.png")
        assert np.array_equal(older.repeat(2, 0).repeat(2, 1), fourth)

    def test_project_is_another_name_of_it(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        pytest.importorskip("av")
        given = ("--ckpt", folder / "dcgan.ckpt", "--input", folder / "dcgan_images" / "0.png", *QUICK)
        assert run("project", *given, "--video", "mp4", "--out", tmp_path / "a") == 0
        assert run("reconstruct", *given, "--video", "--out", tmp_path / "b") == 0
        assert (tmp_path / "a" / "0.npz").read_bytes() == (tmp_path / "b" / "0.npz").read_bytes()
        # The start, 3 steps, and the last for 18 frames more; an odd width gets a pixel more.
        assert read_frames(tmp_path / "a" / "0.mp4") == (22, 18, 36)
        assert sorted(each.name for each in (tmp_path / "b").iterdir()) == ["0.gif", "0.npz", "0.png"]

    def test_an_encoder_is_trained_once_and_kept(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        kept = tmp_path / "encoder.safetensors"
        given = ("--ckpt", folder / "dcgan.ckpt", "--input", folder / "dcgan_images", "--encoder", kept, "--steps", 0)
        assert run("project", *given, "--encoder_steps", 2, "--out", tmp_path / "a") == 0
        before = kept.stat().st_mtime_ns
        assert run("encode", *given, "--out", tmp_path / "b") == 0
        assert kept.stat().st_mtime_ns == before
        assert (tmp_path / "a" / "0.npz").read_bytes() == (tmp_path / "b" / "0.npz").read_bytes()
        assert run("encode", *given, "--start", "mean", "--out", tmp_path / "c") == 2
        assert "--encoder and --start each say where" in capsys.readouterr().err
        other = ("--ckpt", folder / "ages.ckpt", "--input", folder / "ages_images", "--labels", 1)
        assert run("encode", *other, "--encoder", kept, "--out", tmp_path / "c") == 2
        assert "is of another generator" in capsys.readouterr().err
        kept.write_bytes(b"no tensors")
        assert run("encode", *given, "--out", tmp_path / "c") == 2
        assert "is no encoder that was trained for a generator" in capsys.readouterr().err

    def test_the_folders_of_images_may_be_their_classes(self, tmp_path: Path) -> None:
        model: Any = vivid(AgeCGAN)
        model.class_names = [f"class {label}" for label in range(10)]
        model.hparams["class_names"] = model.class_names
        save_checkpoint(model, tmp_path / "ages.ckpt")
        for label in (2, 7):
            (tmp_path / "images" / f"class {label}").mkdir(parents=True)
            Image.new("L", (16, 16), 20 * label).save(tmp_path / "images" / f"class {label}" / "a.png")
        given = ("--ckpt", tmp_path / "ages.ckpt", "--input", tmp_path / "images", "--steps", 0)
        assert run("encode", *given, "--out", tmp_path / "out") == 0
        for label in (2, 7):
            assert read_latents(tmp_path / "out" / f"class {label}" / "a.npz").labels == torch.tensor([label])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--input", "empty"], "There are no images"),
        (["--input", "nowhere"], "There is no file or folder"),
        (["--labels", "1"], "DCGAN has no classes"),
        (["--space", "w"], "DCGAN has no styles"),
        (["--start", "encoder"], "DCGAN has no encoder"),
        (["--distance", "nowhere.Net"], "There is no network 'nowhere.Net'"),
        (["--distance", "torch.nn.Linear"], "torch.nn.Linear cannot be called without arguments (Linear.__init__()"),
        (["--pixel_weight", "0"], "Neither pixels nor features are compared"),
        (["--latent_weight", "-1"], "latent_weight is -1"),
        (["--text", "a face"], "DCGAN makes no images of texts"),
        (["--distance_weights", "vgg.pth"], "--distance_weights goes only with --distance vgg19"),
        (["--ckpt", "cycle.ckpt"], "CycleGAN makes no samples from latents"),
    ],
)
def test_a_mistake_is_one_sentence(
    more: list[str], sentence: str, folder: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    if "cycle.ckpt" in more:
        save_checkpoint(vivid(CycleGAN), tmp_path / "cycle.ckpt")
    assert encoded(folder, tmp_path / "out", *more) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert sentence in told[-1]
    assert not (tmp_path / "out").exists()


class TestFile:
    def test_round_trip(self, tmp_path: Path) -> None:
        noise = [torch.randn(2, 1, 4, 4), torch.randn(2, 1, 8, 8)]
        kept = KeptLatents("w", torch.randn(2, 1, 6), noise, torch.tensor([4, 0]), "a face", {"pixels": torch.rand(2)})
        write_latents(tmp_path / "a.npz", kept)
        read = read_latents(tmp_path / "a.npz")
        assert (read.space, read.text) == ("w", "a face")
        assert read.labels is not None
        assert torch.equal(read.latents, kept.latents)
        assert read.labels.tolist() == [4, 0]
        assert all(torch.equal(*pair) for pair in zip(read.noise, noise, strict=True))
        assert torch.equal(read.errors["pixels"], kept.errors["pixels"])

    @pytest.mark.parametrize(
        ("arrays", "why"),
        [
            ({"latents": np.zeros((1, 4), np.float32)}, "it has no 'space'"),
            ({"space": np.array("z"), "latents": np.zeros((1, 4))}, "of float64"),
            ({"space": np.array("z"), "latents": np.full((1, 4), np.nan, np.float32)}, "not finite"),
            (
                {"space": np.array("z"), "latents": np.ones((1, 4), np.float32), "labels": np.ones(2, int)},
                "different",
            ),
            ({"space": np.array("z"), "latents": np.zeros((0, 4), np.float32)}, "it is of no image"),
            *(
                ({"space": np.array("z"), "latents": np.ones((1, 4), np.float32), "labels": labels}, "whole numbers")
                for labels in (np.array([0.5]), np.array([[1]]), np.array(["a"]))
            ),
            ({"space": np.array("z"), "latents": np.array([{}])}, "is damaged"),
            ({"other": np.zeros(3)}, "it has a member 'other.npy'"),
        ],
    )
    def test_other_files_are_refused(self, arrays: dict[str, Any], why: str, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ValueError, match=why):
            read_latents(tmp_path / "a.npz")

    def test_a_header_may_not_claim_more_than_there_is(self, tmp_path: Path) -> None:
        content = io.BytesIO()
        np.lib.format.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 4)})
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("latents.npy", content.getvalue())
        with pytest.raises(ValueError, match=r"latents\.npy is damaged"):
            read_latents(tmp_path / "a.npz")
        (tmp_path / "b.npz").write_bytes(b"PK no zip")
        with pytest.raises(ValueError, match="no latents that `gan-lightning encode` wrote"):
            read_latents(tmp_path / "b.npz")
