"""Commands that train nothing start without Lightning, and make the same images as with it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from PIL import Image

from gan_lightning.games.translation import TranslationGame
from gan_lightning.trainer.module import SamplingModule
from gan_lightning.variants import DCGAN, Pix2Pix
from tests.helpers.games import VARIANTS, save_checkpoint, small
from tests.metrics.stand_ins import inception_weights

SLOW = (
    *("lightning", "torchvision", "torchmetrics", "torch_fidelity", "jsonargparse"),
    *("pandas", "scipy", "sklearn", "sympy", "matplotlib", "torch._dynamo"),
)
"""Packages that take long to import, and that a command which trains nothing has no use for."""
GAMES = "gan_lightning.games"
"""With them come all networks: only checkpoints need them."""


REPORT = f"\nimport sys; print('LOADED', *[name for name in {(*SLOW, GAMES, 'torch')!r} if name in sys.modules])"


def loaded(said: str) -> set[str]:
    return set(said.splitlines()[-1].split()[1:])


def loaded_by(code: str, *arguments: object) -> set[str]:
    """Which of the slow packages, of torch and the games a process has loaded when it has run ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return loaded(done.stdout)


FORKS = """
import json, os, sys, traceback
import torch
for line in sys.stdin:
    code, arguments, said = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    file = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["-c", *arguments]
    try:
        exec(code, {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)
"""
"""A process that loads torch and nothing else, and forks one that goes on from there for each line that it reads."""


@pytest.fixture(scope="module")
def loaded_after_torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., set[str]]]:
    """What :func:`loaded_by` says, for code that loads torch in any case: it is loaded once for all of them."""
    said = tmp_path_factory.mktemp("said")
    process = subprocess.Popen([sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None  # closed at the end
    numbers = count()

    def loaded_after_torch(code: str, *arguments: object) -> set[str]:
        assert process.stdin is not None
        assert process.stdout is not None
        file = said / str(next(numbers))
        print(json.dumps([code + REPORT, [*map(str, arguments)], str(file)]), file=process.stdin, flush=True)
        assert process.stdout.readline() == "0\n", file.read_text()
        return loaded(file.read_text())

    yield loaded_after_torch
    process.stdin.close()
    process.wait(60)


COMMAND = """
from gan_lightning.cli import main
try:
    code = main()
except SystemExit as end:
    code = end.code
assert code in (0, None), code
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a game from latents and of one from images, and a folder of two images."""
    folder = tmp_path_factory.mktemp("start")
    save_checkpoint(small(DCGAN), folder / "dcgan.ckpt")
    save_checkpoint(small(Pix2Pix), folder / "pix2pix.ckpt")
    torch.save(inception_weights(), folder / "inception.pth")
    (folder / "images").mkdir()
    for name, level in (("dark", 20), ("light", 220)):
        Image.new("L", (16, 16), level).save(folder / "images" / f"{name}.png")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "--ckpt", "{0}/dcgan.ckpt", "--n", 1, "--out", "{1}/new"),
        ("translate", "--ckpt", "{0}/pix2pix.ckpt", "--input", "{0}/images", "--out", "{1}/new"),
        (
            *("evaluate", "--samples", "{0}/images", "--reference", "{0}/images", "--extractor", "pixels"),
            *("--metrics", "kid", "fid", "--kid_subset_size", 2, "--cache_dir", "{1}"),
        ),
        (
            *("evaluate", "--samples", "{0}/images", "--reference", "{0}/images", "--extractor", "inception"),
            *("--weights_path", "{0}/inception.pth", "--metrics", "kid", "--kid_subset_size", 2, "--cache_dir", "{1}"),
        ),
        (
            *("evaluate", "--ckpt", "{0}/dcgan.ckpt", "--reference", "{0}/images", "--extractor", "pixels"),
            *("--metrics", "kid", "--kid_subset_size", 2, "--cache_dir", "{1}"),
        ),
    ],
    ids=["generate", "translate", "evaluate folders", "evaluate with Inception", "evaluate a checkpoint"],
)
def test_a_command_that_trains_nothing_loads_torch_alone(
    folder: Path, tmp_path: Path, arguments: tuple[object, ...], loaded_after_torch: Callable[..., set[str]]
) -> None:
    needed = {"torch", GAMES} if {"generate", "translate", "--ckpt"} & {*arguments} else {"torch"}
    assert loaded_after_torch(COMMAND, *(str(part).format(folder, tmp_path) for part in arguments)) == needed


@pytest.mark.parametrize(
    "arguments",
    ["--version", "--help", "generate --help", "translate --help", "evaluate --help", "shards --help", "zip --help"],
)
def test_help_loads_not_even_torch(arguments: str) -> None:
    assert loaded_by(COMMAND, *arguments.split()) == set()


def test_code_of_the_users_own_gets_the_module_that_it_was_written_for(
    folder: Path, tmp_path: Path, loaded_after_torch: Callable[..., set[str]]
) -> None:
    (tmp_path / "mine.py").write_text("from gan_lightning.games.base import AdversarialModule as Game")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{COMMAND}"
    code += (
        "\nfrom lightning.pytorch import LightningModule; import mine; assert issubclass(mine.Game, LightningModule)"
    )
    new = ("--n", 1, "--out", tmp_path / "new")
    assert "lightning" in loaded_after_torch(
        code, "generate", "--ckpt", folder / "dcgan.ckpt", "--import", "mine", *new
    )


def test_a_process_that_goes_on_after_the_command_has_lightnings_module(
    folder: Path, tmp_path: Path, loaded_after_torch: Callable[..., set[str]]
) -> None:
    code = """
import sys
from gan_lightning.cli import main
assert main(sys.argv[1:]) == 0
from gan_lightning import DCGAN
from lightning.pytorch import LightningModule
assert issubclass(DCGAN, LightningModule)
"""
    loaded_after_torch(code, "generate", "--ckpt", folder / "dcgan.ckpt", "--n", 1, "--out", tmp_path / "new")


LOAD_ALL = """
import sys
from pathlib import Path
import torch
from gan_lightning.trainer.without_lightning import leave_out_lightning
leave_out_lightning()
from gan_lightning import inference
from gan_lightning.trainer.module import SamplingModule

given = torch.load(Path(sys.argv[1]) / "given.pt")
for path in Path(sys.argv[1]).glob("*.ckpt"):
    game = inference.load(path)
    assert isinstance(game, SamplingModule)
    images = None
    if hasattr(game, "translate"):
        # A prediction is given the channels of several frames.
        images = game.translate(given[:, : game.given_channels * getattr(game, "n_given", 1)])
    elif hasattr(game, "sample"):  # encoders of texts and images make none
        images = game.sample(3, seed=5)
    torch.save({"images": images, "hparams": dict(game.hparams)}, path.with_suffix(".pt"))
"""


def test_every_variant_makes_the_same_images_without_lightning(
    tmp_path: Path, loaded_after_torch: Callable[..., set[str]]
) -> None:
    given = torch.rand(1, 4, 16, 16) * 2 - 1
    torch.save(given, tmp_path / "given.pt")
    games = {kind.__name__: small(kind).eval() for kind in VARIANTS}
    for name, game in games.items():
        save_checkpoint(game, tmp_path / f"{name}.ckpt")
    assert not loaded_after_torch(LOAD_ALL, tmp_path) - {"torch", GAMES}
    for name, game in games.items():
        made = torch.load(tmp_path / f"{name}.pt")
        here: Any = game
        if isinstance(game, TranslationGame):
            assert torch.equal(made["images"], here.translate(given[:, : here.given_channels * n_given(here)])), name
        elif hasattr(game, "sample"):
            assert torch.equal(made["images"], here.sample(3, seed=5)), name
        assert made["hparams"] == dict(game.hparams), name


def n_given(game: Any) -> int:
    return getattr(game, "n_given", 1)


def test_the_module_without_lightning_knows_what_lightnings_does() -> None:
    for module in (SamplingModule(), LightningModule()):
        assert module.device == torch.device("cpu")
        module.save_hyperparameters({"width": 4})
        assert dict(module.hparams) == {"width": 4}
        with pytest.raises(RuntimeError):
            module.trainer  # noqa: B018
    module = SamplingModule()
    module.layer = torch.nn.Linear(1, 1, device="meta")
    assert module.device == torch.device("meta")
