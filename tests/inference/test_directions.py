"""Directions of latents: a planted one is found by each method, and strength 0 changes no bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.inference.edit import Direction, edit_kept, read_direction, sample_edited, write_direction
from gan_lightning.inference.edit.directions import check_generator, digest_of_generator
from gan_lightning.inference.edit.finding import (
    affine_map,
    first_features,
    ganspace,
    hyperplane,
    labels_by,
    mean_difference,
    orthogonalised,
    sefa,
    taken,
)
from gan_lightning.inference.edit.kept_latents import KeptLatents
from gan_lightning.inference.edit.spaces import space_of
from gan_lightning.inference.edit.unlabelled import unlabelled_directions
from gan_lightning.networks.layers.equalized import EqualizedLinear
from gan_lightning.variants import ACGAN, DCGAN, LAPGAN, BigGAN, CycleGAN, StyleGAN, StyleGAN2
from tests.helpers.games import small, vivid

PLANTED = normalize(torch.tensor([3.0, -1, 2, 0, 1, 0.5]), dim=0)


class Planted(nn.Module):
    """``x = W z``: the direction ``PLANTED`` moves pixels four times as much as any other of its length."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.linear = EqualizedLinear(latent_dim, 64, bias=1.0)
        axes = torch.linalg.qr(torch.cat([PLANTED[:, None], torch.eye(6)[:, :5]], dim=1)).Q
        left = torch.linalg.qr(torch.randn(64, 6, generator=torch.Generator().manual_seed(0))).Q
        self.linear.weight.data = (left * torch.tensor([4.0, 1, 1, 1, 1, 1])) @ axes.t()

    def forward(self, latent: Tensor) -> Tensor:
        return self.linear(latent).view(-1, 1, 8, 8)


@pytest.fixture
def planted() -> Any:
    return DCGAN((1, 8, 8), 6, generator=Planted)


def cosine(vector: Tensor) -> float:
    return float(cosine_similarity(vector, PLANTED, dim=0))


def direction_of(model: Any, space: Any, vector: Tensor, name: str = "one") -> Direction:
    return Direction(name, space, vector, "standard deviations", "a test", digest_of_generator(model))


class TestPlanted:
    """Latents are standard normal, N x 6, and those with it lie on one side of the plane across ``PLANTED``."""

    def test_means(self, planted: Any) -> None:
        latents = planted.indexed_latents(0, 4000, 0)
        found = mean_difference(latents, latents @ PLANTED > 0)
        # Twice the mean of a half normal, sqrt(8 / pi); deviations of each number are 2 / sqrt(4000) = 0.03.
        assert float(found @ PLANTED) == pytest.approx((8 / torch.pi) ** 0.5, abs=0.15)
        assert cosine(found) > 0.99

    def test_hyperplane(self, planted: Any) -> None:
        latents = planted.indexed_latents(0, 1000, 0)
        found, accuracy = hyperplane(latents, latents @ PLANTED > 0.8)
        assert cosine(found) > 0.99
        assert accuracy > 0.95
        assert float(found.norm()) == pytest.approx(float((latents @ normalize(found, dim=0)).std()), rel=1e-5)
        # By chance: labels that have nothing to do with the latents.
        _, accuracy = hyperplane(latents, torch.arange(1000) % 2 == 0)
        assert abs(accuracy - 0.5) < 0.15  # 300 are held out: a deviation is 0.03

    def test_sefa(self, planted: Any) -> None:
        weight = affine_map(space_of(planted, None))
        linear = planted.image_generator.linear
        assert_close(weight, linear.weight.detach() / 6**0.5)
        found = sefa(weight, 6)
        values, vectors = np.linalg.eigh(weight.double().numpy().T @ weight.double().numpy())
        assert values[-1] == pytest.approx(16 / 6)
        assert abs(found[0].numpy() @ vectors[:, -1]) > 1 - 1e-6
        assert_close(found @ found.t(), torch.eye(6), rtol=0, atol=1e-5)
        assert abs(cosine(found[0])) > 0.9999

    def test_ganspace(self, planted: Any) -> None:
        latents = planted.indexed_latents(0, 2000, 0)
        found = ganspace(latents, 3, first_features(space_of(planted, None), latents))
        assert abs(cosine(found[0])) > 0.99
        assert float(found[0].norm()) == pytest.approx(1, abs=0.1)  # a deviation of z
        styles = latents * torch.tensor([1.0, 1, 1, 5, 1, 1])
        assert_close(ganspace(styles, 1)[0], 5 * torch.eye(6)[3], rtol=0, atol=0.5)

    def test_orthogonalised(self) -> None:
        vector, others = torch.tensor([3.0, 4, 12]), [torch.tensor([2.0, 0, 0]), torch.tensor([1.0, 1, 0])]
        assert_close(orthogonalised(vector, others), torch.tensor([0.0, 0, 13]))
        with pytest.raises(ValueError, match="Nothing is left"):
            orthogonalised(torch.tensor([3.0, 4, 0]), others)


class TestFirstLayer:
    def test_of_styles_it_is_that_of_the_chosen_layers(self) -> None:
        model: Any = small(StyleGAN2)
        network = model.image_generator
        # Style 1 is that of layer 1 and of the first image; scale is the equalised rate's factor.
        affine = [network.to_images[0].affine, network.layers[1].conv.affine]
        wanted = torch.cat([each.weight.detach() * each.scale for each in affine])
        found = affine_map(space_of(model, "w"), (1, 2))
        assert_close(found.t() @ found, wanted.t() @ wanted)
        assert len(affine_map(space_of(model, "w"))) > len(found)

    @pytest.mark.parametrize("variant", [DCGAN, ACGAN, BigGAN, StyleGAN])
    def test_it_is_a_function_of_the_latent(self, variant: Any) -> None:
        model: Any = small(variant)
        space = space_of(model, "z")
        d = space.shape()[0]
        weight = affine_map(space)
        assert weight.shape[1] == d
        assert weight.abs().sum() > 0

    def test_of_parts_that_go_into_several_layers_it_is_of_the_first_alone(self) -> None:
        """LAPGAN's coarsest level takes 4 numbers, later ones 8 x 8 and 16 x 16: more than a batch of units."""
        model: Any = small(LAPGAN)
        space = space_of(model, "z")
        weight = affine_map(space)
        first = next(part for part in model.image_generator.levels["4"].modules() if isinstance(part, nn.Linear))
        assert_close(weight[:, :4], first.weight.detach())
        assert taken(weight).tolist() == [True] * 4 + [False] * (8 * 8 + 16 * 16)
        found = unlabelled_directions(space, "sefa", 4, torch.empty(0))
        assert all(torch.equal(each.vector[4:], torch.zeros(8 * 8 + 16 * 16)) for each in found)
        with pytest.raises(ValueError, match="1 to 4 directions"):
            unlabelled_directions(space, "sefa", 5, torch.empty(0))

    def test_of_dcgan_it_is_the_kernel(self) -> None:
        model: Any = small(DCGAN)
        kernel = next(part for part in model.image_generator.modules() if isinstance(part, nn.ConvTranspose2d)).weight
        assert_close(affine_map(space_of(model, None)), kernel.detach().flatten(1).t())

    def test_there_is_none(self) -> None:
        class Product(nn.Module):
            def __init__(self, image_shape: Any, latent_dim: int) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.ones(latent_dim, 64))

            def forward(self, latent: Tensor) -> Tensor:
                return (latent @ self.weight).view(-1, 1, 8, 8)

        with pytest.raises(ValueError, match="no linear or convolutional layer"):
            affine_map(space_of(DCGAN((1, 8, 8), 4, generator=Product), None))


class TestLabels:
    def test_scores_of_all_forms(self) -> None:
        images = torch.tensor([-1.0, 2, 3]).view(3, 1, 1, 1)
        wanted = torch.tensor([False, True, True])
        for classifier in (
            lambda x: x.flatten(),
            lambda x: x.flatten(1),
            lambda x: torch.cat([-x.flatten(1), x.flatten(1)], dim=1),
        ):
            assert torch.equal(labels_by(classifier, images), wanted)
        with pytest.raises(ValueError, match="say by its number"):
            labels_by(lambda x: torch.zeros(3, 4), images)
        with pytest.raises(ValueError, match="must return a score of each"):
            labels_by(lambda x: torch.zeros(()), images)

    def test_one_class_is_not_enough(self) -> None:
        with pytest.raises(ValueError, match="0 images have it and 5 do not"):
            mean_difference(torch.zeros(5, 2), torch.zeros(5, dtype=torch.bool))


class TestEdits:
    @pytest.mark.parametrize(
        ("variant", "space"), [(DCGAN, "z"), (ACGAN, "z"), (StyleGAN2, "z"), (StyleGAN2, "w"), (StyleGAN2, "w+")]
    )
    def test_strength_0_changes_no_bit(self, variant: Any, space: Any) -> None:
        model: Any = vivid(variant)
        direction = direction_of(model, space, torch.ones(space_of(model, space).shape()))
        truncation = 0.7 if space == "w" or variant is not StyleGAN2 else None
        [wanted] = inference.generate(model, 3, seed=5, truncation=truncation)
        still = sample_edited(model, 3, [(direction, 0.0)], seed=5, truncation=truncation)
        assert torch.equal(still, wanted)
        assert not torch.equal(sample_edited(model, 3, [(direction, 0.5)], seed=5, truncation=truncation), wanted)

    def test_strengths_are_added_in_linear_generators(self, planted: Any) -> None:
        kept = KeptLatents("z", torch.randn(2, 6))
        edits = [(direction_of(planted, "z", PLANTED), 2.0), (direction_of(planted, "z", torch.eye(6)[0]), -1.0)]
        assert_close(edit_kept(planted, kept, edits).latents, kept.latents + 2 * PLANTED - torch.eye(6)[0])
        images = sample_edited(planted, 2, edits, seed=1)
        by_hand = planted.image_generator(planted.indexed_latents(0, 2, 1) + 2 * PLANTED - torch.eye(6)[0])
        assert_close(images, by_hand.detach())

    def test_a_direction_of_layers_makes_w_plus(self) -> None:
        model: Any = small(StyleGAN2)
        layers = torch.zeros(space_of(model, "w+").shape())
        layers[2] = 1
        kept = KeptLatents("w", torch.zeros(1, 1, layers.shape[1]))
        edited = edit_kept(model, kept, [(direction_of(model, "w+", layers), 3.0)])
        assert edited.space == "w+"
        assert_close(edited.latents[0], 3 * layers)

    def test_what_does_not_fit_is_named(self, planted: Any) -> None:
        model: Any = small(StyleGAN2)
        d = space_of(model, "w").shape()[1]
        style, latent = (direction_of(model, "w", torch.ones(1, d)), direction_of(planted, "z", PLANTED, "other"))
        for edits, message in (
            ([], "no direction"),
            ([(style, 1.0), (latent, 1.0)], "take one space"),
            ([(latent, 1.0)], "The direction other is 6, and this StyleGAN2 takes"),
        ):
            with pytest.raises(ValueError, match=message):
                sample_edited(model, 1, edits)
        with pytest.raises(ValueError, match="has other weights"):
            check_generator(model, [direction_of(planted, "w", torch.ones(1, d))])
        with pytest.raises(ValueError, match="encode the images with --space w"):
            edit_kept(model, KeptLatents("z", torch.zeros(1, 4)), [(style, 1.0)])
        with pytest.raises(ValueError, match="makes no images of latents"):
            sample_edited(small(CycleGAN), 1, [(latent, 1.0)])


class TestFiles:
    def test_a_direction_comes_back(self, tmp_path: Path, planted: Any) -> None:
        direction = direction_of(planted, "z", PLANTED)
        path = write_direction(tmp_path, direction)
        again = read_direction(path)
        assert path.name == "one.npz"
        assert torch.equal(again.vector, PLANTED)
        assert [getattr(again, name) for name in ("name", "space", "unit", "source", "generator")] == [
            getattr(direction, name) for name in ("name", "space", "unit", "source", "generator")
        ]

    def test_other_files_are_refused(self, tmp_path: Path, planted: Any) -> None:
        with pytest.raises(ValueError, match="cannot be called"):
            write_direction(tmp_path, direction_of(planted, "z", PLANTED, "../one"))
        with pytest.raises(FileNotFoundError, match="`gan-lightning directions` wrote"):
            read_direction(tmp_path / "none.npz")
        path = write_direction(tmp_path, direction_of(planted, "z", PLANTED.where(PLANTED < 0, torch.nan)))
        with pytest.raises(ValueError, match="not finite"):
            read_direction(path)
        np.savez(path, vector=np.zeros(3, np.float32), space="v")
        with pytest.raises(ValueError, match="its space is 'v'"):
            read_direction(path)
        np.savez(path, vector=np.array([{}], object))
        with pytest.raises(ValueError, match="has no direction"):
            read_direction(path)
