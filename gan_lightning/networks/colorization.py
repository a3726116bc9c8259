"""A U-Net conditioned on colours: at points, as channels of its input, and of the whole image, as a palette."""

from torch import Tensor, nn

from gan_lightning.networks.unet import UNet


class PaletteUNet(UNet):
    """The U-Net of pix2pix with a palette added to its smallest map, at every place.

    As in the global hints network of Zhang et al., 2017 (arXiv 1705.02999), whose 1 x 1 convolutions are the linear
    layers here. It has no dropout: what the colours of an image may be is said by hints.

    Args:
        condition_shape: Channels, height and width of the images given, hints included.
        image_shape: Channels, height and width of the images made.
        palette_dim: Numbers in a palette.
        width: Channels of the first layer; they double up to eight times as many.
        depth: As in :class:`~gan_lightning.networks.UNet`.

    Raises:
        ValueError: The sides do not fit each other or the depth.
    """

    def __init__(
        self,
        condition_shape: tuple[int, int, int] = (4, 256, 256),
        image_shape: tuple[int, int, int] = (2, 256, 256),
        palette_dim: int = 530,
        width: int = 64,
        depth: int | None = None,
    ) -> None:
        super().__init__(condition_shape, image_shape, width, depth, dropout_layers=())
        self.palette_dim = palette_dim
        deepest = width * min(2 ** (len(self.encoder) - 1), 8)
        self.palette = nn.Sequential(nn.Linear(palette_dim, deepest), nn.ReLU(), nn.Linear(deepest, deepest))

    def forward(self, condition: Tensor, palette: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W) and palettes (N, palette_dim), or none, to images (N, C', H, W) in [-1, 1]."""
        maps = self.encode(condition)
        if palette is None:
            palette = condition.new_zeros(1, self.palette_dim)
        maps[-1] = maps[-1] + self.palette(palette)[:, :, None, None]
        return self.decode(maps)
