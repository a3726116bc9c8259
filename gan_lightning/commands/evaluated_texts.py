"""``evaluate`` of models of texts: which captions the samples are of, and whether they show them."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.options import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch import LightningDataModule

    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.metrics.image_sources import Images

_CANDIDATES = 100
_SUBSTITUTES = {"val": "test", "test": "val"}


@dataclass(frozen=True)
class Captions:
    """The captions that samples are of, in turn.

    Attributes:
        texts: All of them; none: it is no model of texts.
        source: Where they are from, in words.
    """

    texts: Sequence[str] = ()
    source: str = ""

    def places(self, n: int) -> list[int]:
        """Which of the captions each of ``n`` samples is of: all in turn, or ``n`` of them, evenly spread."""
        few = min(n, len(self.texts))
        return [i % few * len(self.texts) // few for i in range(n)] if few else []

    def shown(self, n: int) -> list[str]:
        """The caption of each of ``n`` samples."""
        return [self.texts[place] for place in self.places(n)]

    def tell(self, n: int) -> None:
        """Say in a line on stderr which captions ``n`` samples are of."""
        _print_note(f"{n} samples are of {len({*self.shown(n)})} captions {self.source}.")


def add_text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--encoders",
        metavar="PATH",
        help="encoders for r_precision, r_precision_std and text_similarity: a checkpoint of JointEmbedding or DAMSM, "
        "or the import path of a class with encode_images and encode_texts (default: the model's own, as AttnGAN's)",
    )
    parser.add_argument(
        "--n_candidates",
        type=whole(2),
        metavar="N",
        help="captions that r_precision compares each sample with: its own and N - 1 others, so that by chance it is "
        f"1 / N (default: {_CANDIDATES})",
    )


def check_text_options(options: argparse.Namespace) -> list[str]:
    """The metrics of texts among ``--metrics``.

    Raises:
        ValueError: An option has no effect, or there is no checkpoint.
    """
    from gan_lightning.metrics.registry import TEXT_METRICS

    names = [name for name in options.metrics if name in TEXT_METRICS]
    if names and options.ckpt is None:
        raise ValueError(f"{names[0]} compares samples with their texts, and files have none: give --ckpt.")
    for option in ("encoders", "n_candidates"):
        if getattr(options, option) is not None and not names:
            raise ValueError(f"--{option} goes only with --metrics {', '.join(TEXT_METRICS)}.")
    return names


def choose_split(options: argparse.Namespace, model: "AdversarialModule | None", names: Sequence[str]) -> None:
    """Set ``--split`` of a model of texts to test unless it is given: its captions are not those of the training.

    Args:
        options: Of the command.
        model: The model; None: the samples are files.
        names: Of the metrics of texts.

    Raises:
        ValueError: There are some, and the model knows no texts.
    """
    if _knows_texts(model):
        options.split = options.split or ("test" if options.data else None)
    elif names:
        raise ValueError(f"{names[0]} compares samples with their texts, and {type(model).__name__} knows no texts.")


def captions_of_split(
    options: argparse.Namespace, model: "AdversarialModule | None", data: "LightningDataModule | None"
) -> Captions:
    """The first caption of each image of the split that is evaluated, or none for a model without texts.

    Where nobody knows the captions, as of a folder, those in the checkpoint take their place.

    Raises:
        ValueError: There are none in this split.
    """
    if not _knows_texts(model):
        return Captions()
    captions: Any = getattr(data, "captions", None)
    if captions is None:
        texts: Any = model.texts  # type: ignore[union-attr]
        return Captions(texts, "in the checkpoint, which its data held out")
    split = options.split
    read = split if split == "train" or captions(split) else _SUBSTITUTES[split]
    texts = [of_image[0] for of_image in captions(read)]
    if not texts:
        raise ValueError(f"{type(data).__name__} has no captions in its split {split!r}: choose another split.")
    if read == "train":
        return Captions(texts, "of the split train")
    seen = {text for of_image in captions("train") for text in of_image}
    n_seen = len({*texts} & seen)
    return Captions(texts, f"of the split {read}, {n_seen or 'none'} of which are also in its split train")


def text_measure(
    options: argparse.Namespace, model: Any, captions: Captions, n: int, names: Sequence[str]
) -> "Callable[[Images, str], dict[str, float]]":
    """What measures samples of texts by name; says by which encoders, and what chance would be.

    Args:
        options: Of the command.
        model: The model.
        captions: What its samples are of.
        n: How many samples there will be.
        names: Of the metrics.

    Raises:
        ValueError: There are no encoders, or fewer captions than candidates.
    """
    import torch

    from gan_lightning.inference.encoders import encoder_pair
    from gan_lightning.metrics.retrieval import distinct_texts, text_scores

    pair: Any = encoder_pair(options.encoders, model)
    if pair is not model and hasattr(pair, "to"):
        pair = pair.to(model.device)
    n_candidates, n_texts = options.n_candidates or _CANDIDATES, len(distinct_texts(pair, captions.texts)[0])
    if n_texts < n_candidates:
        raise ValueError(
            f"r_precision compares each sample with {n_candidates} captions, and the encoders tell {n_texts} "
            "apart: give a smaller --n_candidates."
        )
    whose = options.encoders or f"{type(model).__name__}'s own encoders, which it has learned to please"
    _print_note(
        f"r_precision compares each sample with {n_candidates} captions, its own and {n_candidates - 1} others at "
        f"random of {n_texts}, and is {1 / n_candidates:.3g} by chance. It is by {whose}."
    )
    own = torch.tensor(captions.places(n))

    def measure(samples: "Images", title: str) -> dict[str, float]:
        found = text_scores(
            pair, samples, captions.texts, own, n_candidates, options.seed or 0, options.batch_size, title
        )
        return {name: found[name] for name in names}

    return measure


def _knows_texts(model: Any) -> bool:
    return hasattr(model, "encode_texts")


def _print_note(sentence: str) -> None:
    print(f"gan-lightning evaluate: {sentence}", file=sys.stderr)
