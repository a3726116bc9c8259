"""From image files to their translations."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from torch import Tensor, nn

from datamodules.components.files import SUFFIXES
from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.commands import runs
from gan_lightning.commands.run_summary import RunRecord, use_of
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.hints import Hint
from gan_lightning.games.translation import AttributeEdits, TranslationGame
from gan_lightning.variants import DCGAN, Colorization, CycleGAN, Pix2Pix, SeqGAN, StarGAN
from gan_lightning.visualization import images
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import save_checkpoint, small, vivid


@pytest.fixture(scope="module")
def cycle_gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CycleGAN for grey images."""
    return save_checkpoint(small(CycleGAN), tmp_path_factory.mktemp("cycle_gan") / "last.ckpt")


def photograph(path: Path, width: int = 21, height: int = 13, mode: str = "RGB", **options: Any) -> Path:
    """A file of noise with the format that its ending says."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(path, **options)
    return path


def pixels(path: Path) -> Tensor:
    """C x H x W, as the file has them."""
    image = np.asarray(Image.open(path))
    return torch.from_numpy(image.reshape(*image.shape[:2], -1).copy()).permute(2, 0, 1)


def as_game_sees(grey_or_rgb: Tensor) -> Tensor:
    return grey_or_rgb[None].float() / 127.5 - 1


class Painter(TranslationGame):
    """Enlarges twice, and paints what it is told."""

    attributes = ("Bright", "Inverted")

    def __init__(self, image_shape: tuple[int, int, int] = (1, 8, 8), **game: Any) -> None:
        super().__init__(nn.Upsample(scale_factor=2), nn.Linear(1, 1), **game)

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        if attributes.get("Inverted"):
            images = -images
        bright = {True: 1.0, False: -1.0}.get(attributes.get("Bright"))  # type: ignore[arg-type]
        return self.generator(images if bright is None else torch.full_like(images, bright))


class TestFunction:
    def test_it_is_the_models_translation_of_the_pixels(self, cycle_gan: Path, tmp_path: Path) -> None:
        file = photograph(tmp_path / "a.png", 21, 13, "L")
        model = inference.load(cycle_gan)
        assert isinstance(model, CycleGAN)
        for direction, expected in [("BtoA", "BtoA"), ("AtoB", "AtoB"), (None, "AtoB")]:
            made = inference.translate(model, file, direction)
            assert made.shape == (1, 13, 21)
            assert torch.equal(made, model.translate(as_game_sees(pixels(file)), expected)[0])

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 30), (4, 5), (8, 3), (33, 16)])
    @pytest.mark.parametrize("variant", [CycleGAN, Pix2Pix, StarGAN])
    def test_any_size(self, variant: type[AdversarialModule], width: int, height: int, tmp_path: Path) -> None:
        model = small(variant, **({"side": 64, "num_classes": 10} if variant is StarGAN else {}))
        made = inference.translate(model, photograph(tmp_path / "a.png", width, height))
        assert made.shape == (1, height, width)
        assert made.isfinite().all()

    @pytest.mark.parametrize(("given", "made"), [(1, 3), (3, 1)])
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_the_channels_are_those_of_the_condition(self, given: int, made: int, mode: str, tmp_path: Path) -> None:
        model = small(Pix2Pix, image_shape=(made, 16, 16), condition_shape=(given, 16, 16))
        assert inference.translate(model, photograph(tmp_path / "a.png", mode=mode)).shape == (made, 13, 21)

    def test_a_model_that_names_no_channels_is_given_colours(self, tmp_path: Path) -> None:
        class Plain(TranslationGame):
            def __init__(self) -> None:
                super().__init__(nn.Upsample(scale_factor=1), nn.Linear(1, 1))

        assert inference.translate(Plain(), photograph(tmp_path / "a.png", mode="L")).shape == (3, 13, 21)

    def test_what_is_transparent_is_white(self, tmp_path: Path) -> None:
        Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
        assert torch.equal(inference.translate(Painter(), tmp_path / "a.png"), torch.ones(1, 8, 8))

    def test_photographs_are_turned_upright(self, tmp_path: Path) -> None:
        upright = np.zeros((12, 8), dtype=np.uint8)
        upright[:6] = 255  # bright above
        exif = Image.Exif()
        exif[0x0112] = 6  # what is above lies on the left of the file
        Image.fromarray(np.rot90(upright)).save(tmp_path / "a.png", exif=exif)
        made = inference.translate(Painter(), tmp_path / "a.png")
        assert torch.equal(made[0, ::2, ::2], torch.from_numpy(upright / 127.5 - 1).float())

    def test_only_translation_games_translate(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"^DCGAN makes images from latents: use `gan-lightning generate`\.$"):
            inference.translate(small(DCGAN), photograph(tmp_path / "a.png"))
        with pytest.raises(
            ValueError, match=r"^SeqGAN makes texts, not images of images: use `gan-lightning generate`"
        ):
            inference.translate(small(SeqGAN), photograph(tmp_path / "a.png"))

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory."),
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: ..."),
        ],
    )
    def test_an_image_too_large_for_the_device(
        self, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def exhausted(*_: Any) -> Tensor:
            raise error

        monkeypatch.setattr(Painter, "translate_batch", exhausted)
        with pytest.raises(inference.ImageError, match=r"a\.png, 21 x 13 pixels, does not fit into the memory of cpu"):
            inference.translate(Painter(), photograph(tmp_path / "a.png"))


class TestCommand:
    def run(self, *arguments: object) -> int:
        return main(["translate", *map(str, arguments), "--device", "cpu"])

    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
        """The one sentence of a command that must not start."""
        with pytest.raises(SystemExit, match="2"):
            self.run(*arguments)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("gan-lightning translate: ")
        return line

    def test_one_file(self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = photograph(tmp_path / "photo.jpg")
        assert self.run("--ckpt", cycle_gan, "--input", file, "--out", tmp_path / "out", "--direction", "BtoA") == 0
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.png"]
        expected = inference.translate(inference.load(cycle_gan), file, "BtoA")
        assert torch.equal(pixels(tmp_path / "out" / "photo.png"), to_uint8(expected))
        told = capsys.readouterr()
        assert f"1 translations are in {tmp_path / 'out'}." in told.out
        assert "1/1" in told.err

    def test_folders_keep_their_names(self, cycle_gan: Path, tmp_path: Path) -> None:
        names = ["a.jpg", "b.v2.webp", "deep/a.png", "deep/er/a.JPEG", ".hidden/a.png", "notes.txt"]
        for number, name in enumerate(names[:-1]):
            photograph(tmp_path / "in" / name, width=10 + number)
        (tmp_path / "in" / "notes.txt").write_text("no image")
        out = tmp_path / "new" / "out"
        assert self.run("--ckpt", cycle_gan, "--input", tmp_path / "in", "--out", out) == 0
        made = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
        assert sorted(made) == ["a.png", "b.v2.png", "deep/a.png", "deep/er/a.png"]
        for name, number in [("a", 0), ("b.v2", 1), ("deep/a", 2), ("deep/er/a", 3)]:
            assert pixels(made[f"{name}.png"]).shape == (1, 13, 10 + number)

    def test_the_seed_decides_what_chance_decides(self, tmp_path: Path) -> None:
        model = save_checkpoint(small(Pix2Pix), tmp_path / "last.ckpt")
        file = photograph(tmp_path / "a.png")
        for name, seed in [("a", 0), ("b", 0), ("c", 1)]:
            self.run("--ckpt", model, "--input", file, "--out", tmp_path / name, "--seed", seed)
        a, b, c = (pixels(tmp_path / name / "a.png") for name in "abc")
        assert torch.equal(a, b)
        assert not torch.equal(a, c)

    @pytest.mark.parametrize(
        ("wishes", "expected"),
        [
            ([], lambda given: given),
            (["Bright"], lambda given: torch.full_like(given, 255)),
            (["Bright=1", "Inverted"], lambda given: torch.full_like(given, 255)),
            (["Bright=0"], torch.zeros_like),
            (["Inverted"], lambda given: 255 - given),
        ],
    )
    def test_attributes_and_enlarging(
        self, wishes: list[str], expected: Callable[[Tensor], Tensor], tmp_path: Path
    ) -> None:
        file = photograph(tmp_path / "a.png", mode="L")
        options = ["--attributes", *wishes] if wishes else []
        self.run(
            "--ckpt",
            save_checkpoint(Painter(), tmp_path / "p.ckpt"),
            "--input",
            file,
            "--out",
            tmp_path / "out",
            *options,
        )
        made = pixels(tmp_path / "out" / "a.png")
        assert torch.equal(made[:, ::2, ::2], expected(pixels(file)))
        assert torch.equal(made[:, ::2, ::2], made[:, 1::2, 1::2])

    @pytest.mark.parametrize("wish", ["Bright=", "Bright=yes", "=1"])
    def test_wishes_that_make_no_sense(self, wish: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", "x", "--input", tmp_path, "--out", tmp_path / "out", "--attributes", wish)
        assert f"{wish!r} is neither NAME nor NAME=0" in capsys.readouterr().err

    def test_hints_and_a_reference(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model, photo = save_checkpoint(vivid(Colorization), tmp_path / "c.ckpt"), photograph(tmp_path / "in" / "a.png")
        wide, other = photograph(tmp_path / "in" / "b.png", 40), photograph(tmp_path / "c.jpg", 5, 9)
        out, hints = tmp_path / "out", [Hint(20, 12, (255, 0, 16)), Hint(30, 1, (0, 0, 0))]
        guided = ["--hints", "20,12,#Ff0010", "30,1,#000000", "--reference", other]
        assert self.run("--ckpt", model, "--input", tmp_path / "in", "--out", out, *guided) == 1
        # The second hint lies outside of one of the two.
        assert f"{photo}: The hint 30,1,#000000 lies outside the image of 21 x 13 pixels" in capsys.readouterr().err
        expected = inference.translate(inference.load(model), wide, hints=hints, reference=other)
        assert torch.equal(pixels(out / "b.png"), to_uint8(expected))
        assert not (out / "a.png").exists()
        assert not torch.equal(pixels(out / "b.png"), to_uint8(inference.translate(inference.load(model), wide)))

    @pytest.mark.parametrize(
        ("variant", "options", "message"),
        [
            (Colorization, ["--reference", "notes.txt"], "notes.txt is no PNG, JPEG, WebP"),
            (Colorization, ["--reference", "absent.png"], "absent.png cannot be read: No such file or directory."),
            (Pix2Pix, ["--reference", "a.png"], "Pix2Pix takes no reference: leave it out."),
            (Pix2Pix, ["--hints", "0,0,#000000"], "Pix2Pix takes no hints: leave it out."),
        ],
    )
    def test_guidance_that_cannot_be_followed(
        self, variant: Any, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model, file = save_checkpoint(small(variant), tmp_path / "c.ckpt"), photograph(tmp_path / "a.png")
        (tmp_path / "notes.txt").write_text("no image")
        named = [str(tmp_path / option) if "." in option else option for option in options]
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", model, "--input", file, "--out", tmp_path / "out", *named)
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("hint", ["1,2", "1,2,red", "-1,2,#000000", "1.5,2,#000000", "1,2,#00000", "1,2,#00000g"])
    def test_hints_that_make_no_sense(self, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            self.run("--ckpt", "x", "--input", tmp_path, "--out", tmp_path / "out", "--hints", hint)
        assert f"--hints: {hint!r} is no point and colour" in capsys.readouterr().err

    def test_broken_files_are_named_and_all_others_done(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "in"
        for name in ["a.jpg", "b/c.jpg", "d.png"]:
            photograph(folder / name)
        (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:-100])
        (folder / "b" / "text.png").write_text("Dear diary")
        assert self.run("--ckpt", cycle_gan, "--input", folder, "--out", tmp_path / "out") == 1
        assert sorted(path.name for path in (tmp_path / "out").rglob("*.png")) == ["c.png", "d.png"]
        told = capsys.readouterr()
        first, second, third = told.err.splitlines()[-3:]
        assert first == "gan-lightning translate: 2 of 4 images could not be translated:"
        assert second.startswith(f"  {folder / 'a.jpg'} cannot be read: ")
        assert "truncated" in second
        text = folder / "b" / "text.png"
        assert third == f"  {text} is no PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or .npy image, or a damaged one."
        assert "2 translations are in" in told.out

    def test_a_single_file_that_is_no_image(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "notes.txt").write_text("Dear diary")
        assert self.run("--ckpt", cycle_gan, "--input", tmp_path / "notes.txt", "--out", tmp_path / "out") == 1
        assert (
            f"{tmp_path / 'notes.txt'} is no PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or .npy image, or a damaged one."
            in capsys.readouterr().err
        )

    def test_two_images_for_one_name_are_refused(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a, b = photograph(tmp_path / "in" / "x" / "a.jpg"), photograph(tmp_path / "in" / "x" / "a.png")
        out = tmp_path / "out"
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", tmp_path / "in", "--out", out)
        assert f"{a} and {b} would both become {out / 'x' / 'a.png'}: rename one of them." in told
        assert not out.exists()

    def test_an_image_that_would_become_a_folder_is_refused(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        a, b = photograph(tmp_path / "in" / "x.jpg"), photograph(tmp_path / "in" / "x.png" / "a.png")
        out = tmp_path / "out"
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", tmp_path / "in", "--out", out)
        assert f"{a} would become {out / 'x.png'}, the folder of {b}: rename one of them." in told

    def test_the_longest_names_and_any_seed(self, cycle_gan: Path, tmp_path: Path) -> None:
        name = "\N{CJK UNIFIED IDEOGRAPH-5199}" * 83
        file = photograph(tmp_path / "in" / f"{name}.jpg")
        for out, seed in [("a", 10**23), ("b", -1)]:
            assert self.run("--ckpt", cycle_gan, "--input", file, "--out", tmp_path / out, "--seed", seed) == 0
            assert [path.stem for path in (tmp_path / out).iterdir()] == [name]

    def test_what_cannot_be_written_is_named_and_all_others_done(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in "ab":
            photograph(tmp_path / "in" / f"{name}.png")
        write = images.write_png

        def full(path: Path, image: Tensor) -> None:
            if path.stem == "a":
                raise OSError(errno.ENAMETOOLONG, "File name too long")
            write(path, image)

        monkeypatch.setattr(images, "write_png", full)
        out = tmp_path / "out"
        assert self.run("--ckpt", cycle_gan, "--input", tmp_path / "in", "--out", out) == 1
        assert [path.name for path in out.iterdir()] == ["b.png"]
        assert f"{out / 'a.png'} cannot be written: File name too long." in capsys.readouterr().err

    def test_a_wish_is_said_once(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file, model = photograph(tmp_path / "a.png"), save_checkpoint(Painter(), tmp_path / "p.ckpt")
        wishes = ["--attributes", "Bright", "Bright=0"]
        told = self.refused(capsys, "--ckpt", model, "--input", file, "--out", tmp_path / "out", *wishes)
        assert "--attributes names Bright 2 times" in told

    def test_no_input(self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", tmp_path / "nowhere", "--out", tmp_path / "out")
        assert f"There is no file or folder {tmp_path / 'nowhere'}: give --input" in told
        (tmp_path / "in").mkdir()
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", tmp_path / "in", "--out", tmp_path / "out")
        assert f"There are no images ({', '.join(SUFFIXES)}) in the folder {tmp_path / 'in'}." in told
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("place", ["in", "in/results", "link/results"])
    def test_results_do_not_go_among_the_images(
        self, place: str, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, out = tmp_path / "in", tmp_path / place
        photograph(folder / "a.png")
        (tmp_path / "link").symlink_to(folder)
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", folder, "--out", out)
        assert f"{out} lies in {folder}, so its files would be translated next time" in told
        assert [path.name for path in folder.iterdir()] == ["a.png"]

    def test_nothing_is_overwritten(self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file, mine = photograph(tmp_path / "in" / "a.png"), photograph(tmp_path / "out" / "a.png", 5, 5)
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", file, "--out", tmp_path / "out")
        assert f"{tmp_path / 'out'} exists and is not an empty folder" in told
        assert pixels(mine).shape == (3, 5, 5)

    def test_a_folder_that_cannot_be_written(
        self, cycle_gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = photograph(tmp_path / "a.png")
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", file, "--out", file / "out")
        assert f"{file / 'out'} cannot be written into (Not a directory): give another --out." in told
        monkeypatch.setattr("os.access", lambda *_: False)  # Nothing is forbidden to root, who may run this test.
        told = self.refused(capsys, "--ckpt", cycle_gan, "--input", file, "--out", tmp_path / "out")
        assert f"{tmp_path / 'out'} cannot be written into (Permission denied): give another --out." in told

    @pytest.mark.parametrize(
        ("wish", "says"),
        [
            (["--direction", "AtoC"], "CycleGAN has no direction 'AtoC': choose AtoB or BtoA."),
            (["--attributes", "Smiling"], "CycleGAN has no attribute 'Smiling': it knows none."),
        ],
    )
    def test_what_the_model_does_not_know(
        self, wish: list[str], says: str, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = photograph(tmp_path / "a.png")
        assert says in self.refused(capsys, "--ckpt", cycle_gan, "--input", file, "--out", tmp_path / "out", *wish)
        assert not (tmp_path / "out").exists()

    def test_a_model_of_the_other_kind(
        self, cycle_gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dcgan = save_checkpoint(small(DCGAN), tmp_path / "dcgan.ckpt")
        told = self.refused(
            capsys, "--ckpt", dcgan, "--input", photograph(tmp_path / "a.png"), "--out", tmp_path / "out"
        )
        assert "DCGAN makes images from latents: use `gan-lightning generate`." in told
        assert not (tmp_path / "out").exists()
        with pytest.raises(SystemExit, match="2"):
            main(["generate", "--ckpt", str(cycle_gan), "--out", str(tmp_path / "out")])
        told = capsys.readouterr().err
        assert "CycleGAN makes no samples from latents: it needs images, so use `gan-lightning translate`." in told

    def test_a_bug_while_translating_keeps_its_traceback(
        self, cycle_gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def buggy(self: CycleGAN, *_: Any) -> Tensor:
            raise ValueError("a bug")

        monkeypatch.setattr(CycleGAN, "translate_batch", buggy)
        with pytest.raises(ValueError, match="a bug"):
            self.run("--ckpt", cycle_gan, "--input", photograph(tmp_path / "a.png"), "--out", tmp_path / "out")

    def test_a_run_that_ends_names_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        record = RunRecord()
        record.directory = tmp_path
        record.begun = True
        record.use = use_of(small(CycleGAN))
        record.on_fit_start(Trainer(logger=False), small(CycleGAN))
        (tmp_path / "translations").mkdir()
        (tmp_path / runs.LAST).parent.mkdir()
        (tmp_path / runs.LAST).touch()
        record.print_summary()
        told = capsys.readouterr().out
        assert f"gan-lightning translate --ckpt {tmp_path / runs.LAST} --input" in told
        assert f"  translations  {tmp_path / 'translations'}\n" in told
