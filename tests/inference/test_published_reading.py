"""Files of other programs are read for their tensors alone: nothing that they name is called."""

import argparse
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.inference import CheckpointError
from gan_lightning.inference.published import reading
from gan_lightning.inference.published.reading import state_dicts

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "b.bias": torch.ones(2, dtype=torch.float16)}


def written(content: Any, path: Path, form: str) -> Path:
    if form == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    return path


def assert_found(found: Any, expected: dict[str, Tensor]) -> None:
    assert [*found] == [*expected]
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert all(found[name].dtype == expected[name].dtype for name in expected)


forms = pytest.mark.parametrize("form", ["zip", "before 1.6", "pickle"])


@forms
def test_what_lies_beside_is_passed_over(form: str, tmp_path: Path) -> None:
    """As rosinality's programs save: networks, optimisers, and options in a class of argparse."""
    content = {
        "g": {f"module.{name}": weight for name, weight in WEIGHTS.items()},
        "g_ema": WEIGHTS,
        "g_optim": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict(),
        "args": argparse.Namespace(size=256, path=Path("data"), device=torch.device("cpu"), kinds={1, 2}),
        "ada_aug_p": 0.25,
        "mean": torch.float32,
    }
    found = state_dicts(written(content, tmp_path / "a.pt", form))
    assert [*found] == ["g_ema", "g_ema.a", "g_ema.b", "g", "g.a", "g.b"]
    assert_found(found["g"], WEIGHTS)
    assert_found(found["g_ema"], WEIGHTS)
    assert_found(found["g.a"], {"weight": WEIGHTS["a.weight"]})


@forms
def test_nothing_that_a_file_names_is_called(form: str, tmp_path: Path) -> None:
    class Attack:
        def __init__(self, call: Any, *arguments: Any) -> None:
            self.call = call, arguments

        def __reduce__(self) -> Any:
            return self.call

    mark = tmp_path / "ran"
    attacks = {
        "a function": Attack(Path.touch, mark),
        "a built-in": Attack(eval, f"open({str(mark)!r}, 'w')"),
        "a process": Attack(subprocess.Popen, ["touch", str(mark)]),
        "what a call returned": Attack(Attack(getattr, Path(mark), "touch")),  # type: ignore[arg-type]
    }
    for name, attack in attacks.items():
        path = tmp_path / f"{name}.pt"
        if name == "what a call returned":
            # getattr(path, "touch")(), which pickle's own writer would refuse.
            touch = pickle.dumps(mark)[2:-1]
            path.write_bytes(b"\x80\x04cbuiltins\ngetattr\n" + touch + b"X\x05\x00\x00\x00touch\x86R)R.")
        else:
            written({"g": WEIGHTS, "x": attack}, path, form)
            assert_found(state_dicts(path)["g"], WEIGHTS)
        state_dicts(path)
        assert not mark.exists(), name


def test_the_attacks_would_succeed_elsewhere(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    touch = pickle.dumps(mark)[2:-1]
    pickle.loads(b"\x80\x04cbuiltins\ngetattr\n" + touch + b"X\x05\x00\x00\x00touch\x86R)R.")
    assert mark.exists()


def test_networks_that_nvidias_programs_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of a function of theirs with the source of the class and its state, in a bare pickle."""
    theirs = ModuleType("torch_utils.persistence")

    def rebuild(meta: Any) -> Any:
        raise AssertionError("called")

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = theirs.__name__, "rebuild", "rebuild"
    theirs.rebuild = rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_utils", ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", theirs)

    class Persistent(nn.Module):
        def __reduce__(self) -> Any:
            return rebuild, ({"type": "class", "module_src": "import os", "state": self.__dict__},)

    class Layer(Persistent):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((2, 2), 3.0))
            self.register_buffer("kernel", torch.ones(3))
            self.register_buffer("cached", torch.ones(1), persistent=False)

    class Whole(Persistent):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Layer(), Layer()

    path = tmp_path / "network-snapshot-000100.pkl"
    path.write_bytes(pickle.dumps({"G": None, "D": Whole(), "G_ema": Whole(), "training_set_kwargs": {"path": "x"}}))
    expected = dict(Whole().state_dict())
    found = state_dicts(path)
    assert [place for place in found if "." not in place] == ["G_ema", "D"]
    assert_found(found["G_ema"], expected)


def test_an_average_comes_first(tmp_path: Path) -> None:
    content = {"G": WEIGHTS, "D": WEIGHTS, "G_ema": dict(WEIGHTS)}
    assert next(iter(state_dicts(written(content, tmp_path / "a.pt", "zip")))) == "G_ema"


def test_a_checkpoint_of_ours_has_its_own_reader(tmp_path: Path) -> None:
    content = {"state_dict": WEIGHTS, "gan_lightning": {"variant": "gan_lightning.variants.DCGAN"}}
    assert state_dicts(written(content, tmp_path / "a.ckpt", "zip")) == {}


class TestLimits:
    def test_large_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "LARGEST", 1000)
        path = written({"a": torch.ones(1000)}, tmp_path / "a.pt", "zip")
        with pytest.raises(CheckpointError, match=r"a\.pt holds .* GiB: files of weights are read up to"):
            state_dicts(path)

    def test_files_that_unpack_to_much_more(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written({"a": torch.zeros(100_000)}, tmp_path / "a.pt", "zip")
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed:
            for name in whole.namelist():
                packed.writestr(name, whole.read(name))
        assert (tmp_path / "b.pt").stat().st_size < 10_000
        monkeypatch.setattr(reading, "LARGEST", 100_000)
        with pytest.raises(CheckpointError, match="are read up to"):
            state_dicts(tmp_path / "b.pt")

    def test_a_tensor_that_repeats_one_number(self, tmp_path: Path) -> None:
        path = written({"a": torch.ones(1).expand(2**20, 2**20)}, tmp_path / "a.pt", "zip")
        assert path.stat().st_size < 10_000
        assert state_dicts(path) == {}

    @pytest.mark.parametrize("form", ["zip", "pickle"])
    def test_one_dictionary_in_many_places(self, form: str, tmp_path: Path) -> None:
        inner: dict[str, Any] = {f"{i}": {} for i in range(300)}
        middle = dict.fromkeys(map(str, range(3000)), inner)
        content = {"g": WEIGHTS, **{f"x{i}": middle for i in range(3000)}}
        assert_found(state_dicts(written(content, tmp_path / "a.pt", form))["g"], WEIGHTS)


@pytest.mark.parametrize("content", [b"", b"notes", bytes(range(256)) * 20, pickle.dumps(3), pickle.dumps([1, {}])])
def test_files_without_weights(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    assert state_dicts(tmp_path / "a.pt") == {}
    assert state_dicts(tmp_path / "nowhere.pt") == {}
    assert state_dicts(tmp_path) == {}


def test_a_program_of_torchscript(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "a.pt")
    assert state_dicts(tmp_path / "a.pt") == {}


@pytest.mark.parametrize("form", ["zip", "before 1.6", "pickle"])
def test_any_damage_is_survived(form: str, tmp_path: Path) -> None:
    whole = bytearray(written({"g": WEIGHTS, "args": argparse.Namespace(a=1)}, tmp_path / "a.pt", form).read_bytes())
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        (tmp_path / "b.pt").write_bytes(whole[:place])
        state_dicts(tmp_path / "b.pt")
        flipped = bytearray(whole)
        flipped[place] ^= 255
        (tmp_path / "b.pt").write_bytes(flipped)
        state_dicts(tmp_path / "b.pt")


def test_a_tensor_of_bare_pickles_has_its_numbers(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pickle.dump(WEIGHTS, buffer)
    (tmp_path / "a.pkl").write_bytes(buffer.getvalue())
    assert_found(state_dicts(tmp_path / "a.pkl")[""], WEIGHTS)
