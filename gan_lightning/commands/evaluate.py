"""``gan-lightning evaluate``: the metrics of a checkpoint or of a folder of samples."""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.errors import disk_errors_in_one_sentence, errors_in_one_sentence
from gan_lightning.commands.evaluated import ImageFormat, check_options, data_module, sets_to_compare
from gan_lightning.commands.evaluated_texts import (
    add_text_options,
    captions_of_split,
    check_text_options,
    choose_split,
    text_measure,
)
from gan_lightning.commands.from_checkpoint import (
    add_device,
    add_import,
    add_standing_statistics,
    import_packages,
    load_sampler,
    torch_device,
)
from gan_lightning.commands.options import OptionParser, path, whole
from gan_lightning.commands.truncation_sweep import (
    Scores,
    Truncation,
    add_truncations,
    check_sweep,
    named,
    report_sweep,
    truncated_samples,
)
from gan_lightning.visualization.image_sets import write_atomically

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.metrics.image_sources import Images

_EXAMPLES = """\
examples:
  gan-lightning evaluate --ckpt last.ckpt --data MNISTDataModule --extractor classifier
  gan-lightning evaluate --ckpt last.ckpt --data ImageFolderDataModule --data.root faces --metrics fid kid
  gan-lightning evaluate --ckpt last.ckpt --data CIFAR10DataModule --metrics fid inception_score precision recall \\
      --extractor classifier --truncation 0.2 0.5 1 1.5 none --plot sweep.png
  gan-lightning evaluate --ckpt gan_cls.ckpt --data CaptionedImageDataModule --data.root emoji \\
      --metrics fid r_precision --encoders damsm.ckpt
  gan-lightning evaluate --samples samples --reference faces --json scores.json
  gan-lightning evaluate --samples samples --reference faces --metrics fd_dinov2 --weights_path dinov2_vitl14.pth

--data.NAME VALUE sets an argument of the data module, and --data.help CLASS lists them.
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    with errors_in_one_sentence(command):
        import_packages(options.packages)
        truncations = check_sweep(options)
        scores = _scores(options, rest, truncations)
    if len(truncations) > 1:
        report_sweep(command, scores, options.json, options.plot)
    else:
        _report(command, scores[truncations[0]], options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(
        prog="gan-lightning evaluate",
        description="Compare samples with real images. The samples are a checkpoint's or the files of a folder, the "
        "real images a data module's or the files of a folder.",
        epilog=_EXAMPLES,
    )
    samples = parser.add_mutually_exclusive_group(required=True)
    samples.add_argument("--ckpt", type=path, metavar="PATH", help="checkpoint that `fit` wrote")
    samples.add_argument("--samples", type=path, metavar="DIR", help="folder of samples")
    parser.add_argument("--data", metavar="CLASS", help="data module of the real images")
    parser.add_argument("--reference", type=path, metavar="DIR", help="folder of real images")
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=["fid"],
        metavar="NAME",
        help="any of fid, kid, inception_score, precision, recall, density, coverage, fd_dinov2, kd_dinov2; of models "
        "of texts also r_precision, r_precision_std, text_similarity (default: fid)",
    )
    parser.add_argument(
        "--extractor",
        metavar="NAME",
        help="inception; vgg16; dinov2; classifier, a small network trained on the data's labels; pixels; another name "
        "in torch-fidelity's registry, or the import path of a FeatureExtractor (default: each metric's own as "
        "published, vgg16 for precision, recall, density and coverage, dinov2 for those of its name and inception for "
        "the others; of another's features a metric carries its name: fid_pixels, precision_inception)",
    )
    parser.add_argument(
        "--weights_path",
        nargs="+",
        metavar="FILE",
        help="the extractor's weights, or those of several: inception=FILE vgg16=FILE (default: they are downloaded)",
    )
    add_text_options(parser)
    _add_images(parser)
    parser.add_argument("--batch_size", type=whole(1), default=64, help="images at a time (default: %(default)s)")
    parser.add_argument("--kid_subset_size", type=whole(1), default=1000, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--cache_dir", type=path, metavar="DIR", help="for what is kept of the real images (default: the user's cache)"
    )
    parser.add_argument(
        "--json", type=path, metavar="FILE", help="write the numbers here too, by name; for several --truncation a list"
    )
    add_import(parser)
    add_device(parser)
    return parser


def _add_images(parser: argparse.ArgumentParser) -> None:
    """Which images are compared."""
    parser.add_argument(
        "--split", choices=["train", "val", "test"], help="of --data (default: train; of models of texts test)"
    )
    parser.add_argument(
        "--image_size",
        type=whole(1),
        nargs="+",
        metavar="N",
        help="height and width, one number for both or two, to which the images of folders and of --data are cropped "
        "and resized, as ImageFolderDataModule does it (default: the size of the samples of --ckpt; two folders: their "
        "own)",
    )
    parser.add_argument(
        "--num_samples",
        type=whole(1),
        metavar="N",
        help="samples (default: as many as --ckpt has real images to compare with, at most 10000; all of --samples)",
    )
    parser.add_argument("--num_real", type=whole(1), metavar="N", help="real images, evenly spread (default: all)")
    parser.add_argument("--seed", type=whole(), help="which samples of --ckpt (default: 0)")
    add_truncations(parser)
    add_standing_statistics(parser)


def _scores(
    options: argparse.Namespace, rest: Sequence[str], truncations: Sequence[Truncation]
) -> dict[Truncation, Scores]:
    """The metrics at each truncation of the samples."""
    from gan_lightning.metrics.image_sources import MOST_SAMPLES
    from gan_lightning.metrics.registry import select_metrics
    from gan_lightning.trainer.speed import keep_freed_memory

    of_texts = check_text_options(options)
    of_images = [name for name in options.metrics if name not in of_texts]
    if of_images:
        select_metrics(of_images)
    check_options(options)
    if torch_device(options.device) == "cpu":
        # The extractor's maps: freed pages would be zeroed again for every few images.
        keep_freed_memory()
    model = _sampler(options, truncations) if options.ckpt else None
    choose_split(options, model, of_texts)
    data, image_format = data_module(options, rest, model)
    captions = captions_of_split(options, model, data)
    measures = []
    samples: Images | None = None
    n = options.num_samples or min(len(captions.texts), MOST_SAMPLES)
    if of_images:
        measure, samples = _image_measure(options, of_images, model, data, image_format)
        measures.append(measure)
        n = len(samples)
    if captions.texts:
        captions.tell(n)
    if of_texts:
        measures.append(text_measure(options, model, captions, n, of_texts))
    scores: dict[Truncation, Scores] = {}
    for truncation in truncations:
        if model is not None:
            samples = truncated_samples(options, model, n, truncation, captions.shown(n))
        title = "Samples" if len(truncations) == 1 else f"Samples, truncation {named(truncation)}"
        assert samples is not None  # Files have no metrics of texts.
        scores[truncation] = {name: score for measure in measures for name, score in measure(samples, title).items()}
    return scores


def _sampler(options: argparse.Namespace, truncations: Sequence[Truncation]) -> "AdversarialModule":
    """The model of ``--ckpt``, whose latents can be truncated so."""
    from gan_lightning.inference import check_truncation  # With all games: two folders need none.

    model = load_sampler(options.ckpt, options.device)
    if medium := getattr(model, "medium", None):
        raise ValueError(
            f"{type(model).__name__} makes {medium.name}, and evaluate compares images: samples of other kinds are "
            "measured by callbacks, of texts by SequenceQuality, in `gan-lightning fit` and `validate`."
        )
    for given in truncations:
        if given is not None:
            check_truncation(model, given)
    return model


def _image_measure(
    options: argparse.Namespace,
    names: Sequence[str],
    model: "AdversarialModule | None",
    data: "LightningDataModule | None",
    image_format: ImageFormat,
) -> "tuple[Callable[[Images, str], Scores], Images]":
    """What compares samples with the real images, which are looked at once, and the samples without truncation."""
    import torch

    from gan_lightning.metrics.cache import TensorCache
    from gan_lightning.metrics.extractors import Ingredients, extractors_of
    from gan_lightning.metrics.feasible import check_feasible
    from gan_lightning.metrics.image_sources import real_images
    from gan_lightning.metrics.joint import JointEvaluator
    from gan_lightning.metrics.registry import Options

    cache = TensorCache(options.cache_dir)
    # The extractor "classifier" is trained on the labelled training images, on first use.
    learn_from = None if data is None else lambda: real_images(data, "train")
    how = Options(kid_subset_size=options.kid_subset_size)
    extractors = extractors_of(names, options.extractor, Ingredients(_weights(options.weights_path), learn_from, cache))
    device = torch.device(torch_device(options.device))
    evaluator = JointEvaluator(extractors, cache=cache, batch_size=options.batch_size, device=device, options=how)
    # Both sets are lazy: nothing has been generated or read so far.
    sets = sets_to_compare(options, model, data, image_format)
    image_shape = next(iter(sets.real.image_batches([torch.tensor([0])]))).shape[1:]
    check_feasible(extractors, image_shape, len(sets.samples), len(sets.real), how)
    real = evaluator.describe(sets.real, sets.label, "Real images")
    return lambda samples, title: evaluator.score(samples, real, title), sets.samples


def _weights(given: Sequence[str] | None) -> str | dict[str, str] | None:
    """One file, or files by the names of their extractors."""
    if given is None:
        return None
    # A path may have an equals sign in it.
    if len(given) == 1 and ("=" not in given[0] or Path(given[0]).is_file()):
        return given[0]
    pairs = [text.partition("=") for text in given]
    if not all(name and path for name, _, path in pairs):
        raise ValueError(f"--weights_path {' '.join(given)}: give one file, or inception=FILE vgg16=FILE.")
    return {name: path for name, _, path in pairs}


def _report(command: str, scores: dict[str, float], path: Path | None) -> None:
    width = max(map(len, scores))
    for name, score in scores.items():
        print(f"{name:{width}}  {score:.6g}")
    if path is not None:
        # JSON has no NaN and no infinity.
        numbers = {name: score if math.isfinite(score) else None for name, score in scores.items()}
        with disk_errors_in_one_sentence(command, path, "run the same command again; the numbers are those above"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (json.dumps(numbers, indent=2) + "\n").encode())
