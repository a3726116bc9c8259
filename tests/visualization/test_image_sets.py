"""Sets of images that were cut off, by a full disk or by a kill: recognised, refused by readers, and completed."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.cli import main
from gan_lightning.variants import DCGAN, ConditionalGAN, CycleGAN
from gan_lightning.visualization import image_sets
from gan_lightning.visualization.image_sets import INCOMPLETE, explain_incomplete, write_atomically
from tests.commands.test_generate import saved
from tests.helpers.command_line import refused


@pytest.fixture(scope="module")
def samplers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints of small games that were never trained."""
    folder = tmp_path_factory.mktemp("samplers")
    return {variant.__name__: saved(variant, folder) for variant in (DCGAN, ConditionalGAN, CycleGAN)}


@pytest.fixture
def full_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException | None], None]:
    """Let the disk take so many files, the mark included, and then be full; or let something else happen."""
    replace = os.replace

    def fill(count: int, instead: BaseException | None = None) -> None:
        taken = iter(range(count))

        def take(source: Any, target: Any) -> None:
            if next(taken, None) is None:
                raise instead or OSError(errno.ENOSPC, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(image_sets.os, "replace", take)

    return fill


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def generate(checkpoint: Path, out: Path, *more: object) -> list[str]:
    given = ["--n", 7, "--batch_size", 2, "--seed", 3, "--device", "cpu"]
    return [*map(str, ["generate", "--ckpt", checkpoint, "--out", out, *given, *more])]


class TestGenerate:
    @pytest.mark.parametrize("written", [0, 1, 3, 6])
    def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
        self,
        written: int,
        samplers: dict[str, Path],
        tmp_path: Path,
        full_after: Any,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        straight, out = tmp_path / "straight", tmp_path / "out"
        more = ["--labels", 0, 1, 2]
        assert main(generate(samplers["ConditionalGAN"], straight, *more)) == 0
        with monkeypatch.context():
            full_after(1 + written)
            with pytest.raises(SystemExit, match="1"):
                main(generate(samplers["ConditionalGAN"], out, *more))
        monkeypatch.undo()
        (*_, told) = capsys.readouterr().err.splitlines()
        assert told == (
            f"gan-lightning generate: {out / f'{written:05d}.png'} cannot be written (No space left on device): make "
            "room, and run the same command again, which goes on with what is missing."
        )
        assert sorted(contents(out)) == sorted([INCOMPLETE, *(f"{i:05d}.png" for i in range(written))])
        drawn: list[int] = []
        sample = ConditionalGAN.sample
        monkeypatch.setattr(
            ConditionalGAN, "sample", lambda *a, start, **k: drawn.append(start) or sample(*a, start=start, **k)
        )
        assert main(generate(samplers["ConditionalGAN"], out, *more)) == 0
        assert drawn == [*range(written // 2 * 2, 7, 2)]
        assert contents(out) == contents(straight)
        assert f"7 samples are in {out}." in capsys.readouterr().out

    def test_other_arguments_do_not_go_on(
        self, samplers: dict[str, Path], tmp_path: Path, full_after: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        full_after(3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            main(generate(samplers["DCGAN"], out))
        before = contents(out)
        for arguments, name in [
            (generate(samplers["DCGAN"], out, "--seed", 4), "seed"),
            (generate(samplers["DCGAN"], out, "--n", 8), "total"),
            (generate(samplers["DCGAN"], out, "--scale", 2), "scale"),
            (generate(samplers["ConditionalGAN"], out), "checkpoint"),
        ]:
            told = refused(capsys, *arguments)
            assert f"{out} holds a set that was cut off, of another {name}: run the command with" in told
        assert contents(out) == before

    @pytest.mark.parametrize("more", [["--grid"], ["--interpolate", "0", "1"]])
    def test_single_pictures_appear_when_they_are_whole(
        self, more: list[str], samplers: dict[str, Path], tmp_path: Path, full_after: Any, monkeypatch: Any
    ) -> None:
        out, arguments = tmp_path / "out", generate(samplers["DCGAN"], tmp_path / "out", *more)
        if "--interpolate" in more:
            arguments = [part for part in arguments if part not in ("--n", "7")]
        full_after(1)
        with pytest.raises(SystemExit, match="1"):
            main(arguments)
        assert [*contents(out)] == [INCOMPLETE]
        monkeypatch.undo()
        assert main(arguments) == 0
        assert len(contents(out)) == 1
        assert INCOMPLETE not in contents(out)

    def test_every_pixel_is_enlarged_by_a_whole_number(self, samplers: dict[str, Path], tmp_path: Path) -> None:
        assert main(generate(samplers["DCGAN"], tmp_path / "small")) == 0
        assert main(generate(samplers["DCGAN"], tmp_path / "large", "--scale", 3)) == 0
        for name in contents(tmp_path / "small"):
            small, large = (np.asarray(Image.open(tmp_path / size / name)) for size in ("small", "large"))
            assert np.array_equal(large, small.repeat(3, 0).repeat(3, 1))


class TestTranslate:
    def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
        self,
        samplers: dict[str, Path],
        tmp_path: Path,
        full_after: Any,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "in" / "deep").mkdir(parents=True)
        for number, name in enumerate(["a", "b", "deep/c", "deep/d"]):
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
        (tmp_path / "in" / "broken.png").write_text("no image")
        straight, out = tmp_path / "straight", tmp_path / "out"

        def arguments(out: Path) -> list[str]:
            given = ["translate", "--ckpt", samplers["CycleGAN"], "--input", tmp_path / "in", "--out", out]
            return [*map(str, [*given, "--device", "cpu"])]

        assert main(arguments(straight)) == 1  # A file cannot be read; the set has all that can be made.
        assert INCOMPLETE not in contents(straight)
        full_after(3)
        with pytest.raises(SystemExit, match="1"):
            main(arguments(out))
        monkeypatch.undo()
        assert "cannot be written (No space left on device): make room, and run" in capsys.readouterr().err
        assert sorted(contents(out)) == [INCOMPLETE, "a.png", "b.png"]
        assert f"{out} is not complete: translate, which writes 5 images into it" in str(explain_incomplete(out))
        assert main(arguments(out)) == 1
        assert contents(out) == contents(straight)
        assert explain_incomplete(out) is None


def test_a_table_of_points_is_whole_or_not_there(tmp_path: Path, full_after: Any) -> None:
    from argparse import Namespace

    from gan_lightning.commands.write_images import write_points

    full_after(1)
    with pytest.raises(OSError, match="No space left"):
        write_points(iter(torch.zeros(5, 2, 1, 1)), Namespace(out=tmp_path))
    assert [*contents(tmp_path)] == ["scatter.png"]


def test_the_numbers_of_evaluate_are_told_and_an_older_file_stays(
    tmp_path: Path, full_after: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from gan_lightning.commands.evaluate import _report

    path = tmp_path / "scores.json"
    _report("evaluate", {"fid": 1.5}, path)
    full_after(0)
    with pytest.raises(SystemExit, match="1"):
        _report("evaluate", {"fid": 2.5}, path)
    told = capsys.readouterr()
    assert "2.5" in told.out
    assert f"{path} cannot be written (No space left on device): make room" in told.err
    assert json.loads(path.read_text()) == {"fid": 1.5}


def test_a_full_disk_while_shards_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from datamodules.components.shards import format

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    monkeypatch.setattr(format, "write_shards", full)
    with pytest.raises(SystemExit, match="1"):
        main(["shards", "--input", str(tmp_path), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"gan-lightning shards: {tmp_path / 'out'} cannot be written (No space left on device)")


def test_a_link_stays_one_and_a_pipe_takes_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device or address"):  # nobody reads
        write_atomically(tmp_path / "pipe", b"lost")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"read")
    assert os.read(reader, 10) == b"read"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_checkpoint_may_be_an_address_of_this_machine(samplers: dict[str, Path], tmp_path: Path) -> None:
    trained = samplers["DCGAN"]
    assert main(["generate", "--ckpt", f"file://{trained}", "--n", "2", "--out", str(tmp_path / "out")]) == 0


def test_pictures_beyond_all_measure_are_refused(
    samplers: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = samplers["DCGAN"]
    out = tmp_path / "out"
    said = refused(capsys, "generate", "--ckpt", str(trained), "--n", "2", "--out", str(out), "--scale", "100000")
    assert "--scale: 100000 makes pictures of" in said
    assert not out.exists()
