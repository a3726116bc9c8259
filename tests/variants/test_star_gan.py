"""What is special to StarGAN: the weights and reductions of its terms, and attributes that are wished for."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.commands.run_summary import RunRecord
from gan_lightning.commands.training_cli import TrainingCLI
from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import StarGAN
from tests.helpers.games import small
from tests.helpers.parameters import n_parameters, without_memory

CONFIG = Path(__file__).parents[2] / "configs" / "star_gan_celeba.yaml"
FACES = ["Black_Hair", "Blond_Hair", "Male"]


class Paints(nn.Module):
    """A generator that adds a hundredth for Black_Hair, two for Blond_Hair and four for Male."""

    def forward(self, images: Tensor, attributes: Tensor) -> Tensor:
        worth = 0.01 * 2 ** torch.arange(attributes.shape[1])
        return images + (attributes * worth).sum(dim=1)[:, None, None, None]


class Sees(nn.Module):
    """A discriminator that scores two patches of, and sees attributes in, each image by a function of its mean."""

    def __init__(self, scores: Callable[[float], list[float]], logits: Callable[[float], list[float]]) -> None:
        super().__init__()
        self.scores, self.logits = scores, logits

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        assert images.shape[1:] == (1, 16, 16)
        means = [round(image.mean().item(), 3) for image in images]
        scores, logits = (torch.tensor([answer(mean) for mean in means]) for answer in (self.scores, self.logits))
        return scores.view(len(images), 1, 1, 2), logits


def plain(*means: float, side: int = 16) -> Tensor:
    """An image of one grey for each mean."""
    return torch.tensor(means)[:, None, None, None].expand(-1, 1, side, side).clone()


def faces(**arguments: Any) -> StarGAN:
    model: Any = small(StarGAN, attributes=FACES, **arguments)
    model.generator = Paints()
    return model


def by_hand() -> tuple[StarGAN, GameBatch]:
    """Two faces of greys 0.1 and 0.2; G paints 0.04 (a man without hair) and 0.01 (a black-haired woman) on them."""
    model = faces()
    answers = {
        0.1: ([1.0, 2.0], [2.0, -1.0, 0.0]),
        0.2: ([3.0, 6.0], [1.0, 1.0, -3.0]),
        0.14: ([-1.0, 0.0], [0.5, 0.0, 4.0]),
        0.21: ([2.0, 1.0], [-2.0, 1.0, 7.0]),
    }
    model.discriminator = Sees(lambda mean: answers[mean][0], lambda mean: answers[mean][1])
    labels = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    batch = GameBatch(plain(0.1, 0.2), labels, labels.flip(0))
    return model, GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))


def softplus(logit: float) -> float:
    return math.log(1 + math.exp(logit))


def test_discriminator_terms_by_hand() -> None:
    """The class term is the sum over attributes and the mean over the batch, on real images only."""
    model, batch = by_hand()
    sums = [softplus(-2) + softplus(-1) + softplus(0), softplus(1) + softplus(1) + softplus(3)]
    terms = {name: term.item() for name, term in model.discriminator_loss(batch.detached()).items()}
    assert terms == pytest.approx({"real": -3.0, "fake": 0.5, "class": sum(sums) / 2})


def test_generator_terms_by_hand() -> None:
    """The class term asks for what was wanted, and the way back is to what was there."""
    model, batch = by_hand()
    sums = [softplus(0.5) + softplus(0) + softplus(-4), softplus(2) + softplus(1) + softplus(7)]
    terms = {name: term.item() for name, term in model.generator_loss(batch).items()}
    # There and back adds 0.04 + 0.01 to the first face, and 0.01 + 0.04 to the second.
    assert terms == pytest.approx({"adversarial": -0.5, "class": sum(sums) / 2, "reconstruction": 10 * 0.05}, rel=1e-4)


def test_the_way_back_is_to_the_images_own_attributes() -> None:
    model, batch = by_hand()
    wanted = torch.tensor([[0.0, 1, 1], [0, 1, 1]])  # 0.06 each
    batch = GameBatch(batch.real, batch.condition, wanted, batch.fake)
    assert model.generator_loss(batch)["reconstruction"].item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("n", [1, 3])
def test_the_penalty_is_on_the_sum_of_patches(n: int) -> None:
    """Scores of patches that are each a pixel times 1/2: the sum's gradient has the norm 1/2 sqrt(16 x 16) = 8."""
    model = faces()

    class Line(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images / 2, images.flatten(1)[:, :3]

    model.discriminator = Line()
    batch = GameBatch(torch.randn(n, 1, 16, 16), fake=torch.randn(n, 1, 16, 16))
    assert model.discriminator_penalty(batch)["gradient_penalty"].item() == pytest.approx(10 * 7**2, rel=1e-4)


def test_wanted_attributes_are_a_permutation_of_the_batchs() -> None:
    model = faces()
    labels = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [0, 1, 1], [1, 0, 1]])
    orders = set()
    for seed in range(5):
        torch.manual_seed(seed)
        batch = model.draw_latents(GameBatch(torch.randn(6, 1, 16, 16), labels))
        assert torch.equal(batch.condition, labels)
        assert sorted(batch.latent.tolist()) == sorted(labels.tolist())
        orders.add(str(batch.latent.tolist()))
    assert len(orders) > 1


def test_the_generator_is_fed_what_is_wanted() -> None:
    model, batch = by_hand()
    assert model.generate_fakes(batch).mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.14, 0.21])


def test_an_attribute_is_there_once() -> None:
    with pytest.raises(ValueError, match="attributes has a name twice: Male, Young, Male"):
        StarGAN(attributes=["Male", "Young", "Male"])


def test_the_paper_is_the_default() -> None:
    with without_memory():
        model = StarGAN(attributes=["Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young"])
    assert n_parameters(model.generator) == 8_430_528
    assert n_parameters(model.discriminator) == 44_762_048
    assert (model.n_critic, model.class_weight, model.reconstruction_weight, model.penalty_weight) == (5, 1, 10, 10)
    assert model.ema is None
    for optimizer in model.configure_optimizers()[0]:
        assert optimizer.param_groups[0]["lr"] == 1e-4
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)


def test_classes_are_told_apart_by_a_softmax() -> None:
    model: Any = small(StarGAN, attributes=None, num_classes=4)
    logits = {0.1: [1.0, 2.0, 3.0, 4.0], 0.2: [0.0, 0.0, 0.0, 0.0]}
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: logits[mean])
    batch = model.prepare_batch((plain(0.1, 0.2), torch.tensor([3, 1])))
    assert batch.condition.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]
    of_first = math.log(sum(math.exp(logit) for logit in (1, 2, 3, 4))) - 4
    terms = model.discriminator_loss(GameBatch(batch.real, batch.condition, None, batch.real))
    assert terms["class"].item() == pytest.approx((of_first + math.log(4)) / 2)


def test_a_class_is_asked_for_by_its_number() -> None:
    model: Any = small(StarGAN, attributes=None, num_classes=3)
    model.generator = Paints()
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: [1.0, 2.0, -1.0])
    images = plain(0.1)
    for wishes, painted in [({}, 0.02), ({"0": True}, 0.01), ({"2": True}, 0.04)]:
        assert model.translate(images, attributes=wishes).mean().item() == pytest.approx(0.1 + painted)
    with pytest.raises(ValueError, match="trained on classes: ask for the one"):
        model.translate(images, attributes={"2": False})
    with pytest.raises(ValueError, match="1 and 2 exclude each other"):
        model.translate(images, attributes={"1": True, "2": True})


@pytest.mark.parametrize(
    ("wishes", "painted"),
    [
        (None, [0.05, 0.02]),  # as seen: a black-haired man, a blond woman
        ({"Male": True}, [0.05, 0.06]),
        ({"Male": False}, [0.01, 0.02]),
        ({"Blond_Hair": True}, [0.06, 0.02]),  # no longer black
        ({"Black_Hair": True, "Male": True}, [0.05, 0.05]),
        ({"Blond_Hair": False}, [0.05, 0.00]),
    ],
)
@pytest.mark.parametrize("side", [16, 40])
def test_what_is_not_wished_for_is_what_the_discriminator_sees(
    wishes: dict[str, bool] | None, painted: list[float], side: int
) -> None:
    """Images of any size, though the discriminator looks at those of 16 x 16 only."""
    model = faces()
    seen = {0.1: [3.0, -1.0, 0.5], 0.2: [-2.0, 4.0, -0.1]}
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: seen[mean])
    answer = model.translate(plain(0.1, 0.2, side=side), attributes=wishes)
    assert answer.shape == (2, 1, side, side)
    expected = [0.1 + painted[0], 0.2 + painted[1]]
    assert answer.mean(dim=(1, 2, 3)).tolist() == pytest.approx(expected, abs=1e-5)


def test_wishes_that_cannot_be_granted() -> None:
    with pytest.raises(ValueError, match="no attribute 'Bald': it knows Black_Hair, Blond_Hair, Male"):
        faces().translate(plain(0.1), attributes={"Bald": True})
    with pytest.raises(ValueError, match="Black_Hair and Blond_Hair exclude each other"):
        faces().translate(plain(0.1), attributes={"Black_Hair": True, "Blond_Hair": True})
    own = faces(exclusive=[["Black_Hair", "Male"]])
    own.check_translation(None, {"Black_Hair": True, "Blond_Hair": True})
    with pytest.raises(ValueError, match="Black_Hair and Male exclude each other"):
        own.check_translation(None, {"Black_Hair": True, "Male": True})


def test_panels_flip_one_attribute_after_the_other() -> None:
    model, batch = by_hand()
    panels = [panel.mean(dim=(1, 2, 3)).tolist() for panel in model.picture_columns(batch)]
    # A black-haired woman and a man without hair: made black, made blond, and of the other sex.
    expected = [[0.1, 0.2], [0.11, 0.25], [0.12, 0.26], [0.15, 0.2]]
    for panel, greys in zip(panels, expected, strict=True):
        assert panel == pytest.approx(greys)
    wide = model.predict_step((batch.real, batch.condition), 0)
    assert wide.shape == (2, 1, 16, 64)
    assert wide[1, 0, 0, ::16].tolist() == pytest.approx([0.2, 0.25, 0.26, 0.2])


def test_validation_by_hand() -> None:
    model, batch = by_hand()
    # Seen in each of the panels: black in both; blond in one; a man in the first, as asked, and in the second.
    seen = {0.11: [1.0, 0, 0], 0.25: [1.0, 0, 0], 0.12: [0, 1.0, 0], 0.26: [0, -1.0, 0], 0.15: [0, 0, 1.0]}
    seen[0.2] = [0, 0, 1.0]
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: seen[mean])
    terms = {name: term.item() for name, term in model.validation_metrics(batch).items()}
    accuracies = {"accuracy_Black_Hair": 1.0, "accuracy_Blond_Hair": 0.5, "accuracy_Male": 0.5}
    assert terms == pytest.approx({"reconstruction": 0.05, **accuracies}, rel=1e-4)


def test_validation_goes_to_the_neighbours_attributes_and_back() -> None:
    model, batch = by_hand()
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: [0.0, 0.0, 0.0])
    fed = []
    model.generator.register_forward_pre_hook(lambda generator, given: fed.append(given[1]))
    model.validation_metrics(batch)
    assert fed[0].tolist() == batch.condition.flip(0).tolist()
    assert fed[1].tolist() == batch.condition.tolist()


def test_the_data_tell_the_names() -> None:
    asked = ["--data.attributes=[Male, Bald]", "--data.image_size=16", "--trainer.accelerator=cpu"]
    shrunk = [f"--model.{player}.width=2" for player in ("generator", "discriminator")]
    cli = TrainingCLI("fit", ["--config", str(CONFIG), *asked, *shrunk, "--trainer.fast_dev_run=1"], RunRecord())
    assert cli.model.attributes == ("Male", "Bald")
    assert not cli.model.has_classes


def test_data_without_the_labels_are_refused() -> None:
    for attributes in (None, []):
        with pytest.raises(ValueError, match="needs data with labels"):
            StarGAN(attributes=attributes)
    images = torch.zeros(2, 1, 16, 16)
    for labels, got in [(None, "none"), (torch.tensor([0, 1]), r"\(2,\) of torch.int64")]:
        with pytest.raises(ValueError, match=f"made for 3 attributes of every image, and the data's labels are {got}"):
            faces().prepare_batch((images, labels))
    classes = small(StarGAN, attributes=None, num_classes=4)
    with pytest.raises(ValueError, match="made for the class of every image, an integer, and"):
        classes.prepare_batch((images, torch.zeros(2, 4)))


def test_a_strength_between_the_own_attributes_and_those_asked_for() -> None:
    """0.01 for Black_Hair, 0.02 for Blond_Hair: half-way from black to blond 0.015, and twice as far 0.03."""
    model = faces()
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: [3.0, -1.0, -2.0])
    blond = {"Blond_Hair": True}
    for strength, painted in [(0.0, 0.01), (0.5, 0.015), (1.0, 0.02), (2.0, 0.03), (None, 0.02)]:
        made = model.translate(plain(0.1), attributes=blond, strength=strength)
        assert made.mean().item() == pytest.approx(0.1 + painted, abs=1e-6)


@pytest.mark.parametrize("side", [16, 11])
def test_the_way_back_of_a_translation_is_to_what_the_discriminator_sees(side: int) -> None:
    model = faces()
    model.discriminator = Sees(lambda mean: [0.0, 0.0], lambda mean: [3.0, -1.0, 2.0] if mean == 0.1 else [-1.0] * 3)
    back = model.translate_back(plain(0.2, 0.3, side=side), plain(0.1, 0.4, side=side))
    assert back.shape == (2, 1, side, side)
    assert back.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.2 + 0.05, 0.3])


def test_domains_by_name_and_number() -> None:
    assert faces().of_domain("Male") == (None, {"Male": True})
    with pytest.raises(ValueError, match="StarGAN has no domain '2': choose Black_Hair, Blond_Hair, Male"):
        faces().of_domain("2")
    classes = small(StarGAN, attributes=None, num_classes=3, class_names=["cat", "2", "dog"])
    # Names before numbers.
    assert [classes.of_domain(name)[1] for name in ("dog", "2", "0")] == [{"dog": True}, {"2": True}, {"cat": True}]
    assert dict(classes.every_edit) == {"cat": {"cat": True}, "2": {"2": True}, "dog": {"dog": True}}


def test_every_edit_clears_what_nothing_else_excludes() -> None:
    names = {name: next(iter(edit.values())) for name, edit in faces().every_edit.items()}
    assert names == {"Black_Hair": True, "Blond_Hair": True, "Male": True, "Male=0": False}
