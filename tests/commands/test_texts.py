"""``generate`` of texts: by words, from a file, on a way, in the style of an image; and mistakes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.commands.run_summary import use_of
from gan_lightning.variants import DCGAN, GANCLS, JointEmbedding
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import save_checkpoint, small, vivid
from tests.helpers.stand_ins import captioned


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(vivid(GANCLS), tmp_path_factory.mktemp("gan_cls") / "last.ckpt")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def run(*arguments: object) -> None:
    assert main(["generate", *map(str, arguments)]) == 0


def test_texts_on_the_command_line(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run("--ckpt", checkpoint, "--text", "a small five", "Big zebra", "--n", 2, "--out", out)
    expected = inference.load(checkpoint).sample(4, texts=["a small five", "a small five", "Big zebra", "Big zebra"])
    for number, image in enumerate(to_uint8(expected)[:, 0].numpy()):
        assert np.abs(pixels(out / f"{number:05d}.png").astype(int) - image).max() <= 1  # another memory layout
    assert len([*out.glob("*.png")]) == 4
    assert "Words that were in no training caption: zebra." in capsys.readouterr().err


def test_a_file_of_texts_becomes_a_captioned_grid(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("a small  one\n\n  big nine \nzero one two five nine small big\n", encoding="utf-8-sig")
    run("--ckpt", checkpoint, "--texts", file, "--n", 5, "--scale", 2, "--out", tmp_path / "out")
    picture = pixels(tmp_path / "out" / "grid.png")
    assert picture.shape[0] == 3 * 34 + 2 or picture.shape[0] == 3 * 33 + 1
    assert picture.shape[1] > 5 * 33
    assert "1 of 3 texts are cut to 5 tokens." in capsys.readouterr().err


def test_a_way_from_text_to_text(checkpoint: Path, tmp_path: Path) -> None:
    command = ["--ckpt", checkpoint, "--interpolate", 0, 0, "--frames", 3, "--text", "a small one", "a big nine"]
    run(*command, "--out", tmp_path / "out")
    picture = pixels(tmp_path / "out" / "interpolation.png").astype(int)
    way = inference.interpolate(inference.load(checkpoint), 0, 0, 3, texts=["a small one", "a big nine"])
    for number, image in enumerate(to_uint8(next(way))[:, 0].numpy()):
        left = 1 + 17 * number
        assert np.abs(picture[1:17, left : left + 16] - image).max() <= 1


def test_unknown_words_on_a_way_are_told(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--ckpt", checkpoint, "--interpolate", 0, 0, "--frames", 2, "--text", "a small zebra", "!?"]
    run(*command, "--out", tmp_path / "out")
    told = capsys.readouterr().err
    assert "Words that were in no training caption: zebra." in told
    assert "Texts without a word: !?." in told


def test_the_style_of_images(checkpoint: Path, tmp_path: Path) -> None:
    for name, level in (("a", 40), ("b", 200)):
        Image.new("L", (20, 30), level).save(tmp_path / f"{name}.png")
    style = ["--style", tmp_path / "a.png", tmp_path / "b.png", "--style_steps", 2]
    run("--ckpt", checkpoint, *style, "--text", "a small one", "big nine", "zero", "--out", tmp_path / "out")
    picture = pixels(tmp_path / "out" / "style.png")
    # A row for each image, which comes first; columns of 16 pixels have no room for the texts.
    assert picture.shape == (2 * 17 + 1, 4 * 17 + 1)
    assert (picture[1:17, 1:17] == 40).all()
    assert (picture[18:34, 1:17] == 200).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "a", " "], "--text: a text is empty"),
        (["--text", "a", "--texts", "FILE"], "--text and --texts both say what the samples show"),
        (["--texts", "nowhere.txt"], r"--texts: nowhere.txt cannot be read \(No such file or directory\)"),
        (["--texts", "EMPTY"], "has no text in it: write one in each line"),
        (["--texts", "LATIN"], "is no UTF-8 text"),
        (["--style", "FILE", "--text", "a"], "--style: .* cannot be read: not an image"),
        (["--style", "FILE"], "--style: give the texts that are to have the style of the images"),
        (["--style", "FILE", "--text", "a", "--n", "3"], "--n does not go with --style"),
        (["--style_steps", "3"], "--style_steps goes only with --style"),
        (["--interpolate", "0", "1", "--text", "a", "b", "c"], "texts takes one value or two"),
        (["--labels", "3"], "GANCLS has no classes"),
    ],
)
def test_mistakes_are_one_sentence(
    checkpoint: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"FILE": b"a text\n", "EMPTY": b"\n \n", "LATIN": "fl\u00fcgel".encode("latin-1")}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    given = [str(tmp_path / each) if each in files else each for each in arguments]
    with pytest.raises(SystemExit):
        main(["generate", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out"), *given])
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_without_texts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save_checkpoint(small(DCGAN), tmp_path / "last.ckpt")
    with pytest.raises(SystemExit):
        main(["generate", "--ckpt", str(path), "--text", "a red apple", "--out", str(tmp_path / "out")])
    assert "DCGAN makes no images of texts, so its samples cannot be chosen by one" in capsys.readouterr().err


ENCODER = '''
import torch
from torch import Tensor, nn

from gan_lightning.networks.text import Text


class TinyCLIP(nn.Module):
    """A transformer as CLIP's, whose text has the feature of the last word; frozen by the game."""

    needs_training = False

    def __init__(self, n_tokens: int, embed_dim: int = 8) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.embedding = nn.Embedding(n_tokens, embed_dim)
        self.layer = nn.TransformerEncoderLayer(embed_dim, 2, 16, batch_first=True)

    def forward(self, tokens: Tensor) -> Text:
        mask = tokens != 0
        features = self.layer(self.embedding(tokens), src_key_padding_mask=~mask) * mask[..., None]
        last = (mask.sum(1, keepdim=True) - 1).clamp(min=0)[..., None].expand(-1, 1, self.embed_dim)
        return Text(features.transpose(1, 2), features.gather(1, last)[:, 0], mask)
'''


@pytest.mark.slow
def test_a_text_encoder_by_its_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_encoder_of_texts.py").write_text(ENCODER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    data = captioned(tmp_path / "data")
    arguments = ["--model", "GANCLS", "--model.text_encoder", "my_encoder_of_texts.TinyCLIP"]
    arguments += [
        "--data",
        "CaptionedImageDataModule",
        "--data.root",
        data["root"],
        "--data.image_size",
        "16",
        "--data.batch_size",
        "8",
    ]
    arguments += ["--model.generator.width", "4", "--model.discriminator.width", "4", "--name", "mine"]
    quiet = ["--trainer.max_steps", "2", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    assert main(["fit", *arguments, *quiet]) == 0
    checkpoint = tmp_path / "runs" / "mine" / "version_0" / "checkpoints" / "last.ckpt"
    text = ["--text", "a red flower", "--n", "1", "--out", str(tmp_path / "out"), "--import", "my_encoder_of_texts"]
    assert main(["generate", "--ckpt", str(checkpoint), *text]) == 0
    assert (tmp_path / "out" / "00000.png").is_file()
    assert "is not trained" not in capsys.readouterr().err


def test_texts_that_contradict_the_data_are_named_in_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"--data.{name}={value}" for name, value in captioned(tmp_path / "data").items()]
    with pytest.raises(SystemExit):
        main(["fit", "--data=CaptionedImageDataModule", *given, "--model=GANCLS", "--model.tokenizer=mine"])
    told = capsys.readouterr().err
    assert "model.tokenizer is mine, but the data says {" in told
    assert "...: leave it out" in told


def test_a_run_says_what_its_checkpoint_is_for() -> None:
    file = "runs/pairs/last.ckpt"
    _, begin = use_of(small(JointEmbedding))  # It draws no images.
    assert begin.format(file).endswith("--init_from '{text_encoder: runs/pairs/last.ckpt}'")
    assert use_of(small(GANCLS))[1].format(file).startswith("generate --ckpt runs/pairs/last.ckpt")


def test_encoders_make_no_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No command sends to another that sends back."""
    checkpoint = save_checkpoint(small(JointEmbedding), tmp_path / "last.ckpt")
    image = tmp_path / "image.png"
    Image.new("L", (16, 16)).save(image)
    for command, option in (("generate", "--n=1"), ("translate", f"--input={image}")):
        with pytest.raises(SystemExit):
            main([command, f"--ckpt={checkpoint}", option, f"--out={tmp_path / 'out'}"])
        assert f"gan-lightning {command}: JointEmbedding makes no images, " in capsys.readouterr().err
