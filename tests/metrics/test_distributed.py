"""Several processes find the same numbers as one, and share the work."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing

from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.image_sources import Samples
from gan_lightning.metrics.registry import METRICS, Options
from tests.metrics.tools import TINY, Counting, images

N_SAMPLES, N_REAL, BATCH = 101, 77, 8


def work(rank: int, world_size: int, folder: Path, n_samples: int = N_SAMPLES) -> None:
    torch.set_num_threads(1)
    if world_size > 1:
        store = f"file://{folder / f'store_{world_size}'}"
        distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
    made = []

    def sample(n: int, seed: int, start: int) -> torch.Tensor:
        made.append(n)
        return images(n_samples, 1)[start : start + n] / 127.5 - 1

    cache = TensorCache(folder / f"cache_{world_size}")
    evaluator = Evaluator(
        [name for name in METRICS if not name.endswith("dinov2")],
        make_extractor(TINY, Ingredients()),
        cache,
        BATCH,
        options=Options(10, 40),
    )
    real = Counting(images(N_REAL, 2))
    reference = evaluator.describe(real)
    seen = real.seen
    evaluator.describe(real)  # from the cache: nobody looks again
    scores = evaluator.score(Samples(sample, n_samples), reference)
    torch.save((scores, sum(made), seen, real.seen), folder / f"{world_size}_{rank}.pt")
    if world_size > 1:
        distributed.destroy_process_group()


def results(folder: Path, world_size: int, **arguments: Any) -> list[Any]:
    if world_size == 1:
        work(0, 1, folder, **arguments)
    else:
        # Forked: to import everything again takes longer than the work.
        passed = (world_size, folder, *arguments.values())
        multiprocessing.start_processes(work, passed, nprocs=world_size, start_method="fork")
    return [torch.load(folder / f"{world_size}_{rank}.pt") for rank in range(world_size)]


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_work_and_agree(world_size, tmp_path):
    [(expected, _, _, _)] = results(tmp_path, 1)
    found = results(tmp_path, world_size)
    for scores, _, _, _ in found:
        assert scores == {name: pytest.approx(score, rel=1e-6) for name, score in expected.items()}
    made, seen = [made for _, made, _, _ in found], [seen for _, _, seen, _ in found]
    assert sum(made) == N_SAMPLES
    assert sum(seen) == N_REAL
    assert max(made) - min(made) <= BATCH
    assert max(seen) - min(seen) <= BATCH
    assert [again for *_, again in found] == seen


def test_a_process_may_have_nothing_to_do(tmp_path):
    """Ten samples are two batches: the third process has none."""
    [(expected, _, _, _)] = results(tmp_path, 1, n_samples=10)
    for scores, _, _, _ in results(tmp_path, 3, n_samples=10):
        assert scores == {name: pytest.approx(score, rel=1e-6) for name, score in expected.items()}
