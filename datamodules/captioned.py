"""Images with texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import Splits, check_at_least, check_channels, held_out, shape_of
from datamodules.components.caption_batches import CaptionedImages, CaptionLoader
from datamodules.components.captions import Captioned, CaptionsFound, find_captions
from datamodules.components.file_base import FileDataModule
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.loading import EpochLoader, EpochOrder, ImageSource
from datamodules.components.tokens import PADDING, REED_ALPHABET, TextTokenizer

_NAMED = 5  # as many files are named in a message
_MOST_TEXTS = 1000
_SPLITS = ("train", "val", "test")


class CaptionedImageDataModule(FileDataModule):
    """Images with one text or several, in any of the usual layouts, which it recognises by itself.

    - Hugging Face's ``imagefolder``: ``metadata.jsonl`` or ``metadata.csv`` with ``file_name`` and ``text``, in the
      folder or in the folder of each split. A text may be a list of texts, or have several rows; a column ``split``
      says train, val or test.
    - Flickr8k: ``captions.txt`` with ``image,caption``, or ``Flickr8k.token.txt``.
    - CUB and the Oxford flowers: folders of text files with a caption in each line, by class, and the images of the
      same names. ``trainclasses.txt``, ``trainvalclasses.txt``, ``valclasses.txt`` and ``testclasses.txt``, or CUB's
      ``train_test_split.txt`` divide them. The classes become labels.
    - A ``.txt`` of the same name beside each image, in ``train``, ``val`` and ``test`` or in one folder.

    Where nothing says what is for validation and testing, images are held out. Images without a text, texts without an
    image and empty captions are left out with a warning, or refused (``strict``).

    Batches are dictionaries: ``images``, uint8, N x C x H x W; ``tokens``, int64, N x ``max_tokens``; in training
    ``wrong_tokens`` of the same shape, a text of another image that is equal to none of the image's own, and of no
    image of its class; ``labels``, N, where there are classes. In training one of an image's captions is drawn anew in
    every epoch, by the seed and the epoch; in validation it is the first.

    Args:
        root: The folder.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        channels: 3: RGB, over white where an image is transparent; others as in ``ImageFolderDataModule``.
        tokens: words: of the training captions, in lower case, without punctuation. characters: theirs. reed: the 70
            characters of Reed et al., for ``CharCNNRNN``.
        max_tokens: Longer texts are cut; 18 words as in AttnGAN, 201 characters as in Reed et al.
        tokenizer: A ``tokenizer.json`` of the library tokenizers, such as that of a published text encoder, in place
            of one made of the captions.
        text_key: Name of the texts in the metadata. None: text, caption, description or prompt.
        join: Further names there, such as tags, whose values are added to each text, after a comma.
        hold_out: Texts; the images of one of these are for testing, wherever they would be: combinations that training
            is not to see.
        val_size: Images held out for validation, where nothing says which; None: a tenth, at most 1,000; 0: validation
            uses the test images.
        test_size: Images held out for testing, where nothing says which.
        flip: Mirror training images horizontally with probability one half; a text may say left or right.
        strict: Refuse a folder of which something would be left out.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in a file, as in ``ImageFolderDataModule``.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process; None:
            one for each CPU, at most 8.
        seed: The order of the training images and the captions drawn are functions of this seed and the epoch.

    Attributes:
        tokenizer: JSON text of the tokenizer.
        texts: Captions of the validation images, or of those that there are: at most 1,000, for samples.

    Raises:
        FileNotFoundError: There is no folder ``root``, or there are no texts in it.
        ValueError: An argument is out of its range, a list cannot be read, or something would be left out (``strict``).
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        channels: int = 3,
        tokens: Literal["words", "characters", "reed"] = "words",
        max_tokens: int = 18,
        tokenizer: str | None = None,
        text_key: str | None = None,
        join: Sequence[str] = (),
        hold_out: Sequence[str] = (),
        val_size: int | None = None,
        test_size: int = 0,
        flip: bool = False,
        strict: bool = False,
        in_memory: bool | None = None,
        cache: bool | str = False,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_channels(channels=channels)
        check_at_least(1, max_tokens=max_tokens)
        check_at_least(0, val_size=val_size or 0, test_size=test_size)
        super().__init__(shape_of(channels, image_size), None, batch_size, flip, num_workers, seed)
        self.root = Path(root).expanduser().absolute()
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"CaptionedImageDataModule: there is no folder {root}: set root to one with images and texts."
            )
        self.strict, self.in_memory, self.cache = strict, in_memory, cache
        found = find_captions("CaptionedImageDataModule", self.root, text_key, join)
        self._report(found)
        self._images = _chosen(found.images, hold_out, val_size, test_size, str(self.root))
        classes = sorted({image.class_name for image in found.images if image.class_name is not None})
        # Labels only where every image has one.
        if classes and all(image.class_name is not None for image in found.images):
            self.class_names, self.num_classes = classes, len(classes)
        captions = (text for image in self._images["train"] for text in image.texts)
        if tokenizer is None:
            kind: Literal["words", "characters"] = "words" if tokens == "words" else "characters"
            alphabet = REED_ALPHABET if tokens == "reed" else None
            self._tokenizer = TextTokenizer.train(captions, max_tokens, kind, alphabet)
        else:
            self._tokenizer = TextTokenizer.read(Path(tokenizer).expanduser(), max_tokens)
        self.tokenizer = self._tokenizer.json

    @property
    def location(self) -> str:
        return str(self.root)

    @property
    def texts(self) -> list[str]:
        """See the class."""
        images = self._images["val"] or self._images["test"] or self._images["train"]
        texts = list(dict.fromkeys(image.texts[0] for image in images))
        step = max(1, -(-len(texts) // _MOST_TEXTS))
        return texts[::step]

    def captions(self, split: Literal["train", "val", "test"]) -> list[list[str]]:
        """Captions of each image of a split; of images that cannot be read as well."""
        return [image.texts for image in self._images[split]]

    def load_splits(self) -> Splits:
        images = [image for name in _SPLITS for image in self._images[name]]
        paths = [image.path for image in images]
        labels = None
        if self.class_names is not None:
            labels = torch.tensor([self.class_names.index(str(image.class_name)) for image in images])
        source, broken = self.read_images(paths, labels, self.in_memory, self.cache)
        if self.strict:
            self.refuse(broken, paths)
        if broken:
            named = ", ".join(f"{paths[i]} ({broken[i]})" for i in sorted(broken)[:_NAMED])
            rank_zero_warn(f"CaptionedImageDataModule: skipped {len(broken)} of {len(paths)} images: {named}.")
        tokens = self._tokens(images)
        usable = torch.ones(len(images), dtype=torch.bool)
        usable[list(broken)] = False
        parts = torch.arange(len(images)).split([len(self._images[name]) for name in _SPLITS])
        kept = [part[usable[part]] for part in parts]
        train, val, test = (CaptionedImages(source, part, [tokens[i] for i in part.tolist()]) for part in kept)
        self._check_training(train)
        return Splits(train, val, test)

    def _check_training(self, train: CaptionedImages) -> None:
        if not len(train):
            raise ValueError(f"CaptionedImageDataModule: none of the training images in {self.root} can be read.")
        alike = next((i for i in range(len(train)) if len(train.barred(i)) == len(train.tokens)), None)
        if alike is not None:
            raise ValueError(
                f"CaptionedImageDataModule: every caption in {self.root} is also one of training image {alike}, or of "
                f"its class, so that none is wrong for it: give the images texts that differ in their first "
                f"{self._tokenizer.max_tokens} tokens."
            )

    def _tokens(self, images: Sequence[Captioned]) -> list[Tensor]:
        """Tokens of the captions of each image; tells how many are cut, and which say nothing."""
        texts = [text for image in images for text in image.texts]
        lengths = np.array(self._tokenizer.lengths(texts))
        if n_cut := int((lengths > self._tokenizer.max_tokens).sum()):
            longest = texts[int(lengths.argmax())]
            rank_zero_warn(
                f"CaptionedImageDataModule: {n_cut} of {len(texts)} captions are longer than max_tokens, "
                f"{self._tokenizer.max_tokens}, and are cut there, such as {longest[:50]!r}..."
            )
        encoded = self._tokenizer.encode(texts)
        # Of training: what is held out may have new words.
        n_training = sum(len(image.texts) for image in self._images["train"])
        some = encoded[:n_training]
        mute = ((some == PADDING) | (some == self._tokenizer.unknown_token)).all(1).nonzero()[:, 0].tolist()
        if mute:
            rank_zero_warn(
                f"CaptionedImageDataModule: {len(mute)} of {n_training} captions for training have no token that the "
                f"tokenizer knows, so that they say nothing, such as {texts[mute[0]][:50]!r}: see the argument "
                "tokens."
            )
        return list(encoded.split([len(image.texts) for image in images]))

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, CaptionedImages)
        # Whole batches only, in training.
        flip = training and self.flip
        return CaptionLoader(source, training, order, self.batch_size, training, flip, pin_memory)

    def _report(self, found: CaptionsFound) -> None:
        """Tell what is left out."""
        unreadable = [f"{file} ({reason})" for file, reason in found.unreadable.items()]
        reasons: list[tuple[Sequence[str], str, str]] = [
            (found.silent, "image has no text", "images have no text"),
            (found.lost, "text has no image", "texts have no image"),
            (unreadable, "text file cannot be read", "text files cannot be read"),
        ]
        parts = [
            f"{len(some)} {one if len(some) == 1 else several}: {', '.join(some[:_NAMED])}"
            for some, one, several in reasons
            if some
        ]
        if n := found.n_empty:
            parts.append("1 caption is empty" if n == 1 else f"{n} captions are empty")
        if not parts:
            return
        said = f"CaptionedImageDataModule: of {self.root}, {'; '.join(parts)}"
        if self.strict:
            raise ValueError(f"{said}. Mend them, or set strict to false to leave them out.")
        if not found.images:
            raise ValueError(f"{said}: nothing is left.")
        rank_zero_warn(f"{said}; they are left out.")


def _chosen(
    images: Sequence[Captioned], hold_out: Sequence[str], val_size: int | None, test_size: int, location: str
) -> dict[str, list[Captioned]]:
    """Images of each split."""
    wanted = [" ".join(text.split()).lower() for text in hold_out]
    splits: dict[str, list[Captioned]] = {name: [] for name in _SPLITS}
    seen = set()
    for image in images:
        # Whole texts; what ``join`` has added comes after a comma.
        texts = [f"{text.lower()}, " for text in image.texts]
        held = {each for each in wanted if any(text.startswith(f"{each}, ") for text in texts)}
        seen |= held
        splits["test" if held else image.split or "train"].append(image)
    if missing := [text for text in wanted if text not in seen]:
        raise ValueError(f"hold_out has {missing[0]!r}, and no image in {location} has that text.")
    said = {image.split for image in images if image.split is not None}
    free = splits["train"]
    if not free:
        raise ValueError(
            f"Nothing is left to train on: all {len(images)} images with texts in {location} are for validation or "
            "testing, by the data or by hold_out."
        )
    n_val = min(1000, len(free) // 10) if val_size is None else val_size
    # What the data hold out themselves is not taken from the training images.
    parts = held_out(
        len(free), location, val_size=0 if "val" in said else n_val, test_size=0 if "test" in said else test_size
    )
    train, val, test = ([free[i] for i in part.tolist()] for part in parts)
    return {"train": train, "val": splits["val"] + val, "test": splits["test"] + test}
