"""What is special to StackGAN and StackGAN++: two stages in turn, losses of every size, conditions that are drawn."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.games.batch import GameBatch
from gan_lightning.variants import StackGAN, StackGANPlusPlus
from tests.helpers.games import assert_same_bits, example_batch, play, run_directory, small, vivid


def ready(model: Any, n: int = 6) -> GameBatch:
    """A batch of texts and noise, with fakes that have a gradient."""
    batch = model.draw_latents(model.prepare_batch(example_batch(model, n)))
    return GameBatch(batch.real, batch.condition, batch.latent, model.generate_fakes(batch))


def cost(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def kl(model: Any, sentence: Tensor) -> Tensor:
    mean, log_variance = model.generator.conditioning.moments(sentence)
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).mean()


def total(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def alone(parts: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in parts.state_dict().values()]


class TestStackGAN:
    @pytest.mark.parametrize("stage", [1, 2])
    def test_losses_by_hand(self, stage: int) -> None:
        model: Any = small(StackGAN, stage1_steps=0 if stage == 2 else 5)
        # Running statistics: several passes through one discriminator do not meet.
        model.eval()
        batch = ready(model)
        judge = model.discriminator[str(stage)]
        right, wrong = (
            model.generator.conditioning.moments(text.sentence)[0]
            for text in (batch.condition.text, batch.condition.wrong)
        )
        real, real_pair = judge(batch.real, right)
        fake, fake_pair = judge(batch.fake, right)
        wrong_pair = judge(batch.real, wrong)[1]
        if stage == 1:
            assert real is None
            expected = cost(real_pair, 1) + (cost(wrong_pair, 0) + cost(fake_pair, 0)) / 2
            convincing = cost(fake_pair, 1)
        else:
            of_real, of_fake = cost(real, 1) + cost(real_pair, 1), cost(fake, 0) + cost(fake_pair, 0)
            expected = of_real / 2 + (of_fake + cost(wrong_pair, 0)) / 3
            convincing = cost(fake, 1) + cost(fake_pair, 1)
        assert_close(total(model.discriminator_loss(batch)), expected)
        divergence = 2 * kl(model, batch.condition.text.sentence)
        assert_close(total(model.generator_loss(batch)), convincing + divergence)

    def test_the_stages_are_trained_in_turn(self, tmp_path: Path) -> None:
        model: Any = small(StackGAN, stage1_steps=2)
        first = alone(model.generator.stage1), alone(model.generator.stage2)
        play(model, 2, tmp_path / "one", batch_size=20)
        assert model.stage == 1
        assert any(not torch.equal(*pair) for pair in zip(alone(model.generator.stage1), first[0], strict=True))
        assert_same_bits(alone(model.generator.stage2), first[1])
        torch.manual_seed(0)
        again: Any = small(StackGAN, stage1_steps=2)
        play(again, 5, tmp_path / "two", batch_size=20)
        assert again.stage == again.averaged_generator.stage == 2
        # Held still, statistics of its norms too
        assert_same_bits(alone(again.generator.stage1), alone(model.generator.stage1))
        assert any(not torch.equal(*pair) for pair in zip(alone(again.generator.stage2), first[1], strict=True))

    def test_stage_2_alone_begins_with_a_trained_stage_1(self, tmp_path: Path) -> None:
        trainer = play(small(StackGAN, stage1_steps=9), 2, tmp_path / "one", batch_size=20)
        path = run_directory(tmp_path / "one") / "checkpoints" / "last.ckpt"
        trained: Any = trainer.model
        model: Any = small(StackGAN, stage1_steps=0)
        inference.init_from(model, {"generator": path})
        given = alone(trained.averaged_generator.stage1)
        play(model, 2, tmp_path / "two", batch_size=20)
        assert model.stage == 2
        assert_same_bits(alone(model.generator.stage1), given)
        with pytest.warns(UserWarning, match="stage1_steps is 0, and stage 1 has its random first weights"):
            play(small(StackGAN, stage1_steps=0), 1, tmp_path / "three", batch_size=20)

    def test_samples_of_stage_1_are_enlarged(self) -> None:
        model: Any = vivid(StackGAN)
        samples = model.sample(3)
        assert samples.shape == (3, 1, 16, 16)
        assert_close(samples, F.interpolate(F.avg_pool2d(samples, 2), scale_factor=2.0))
        model._set_stage(2)
        samples = model.sample(3)
        assert (samples - F.interpolate(F.avg_pool2d(samples, 2), scale_factor=2.0)).abs().max() > 1e-3


class TestStackGANPlusPlus:
    def test_losses_by_hand(self) -> None:
        model: Any = small(StackGANPlusPlus, color_weight=0.0).eval()
        batch = ready(model)
        sentence = batch.condition.text.sentence
        right, wrong = (
            model.generator.conditioning.moments(text.sentence)[0]
            for text in (batch.condition.text, batch.condition.wrong)
        )
        expected, convincing = torch.zeros(()), 2 * kl(model, sentence)
        assert [*batch.real] == [*batch.fake] == [8, 16]
        assert_close(batch.real[8], F.avg_pool2d(batch.real[16], 2))
        for side in (8, 16):
            judge = model.discriminator[str(side)]
            for images, condition, pair_target, target in (
                (batch.real[side], right, 1, 1),
                (batch.real[side], wrong, 0, 1),  # the wrong pair's image is real
                (batch.fake[side], right, 0, 0),
            ):
                image, pair = judge(images, condition)
                expected = expected + cost(image, target) + cost(pair, pair_target)
            image, pair = judge(batch.fake[side], right)
            convincing = convincing + cost(image, 1) + cost(pair, 1)
        assert_close(total(model.discriminator_loss(batch)), expected)
        assert_close(total(model.generator_loss(batch)), convincing)

    def test_color_consistency_moves_the_finer_image(self) -> None:
        model: Any = small(StackGANPlusPlus, color_weight=3.0)
        batch = ready(model)
        for image in batch.fake.values():
            image.retain_grad()
        terms = model.generator_loss(batch)
        assert [name for name in terms if name.startswith("color")] == ["color_16"]
        terms["color_16"].backward(retain_graph=True)
        assert batch.fake[16].grad.abs().max() > 0
        assert batch.fake[8].grad is None

    def test_the_condition_learns_through_the_discriminator(self) -> None:
        # As in the authors' code: their discriminators take its mean with a gradient.
        model: Any = small(StackGANPlusPlus)
        batch = ready(model)
        fakes = {side: image.detach() for side, image in batch.fake.items()}
        terms = model.generator_loss(GameBatch(batch.real, batch.condition, batch.latent, fakes))
        terms["pair_16"].backward()
        assert model.generator.conditioning.linear.weight.grad.abs().max() > 0


@pytest.mark.parametrize("variant", [StackGAN, StackGANPlusPlus])
def test_a_sample_is_a_function_of_its_number_and_text(variant: Any) -> None:
    model: Any = vivid(variant)
    several = model.sample(4, seed=3, texts=["a big nine", "a small one"])
    assert_close(model.sample(2, seed=3, start=2, texts=["a big nine", "a small one"]), several[2:])
    # The noise of the condition is part of the latent: the same text, and other images.
    assert (several[0] - several[2]).abs().max() > 1e-3
