"""Fill a folder with the page and what it needs: the zoo as ONNX files, and onnxruntime-web out of the npm registry.

    pip install 'gan-lightning[export,text]'
    python docs/demo/fill.py --out site
    python -m http.server --directory site

What is written is static: any server of files serves it, and the page asks for nothing elsewhere.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.games.image import ImageGame
from gan_lightning.inference import from_pretrained, zoo
from gan_lightning.inference.export import export, portable_of

HERE = Path(__file__).parent
PAGE = ("index.html", "demo.css", "main.js", "model.js", "sampler.js", "colourer.js", "tokens.js")
RUNTIME = "onnxruntime-web@1.30.0"
PARTS = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What one thread of WebAssembly needs of it; 13 MB, most of it the last."""
SEED, SAMPLES = 0, 64
"""The pictures that the page can begin with are those of `gan-lightning generate --seed 0 --n 64`."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fill a folder with the page, the zoo's models and onnxruntime-web.")
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="the folder (default: the page's own)")
    parser.add_argument("--models", nargs="+", default=zoo.names(), metavar="NAME", help="of the zoo (default: all)")
    options = parser.parse_args(arguments)
    try:
        fill(options.out, options.models)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"fill.py: {error}", file=sys.stderr)
        return 1
    print(f"Now serve the files: python -m http.server --directory {options.out}")
    return 0


def fill(folder: Path, names: Sequence[str]) -> None:
    """Fill a folder.

    Raises:
        OSError: npm is not installed, or a file cannot be written.
        ValueError: There is no such model.
        subprocess.CalledProcessError: npm does not get the package.
    """
    (folder / "models").mkdir(parents=True, exist_ok=True)
    if folder.resolve() != HERE.resolve():
        for name in PAGE:
            shutil.copy(HERE / name, folder / name)
    fetch_runtime(folder / "vendor")
    cards = {model.name: model for model in zoo.models()}
    known = []
    for name in names:
        zoo.find(name)  # or it says which one was meant
        game: Any = from_pretrained(f"{zoo.PREFIX}{name}")
        if not has_controls(game):
            print(f"{name}: left out, for the page has no controls for it")
            continue
        print(f"{name} ...")
        card = cards[name]
        known.append({"name": name, "about": card.about, "data": card.data, "licence": card.licence})
        known[-1] |= write_model(game, name, folder / "models")
    (folder / "models" / "models.json").write_text(json.dumps(known, ensure_ascii=False), "utf-8")


def fetch_runtime(folder: Path) -> None:
    """Take the parts of onnxruntime-web out of its package."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["npm", "pack", "--silent", RUNTIME], cwd=place, check=True, stdout=subprocess.DEVNULL)
        (package,) = Path(place).glob("*.tgz")
        with tarfile.open(package) as files:
            for part in PARTS:
                content = files.extractfile(f"package/dist/{part}")
                assert content is not None
                (folder / part).write_bytes(content.read())


def has_controls(game: Any) -> bool:
    """Whether the page can run a model: one of latents, whose images are no points, or of line art with hints."""
    inputs = portable_of(game).inputs
    _, height, width = game.hparams["image_shape"]
    return height * width > 1 and ("latent" in inputs or "hints" in inputs)


def write_model(game: Any, name: str, folder: Path) -> dict[str, Any]:
    """Write a model, and the latents of its first samples; returns what the page is to know of it."""
    import onnx

    export(game, folder / f"{name}.onnx")
    metadata = {each.key: each.value for each in onnx.load(folder / f"{name}.onnx").metadata_props}
    known: dict[str, Any] = json.loads(metadata["gan_lightning"])
    known["size"] = (folder / f"{name}.onnx").stat().st_size
    known["shape"] = [*game.hparams["image_shape"]]
    if isinstance(game, ImageGame):
        latents = game.latents_of_samples(0, SAMPLES, SEED, None)
        # float32, the lowest byte first: as every browser has them.
        (folder / f"{name}.latents").write_bytes(latents.numpy().astype("<f4").tobytes())
        known |= {"seed": SEED, "samples": SAMPLES, "num_classes": getattr(game, "num_classes", None)}
    if "hints" in known["inputs"]:
        known["hint_side"] = (game.hint_law[1] + 1) // 2
    return known


if __name__ == "__main__":
    sys.exit(main())
