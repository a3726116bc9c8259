"""Two domains without pairs: who comes when, how each is disturbed, and domains that are empty."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import UnpairedImageDataModule
from datamodules.unpaired import DomainOrder

Write = Callable[..., None]


def module(root: Path, **arguments) -> UnpairedImageDataModule:
    return UnpairedImageDataModule(str(root), **{"image_size": 8, "num_workers": 0} | arguments)


def columns(sizes: tuple[int, int], epochs: int, **arguments) -> list[list[list[int]]]:
    """For each epoch, what comes of A and of B."""
    order = DomainOrder(sizes, True, **arguments)
    result = []
    for epoch in range(epochs):
        order.set_epoch(epoch)
        result.append(order.indices().T.tolist())
    return result


@pytest.mark.parametrize("sizes", [(10, 4), (4, 10), (7, 7)])
def test_each_domain_is_used_up_before_it_comes_again(sizes: tuple[int, int]) -> None:
    epochs = columns(sizes, 8)
    for domain, size in enumerate(sizes):
        assert all(len(epoch[domain]) == max(sizes) for epoch in epochs)
        stream = [i for epoch in epochs for i in epoch[domain]]
        rounds = [stream[start : start + size] for start in range(0, len(stream) - size + 1, size)]
        assert all(sorted(each) == list(range(size)) for each in rounds)  # also across the ends of epochs
        assert len({tuple(each) for each in rounds}) > len(rounds) // 2


def test_the_domains_are_shuffled_independently() -> None:
    ((a, b),) = columns((50, 50), 1)
    assert a != b
    assert a != columns((50, 50), 1, seed=1)[0][0]
    assert columns((50, 20), 1)[0][0] == a  # whatever the other domain's size


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_single_process_order(world_size: int) -> None:
    whole = DomainOrder((10, 4), True)
    shares = [DomainOrder((10, 4), True, rank=rank, world_size=world_size) for rank in range(world_size)]
    for order in [whole, *shares]:
        order.set_epoch(2)
    end = 10 - 10 % world_size
    interleaved = torch.stack([share.indices() for share in shares], 1).flatten(0, 1)
    assert torch.equal(interleaved, whole.indices()[:end])
    assert interleaved[:, 0].unique().numel() == end  # no image of the larger domain twice
    assert [len(share) for share in shares] == [end // world_size] * world_size


def test_batches_have_both_domains(tmp_path: Path, write_digits: Write, digit_images: np.ndarray) -> None:
    write_digits(tmp_path / "trainA", 7)
    write_digits(tmp_path / "trainB" / "deeper", 3, start=100)
    write_digits(tmp_path / "testA", 3, start=200)
    write_digits(tmp_path / "testB", 5, start=300)
    data = module(tmp_path, batch_size=2, channels=1, load_size=8, flip=False)
    assert (data.image_shape, data.num_classes) == ((1, 8, 8), None)
    batches = list(data.train_dataloader())
    assert [(batch["A"].shape, batch["B"].dtype) for batch in batches] == [((2, 1, 8, 8), torch.uint8)] * 3
    known = {"A": {i.tobytes() for i in digit_images[:7]}, "B": {i.tobytes() for i in digit_images[100:103]}}
    for name, images in known.items():
        drawn = [image.numpy().tobytes() for batch in batches for image in batch[name]]
        assert set(drawn) <= images
        assert len(set(drawn)) == (6 if name == "A" else 3)
    tested = list(data.test_dataloader())
    assert np.array_equal(torch.cat([batch["A"] for batch in tested])[:, 0], digit_images[[200, 201, 202, 200, 201]])
    assert np.array_equal(torch.cat([batch["B"] for batch in tested])[:, 0], digit_images[300:305])
    assert len(list(data.val_dataloader())) == 3  # there are no others


def test_the_images_of_b_are_what_evaluation_compares_with(
    tmp_path: Path, write_digits: Write, digit_images: np.ndarray
) -> None:
    write_digits(tmp_path / "trainA", 7)
    write_digits(tmp_path / "trainB", 3, start=100)
    source = module(tmp_path, channels=1).train_dataloader().source
    assert len(source) == 3
    assert np.array_equal(torch.cat(list(source.image_batches(torch.arange(3).split(2))))[:, 0], digit_images[100:103])


def test_the_domains_are_jittered_independently(tmp_path: Path) -> None:
    # A picture whose pixels say where they are, and the same in both domains.
    across, down = np.meshgrid(np.arange(16), np.arange(16))
    picture = Image.fromarray(np.stack([across * 16, down * 16, across * 0], -1).astype(np.uint8))
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        picture.save(tmp_path / f"train{domain}" / "x.png")
    loader = module(tmp_path, load_size=16).train_dataloader()
    places: dict[str, list[list[int]]] = {"A": [], "B": []}
    for epoch in range(200):
        loader.sampler.set_epoch(epoch)
        (batch,) = loader
        for name, images in batch.items():
            red, green = images[0, 0].int(), images[0, 1].int()
            places[name].append([red.min() // 16, green.min() // 16, red[0, 0] > red[0, 7]])
    both = torch.tensor([a + b for a, b in zip(*places.values(), strict=True)]).T.float()
    assert both[[0, 1, 3, 4]].max(1).values.tolist() == [8] * 4
    assert both[[0, 1, 3, 4]].min(1).values.tolist() == [0] * 4
    correlations = torch.corrcoef(both) - torch.eye(6)
    assert correlations.abs().max() < 0.25


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize(("full", "empty"), [("A", "B"), ("B", "A")])
def test_one_domain_empty(tmp_path: Path, write_digits: Write, split: str, full: str, empty: str) -> None:
    if split != "train":
        write_digits(tmp_path / "trainA", 2)
        write_digits(tmp_path / "trainB", 2)
    write_digits(tmp_path / f"{split}{full}", 2)
    for _ in range(2):
        if split == "train":
            with pytest.raises(ValueError, match=rf"^Unpaired\S+: no images under \S*train{empty}: both domains need"):
                module(tmp_path).setup()
        else:
            data = module(tmp_path)
            with pytest.warns(UserWarning, match=rf"no images under \S*{split}{empty}, so this split is left empty"):
                data.setup()
            assert len(data.splits.train) == 2
            assert data.val_dataloader() == data.test_dataloader() == []
        (tmp_path / f"{split}{empty}").mkdir(exist_ok=True)
        (tmp_path / f"{split}{empty}" / "notes.txt").touch()


def test_both_domains_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no images under \S*trainA and \S*trainB: both"):
        module(tmp_path).setup()


def test_a_damaged_image(tmp_path: Path, write_digits: Write, damage: Callable[[Path], None]) -> None:
    write_digits(tmp_path / "trainA", 3)
    write_digits(tmp_path / "trainB", 3)
    damage(tmp_path / "trainB" / "0001.png")
    with pytest.raises(ValueError, match=r"1 of the 6 images in .* cannot be used: \S*trainB/0001.png \("):
        module(tmp_path).setup()


def test_resuming_with_another_number_of_images_starts_over(tmp_path: Path, write_digits: Write) -> None:
    write_digits(tmp_path / "trainA", 5)
    write_digits(tmp_path / "trainB", 3)
    loader = module(tmp_path).train_dataloader()
    next(iter(loader))
    state = loader.state_dict()
    (tmp_path / "trainB" / "0002.png").unlink()  # the epoch is as long as before
    with pytest.warns(UserWarning, match="size 8 of the training images and it is 7 now"):
        module(tmp_path).train_dataloader().load_state_dict(state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"load_size": 7}, "load_size is 7: it must be at least 8."),
        (
            {"channels": 0},
            r"channels is 0: it must be 1 \(grey\), 2 .*, 3 \(RGB\), 4 .*, or as many as the arrays have.",
        ),
        ({"batch_size": 0}, "batch_size is 0: it must be at least 1."),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        module(tmp_path, **arguments)


def test_the_real_paintings_and_photographs(real_folder: Callable[[str], Path]) -> None:
    root = real_folder("monet2photo")
    data = UnpairedImageDataModule(str(root), num_workers=1)
    counts = [len(list((root / name).iterdir())) for name in ("trainA", "trainB", "testA", "testB")]
    assert [len(domain) for part in (data.splits.train, data.splits.test) for domain in (part.a, part.b)] == counts
    batch = next(iter(data.train_dataloader()))
    assert batch["A"].shape == batch["B"].shape == (1, 3, 256, 256)
    batch = next(iter(data.test_dataloader()))
    for domain in "AB":
        pixels = np.asarray(Image.open(min((root / f"test{domain}").iterdir())))
        assert np.array_equal(batch[domain][0].permute(1, 2, 0), pixels)
