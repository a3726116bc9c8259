"""What SequenceQuality measures, and of which games."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from datamodules import SyntheticOracleDataModule, TextLinesDataModule
from gan_lightning.callbacks import SequenceQuality
from gan_lightning.metrics.text import bleu, self_bleu
from gan_lightning.variants import DCGAN, GumbelGAN, SeqGAN
from tests.games.test_sequence import NUMBERS
from tests.helpers.games import small


def _fit(game: Any, data: Any, callback: SequenceQuality, folder: Path) -> dict[str, float]:
    trainer = pl.Trainer(
        max_steps=2,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        val_check_interval=2,
        check_val_every_n_epoch=None,
        callbacks=[callback],
    )
    trainer.fit(game, data)
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}


@pytest.fixture
def lines(tmp_path: Path) -> TextLinesDataModule:
    text = "\n".join(f"{a} {b} {c}" for a in "abc" for b in "abc" for c in "abcd")
    (tmp_path / "lines.txt").write_text(text)
    return TextLinesDataModule(str(tmp_path), batch_size=4, max_tokens=4, val_size=6, test_size=0)


def test_samples_of_an_oracles_data_are_judged_by_it(tmp_path: Path) -> None:
    data = SyntheticOracleDataModule(n_tokens=4, max_tokens=3, train_size=40, val_size=10, batch_size=4)
    game = SeqGAN(**NUMBERS, pretrain_steps=2, discriminator_pretrain_steps=0, n_critic=1)
    scores = _fit(game, data, SequenceQuality(num_samples=50), tmp_path)
    assert scores.keys() == {"val/nll", "val/nll_oracle"}
    assert scores["val/nll"] == pytest.approx(game.negative_log_likelihood(data.splits.val.images))  # type: ignore[attr-defined]
    assert scores["val/nll_oracle"] == pytest.approx(data.oracle.negative_log_likelihood(game.sample(50)))


def test_samples_of_texts_are_compared_by_words(lines: TextLinesDataModule, tmp_path: Path) -> None:
    torch.manual_seed(0)
    game = small(GumbelGAN, tokenizer=lines.tokenizer, pretrain_steps=2, discriminator_pretrain_steps=0)
    lines.is_valid = lambda text: text.startswith("a")  # type: ignore[attr-defined]
    scores = _fit(game, lines, SequenceQuality(num_samples=40), tmp_path)
    texts = game.texts_of(game.sample(40))  # type: ignore[operator]
    words = [text.split() for text in texts]
    held_out = [text.split() for text in lines.lines("val")]
    assert scores["val/bleu_3"] == pytest.approx(bleu(words, held_out)[2])
    assert scores["val/self_bleu_2"] == pytest.approx(self_bleu(words)[1])
    training = {*lines.lines("train")}
    assert scores["val/copied_texts"] == pytest.approx(sum(text in training for text in texts) / 40)
    assert scores["val/distinct_texts"] == pytest.approx(len({*texts}) / 40)
    assert scores["val/validity"] == pytest.approx(sum(text.startswith("a") for text in texts) / 40)
    assert 0 <= scores["val/copied_4grams"] <= 1


def test_other_games_and_data_are_refused(lines: TextLinesDataModule, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="DCGAN makes none"):
        _fit(small(DCGAN), lines, SequenceQuality(), tmp_path)
    game = small(GumbelGAN, tokenizer=lines.tokenizer)
    loader = torch.utils.data.DataLoader(torch.zeros(8, 4, dtype=torch.long), batch_size=4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give the trainer a data module"):
        _fit(game, loader, SequenceQuality(), tmp_path)
    with pytest.raises(ValueError, match="num_samples is 1"):
        SequenceQuality(num_samples=1)
