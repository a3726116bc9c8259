"""The coupled networks of CoGAN (Liu, Tuzel, NeurIPS 2016, arXiv 1606.07536), after the authors' code for digits."""

import math
from collections.abc import Mapping

from torch import Tensor, nn

DOMAINS = ("A", "B")


class CoupledGenerator(nn.Module):
    """Two generators that are one but for the last layer, which is each domain's own.

    At 28 x 28: transposed convolutions to 1024 channels of 4 x 4, 512 of 7 x 7, 256 of 13 x 13 and 128 of 25 x 25, each
    with BatchNorm without scale and offset and a PReLU; then a domain's own 6 x 6. Other sides take another first and
    last kernel. The output is a tanh, not a sigmoid, because images lie in [-1, 1] here.

    Args:
        image_shape: Channels, height and width of the images of both domains.
        latent_dim: Length of the latent vector.
        width: Channels of the last shared layer; the others have 2, 4 and 8 times as many.

    Attributes:
        shared: The layers that both generators are made of; there is only one of each.
        heads: The last layer of each domain.
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (1, 28, 28), latent_dim: int = 100, width: int = 128
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        # Three layers lead from s to 2 s - 1 each, so to 8 s - 7, and a last kernel k to 8 s - 8 + k - 2.
        first = [(side + 7) // 8 for side in sides]
        last = [side - 8 * start + 10 for side, start in zip(sides, first, strict=True)]

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            return [layer, nn.BatchNorm2d(outputs, affine=False), nn.PReLU()]

        def doubled(inputs: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, inputs // 2, kernel_size=3, stride=2, padding=1)
            return activated(layer, inputs // 2)

        self.shared = nn.Sequential(
            # N x latent_dim x 1 x 1 to 4 x 4, 7 x 7, 13 x 13 and 25 x 25
            nn.Unflatten(1, (latent_dim, 1, 1)),
            *activated(nn.ConvTranspose2d(latent_dim, 8 * width, kernel_size=(first[0], first[1])), 8 * width),
            *doubled(8 * width),
            *doubled(4 * width),
            *doubled(2 * width),
        )
        self.heads = nn.ModuleDict()
        for domain in DOMAINS:
            layer = nn.ConvTranspose2d(width, channels, kernel_size=(last[0], last[1]), padding=1)
            self.heads[domain] = nn.Sequential(layer, nn.Tanh())
        self.apply(_xavier)

    def of(self, domain: str) -> nn.Sequential:
        """The generator of one domain, made of the very layers of this network."""
        return nn.Sequential(self.shared, self.heads[domain])

    def forward(self, latent: Tensor) -> dict[str, Tensor]:
        """Map latents (N, latent_dim) to an image (N, C, H, W) in [-1, 1] in each domain."""
        # One latent, one image in each domain: the shared layers decide what is shown.
        features = self.shared(latent)
        return {domain: head(features) for domain, head in self.heads.items()}


class CoupledDiscriminator(nn.Module):
    """Two discriminators that are one but for the first layer, which is each domain's own: a LeNet.

    A domain's own 5 x 5 convolution to 20 channels and a maximum of 2 x 2; then, shared, the same to 50 channels, a
    convolution over all that is left to 500, PReLU, and a linear layer to one logit, where the authors have two and a
    softmax, which sees their difference. There is no sigmoid: it is in the loss.

    Args:
        image_shape: Channels, height and width of the images of both domains; the sides are 16 at least.
        width: Channels of a domain's own layer, of which the shared ones have 5 / 2 and 25 times as many.

    Attributes:
        heads: The first layer of each domain.
        shared: The layers that both discriminators are made of; there is only one of each.

    Raises:
        ValueError: If the images are too small.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 20) -> None:
        super().__init__()
        channels, height, breadth = image_shape
        if height < 16 or breadth < 16:
            raise ValueError(
                f"CoupledDiscriminator works on images whose sides are 16 at least, not {height} x {breadth}."
            )
        # 28 to 24, 12, 8 and 4: 5 x 5 without padding, and halved, twice
        rest = [((side - 4) // 2 - 4) // 2 for side in (height, breadth)]
        inner, hidden = 5 * width // 2, 25 * width
        self.heads = nn.ModuleDict(
            {domain: nn.Sequential(nn.Conv2d(channels, width, kernel_size=5), nn.MaxPool2d(2)) for domain in DOMAINS}
        )
        self.shared = nn.Sequential(
            nn.Conv2d(width, inner, kernel_size=5),
            nn.MaxPool2d(2),
            nn.Conv2d(inner, hidden, kernel_size=(rest[0], rest[1])),
            nn.PReLU(),
            nn.Flatten(),
            nn.Linear(hidden, 1),
        )
        self.apply(_xavier)

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Map images (N, C, H, W) of each domain to logits (N,) of each domain."""
        # The opposite of the generator: what differs between the domains is near the pixels, so at D's beginning.
        return {domain: self.shared(head(images[domain])).squeeze(1) for domain, head in self.heads.items()}


def _xavier(module: nn.Module) -> None:
    """Weights after Glorot, Bengio, 2010, times the root of 2, and biases .1, as in the authors' PyTorch code."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight, gain=math.sqrt(2))
        if module.bias is not None:
            nn.init.constant_(module.bias, 0.1)
