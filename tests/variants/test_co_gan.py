"""What is special to CoGAN: what the two networks of a player share, and that they share it for good."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.callbacks import TrainingHealth
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import CoupledDiscriminator, CoupledGenerator
from gan_lightning.variants import CoGAN
from tests.helpers.games import example_batch, play, run_directory, small
from tests.helpers.parameters import n_parameters


class Says(nn.Module):
    """Logits that are written down: of real images, whose first pixel is 0, and of fakes."""

    def forward(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        fake = bool(images["A"].any())
        return {"A": torch.tensor([1.0, 3.0]) - 4 * fake, "B": torch.tensor([0.0, -2.0]) + 1 * fake}


def test_losses_by_hand() -> None:
    model = small(CoGAN)
    model.discriminator = Says()
    real, fake = (dict.fromkeys("AB", value) for value in (torch.zeros(2, 1, 16, 16), torch.ones(2, 1, 16, 16)))
    batch = GameBatch(real, fake=fake)
    # sp(-1), sp(-3) = 0.313262, 0.048587; sp(0), sp(2) = 0.693147, 2.126928; fakes: A -3, -1 and B 1, -1.
    assert {name: term.item() for name, term in model.discriminator_loss(batch).items()} == pytest.approx(
        {"real_A": 0.1809245, "fake_A": 0.1809245, "real_B": 1.4100376, "fake_B": 0.8132617}, rel=1e-5
    )
    # sp(3), sp(1) = 3.048587, 1.313262; sp(-1), sp(1) = 0.313262, 1.313262.
    assert {name: term.item() for name, term in model.generator_loss(batch).items()} == pytest.approx(
        {"adversarial_A": 2.1809245, "adversarial_B": 0.8132617}, rel=1e-5
    )


def assert_shared(model: Any) -> None:
    """The early layers of both generators are the same objects, and the late ones of both discriminators."""
    for generator in (model.generator, model.averaged_generator):
        a, b = generator.of("A"), generator.of("B")
        assert a[0] is b[0]
        assert a[1] is not b[1]
        assert all(one is other for one, other in zip(a[0].parameters(), b[0].parameters(), strict=True))
    seen: list[nn.Module] = []
    late = [layer for layer in model.discriminator.shared if not isinstance(layer, nn.Flatten)]
    hooks = [layer.register_forward_hook(lambda layer, *_: seen.append(layer)) for layer in late]
    model.discriminator({domain: torch.zeros(2, 1, 16, 16) for domain in "AB"})
    for hook in hooks:
        hook.remove()
    assert [id(layer) for layer in seen] == [id(layer) for layer in late] * 2
    assert not {*map(id, model.discriminator.heads["A"].parameters())} & {
        *map(id, model.discriminator.heads["B"].parameters())
    }


def pairs(model: Any) -> list[Tensor]:
    return [model.sample(4, domain=domain) for domain in "AB"]


def test_the_layers_are_shared_after_training_and_after_a_reload(tmp_path: Path) -> None:
    model: Any = small(CoGAN)
    assert_shared(model)
    play(model, 3, tmp_path)
    assert_shared(model)
    loaded = CoGAN.load_from_checkpoint(run_directory(tmp_path) / "checkpoints" / "last.ckpt", map_location="cpu")
    assert_shared(loaded)
    for mine, theirs in zip(pairs(model), pairs(loaded), strict=True):
        assert torch.equal(mine, theirs)
    # And a shared weight, moved once, moves both domains.
    before = pairs(loaded)
    with torch.no_grad():
        loaded.averaged_generator.shared[1].weight.mul_(-3)
    assert all(not torch.equal(old, new) for old, new in zip(before, pairs(loaded), strict=True))


def test_the_optimisers_move_a_shared_weight_once(tmp_path: Path) -> None:
    model: Any = small(CoGAN)
    trainer = play(model, 1, tmp_path)
    for player, optimizer in zip((model.discriminator, model.generator), trainer.optimizers, strict=True):
        moved = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
        assert len(moved) == len(set(moved))
        assert set(moved) == {*map(id, player.parameters())}
        assert all(state["step"] == 1 for state in optimizer.state.values())
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 5e-4)


def test_a_shared_layer_learns_from_both_domains_and_a_head_from_its_own() -> None:
    model: Any = small(CoGAN)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 4)))
    batch = GameBatch(batch.real, None, batch.latent, model.generate_fakes(batch))
    for player, terms, name in [
        (model.generator, model.generator_loss(batch), "adversarial"),
        (model.discriminator, model.discriminator_loss(batch.detached()), "real"),
    ]:
        for domain, other in ("AB", "BA"):
            weights = [next(part.parameters()) for part in (player.shared, player.heads[domain], player.heads[other])]
            gradients = torch.autograd.grad(
                terms[f"{name}_{domain}"], weights, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            assert [bool(gradient.any()) for gradient in gradients] == [True, True, False]


def test_both_domains_are_made_of_the_same_latent() -> None:
    model: Any = small(CoGAN)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 5)))
    assert batch.latent.shape == (5, 4)
    model.generator.eval()
    for domain, images in model.generate_fakes(batch).items():
        assert_close(images, model.generator.of(domain)(batch.latent))


def test_samples_of_a_domain_and_pairs_side_by_side() -> None:
    model: Any = small(CoGAN)
    a, b = pairs(model)
    assert torch.equal(model.sample(4), a)
    assert not torch.equal(a, b)
    assert torch.equal(model.sample(2, start=2, domain="B"), model.sample(4, domain="B")[2:])
    table, columns = model.sample_table(8)
    assert columns == 2
    assert_close(table[0::2], a)
    assert_close(table[1::2], b)
    assert model.sample_table(64)[1] == 8
    assert len(model.sample_table(1)[0]) == 2
    with pytest.raises(ValueError, match="CoGAN has no domain 'C': choose A or B"):
        model.sample(1, domain="C")


def test_its_health_is_told_by_domain(tmp_path: Path) -> None:
    play(small(CoGAN), 1, tmp_path, callbacks=[TrainingHealth(diversity_every_n_steps=1, n_samples=8)])
    header = (run_directory(tmp_path) / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/discriminator/accuracy_real_A", "train/discriminator/accuracy_fake_B"} <= {*header}
    assert "train/generator/diversity" in header


def test_data_that_does_not_fit_is_refused() -> None:
    model = small(CoGAN)
    with pytest.raises(ValueError, match="CoGAN needs images of two domains, as MNISTEdgesDataModule gives them"):
        model.prepare_batch((torch.zeros(1, 1, 16, 16), torch.zeros(1)))
    with pytest.raises(ValueError, match="The data has images of 1 x 28 x 28, but the model was made for 1 x 16 x 16"):
        model.prepare_batch({"A": torch.zeros(1, 1, 16, 16), "B": torch.zeros(1, 1, 28, 28)})


def test_the_networks_are_the_authors() -> None:
    """Counted by hand from the layers of their code: 1024, 512, 256, 128 channels; 20, 50, 500."""
    model = CoGAN()
    assert n_parameters(model.generator) == 7_842_694
    assert n_parameters(model.discriminator) == 427_092
    sides = []
    for layer in model.generator.shared:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda _, __, made: sides.append(made.shape[2]))
    assert model.generator(torch.zeros(2, 100))["B"].shape == (2, 1, 28, 28)
    assert sides == [4, 7, 13, 25]


@pytest.mark.parametrize(("height", "width"), [(8, 9), (15, 16), (32, 64), (30, 21)])
def test_the_generator_makes_images_of_any_sides(height: int, width: int) -> None:
    images = CoupledGenerator((3, height, width), latent_dim=5, width=2)(torch.randn(2, 5))
    assert {domain: tuple(made.shape) for domain, made in images.items()} == dict.fromkeys("AB", (2, 3, height, width))
    if height > 15:
        assert CoupledDiscriminator((3, height, width), width=2)(images)["A"].shape == (2,)


def test_images_too_small_to_judge_are_refused() -> None:
    with pytest.raises(ValueError, match="CoupledDiscriminator works on images whose sides are 16 at least, not 15 x"):
        CoupledDiscriminator((1, 15, 16))
