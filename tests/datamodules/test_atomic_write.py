"""Atomic writes leave the old file or the new one."""

import os
import threading
from pathlib import Path

import pytest

from datamodules.components.atomic_write import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_replaced_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_what_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def write_half() -> None:
        with replacing(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".file.partial").write_bytes(b"a long piece that a killed process left")
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_concurrent_writers_do_not_touch_each_others_files(tmp_path: Path) -> None:
    target, begun = tmp_path / "file", threading.Event()

    def write() -> None:
        with replacing(target, concurrent=True) as file:
            file.write(b"other")
        begun.set()

    with replacing(target, concurrent=True) as file:
        file.write(b"mine")
        threading.Thread(target=write).start()
        assert begun.wait(60)
        assert target.read_bytes() == b"other"
    assert target.read_bytes() == b"mine"
    assert names(tmp_path) == ["file"]


def test_the_bytes_are_on_the_disk_before_the_rename_and_the_rename_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
    assert done[:2] == ["fsync", "replace"]
    assert done[2:] in (["fsync"], [])  # where the system lets a folder be opened
