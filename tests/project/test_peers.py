"""The benchmark against other projects' programs: the turns, what is counted in them, and the table."""

from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import peers
from benchmarks.contestants import networks, theirs, turns
from benchmarks.contestants.turns import Program, Round, Turns, contestants
from benchmarks.contestants.workloads import WORKLOADS, Workload

STEP = Round(cpu=2.0, wall=3.0, memory=100.0, updates={5: 1.0, 7: 2.0})

# Two players of so many weights as the arguments say; the first moves in every batch, the other in every second one.
SCRIPT = """
import sys
from pathlib import Path

import torch
import absent
from absent.part import *
from beside import SIZE
from torch.utils.data import DataLoader

players = [torch.nn.Parameter(torch.zeros(int(n))) for n in sys.argv[1:3]]
optimizers = [torch.optim.SGD([player], lr=0.1) for player in players]
kept = torch.ones(int(sys.argv[3]) << 18)
Path(sys.argv[4]).write_text(Path("given/words").read_text())
taken = 0
for epoch in range(int(sys.argv[5])):
    for batch in DataLoader(torch.zeros(6), batch_size=SIZE):
        for player, optimizer in list(zip(players, optimizers))[: 1 + taken % 2]:
            player.sum().backward()
            optimizer.step()
        taken += 1
        Path("taken").write_text(str(taken))
print("no more epochs")
"""


@pytest.fixture
def program(tmp_path: Path) -> Any:
    """Makes a program of a script, of players' weights, of MiB that it keeps and of its epochs of three batches."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(SCRIPT)
    (tmp_path / "code" / "beside.py").write_text("SIZE = 2")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words").write_text("as given")

    def make(weights: tuple[int, int] = (7, 5), memory: int = 0, epochs: int = 1000) -> Program:
        arguments = [*map(str, weights), str(memory), "FOLDER/said", str(epochs)]
        links = {"home/given": tmp_path / "data"}
        path = tmp_path / "code" / "train.py"
        about = {"arguments": arguments, "batches": 2, "without": ["absent", "absent.part"], "links": links}
        return partial(theirs.script, path=path, home="home", **about)

    return make


@pytest.fixture
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contestants that need not import everything again; as a rule they are spawned, and say what they say in files."""
    monkeypatch.setattr(turns, "get_context", {"spawn": get_context("fork")}.__getitem__)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.mark.usefixtures("_forked")
def test_a_script_trains_in_turns_and_stands_still_between_them(program: Any, folder: Path) -> None:
    with contestants({"peer": program(), "large": program(memory=200)}, 3, folder) as taking_part:
        homes = [folder / number / "home" for number in "01"]
        # Three steps of two batches to warm up; the batch after them is fetched, not trained on.
        assert [(home / "taken").read_text() for home in homes] == ["6", "6"]
        rounds = [taking_part["peer"].turn(4), taking_part["peer"].turn(1)]
        assert [(home / "taken").read_text() for home in homes] == ["16", "6"]
        large = taking_part["large"].turn(1)
    assert (folder / "0" / "said").read_text() == "as given"
    assert [one.updates for one in rounds] == [{5: 1.0, 7: 2.0}] * 2
    assert 150 < large.memory - rounds[1].memory < 250
    assert all(one.cpu > 0 and one.wall > 0 for one in rounds)


@pytest.mark.parametrize(("epochs", "words"), [(1, "no more epochs"), (-1, "there is none")])
def test_a_program_that_ends_too_early_is_named_with_its_last_words(
    program: Any, folder: Path, epochs: int, words: str
) -> None:
    # Three batches are less than the two steps of the warming up.
    ends = program(epochs=epochs) if epochs > 0 else partial(theirs.script, path=folder / "there is none")
    with pytest.raises(RuntimeError, match=f"(?s)peer ended before its turns did.*{words}"):
        contestants({"peer": ends}, 2, folder).__enter__()


@pytest.mark.usefixtures("_forked")
def test_fit_takes_turns_with_a_script(program: Any, tmp_path: Path) -> None:
    # A generator of 4 -> 8 -> 8 -> 64, a discriminator of 64 -> 2 and 2 -> 2 maxout units of 3 pieces, and 2 -> 1.
    weights = (64 * 6 + 6 + 2 * 6 + 6 + 2 + 1, 4 * 8 + 8 + 8 * 8 + 8 + 8 * 64 + 64)
    ours = "--model=GAN --model.latent_dim=4 --model.n_critic=2 --data=DigitsDataModule --model.generator=MLPGenerator"
    ours += " --model.generator.hidden=8 --model.discriminator=MLPDiscriminator --model.discriminator.hidden=2"
    arguments = [*ours.split(), "--model.discriminator.pieces=3"]
    work = Workload("code", "data", lambda *_: program(weights), arguments, steps=2)
    costs = peers.compare(work.programs(tmp_path, tmp_path, ["fit"]), rounds=2, steps=2, warm_up=1)
    assert [one.updates for one in costs["fit"]] == [dict(zip(sorted(weights), [2, 1], strict=True))] * 2
    assert all(one.cpu > 0 and one.memory > 100 for one in costs["fit"])


@pytest.mark.usefixtures("_forked")
def test_programs_that_train_other_networks_are_refused(program: Any) -> None:
    with pytest.raises(ValueError, match=r"the peer has \[\(5, 1\.0\), \(7, 2\.0\)\], other has \[\(5, 1\.0\), \(8, "):
        peers.compare({"peer": program(), "other": program((8, 5))}, rounds=1, steps=1, warm_up=1)


class Clock:
    """Counts seconds, and is the connection as well: to wait for a turn takes 100 of them."""

    now = 0.0

    def __init__(self, answers: list[int]) -> None:
        self.answers: Iterator[int] = iter(answers)
        self.sent: list[Round] = []

    def send(self, what: Round) -> None:
        self.sent.append(what)

    def recv(self) -> int:
        self.now += 100
        return next(self.answers)


def test_waiting_is_not_in_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([2, 1, 0])
    monkeypatch.setattr(turns, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(turns, "process_time", lambda: clock.now / 4)
    training = Turns(clock, left=1)  # type: ignore[arg-type]
    for seconds in (50, 3, 5, 8):
        clock.now += seconds
        if seconds == 8:
            with pytest.raises(SystemExit):
                training.step_ends()
        else:
            training.step_ends()
    assert [(one.cpu, one.wall) for one in clock.sent] == [(12.5, 50), (1, 4), (2, 8)]


def test_a_bias_more_is_let_pass_and_nothing_else() -> None:
    peer = Round(1, 1, 1, {200_000: 5.0, 400_000: 1.0})
    peers.check_same({"peer": [peer], "fit": [Round(1, 1, 1, {199_999: 5.0, 400_000: 1.0})]})
    for updates in ({199_997: 5.0, 400_000: 1.0}, {200_000: 4.0, 400_000: 1.0}, {200_000: 5.0}):
        with pytest.raises(ValueError, match="weights and their updates"):
            peers.check_same({"peer": [peer], "fit": [Round(1, 1, 1, updates)]})


def test_the_table_has_the_medians_and_the_ratios_of_each_round() -> None:
    costs = {
        "peer": [STEP, Round(4, 3, 110, STEP.updates), Round(6, 3, 120, STEP.updates)],
        "fit": [STEP, Round(5, 2, 90, STEP.updates), Round(2, 6, 90, STEP.updates)],
    }
    rows = peers.table("work", costs).splitlines()
    assert rows[2] == "| peer | 4.000 | 3.000 | 120 | 1 | 1 | 1.00 |"
    # 2/2, 4/5 and 6/2; 3/3, 3/2 and 3/6; 90/120.
    assert rows[3] == "| fit | 2.000 | 3.000 | 90 | 1.00 (0.80 to 3.00) | 1.00 (0.50 to 1.50) | 0.75 |"
    assert rows[-1] == "Weights and their updates in a step: peer 5 x 1 and 7 x 2, fit 5 x 1 and 7 x 2."


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        # linear, norm, convolution, norm, convolution, norm, convolution
        (networks.SmallGenerator((1, 32, 32), 100), 101 * 8192 + 256 + 147_584 + 256 + 73_792 + 128 + 577),
        (networks.SmallGenerator((1, 32, 32), 100, False), 101 * 8192 + 147_584 + 256 + 73_792 + 128 + 577),
        (networks.SmallDiscriminator((1, 32, 32)), 160 + 4640 + 64 + 18_496 + 128 + 73_856 + 256 + 513),
        (
            networks.DenseGenerator((1, 28, 28), 100),
            101 * 128 + 129 * 256 + 512 + 257 * 512 + 1024 + 513 * 1024 + 2048 + 1025 * 784,
        ),
        (networks.DenseCritic((1, 28, 28)), 785 * 512 + 513 * 256 + 257),
        (networks.MimicryGenerator((3, 32, 32), 128), 4_276_739),
    ],
)
def test_networks_have_as_many_weights_as_the_layers_add_up_to(network: nn.Module, weights: int) -> None:
    assert sum(weight.numel() for weight in network.parameters()) == weights


def test_the_bilinear_block_enlarges_before_it_convolves() -> None:
    block, x = networks.BilinearUpBlock(4), torch.randn(2, 4, 5, 5)

    def enlarged(features: torch.Tensor) -> torch.Tensor:
        return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)

    norm, first, second_norm, second = (layer for layer in block.residual if list(layer.parameters()))
    expected = block.shortcut(enlarged(x)) + second(second_norm(first(enlarged(norm(x).relu()))).relu())
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


def test_a_folded_generator_is_the_same_function_of_the_same_weights() -> None:
    plain, folded = (networks.SmallGenerator((1, 16, 16), 8, folded=folded) for folded in (False, True))
    folded.load_state_dict(plain.state_dict())
    latent = torch.randn(4, 8)
    torch.testing.assert_close(folded(latent), plain(latent), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_is_one_for_both(name: str, tmp_path: Path) -> None:
    work, both = WORKLOADS[name], ["fit", "fit --fast"]
    (tmp_path / work.checkout).mkdir()
    with pytest.raises(FileNotFoundError, match=f"there is no .*{work.data}: --data-dir names"):
        work.programs(tmp_path, tmp_path, both)
    (tmp_path / work.data).mkdir()
    programs = work.programs(tmp_path, tmp_path, both)
    assert list(programs) == ["peer", "fit", "fit --fast"]
    words = [program.keywords["arguments"] for who, program in programs.items() if who != "peer"]  # type: ignore[attr-defined]
    assert words[1] == [*words[0], "--fast"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["StyleGAN"], "there is no workload 'StyleGAN': choose from 'pix2pix 256, batch 1'"),
        (["--only", "train"], "--only has 'train': give 'fit'"),
        (["dcgan.py"], "nowhere/PyTorch-GAN: --peers names the folder that holds it"),
    ],
)
def test_what_is_not_there_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        peers.main([*arguments, "--peers", "nowhere"])
    assert words in capsys.readouterr().err


def test_the_machine_is_named_with_its_instructions() -> None:
    named = peers.machine()
    assert torch.backends.cpu.get_cpu_capability() in named
    assert ("unknown" in named) != torch.backends.mkldnn.is_available()
