"""What is special to pix2code: its network, its losses, programs written freely, translations of screenshots."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datamodules.components.screens import END, MOST_TOKENS, START, encode, parse, random_program, tokens_of
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import Pix2CodeGenerator, ProgramDiscriminator
from gan_lightning.optimizers import Pix2CodeRMSprop
from gan_lightning.variants import Pix2Code
from gan_lightning.variants.pix2code import before_end, cross_entropy
from tests.helpers.command_line import refused, run
from tests.helpers.games import example_batch, save_checkpoint, small

SMALL = {"width": 2, "hidden": 8, "token_hidden": 8, "decoder_hidden": 8}


def test_the_number_of_parameters_is_the_authors() -> None:
    """109.82 million at 256 x 256, where an LSTM has one bias and not torch's two."""
    with torch.device("meta"):
        network = Pix2CodeGenerator()
    counts = {name: weight.numel() for name, weight in network.named_parameters()}
    assert sum(count for name, count in counts.items() if "bias_hh" not in name) == 109_824_307
    assert max(counts.values()) == 28 * 28 * 128 * 1024


def test_a_program_read_at_once_is_read_token_by_token() -> None:
    network = Pix2CodeGenerator((1, 44, 48), 19, **SMALL).eval()
    images, tokens = torch.rand(2, 1, 44, 48) * 2 - 1, torch.randint(0, 19, (2, 7))
    features, state, single = network.features(images), None, []
    for i in range(7):
        logits, state = network.step(features, tokens[:, i : i + 1], state)
        single.append(logits)
    torch.testing.assert_close(network(images, tokens), torch.cat(single, dim=1))
    # What comes later changes nothing.
    other = tokens.clone()
    other[:, 5:] = 3
    torch.testing.assert_close(network(images, other)[:, :5], network(images, tokens)[:, :5])
    assert Pix2CodeGenerator((1, 36, 37), **SMALL)(torch.zeros(1, 1, 36, 37), tokens[:1]).shape == (1, 7, 19)
    with pytest.raises(ValueError, match="reads images from 36 x 36 up, not of 35 x 64"):
        Pix2CodeGenerator((1, 35, 64))
    with pytest.raises(ValueError, match="reads images from 16 x 16 up, not of 16 x 8"):
        ProgramDiscriminator((1, 16, 8))


def test_gates_begin_as_keras_has_them() -> None:
    reader = Pix2CodeGenerator((1, 44, 44), 19, **SMALL).reader
    for layer in range(2):
        biases = getattr(reader, f"bias_ih_l{layer}") + getattr(reader, f"bias_hh_l{layer}")
        # Gates in torch's order: input, forget, cell, output
        assert biases.tolist() == [0] * 8 + [1] * 8 + [0] * 16


def test_the_likelihood_leaves_out_what_comes_after_the_end() -> None:
    probabilities = torch.tensor([[[0.25, 0.75], [0.5, 0.5]], [[0.2, 0.8], [0.9, 0.1]]])
    tokens = torch.tensor([[1, 1], [1, 0]])  # 0 is the placeholder
    expected = -(math.log(0.75) + math.log(0.5) + math.log(0.8)) / 3
    assert cross_entropy(probabilities, tokens).item() == pytest.approx(expected)
    assert torch.isfinite(cross_entropy(torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.int64)))


class Sums(nn.Module):
    """The logit of a program is the sum of what it is given."""

    def forward(self, programs: Tensor, images: Tensor) -> Tensor:
        return programs.sum(dim=(1, 2))


def test_the_adversary_sees_programs_to_their_end() -> None:
    model: Any = small(Pix2Code, adversarial_weight=0.5)
    model.discriminator = Sums()
    tokens = torch.tensor([[START, 7, END, 0, 0]])
    real = torch.nn.functional.one_hot(tokens[:, 1:], 19).float()
    batch = GameBatch(real, {"images": torch.zeros(1, 1, 48, 48), "tokens": tokens}, None, 0.5 * real)
    d = {name: term.item() for name, term in model.discriminator_loss(batch).items()}
    # Two tokens count: sums 2 and 1. sp(-2) = .126928, sp(1) = 1.313262, sp(-1) = .313262
    assert d == pytest.approx({"real": 0.126928, "fake": 1.313262}, abs=1e-6)
    g = {name: term.item() for name, term in model.generator_loss(batch).items()}
    assert g == pytest.approx({"likelihood": math.log(2), "adversarial": 0.5 * 0.313262}, abs=1e-6)
    plain: Any = small(Pix2Code, adversarial_weight=0.0)
    assert plain.discriminator_loss(batch) == {}
    assert plain.generator_loss(batch).keys() == {"likelihood"}


class Recites(nn.Module):
    """Writes the program that begins at the brightness of the image, a token a step."""

    n_tokens = 19

    def __init__(self, programs: list[list[int]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.programs = programs

    def features(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, :1]

    def step(self, features: Tensor, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        place = 0 if state is None else state
        # It must be given what it wrote last.
        for i in range(len(features)):
            assert tokens[i, -1] == (START if place == 0 else self._token(features[i], place - 1))
        written = torch.tensor([self._token(each, place) for each in features], dtype=torch.int64)[:, None]
        return torch.nn.functional.one_hot(written, 19).float(), place + 1

    def _token(self, feature: Tensor, place: int) -> int:
        program = self.programs[int(feature > 0)]
        return program[place] if place < len(program) else 5


def test_programs_are_written_freely_to_their_end() -> None:
    first, second = tokens_of(random_program(0, 1)), [7, 8]
    model: Any = small(Pix2Code, ema_decay=None)
    model.generator = Recites([[*first, END], second])
    images = torch.full((2, 1, 48, 48), -1.0)
    images[1] = 1
    assert model.write_programs(images) == [first, second + [5] * (MOST_TOKENS - 2)]
    assert model.write_programs(images[:1]) == [first]
    assert model.write_programs(images[:0]) == []
    assert parse(model.transcribe(images[:1])[0])
    assert before_end([START, 7, END, 8, 0]) == [7]


def test_validation_measures_what_is_written_and_not_what_follows_the_truth() -> None:
    model: Any = small(Pix2Code, ema_decay=None)
    truth = random_program(0, 1)
    model.generator = Recites([[*tokens_of(truth), END], [7]])
    logged: dict[str, float] = {}
    model.log_dict = lambda terms, **_: logged.update(terms)
    images = torch.zeros(2, 1, 48, 48, dtype=torch.uint8)
    images[1] = 255
    model.validation_step({"images": images, "tokens": encode(truth)[None].expand(2, -1)}, 0)
    assert logged["val/exact"] == logged["val/valid"] == 0.5
    assert 0.5 <= logged["val/token_accuracy"] < 0.6


def test_gradients_are_clipped_by_element() -> None:
    weight = nn.Parameter(torch.zeros(2))
    (weight * torch.tensor([100.0, 0.5])).sum().backward()
    Pix2CodeRMSprop([weight], lr=1.0).step()
    # RMSProp's first step: g / (sqrt(.1 g^2) + eps), of 1 and of .5
    assert weight.grad is not None
    assert weight.grad.tolist() == [1.0, 0.5]
    assert weight.tolist() == pytest.approx([-math.sqrt(10)] * 2, rel=1e-5)


def test_screenshots_are_translated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an untrained model: programs that the language does not allow, and a file that cannot be read."""
    checkpoint = save_checkpoint(small(Pix2Code, image_shape=(3, 48, 48)), tmp_path / "last.ckpt")
    shots = tmp_path / "shots"
    shots.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.zeros((60, 70, 3), np.uint8)).save(shots / f"{name}.png")
    (shots / "c.png").write_bytes(b"no image")
    arguments = ["translate", "--ckpt", str(checkpoint), "--input", str(shots), "--out", str(tmp_path / "out")]
    assert run(*arguments) == 1
    said = capsys.readouterr()
    assert "2 programs are in" in said.out
    assert "The language does not allow 2 of them" in said.out
    assert "1 of 3 images could not be read" in said.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gui", "b.gui"]
    sentence = refused(capsys, *arguments[:-1], str(tmp_path / "other"), "--direction", "AtoB")
    assert "--direction is of images, and Pix2Code writes programs: leave it out" in sentence


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (torch.zeros(2, 1, 48, 48), "Pix2Code needs screenshots and the tokens of their programs"),
        ({"images": torch.zeros(2, 1, 50, 48), "tokens": torch.ones(2, 3)}, "images of 1 x 50 x 48, but the model"),
    ],
)
def test_other_batches_are_told(raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(Pix2Code).prepare_batch(raw)


def test_a_batch_is_what_is_to_be_predicted() -> None:
    model = small(Pix2Code)
    raw = example_batch(model, 3)
    batch = model.prepare_batch(raw)
    assert batch.real.argmax(dim=2).tolist() == raw["tokens"][:, 1:].tolist()
