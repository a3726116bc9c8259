"""Pictures as URIs that hold them: the page shows and saves them, and no file of a user lies on the server."""

import base64
import io

import torch
from PIL import Image
from torch import Tensor

from gan_lightning.visualization.images import drawable, to_pil, to_uint8


def data_uri(image: Tensor) -> str:
    """An image, C x H x W, as a PNG; of other numbers of channels than 1, 3 and 4 each is a grey one, side by side."""
    shown = image if len(image) in (1, 3, 4) else torch.cat([*drawable(image[None])], dim=2)
    return uri_of(to_pil(to_uint8(shown).cpu()))


def uri_of(image: Image.Image) -> str:
    """A picture as a PNG."""
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
