"""How any augmentation takes its place before the discriminators of a game: D(T(x)) for D(x), in training alone."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.augmentations import ADA, Augmentation, DiffAugment
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.losses.reported import report
from gan_lightning.losses.terms import Terms
from gan_lightning.networks import PointDiscriminator, PointGenerator
from gan_lightning.variants import (
    ALI,
    BEGAN,
    DCGAN,
    DRAGAN,
    EBGAN,
    LAPGAN,
    SRGAN,
    WGANGP,
    CoGAN,
    ConditionalGAN,
    CycleGAN,
    FeatureMatchingGAN,
    Pix2Pix,
    RelativisticGAN,
    SemiSupervisedGAN,
    StarGAN,
    UnrolledGAN,
)
from tests.helpers.games import IMAGE_VARIANTS, assert_same_bits, last_state, metrics_file, play, small


class Negative(Augmentation):
    """Every image as its negative: exact, and without chance."""

    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        return -images


class Watched(DiffAugment):
    """Notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[torch.Size, list[int], torch.dtype, bool]] = []

    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        is_autocast = torch.is_autocast_enabled(images.device.type)
        self.given.append((images.shape, [*channels], images.dtype, is_autocast))
        return super().transform(images, channels)


def negate(network: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Images among the inputs, as their negatives."""
    if isinstance(given[0], dict):
        return ({name: -images for name, images in given[0].items()},)
    return tuple(-one if one.ndim == 4 else one for one in given)


def judging_negatives(game: AdversarialModule) -> AdversarialModule:
    """A game whose discriminators themselves begin with the negative of an image."""
    if isinstance(game, EBGAN | BEGAN):
        # They compare an image with its reconstruction: the negative with that of the negative.
        energy = game.energy
        game.energy = lambda images: energy(-images)  # type: ignore[method-assign, assignment, return-value]
        return game
    players = game.discriminator
    for network in players.values() if isinstance(players, nn.ModuleDict) else [players]:
        network.register_forward_pre_hook(negate)
    return game


GAMES: list[tuple[Any, dict[str, Any]]] = [
    (DCGAN, {"r1_weight": 1.0, "n_critic": 2}),
    (DCGAN, {"r1_weight": 1.0, "penalty_method": "finite_difference", "accumulate": 2}),
    *((variant, {}) for variant in (WGANGP, DRAGAN, ConditionalGAN, RelativisticGAN, UnrolledGAN, FeatureMatchingGAN)),
    *((variant, {}) for variant in (EBGAN, BEGAN, ALI, CoGAN, LAPGAN, SemiSupervisedGAN)),
    *((variant, {}) for variant in (Pix2Pix, CycleGAN, SRGAN, StarGAN)),
]


@pytest.mark.parametrize(("variant", "options"), GAMES)
def test_the_discriminator_judges_the_augmented_image(variant: Any, options: dict[str, Any], tmp_path: Path) -> None:
    """To the bit: in the losses of both players and in penalties, and neither in samples nor in what is measured."""
    play(small(variant, augmentation=Negative, **options), 3, tmp_path / "augmented", batch_size=20)
    play(judging_negatives(small(variant, **options)), 3, tmp_path / "built in", batch_size=20)
    assert metrics_file(tmp_path / "augmented") == metrics_file(tmp_path / "built in")
    one, other = (last_state(tmp_path / name) for name in ("augmented", "built in"))
    assert_same_bits(one["state_dict"], other["state_dict"])
    play(small(variant, **options), 3, tmp_path / "none", batch_size=20)
    assert metrics_file(tmp_path / "augmented") != metrics_file(tmp_path / "none")


@pytest.mark.parametrize("variant", IMAGE_VARIANTS, ids=lambda variant: variant.__name__)
def test_every_game_trains_with_it(variant: type[AdversarialModule], tmp_path: Path) -> None:
    model = small(variant, augmentation=Watched)
    names = {*model.state_dict()}
    play(model, 1, tmp_path, batch_size=20)
    augmentation = model.augmentation
    assert isinstance(augmentation, Watched)
    given = len(augmentation.given)
    # Of two encoders each judges the same real images.
    least = 2 if isinstance(model, EmbeddingGame) else 3
    assert given >= least, "real images and fakes, and fakes once more for the generator"
    assert {*small(variant).state_dict()} == names
    # Outside of a step images are what they are.
    images = torch.randn(2, 1, 16, 16)
    assert model.augmented(images) is images
    assert not any(part._forward_pre_hooks for part in [model.discriminator, *model.discriminator.children()])


def test_validation_and_samples_meet_no_augmentation(tmp_path: Path) -> None:
    class Looking(DCGAN):
        def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            before = len(self.augmentation.given)  # type: ignore[union-attr, arg-type]
            self.discriminator(self.prepare_batch(batch).real)
            self.sample(2)
            assert len(self.augmentation.given) == before  # type: ignore[union-attr, arg-type]

    play(small(Looking, augmentation=Watched), 2, tmp_path, val_check_interval=1, limit_val_batches=1)


def test_images_of_a_call_are_transformed_alike() -> None:
    """Several inputs, and several images in one: a game says of how many channels each is."""
    torch.manual_seed(0)
    images = torch.rand(8, 3, 9, 12)
    augmentation = DiffAugment()
    one, other = augmentation(images, images)
    assert torch.equal(one, other)
    model = small(Pix2Pix, augmentation=DiffAugment)
    assert model.joined_channels == (1, 1)
    seen = []
    network = nn.Identity()
    with model.augmentation.before([network], (3, 3)):  # type: ignore[union-attr]
        seen.append(network(torch.cat([images, images], dim=1)))
    assert torch.equal(seen[0][:, :3], seen[0][:, 3:])
    assert not torch.equal(seen[0][:, :3], images)


def test_images_of_two_sizes_cannot_be_moved_alike() -> None:
    with pytest.raises(ValueError, match=r"images of several sizes at once, \(2, 4, 4\) and \(2, 8, 8\)"):
        DiffAugment()(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 4, 4))


def test_labels_and_latents_are_left_alone() -> None:
    seen: list[Any] = []

    class Conditioned(nn.Module):
        def forward(self, images: Tensor, latent: Tensor, labels: Tensor, points: Tensor) -> Tensor:
            seen.extend([images, latent, labels, points])
            return images

    network, images, latent = Conditioned(), torch.rand(4, 3, 8, 8), torch.rand(4, 5)
    labels, points = torch.arange(4), torch.rand(4, 2, 1, 1)
    with Negative().before([network]):
        network(images, latent, labels=labels, points=points)
    assert torch.equal(seen[0], -images)
    assert all(one is given for one, given in zip(seen[1:], (latent, labels, points), strict=True))


class Linear(nn.Module):
    """D(x) = <w, x>, whose gradient is w."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8))

    def forward(self, images: Tensor) -> Tensor:
        return (self.weight * images).sum(dim=(1, 2, 3))


class Doubled(Augmentation):
    """Twice every image, moved by a number of its own."""

    def transform(self, images: Tensor, channels: Sequence[int]) -> Tensor:
        return 2 * images + 100 * torch.randn(len(images), 1, 1, 1)


@pytest.mark.parametrize("method", ["exact", "finite_difference"])
def test_a_penalty_is_of_the_image_before_the_augmentation(method: Any) -> None:
    """R1 of D(T(x)), T(x) = 2 x + c, D(x) = <w, x>: 1/2 |2 w|^2. Two draws of c would be divided by a step of 0.001."""
    torch.manual_seed(0)
    model = small(DCGAN, side=8, augmentation=Doubled, r1_weight=1.0, penalty_method=method)
    model.discriminator = Linear()
    batch = GameBatch(torch.rand(2000 if method == "finite_difference" else 4, 1, 8, 8))
    with model._augmenting():
        (value,) = model.discriminator_penalty(batch).values()
    # An estimate scatters by sqrt(2 / 2000) of the value, 3 %; five of that.
    expected = 2 * model.discriminator.weight.square().sum()
    assert_close(value, expected, rtol=0.16 if method == "finite_difference" else 1e-5, atol=0.0)
    value.backward()
    assert model.discriminator.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("in_place", [True, False])
def test_a_compiled_discriminator_judges_the_same_images(in_place: bool, tmp_path: Path) -> None:
    graphs = []

    def backend(graph: Any, example: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    for name in ("plain", "compiled"):
        model = small(DCGAN, augmentation=DiffAugment, r1_weight=1.0)
        if name == "compiled" and in_place:
            model.discriminator.compile(backend=backend)
        elif name == "compiled":
            model.discriminator = torch.compile(model.discriminator, backend=backend)
        play(model, 3, tmp_path / name, batch_size=20)
    assert_same_bits(last_state(tmp_path / "compiled"), last_state(tmp_path / "plain"))
    # The network alone is compiled, and no step compiles it again, but for the images' gradient and the weights': what
    # compiled code draws are other numbers than those of a seed.
    assert 0 < len(graphs) <= 3
    assert not any("rand" in str(node.target) for graph in graphs for node in graph.graph.nodes)


def test_bfloat16_images_are_transformed_in_float32(tmp_path: Path) -> None:
    model = small(DCGAN, augmentation=Watched)
    with torch.autocast("cpu", torch.bfloat16):
        (out,) = model.augmentation(torch.rand(2, 3, 8, 8, dtype=torch.bfloat16))  # type: ignore[misc]
    assert out.dtype == torch.bfloat16
    play(model, 2, tmp_path, precision="bf16-mixed")
    given = model.augmentation.given  # type: ignore[union-attr]
    assert {dtype for _, _, dtype, _ in given} == {torch.float32}  # type: ignore[union-attr]
    assert not any(autocast for *_, autocast in given)  # type: ignore[union-attr]


def test_a_game_that_does_not_call_its_discriminator_is_refused(tmp_path: Path) -> None:
    class Inside(DCGAN):
        def discriminator_loss(self, batch: GameBatch) -> Terms:
            return {"real": self.discriminator.forward(batch.real).mean()}

        def generator_loss(self, batch: GameBatch) -> Terms:
            return {"fake": self.discriminator.forward(batch.fake).mean()}

    with pytest.raises(ValueError, match="Inside has an augmentation, DiffAugment, and no image met it"):
        play(small(Inside, augmentation=DiffAugment), 1, tmp_path)


def test_points_are_refused() -> None:
    with pytest.raises(ValueError, match="points, which are images of one pixel, have no augmentation"):
        DCGAN(
            image_shape=(2, 1, 1), generator=PointGenerator, discriminator=PointDiscriminator, augmentation=DiffAugment
        )


@pytest.mark.parametrize("variant", [DCGAN, ConditionalGAN, CycleGAN, Pix2Pix, BEGAN])
def test_resume_is_exact(variant: Any, tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    options: dict[str, Any] = {"save_every": 2, "batch_size": 40}
    augmentation = partial(DiffAugment, policy=["color", "translation"])
    play(small(variant, augmentation=augmentation), 5, straight, **options)
    for crash in (3, None):
        play(small(variant, augmentation=augmentation), 5, broken, resume=True, crash_at=crash, **options)
    assert_same_bits(last_state(broken), last_state(straight))
    assert metrics_file(broken) == metrics_file(straight)
    loaded = variant.load_from_checkpoint(straight / "run" / "version_0" / "checkpoints" / "last.ckpt")
    assert loaded.augmentation.policy == ("color", "translation")


def test_a_class_that_makes_no_augmentation_is_refused() -> None:
    with pytest.raises(ValueError, match="is not known to make a"):
        DCGAN(augmentation={"class_path": "torch.nn.Identity", "init_args": {}})  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [DiffAugment, ADA, partial(ADA, p=0.5, band_filter=1.0, noise=1.0, cutout=1.0)])
def test_nothing_is_read_off_the_device(make: Any) -> None:
    """On a device without numbers any look at one raises: a step on a GPU does not wait for it."""
    augmentation = make().to("meta")
    images = torch.rand(4, 3, 16, 12, device="meta", requires_grad=True)
    out = augmentation.transform(images, [3])
    assert out.shape == images.shape
    torch.autograd.grad(out.sum(), images)
    if isinstance(augmentation, ADA):
        with augmentation.before([]):
            report("discriminator/accuracy_real", torch.ones((), device="meta"))
        augmentation.end_step(64, 4)
