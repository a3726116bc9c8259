"""Pictures of reconstructions G(E(x)) during training."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gan_lightning.callbacks.translations import TranslationGrid
from gan_lightning.games.batch import GameBatch

_PAIRS_IN_A_ROW = 4


class Reconstructions(TranslationGrid):
    """Writes images of the validation set beside their reconstructions into ``reconstructions/`` of the run directory.

    All pictures show the same images and are named by the step. Loggers that accept images get them too. For games with
    ``reconstruct()``, such as ALI.

    Args:
        every_n_steps: Generator updates between two pictures.
        n: Images in a picture; fewer where the validation set has fewer.
        seed: Seed of random numbers in the reconstruction, if there are any.
        scale: Side of a pixel in the picture. None: as large as it takes to make the picture 512 pixels wide.
    """

    subject = "reconstructions"
    required_method = "reconstruct"

    def __init__(self, every_n_steps: int = 500, n: int = 32, seed: int = 0, scale: int | None = None) -> None:
        super().__init__(every_n_steps, n, seed, scale)

    def images(self, game: Any) -> tuple[Tensor, int | None]:
        images, pair = super().images(game)
        assert pair is not None
        # Image and reconstruction side by side, so an even number of columns.
        return images, pair * min(_PAIRS_IN_A_ROW, len(images) // pair)

    def captions(self, game: Any, columns: int | None, n: int) -> tuple[Sequence[str], Sequence[str]]:
        names, _ = super().captions(game, columns, n)
        return [*names] * ((columns or 0) // max(len(names), 1)), ()

    def panel_captions(self, game: Any) -> Sequence[str]:
        return ("given", "made")

    def picture_columns(self, game: Any, batch: GameBatch) -> list[Tensor]:
        return [batch.examples, game.reconstruct(batch.examples)]
