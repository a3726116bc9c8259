"""The networks of StackGAN, StackGAN++ and AttnGAN: counts of the authors' codes, and what each part does.

Their forward passes are compared with functional torch in ``tests/inference/test_published_stackgan.py``.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision.models import Inception3

from gan_lightning.networks import (
    AttnGANGenerator,
    RegionEncoder,
    StackGANGenerator,
    StackGANPlusPlusGenerator,
    TextDiscriminator,
)
from gan_lightning.networks.damsm import InceptionRegionEncoder
from gan_lightning.networks.layers.attention import WordAttention
from gan_lightning.networks.layers.conditioning import ConditioningAugmentation
from tests.helpers.parameters import n_parameters, without_memory


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def attngan(n_stages: int, **options: int) -> AttnGANGenerator:
    side = 64 * 2 ** (n_stages - 1)
    return AttnGANGenerator((3, side, side), n_stages=n_stages, **options)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        # Of the authors' PyTorch codes, in the configurations they published
        (lambda: StackGANGenerator().stage1, 20_020_832),
        (lambda: StackGANGenerator(), 57_151_312),
        (lambda: TextDiscriminator(width=96, has_image_head=False), 12_407_425),
        (lambda: TextDiscriminator((3, 256, 256), width=96), 159_889_538),
        (lambda: StackGANPlusPlusGenerator(), 21_239_696),
        (lambda: TextDiscriminator((3, 64, 64)), 5_723_906),
        (lambda: TextDiscriminator((3, 128, 128)), 18_834_178),
        (lambda: TextDiscriminator((3, 256, 256)), 71_269_122),
        (lambda: attngan(1), 6_548_592),
        (lambda: attngan(2), 6_816_592),
        (lambda: attngan(3), 7_084_592),
        (lambda: attngan(3, width=48, n_blocks=3), 13_811_456),
        (lambda: TextDiscriminator((3, 64, 64), condition_dim=256), 6_313_730),
        (lambda: TextDiscriminator((3, 128, 128), condition_dim=256), 19_424_002),
        (lambda: TextDiscriminator((3, 256, 256), condition_dim=256), 71_858_946),
    ],
)
def test_parameter_counts_are_the_authors(make: Callable[[], nn.Module], count: int) -> None:
    with without_memory():
        assert n_parameters(make()) == count


def text(n: int, embed_dim: int = 6, length: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Sentence, words and mask of texts of 1, 2, 3, ... words."""
    mask = torch.arange(length) < 1 + torch.arange(n)[:, None] % length
    return torch.randn(n, embed_dim), torch.randn(n, embed_dim, length), mask


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 96)])
def test_trees_make_an_image_of_each_size(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    sizes = {height // 2: (5, channels, height // 2, width // 2), height: (5, *shape)}
    tree = StackGANPlusPlusGenerator(shape, 3, 6, condition_dim=4, width=4, n_stages=2, n_blocks=1)
    latent = torch.randn(5, sum(tree.lengths))
    sentence, words, mask = text(5)
    assert {side: tuple(made.shape) for side, made in tree.images(latent, sentence).items()} == sizes
    attentive = AttnGANGenerator(shape, 3, 6, condition_dim=4, width=4, n_stages=2, n_blocks=1)
    images, attention = attentive.images_and_attention(latent, sentence, words, mask)
    assert {side: tuple(made.shape) for side, made in images.items()} == sizes
    assert {side: tuple(seen.shape) for side, seen in attention.items()} == {height: (5, 4, height // 2, width // 2)}
    for network, inputs in ((tree.eval(), (latent, sentence)), (attentive.eval(), (latent, sentence, words, mask))):
        made = network(*inputs)
        assert made.shape == (5, *shape)
        assert made.abs().max() <= 1
        # Every input matters to its own image, and to no other.
        for place, given in enumerate(inputs[:3]):
            other = [*inputs]
            other[place] = torch.cat([given[:4], -given[4:]])
            again = network(*other)
            assert_close(again[:4], made[:4])
            assert (again[4] - made[4]).abs().max() > 1e-4


@pytest.mark.parametrize("scale", [2, 4])
def test_stages_of_stackgan(scale: int) -> None:
    generator = StackGANGenerator((1, 32, 32), 3, 6, condition_dim=4, width=4, n_blocks=1, scale=scale)
    latent, embedding = torch.randn(5, sum(generator.lengths)), torch.randn(5, 6)
    assert generator.of_stage(latent, embedding).shape == (5, 1, 32, 32)
    # Stage 1 is made as for samples, and takes no gradient.
    assert not generator.stage1.training
    assert generator.stage2.training
    generator(latent, embedding).sum().backward()
    assert all(weight.grad is None for weight in generator.stage1.parameters())
    assert all(weight.grad is not None for weight in generator.stage2.parameters())
    generator.stage = 1
    generator.zero_grad()
    assert generator.stage1.training
    small = generator.of_stage(latent, embedding)
    assert small.shape == (5, 1, 32 // scale, 32 // scale)
    whole = generator.eval()(latent, embedding)
    assert_close(F.avg_pool2d(whole, scale), generator.of_stage(latent, embedding))
    small.sum().backward()
    assert all(weight.grad is None for weight in generator.stage2.parameters())
    copy = StackGANGenerator((1, 32, 32), 3, 6, condition_dim=4, width=4, n_blocks=1, scale=scale)
    copy.load_state_dict(generator.state_dict())
    assert copy.stage == 1
    assert copy.stage1.training
    generator.stage = 2
    copy.load_state_dict(generator.state_dict())
    assert not copy.stage1.training


@pytest.mark.parametrize("side", [8, 16, 64, 128])
def test_discriminator_judges_images_alone_and_with_texts(side: int) -> None:
    network = TextDiscriminator((1, side, side), condition_dim=6, width=2).eval()
    images, conditions = torch.randn(3, 1, side, side), torch.randn(3, 6)
    alone, right, wrong = network(images, conditions, conditions.roll(1, 0))
    assert alone is not None
    assert alone.shape == right.shape == wrong.shape == (3,)
    # One pass or two
    assert_close(network(images, conditions.roll(1, 0)), (alone, wrong))
    assert not torch.allclose(right, wrong)
    assert TextDiscriminator((1, side, side), 6, width=2, has_image_head=False)(images, conditions)[0] is None


def test_conditioning_augmentation_samples_the_distribution() -> None:
    layer = ConditioningAugmentation(3, 2, "leaky_relu")
    embedding = torch.randn(1, 3)
    mean, log_variance = layer.moments(embedding)
    conditions = layer(embedding.expand(20_000, -1), torch.randn(20_000, 2)).detach()
    # Six standard errors of a mean, and of a variance
    deviation = (0.5 * log_variance[0]).exp()
    assert (conditions.mean(0) - mean[0]).abs().lt(6 * deviation / 20_000**0.5).all()
    assert (conditions.var(0) / deviation.square() - 1).abs().max() < 6 * (2 / 20_000) ** 0.5
    assert (ConditioningAugmentation(3, 2, "relu").moments(embedding)[1] >= 0).all()


def test_attention_against_loops() -> None:
    layer = WordAttention(2, 6).double()
    features = torch.randn(3, 2, 2, 5).double()
    _, words, mask = text(3)
    words = words.double()
    seen, attention = layer(features, words, mask)
    for n in range(3):
        known = [layer.words.weight[:, :, 0] @ words[n, :, i] for i in range(4) if mask[n, i]]
        for y in range(2):
            for x in range(5):
                powers = [float((features[n, :, y, x] @ word).exp()) for word in known]
                weights = [power / sum(powers) for power in powers]
                expected = sum(weight * word for weight, word in zip(weights, known, strict=True))
                assert_close(seen[n, :, y, x], expected)
                padded = [*weights, *[0.0] * (4 - len(weights))]
                assert_close(attention[n, :, y, x], torch.tensor(padded).double())


def test_the_mask_lies_on_the_texts_own_image() -> None:
    """The published code tiles the mask for rows that it has repeated: images get each other's masks.

    A batch and its images one by one must agree; under the tiled mask they do not.
    """
    layer = WordAttention(2, 6)
    features = torch.randn(3, 2, 4, 4)
    _, words, mask = text(3)
    seen, attention = layer(features, words, mask)
    for n in range(3):
        alone, looks = layer(features[n : n + 1], words[n : n + 1, :, : n + 1], mask[n : n + 1, : n + 1])
        assert_close(seen[n], alone[0])
        assert_close(attention[n, : n + 1], looks[0])
        assert (attention[n, n + 1 :] == 0).all()
    # Their order: rows are (image, place), and the mask's copies (place, image).
    scores = (features.flatten(2).mT @ layer.words(words)).flatten(0, 1)
    tiled = scores.masked_fill(~mask.repeat(16, 1), -torch.inf).softmax(1).unflatten(0, (3, 16))
    assert (tiled[0, :, 1:] > 0).any(), "the first text has one word, and padding takes part under the tiled mask"


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 32, 48), (3, 64, 64)])
def test_region_encoder(shape: tuple[int, int, int]) -> None:
    network = RegionEncoder(shape, embed_dim=6, width=2)
    images = torch.rand(3, *shape, requires_grad=True)
    regions, codes = network(images)
    assert regions.shape == (3, 6, 8, 8 * shape[2] // shape[1])
    assert codes.shape == (3, 6)
    (regions.sum() + codes.square().sum()).backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0


def test_inception_region_encoder_has_the_papers_maps() -> None:
    with torch.device("meta"):
        network = InceptionRegionEncoder((3, 64, 64), embed_dim=5, weights="later").train()
        regions, codes = network(torch.empty(2, 3, 64, 64))
    assert (regions.shape, codes.shape) == ((2, 5, 17, 17), (2, 5))
    learning = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert learning == {"of_regions.weight", "of_image.weight", "of_image.bias"}
    assert not any(part.training for part in network.inception.modules())
    # Without the classifier and the auxiliary one, torchvision's count
    assert n_parameters(network.inception) == 27_161_264 - 3_326_696 - (2048 * 1000 + 1000)


def test_inception_region_encoder_is_torchvisions(tmp_path: Path) -> None:
    reference = Inception3(aux_logits=False, init_weights=False).eval()
    torch.save(reference.state_dict(), tmp_path / "inception.pth")
    network = InceptionRegionEncoder((3, 32, 32), embed_dim=5, weights=tmp_path / "inception.pth")
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    maps: list[Tensor] = []
    for part in (reference.Mixed_6e, reference.avgpool):
        part.register_forward_hook(lambda part, given, made: maps.append(made))
    with torch.no_grad():
        reference(F.interpolate(images, size=(299, 299), mode="bilinear"))
        regions, codes = network(images)
        assert_close(regions, network.of_regions(maps[0]))
        assert_close(codes, network.of_image(maps[1].flatten(1)))


class TestMistakes:
    def test_stages_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"n_stages is 3: .* multiples of 4 from 32 up, not 16 x 16: take fewer"):
            StackGANPlusPlusGenerator((3, 16, 16))

    @pytest.mark.parametrize("scale", [1, 3, 8])
    def test_scale(self, scale: int) -> None:
        with pytest.raises(ValueError, match=rf"scale is {scale}, and it must be 2, 4, 8, .* they are 16 x 16"):
            StackGANGenerator((3, 16, 16), scale=scale)

    def test_weights_of_inception(self, tmp_path: Path) -> None:
        torch.save({"conv.weight": torch.ones(1)}, tmp_path / "other.pth")
        with pytest.raises(ValueError, match="does not hold torchvision's inception_v3: it has no Conv2d_1a_3x3"):
            InceptionRegionEncoder(weights=tmp_path / "other.pth")
        with pytest.raises(ValueError, match="takes images of 3 channels, and these have 1"):
            InceptionRegionEncoder((1, 64, 64), weights="later")
