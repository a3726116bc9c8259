"""What is special to CycleGAN: two games in one, cycles, identities and the buffers."""

import pytest
import torch
from torch import Tensor, nn

from datamodules import UnpairedImageDataModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks.layers.image_buffer import ImageBuffer
from gan_lightning.optimizers.schedulers import LinearDecay
from gan_lightning.variants import CycleGAN
from tests.helpers.games import small


class Plus(nn.Module):
    """x + constant, so that cycles and identities can be written down."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.tensor(constant))

    def forward(self, images: Tensor) -> Tensor:
        return images + self.constant


class Mean(Plus):
    """A logit for each image, its mean plus a constant."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).mean(dim=(1, 2, 3))


def by_hand(**arguments: float) -> tuple[CycleGAN, GameBatch]:
    """A is 0 and B is 1; G adds 3 and F subtracts 1; D_A adds 0.5 to the mean, D_B nothing."""
    model = small(CycleGAN, **arguments)
    model.generator = nn.ModuleDict({"AtoB": Plus(3.0), "BtoA": Plus(-1.0)})
    model.discriminator = nn.ModuleDict({"A": Mean(0.5), "B": Mean(0.0)})
    batch = GameBatch({"A": torch.zeros(2, 1, 16, 16), "B": torch.ones(2, 1, 16, 16)})
    return model, GameBatch(batch.real, fake=model.generate_fakes(batch))


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


def test_losses_by_hand() -> None:
    model, batch = by_hand()
    # Fakes: A = 1 - 1 = 0, B = 0 + 3 = 3. Logits: D_A(real) = 0.5, D_A(fake) = 0.5, D_B(real) = 1, D_B(fake) = 3.
    assert values(model.discriminator_loss(batch.detached())) == pytest.approx(
        {"real_A": 0.125, "fake_A": 0.125, "real_B": 0.0, "fake_B": 4.5}
    )
    # F(G(a)) - a = 2 and G(F(b)) - b = 2; F(a) - a = -1 and G(b) - b = 3.
    assert values(model.generator_loss(batch)) == pytest.approx(
        {
            "adversarial_B": 4.0,
            "adversarial_A": 0.25,
            "cycle_A": 20.0,
            "cycle_B": 20.0,
            "identity_A": 5.0,
            "identity_B": 15.0,
        }
    )


def test_identity_can_be_left_out() -> None:
    model, batch = by_hand(identity_weight=0.0)
    assert not any(name.startswith("identity") for name in model.generator_loss(batch))


def test_each_translation_is_learned_from_both_cycles() -> None:
    model, batch = by_hand()
    terms = model.generator_loss(batch)
    for name in ("cycle_A", "cycle_B"):
        for generator in model.generator.values():
            (gradient,) = torch.autograd.grad(terms[name], generator.constant, retain_graph=True)
            assert gradient.item() == pytest.approx(10.0)


def test_the_discriminators_see_older_fakes_of_their_own_domain() -> None:
    model, batch = by_hand(buffer_size=2)
    model.discriminator_loss(batch.detached())  # fills both buffers
    later = GameBatch(batch.real, fake={"A": torch.full((2, 1, 16, 16), 9.0), "B": torch.full((2, 1, 16, 16), 9.0)})
    seen = {"A": set(), "B": set()}
    for _ in range(20):
        for domain, judge in model.discriminator.items():
            judge.register_forward_pre_hook(
                lambda _, images, domain=domain: seen[domain].update(images[0].amax(dim=(1, 2, 3)).tolist())
            )
        model.discriminator_loss(later)
    assert seen == {"A": {0.0, 9.0}, "B": {1.0, 3.0, 9.0}}  # 0 and 1 are the real images


def test_it_translates_both_ways() -> None:
    model, batch = by_hand()
    image = torch.zeros(1, 1, 17, 18)  # no multiple of anything
    assert model.translate(image).mean().item() == pytest.approx(3.0)
    assert model.translate(image, "BtoA").mean().item() == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="CycleGAN has no direction 'AtoC': choose AtoB or BtoA"):
        model.translate(image, "AtoC")
    panels = model.picture_columns(batch)
    assert [round(panel.mean().item(), 4) for panel in panels] == [0.0, 3.0, 2.0, 1.0, 0.0, 3.0]
    assert values(model.validation_metrics(batch)) == pytest.approx({"cycle_A": 2.0, "cycle_B": 2.0})


def test_the_paper_is_the_default() -> None:
    model = CycleGAN()
    assert sum(weight.numel() for weight in model.generator.parameters()) == 2 * 11_378_179
    assert sum(weight.numel() for weight in model.discriminator.parameters()) == 2 * 2_764_737
    assert [buffer.size for buffer in model.buffers_of_fakes.values()] == [50, 50]
    assert not any(isinstance(part, nn.Dropout) for part in model.modules())


def test_data_without_two_domains_is_refused() -> None:
    with pytest.raises(ValueError, match="CycleGAN needs images of two domains, as UnpairedImageDataModule gives them"):
        small(CycleGAN).prepare_batch((torch.zeros(1, 1, 16, 16), torch.zeros(1)))


class TestImageBuffer:
    def test_until_it_is_full_it_returns_what_it_stores(self) -> None:
        buffer = ImageBuffer(3, (1, 2, 2))
        images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 2, 2)
        assert torch.equal(buffer.exchange(images[:2]), images[:2])
        assert torch.equal(buffer.exchange(images[2:]), images[2:])
        assert torch.equal(buffer.images, images)

    def test_then_it_returns_an_older_image_half_of_the_time(self) -> None:
        torch.manual_seed(0)
        n, size = 4000, 50
        buffer = ImageBuffer(size, (1, 1, 1))
        numbers = torch.arange(float(n)).view(n, 1, 1, 1)
        returned = buffer.exchange(numbers)[size:].flatten()
        given = numbers[size:].flatten()
        older = returned < given
        assert abs(older.float().mean().item() - 0.5) < 0.03  # three standard deviations are 0.024
        assert torch.equal(returned[~older], given[~older])
        # Nothing is lost, and nothing is returned twice that was not returned at once.
        left = torch.cat([returned[older], buffer.images.flatten()]).tolist()
        assert sorted(left) == sorted([*range(size), *given[older].tolist()])
        # An image stays for size stores, on average, so for 2 * size images.
        assert abs((given[older] - returned[older]).mean().item() - 2 * size) < 15

    def test_its_state_is_saved(self) -> None:
        buffer, again = ImageBuffer(2, (1, 1, 1)), ImageBuffer(2, (1, 1, 1))
        buffer.exchange(torch.ones(2, 1, 1, 1))
        again.load_state_dict(buffer.state_dict())
        for one in (buffer, again):
            torch.manual_seed(1)
            assert set(one.exchange(torch.full((8, 1, 1, 1), 2.0)).flatten().tolist()) == {1.0, 2.0}
        assert torch.equal(buffer.images, again.images)

    def test_none_is_an_option_and_a_negative_size_is_not(self) -> None:
        image = torch.ones(1, 1, 2, 2)
        assert ImageBuffer(0, (1, 2, 2)).exchange(image) is image
        with pytest.raises(ValueError, match="The size of an image buffer is -1"):
            ImageBuffer(-1, (1, 2, 2))


class TestLinearDecay:
    def test_it_is_constant_and_then_falls_to_nothing(self) -> None:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
        scheduler = LinearDecay(optimizer, constant_steps=2, decay_steps=4)
        rates = []
        for _ in range(8):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert rates == pytest.approx([2.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0])

    def test_impossible_lengths_are_refused(self) -> None:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
        with pytest.raises(ValueError, match="constant_steps is -1 and decay_steps is 0"):
            LinearDecay(optimizer, -1, 0)


def test_domains_have_the_names_of_the_data() -> None:
    model = small(CycleGAN, domain_names=["horses", "zebras"])
    directions = {name: model.of_domain(name)[0] for name in ("zebras", "B", "horses", "A")}
    assert directions == {"zebras": "AtoB", "B": "AtoB", "horses": "BtoA", "A": "BtoA"}
    assert model.column_captions == ("horses", "as zebras", "back", "zebras", "as horses", "back")
    # A name is stronger than a letter.
    assert small(CycleGAN, domain_names=["B", "A"]).of_domain("A") == ("AtoB", {})
    with pytest.raises(ValueError, match=r"domain_names is .*: it must be a list of two different names"):
        small(CycleGAN, domain_names=["zebras", "zebras"])
    assert UnpairedImageDataModule("data", folder_a="horses", folder_b="zebras").domain_names == ("horses", "zebras")
