"""``gan-lightning evaluate``: the metrics of a checkpoint or of a folder of samples."""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.errors import disk_trouble_in_a_sentence, told_in_a_sentence
from gan_lightning.commands.from_checkpoint import add_device, add_import, import_packages, load_sampler, positive
from gan_lightning.image_sets import write_whole

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

_EXAMPLES = """\
examples:
  gan-lightning evaluate --ckpt last.ckpt --data MNISTDataModule --extractor classifier
  gan-lightning evaluate --ckpt last.ckpt --data ImageFolderDataModule --data.root faces --metrics fid kid
  gan-lightning evaluate --samples samples --reference faces --json scores.json

--data.NAME VALUE sets an argument of the data module, and --data.help CLASS lists them.
"""


def run(command: str, arguments: Sequence[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    with told_in_a_sentence(command):
        import_packages(options.packages)
        scores = _scores(options, rest)
    _report(command, scores, options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gan-lightning evaluate",
        description="Compare samples with real images. The samples are a checkpoint's or the files of a folder, the "
        "real images a data module's or the files of a folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    samples = parser.add_mutually_exclusive_group(required=True)
    samples.add_argument("--ckpt", type=Path, metavar="PATH", help="checkpoint that `fit` wrote")
    samples.add_argument("--samples", type=Path, metavar="DIR", help="folder of samples")
    parser.add_argument("--data", metavar="CLASS", help="data module of the real images")
    parser.add_argument("--reference", type=Path, metavar="DIR", help="folder of real images")
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=["fid"],
        metavar="NAME",
        help="any of fid, kid, inception_score, precision, recall (default: fid)",
    )
    parser.add_argument(
        "--extractor",
        default="inception",
        metavar="NAME",
        help="inception; classifier, a small network trained on the data's labels; pixels; a name in torch-fidelity's "
        "registry, or the import path of a FeatureExtractor (default: %(default)s)",
    )
    parser.add_argument("--weights_path", type=Path, metavar="FILE", help="the extractor's weights; else downloaded")
    parser.add_argument("--split", choices=["train", "val", "test"], default="train", help="of --data (default: train)")
    parser.add_argument(
        "--num_samples",
        type=positive,
        metavar="N",
        help="samples of --ckpt (default: as many as there are real images, at most 10000)",
    )
    parser.add_argument("--num_real", type=positive, metavar="N", help="real images of --data (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="which samples of --ckpt (default: %(default)s)")
    parser.add_argument("--batch_size", type=positive, default=64, help="images at a time (default: %(default)s)")
    parser.add_argument("--kid_subset_size", type=positive, default=1000, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--cache_dir", type=Path, metavar="DIR", help="for what is kept of the real images (default: the user's cache)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too, by name")
    add_import(parser)
    add_device(parser)
    return parser


def _scores(options: argparse.Namespace, rest: Sequence[str]) -> dict[str, float]:
    import torch

    from gan_lightning.metrics.cache import TensorCache
    from gan_lightning.metrics.evaluator import Evaluator
    from gan_lightning.metrics.extractors import Ingredients, make_extractor
    from gan_lightning.metrics.scores import Options, chosen
    from gan_lightning.metrics.sources import MOST_SAMPLES, FolderImages, Images, Samples, label_of, real_images

    chosen(options.metrics)
    cache = TensorCache(options.cache_dir)
    device = torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")
    model = load_sampler(options.ckpt, options.device) if options.ckpt else None
    data = _data(options, rest)
    learn_from = None if data is None else lambda: real_images(data, "train")
    extractor = make_extractor(options.extractor, Ingredients(options.weights_path, learn_from, cache))
    evaluator = Evaluator(
        options.metrics, extractor, cache, options.batch_size, device, Options(kid_subset_size=options.kid_subset_size)
    )
    # A folder's files are read as the other side has its images, grey or in colour.
    shapes = [getattr(side, "image_shape", None) for side in (data, model)]
    channels: int = next((shape[0] for shape in shapes if shape), 3)
    real: Images
    if data is not None:
        real, label = real_images(data, options.split, options.num_real), label_of(data, options.split)
    else:
        real, label = FolderImages(options.reference, channels), f"folder-{options.reference.resolve()}"
    samples: Images
    if model is not None:
        n = options.num_samples or min(len(real), MOST_SAMPLES)
        samples = Samples(model.sample, n, options.seed)  # type: ignore[arg-type]
    else:
        samples = FolderImages(options.samples, channels)
    return evaluator.score(samples, evaluator.describe(real, label, "Real images"), "Samples")


def _data(options: argparse.Namespace, rest: Sequence[str]) -> "LightningDataModule | None":
    """The data module, ready to be read; None where the real images are in a folder."""
    if (options.data is None) == (options.reference is None):
        raise ValueError("give the real images with either --data or --reference.")
    if options.data is None:
        if rest:
            raise ValueError(f"there is no option {rest[0]} (see --help).")
        return None
    from lightning.pytorch import LightningDataModule

    import datamodules
    from gan_lightning.commands.parser import parser_for

    for name in datamodules.__all__:  # A class is known by its short name once it is imported.
        getattr(datamodules, name)
    parser = parser_for("evaluate")()
    parser.add_subclass_arguments(LightningDataModule, "data")
    data: LightningDataModule = parser.instantiate(parser.parse_args(["--data", options.data, *rest])).data
    data.prepare_data()
    data.setup("test" if options.split == "test" else "fit")
    return data


def _report(command: str, scores: dict[str, float], path: Path | None) -> None:
    width = max(map(len, scores))
    for name, score in scores.items():
        print(f"{name:{width}}  {score:.6g}")
    if path is not None:
        numbers = {name: score if math.isfinite(score) else None for name, score in scores.items()}
        with disk_trouble_in_a_sentence(command, path, "run the same command again; the numbers are those above"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, (json.dumps(numbers, indent=2) + "\n").encode())
