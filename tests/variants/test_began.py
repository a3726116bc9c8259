"""What is special to BEGAN: the energy per pixel, the balance that follows it, and the paper's networks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import BEGANAutoencoder, BEGANGenerator
from gan_lightning.variants import BEGAN
from tests.helpers.games import metrics_file, play, small


class Half(nn.Module):
    """Reconstructs half of every pixel, so an image of ones has the energy 1/2."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images / 2, images


def game(**arguments: Any) -> Any:
    model = small(BEGAN, **arguments)
    model.discriminator = Half()
    return model


def with_energies(*energies: float) -> Tensor:
    signs = 1.0 - 2 * torch.randint(0, 2, (len(energies), 1, 16, 16), generator=torch.Generator().manual_seed(0))
    return 2.0 * signs * torch.tensor(energies)[:, None, None, None]


def test_the_energy_is_the_mean_over_pixels() -> None:
    assert_close(game().energy(with_energies(0.25, 3)), torch.tensor([0.25, 3.0]))


def test_losses_by_hand() -> None:
    model = game()
    batch = GameBatch(with_energies(1, 3), fake=with_energies(4, 8))
    assert _numbers(model.discriminator_loss(batch)) == pytest.approx({"real": 2, "fake": 0})  # k begins at 0
    model.k.fill_(0.25)
    assert _numbers(model.discriminator_loss(batch)) == pytest.approx({"real": 2, "fake": -1.5})
    assert _numbers(model.generator_loss(batch)) == pytest.approx({"adversarial": 6})


def _numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


def test_the_generators_gradient_passes_through_both_sides_of_the_difference() -> None:
    """d/dx mean |x / 2 - x| = sign(x) / 2 an element; with the target held constant it would point the other way."""
    images = with_energies(1, 2).requires_grad_()
    game().generator_loss(GameBatch(None, fake=images))["adversarial"].backward()
    assert_close(images.grad, images.detach().sign() / 2 / images.numel())


@pytest.mark.filterwarnings("ignore:.*the `self.trainer` reference is not registered")
def test_the_balance_follows_all_batches_of_an_update() -> None:
    model = game(gamma=0.5, balance_rate=0.1, accumulate=2)
    model.k.fill_(0.5)
    for real, fake in [(1.0, 0.0), (3.0, 0.5)]:
        model.discriminator_loss(GameBatch(with_energies(real), fake=with_energies(fake)))
    assert model.k.item() == 0.5
    model.after_discriminator_update()
    assert model.k.item() == pytest.approx(0.5 + 0.1 * (0.5 * 2 - 0.25))
    model.discriminator_loss(GameBatch(with_energies(1), fake=with_energies(4)))
    model.discriminator_loss(GameBatch(with_energies(1), fake=with_energies(4)))
    model.after_discriminator_update()
    assert model.k.item() == pytest.approx(0.575 + 0.1 * (0.5 - 4))


@pytest.mark.filterwarnings("ignore:.*the `self.trainer` reference is not registered")
def test_the_balance_stays_within_its_bounds() -> None:
    model = game(balance_rate=10.0)
    for real, fake, expected in [(1.0, 0.0, 1.0), (1.0, 4.0, 0.0)]:
        model.discriminator_loss(GameBatch(with_energies(real), fake=with_energies(fake)))
        model.after_discriminator_update()
        assert model.k.item() == expected


def test_the_balance_is_kept_and_logged(tmp_path: Path) -> None:
    model = small(BEGAN, balance_rate=0.5)
    path = tmp_path / "model.ckpt"
    play(model, 3, tmp_path).save_checkpoint(path)
    assert 0 < model.k.item() < 1
    state = torch.load(path, weights_only=True)["state_dict"]
    assert torch.equal(state["k"], model.k)
    assert "energies" not in state
    rows = [line.split(",") for line in metrics_file(tmp_path).splitlines()]
    columns = {
        name: [float(row[number]) for row in rows[1:]] for number, name in enumerate(rows[0]) if "train/" in name
    }
    assert columns["train/k"][-1] == pytest.approx(model.k.item(), rel=1e-5)
    # The first step's: k was 0, so the discriminator's loss was L(x); and G's energy is that of the same fakes, but
    # for D's one update.
    real, fake = columns["train/discriminator/real"][0], columns["train/k"][0]
    assert columns["train/convergence"][0] == pytest.approx(real + fake / 0.5, rel=1e-4)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"balance_rate is -1\.0: it must be at least 0"):
        small(BEGAN, balance_rate=-1.0)
    with pytest.raises(ValueError, match="gamma is -1"):
        small(BEGAN, gamma=-1.0)
    with pytest.raises(ValueError, match="BEGANAutoencoder works on images from 8 x 8 up whose"):
        BEGANAutoencoder((1, 25, 25))
    with pytest.raises(ValueError, match="BEGANGenerator works on images from 8 x 8 up whose"):
        BEGANGenerator((1, 25, 25))


@pytest.mark.parametrize("side", [8, 32, 128])
def test_the_networks_go_through_eight_by_eight(side: int) -> None:
    image = torch.randn(2, 3, side, side)
    autoencoder = BEGANAutoencoder((3, side, side), width=2, code_dim=5)
    reconstruction, code = autoencoder(image)
    assert reconstruction.shape == image.shape
    assert code.shape == (2, 5)
    n_halvings = {8: 0, 32: 2, 128: 4}[side]
    assert autoencoder.encoder[-1].in_features == 2 * (n_halvings + 1) * 8 * 8  # n more channels at each halving
    assert BEGANGenerator((3, side, side), latent_dim=7, width=2)(torch.randn(2, 7)).shape == image.shape


def test_the_papers_settings() -> None:
    model = BEGAN()
    assert (model.latent_dim, model.gamma, model.balance_rate, model.k.item()) == (64, 0.5, 1e-3, 0)
    for optimizer in model.configure_optimizers()[0]:
        assert optimizer.param_groups[0]["lr"] == 1e-4
