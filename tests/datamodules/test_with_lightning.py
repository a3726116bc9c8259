"""The data modules in Lightning's hands: resuming, evaluating, several processes, the command line."""

import json
import os
import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from torch import distributed

import datamodules
from datamodules import ImageDataModule, ImageFolderDataModule, ImageZipDataModule
from datamodules.components.cache import ImageCache
from tests.datamodules.conftest import Numbered


class Witness(LightningModule):
    """Writes down every batch it is given; trains one number.

    Args:
        image_shape: linked by the command line.
        num_classes: linked by the command line.
        folder: where each process writes its notes at the end of training.
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (1, 4, 4), num_classes: int | None = None, folder: str | None = None
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.folder = folder
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.trained: list[list[int]] = []
        self.evaluated: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.trained.append(self._names(batch))
        return self.weight * 0.0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.evaluated += self._names(batch)

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)

    def on_train_end(self) -> None:
        if self.folder is not None:
            notes = {"trained": self.trained, "evaluated": self.evaluated}
            Path(self.folder, f"{self.global_rank}.json").write_text(json.dumps(notes))

    @staticmethod
    def _names(batch: Any) -> list[int]:
        # Without labels, the sum of an image's pixels stands for it.
        return (batch[1] if isinstance(batch, list | tuple) else batch.sum((1, 2, 3), dtype=torch.int64)).tolist()


def zipped(folder: Path) -> str:
    """The folder as a zip file beside it, made once."""
    if not folder.with_suffix(".zip").exists():
        shutil.make_archive(str(folder), "zip", folder)
    return f"{folder}.zip"


def trainer(folder: Path, **arguments: Any) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return Trainer(default_root_dir=folder, **(quiet | {"enable_checkpointing": False, "devices": 1} | arguments))


@pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint.*", "ignore:Total length of `list`")
@pytest.mark.parametrize("source", ["memory", "files", "cache", "zip"])
@pytest.mark.parametrize("stop", [1, 4, 5, 7, 10])
def test_a_resumed_run_sees_what_the_uninterrupted_one_would(
    tmp_path: Path, stop: int, source: str, write_digits
) -> None:
    write_digits(tmp_path / "images", 20)

    def data() -> ImageDataModule:
        if source == "memory":
            return Numbered(size=20, val_size=0)
        if source == "zip":
            return ImageZipDataModule(zipped(tmp_path / "images"), 4, val_size=0, in_memory=False, num_workers=0)
        folder, cache = str(tmp_path / "images"), str(tmp_path / "cache") if source == "cache" else False
        return ImageFolderDataModule(
            folder, batch_size=4, image_size=8, val_size=0, test_size=0, in_memory=False, cache=cache, num_workers=0
        )

    whole = Witness()
    trainer(tmp_path, max_steps=13).fit(whole, data())
    assert [len(batch) for batch in whole.trained] == [4] * 13  # 5 batches an epoch
    assert sorted(chain(*whole.trained[:5])) == sorted(chain(*whole.trained[5:10]))
    assert whole.trained[:5] != whole.trained[5:10]

    saving = ModelCheckpoint(tmp_path / "run", filename="last", every_n_train_steps=stop, save_top_k=-1)
    trainer(tmp_path, max_steps=stop, enable_checkpointing=True, callbacks=saving).fit(Witness(), data())
    resumed = Witness()
    trainer(tmp_path, max_steps=13).fit(resumed, data(), ckpt_path=str(tmp_path / "run" / "last.ckpt"))
    assert resumed.trained == whole.trained[stop:]


def test_validation_and_test_see_each_image_once_in_order(tmp_path: Path) -> None:
    model, data = Witness(), Numbered(size=40, val_size=6)
    trainer(tmp_path, max_epochs=1, num_sanity_val_steps=0).fit(model, data)
    assert model.evaluated == data.splits.val.labels.tolist()
    model.evaluated = []
    trainer(tmp_path).test(model, data, verbose=False)
    assert model.evaluated == data.splits.test.labels.tolist()


@pytest.mark.filterwarnings("ignore:Total length of `list`")
def test_a_folder_without_validation_images_trains(tmp_path: Path, write_digits) -> None:
    write_digits(tmp_path, 8)
    model = Witness()
    trainer(tmp_path, max_steps=2).fit(model, ImageFolderDataModule(str(tmp_path), 4, 8, val_size=0))
    assert len(model.trained) == 2


@pytest.mark.filterwarnings("ignore:You requested to overfit")
def test_overfitting_repeats_the_same_batches(tmp_path: Path) -> None:
    model = Witness()
    trainer(tmp_path, max_epochs=3, overfit_batches=2).fit(model, Numbered())
    assert model.trained == model.trained[:2] * 3


@pytest.mark.parametrize("source", ["files", "cache", "cache of one", "zip"])
def test_two_processes_share_a_damaged_folder_without_an_image_in_common(
    tmp_path: Path, source: str, write_digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_digits(tmp_path / "images", 19)
    (tmp_path / "images" / "0005a.png").write_text("no image")
    (tmp_path / "images" / "0006a.png").write_text("no image")
    cache = str(tmp_path / "cache") if source.startswith("cache") else False
    kind: type[ImageFolderDataModule | ImageZipDataModule]
    kind, root = ImageFolderDataModule, str(tmp_path / "images")
    if source == "zip":
        kind, root = ImageZipDataModule, zipped(tmp_path / "images")
    data = kind(root, 2, 8, val_size=3, flip=False, in_memory=False, cache=cache, num_workers=0)
    if source == "cache of one":  # the second finds no room
        get = ImageCache.get
        monkeypatch.setattr(ImageCache, "get", lambda self: None if distributed.get_rank() else get(self))
    # Forking takes a fraction of a second, but a process that has used a GPU cannot.
    start = "ddp_fork" if hasattr(os, "fork") and not torch.cuda.is_initialized() else "ddp_spawn"
    two = trainer(tmp_path, max_epochs=1, devices=2, strategy=start, num_sanity_val_steps=0)
    two.fit(Witness(folder=str(tmp_path)), data)
    notes = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [len(note["trained"]) for note in notes] == [4, 4]
    alone = ImageFolderDataModule(str(tmp_path / "images"), 1, 8, val_size=3, flip=False, in_memory=True)
    with pytest.warns(UserWarning, match="skipped 2 of the 21 files"):
        order = [Witness._names(batch)[0] for batch in alone.train_dataloader()]
    for rank, note in enumerate(notes):
        assert list(chain(*note["trained"])) == order[rank::2]
    evaluated = notes[0]["evaluated"] + notes[1]["evaluated"]
    assert sorted(evaluated) == sorted(Witness._names(batch)[0] for batch in alone.val_dataloader())


class Linked(LightningCLI):
    """Passes the data's shape to the model, as the project's command line does."""

    def add_arguments_to_parser(self, parser: Any) -> None:
        parser.link_arguments("data.image_shape", "model.init_args.image_shape", apply_on="instantiate")
        parser.link_arguments("data.num_classes", "model.init_args.num_classes", apply_on="instantiate")


@pytest.mark.filterwarnings("ignore:LightningCLI's args", "ignore:No seed found", "ignore::DeprecationWarning")
def test_the_command_line_links_shape_and_classes_without_loading_data(tmp_path: Path, write_digits) -> None:
    write_digits(tmp_path / "cat", 2)
    write_digits(tmp_path / "dog", 2)
    cases = [
        (["--data", "DigitsDataModule"], (1, 8, 8), 10),
        (["--data", "MNISTDataModule", "--data.image_size", "null"], (1, 28, 28), 10),
        (["--data", "CIFAR10DataModule", "--data.batch_size", "16"], (3, 32, 32), 10),
        (["--data", "ImageFolderDataModule", "--data.root", str(tmp_path), "--data.in_memory", "true"], (3, 64, 64), 2),
        (["--data", "ImageZipDataModule", "--data.root", str(tmp_path), "--data.channels", "1"], (1, 8, 8), None),
    ]
    # A module can be named without its path once its file is imported.
    assert all(getattr(datamodules, name) for name in datamodules.__all__)
    for arguments, image_shape, num_classes in cases:
        cli = Linked(
            LightningModule,
            ImageDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            run=False,
            args=["--model", f"{__name__}.Witness", *arguments],
            save_config_callback=None,
        )
        assert cli.model.image_shape == image_shape
        assert cli.model.num_classes == num_classes
        assert cli.datamodule._splits is None


@pytest.mark.filterwarnings("ignore:LightningCLI's args", "ignore:No seed found", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("given", "cache"), [("true", True), ("false", False), ("~/images", "~/images")])
def test_the_command_line_takes_a_cache_with_or_without_a_place(
    tmp_path: Path, given: str, cache: bool | str, write_digits
) -> None:
    write_digits(tmp_path, 2)
    cli = LightningCLI(
        Witness,
        ImageFolderDataModule,
        run=False,
        args=["--data.root", str(tmp_path), "--data.cache", given],
        save_config_callback=None,
    )
    assert cli.datamodule.cache == cache
    assert type(cli.datamodule.cache) is type(cache)
