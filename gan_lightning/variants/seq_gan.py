"""SeqGAN: the discriminator's judgement as the reward of a generator that chooses tokens."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.drawing import roll_outs
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.sequence import SequenceGame
from gan_lightning.losses import Terms, minimax_discriminator
from gan_lightning.losses.reported import report
from gan_lightning.networks import LSTMGenerator, TextCNN
from gan_lightning.optimizers import SeqGANAdam, SeqGANDiscriminatorAdam


class SeqGAN(
    SequenceGame,
    generator=LSTMGenerator,
    discriminator=TextCNN,
    generator_optimizer=SeqGANAdam,
    discriminator_optimizer=SeqGANDiscriminatorAdam,
    n_critic=5,
    gradient_clip_norm=5.0,
):
    """Yu, Zhang, Wang, Yu, *SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient*, AAAI 2017,
    arXiv 1609.05473, equations 4 to 8.

    ``L_G = -sum_t log G(y_t | y_1..t-1) Q_t``, a sum over the batch as well, where ``Q_t`` is the mean of D over
    ``n_rollouts`` completions of ``y_1..t``, and ``Q_T = D(y)``: no baseline and no discount. ``L_D = 1/2 [-log D(x) -
    log(1 - D(y))] + output_penalty_weight (|w|^2 + |b|^2) / 2`` of D's last layer. D judges in evaluation mode where it
    gives rewards.

    Completions are the roll-out policy's: ``rollout_lag`` of it stays in each step, and the rest comes from the
    generator; vectors of tokens are the generator's at once, as in the authors' code. They make 15 epochs of D's
    updates for one of the generator, about 2,350 of this batch size; ``n_critic`` is less by default. They clip the
    generator's gradient alone; here the norm of either is at most 5.

    Args:
        pretrain_steps: Steps of maximum likelihood before the game; the authors' 120 epochs of 10,000 sequences.
        discriminator_pretrain_steps: The last of these, in which the discriminator learns too.
        n_rollouts: Completions of each beginning.
        rollout_lag: From 0 (the generator's weights) to 1, excluded.
        output_penalty_weight: Weight of the penalty on the discriminator's last layer.
    """

    training_parts = ("discriminator", "augmentation", "regularizers", "rollout_policy")

    def __init__(
        self,
        pretrain_steps: int = 18_750,
        discriminator_pretrain_steps: int = 500,
        n_rollouts: int = 16,
        rollout_lag: float = 0.8,
        output_penalty_weight: float = 0.2,
        **game: Any,
    ) -> None:
        if not 0 <= rollout_lag < 1:
            raise ValueError(f"rollout_lag is {rollout_lag}: it must be at least 0 and less than 1.")
        super().__init__(
            pretrain_steps=pretrain_steps, discriminator_pretrain_steps=discriminator_pretrain_steps, **game
        )
        if output_penalty_weight and not isinstance(getattr(self.discriminator, "output", None), nn.Linear):
            raise ValueError(
                "output_penalty_weight is of the discriminator's linear layer `output`, which "
                f"{type(self.discriminator).__name__} does not have: set it to 0."
            )
        self.n_rollouts = n_rollouts
        self.rollout_lag = rollout_lag
        self.output_penalty_weight = output_penalty_weight
        self.rollout_policy = copy.deepcopy(self.generator).requires_grad_(False)

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        if not self.pretrains:
            # The generator has moved in the step before.
            self._follow(0.0 if self.game_step == self.pretrain_steps else self.rollout_lag)
        return super().training_step(batches, batch_idx)

    @torch.no_grad()
    def _follow(self, lag: float) -> None:
        """Move the roll-out policy towards the generator, all but ``lag`` of the way."""
        for mine, theirs in zip(self.rollout_policy.modules(), self.generator.modules(), strict=True):
            share = 1.0 if isinstance(theirs, nn.Embedding) else 1 - lag
            for own, other in zip(mine.parameters(recurse=False), theirs.parameters(recurse=False), strict=True):
                own.lerp_(other, share)

    def adversarial_discriminator_loss(self, batch: GameBatch) -> Terms:
        losses = minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))
        terms = {name: term / 2 for name, term in losses.items()}
        if self.output_penalty_weight:
            layer: Any = self.discriminator.output
            squares = sum(weight.square().sum() for weight in layer.parameters())
            terms["output_penalty"] = self.output_penalty_weight * squares / 2
        return terms

    def adversarial_generator_loss(self, batch: GameBatch) -> Terms:
        rewards = self.rewards(batch.fake)
        counted = self.counted(batch.fake)
        report("generator/reward", rewards[:, -1].mean())
        # A sum, for which the learning rate and the clipped norm are made.
        return {"policy": (self.surprise(self.generator, batch.fake) * rewards * counted).sum()}

    def rewards(self, tokens: Tensor) -> Tensor:
        """``Q_t`` of N sequences, N x T: what the choice of each token has led to, from 0 to 1.

        Args:
            tokens: N x T.
        """
        with evaluating(self.discriminator), evaluating(self.rollout_policy):
            size, length = tokens.shape
            sums = torch.zeros(length - 1, size, device=tokens.device)
            for completed in roll_outs(self.rollout_policy, tokens, self.n_rollouts, self.end):
                judged = self.discriminator(completed.flatten(0, 2)).sigmoid()
                sums += judged.view(completed.shape[:3]).sum(1)
            last = self.discriminator(tokens).sigmoid()
        return torch.cat([sums / self.n_rollouts, last[None]]).T
