"""The page's pictures are those of the commands that it shows, pixel by pixel."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from gan_lightning.inference.edit import Dab, invert, kept_samples, paint, train_encoder, write_encoder
from gan_lightning.networks import PointDiscriminator, PointGenerator
from gan_lightning.networks.layers.styles import Noise
from gan_lightning.studio import generators
from gan_lightning.studio.choices import Choice
from gan_lightning.studio.composing import read_composition
from gan_lightning.studio.generators import Generator
from gan_lightning.studio.offers import offer_of
from gan_lightning.studio.pictures import can_be_moved, latents_of, picture, sample
from gan_lightning.studio.sessions import Session
from gan_lightning.variants import (
    ALI,
    DCGAN,
    GANCLS,
    LAPGAN,
    CoGAN,
    ConditionalGAN,
    CycleGAN,
    InfoGAN,
    SeqGAN,
    StyleGAN2,
    VideoPrediction,
)
from gan_lightning.visualization.images import to_uint8
from tests.helpers.command_line import run
from tests.helpers.games import small, vivid
from tests.helpers.processes import wait_until
from tests.helpers.studio import generator_of, load, pixels, png, studio_of

KINDS = {"num_classes": 10}
CHOICES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "sample": (DCGAN, {}, {"seed": 3}),
    "truncated": (DCGAN, {}, {"seed": 3, "truncation": 0.5}),
    "class": (ConditionalGAN, KINDS, {"seed": 1, "label": "7"}),
    "drawn class": (ConditionalGAN, KINDS, {"seed": 2}),
    "codes": (InfoGAN, {}, {"seed": 1, "codes": {"category": 4.0, "continuous0": -1.5}}),
    "words": (GANCLS, {}, {"seed": 1, "text": "a big five"}),
    "domain": (CoGAN, {}, {"seed": 1, "domain": "B"}),
    "styles": (StyleGAN2, {}, {"seed": 1, "truncation": 0.7}),
    "levels": (LAPGAN, {}, {"seed": 1}),
    "direction": (DCGAN, {}, {"seed": 3, "strengths": {"sefa_01": 1.5, "sefa_00": 0.0}}),
    "direction of a class": (ConditionalGAN, KINDS, {"seed": 3, "label": "7", "strengths": {"sefa_00": -2.0}}),
    "direction of styles": (StyleGAN2, {}, {"seed": 1, "truncation": 0.7, "strengths": {"sefa_00": 2.0}}),
    "direction of the coarsest level": (LAPGAN, {}, {"seed": 1, "strengths": {"sefa_00": 2.0}}),
    "numbers of a latent": (DCGAN, {}, {"seed": 3, "components": {"0": 2.5, "3": -1.0}}),
    "numbers and codes": (InfoGAN, {}, {"seed": 1, "codes": {"category": 4.0}, "components": {"0": 2.0}}),
    "numbers and words": (GANCLS, {}, {"seed": 1, "components": {"0": 2.0}}),
    "noise": (StyleGAN2, {}, {"seed": 1, "noise": 0.5, "noise_seed": 4}),
}


def made(variant: Any, **arguments: Any) -> Any:
    """A vivid game; of styles with noise that is seen, whose strengths start at 0."""
    model = vivid(variant, **arguments)
    for part in model.averaged_generator.modules():
        if isinstance(part, Noise):
            torch.nn.init.constant_(part.strength, 0.5)
    return model


class TestCommands:
    @pytest.mark.parametrize("name", CHOICES)
    def test_the_command_that_is_shown_makes_the_picture(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        variant, arguments, choice = CHOICES[name]
        generator = generator_of(made(variant, **arguments), tmp_path / "model")
        studio, session = studio_of(generator), Session()
        asked = {"generator": generator.source, "choice": choice}
        told = studio.picture(session, asked)
        if told["command"].startswith("#"):
            Path("latent.npz").write_bytes(studio.latents(session, asked))
        for line in told["command"].splitlines():
            if not line.startswith("#"):
                assert run(*shlex.split(line)[1:]) == 0
        written = np.asarray(Image.open(next(Path("picture").glob("00000*.png"), Path("picture/latent.png"))))
        assert np.array_equal(pixels(told["picture"]), written)

    def test_that_of_a_translation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        model = small(CycleGAN)
        generator = generator_of(model, tmp_path / "model")
        studio, session = studio_of(generator), Session()
        studio.give(session, {"name": "../a photo.png"}, png())
        told = studio.translate(session, {"generator": generator.source, "direction": "BtoA"})
        Path("a photo.png").write_bytes(png())
        assert run(*shlex.split(told["command"])[1:]) == 0
        assert np.array_equal(pixels(told["picture"]), np.asarray(Image.open("translated/a photo.png")))


class TestMoved:
    @pytest.mark.parametrize("variant", [DCGAN, ConditionalGAN, InfoGAN, GANCLS, StyleGAN2, ALI])
    def test_without_a_move_it_is_the_sample(self, variant: Any, tmp_path: Path) -> None:
        arguments = KINDS if variant is ConditionalGAN else {}
        generator = generator_of(made(variant, **arguments), tmp_path)
        start = latents_of(generator, Choice(5))
        assert torch.equal(picture(generator, Choice(), start), sample(generator.model, Choice(5)))

    def test_a_number_is_set_and_the_others_stay(self, tmp_path: Path) -> None:
        generator = generator_of(made(DCGAN), tmp_path)
        before, after = latents_of(generator, Choice(5)), latents_of(generator, Choice(5, components={1: 0.25}))
        expected = before.latents.clone()
        expected[0, 1] = 0.25
        assert torch.equal(after.latents, expected)

    def test_styles_are_those_of_composition(self, tmp_path: Path) -> None:
        generator = generator_of(made(StyleGAN2), tmp_path)
        (expected,) = kept_samples(generator.model, [0], seed=5, truncation=0.7)
        assert torch.equal(latents_of(generator, Choice(5, truncation=0.7)).latents, expected.latents)

    def test_noise_is_the_generators_own_times_a_factor(self, tmp_path: Path) -> None:
        generator = generator_of(made(StyleGAN2), tmp_path)
        own = [part.constant for part in generator.model.image_generator.modules() if isinstance(part, Noise)]
        for kept, expected in zip(latents_of(generator, Choice(5, noise=0.5)).noise, own, strict=True):
            assert torch.equal(kept, 0.5 * expected)
        plain = picture(generator, Choice(5))
        for other in (Choice(5, noise=0.5), Choice(5, noise_seed=1)):
            assert not torch.equal(picture(generator, other), plain)

    def test_a_direction_adds_its_vector(self, tmp_path: Path) -> None:
        generator = generator_of(made(DCGAN), tmp_path)
        before = latents_of(generator, Choice(5))
        after = latents_of(generator, Choice(5, strengths={"sefa_01": 2.0}))
        assert_close(after.latents - before.latents, 2.0 * generator.directions["sefa_01"].vector[None])

    @pytest.mark.parametrize(
        ("choice", "word"),
        [
            (Choice(components={9: 1.0}), "no number 9"),
            (Choice(strengths={"smile": 1.0}), "no direction 'smile'"),
            (Choice(noise=0.5), "no maps of noise"),
            (Choice(label="3"), "no classes"),
        ],
    )
    def test_what_it_has_not_is_named(self, choice: Choice, word: str, tmp_path: Path) -> None:
        generator = generator_of(made(DCGAN), tmp_path)
        with pytest.raises(ValueError, match=word):
            picture(generator, choice)

    def test_only_pictures_of_latents_can_be(self, tmp_path: Path) -> None:
        assert can_be_moved(generator_of(made(LAPGAN), tmp_path / "images"))
        assert not can_be_moved(
            generator_of(DCGAN((2, 1, 1), 4, PointGenerator, PointDiscriminator), tmp_path / "points")
        )


class TestOffers:
    def test_classes_words_and_codes(self, tmp_path: Path) -> None:
        of = {
            variant.__name__: offer_of(generator_of(made(variant, **arguments), tmp_path / variant.__name__))
            for variant, arguments in [(ConditionalGAN, KINDS), (GANCLS, {}), (InfoGAN, {}), (StyleGAN2, {})]
        }
        assert of["ConditionalGAN"]["classes"] == [*map(str, range(10))]
        assert of["GANCLS"]["text"]
        assert of["InfoGAN"]["codes"] == {"categories": 10, "continuous": 2}
        assert (of["StyleGAN2"]["noise"], of["StyleGAN2"]["components"]) == (True, 0)
        assert of["StyleGAN2"]["spaces"] == ["w", "w+", "z"]

    def test_translators_and_what_makes_no_images(self, tmp_path: Path) -> None:
        told = offer_of(generator_of(small(CycleGAN), tmp_path / "a"))
        assert (told["kind"], told["directions"]) == ("translator", ["AtoB", "BtoA"])
        with pytest.raises(ValueError, match="continues videos"):
            offer_of(generator_of(small(VideoPrediction), tmp_path / "b"))
        with pytest.raises(ValueError, match="SeqGAN makes texts, and the studio shows images"):
            offer_of(generator_of(small(SeqGAN), tmp_path / "c"))


class TestPhotographs:
    def test_unmoved_it_is_the_photograph_to_the_bit(self, tmp_path: Path) -> None:
        generator = generator_of(made(DCGAN), tmp_path)
        studio, session = studio_of(generator), Session()
        photograph = png(40)
        studio.give(session, {"name": "a.png"}, photograph)
        studio.invert(session, {"generator": generator.source, "steps": 3})
        assert session.job is not None
        wait_until(lambda: session.job.is_over)
        assert session.job.told() | {"title": ""} == {"title": "", "state": "done", "done": 3, "total": 3, "error": ""}
        told = studio.picture(session, {"generator": generator.source})
        ramp = np.linspace(0, 255, 40, dtype=np.uint8)
        assert np.array_equal(pixels(told["photograph"]), np.broadcast_to(ramp, (40, 40)))
        moved = {"generator": generator.source, "choice": {"strengths": {"sefa_00": 4.0}}}
        assert not np.array_equal(pixels(studio.picture(session, moved)["photograph"]), pixels(told["photograph"]))

    def test_it_may_start_from_an_encoder_that_is_trained_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(generators, "ENCODER_STEPS", 3)
        generator = generator_of(made(DCGAN), tmp_path)
        studio, session = studio_of(generator), Session()
        studio.give(session, {"name": "a.png"}, png())
        asked = {"generator": generator.source, "steps": 1, "start": "trained encoder"}
        studio.invert(session, asked)
        wait_until(lambda: session.job.is_over)
        assert session.job.told()["state"] == "done"
        given = studio.give(session, {"name": "a.png"}, png())["picture"]
        small_one = torch.tensor(pixels(given)[None, None, ..., 0])
        model = generator.model
        start = train_encoder(model, 3)(model.scaled(small_one)).detach()
        expected = invert(model, small_one, start=start, steps=1)
        kept = session.base(generator.source).kept
        assert torch.equal(kept.latents, expected.latents)
        monkeypatch.setattr(generators, "train_encoder", None)  # It is known now.
        studio.invert(session, asked)
        wait_until(lambda: session.job.is_over)
        assert session.job.told()["state"] == "done"
        with pytest.raises(ValueError, match="start must be one of"):
            studio.invert(session, {**asked, "start": "guess"})

    def test_an_encoder_is_read_from_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model, folder = made(StyleGAN2), tmp_path / "encoders"
        folder.mkdir()
        generator = Generator(generator_of(model, tmp_path / "model").source, load, encoders=folder)
        (folder / "a").write_text("none")
        trained = {space: train_encoder(generator.model, 1, space=space) for space in ("w", "w+")}
        for space, encoder in trained.items():
            write_encoder(folder / f"b_{space}", encoder, generator.model, space)
        monkeypatch.setattr(generators, "train_encoder", None)
        images = torch.zeros(1, 1, 16, 16)
        for space, encoder in trained.items():
            assert torch.equal(generator.encoder(space, lambda done, total: None)(images), encoder(images))

    def test_the_training_of_an_encoder_is_cancelled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(generators, "ENCODER_STEPS", 100_000)
        generator = generator_of(made(DCGAN), tmp_path)
        studio, session = studio_of(generator), Session()
        studio.give(session, {"name": "a.png"}, png())
        studio.invert(session, {"generator": generator.source, "start": "trained encoder"})
        wait_until(lambda: session.job.done > 0)
        assert session.job.title == "Training an encoder"
        studio.cancel(session)
        wait_until(lambda: session.job.is_over)
        assert (session.job.state, session.base(generator.source)) == ("cancelled", None)

    def test_painting_moves_the_picture_and_undo_takes_it_back(self, tmp_path: Path) -> None:
        generator = generator_of(made(DCGAN), tmp_path)
        studio, session = studio_of(generator), Session()
        asked = {"generator": generator.source, "choice": {"seed": 2}}
        before = pixels(studio.picture(session, asked)["picture"])
        studio.paint(session, {**asked, "brushes": [["dab", 8, 8, 4, "#ffffff"]], "steps": 20})
        wait_until(lambda: session.job.is_over)
        after = studio.picture(session, asked)
        assert after["origin"] == "brush"
        start = latents_of(generator, Choice(2))
        expected = paint(generator.model, start, [Dab(8, 8, 4, (255, 255, 255))], steps=20).images
        assert np.array_equal(pixels(after["picture"]), to_uint8(expected)[0, 0].numpy())
        assert not np.array_equal(pixels(after["picture"]), before)
        studio.undo(session, asked)
        assert np.array_equal(pixels(studio.picture(session, asked)["picture"]), before)

    def test_latents_that_were_saved_are_opened(self, tmp_path: Path) -> None:
        generator = generator_of(made(StyleGAN2), tmp_path)
        studio, session = studio_of(generator), Session()
        asked = {"generator": generator.source, "choice": {"seed": 4, "strengths": {"sefa_00": 1.0}}}
        shown, saved = studio.picture(session, asked), studio.latents(session, asked)
        studio.open_latents(session, {"generator": generator.source}, saved)
        opened = studio.picture(session, {"generator": generator.source})
        assert np.array_equal(pixels(opened["picture"]), pixels(shown["picture"]))
        with pytest.raises(ValueError, match="The file has no latents"):
            studio.open_latents(session, {"generator": generator.source}, b"no latents")


COMPOSITIONS: dict[str, dict[str, Any]] = {
    "blend": {"mode": "blend", "brushes": [["dab", 4, 8, 5, "#000000"]], "boxes": [], "softness": 0.7},
    "transfer": {"mode": "transfer", "boxes": [[1, 2, 9, 12]], "softness": 0.25},
    "patch": {"mode": "patch", "boxes": [[0, 0, 8, 8], [8, 8, 12, 12]], "level": 1},
}


class TestCompositions:
    @pytest.mark.parametrize("name", COMPOSITIONS)
    def test_the_command_that_is_shown_makes_the_picture(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        generator = generator_of(made(StyleGAN2), tmp_path / "model")
        studio, session = studio_of(generator), Session()
        first = {"generator": generator.source, "choice": {"seed": 1, "truncation": 0.7}}
        other = {"generator": generator.source, "choice": {"seed": 2, "strengths": {"sefa_00": 1.0}}}
        kept = studio.keep(session, other)
        assert np.array_equal(pixels(kept["picture"]), pixels(studio.picture(session, other)["picture"]))
        told = studio.compose(session, {**first, "composition": COMPOSITIONS[name]})
        Path("latent.npz").write_bytes(studio.latents(session, first))
        Path("other.npz").write_bytes(studio.other_latents(session, first))
        if "map" in told:
            Image.fromarray(pixels(told["map"])).save("map.png")
        comment, command = told["command"].splitlines()
        assert comment.startswith("# save both latents")
        assert run(*shlex.split(command)[1:]) == 0
        shown = pixels(told["picture"])
        assert np.array_equal(shown, np.asarray(Image.open("composed/00000.png")))
        assert not np.array_equal(shown, pixels(studio.picture(session, first)["picture"]))

    def test_weights_of_the_map_are_those_painted(self) -> None:
        painted = read_composition({"mode": "blend", "brushes": [["dab", 4, 2, 2, "#000000"]]}).weights(5, 9)
        assert (painted[2] * 255).tolist() == pytest.approx([0, 0, 128, 255, 255, 255, 128, 0, 0], abs=1e-4)

    @pytest.mark.parametrize(
        ("composition", "word"),
        [
            ({"mode": "melt"}, "one of blend, transfer, patch"),
            (None, "one of blend"),
            ({"mode": "blend", "brushes": []}, "Paint something first"),
            ({"mode": "blend", "brushes": [["line", 1, 1, 2, 2]]}, "No weight is painted"),
            ({"mode": "transfer", "boxes": []}, "Mark a part"),
            ({"mode": "transfer", "boxes": [[0, 0, 17, 2]]}, "no part of an image"),
            ({"mode": "transfer", "boxes": [[0, 0, 0.5, 2]]}, "a whole number"),
            ({"mode": "transfer", "boxes": [[0, 0, 4, 4]], "softness": 7}, "softness is 7"),
            ({"mode": "patch", "boxes": [[0, 0, 4, 4]], "level": 9}, "level is 9"),
        ],
    )
    def test_what_is_wrong_is_a_sentence(self, composition: Any, word: str, tmp_path: Path) -> None:
        generator = generator_of(made(StyleGAN2), tmp_path)
        studio, session = studio_of(generator), Session()
        asked = {"generator": generator.source, "composition": composition}
        with pytest.raises(ValueError, match="no other image yet"):
            studio.compose(session, asked)
        studio.keep(session, asked)
        with pytest.raises(ValueError, match=word):
            studio.compose(session, asked)

    def test_only_games_of_styles_offer_it(self, tmp_path: Path) -> None:
        assert offer_of(generator_of(made(StyleGAN2), tmp_path / "a"))["compose"] == {"levels": 2}
        assert offer_of(generator_of(made(DCGAN), tmp_path / "b"))["compose"] is None


def test_a_run_that_goes_on_is_loaded_again(tmp_path: Path) -> None:
    import os

    first = made(DCGAN)
    generator = generator_of(first, tmp_path / "model.safetensors")
    before = to_uint8(picture(generator, Choice()))
    with torch.no_grad():
        next(first.averaged_generator.parameters()).mul_(-1)
    generator_of(first, tmp_path / "model.safetensors")
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    assert not torch.equal(to_uint8(picture(generator, Choice())), before)
