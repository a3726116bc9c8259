"""Time and agreement of the metrics against torch-fidelity: the same generator, real images and extractor, in one run.

All times are seconds of CPU, over all threads.

    python -m benchmarks evaluation --real FOLDER --weights INCEPTION.pth --n 2000

FOLDER holds real images of 32 x 32. Without --weights the network's weights are random, which take as long.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch_fidelity
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_lightning.games.image import ImageGame
from gan_lightning.games.randomness import indexed_normal
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import Ingredients, make_extractor
from gan_lightning.metrics.frechet import covariance_factor, distance_to_factor
from gan_lightning.metrics.image_sources import FolderImages, Samples
from gan_lightning.metrics.registry import Options
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.images import to_uint8

METRICS = ["fid", "kid", "precision", "recall"]
THEIR_NAMES = ["frechet_inception_distance", "kernel_inception_distance_mean", "precision", "recall"]


class Generator(torch_fidelity.GenerativeModelBase):
    """The same generator as torch-fidelity wants it; it draws its own latents, so here they are looked up by index."""

    def __init__(self, game: ImageGame) -> None:
        super().__init__()
        self.game = game
        self.made = 0

    z_size = property(lambda self: self.game.latent_dim)
    z_type = property(lambda self: "normal")
    num_classes = property(lambda self: 0)

    def forward(self, latent: Tensor) -> Tensor:
        start, self.made = self.made, self.made + len(latent)
        return to_uint8(self.game(indexed_normal(start, self.made, self.game.latent_dim, seed=0)))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU, which other processes on the machine cannot stretch, and the answer."""
    start = time.process_time()
    answer = call()
    return time.process_time() - start, answer


def random_weights(path: Path) -> Path:
    """A file of random weights, as torch-fidelity reads it."""
    torch.save({}, path)
    load, nn.Module.load_state_dict = nn.Module.load_state_dict, lambda *_: None  # type: ignore[method-assign, assignment]
    try:
        network = FeatureExtractorInceptionV3("any", ["2048"], str(path))
    finally:
        nn.Module.load_state_dict = load  # type: ignore[method-assign]
    torch.save(network.state_dict(), path)
    return path


def compare(real: Path, weights: Path, n: int, folder: Path) -> None:
    torch.manual_seed(0)
    game = DCGAN(image_shape=(3, 32, 32)).eval()
    size = min(1000, n, len(FolderImages(real)))
    extractor = make_extractor("inception", Ingredients(weights))
    evaluator = Evaluator(METRICS, extractor, TensorCache(folder / "cache"), options=Options(kid_subset_size=size))
    cold, _ = timed(lambda: evaluator.describe(FolderImages(real)))
    warm, reference = timed(lambda: evaluator.describe(FolderImages(real)))
    ours, scores = timed(lambda: evaluator.score(Samples(game.sample, n), reference))
    theirs, expected = timed(
        lambda: torch_fidelity.calculate_metrics(
            input1=Generator(game),
            input1_model_num_samples=n,
            input2=str(real),
            samples_find_deep=True,
            feature_extractor="inception-v3-compat",  # its precision and recall would take VGG
            feature_extractor_weights_path=str(weights),
            fid=True,
            kid=True,
            prc=True,
            kid_subset_size=size,
            batch_size=64,
            cuda=False,
            cache=False,
            verbose=False,
        )
    )
    print(f"real images, once: {cold:.1f} s; from the cache: {warm:.2f} s")
    print(f"fid + kid + precision/recall of {n} samples: {warm + ours:.1f} s")
    print(f"torch-fidelity: {theirs:.1f} s; ratio {(warm + ours) / theirs:.2f} (at most 0.6)")
    for (name, score), their_name in zip(scores.items(), THEIR_NAMES, strict=True):
        difference = abs(score - expected[their_name]) / max(abs(expected[their_name]), 1e-12)
        print(f"  {name:10} {score:.7g}  torch-fidelity {expected[their_name]:.7g}  relative {difference:.1e}")


def trace_term() -> None:
    """The part of FID that is not arithmetic, at Inception's width."""
    features = torch.randn(2, 4000, 2048, dtype=torch.float64).abs()
    (mean1, cov1), (mean2, cov2) = ((x.mean(dim=0), x.T.cov()) for x in (features[0], features[1]))
    once, root = timed(lambda: covariance_factor(cov1))
    again = min(timed(lambda: distance_to_factor(mean1, root, mean2, cov2))[0] for _ in range(3))
    print(
        f"FID of moments at 2048 dimensions: {again:.2f} s (at most 1 s on 2 cores); the real side, once: {once:.2f} s"
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks evaluation", description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of real images; none: only the trace term is timed")
    parser.add_argument("--weights", type=Path, help="torch-fidelity's file of Inception's weights")
    parser.add_argument("--n", type=int, default=2000, help="samples")
    options = parser.parse_args(arguments)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    trace_term()
    if options.real is not None:
        with tempfile.TemporaryDirectory() as name:
            weights = options.weights or random_weights(Path(name, "random.pth"))
            compare(options.real, weights, options.n, Path(name))
