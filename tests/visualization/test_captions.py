"""Words at the columns and rows of a picture."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.callbacks.samples import InterpolationStrip, SampleGrid
from gan_lightning.commands.write_images import write_samples
from gan_lightning.games.base import AdversarialModule
from gan_lightning.variants import DCGAN, ConditionalGAN, CycleGAN, InfoGAN, Pix2Pix, StarGAN
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import enlarge
from tests.helpers.games import VARIANTS, example_batch, play, run_directory, small


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_itself_stays_as_it_is(channels: int) -> None:
    picture = torch.randint(0, 256, (channels, 60, 120), dtype=torch.uint8)
    assert captioned(picture) is picture
    for columns, rows in [(["given", "made"], []), ([], ["0", "1"]), (["a"] * 3, ["cat", "dog", "9"])]:
        result = captioned(picture, columns, rows)
        top, left = result.shape[1] - 60, result.shape[2] - 120
        assert (top > 0, left > 0) == (bool(columns), bool(rows))
        assert torch.equal(result[:, top:, left:], picture)
        above, beside = result[:, :top], result[:, top:, :left]
        assert (above.numel() == 0) or above.max() > 100
        assert (beside.numel() == 0) or beside.max() > 100


def test_cells_that_are_too_small_for_a_name_have_none() -> None:
    picture = torch.zeros(1, 60, 60, dtype=torch.uint8)
    assert captioned(picture, ["a"] * 4, ["0"] * 4) is picture
    assert captioned(picture, ["a"] * 3).shape[1] > 60


def test_each_word_is_at_its_own_column() -> None:
    result = captioned(torch.zeros(1, 40, 200, dtype=torch.uint8), ["left", "", "a name far too long for its column"])
    above = result[0, : result.shape[1] - 40]
    first, second, third = (above[:, start : start + 66].max() for start in (0, 67, 134))
    assert first > 100
    assert second == 0
    assert third > 100


@pytest.mark.parametrize("variant", [v for v in VARIANTS if hasattr(v, "picture_columns")], ids=lambda v: v.__name__)
def test_every_panel_of_a_translation_has_a_name(variant: type[AdversarialModule]) -> None:
    model: Any = small(variant)
    assert len(model.column_captions) == len(model.picture_columns(model.prepare_batch(example_batch(model, 2))))


@pytest.mark.parametrize("variant", [v for v in VARIANTS if hasattr(v, "table_captions")], ids=lambda v: v.__name__)
def test_every_row_and_column_of_a_table_has_a_name_or_none_has(variant: type[AdversarialModule]) -> None:
    model: Any = small(variant)
    images, columns = model.sample_table(20)
    names, rows = model.table_captions(20)
    assert len(names) in (0, columns)
    assert len(rows) in (0, -(-len(images) // (columns or 5)))
    if variant in (ConditionalGAN, InfoGAN):
        assert rows[:2] == ["0", "1"]


def test_the_run_writes_them(tmp_path: Path) -> None:
    model: Any = small(ConditionalGAN)
    play(model, 1, tmp_path, callbacks=[SampleGrid(1, n=20, scale=4)])
    columns, side = model.sample_table(20)[1], model.image_shape[2]
    with Image.open(run_directory(tmp_path) / "samples" / "step_00000001.png") as image:
        assert image.width > 4 * (columns * (side + 1) + 1)


def test_a_row_of_ways_and_of_a_grid_has_a_name(tmp_path: Path) -> None:
    strip = InterpolationStrip(1, rows=2, frames=3, scale=4)
    assert strip.captions(small(DCGAN), 3, 6) == ((), ["0 to 1", "2 to 3"])
    play(small(DCGAN), 1, tmp_path, callbacks=[strip])
    with Image.open(run_directory(tmp_path) / "interpolations" / "step_00000001.png") as image:
        assert image.width > 4 * (3 * 17 + 1)
    samples = torch.zeros(5, 1, 16, 16, dtype=torch.uint8)
    write_samples(iter(enlarge(each, 2) for each in samples), Namespace(out=tmp_path, grid=True, text=None, scale=2), 0)
    with Image.open(tmp_path / "grid.png") as image:
        picture = np.asarray(image)
    left = picture.shape[1] - (3 * 34 + 2)
    assert left > 0
    assert picture[:34, :left].max() > 100
    assert picture[34:, :left].max() > 100
    assert picture[:, left:].max() == 0


def test_what_stands_where() -> None:
    assert small(Pix2Pix).column_captions == ("given", "made", "true")
    assert small(CycleGAN).column_captions == ("A", "as B", "back", "B", "as A", "back")
    assert small(StarGAN).column_captions[0] == "given"
