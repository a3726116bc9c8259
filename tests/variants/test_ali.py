"""What is special to ALI: pairs, both labels swapped, and an encoder that serves after training."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.callbacks import Reconstructions, TranslationGrid
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ALIDiscriminator, ALIEncoder, ALIGenerator
from gan_lightning.variants import ALI, DCGAN
from gan_lightning.visualization.images import grid, to_uint8
from tests.helpers.games import assert_same_bits, last_state, play, run_directory, small
from tests.helpers.parameters import n_parameters, without_memory


class Sum(nn.Module):
    """The logit of a pair: the image's first pixel times 2 plus the latent's first number."""

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        return 2 * image[:, 0, 0, 0] + latent[:, 0]


def exchange(model: Any, n: int = 6) -> GameBatch:
    torch.manual_seed(0)
    batch = model.draw_latents(model.prepare_batch(torch.rand(n, 1, 16, 16) * 2 - 1))
    return GameBatch(batch.real, None, batch.latent, model.generate_fakes(batch))


def test_losses_by_hand() -> None:
    model: Any = small(ALI)
    model.discriminator = Sum()
    pictures, latents = torch.ones(2, 1, 16, 16), torch.ones(2, 4)
    # The encoder's pairs: 2 * 0.5 + 1 = 2. The generator's: 2 * -1 + 1 = -1.
    batch = GameBatch(
        {"image": 0.5 * pictures, "latent": latents}, fake={"image": -pictures, "latent": latents.clone()}
    )
    sp = {s: math.log1p(math.exp(s)) for s in (-2, -1, 1, 2)}
    assert {name: term.item() for name, term in model.discriminator_loss(batch).items()} == pytest.approx(
        {"real": sp[-2], "fake": sp[-1]}
    )
    assert {name: term.item() for name, term in model.generator_loss(batch).items()} == pytest.approx(
        {"adversarial": sp[1], "encoder": sp[2]}
    )


def test_both_labels_are_swapped_and_each_term_moves_its_own_network() -> None:
    model: Any = small(ALI)
    batch = exchange(model)
    terms = model.generator_loss(batch)
    made, read = batch.fake["image"], batch.fake["latent"]
    (up,) = torch.autograd.grad(terms["adversarial"], made, retain_graph=True)
    judged = model.discriminator(made, batch.real["latent"])
    (higher,) = torch.autograd.grad(judged.sum(), made, retain_graph=True)
    assert float((up * higher).sum()) < 0  # descent makes D take the generator's pairs for the encoder's
    (down,) = torch.autograd.grad(terms["encoder"], read, retain_graph=True)
    (higher,) = torch.autograd.grad(model.discriminator(batch.real["image"], read).sum(), read, retain_graph=True)
    assert float((down * higher).sum()) > 0  # and the other way round: through D's latents, into E
    for term, own, other in [("adversarial", "generator", "encoder"), ("encoder", "encoder", "generator")]:
        for network, moves in ((own, True), (other, False)):
            gradients = torch.autograd.grad(
                terms[term], list(model.generator[network].parameters()), retain_graph=True, allow_unused=True
            )
            assert any(gradient is not None and bool(gradient.any()) for gradient in gradients) is moves


def test_the_encoder_plays_with_the_generator() -> None:
    model: Any = small(ALI)
    (_, generator), _ = model.configure_optimizers()
    moved = {id(weight) for group in generator.param_groups for weight in group["params"]}
    for network in ("generator", "encoder"):
        assert {*map(id, model.generator[network].parameters())} <= moved
    assert (generator.param_groups[0]["lr"], generator.param_groups[0]["betas"]) == (1e-4, (0.5, 0.999))


class Reads(nn.Module):
    """An encoder whose mean is 3 and whose deviation is 1/2."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([3.0] * 4 + [math.log(0.5)] * 4).expand(len(images), -1)


def test_the_encoder_is_stochastic_and_bigans_is_not() -> None:
    model: Any = small(ALI, ema_decay=None)
    model.generator["encoder"] = Reads()
    read = exchange(model, 4000).fake["latent"]
    assert_close(read.mean(0), torch.full((4,), 3.0), atol=0.05, rtol=0)
    assert_close(read.std(0), torch.full((4,), 0.5), atol=0.05, rtol=0)
    assert torch.equal(model.encode(torch.zeros(3, 1, 16, 16)), torch.full((3, 4), 3.0))
    bigan: Any = small(ALI, stochastic=False)
    batch = exchange(bigan)
    assert torch.equal(batch.fake["latent"], bigan.generator["encoder"](batch.real["image"]))


def test_the_prior_is_what_the_generator_is_fed() -> None:
    model: Any = small(ALI)
    batch = exchange(model, 4000)
    assert torch.equal(batch.real["latent"], batch.latent["prior"])
    assert_close(batch.real["latent"].std(0), torch.ones(4), atol=0.05, rtol=0)
    assert abs(torch.corrcoef(torch.stack([batch.latent["prior"][:, 0], batch.latent["noise"][:, 0]]))[0, 1]) < 0.06
    assert torch.equal(batch.fake["image"], model.generator["generator"](batch.latent["prior"]))


def test_images_are_encoded_and_reconstructed_by_the_averages() -> None:
    model: Any = small(ALI)
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight.add_(1)  # no longer its average
    images = torch.randint(0, 256, (5, 1, 16, 16), dtype=torch.uint8)
    encoder, generator = (model.ema.module[name].eval() for name in ("encoder", "generator"))
    mean = encoder(images / 127.5 - 1)[:, :4]
    assert_close(inference.encode(model, images, batch_size=2), mean)
    assert_close(inference.encode(model, images / 127.5 - 1), mean)
    assert_close(inference.reconstruct(model, images), generator(mean))
    assert_close(model.sample(3), generator(model.indexed_latents(0, 3, 0)))
    assert inference.encode(model, images[:0]).shape == (0, 4)
    with pytest.raises(ValueError, match="The data has images of 1 x 8 x 8"):
        inference.encode(model, images[:, :, :8, :8])
    with pytest.raises(ValueError, match="DCGAN has no encoder, so it finds no latents of images: take ALI"):
        inference.encode(small(DCGAN), images)


def test_pictures_and_the_error_of_reconstructions(tmp_path: Path) -> None:
    model: Any = small(ALI)
    trainer = play(model, 3, tmp_path, callbacks=[Reconstructions(2, n=6, scale=1)], val_check_interval=3)
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    images = model.prepare_batch(next(iter(data.val_dataloader()))).examples
    error = float((model.reconstruct(images) - images).abs().mean())
    assert trainer.callback_metrics["val/reconstruction"].item() == pytest.approx(error, rel=1e-5)
    folder = run_directory(tmp_path) / "reconstructions"
    assert sorted(file.name for file in folder.iterdir()) == [f"step_0000000{step}.png" for step in (0, 2, 3)]
    pairs = torch.stack([images[:6], model.reconstruct(images[:6])], dim=1).flatten(0, 1)
    drawn = np.asarray(Image.open(folder / "step_00000003.png")).astype(int)
    assert np.abs(drawn - grid(to_uint8(pairs), 8)[0].numpy()).max() <= 1


def test_drawing_leaves_training_as_it_is(tmp_path: Path) -> None:
    play(small(ALI), 3, tmp_path / "plain")
    play(small(ALI), 3, tmp_path / "drawn", callbacks=[Reconstructions(1)])
    assert_same_bits(last_state(tmp_path / "plain"), last_state(tmp_path / "drawn"))


def test_each_picture_is_of_the_games_that_can(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="DCGAN has no reconstruct"):
        play(small(DCGAN), 1, tmp_path, callbacks=[Reconstructions()])
    with pytest.warns(UserWarning, match="ALI has no picture_columns"):
        play(small(ALI), 1, tmp_path, callbacks=[TranslationGrid()])


def test_the_networks_are_the_papers() -> None:
    """Counted by hand, from the tables of both papers."""
    counts = [n_parameters(network) for network in (ALIGenerator(), ALIEncoder())]
    assert counts == [978_083, 3_118_496]
    with without_memory():
        model: Any = ALI()
    assert n_parameters(model.generator) == 1_909_520 + 1_960_036
    assert n_parameters(model.discriminator) == 1_905_665
    encoder, sides = ALIEncoder(), []
    for layer in encoder.layers:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, made: sides.append(made.shape[2]))
    encoder(torch.zeros(2, 3, 32, 32))
    assert sides == [28, 13, 10, 4, 1, 1, 1]


@pytest.mark.parametrize("side", [20, 28, 64])
def test_the_papers_networks_take_other_sides(side: int) -> None:
    image = ALIGenerator((1, side, side), 5, width=2)(torch.randn(3, 5))
    assert image.shape == (3, 1, side, side)
    assert ALIEncoder((1, side, side), 10, width=2)(image).shape == (3, 10)
    judge = ALIDiscriminator((1, side, side), 5, width=2)
    assert judge(image, torch.randn(3, 5)).shape == (3,)
    dropped = [part.p for part in judge.modules() if isinstance(part, nn.Dropout)]
    assert dropped == [0.2, 0.5, 0.5, 0.5, 0.5, 0.2, 0.5, 0.5, 0.5, 0.5]
    assert not any(isinstance(part, nn.BatchNorm2d) for part in judge.modules())


@pytest.mark.parametrize("network", [ALIGenerator, ALIEncoder, ALIDiscriminator])
def test_sides_that_do_not_fit_are_refused(network: Any) -> None:
    with pytest.raises(ValueError, match=f"{network.__name__} works on images whose sides are multiples of 4 from 20"):
        network((1, 16, 16))
