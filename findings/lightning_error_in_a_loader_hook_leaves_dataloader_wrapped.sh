#!/usr/bin/env bash
# Lightning 2.6.6 with torch 2.14.1: an error in train_dataloader() leaves torch's DataLoader wrapped in the whole process.
#
# While Lightning asks a module for its loaders it wraps the constructors of DataLoader and BatchSampler, and unwraps them
# afterwards, but not where the hook raises: there is no try around it. So after a folder that is missing, the mistake of
# every first afternoon, each DataLoader that is made in the same notebook remembers its arguments as if Lightning had
# asked for it; and one whose batch size was given by position can no longer be remade: trainer.predict(model,
# DataLoader(data, 4)) ends in "The DataLoader implementation has an error ...", which names neither the loader nor the
# cause. The same call works in a fresh process.
# For us: a game's trainer restores the constructors when a run ends in an error (gan_lightning/trainer/setup.py).
#
# Needs: Python 3.11 or newer with pip and venv, 6 GB of disk. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 lightning==2.6.6 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import logging
import warnings

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")
own = DataLoader.__init__


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def training_step(self, batch, index):
        return self.layer(batch).sum()

    def predict_step(self, batch, index):
        return self.layer(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Data(pl.LightningDataModule):
    def train_dataloader(self):
        raise FileNotFoundError("no folder of images")


def trainer():
    return pl.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


def predicted():
    return len(trainer().predict(Model(), DataLoader(torch.zeros(8, 3), 4)))


print("batches predicted at first:", predicted())
assert DataLoader.__init__ is own
try:
    trainer().fit(Model(), Data())
except FileNotFoundError as error:
    print("fit ended, as it should, with:", error)
print("DataLoader.__init__ is torch's own:", DataLoader.__init__ is own)
assert DataLoader.__init__ is not own, "it is restored now"
try:
    predicted()
except Exception as error:
    print(f"the same prediction now ends in {type(error).__name__}:", str(error)[:85], "...")
else:
    raise SystemExit("the prediction works now")
PYTHON
