#!/usr/bin/env bash
# torch 2.14.1: a third of an exact gradient penalty on a critic of LeakyReLU is convolutions of zeros.
#
# WGAN-GP's penalty and R1 differentiate the critic twice. The second derivative of LeakyReLU is 0 wherever it exists, so
# the way back through the critic's own forward pass carries nothing, and yet autograd takes it: the second derivative
# formula of leaky_relu gives a tensor of zeros and not an undefined gradient, which would end the way, and each convolution
# below computes the gradients of its input and of its weights from those zeros. A convolution takes part in six passes
# (forward, gradient of the input, two of the second derivative, two of zeros); four would do. Nothing warns, the gradients
# are right, and a profile shows plain convolutions. ReLU and mean pooling do the same.
# For us: penalties replace such layers' backward by one that says what is zero (gan_lightning/regularizers/
# piecewise_linear.py): two thirds of the penalty's time, in the same bits.
#
# Needs: Python 3.11 or newer with pip and venv, 6 GB of disk. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.14.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

N_LAYERS = 4


def backward_passes(activation):
    """How many backward passes of convolutions the penalty's second derivative takes, and the gradients in them."""
    torch.manual_seed(0)
    layers = []
    for layer in range(N_LAYERS):
        layers += [nn.Conv2d(3 if layer == 0 else 8, 8, 3, padding=1), activation]
    critic = nn.Sequential(*layers)
    largest = []

    def watch(module, inputs, output):
        # Gradients that come back to the forward pass, when the penalty is differentiated.
        output.register_hook(lambda gradient: largest.append(gradient.abs().max().item()))

    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    for module in critic:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(watch)
    (slopes,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    penalty = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
    largest.clear()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        penalty.backward()
    counts = {event.key: event.count for event in profiled.key_averages()}
    return counts["aten::convolution_backward"], largest


print("torch", torch.__version__)
for activation in (nn.LeakyReLU(0.2), nn.ReLU()):
    n_passes, gradients = backward_passes(activation)
    print(f"{activation}: {n_passes} backward passes for {N_LAYERS} convolutions; gradients that come to them: {gradients}")
    assert len(gradients) == N_LAYERS and not any(gradients), "no zeros are handed on now"
    assert n_passes >= N_LAYERS, "the convolutions are left out now"
n_passes, gradients = backward_passes(nn.Softplus())
print(f"Softplus, which has a second derivative: {n_passes}, gradients: {['%.1e' % value for value in gradients]}")
assert all(gradients)
PYTHON
