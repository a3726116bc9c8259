"""What is special to BigGAN: its networks' options, its latents and classes, and the mistakes seen in other code."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator
from gan_lightning.networks.biggan import ModulatedBatchNorm2d
from gan_lightning.networks.layers.attention import SelfAttention
from gan_lightning.regularizers import orthogonal_penalty
from gan_lightning.variants import BigGAN
from tests.helpers.games import small

FORMS: dict[str, dict[str, Any]] = {
    "shared and hierarchical": {"shared_dim": 4, "hierarchical": True},
    "shared": {"shared_dim": 4, "hierarchical": False},
    "a table for each BatchNorm": {"shared_dim": None, "hierarchical": False},
}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def batch_of(model: Any, n: int = 8) -> GameBatch:
    labels = torch.arange(n) % model.num_classes
    images = torch.randn(n, *model.image_shape).clamp(-1, 1)
    batch = model.draw_latents(GameBatch(images, labels))
    return GameBatch(batch.real, labels, batch.latent, model.generate_fakes(batch))


# The networks.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 32, 32), (1, 64, 64), (4, 48, 64), (2, 40, 80), (3, 28, 28)])
def test_shapes(form: str, shape: tuple[int, int, int]) -> None:
    generator = BigGANGenerator(shape, 11, 3, width=1, attention=None, **FORMS[form])
    images = generator.eval()(torch.randn(2, 11), torch.tensor([0, 2]))
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    discriminator = BigGANDiscriminator(shape, 3, width=1, attention=None)
    assert discriminator(images, torch.tensor([0, 2])).shape == (2,)


def test_the_widths_are_the_papers() -> None:
    """The paper's appendix B, in multiples of the width; those for 32 x 32 and 64 x 64 are the code's."""
    up = {32: [4, 4, 4], 64: [16, 8, 4, 2], 128: [16, 8, 4, 2, 1], 256: [16, 8, 8, 4, 2, 1]}
    down = {32: [4, 4, 4, 4], 64: [1, 2, 4, 8, 16], 128: [1, 2, 4, 8, 16, 16], 256: [1, 2, 4, 8, 8, 16, 16]}
    for side in up:
        shape = (3, side, side)
        generator = BigGANGenerator(shape, 128, 2, width=1, attention=None, shared_dim=2)
        assert [block[0].shortcut.out_channels for block in generator.blocks] == up[side]  # type: ignore[index,union-attr]
        discriminator = BigGANDiscriminator(shape, 2, width=1, attention=None)
        blocks = [block for block in discriminator.blocks if hasattr(block, "residual")]
        assert [block.residual[3].out_channels for block in blocks] == down[side]


def test_attention_is_on_the_map_of_its_side() -> None:
    shape = (3, 128, 192)
    places = []
    for network in (
        BigGANGenerator(shape, 12, 2, width=8, shared_dim=2),
        BigGANDiscriminator(shape, 2, width=8),
    ):
        for part in network.modules():
            if isinstance(part, SelfAttention):
                part.register_forward_pre_hook(lambda _, inputs: places.append(tuple(inputs[0].shape[1:])))
        if isinstance(network, BigGANGenerator):
            images = network(torch.randn(2, 12), torch.tensor([0, 1]))
        else:
            network(images, torch.tensor([0, 1]))
    # At half of the image's side: after the last block but one, and after the first.
    assert places == [(16, 64, 96), (8, 64, 96)]


def test_an_image_or_a_latent_that_does_not_fit_is_refused() -> None:
    for make in (BigGANGenerator, BigGANDiscriminator):
        for side in (8, 512):
            with pytest.raises(ValueError, match=f"side is from 16 to 511, not {side} x {side}: set"):
                make((3, side, side))
        with pytest.raises(ValueError, match=r"not 30 x 30: set the data's image_size to 32\.$"):
            make((3, 30, 30))
    with pytest.raises(ValueError, match="no map of side 24 for self-attention: at 32 x 32 choose one of 8, 16, or"):
        BigGANGenerator((3, 32, 32), 128, 10, attention=24)
    with pytest.raises(ValueError, match=r"at least 4 numbers at this size, .* latent_dim is 3, shared_dim 128"):
        BigGANGenerator((3, 32, 32), 3, 10)
    with pytest.raises(ValueError, match="latent_dim is 128, shared_dim None"):
        BigGANGenerator((3, 32, 32), 128, 10, shared_dim=None)


def test_each_block_has_its_own_part_of_the_latent() -> None:
    """120 numbers are six parts of 20 at 128 x 128; of 11 in four parts the first has what is left over."""
    assert BigGANGenerator((3, 128, 128), 120, 2, width=1, attention=None).parts == [20] * 6
    generator = BigGANGenerator((1, 32, 32), 11, 2, width=1, attention=None, shared_dim=3)
    assert generator.parts == [5, 2, 2, 2]
    seen = []
    for block in generator.blocks:
        norm = next(part for part in block.modules() if isinstance(part, ModulatedBatchNorm2d))
        norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    latent, labels = torch.randn(2, 11), torch.tensor([1, 0])
    generator(latent, labels)
    assert generator.shared is not None
    for condition, part in zip(seen, latent.split([5, 2, 2, 2], dim=1)[1:], strict=True):
        assert_close(condition, torch.cat([generator.shared(labels), part], dim=1))


def test_all_layers_are_spectrally_normalised_but_the_generators_embeddings() -> None:
    """Spectral normalisation of the class's vector cripples the generator; the discriminator's embedding has it."""
    for form in FORMS.values():
        generator = BigGANGenerator((1, 32, 32), 8, 3, width=2, attention=8, **form)
        for name, layer in generator.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert parametrize.is_parametrized(layer), name
            assert not (isinstance(layer, nn.Embedding) and parametrize.is_parametrized(layer)), name
    discriminator = BigGANDiscriminator((1, 32, 32), 3, width=2, attention=8)
    layers = [part for part in discriminator.modules() if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert all(map(parametrize.is_parametrized, layers))


def test_the_sum_over_space_and_a_projection() -> None:
    """No mean, and no class joined to the features: ``w . phi + b + <e_y, phi>``."""
    network = BigGANDiscriminator((1, 32, 32), 3, width=2, attention=None).eval()
    images, labels = torch.randn(4, 1, 32, 32), torch.tensor([0, 1, 2, 1])
    phi = torch.stack([network.blocks(image[None])[0].flatten(1).sum(1) for image in images])
    expected = [
        phi[i] @ network.linear.weight[0] + network.linear.bias[0] + network.embedding.weight[label] @ phi[i]  # type: ignore[union-attr]
        for i, label in enumerate(labels)
    ]
    assert_close(network(images, labels), torch.stack(expected))


def test_initial_weights() -> None:
    generator = BigGANGenerator((1, 32, 32), 40, 3, width=8, attention=8, initial_weights="normal")
    weights = torch.cat([weight.flatten() for weight in generator.parameters() if weight.ndim > 1])
    assert weights.std().item() == pytest.approx(0.02, rel=6 / (2 * len(weights)) ** 0.5)
    layers: list[Any] = list(BigGANGenerator((1, 32, 32), 40, 3, width=8).modules())
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            matrix = layer.parametrizations.weight.original.detach().flatten(1)
            short = matrix if len(matrix) <= matrix.shape[1] else matrix.T
            assert_close(short @ short.T, torch.eye(len(short)), atol=1e-5, rtol=0)


# The game.


def test_the_papers_settings() -> None:
    model = small(BigGAN)
    discriminator, generator = (optimizer.param_groups[0] for optimizer in model.configure_optimizers()[0])
    assert (generator["lr"], discriminator["lr"]) == (5e-5, 2e-4)
    assert generator["betas"] == discriminator["betas"] == (0.0, 0.999)
    assert model.n_critic == 2
    assert model.ema is not None
    assert (model.ema.decay, model.ema.start) == (0.9999, 1000)


def test_the_average_is_the_generator_before_it_starts() -> None:
    """Samples of a run of a few steps are the generator's, not those of its random initial weights."""
    model: Any = small(BigGAN)
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight.add_(1)
    model.ema.update(model.generator, 999)
    pairs = [*zip(model.ema.module.parameters(), model.generator.parameters(), strict=True)]
    assert all(torch.equal(*pair) for pair in pairs)


def test_hinge_losses_of_the_right_classes() -> None:
    """The discriminator is asked about each image with its own class."""

    class Judge(nn.Module):
        def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return torch.where(images.flatten(1)[:, 0] == 1, 0.25, 0.5) * labels

    model: Any = small(BigGAN, num_classes=10)
    model.discriminator = Judge()
    latent = torch.cat([torch.randn(2, 4), torch.eye(10)[[2, 0]]], dim=1)
    batch = GameBatch(torch.zeros(2, 1, 16, 16), torch.tensor([1, 4]), latent, torch.ones(2, 1, 16, 16))
    # Real logits 0.5 and 2, fake ones 0.5 and 0
    assert {name: term.item() for name, term in model.discriminator_loss(batch).items()} == {"real": 0.25, "fake": 1.25}
    assert {name: term.item() for name, term in model.generator_loss(batch).items()} == {"adversarial": -0.25}


def test_each_update_has_latents_and_classes_of_its_own() -> None:
    """Classes of fakes that the generator's update took over from the discriminator's would tie the two."""
    model: Any = small(BigGAN)
    assert not model.shares_fakes
    batches = [model.draw_latents(GameBatch(torch.zeros(64, 1, 16, 16), torch.zeros(64).long())) for _ in range(2)]
    for one, other in zip(*(model.parts(batch.latent) for batch in batches), strict=True):
        assert not torch.equal(one, other)
    # Nor are they the real images' classes.
    assert model.parts(batches[0].latent)[1].unique().numel() > 1


def test_classes_of_fakes_are_as_frequent_as_in_the_data() -> None:
    model: Any = small(BigGAN, num_classes=3)
    model.class_counts.copy_(torch.tensor([0, 300, 100]))
    _, labels = model.parts(model.draw_latents(GameBatch(torch.zeros(4000, 1, 16, 16))).latent)
    frequencies = torch.bincount(labels, minlength=3) / 4000
    # Six standard deviations of a frequency
    assert_close(frequencies, torch.tensor([0, 0.75, 0.25]), rtol=0, atol=6 * (0.75 * 0.25 / 4000) ** 0.5)


def test_orthogonal_regularisation_is_a_term_of_the_generator() -> None:
    model: Any = small(BigGAN, orthogonal_weight=0.5)
    batch = batch_of(model)
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight.add_(0.1)
    (term,) = model.generator_penalty(batch).values()
    assert_close(term, 0.5 * orthogonal_penalty(model.generator))
    assert model.discriminator_penalty(batch) == {}
    assert small(BigGAN, orthogonal_weight=0).generator_penalty(batch) == {}
    with pytest.raises(ValueError, match="orthogonal_weight"):
        small(BigGAN, orthogonal_weight=-1)
