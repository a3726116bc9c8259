"""The order of the images, and stopping and resuming in the middle of it."""

from pathlib import Path

import pytest
import torch

from datamodules import ImageFolderDataModule
from datamodules.base import ImageDataModule
from datamodules.components.loading import BatchLoader, EpochOrder, TensorImages
from tests.datamodules.conftest import Numbered


def labels_of(loader: BatchLoader, epoch: int = 0) -> list[list[int]]:
    loader.sampler.set_epoch(epoch)
    return [labels.tolist() for _, labels in loader]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochOrder(100, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return sampler.indices().tolist()

    assert order(3, 5) == order(3, 5)
    assert sorted(order(3, 5)) == list(range(100))
    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len({tuple(each) for each in orders}) == 9  # (0, 1) and (1, 0) differ too


def test_the_global_random_state_plays_no_part_and_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = labels_of(Numbered(flip=True).train_dataloader())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert labels_of(Numbered(flip=True).train_dataloader()) == first


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_no_training_image_and_take_equally_many(world_size: int) -> None:
    parts = [EpochOrder(100, True, rank=rank, world_size=world_size) for rank in range(world_size)]
    seen = [part.indices().tolist() for part in parts]
    assert [len(each) for each in seen] == [len(part) for part in parts] == [100 // world_size] * world_size
    together = [index for each in seen for index in each]
    assert len(set(together)) == len(together) == 100 // world_size * world_size
    # Interleaved, they are the single process's order: the number of processes changes nothing.
    interleaved = [index for step in zip(*seen, strict=True) for index in step]
    assert interleaved == EpochOrder(100, True).indices().tolist()[: len(interleaved)]
    flips = [flip for step in zip(*(part.flips().tolist() for part in parts), strict=True) for flip in step]
    assert flips == EpochOrder(100, True).flips().tolist()[: len(flips)]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_evaluate_every_image_exactly_once(world_size: int) -> None:
    parts = [EpochOrder(100, False, rank=rank, world_size=world_size) for rank in range(world_size)]
    seen = [index for part in parts for index in part.indices().tolist()]
    assert sorted(seen) == list(range(100))
    assert all(len(part) == len(part.indices()) for part in parts)


def test_modules_in_several_processes_take_disjoint_batches(as_process) -> None:
    for loader_of in (ImageDataModule.train_dataloader, ImageDataModule.val_dataloader):
        seen = [labels_of(loader_of(as_process(Numbered(41, val_size=7), rank, 3))) for rank in range(3)]
        flat = [label for each in seen for batch in each for label in batch]
        assert len(flat) == len(set(flat))
    assert sorted(flat) == sorted(
        label for batch in labels_of(Numbered(41, val_size=7).val_dataloader()) for label in batch
    )


def test_training_drops_the_last_partial_batch_and_evaluation_keeps_it() -> None:
    data = Numbered(size=43, val_size=10)
    train, val = data.train_dataloader(), data.val_dataloader()
    assert [len(batch) for batch in labels_of(train)] == [4] * 8
    assert [len(batch) for batch in labels_of(val)] == [4, 4, 2]
    assert (len(train), len(val)) == (8, 3)
    ordered = [label for batch in labels_of(val) for label in batch]
    assert ordered == sorted(ordered)


def test_batches_belong_to_the_caller() -> None:
    data = Numbered()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        images, _ = next(iter(loader))
        assert images.is_contiguous()
        images.fill_(77)
        assert all((again != 77).all() for again, _ in loader)


def test_flips_follow_seed_epoch_and_position_and_are_fair() -> None:
    def flipped(epoch: int, seed: int = 0, flip: bool = True) -> list[bool]:
        loader = Numbered(size=250, batch_size=10, flip=flip, seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)
        result = []
        for images, labels in loader:
            for image, label in zip(images, labels, strict=True):
                expected = torch.zeros(1, 4, 4, dtype=torch.uint8)
                expected[..., :2] = label
                mirrored = torch.equal(image, expected.flip(-1)) and label != 0
                assert mirrored or torch.equal(image, expected)
                result.append(bool(mirrored))
        return result

    assert flipped(1) == flipped(1)
    assert flipped(1) != flipped(2)
    assert flipped(1) != flipped(1, seed=1)
    assert 80 < sum(flipped(1)) < 170
    assert not any(flipped(1, flip=False))


def test_only_training_images_are_flipped() -> None:
    for images, labels in Numbered(flip=True).val_dataloader():
        assert torch.equal(images[:, 0, 0, 0].long(), labels)


def fresh_loader(kind: str, folder: Path) -> BatchLoader:
    if kind == "memory":
        return Numbered(flip=True).train_dataloader()
    workers = int(kind.removeprefix("files, workers: "))
    data = ImageFolderDataModule(
        str(folder), batch_size=4, image_size=8, val_size=0, in_memory=False, num_workers=workers
    )
    return data.train_dataloader()


def drawn(loader: BatchLoader, batches: int | None = None) -> list[bytes]:
    result = []
    for batch in loader:
        images = batch[0] if isinstance(batch, tuple) else batch
        result.append(images.numpy().tobytes())
        if len(result) == batches:
            break
    return result


@pytest.mark.parametrize("kind", ["memory", "files, workers: 0", "files, workers: 2"])
def test_resuming_at_every_batch_of_two_epochs_gives_the_uninterrupted_tail(
    kind: str, tmp_path: Path, write_digits
) -> None:
    write_digits(tmp_path, 14)
    whole = fresh_loader(kind, tmp_path)
    epochs = []
    for epoch in range(3):
        whole.sampler.set_epoch(epoch)
        epochs.append(drawn(whole))
    assert epochs[0] != epochs[1]
    for epoch in range(2):
        for stop in range(1, len(whole) + 1):
            first = fresh_loader(kind, tmp_path)
            first.sampler.set_epoch(epoch)
            assert drawn(first, stop) == epochs[epoch][:stop]
            second = fresh_loader(kind, tmp_path)
            second.load_state_dict(first.state_dict())
            assert second.state_dict() == first.state_dict()
            iter(second)  # Lightning makes iterators that it never draws from
            if stop < len(whole):
                assert drawn(second) == epochs[epoch][stop:]
            second.sampler.set_epoch(epoch + 1)
            assert drawn(second) == epochs[epoch + 1]


def test_the_state_counts_batches_given_out_and_not_those_prefetched(tmp_path: Path, write_digits) -> None:
    write_digits(tmp_path, 40)
    loader = fresh_loader("files, workers: 2", tmp_path)
    iterator = iter(loader)
    assert loader.state_dict()["images"] == 0
    for count in range(1, 6):
        next(iterator)
        assert loader.state_dict()["images"] == 4 * count


def test_the_epoch_is_read_at_the_first_batch() -> None:
    loader = Numbered().train_dataloader()
    iterator = iter(loader)
    loader.sampler.set_epoch(3)
    assert [labels.tolist() for _, labels in iterator] == labels_of(Numbered().train_dataloader(), epoch=3)


def test_a_state_of_another_epoch_shortens_nothing() -> None:
    loader = Numbered().train_dataloader()
    loader.load_state_dict({"epoch": 0, "images": 20, "size": 40, "seed": 0})
    assert labels_of(loader, epoch=1) == labels_of(Numbered().train_dataloader(), epoch=1)


def test_a_state_of_a_finished_epoch_shortens_nothing_either() -> None:
    loader = Numbered().train_dataloader()
    finished = labels_of(loader)
    loader.load_state_dict(loader.state_dict())
    assert labels_of(loader) == finished


def test_only_the_first_iterator_continues() -> None:
    loader = Numbered().train_dataloader()
    whole = labels_of(loader)
    loader.load_state_dict({"epoch": 0, "images": 20, "size": 40, "seed": 0})
    assert next(iter(loader))[1].tolist() == whole[5]
    assert labels_of(loader) == whole


@pytest.mark.parametrize(("before", "after"), [((4, 1), (2, 2)), ((2, 2), (4, 1)), ((3, 2), (2, 1))])
def test_resuming_with_another_batch_size_or_number_of_processes_keeps_the_place(
    as_process, before: tuple[int, int], after: tuple[int, int]
) -> None:
    def loaders(batch_size: int, world_size: int) -> list[BatchLoader]:
        modules = [as_process(Numbered(batch_size=batch_size), rank, world_size) for rank in range(world_size)]
        return [module.train_dataloader() for module in modules]

    seen, rest = [], []
    first = loaders(*before)
    for iterator in map(iter, first):
        seen += [label for _ in range(2) for label in next(iterator)[1].tolist()]
    for loader in loaders(*after):
        loader.load_state_dict(first[0].state_dict())
        rest += [label for batch in labels_of(loader) for label in batch]
    assert len(seen) == 2 * before[0] * before[1]
    assert sorted(seen + rest) == list(range(40))


@pytest.mark.parametrize("changed", [{"size": 44}, {"seed": 9}])
def test_resuming_with_other_images_or_another_seed_warns_and_starts_over(changed: dict[str, int]) -> None:
    state = {"epoch": 0, "images": 20, "size": 40, "seed": 0} | changed
    loader = Numbered().train_dataloader()
    with pytest.warns(UserWarning, match=f"{next(iter(changed))} {next(iter(changed.values()))}.*starts over"):
        loader.load_state_dict(state)
    assert len(labels_of(loader)) == 10


def test_a_source_without_labels_yields_images_alone() -> None:
    source = TensorImages(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), None)
    (batch,) = BatchLoader(source, EpochOrder(4, False), 4)
    assert isinstance(batch, torch.Tensor)
