#!/usr/bin/env bash
# torch-fidelity 0.4.0: an Inception Score with VGG16, CLIP or DINOv2 is computed of features as if they were classes.
#
# These three extractors have no classes. Asked for isc, each names its only layer of features, and the softmax of
# 4,096 rectified activations is scored, silently. The result looks like any Inception Score and means nothing: it
# changes when all features are multiplied by a constant, which changes no class.
# For us: an extractor without classes that is asked for an Inception Score is refused before the run.
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
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY as extractors

for name in ("vgg16", "clip-vit-b-32", "dinov2-vit-s-14"):
    kind = extractors[name]
    layers = {metric: kind.get_default_feature_layer_for_metric(metric) for metric in ("isc", "fid")}
    print(f"torch-fidelity {torch_fidelity.__version__}, {name}: {layers}")
    assert layers["isc"] == layers["fid"], "the score has a layer of its own now: update the note above"

torch.manual_seed(0)
network = torchvision.models.vgg16()  # untrained: the numbers do not matter, that there are any does
scores = {}
for factor in (1, 100):
    with torch.no_grad():
        network.classifier[3].weight.mul_(factor)
        network.classifier[3].bias.mul_(factor)
    torch.save(network.state_dict(), "vgg16.pth")


    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, i):
            return torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(i))


    scores[factor] = torch_fidelity.calculate_metrics(
        input1=Images(), isc=True, isc_splits=1, feature_extractor="vgg16",
        feature_extractor_weights_path="vgg16.pth", cuda=False, cache=False, verbose=False, batch_size=4,
    )["inception_score_mean"]
print(f"inception_score_mean of VGG16's features {scores[1]:.6f}, of the same times 100 {scores[100]:.6f}")
assert scores[1] != scores[100], "features are no longer scored: update the note above"
print("as described")
PYTHON
