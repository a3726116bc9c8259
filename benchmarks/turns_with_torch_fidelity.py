"""`gan-lightning evaluate` and torch-fidelity in turns, on the same two folders: seconds of CPU, and what they find.

    python -m benchmarks turns_with_torch_fidelity --real DIR --samples DIR --weights FILE --n 2000 --cached

With --cached the real images' statistics lie in the cache of either, without it nothing does. Both stay in a warm
process of their own; what a cold start adds is measured on four images.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from gan_lightning.metrics.image_sources import FolderImages
from gan_lightning.visualization.images import write_png

OPTIONS = {"fid": "fid", "kid": "kid", "inception_score": "isc", "precision": "prc", "recall": "prc"}
THEIR_NAMES = {
    "fid": "frechet_inception_distance",
    "kid": "kernel_inception_distance_mean",
    "inception_score": "inception_score_mean",
    "precision": "precision",
    "recall": "recall",
}
Case = dict[str, str]
"""Paths and settings of one comparison, as text: it goes from process to process."""


def ours(case: Case) -> dict[str, float]:
    from gan_lightning.cli import main

    metrics = case["metrics"].split()
    result = Path(case["folder"], "ours.json")
    options = ["--samples", case["samples"], "--reference", case["real"], "--metrics", *metrics, "--json", str(result)]
    options += ["--extractor", "inception", "--weights_path", case["weights"], "--cache_dir", case["folder"] + "/ours"]
    if "kid" in metrics:
        options += ["--kid_subset_size", case["subset"]]
    if code := main(["evaluate", *options]):
        raise RuntimeError(f"evaluate ended with {code}.")
    scores = json.loads(result.read_text())
    return {name: scores.get(name, scores.get(f"{name}_inception")) for name in metrics}


def theirs(case: Case) -> dict[str, float]:
    import torch_fidelity

    metrics = case["metrics"].split()
    found = torch_fidelity.calculate_metrics(
        input1=case["samples"],
        input2=case["real"],
        **dict.fromkeys([OPTIONS[name] for name in metrics], True),
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=case["weights"],
        kid_subset_size=int(case["subset"]),
        cuda=False,
        cache=bool(case["cached"]),
        cache_root=case["folder"] + "/theirs",
        input2_cache_name="real" if case["cached"] else None,
        save_cpu_ram=True,  # no processes to read files, which cost it more than they read
        verbose=False,
    )
    return {name: found[THEIR_NAMES[name]] for name in metrics}


CONTESTANTS = {"ours": ours, "theirs": theirs}


def timed(name: str, case: Case) -> tuple[float, dict[str, float]]:
    """Seconds of CPU of this process and of those that it has started, and the answer."""
    start = sum(os.times()[:4])
    answer = CONTESTANTS[name](case)
    return sum(os.times()[:4]) - start, answer


def started(name: str, case: Case) -> float:
    """The same in a new process, which starts Python and imports all that is needed."""
    start = sum(os.times()[2:4])
    code = f"import json, sys; from {__name__} import {name}; {name}(json.loads(sys.argv[1]))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, json.dumps(case)], check=True, capture_output=True)
    return sum(os.times()[2:4]) - start


def lay_out(source: Path, folder: Path, n: int) -> str:
    """Write n images of the source, evenly spread, as PNG files into a new folder, which is returned."""
    images = FolderImages(source, at_most=n)
    if len(images) < n:
        raise SystemExit(f"{source} has {len(images)} images, not {n}.")
    folder.mkdir()
    for number, batch in enumerate(images.image_batches(torch.arange(n).split(1))):
        write_png(folder / f"{number:05d}.png", batch[0])
    return str(folder)


def case_of(options: argparse.Namespace, place: Path, name: str, n: int, n_real: int) -> Case:
    folder = place / name
    folder.mkdir()
    return {
        "folder": str(folder),
        "samples": lay_out(options.samples, folder / "samples", n),
        "real": lay_out(options.real, folder / "real", n_real),
        "weights": str(options.weights.resolve()),
        "metrics": " ".join(options.metrics),
        "subset": str(min(1000, n, n_real)),
        "cached": "yes" if options.cached else "",
    }


def summary(times: dict[str, list[float]]) -> str:
    """Medians of the seconds, and of the rounds' ratios with their range."""
    ratios = sorted(mine / their for mine, their in zip(times["ours"], times["theirs"], strict=True))
    seconds = ", ".join(f"{name} {statistics.median(each):.1f} s" for name, each in times.items())
    return f"{seconds}; ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"


def compare(options: argparse.Namespace, place: Path) -> None:
    few = case_of(options, place, "few", 4, 4)
    whole = case_of(options, place, "whole", options.n, options.n_real or options.n)
    folder = Path(whole["folder"])
    workers = {name: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for name in CONTESTANTS}
    times: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    answers: dict[str, dict[str, float]] = {}
    for name, worker in workers.items():
        worker.submit(timed, name, few).result()
        if options.cached:
            worker.submit(timed, name, {**whole, "samples": few["samples"]}).result()
    for turn in range(options.rounds):
        for name in list(CONTESTANTS)[:: 1 if turn % 2 else -1]:
            case = whole if options.cached else {**whole, "folder": str(folder / f"{name}{turn}")}
            Path(case["folder"]).mkdir(exist_ok=True)
            seconds, answers[name] = workers[name].submit(timed, name, case).result()
            times[name].append(seconds)
            print(f"  {name}: {seconds:.1f} s", flush=True)
    print(f"{' '.join(options.metrics)}, {'cached' if options.cached else 'cold'}, {options.n}: {summary(times)}")
    for metric, score in answers["ours"].items():
        their = answers["theirs"][metric]
        print(f"  {metric:16} {score:.9g}  torch-fidelity {their:.9g}  relative {abs(score / their - 1):.1e}")
    for name, worker in workers.items():
        cold, warm = started(name, few), worker.submit(timed, name, few).result()[0]
        print(f"  a cold process adds, {name}: {cold - warm:.1f} s")
        worker.shutdown()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks turns_with_torch_fidelity", description=__doc__)
    parser.add_argument("--real", type=Path, required=True, help="folder of real images, all of one size")
    parser.add_argument("--samples", type=Path, required=True, help="folder of images in the place of samples")
    parser.add_argument("--weights", type=Path, required=True, help="torch-fidelity's file of Inception's weights")
    parser.add_argument("--metrics", nargs="+", default=["fid"], choices=list(OPTIONS))
    parser.add_argument("--n", type=int, default=200, help="samples")
    parser.add_argument("--n_real", type=int, help="real images (default: as many)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cached", action="store_true", help="the real side is cached by both")
    options = parser.parse_args(arguments)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, instructions: "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )
    with tempfile.TemporaryDirectory() as name:
        compare(options, Path(name))
