"""Few labels: which images keep theirs, how they are handed out, and that a run finds its place again."""

from itertools import islice
from typing import Any

import pytest
import torch

from datamodules import DigitsDataModule
from datamodules.base import Splits
from datamodules.components.loading import EpochOrder, TensorImages
from datamodules.components.partly_labelled import PartlyLabelledLoader, RepeatedOrder, choose_labelled


class Told(DigitsDataModule):
    """Images that tell their number, of ten classes in turn."""

    def load_splits(self) -> Splits:
        numbers = torch.arange(250, dtype=torch.uint8)
        images = numbers[:, None, None, None].expand(250, 1, 2, 3)  # not symmetric only where it is told
        source = TensorImages(images, torch.arange(250) % 10)
        return Splits(source, source, source)


def numbers(images: torch.Tensor) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def epoch(loader: Any, number: int = 0) -> list[dict[str, torch.Tensor]]:
    loader.sampler.set_epoch(number)
    return list(loader)


def test_as_many_of_each_class_are_chosen_by_the_seed() -> None:
    labels = torch.randint(0, 10, (2000,), generator=torch.Generator().manual_seed(0))
    chosen = choose_labelled(labels, 100, 10, seed=3, location="here")
    assert torch.equal(torch.bincount(labels[chosen]), torch.full((10,), 10))
    assert len(chosen.unique()) == 100
    assert torch.equal(chosen, choose_labelled(labels, 100, 10, seed=3, location="here"))
    assert not torch.equal(chosen, choose_labelled(labels, 100, 10, seed=4, location="here"))


def test_the_same_few_tell_their_class_again_and_again_beside_all_images() -> None:
    module = Told(batch_size=25, n_labels=20)
    loader = module.train_dataloader()
    seen = []
    for number in range(2):
        batches = epoch(loader, number)
        assert sorted(n for batch in batches for n in numbers(batch["images"])) == list(range(250))
        labelled = [n for batch in batches for n in numbers(batch["labelled"])]
        labels = [label for batch in batches for label in batch["labels"].tolist()]
        assert [n % 10 for n in labelled] == labels
        rounds = [labelled[first : first + 20] for first in range(0, 240, 20)]
        assert all(set(one) == set(rounds[0]) and len(set(one)) == 20 for one in rounds)
        assert len({tuple(one) for one in rounds}) == 12  # never the same order
        seen += rounds
    assert len({tuple(one) for one in seen}) == 24
    assert {frozenset(one) for one in seen} == {frozenset(seen[0])}
    assert isinstance(module.val_dataloader().batches(slice(1)).__next__(), tuple)


def test_the_order_of_all_images_is_that_without_the_option() -> None:
    with_few = epoch(Told(batch_size=25, n_labels=20).train_dataloader())
    plain = epoch(Told(batch_size=25).train_dataloader())
    for one, (images, _) in zip(with_few, plain, strict=True):
        assert torch.equal(one["images"], images)


def test_it_resumes_in_the_middle_of_an_epoch() -> None:
    whole = epoch(Told(batch_size=25, n_labels=20).train_dataloader(), 3)
    loader = Told(batch_size=25, n_labels=20).train_dataloader()
    loader.sampler.set_epoch(3)
    list(islice(loader, 4))
    resumed = Told(batch_size=25, n_labels=20).train_dataloader()
    resumed.load_state_dict(loader.state_dict())
    rest = list(resumed)
    assert len(rest) == 6
    for one, other in zip(rest, whole[4:], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in ("images", "labelled", "labels"))


def test_processes_share_out_the_labelled_as_one_would_take_them() -> None:
    chosen = torch.tensor([3, 5, 8])
    parts = [RepeatedOrder(chosen, EpochOrder(10, True, 0, rank, 2)).indices().tolist() for rank in range(2)]
    assert [n for pair in zip(*parts, strict=True) for n in pair] == RepeatedOrder(
        chosen, EpochOrder(10, True)
    ).indices().tolist()


def test_real_digits() -> None:
    module = DigitsDataModule(batch_size=50, n_labels=100)
    loader = module.train_dataloader()
    assert isinstance(loader, PartlyLabelledLoader)
    batch = next(iter(loader))
    assert batch["images"].shape == batch["labelled"].shape == (50, 1, 8, 8)
    source = module.splits.train
    everything = next(source.image_batches([torch.arange(len(source))]))
    for image, label in zip(batch["labelled"], batch["labels"], strict=True):
        (found,) = (everything == image).flatten(1).all(dim=1).nonzero()[:1, 0].tolist()
        assert source.labels[found] == label


@pytest.mark.parametrize(
    ("n_labels", "message"),
    [
        (55, "n_labels is 55: it must be a multiple of the 10 classes"),
        (0, "n_labels is 0: it must be a multiple of the 10 classes"),
        (300, "30 of each class, but scikit-learn's digits has a class of 25 training images: it must be at most 250"),
    ],
)
def test_numbers_that_cannot_be_are_refused(n_labels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Told(n_labels=n_labels).train_dataloader()
