#!/usr/bin/env bash
# torch-fidelity 0.4.0: FID with precision and recall cannot be computed from files of weights.
#
# By default FID, KID and the Inception Score are of Inception's features, precision and recall of VGG16's. There is one
# option for a file of weights, and calculate_metrics gives that file to both networks: with Inception's file VGG16
# fails, with VGG16's Inception does. Where the files cannot be downloaded, one call per network is needed, or both
# files have to lie in torch's cache under the names that a download would give them.
# For us: weights_path takes a file for each extractor, {inception: FILE, vgg16: FILE}, and both are used in one run.
#
# Needs: Python 3.11 or newer with pip and venv, 7 GB of disk. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import torch
import torch_fidelity
import torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Inception


class Untrained(Inception):
    """Their Inception as it is built, to get a file of weights with the right names and shapes."""

    def load_state_dict(self, *arguments, **options):
        return None


class Images(torch.utils.data.Dataset):
    def __init__(self, seed):
        self.seed = seed

    def __len__(self):
        return 12

    def __getitem__(self, i):
        random = torch.Generator().manual_seed(100 * self.seed + i)
        return torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8, generator=random)


torch.manual_seed(0)
torch.save({}, "empty.pth")
torch.save(Untrained("inception-v3-compat", ["2048"], feature_extractor_weights_path="empty.pth").state_dict(),
           "inception.pth")
torch.save(torchvision.models.vgg16().state_dict(), "vgg16.pth")


def measure(file, **metrics):
    return torch_fidelity.calculate_metrics(
        input1=Images(1), input2=Images(2), feature_extractor_weights_path=file, cuda=False, cache=False,
        verbose=False, batch_size=4, **metrics,
    )


print("torch-fidelity", torch_fidelity.__version__)
print("FID alone, Inception's file:", sorted(measure("inception.pth", fid=True)))
print("precision and recall alone, VGG16's file:", sorted(measure("vgg16.pth", prc=True)))
for file in ("inception.pth", "vgg16.pth"):
    try:
        measure(file, fid=True, prc=True)
    except RuntimeError as error:
        print(f"FID with precision and recall, {file}: RuntimeError: {str(error).splitlines()[0]}")
    else:
        raise SystemExit("both can be had from one call now: update the note above")
print("as described")
PYTHON
