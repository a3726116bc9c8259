"""A game that was written against 0.2 goes on working: its hooks are found by the names that they had then."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.games.old_hooks import OLD_HOOKS
from gan_lightning.games.translation import AttributeEdits
from gan_lightning.losses import Terms
from gan_lightning.variants import LSGAN, ConditionalGAN, CycleGAN, Pix2Pix
from tests.helpers.games import assert_same_bits, example_batch, last_state, metrics_file, play, small

OF_0_2 = '''
class Mine(ConditionalGAN):
    """Trains on mirrored images, from latents twice as long, and darkens its fakes."""

    def receive(self, raw):
        batch = super().receive(raw)
        return replace(batch, real=batch.real.flip(-1))

    def draw(self, batch):
        return replace(batch, latent=2 * super().draw(batch).latent)

    def play(self, batch):
        return super().play(batch) - 0.1


class Yours(Mine):
    """Is derived from another game of that time."""

    def play(self, batch):
        return super().play(batch) * 0.5

    def walk(self, a, b, ways, seed=0, **chosen):
        return super().walk(a, b, ways, seed, **chosen) + 1

    def kind(self, row):
        return {"labels": [9 - super().kind(row)["labels"][0]]}
'''


def written(source: str, name: str) -> Any:
    """The class of that name that some source defines."""
    names: dict[str, Any] = {}
    exec(f"from dataclasses import replace\nfrom gan_lightning.variants import ConditionalGAN\n{source}", names)
    return names[name]


def renamed(source: str) -> str:
    """The same source with the names of today."""
    return re.sub(r"(?<=[ .])(receive|draw|play|walk|kind)(?=\()", lambda match: OLD_HOOKS[match[0]], source)


def test_a_game_of_0_2_trains_to_the_same_bits(tmp_path: Path) -> None:
    with pytest.warns(FutureWarning, match=r"Mine.receive is now called prepare_batch\. The old name works until 0\.4"):
        old = small(written(OF_0_2, "Yours"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        new, plain = small(written(renamed(OF_0_2), "Yours")), small(ConditionalGAN)
    runs = {"old": old, "new": new, "plain": plain}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for name, model in runs.items():
            play(model, 2, tmp_path / name, batch_size=8)
        assert_same_bits(old.interpolation_table(2, 3), new.interpolation_table(2, 3))
        assert_same_bits(old.interpolate(2, 3), new.interpolation_table(2, 3))
    states = {name: last_state(tmp_path / name) for name in runs}
    assert_same_bits(states["old"]["state_dict"], states["new"]["state_dict"])
    assert metrics_file(tmp_path / "old") == metrics_file(tmp_path / "new")
    assert metrics_file(tmp_path / "old") != metrics_file(tmp_path / "plain")  # The hooks were called at all.


def test_every_hook_of_a_translation_under_its_old_name() -> None:
    with pytest.warns(FutureWarning) as caught:

        class Painter(CycleGAN):
            panel_names = ("one", "two")

            def answer(self, images: Tensor, direction: str | None, attributes: Any) -> Tensor:
                return super().answer(images, self.directions[0], attributes) * 0  # type: ignore[operator]

            def judge(self, batch: GameBatch) -> Terms:
                return {"mine": super().judge(batch)["cycle_A"] * 0}  # type: ignore[operator]

            def panels(self, batch: GameBatch) -> list[Tensor]:
                return super().panels(batch)[:2]  # type: ignore[operator]

            def check_wishes(self, direction: str | None, attributes: Any) -> None:
                super().check_wishes(self.directions[0], attributes)  # type: ignore[operator]

    assert sorted(str(warning.message).split(" ")[0] for warning in caught) == [
        f"Painter.{old}" for old in ("answer", "check_wishes", "judge", "panel_names", "panels")
    ]
    assert all(warning.filename == __file__ for warning in caught)
    game: Any = small(Painter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        batch = game.checked_batch(example_batch(game, 2))
        assert game.column_captions == ("one", "two")
        assert game.validation_metrics(batch)["mine"] == 0
        assert len(game.picture_columns(batch)) == 2
        assert not game.translate(batch.real["A"], direction="nowhere").any()


def test_a_hook_of_a_mix_in() -> None:
    class Dark:
        def receive(self, raw: Any) -> GameBatch:
            return GameBatch(super().receive(raw).real - 1)  # type: ignore[misc]

    with pytest.warns(FutureWarning, match=r"Dark\.receive is now called prepare_batch"):

        class Mine(Dark, LSGAN): ...

    class Mirrored(Mine):
        def prepare_batch(self, raw: Any) -> GameBatch:
            return GameBatch(-super().prepare_batch(raw).real)

    images = torch.full((2, 1, 16, 16), 0.25)
    with pytest.warns(FutureWarning, match=r"LSGAN|Mirrored"):
        assert (small(Mirrored).prepare_batch(images).real == 0.75).all()


@pytest.mark.parametrize("old", OLD_HOOKS)
def test_a_caller_finds_every_hook_by_its_old_name_and_is_warned(old: str) -> None:
    kind = Pix2Pix if hasattr(Pix2Pix, OLD_HOOKS[old]) else ConditionalGAN
    game = small(kind)
    with pytest.warns(FutureWarning, match=rf"{kind.__name__}\.{old} is now called {OLD_HOOKS[old]}\."):
        found = getattr(game, old)
    assert found == getattr(game, OLD_HOOKS[old])


def test_a_method_of_the_users_own_is_no_hook() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)

        class Mine(AdversarialModule):
            def judge(self, images: Tensor) -> Tensor:
                return self.discriminator(images)

        class Both(ImageGame):
            """Serves two versions of the package."""

            def draw_latents(self, batch: GameBatch) -> GameBatch:
                return super().draw_latents(batch)

            draw = draw_latents

    assert not hasattr(Mine, "validation_metrics")
    assert Both.draw is Both.draw_latents


def test_the_type_of_attribute_edits_under_its_old_name() -> None:
    with pytest.warns(FutureWarning, match=r"Wishes is now called AttributeEdits\."):
        from gan_lightning.games.translation import Wishes
    assert Wishes is AttributeEdits
