"""Points in the plane: where they lie, that they never come back, and that a run can go on anywhere."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import make_moons, make_swiss_roll
from torch import Tensor

from datamodules import ToyDataModule
from datamodules.base import ImageDataModule
from datamodules.toy import SHAPES
from tests.datamodules.test_with_lightning import Witness, trainer

N = 50_000


def points(data: ToyDataModule) -> Tensor:
    """The first points of the sequence, N x 2."""
    return next(iter(data.splits.train.image_batches([torch.arange(N)]))).flatten(1)


def distances(data: ToyDataModule) -> Tensor:
    return torch.cdist(points(data), data.centres)


def test_points_are_images_of_one_pixel() -> None:
    data = ToyDataModule(batch_size=7)
    assert (data.image_shape, data.num_classes) == ((2, 1, 1), None)
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, Tensor)
    assert (batch.shape, batch.dtype) == ((7, 2, 1, 1), torch.float32)


def test_the_ring_has_eight_modes() -> None:
    """Eight, where angles from 0 to 2 pi, both ends included, would make seven."""
    data = ToyDataModule("ring")
    diagonal = math.sqrt(2)
    expected = {(2, 0), (0, 2), (-2, 0), (0, -2), *((x * diagonal, y * diagonal) for x in (-1, 1) for y in (-1, 1))}
    found = {(round(x, 5) + 0.0, round(y, 5) + 0.0) for x, y in data.centres.tolist()}
    assert found == {(round(x, 5), round(y, 5)) for x, y in expected}
    assert len(found) == 8


def test_the_grid_has_five_by_five_modes() -> None:
    found = {tuple(centre) for centre in ToyDataModule("grid").centres.tolist()}
    assert found == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}


@pytest.mark.parametrize("shape", ["ring", "grid"])
def test_gaussians(shape: str) -> None:
    """Equal shares, the stated deviation in both directions, no correlation."""
    data = ToyDataModule(shape)
    nearest = distances(data).min(dim=1)
    shares = torch.bincount(nearest.indices, minlength=len(data.centres)) / N
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)), rtol=0.12, atol=0)
    noise = (points(data) - data.centres[nearest.indices]) / data.std
    torch.testing.assert_close(noise.T.cov(), torch.eye(2), rtol=0, atol=0.03)
    # Of a Gaussian in the plane 1 - exp(-9 / 2) lies within three deviations.
    assert (nearest.values < 3 * data.std).float().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=0.003)


@pytest.mark.parametrize("shape", ["moons", "spiral"])
def test_curves_are_scikit_learns(shape: str) -> None:
    """Nothing is further from scikit-learn's curve than noise can be, and the other way round."""
    data = ToyDataModule(shape)
    moons, roll = make_moons(20_000, shuffle=False)[0], make_swiss_roll(20_000, random_state=0)[0][:, [0, 2]] / 7.5
    curve = torch.from_numpy(moons if shape == "moons" else roll).float()
    assert torch.cdist(data.centres, curve).min(dim=1).values.max() < 5e-3
    assert torch.cdist(curve, data.centres).min(dim=1).values.max() < 1.2 * data.std
    off = torch.cdist(points(data)[:5000], curve).min(dim=1).values
    assert off.square().mean().sqrt().item() == pytest.approx(data.std, rel=0.05)


@pytest.mark.parametrize("shape", ["moons", "spiral"])
def test_pieces_of_a_curve_are_alike_and_hold_nearly_all_points(shape: str) -> None:
    data = ToyDataModule(shape)
    nearest = distances(data).min(dim=1)
    assert (nearest.values < 3 * data.std).float().mean() > 0.97
    middle = torch.bincount(nearest.indices, minlength=len(data.centres)) * len(data.centres) / N
    assert ((middle > 0.5) & (middle < 1.6)).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_no_point_comes_twice_and_the_seed_names_the_sequence(shape: str) -> None:
    data = ToyDataModule(shape, batch_size=100, epoch_size=1000)

    def epoch(data: ToyDataModule, number: int) -> Tensor:
        loader = data.train_dataloader()
        loader.sampler.set_epoch(number)
        return torch.cat([*loader])  # type: ignore[arg-type]

    epochs = torch.cat([epoch(data, number) for number in range(3)])
    other = ToyDataModule(shape, batch_size=100, epoch_size=1000, seed=1)
    held_out = [torch.cat([*loader]) for loader in (data.val_dataloader(), data.test_dataloader())]
    whole = torch.cat([epochs, epoch(other, 0), *held_out]).flatten(1)
    assert len(whole) == 3000 + 1000 + 2 * 1000
    assert len(whole.unique(dim=0)) == len(whole)
    again = ToyDataModule(shape, batch_size=250, epoch_size=1000)
    assert torch.equal(epoch(again, 2), epochs[2000:])
    assert torch.equal(torch.cat([*other.val_dataloader()]), held_out[0])


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_points_out(
    world_size: int, as_process: Callable[[ImageDataModule, int, int], ImageDataModule]
) -> None:
    def epoch(rank: int, world_size: int) -> Tensor:
        loader = as_process(ToyDataModule(batch_size=10, epoch_size=3000), rank, world_size).train_dataloader()
        loader.sampler.set_epoch(1)
        return torch.cat([*loader])  # type: ignore[arg-type]

    parts = [epoch(rank, world_size) for rank in range(world_size)]
    assert torch.equal(torch.stack(parts, dim=1).flatten(0, 1), epoch(0, 1))


class Exact(Witness):
    """Writes down the bits of the points."""

    @staticmethod
    def _names(batch: Tensor) -> list[int]:
        return batch.numpy().view(np.int32).flatten().tolist()


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint.*")
@pytest.mark.parametrize("stop", [3, 5, 7])
def test_a_resumed_run_sees_what_the_uninterrupted_one_would(tmp_path: Path, stop: int) -> None:
    def data() -> ToyDataModule:
        return ToyDataModule(batch_size=8, epoch_size=44, val_size=4)  # five batches, and four points left out

    whole, resumed = Exact(), Exact()
    trainer(tmp_path, max_steps=13).fit(whole, data())
    assert len({point for batch in whole.trained for point in batch[::2]}) == 13 * 8
    saving = ModelCheckpoint(tmp_path / "run", filename="last", every_n_train_steps=stop, save_top_k=-1)
    trainer(tmp_path, max_steps=stop, enable_checkpointing=True, callbacks=saving).fit(Exact(), data())
    trainer(tmp_path, max_steps=13).fit(resumed, data(), ckpt_path=str(tmp_path / "run" / "last.ckpt"))
    assert resumed.trained == whole.trained[stop:]


@pytest.mark.filterwarnings("ignore:You requested to overfit")
def test_overfitting_repeats_the_same_points(tmp_path: Path) -> None:
    model = Exact()
    trainer(tmp_path, max_epochs=2, overfit_batches=2).fit(model, ToyDataModule(batch_size=8, epoch_size=80))
    assert model.trained == model.trained[:2] * 2


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"^shape is 'circle': choose from ring, grid, moons, spiral"):
        ToyDataModule("circle")
    for name in ("epoch_size", "val_size", "batch_size"):
        with pytest.raises(ValueError, match=f"^{name} is 0: it must be at least 1"):
            ToyDataModule(**{name: 0})
    with pytest.raises(ValueError, match="batch_size 9 is larger than the 8 training images"):
        ToyDataModule(batch_size=9, epoch_size=8).train_dataloader()
