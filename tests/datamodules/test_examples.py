"""What pairs, two domains and crops have in common: resuming, worker processes, several processes, seeds."""

import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules import PairedImageDataModule, SuperResolutionDataModule, UnpairedImageDataModule
from datamodules.base import ImageDataModule
from datamodules.components.loading import EpochLoader
from tests.datamodules.test_with_lightning import trainer

Make = Callable[..., ImageDataModule]


@pytest.fixture(params=["paired", "unpaired", "crops"])
def make(request: pytest.FixtureRequest, tmp_path: Path, write_digits: Callable[..., None]) -> Make:
    """Makes a data module with 14 training examples of random jitter, in batches of 4."""
    write_digits(tmp_path / "trainA", 14)
    write_digits(tmp_path / "trainB", 14 if request.param == "paired" else 5)
    write_digits(tmp_path / "train", 7)

    def of(**arguments: Any) -> ImageDataModule:
        options: dict[str, Any] = {"root": str(tmp_path), "batch_size": 4, "num_workers": 0} | arguments
        if request.param == "crops":
            options = {"crop_size": 6, "scale": 2, "crops_per_image": 2, "val": None, "test": None} | options
            return SuperResolutionDataModule(**options)
        kind = PairedImageDataModule if request.param == "paired" else UnpairedImageDataModule
        return kind(image_size=8, load_size=12, **options)

    return of


def tensors(batch: Any) -> list[torch.Tensor]:
    return list(batch.values()) if isinstance(batch, dict) else list(batch)


def drawn(loader: EpochLoader, epoch: int | None = None, batches: int | None = None) -> list[list[bytes]]:
    if epoch is not None:
        loader.sampler.set_epoch(epoch)
    result = []
    for batch in loader:
        assert all(part.dtype == torch.uint8 and part.is_contiguous() for part in tensors(batch))
        result.append([part.numpy().tobytes() for part in tensors(batch)])
        if len(result) == batches:
            break
    return result


def images_of(batches: list[list[bytes]], batch_size: int = 4) -> list[bytes]:
    """The first part of every example."""
    size = len(batches[0][0]) // batch_size
    firsts = b"".join(batch[0] for batch in batches)
    return [firsts[start : start + size] for start in range(0, len(firsts), size)]


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_at_every_batch_gives_the_uninterrupted_tail(make: Make, workers: int) -> None:
    whole = make().train_dataloader()
    epochs = [drawn(whole, epoch) for epoch in range(3)]
    assert len(whole) == 3
    for epoch in range(2):
        for stop in range(1, len(whole) + 1) if workers == 0 else [2]:  # workers take a second to start
            first = make(num_workers=workers).train_dataloader()
            assert drawn(first, epoch, stop) == epochs[epoch][:stop]
            second = make(num_workers=workers).train_dataloader()
            second.load_state_dict(first.state_dict())
            if stop < len(whole):
                assert drawn(second) == epochs[epoch][stop:]
            assert drawn(second, epoch + 1) == epochs[epoch + 1]


def test_order_and_jitter_follow_seed_and_epoch_and_nothing_else(make: Make) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = drawn(make().train_dataloader(), 1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert drawn(make().train_dataloader(), 1) == first
    for other in (drawn(make().train_dataloader(), 2), drawn(make(seed=1).train_dataloader(), 1)):
        assert not set(images_of(other)) & set(images_of(first))  # not one crop twice


def test_together_processes_see_what_one_alone_sees(make: Make, as_process) -> None:
    alone = images_of(drawn(make().train_dataloader(), 1))
    modules = [as_process(make(batch_size=2), rank, 2) for rank in range(2)]
    shares = [images_of(drawn(data.train_dataloader(), 1), 2) for data in modules]
    assert [image for pair in zip(*shares, strict=True) for image in pair] == alone


def test_batches_are_the_callers(make: Make) -> None:
    loader = make().train_dataloader()
    before = drawn(loader)
    for batch in loader:
        for part in tensors(batch):
            part.fill_(7)
    assert drawn(loader) == before


def test_a_file_that_disappears_during_training_is_named(make: Make, tmp_path: Path) -> None:
    loader = make().train_dataloader()
    for folder in ("train", "trainA"):
        for path in (tmp_path / folder).iterdir():
            path.unlink()
    with pytest.raises(RuntimeError, match=r"\d\.png was readable when training started, but no longer"):
        drawn(loader)


class Sums(LightningModule):
    """Writes down the sums of the pixels of every batch; trains one number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.seen: list[list[int]] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append(list(chain(*(part.sum((1, 2, 3), dtype=torch.int64).tolist() for part in tensors(batch)))))
        return self.weight * 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings(
    "ignore:.*callbacks used to create the checkpoint.*", "ignore:You passed in a `val_dataloader`"
)
def test_lightning_resumes_in_the_middle_of_an_epoch(make: Make, tmp_path: Path) -> None:
    whole = Sums()
    trainer(tmp_path, max_steps=8).fit(whole, make())
    saving = ModelCheckpoint(tmp_path / "run", filename="last", every_n_train_steps=5)
    trainer(tmp_path, max_steps=5, enable_checkpointing=True, callbacks=saving).fit(Sums(), make())
    resumed = Sums()
    trainer(tmp_path, max_steps=8).fit(resumed, make(), ckpt_path=os.fspath(tmp_path / "run" / "last.ckpt"))
    assert len({tuple(sums) for sums in whole.seen}) == 8
    assert resumed.seen == whole.seen[5:]
