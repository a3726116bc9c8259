#!/usr/bin/env bash
# onnxruntime 1.32.0, CPU: Sigmoid of a float32 is 0 from -18 down, and 17 % too large at -15; its logarithm is -inf.
#
# The kernel clamps its argument to [-18, 18] and has a rational approximation there, whose error is 1e-7 of the whole range
# and not of the value: numpy and torch have 1.5e-8 at -18 and 2e-9 at -20. A probability is none the worse. A score of a
# discriminator is: log D(x), a Log after a Sigmoid in the graph, is off by 0.16 at a logit of -15 and infinite from -18 on,
# where it should be -18; by Softplus of the negated logit it is right, and in double precision Sigmoid is. Worse are ratios of
# probabilities, such as the mean a / (a + b) of a beta distribution (IAN's colours): 0 / 0 where both logits are below -18.
# For us: an export is compared with torch before it is written and refused where it differs by half a level of 255
# (gan_lightning/inference/export/); docs/export.md says which network that concerns.
#
# Needs: Python 3.11 or newer with pip and venv. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper


def run(operators, numbers, kind=TensorProto.FLOAT):
    """Apply one operator after the other to numbers."""
    names = ["x", *(f"y{i}" for i in range(len(operators)))]
    nodes = [helper.make_node(operator, [names[i]], [names[i + 1]]) for i, operator in enumerate(operators)]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, [None])],
        [helper.make_tensor_value_info(names[-1], kind, [None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": numbers})[0]


logits = numpy.array([-10, -15, -17, -18, -20, -50], numpy.float32)
true = 1 / (1 + numpy.exp(-logits.astype(numpy.float64)))
chance = run(["Sigmoid"], logits)
log = run(["Sigmoid", "Log"], logits)
stable = -run(["Neg", "Softplus"], logits)
for row in zip(logits, true, chance, numpy.log(true), log, stable, strict=True):
    print("logit {:g}: sigmoid {:.3g}, here {:.3g}; its log {:.4g}, here {:.4g}, by Softplus {:.4g}".format(*row))
assert (chance[3:] == 0).all() and (chance[:3] > 0).all()
assert 0.1 < chance[1] / true[1] - 1 < 0.25, chance[1] / true[1]
assert numpy.isneginf(log[3:]).all()
assert numpy.allclose(stable, numpy.log(true), rtol=1e-5)
double = run(["Sigmoid"], logits.astype(numpy.float64), TensorProto.DOUBLE)
assert numpy.allclose(double, true, rtol=1e-5), double
PYTHON
