"""Regularisers that any game may add to its losses: which games take them, what they cost, resuming, two processes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from gan_lightning.augmentations import DiffAugment
from gan_lightning.callbacks import TrainingHealth
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.regularized import regularized
from gan_lightning.regularizers import BCR, CR, ZCR, Judgement, LeCam, Regularizer, TopK
from gan_lightning.regularizers.regularizer import judgements
from gan_lightning.variants import (
    ACGAN,
    ALI,
    DCGAN,
    EBGAN,
    LAPGAN,
    R3GAN,
    SNGAN,
    WGANGP,
    BigGAN,
    CoGAN,
    CycleGAN,
    Pix2Pix,
    StarGAN,
)
from tests.helpers.command_line import TINY, fit, refused
from tests.helpers.games import assert_same_bits, example_batch, last_state, metrics_file, play, run_directory, small

SMALLEST = TopK(nu=0.5, gamma=0.5, decay_images=1)


def everything() -> list[Regularizer]:
    return [LeCam(start_step=2), BCR(), ZCR(), TopK(decay_images=300, gamma=0.7)]


def exchange(game: Any, n: int = 8) -> GameBatch:
    torch.manual_seed(1)
    batch = game.draw_latents(game.prepare_batch(example_batch(game, n)))
    return GameBatch(batch.real, batch.condition, batch.latent, game.generate_fakes(batch))


@pytest.mark.parametrize(("regularizer", "more"), [(LeCam(), 0), (CR(), 1), (BCR(), 2), (ZCR(), 1), (SMALLEST, 0)])
@pytest.mark.parametrize("variant", [SNGAN, ACGAN, R3GAN, BigGAN])
def test_the_loss_is_as_it_was_and_its_outputs_are_not_computed_again(
    variant: Any, regularizer: Regularizer, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is added leaves the game's own terms as they were to the bit: those of images that nothing has changed."""
    game = small(variant, regularizers=[regularizer]).eval()  # spectral norms move in training
    batch = exchange(game).detached()
    own = game.discriminator_loss(batch)
    calls = []
    forward = game.discriminator.forward
    monkeypatch.setattr(game.discriminator, "forward", lambda *inputs: calls.append(1) or forward(*inputs))
    terms = regularized(game, "discriminator", game.discriminator_loss, batch)
    assert_same_bits({name: terms[name] for name in own}, own)
    assert len(calls) == 2 + more


@pytest.mark.parametrize(
    ("variant", "regularizer", "told"),
    [
        (CycleGAN, LeCam(), r"regularizers is \[LeCam\(.*they are for games of one discriminator, and CycleGAN has 2"),
        (LAPGAN, CR(), "they are for games of one discriminator, and LAPGAN has"),
        (EBGAN, LeCam(), r"N x 1 x h x w, and EBGAN's gives \(8, 1, 16, 16\): leave them out"),
        (CoGAN, CR(), "N x 1 x h x w, and CoGAN's gives dict: leave them out"),
        (ALI, LeCam(), "called on the real images as they are, .*and ALI's is not: leave them out"),
        (Pix2Pix, BCR(), "called on the real images as they are, .*and Pix2Pix's is not: leave them out"),
        (StarGAN, ZCR(), "ZCR moves latent vectors, N x latent_dim, and StarGAN has none: leave it out"),
    ],
)
def test_games_that_they_do_not_fit_are_refused(variant: Any, regularizer: Regularizer, told: str) -> None:
    def update() -> None:
        game = small(variant, regularizers=[regularizer])
        regularized(game, "discriminator", game.discriminator_loss, exchange(game).detached())

    with pytest.raises(ValueError, match=told):
        update()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: DCGAN(regularizers=[LeCam]), r"regularizers is \[<class.*it must be a list, each a Regularizer"),
        (lambda: DCGAN(regularizers=LeCam()), "regularizers is LeCam.*it must be a list, each a Regularizer"),
        (lambda: LeCam(weight=-1), "weight is -1: it must be at least 0"),
        (lambda: LeCam(decay=1), "decay is 1: it must be at least 0 and less than 1"),
        (lambda: LeCam(start_step=0.5), "start_step is 0.5: it must be a whole number"),
        (lambda: BCR(fake_weight=-1), "fake_weight is -1: it must be at least 0"),
        (lambda: ZCR(sigma=0), "sigma is 0: it must be greater than 0"),
        (lambda: TopK(gamma=1.5), "gamma is 1.5: it must be greater than 0 and at most 1"),
        (lambda: TopK(nu=0.0), "nu is 0.0: it must be greater than 0 and at most 1"),
        (lambda: TopK(decay_images=0), "decay_images is 0: it must be a whole number, at least 1"),
    ],
)
def test_impossible_ones_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_two_terms_of_one_name_are_refused() -> None:
    game = small(SNGAN, regularizers=[CR(), BCR()])
    with pytest.raises(ValueError, match="two terms of the discriminator's loss are called consistency"):
        regularized(game, "discriminator", game.discriminator_loss, exchange(game).detached())


def test_a_run_resumes_exactly_and_a_checkpoint_names_them(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options: dict[str, Any] = {"save_every": 3, "batch_size": 40, "limit_val_batches": 0}

    def run(folder: Path, **more: Any) -> Any:
        game = small(SNGAN, n_critic=2, accumulate=2, regularizers=everything())
        return play(game, 7, folder, callbacks=[TrainingHealth()], **options, **more)

    trainer = run(straight)
    for crash in (5, None):
        run(broken, resume=True, crash_at=crash)
    state = last_state(broken)
    assert_same_bits(state, last_state(straight))
    assert torch.isfinite(state["state_dict"]["regularizers.0.mean_real"])
    names = metrics_file(straight).splitlines()[0].split(",")
    for name in ("discriminator/le_cam", "discriminator/consistency_fake", "generator/latent_diversity"):
        assert f"train/{name}" in names
    assert {"train/generator/top_k", "train/discriminator/average_real"} <= {*names}
    path = tmp_path / "made.ckpt"
    trainer.save_checkpoint(path)
    loaded = SNGAN.load_from_checkpoint(path, map_location="cpu")
    assert repr([*loaded.regularizers]) == repr(everything())


def test_they_are_chosen_by_a_config_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "more.yaml"
    config.write_text("model: {init_args: {regularizers: [LeCam, {class_path: BCR, init_args: {fake_weight: 2}}]}}")
    place = ["--trainer.default_root_dir", str(tmp_path), "--name", "run", "--trainer.limit_val_batches", "0"]
    for more in (["--config", str(config)], ["--ckpt_path", "last", "--config", str(config)]):
        assert fit(*place, *more, steps=len(more)) == 0
    path = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
    made = DCGAN.load_from_checkpoint(path, map_location="cpu").regularizers
    assert repr([*made]) == repr([LeCam(), BCR(fake_weight=2.0)])
    assert "train/discriminator/consistency_fake" in metrics_file(tmp_path)
    assert "choose from BCR, CR, LeCam, TopK, ZCR" in refused(capsys, "fit", *TINY, "--model.regularizers", "[LeCm]")


def test_augmented_discriminators_judge_the_images_as_they_were(tmp_path: Path) -> None:
    """``D(T(x))`` takes the place of ``D(x)``, and what is recorded of a call is x."""
    game = small(SNGAN, regularizers=[LeCam(start_step=0), BCR(), ZCR(), SMALLEST], augmentation=DiffAugment)
    trainer = play(game, 2, tmp_path, batch_size=20, limit_val_batches=0)
    assert trainer.callback_metrics["train/discriminator/consistency"] > 0


@pytest.mark.parametrize(("before", "after"), [([], [LeCam()]), ([LeCam()], []), ([LeCam()], [CR()])])
def test_a_checkpoint_serves_a_game_that_is_regularised_otherwise(before: Any, after: Any) -> None:
    saved, other = small(SNGAN, regularizers=before), small(SNGAN, regularizers=after)
    with torch.no_grad():
        saved.discriminator.linear.weight += 1
    other.load_state_dict(saved.state_dict())
    assert_same_bits(dict(other.discriminator.state_dict()), dict(saved.discriminator.state_dict()))


@pytest.mark.parametrize("how", ["in place", "wrapped"])
def test_a_compiled_discriminator_is_watched_from_outside(how: str) -> None:
    """It was compiled before it was watched, when a hook would go unnoticed, and stays compiled while it is."""
    runs: list[int] = []

    def backend(graph: Any, _: Any) -> Any:
        return lambda *inputs: runs.append(1) or graph(*inputs)

    network = nn.Sequential(nn.Linear(2, 1))
    if how == "in place":
        network.compile(backend=backend)
    compiled: Any = torch.compile(network, backend=backend) if how == "wrapped" else network
    x = torch.ones(3, 2)
    compiled(x)
    with judgements(compiled) as calls:
        output = compiled(x)
    compiled(x)
    assert len(runs) == 3
    assert [(call.images is x, call.output is output) for call in calls] == [(True, True)]


@pytest.mark.parametrize("how", ["in place", "wrapped"])
def test_compiled_games_are_regularised_alike(how: str, tmp_path: Path) -> None:
    states = []
    for compiles in (False, True):
        game = small(WGANGP, regularizers=[LeCam(start_step=0), CR(), SMALLEST])
        if compiles and how == "in place":
            game.discriminator.compile(backend="eager")
        if compiles and how == "wrapped":
            game.discriminator = torch.compile(game.discriminator, backend="eager")
        play(game, 2, tmp_path / str(compiles), batch_size=20, limit_val_batches=0)
        states.append(last_state(tmp_path / str(compiles))["state_dict"])
    torch.testing.assert_close(states[1], states[0])


def test_averages_stay_in_float32() -> None:
    game = small(SNGAN, regularizers=[LeCam()]).to(torch.bfloat16)
    assert game.regularizers[0].mean_real.dtype == torch.float32
    assert next(game.discriminator.parameters()).dtype == torch.bfloat16


def judged(logits: Tensor) -> Judgement:
    return Judgement(nn.Identity(), logits, (), {}, logits)


def le_cam_of(parts: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], LeCam]:
    """Terms of some updates, and the regulariser after them."""
    regularizer = LeCam(weight=1.0, start_step=0)
    game: Any = type("Game", (), {"game_step": 5})
    terms = [regularizer.discriminator_terms(game, None, *map(judged, pair))["le_cam"] for pair in parts]
    return terms, regularizer


def _one_of_two(rank: int, parts: list[tuple[Tensor, Tensor]], folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    terms, regularizer = le_cam_of([(real.chunk(2)[rank], fake.chunk(2)[rank]) for real, fake in parts])
    torch.save((terms, regularizer.state_dict()), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_averages_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    parts = [(torch.randn(8), torch.randn(8)) for _ in range(3)]
    one, alone = le_cam_of(parts)
    multiprocessing.start_processes(_one_of_two, (parts, tmp_path), nprocs=2, start_method="fork")
    (first, state), (second, other) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert_same_bits(dict(state), dict(other))
    torch.testing.assert_close(dict(state), dict(alone.state_dict()))
    torch.testing.assert_close([(a + b) / 2 for a, b in zip(first, second, strict=True)], one)
