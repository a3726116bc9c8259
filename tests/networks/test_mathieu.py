"""The networks of video prediction are the paper's, layer by layer."""

import pytest
import torch
from torch import nn

from gan_lightning.networks import FrameDiscriminator, MultiScalePredictor


def convolutions(network: nn.Module) -> list[tuple[int, int, int]]:
    """Channels in and out, and the side of the kernel."""
    found = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    return [(each.in_channels, each.out_channels, each.kernel_size[0]) for each in found]


def test_predictor_of_the_paper() -> None:
    with torch.device("meta"):
        network = MultiScalePredictor((12, 32, 32), (3, 32, 32))
    assert [convolutions(scale) for scale in network.scales] == [
        [(12, 128, 3), (128, 256, 3), (256, 128, 3), (128, 3, 3)],
        [(15, 128, 5), (128, 256, 3), (256, 128, 3), (128, 3, 5)],
        [(15, 128, 5), (128, 256, 3), (256, 512, 3), (512, 256, 3), (256, 128, 3), (128, 3, 5)],
        [(15, 128, 7), (128, 256, 5), (256, 512, 5), (512, 256, 5), (256, 128, 5), (128, 3, 7)],
    ]


@pytest.mark.parametrize(
    ("side", "layers", "dense"),
    [
        (4, [(15, 64, 3)], [64 * 2 * 2, 512, 256, 1]),
        (8, [(15, 64, 3), (64, 128, 3), (128, 128, 3)], [128 * 2 * 2, 1024, 512, 1]),
        (16, [(15, 128, 5), (128, 256, 5), (256, 256, 5)], [256 * 4 * 4, 1024, 512, 1]),
        # 32 - 6 - 6 - 4 - 4 = 12, pooled to 6
        (32, [(15, 128, 7), (128, 256, 7), (256, 512, 5), (512, 128, 5)], [128 * 6 * 6, 1024, 512, 1]),
    ],
)
def test_discriminators_of_the_paper(side: int, layers: list[tuple[int, int, int]], dense: list[int]) -> None:
    with torch.device("meta"):
        network = FrameDiscriminator((15, side, side))
    assert convolutions(network) == layers
    linear = [part for part in network.modules() if isinstance(part, nn.Linear)]
    assert [linear[0].in_features, *(each.out_features for each in linear)] == dense
    assert FrameDiscriminator((5, side, side), width=1, hidden=4)(torch.zeros(2, 5, side, side)).shape == (2, 1)


def test_each_scale_corrects_the_enlarged_prediction_of_the_one_before() -> None:
    network = MultiScalePredictor((4, 8, 12), (1, 8, 12), n_scales=2, width=1)
    nn.init.zeros_(network.scales[1][-1].weight)
    nn.init.zeros_(network.scales[1][-1].bias)
    coarse, fine = network(torch.randn(1, 4, 8, 12))
    assert coarse.shape == (1, 1, 4, 6)
    torch.testing.assert_close(fine, coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).tanh())


def test_sizes_that_do_not_fit_are_told() -> None:
    with pytest.raises(ValueError, match=r"Frames of 20 x 32 pixels cannot be halved 3 times: .* multiples of 8"):
        MultiScalePredictor((4, 20, 32), (1, 20, 32))
    with pytest.raises(ValueError, match=r"frames are 2 x 4 pixels, and it takes 4 x 4"):
        FrameDiscriminator((5, 2, 4))
