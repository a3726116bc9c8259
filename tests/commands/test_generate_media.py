"""``gan-lightning generate`` of a model of sounds."""

from pathlib import Path

import pytest
import torch

from gan_lightning import inference
from gan_lightning.variants import HiFiGAN, WaveGAN
from gan_lightning.visualization.image_sets import INCOMPLETE
from gan_lightning.visualization.images import write_png
from gan_lightning.visualization.sounds import Sound, wav
from tests.commands.test_generate import generate
from tests.helpers.command_line import refused
from tests.helpers.games import save_checkpoint, small


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(small(WaveGAN), tmp_path_factory.mktemp("sound") / "last.ckpt")


def test_each_sample_is_a_file_with_a_picture_beside(checkpoint: Path, tmp_path: Path) -> None:
    names = generate(checkpoint, tmp_path / "out", "--n", 3, "--seed", 4, "--batch_size", 2)
    assert names == [f"0000{i}.{kind}" for i in range(3) for kind in ("png", "wav")]
    model = inference.load(checkpoint)
    assert (tmp_path / "out" / "00002.wav").read_bytes() == wav(model.sample(1, seed=4, start=2)[0], model.sample_rate)


def test_a_command_that_was_cut_off_goes_on(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(checkpoint, tmp_path / "whole", "--n", 5, "--batch_size", 2)
    save, saved = Sound.save, []

    def until_the_disk_is_full(medium: Sound, path: Path, example: object) -> None:
        if len(saved) == 3:
            raise OSError(28, "No space left on device")
        save(medium, path, example)  # type: ignore[arg-type]
        saved.append(path.name)

    with monkeypatch.context() as patch:
        patch.setattr(Sound, "save", until_the_disk_is_full)
        with pytest.raises(SystemExit, match="1"):
            generate(checkpoint, tmp_path / "out", "--n", 5, "--batch_size", 2)
    assert (tmp_path / "out" / INCOMPLETE).is_file()
    generate(checkpoint, tmp_path / "out", "--n", 5, "--batch_size", 2)
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "out"))
    assert one == other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grid"], "--grid is of images, and WaveGAN makes sounds: leave it out."),
        (["--scale", "2"], "--scale is of images, and WaveGAN makes sounds: leave it out."),
        (["--bits", "16"], "--bits is of images, and WaveGAN makes sounds: leave it out."),
        (["--labels", "1"], "WaveGAN has no classes, so its samples cannot be chosen by label."),
        (["--interpolate", "0", "1"], "WaveGAN cannot interpolate"),
        (["--truncation", "0.5"], "WaveGAN makes no samples of latents, so they cannot be truncated."),
    ],
)
def test_what_is_of_images_is_refused(
    checkpoint: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out"), *options]
    assert message in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_a_model_of_given_sounds_says_how_to_use_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_checkpoint(small(HiFiGAN), tmp_path / "last.ckpt")
    said = refused(capsys, "generate", "--ckpt", str(path), "--out", str(tmp_path / "out"))
    assert "HiFiGAN makes sounds of sounds and not of latents: `gan-lightning predict` makes those of the data." in said


@pytest.mark.parametrize("command", ["encode", "reconstruct", "project"])
def test_no_latents_of_a_model_of_sounds_show_an_image(
    checkpoint: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "a.png", torch.zeros(1, 8, 8, dtype=torch.uint8))
    files = ["--input", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    said = refused(capsys, command, "--ckpt", str(checkpoint), *files)
    assert "WaveGAN makes no images of latents, so no latents show an image." in said
    assert not (tmp_path / "out").exists()
