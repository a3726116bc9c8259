"""Virtual batch normalisation by hand, against BatchNorm, and in games that are interrupted."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.games.freezing import evaluating
from gan_lightning.networks import (
    ClassifyingDiscriminator,
    ConvDiscriminator,
    ConvGenerator,
    ResNetGenerator,
    VirtualBatchNormDiscriminator,
    VirtualBatchNormGenerator,
)
from gan_lightning.networks.layers.virtual_batch_norm import ReferenceNorm, VirtualBatchNorm
from gan_lightning.variants import ACGAN, DCGAN, WGANGP, ConditionalGAN
from tests.helpers.games import assert_same_bits, example_batch, last_state, play, small

SHAPE = (1, 16, 16)
G = partial(VirtualBatchNormGenerator, generator=partial(ConvGenerator, width=4), n_reference=5)
D = partial(VirtualBatchNormDiscriminator, discriminator=partial(ConvDiscriminator, width=4), n_reference=5)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_one_channel_by_hand() -> None:
    """Reference 1, 3: mean 2, of squares 5. Sample 8: mean (8 + 2 * 2) / 3 = 4, of squares (64 + 2 * 5) / 3."""
    layer = ReferenceNorm(nn.BatchNorm1d(1, eps=0.0), n_reference=2)
    outputs = layer(torch.tensor([[1.0], [3.0], [8.0]]))
    assert_close(outputs, torch.tensor([[-1.0], [1.0], [(8 - 4) / (74 / 3 - 16) ** 0.5]]))


def test_maps_by_a_loop() -> None:
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(7, 3, 4, 5).double()
    outputs = ReferenceNorm(norm.double(), n_reference=4)(x)
    assert_close(outputs[:4], norm.train()(x[:4]))  # the reference is plainly batch-normalised
    for i in range(4, 7):
        for c in range(3):
            mean = (x[i, c].mean() + 4 * x[:4, c].mean()) / 5
            square = (x[i, c].square().mean() + 4 * x[:4, c].square().mean()) / 5
            expected = (x[i, c] - mean) / (square - mean**2 + norm.eps).sqrt() * norm.weight[c] + norm.bias[c]
            assert_close(outputs[i, c], expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("make", "inputs"), [(lambda: G(SHAPE, 6), (6,)), (lambda: D(SHAPE), SHAPE)], ids=["G", "D"])
def test_no_output_depends_on_the_rest_of_the_batch(make: Any, inputs: tuple[int, ...], training: bool) -> None:
    network = make().train()
    network(torch.randn(8, *inputs))  # the reference
    network.train(training)
    batch = torch.randn(4, *inputs, requires_grad=True)
    together = network(batch)
    assert_close(together, torch.cat([network(batch[i : i + 1]) for i in range(4)]), rtol=1e-4, atol=1e-5)
    together[1].sum().backward()
    assert batch.grad is not None
    assert batch.grad[1].any()
    assert not batch.grad[[0, 2, 3]].any()
    assert not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def test_the_first_training_batch_stays_the_reference() -> None:
    network = D(SHAPE)
    first, second = torch.randn(2, 8, *SHAPE)
    network.eval()(second)
    assert not network.is_set
    network.train()(first)
    assert torch.equal(network.reference_0, first[:5])
    network(second)
    assert torch.equal(network.reference_0, first[:5])
    few = D(SHAPE)
    few(first[:2])
    assert torch.equal(few.reference_0, first[[0, 1, 0, 1, 0]])


def test_the_reference_teaches_the_weights_too() -> None:
    """The gradient is that of the statistics as well: the whole function is differentiated."""
    norm = VirtualBatchNorm(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double(), [(2,)], 4)
    norm.double()(torch.randn(4, 2).double())
    x = torch.randn(3, 2).double()
    weight = norm.network[0].weight

    def outputs(value: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(norm, {"network.0.weight": value}, (x,))

    assert torch.autograd.gradcheck(outputs, (weight.detach().clone().requires_grad_(),))


@pytest.mark.parametrize(
    ("variant", "generator", "discriminator"),
    [
        (ConditionalGAN, partial(ConvGenerator, width=4), partial(ConvDiscriminator, width=4)),
        (ACGAN, partial(ResNetGenerator, width=4), partial(ClassifyingDiscriminator, width=2)),
    ],
)
def test_labels_go_with_the_reference(variant: Any, generator: Any, discriminator: Any) -> None:
    model: Any = small(
        variant,
        generator=partial(VirtualBatchNormGenerator, generator=generator, n_reference=4),
        discriminator=partial(VirtualBatchNormDiscriminator, discriminator=discriminator, n_reference=4),
    )
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 6)))
    batch = type(batch)(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))
    assert all(term.isfinite() for term in model.discriminator_loss(batch).values())
    assert torch.equal(model.discriminator.reference_0, batch.real[:4])  # of real images
    assert torch.equal(model.generator.reference_0, batch.latent[:4])
    assert torch.equal(model.generator.reference_1, batch.condition[:4])


def test_a_game_resumes_in_the_same_bits_and_its_average_has_the_reference(tmp_path: Path) -> None:
    def game() -> Any:
        return small(DCGAN, generator=G, discriminator=D)

    straight, broken = tmp_path / "straight", tmp_path / "broken"
    model = game()
    before = DCGAN(**model.hparams)
    before.load_state_dict(model.state_dict())  # before the reference is set
    assert not before.discriminator.is_set
    play(model, 7, straight)
    for crash in (3, 5, None):
        play(game(), 7, broken, resume=True, crash_at=crash)
    assert_same_bits(last_state(broken), last_state(straight))
    assert torch.equal(model.ema.module.reference_0, model.generator.reference_0)
    before.load_state_dict(model.state_dict())  # and after
    assert before.discriminator.is_set
    assert torch.equal(before.sample(3), model.sample(3))
    with evaluating(model.generator):
        latent = torch.randn(3, 4)
        assert_close(model.generator(latent)[:1], model.generator(latent[:1]))


def test_a_gradient_penalty_goes_with_it(tmp_path: Path) -> None:
    trainer = play(small(WGANGP, generator=G, discriminator=D, n_critic=1), 2, tmp_path)
    assert trainer.callback_metrics["train/discriminator/gradient_penalty"].isfinite()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no BatchNorm layer"):
        VirtualBatchNorm(nn.Linear(1, 1), [(1,)], 4)
    with pytest.raises(ValueError, match="n_reference is 0: it must be at least 1"):
        VirtualBatchNormGenerator(n_reference=0)
