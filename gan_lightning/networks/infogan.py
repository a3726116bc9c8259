"""The MNIST networks of InfoGAN (Chen et al., 2016, arXiv 1606.03657), after the authors' code."""

from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init


class InfoGANGenerator(nn.Module):
    """Two linear layers to a quarter of the image's side, then two transposed convolutions, and tanh.

    The authors end in a sigmoid, on images in [0, 1].

    Args:
        image_shape: Channels, height and width of the images made; the sides are multiples of 4.
        latent_dim: Length of the input: noise and codes.
        width: Channels of the last hidden layer; the others have 2 and 16 times as many.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), latent_dim: int = 74, width: int = 64) -> None:
        super().__init__()
        channels, height, breadth = _quarters("InfoGANGenerator", image_shape)
        flat = 2 * width * height * breadth
        self.layers = nn.Sequential(
            # (noise, codes) to 1024
            nn.Linear(latent_dim, 16 * width),
            nn.BatchNorm1d(16 * width),
            nn.ReLU(inplace=True),
            nn.Linear(16 * width, flat),
            nn.BatchNorm1d(flat),
            nn.ReLU(inplace=True),
            # 128 x H/4 x W/4, then 64 x H/2 x W/2, then C x H x W
            nn.Unflatten(1, (2 * width, height, breadth)),
            nn.ConvTranspose2d(2 * width, width, kernel_size=4, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, channels, kernel_size=4, stride=2, padding=1),
            nn.Tanh(),
        )
        self.apply(_init)

    def forward(self, latent: Tensor) -> Tensor:
        """Map noise and codes (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class InfoGANDiscriminator(nn.Module):
    """A trunk with two heads: D's logit, and Q's estimate of the codes.

    Args:
        image_shape: Channels, height and width of the images judged; the sides are multiples of 4.
        n_categories: Values of the categorical code.
        n_continuous: Continuous codes, each read as a mean and a log-variance.
        width: Channels of the first layer; the others have 2 and 16 times as many, the hidden layer of Q 2 times.
        slope: Slope of the leaky rectifiers: .1 in the paper, .01 in the authors' code.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        n_categories: int = 10,
        n_continuous: int = 2,
        width: int = 64,
        slope: float = 0.1,
    ) -> None:
        super().__init__()
        # Two halvings of the side: the map that the first linear layer takes is a quarter as large.
        channels, height, breadth = _quarters("InfoGANDiscriminator", image_shape)
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=4, stride=2, padding=1),
            nn.LeakyReLU(slope, inplace=True),
            nn.Conv2d(width, 2 * width, kernel_size=4, stride=2, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(slope, inplace=True),
            nn.Flatten(),
            nn.Linear(2 * width * height * breadth, 16 * width),
            nn.BatchNorm1d(16 * width),
            nn.LeakyReLU(slope),
        )
        # D and Q share the trunk (section 6).
        self.judge = nn.Linear(16 * width, 1)
        self.q = nn.Sequential(
            nn.Linear(16 * width, 2 * width),
            nn.BatchNorm1d(2 * width),
            nn.LeakyReLU(slope, inplace=True),
            nn.Linear(2 * width, n_categories + 2 * n_continuous),
        )
        # Q: logits of the category, then mean and log-variance of each continuous code.
        self.parts = [n_categories, n_continuous, n_continuous]
        self.apply(_init)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map images (N, C, H, W) to the logit of D and the parameters of Q.

        Returns:
            Logits of being real (N,), of the categories (N, n_categories), and the means and log-variances of the
            continuous codes (N, n_continuous).
        """
        # N x 1024, shared by D and Q
        features = self.trunk(image)
        category, mean, log_variance = self.q(features).split(self.parts, dim=1)
        # Log-variances and not deviations: any real number is one.
        return self.judge(features).squeeze(1), category, mean, log_variance


def _quarters(network: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    channels, height, width = image_shape
    # Two convolutions of stride 2
    if height < 4 or width < 4 or height % 4 or width % 4:
        raise ValueError(f"{network} works on images whose sides are multiples of 4, not {height} x {width}.")
    return channels, height // 4, width // 4


def _init(module: nn.Module) -> None:
    """Weights N(0, .02), those of convolutions cut off at +-.04, as the authors'; biases 0; BatchNorm as in DCGAN."""
    dcgan_init(module)
    if isinstance(module, nn.Conv2d):
        nn.init.trunc_normal_(module.weight, 0.0, 0.02, -0.04, 0.04)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d):
        nn.init.normal_(module.weight, 1.0, 0.02)
