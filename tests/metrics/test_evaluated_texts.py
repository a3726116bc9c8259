"""``evaluate`` of a model of texts: the captions of its samples are those of the split, and encoders compare both."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datamodules import CaptionedImageDataModule
from gan_lightning.cli import main
from gan_lightning.inference.checkpoint import load
from gan_lightning.networks.text import Text
from gan_lightning.variants import DCGAN, GANCLS, AttnGAN
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import save_checkpoint, small
from tests.metrics.test_command import fid_of

WORDS = [*"abcdefghijkl"]
"""Their tokens are 2, 3, ..."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class FirstToken(nn.Module):
    """A text encoder whose feature is the first token."""

    embed_dim = 1
    needs_training = False

    def __init__(self, n_tokens: int) -> None:
        super().__init__()

    def forward(self, tokens: Tensor) -> Text:
        first = tokens[:, :1].float()
        return Text(first[..., None], first, torch.ones_like(first, dtype=torch.bool))


class Shows(nn.Module):
    """Images as bright as the number of the token."""

    def __init__(self, image_shape: Sequence[int], latent_dim: int, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        return (self.weight * (sentence[:, 0] / 8 - 1))[:, None, None, None].expand(-1, 1, 4, 4)


class Brightness:
    """Encoders of words and brightnesses as points on a circle, which take a for one between k and l."""

    def encode_images(self, images: Tensor) -> Tensor:
        return self._on_circle((images.mean((1, 2, 3)) + 1) * 8)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._on_circle(torch.tensor([2.0 + (WORDS.index(text[0]) or 10.6) for text in texts]))

    @staticmethod
    def _on_circle(token: Tensor) -> Tensor:
        return torch.stack([(token / 5).cos(), (token / 5).sin()], 1)


def nothing(*sizes: object) -> nn.Module:
    return nn.Identity()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """All words for training, a to d for testing, each in two captions, and a new word for validation."""
    rows = []
    for split, words in {"train": WORDS, "val": ["new"], "test": WORDS[:4]}.items():
        for i, word in enumerate(words):
            file = f"{split}{i}.png"
            Image.new("L", (4, 4), 20 * i).save(tmp_path / file)
            rows.append({"file_name": file, "text": [word, f"{word}, {word}"], "split": split})
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


@pytest.fixture
def checkpoint(data: Path) -> Path:
    module = CaptionedImageDataModule(str(data), image_size=4, channels=1, max_tokens=1)
    networks = {"generator": Shows, "text_encoder": FirstToken, "discriminator": nothing}
    return save_checkpoint(GANCLS((1, 4, 4), 4, tokenizer=module.tokenizer, **networks), data / "last.ckpt")


def evaluated(checkpoint: Path, data: Path, *options: object) -> dict[str, float]:
    given = ["--data", "CaptionedImageDataModule", "--data.root", data, "--json", data / "scores.json"]
    package = ["--import", __name__]
    assert main(["evaluate", "--ckpt", *map(str, [checkpoint, *given, *package, *options])]) == 0
    scores: dict[str, float] = json.loads((data / "scores.json").read_text())
    return scores


def test_samples_are_of_the_captions_of_the_split(
    checkpoint: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = evaluated(checkpoint, data, "--extractor", "pixels", "--metrics", "fid", "--num_samples", 6)
    module = CaptionedImageDataModule(str(data), image_size=4, channels=1)
    [real] = module.splits.test.image_batches([torch.arange(4)])
    samples = to_uint8(load(checkpoint).sample(6, texts=["a", "b", "c", "d"]))  # type: ignore[operator]
    assert samples[:, 0, 0, 0].tolist() == [32, 48, 64, 80, 32, 48]
    assert scores == {"fid_pixels": pytest.approx(fid_of(samples, real), rel=1e-6)}
    assert "6 samples are of 4 captions of the split test, 4 of which are also in its split train." in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "right", "says"),
    [
        # Of a to d, in turn, a is taken for another.
        (
            ["--n_candidates", 4, "--num_samples", 40],
            3 / 4,
            "its own and 3 others at random of 4, and is 0.25 by chance",
        ),
        # Four of twelve words, a among them; the others are candidates all the same.
        (
            ["--n_candidates", 12, "--num_samples", 4, "--split", "train"],
            3 / 4,
            "4 samples are of 4 captions of the split train.",
        ),
        (["--n_candidates", 2, "--split", "val"], None, "and the encoders tell 1 apart"),
        ([], None, "compares each sample with 100 captions, and the encoders tell 4 apart"),
    ],
)
def test_r_precision(
    options: list[object],
    right: float | None,
    says: str,
    checkpoint: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--metrics", "r_precision", "--encoders", f"{__name__}.Brightness", *options]
    if right is None:
        with pytest.raises(SystemExit):
            evaluated(checkpoint, data, *given)
    else:
        assert evaluated(checkpoint, data, *given) == {"r_precision": pytest.approx(right)}
    assert says in capsys.readouterr().err


def test_the_encoders_of_a_model_are_taken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = save_checkpoint(small(AttnGAN), data / "attn_gan.ckpt")
    names = ["r_precision", "r_precision_std", "text_similarity"]
    given = ["--metrics", *names, "--n_candidates", 2, "--truncation", "0.5", "none", "--data.image_size", "16"]
    given += ["--num_samples", 20]
    scores: list[dict[str, float]] = evaluated(own, data, *given)  # type: ignore[assignment]
    assert [[*each] for each in scores] == 2 * [["truncation", *names]]
    assert all(0 <= each["r_precision"] <= 1 for each in scores)
    assert "It is by AttnGAN's own encoders, which it has learned to please." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variant", "options", "says"),
    [
        (GANCLS, ["--metrics", "r_precision"], "GANCLS has no encoder of images to compare its samples"),
        (
            DCGAN,
            ["--metrics", "text_similarity"],
            "text_similarity compares samples with their texts, and DCGAN knows no",
        ),
        (
            GANCLS,
            ["--encoders", "x.ckpt"],
            "--encoders goes only with --metrics r_precision, r_precision_std, text_sim",
        ),
        (GANCLS, ["--metrics", "r_precision", "--encoders", "x.ckpt"], "There is no checkpoint x.ckpt"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    variant: type, options: list[str], says: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_checkpoint(small(variant), data / "last.ckpt")
    with pytest.raises(SystemExit):
        evaluated(path, data, *options)
    assert says in capsys.readouterr().err.splitlines()[-1]
