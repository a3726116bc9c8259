"""Loaders of the user's own, in their own trainer: what they yield, in which range, and what predict makes of it."""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.utilities.combined_loader import CombinedLoader
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, TensorDataset

from gan_lightning.callbacks import FastTraining, TrainingHealth, TranslationGrid
from gan_lightning.games.batch import GameBatch
from gan_lightning.loggers import RunLogger
from gan_lightning.variants import ACGAN, ALI, DCGAN, GAN, SRGAN, CoGAN, CycleGAN, Pix2Pix
from tests.helpers.games import small

LABELS = torch.arange(24) % 10


def images(n: int = 24, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Images that begin at one end of a range and end at the other."""
    return torch.linspace(low, high, n * 256).view(n, 1, 16, 16)


def quiet(**options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"max_steps": 3, "logger": False, **options},
    )


def fit(model: Any, *loaders: Any, **options: Any) -> int:
    trainer = quiet(**options)
    trainer.fit(model, *loaders)
    return trainer.global_step


class Dicts(Dataset):
    def __init__(self, *names: str) -> None:
        self.names = names

    def __len__(self) -> int:
        return 24

    def __getitem__(self, i: int) -> dict[str, Any]:
        kinds = {"image": images()[i], "pixel_values": images()[i], "picture": images()[i], "path": f"{i}.png"}
        return {name: kinds.get(name, i % 10) for name in self.names}


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[Tensor]:
        return iter(images())


# What loaders yield.


@pytest.mark.parametrize(
    ("variant", "data"),
    [
        (DCGAN, TensorDataset(images())),
        (ACGAN, TensorDataset(images(), LABELS, torch.arange(24))),
        (ACGAN, Dicts("label", "image", "path")),
        (ACGAN, Dicts("pixel_values", "labels")),
        (DCGAN, Dicts("label", "picture", "path")),
        (DCGAN, images().double()),
        (DCGAN, images().half()),
    ],
)
def test_batches_of_these_forms_train(variant: Any, data: Any) -> None:
    assert fit(small(variant), DataLoader(data, 8)) == 3


@pytest.mark.parametrize(
    ("variant", "data", "says"),
    [
        (DCGAN, Dicts("label", "path"), "dictionaries of label, path, and it is not clear which"),
        (
            DCGAN,
            (images() * 100).long(),
            r"DCGAN needs images, N x C x H x W, .* yields \(8, 1, 16, 16\) of torch.int64",
        ),
        (Pix2Pix, images(), r"Pix2Pix needs pairs, .* yields \(8, 1, 16, 16\)"),
        (SRGAN, TensorDataset(images(), LABELS), "SRGAN needs pairs"),
        (CycleGAN, images(), "CycleGAN needs images of two domains"),
        (CoGAN, TensorDataset(images(), LABELS), "CoGAN needs images of two domains"),
        (ACGAN, Dicts("image"), "ACGAN needs the class of every image"),
    ],
)
def test_others_get_a_sentence(variant: Any, data: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit(small(variant), DataLoader(data, 8))


@pytest.mark.parametrize("n_critic", [1, 2])
@pytest.mark.parametrize(
    ("variant", "data"), [(DCGAN, TensorDataset(images())), (DCGAN, images()), (ACGAN, TensorDataset(images(), LABELS))]
)
def test_two_loaders_for_a_game_of_one_are_refused(variant: Any, data: Any, n_critic: int) -> None:
    """Not the second one left out, or taken for labels."""
    loaders = [DataLoader(data, 4), DataLoader(data, 4)]
    for given in (loaders, dict(zip(("image", "more"), loaders, strict=True)), CombinedLoader(loaders, "min_size")):
        with pytest.raises(ValueError, match="was given 2 training loaders, and this game takes one: join their data"):
            fit(small(variant, n_critic=n_critic), given)


@pytest.mark.parametrize("variant", [Pix2Pix, SRGAN])
def test_pairs_are_not_made_of_what_two_loaders_shuffle_apart(variant: Any) -> None:
    small_or_large = {"image_shape": (3, 16, 16)} if variant is SRGAN else {}
    loaders = [DataLoader(images(), 4), DataLoader(images(), 4)]
    for given in (loaders, {"image": loaders[0], "condition": loaders[1]}, CombinedLoader(loaders, "min_size")):
        with pytest.raises(ValueError, match=r"given 2 training loaders, .* yield each pair from one data set"):
            fit(small(variant, **small_or_large), given)


def test_a_list_of_one_loader_is_that_loader() -> None:
    for given in ([DataLoader(images(), 4)], {"any": DataLoader(TensorDataset(images()), 4)}):
        assert fit(small(DCGAN), given) == 3


@pytest.mark.parametrize(
    ("variant", "data", "says"),
    [
        (DCGAN, TensorDataset(images(), LABELS, LABELS), r"tuples|lists of 3: .* DCGAN reads the first two at most: 1"),
        (Pix2Pix, TensorDataset(images(), images(), images(), LABELS), "Pix2Pix reads the first two at most: 2"),
        (DCGAN, TensorDataset(images(), images()), "DCGAN learns from the first images alone"),
    ],
)
def test_what_no_game_reads_is_told_once(variant: Any, data: Any, says: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(small(variant), DataLoader(data, 8))
    told = [str(each.message) for each in caught if "The loader yields" in str(each.message)]
    assert len(told) == 1
    assert re.search(says, told[0])


def test_a_batch_of_two_images_is_no_pair() -> None:
    with pytest.raises(ValueError, match="Pix2Pix needs pairs"):
        small(Pix2Pix).prepare_batch(images(2))


@pytest.mark.parametrize("n_critic", [1, 2])
def test_two_loaders_serve_two_domains(n_critic: int) -> None:
    seen: list[GameBatch] = []

    class Watched(CycleGAN):
        def draw_latents(self, batch: GameBatch) -> GameBatch:
            seen.append(batch)
            return batch

    def loaders() -> tuple[DataLoader, DataLoader]:
        return DataLoader(images(), 4), DataLoader(TensorDataset(-images(), LABELS), 4)

    a, b = loaders()
    for given in ({"A": a, "B": b}, [a, b], CombinedLoader({"A": a, "B": b}, "min_size")):
        seen.clear()
        assert fit(small(Watched, n_critic=n_critic), given) == 3
        assert len(seen) == 3 * n_critic
        for number, batch in enumerate(seen):
            assert torch.equal(batch.real["A"], images()[4 * number :][:4])
            assert torch.equal(batch.real["B"], -images()[4 * number :][:4])


@pytest.mark.parametrize("joined", [False, True])
def test_callbacks_take_the_batches_of_two_loaders(tmp_path: Path, joined: bool) -> None:
    both: Any = {"A": DataLoader(images(), 8), "B": DataLoader(images(), 8)}
    watching = [TrainingHealth(diversity_every_n_steps=1), FastTraining(bf16=False), TranslationGrid(every_n_steps=1)]
    logger = RunLogger(str(tmp_path), "two")
    validation = [CombinedLoader(both, "min_size")] if joined else []
    fit(small(CycleGAN), both, *validation, logger=logger, callbacks=watching, log_every_n_steps=1)
    assert len([*tmp_path.rglob("translations/step_*.png")]) == 4
    assert "train/images_per_second" in next(tmp_path.rglob("metrics.csv")).read_text()


def test_two_domains_are_validated_when_their_loaders_are_joined() -> None:
    both = {"A": DataLoader(images(), 8), "B": DataLoader(images(), 8)}
    assert fit(small(CycleGAN), both, CombinedLoader(both, "min_size")) == 3
    with pytest.raises(ValueError, match="to validate, join them: CombinedLoader"):
        fit(small(CycleGAN), both, both)
    with pytest.raises(ValueError, match="2 training loaders, and this game takes one"):
        fit(small(DCGAN), both)


@pytest.mark.parametrize("variant", [DCGAN, ALI, Pix2Pix])
def test_several_validation_loaders_are_taken(variant: Any) -> None:
    loader = DataLoader(TensorDataset(images(), images()), 8)
    assert fit(small(variant), loader, [loader, loader]) == 3


# Streams.


@pytest.mark.parametrize("game", [{}, {"n_critic": 2, "accumulate": 2}])
def test_a_stream_without_a_length_trains(game: dict[str, int]) -> None:
    assert fit(small(DCGAN, **game), DataLoader(Stream(), 4), max_steps=7) == 7


def test_a_stream_that_ends_too_early_says_so() -> None:
    with pytest.raises(ValueError, match=r"its end after 3 batches, but one step needs n_critic x accumulate = 4"):
        fit(small(DCGAN, n_critic=4), DataLoader(Stream(), 8))
    with pytest.raises(ValueError, match="a generator, is used up"):
        fit(small(DCGAN), (images(8) for _ in range(2)), max_steps=5)


class Counting:
    """A stream that knows where it stands."""

    def __init__(self) -> None:
        self.at = 0
        self.seen: list[int] = []

    def __iter__(self) -> Iterator[Tensor]:
        while self.at < 24:
            self.at += 1
            self.seen.append(self.at)
            yield torch.full((4, 1, 16, 16), self.at / 100)
        self.at = 0

    def state_dict(self) -> dict[str, int]:
        return {"at": self.at}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.at = state["at"]


def test_a_stream_with_a_state_goes_on_behind_the_last_step(tmp_path: Path) -> None:
    """Lightning has fetched one round more when it saves."""
    first = quiet(max_steps=3)
    first.fit(small(DCGAN, n_critic=2), Counting())
    first.save_checkpoint(tmp_path / "state.ckpt")
    rest = Counting()
    quiet(max_steps=5).fit(small(DCGAN, n_critic=2), rest, ckpt_path=tmp_path / "state.ckpt", weights_only=True)
    assert rest.seen[0] == 7


def test_a_stream_without_a_state_says_that_it_begins_anew(tmp_path: Path) -> None:
    first = quiet(max_steps=3)
    first.fit(small(DCGAN), DataLoader(Stream(), 4))
    first.save_checkpoint(tmp_path / "state.ckpt")
    with pytest.warns(UserWarning, match="DataLoader has no state_dict"):
        quiet(max_steps=5).fit(
            small(DCGAN), DataLoader(Stream(), 4), ckpt_path=tmp_path / "state.ckpt", weights_only=True
        )


# The range.


def warned(work: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    return [text for each in caught if "a game plays in [-1, 1]" in (text := str(each.message))]


@pytest.mark.parametrize(
    ("data", "n"),
    [
        (images(), 0),
        (images(low=0), 1),
        (images(low=0.3, high=0.9), 1),
        (images(low=-2.1, high=2.6), 1),
        (images(low=0, high=255).byte(), 0),
        (images(low=200, high=255).byte(), 0),
        (images().double(), 0),
    ],
)
def test_the_range_of_the_first_batch_is_looked_at_once(data: Tensor, n: int) -> None:
    found = warned(lambda: fit(small(DCGAN), DataLoader(data, 24)))
    assert len(found) == n
    assert all("Normalize((0.5,), (0.5,))" in text for text in found)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (images(low=0, high=255), "floats from 0 to 255"),
        (images(low=0, high=255).round(), "floats from 0 to 255"),
        (torch.full((24, 1, 16, 16), torch.nan), "NaN or infinity"),
        (torch.full((24, 1, 16, 16), -torch.inf), "NaN or infinity"),
    ],
)
def test_levels_as_floats_and_what_is_no_number_are_refused(data: Tensor, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit(small(DCGAN), DataLoader(data, 24))


def test_every_part_of_a_batch_is_looked_at() -> None:
    levels, fine = images(low=0, high=255), images()
    for variant, given in [
        (CycleGAN, {"A": DataLoader(fine, 24), "B": DataLoader(levels, 24)}),
        (Pix2Pix, DataLoader(TensorDataset(fine, levels), 24)),
        (SRGAN, DataLoader(TensorDataset(fine, levels[..., :8, :8]), 24)),
    ]:
        with pytest.raises(ValueError, match="and a game plays in"):
            fit(small(variant), given)
    with pytest.raises(ValueError, match="floats from 0 to 255"):
        fit(small(DCGAN), DataLoader(fine, 24), DataLoader(levels, 24))
    with pytest.raises(ValueError, match="floats from 0 to 255"):
        quiet().predict(small(Pix2Pix), DataLoader(TensorDataset(fine, levels), 24))
    masks = (images() > 0).float()
    assert warned(lambda: fit(small(Pix2Pix), DataLoader(TensorDataset(fine, masks), 24))) == []
    assert len(warned(lambda: fit(small(DCGAN), DataLoader(masks, 24)))) == 1


def test_points_and_a_range_of_ones_own_are_left_alone() -> None:
    points = 100 * torch.rand(24, 2, 1, 1)
    assert warned(lambda: fit(small(GAN, image_shape=(2, 1, 1)), DataLoader(points, 24))) == []

    class Heights(DCGAN):
        def check_range(self, images: Tensor) -> None:
            pass

    assert warned(lambda: fit(small(Heights), DataLoader(images(low=0, high=8000), 24))) == []


# Predictions.


class Odd(BatchSampler):
    def __init__(self) -> None:
        pass

    def __iter__(self) -> Iterator[list[int]]:
        yield from ([0, 1], [2, 3, 4, 5, 6], [7], list(range(8, 20)))

    def __len__(self) -> int:
        return 4


@pytest.mark.parametrize(
    "loaders",
    [
        lambda: DataLoader(images(20), batch_size=8),
        lambda: [DataLoader(images(13), batch_size=8), DataLoader(images(7), batch_size=3)],
        lambda: DataLoader(images(20), batch_sampler=Odd()),
        lambda: DataLoader(torch.arange(20), batch_size=8),
        lambda: [images(20)],
    ],
    ids=["short last batch", "two loaders", "batches of any length", "numbers", "a list of batches"],
)
def test_predictions_are_as_many_different_samples_as_examples(loaders: Callable[[], Any]) -> None:
    model = small(ACGAN)
    for _ in range(2):
        made = quiet().predict(model, loaders())
        made = [batch for each in made for batch in each] if isinstance(made[0], list) else made
        expected = model.sample(20, batch_size=20)
        # Kernels may sum in another order in a batch of another size: some hundred terms of float32.
        torch.testing.assert_close(torch.cat(made), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
@pytest.mark.parametrize("sampler", [None, Odd()])
def test_processes_predict_different_samples(sampler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process after the other takes its part; each has two loaders, the shorter ones by a batch."""
    model, numbers = small(DCGAN), []
    monkeypatch.setattr(model, "sample", lambda n, start: numbers.extend(range(start, start + n)) or images(n))
    trainer = quiet()
    monkeypatch.setattr(type(trainer), "world_size", 2)
    for rank, sizes in enumerate([(20, 9), (16, 5)]):
        monkeypatch.setattr(type(model), "global_rank", rank, raising=False)
        loaders = [DataLoader(images(n), batch_size=4) for n in sizes]
        if sampler is not None:
            loaders[0] = DataLoader(images(), batch_sampler=sampler)
        trainer.predict(model, loaders)
    assert len(set(numbers)) == len(numbers)


def test_levels_of_16_bits_keep_their_lower_8() -> None:
    game = small(DCGAN)
    levels = torch.tensor([0, 1, 257, 65534, 65535]).to(torch.uint16)
    scaled = game.scaled(levels)
    assert scaled.tolist() == pytest.approx([-1, -1 + 2 / 65535, -1 + 2 / 255, 1 - 2 / 65535, 1], abs=1e-7)
    assert len(scaled.unique()) == 5
    # 257 times the level of 8 bits is the same brightness.
    bytes_ = torch.arange(256, dtype=torch.uint8)
    assert torch.allclose(game.scaled((bytes_.int() * 257).to(torch.uint16)), game.scaled(bytes_), atol=1e-7)


def test_images_of_16_bits_need_no_check_of_their_range() -> None:
    game = small(DCGAN)
    raw = torch.full((2, 1, 16, 16), 65535).to(torch.uint16)
    assert (game.checked_batch(raw).real == 1).all()
