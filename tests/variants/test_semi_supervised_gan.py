"""What is special to the semi-supervised GAN: K logits for K + 1 classes, few labels, and how the accuracy is told."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from datamodules import DigitsDataModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import NoisyClassifier, SoftplusGenerator
from gan_lightning.variants import SemiSupervisedGAN
from tests.helpers.games import play, small


class Says(nn.Module):
    """Logits by the images' first pixel, which is their number."""

    def __init__(self, *logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits, dtype=torch.float64)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits[images[:, 0, 0, 0].long()]


def numbered(*numbers: int) -> Tensor:
    return torch.tensor(numbers)[:, None, None, None].float()


def test_the_losses_are_a_cross_entropy_of_k_plus_one_classes() -> None:
    """The discriminator's terms are those of a softmax over the K logits and a 0 for "generated"."""
    model: Any = small(SemiSupervisedGAN)
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [-4.0, 0.2, 0.1], [2.0, 2.0, -6.0]]).double()
    model.discriminator = Says(*logits.tolist())
    batch = GameBatch(numbered(1, 2), (numbered(0, 1), torch.tensor([2, 1])), fake=numbered(3))
    terms = model.discriminator_loss(batch)
    log_p = torch.cat([logits, torch.zeros(4, 1)], dim=1).log_softmax(dim=1)
    real = (log_p.exp()[:, :3].sum(dim=1)).log()
    assert terms.keys() == {"class", "real", "fake"}
    # Among the real classes: p(y | x, y < K + 1).
    assert_close(terms["class"], -((log_p[0, 2] - real[0]) + (log_p[1, 1] - real[1])) / 2)
    assert_close(terms["real"], -(real[1] + real[2]) / 2 / 2)
    assert_close(terms["fake"], -log_p[3, 3] / 2)


def test_an_undecided_discriminator_of_ten_classes() -> None:
    model: Any = small(SemiSupervisedGAN)
    model.discriminator = Says([0.0] * 10)
    batch = GameBatch(numbered(0), (numbered(0), torch.tensor([7])), fake=numbered(0))
    terms = model.discriminator_loss(batch)
    assert terms["class"].item() == pytest.approx(math.log(10))
    assert terms["real"].item() == pytest.approx(-math.log(10 / 11) / 2)
    assert terms["fake"].item() == pytest.approx(-math.log(1 / 11) / 2)


def test_few_labels_beside_the_images_and_all_labels_where_all_are_told() -> None:
    model: Any = small(SemiSupervisedGAN, side=8)
    told = next(iter(DigitsDataModule(batch_size=30, n_labels=10).train_dataloader()))
    batch = model.prepare_batch(told)
    labelled, labels = batch.condition
    assert_close(batch.real, told["images"] / 127.5 - 1)
    assert_close(labelled, told["labelled"] / 127.5 - 1)
    assert torch.equal(labels, told["labels"])
    batch = model.prepare_batch((told["images"], torch.arange(30) % 10))
    assert batch.condition[0] is batch.real
    assert torch.equal(batch.condition[1], torch.arange(30) % 10)
    with pytest.raises(ValueError, match="needs the classes of some images: take data with labels"):
        model.prepare_batch(told["images"])


def test_the_average_of_the_discriminator_names_the_classes(tmp_path: Path) -> None:
    model: Any = small(SemiSupervisedGAN, side=8)
    module = DigitsDataModule(batch_size=30, n_labels=10)
    trainer = play(model, 3, tmp_path, side=8)
    images = model.scaled(next(iter(module.test_dataloader()))[0])
    average = model.discriminator_ema.module
    assert not torch.equal(average.layers[2].bias, model.discriminator.layers[2].bias)
    assert torch.equal(model.classify(images), average.eval()(images).argmax(dim=1))
    assert torch.equal(model.classify(images), model.classify(images))  # without noise
    (tested,) = trainer.test(model, DigitsDataModule(batch_size=30), verbose=False)
    everything = [(model.prepare_batch(raw).real, raw[1]) for raw in module.test_dataloader()]
    right = sum((model.classify(images) == labels).sum().item() for images, labels in everything)
    assert tested["test/accuracy"] == pytest.approx(right / 100)
    (validated,) = trainer.validate(model, DigitsDataModule(batch_size=30), verbose=False)
    assert "val/accuracy" in validated


def test_the_average_follows_its_formula_and_can_be_left_out() -> None:
    model: Any = small(SemiSupervisedGAN, discriminator_ema_decay=0.05)
    before = model.discriminator_ema.module.layers[2].bias.clone()
    with torch.no_grad():
        model.discriminator.layers[2].bias.add_(1)
    model.after_discriminator_update()
    assert_close(model.discriminator_ema.module.layers[2].bias, 0.05 * before + 0.95 * (before + 1))
    plain: Any = small(SemiSupervisedGAN, discriminator_ema_decay=None)
    plain.after_discriminator_update()
    images = torch.randn(5, 1, 16, 16)
    assert torch.equal(plain.classify(images), plain.discriminator.eval()(images).argmax(dim=1))


@pytest.mark.slow
def test_it_learns_from_a_hundred_labels() -> None:
    pl.seed_everything(0, verbose=False)
    model: Any = small(SemiSupervisedGAN, side=8, discriminator=NoisyClassifier)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_steps=100, enable_model_summary=False, **quiet)
    trainer.fit(model, DigitsDataModule(batch_size=100, n_labels=100))
    (tested,) = trainer.test(model, DigitsDataModule(), verbose=False)
    assert tested["test/accuracy"] > 0.7


def test_without_weight_the_labels_alone_teach() -> None:
    model: Any = small(SemiSupervisedGAN, unsupervised_weight=0.0)
    model.discriminator = Says([0.0, 0.0], [0.0, 1.0])
    batch = GameBatch(numbered(0), (numbered(1), torch.tensor([1])), fake=numbered(0))
    assert model.discriminator_loss(batch).keys() == {"class"}
    model.unsupervised_weight = 3.0
    terms = model.discriminator_loss(batch)
    assert terms["fake"].item() == pytest.approx(-3 * math.log(1 / 3) / 2)
    assert terms["class"].item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_the_networks_are_the_papers() -> None:
    generator, discriminator = SoftplusGenerator(), NoisyClassifier()
    shapes = [tuple(part.weight.shape) for part in discriminator.modules() if isinstance(part, nn.Linear)]
    assert shapes == [(1000, 784), (500, 1000), (250, 500), (250, 250), (250, 250), (10, 250)]
    noises = [part.deviation for part in discriminator.layers if hasattr(part, "deviation")]
    assert noises == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]
    shapes = [tuple(part.weight.shape) for part in generator.modules() if isinstance(part, nn.Linear)]
    assert shapes == [(500, 100), (500, 500), (784, 500)]
    assert discriminator.layers[1].deviation == 0.3
    assert isinstance(discriminator.layers[-1], nn.Linear)


def test_noise_in_training_only_and_of_its_size() -> None:
    discriminator = NoisyClassifier((1, 8, 8), width=4)
    noise = discriminator.layers[1]
    added = noise(torch.zeros(20000))
    assert added.std().item() == pytest.approx(0.3, rel=0.05)
    discriminator.eval()
    assert not noise(torch.zeros(5)).any()
    black = discriminator.layers[2](torch.zeros(1, 64))
    seen: list[Tensor] = []
    discriminator.layers[3].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    discriminator(torch.full((1, 1, 8, 8), -1.0))  # black is 0 to the layers
    assert_close(seen[0], black)


def test_weights_are_normalised_and_only_the_last_grow() -> None:
    """So the noise of the hidden layers stays as large as it is beside what they say: the authors' ``train_scale``."""
    *hidden, last = (layer for layer in NoisyClassifier((1, 8, 8), width=4).layers if isinstance(layer, nn.Linear))
    assert len(hidden) == 5
    for layer in hidden:
        before = layer.weight.detach()
        with torch.no_grad():
            layer.parametrizations.weight.original[0] *= -7
        assert_close(layer.weight[0], -before[0])
        assert_close(layer.weight[1:], before[1:])
        assert sum(weight.numel() for weight in layer.parameters()) == layer.out_features * (layer.in_features + 1)
    length, direction = last.parametrizations.weight.original0, last.parametrizations.weight.original1
    assert_close(last.weight, length * F.normalize(direction, dim=1))


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="num_classes is None: SemiSupervisedGAN learns classes"):
        small(SemiSupervisedGAN, num_classes=None)
