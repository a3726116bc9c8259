#!/usr/bin/env bash
# torch-fidelity 0.4.0: feature_extractor_internal_dtype="float64" computes in float32, without a word.
#
# The documentation offers float32 and float64, "may improve numerical precision". The table that turns the name into a
# torch type maps both to float32, in all four extractors. So the last digits of FID and KID stay the processor's, and
# KID, whose kernel is evaluated in the number type of the features, is off by 1e-5 of its value between processors.
# For us: metrics are compared with torch-fidelity's on an extractor of double precision (tests/metrics/tools.py), and
# our own sums are in double precision whatever the features are.
#
# Needs: Python 3.11 or newer with pip and venv, 6 GB of disk. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import torch
import torch_fidelity
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Inception


class Untrained(Inception):
    """Their Inception as it is built, to get a file of weights with the right names and shapes."""

    def load_state_dict(self, *arguments, **options):
        return None


torch.manual_seed(0)
torch.save({}, "empty.pth")
network = Untrained("inception-v3-compat", ["2048"], feature_extractor_weights_path="empty.pth")
torch.save(network.state_dict(), "weights.pth")

images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
features = {}
for name in ("float32", "float64"):
    extractor = Inception(
        "inception-v3-compat",
        ["2048"],
        feature_extractor_weights_path="weights.pth",
        feature_extractor_internal_dtype=name,
    )
    with torch.no_grad():
        features[name] = extractor(images)[0]
    weights = {weight.dtype for weight in extractor.parameters()}
    print(f"torch-fidelity {torch_fidelity.__version__}, internal dtype {name!r}: weights {weights}, "
          f"features {features[name].dtype}")
    assert weights == {torch.float32}, "float64 is float64 now: update the note above"
assert torch.equal(features["float32"], features["float64"]), "the two differ now: update the note above"
print("as described: the features of 'float32' and 'float64' are the same bits")
PYTHON
