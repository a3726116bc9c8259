"""Members of zip files: read as the standard library reads them, by threads and forks too, and within limits."""

import os
import pickle
import re
import struct
import threading
import zipfile
import zlib
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from datamodules.components import zip_archive
from datamodules.components.zip_archive import ZipArchive

CONTENT = {f"{i // 10:05d}/img{i:08d}.png": bytes([i]) * (50 + 37 * i) for i in range(35)}


def write(path: Path, content: dict[str, bytes] = CONTENT, method: int = zipfile.ZIP_STORED, comment: bytes = b""):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, member in content.items():
            archive.writestr(name, member)
        archive.comment = comment
    return path


def read_all(archive: ZipArchive) -> dict[str, bytes]:
    return {name.decode(): archive.read(name.decode()) for name in archive.names.tolist()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"a comment of PK\5\3 and others", b"x" * 65535])
def test_it_reads_what_the_standard_library_has_written(tmp_path: Path, method: int, comment: bytes) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip", method=method, comment=comment))
    assert read_all(archive) == CONTENT
    assert [*read_all(archive)] == sorted(CONTENT)


def test_names_are_sorted_as_texts_and_in_any_alphabet(tmp_path: Path) -> None:
    names = ["b.png", "a.png", "a/b.png", "été.png", "ä/日本.png", "B.png", "a-b.png", "", "a/../b.png"]
    content = {name: name.encode() for name in names if name}
    archive = ZipArchive(write(tmp_path / "a.zip", content))
    assert list(read_all(archive)) == sorted(content)
    assert read_all(archive) == content
    assert "b.png" in archive
    assert "c.png" not in archive
    assert "zzz.png" not in archive


def test_names_of_dos_are_read_as_the_standard_library_reads_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.zip", {"caf_.png": b"1"})
    file.write_bytes(file.read_bytes().replace(b"caf_.png", b"caf\x82.png"))
    assert [*read_all(ZipArchive(file))] == zipfile.ZipFile(file).namelist() == ["café.png"]


def test_folders_and_hidden_members_are_left_out(tmp_path: Path) -> None:
    hidden = ["__MACOSX/._a.png", ".DS_Store", "b/.c/d.png"]
    content = {"a.png": b"1", "folder/": b"", "a..b/c.png": b"2", **dict.fromkeys(hidden, b"3")}
    assert read_all(ZipArchive(write(tmp_path / "a.zip", content))) == {"a.png": b"1", "a..b/c.png": b"2"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_a_name_the_last_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(100):  # more than a sort of few elements keeps in order by chance
            archive.writestr("a.png", b"a%d" % i)
            archive.writestr("b.png", b"b%d" % i)
    assert read_all(ZipArchive(tmp_path / "a.zip")) == {"a.png": b"a99", "b.png": b"b99"}


def test_an_empty_zip_has_no_members(tmp_path: Path) -> None:
    assert len(ZipArchive(write(tmp_path / "a.zip", {}))) == 0


def test_what_lies_before_the_zip_does_not_matter(tmp_path: Path) -> None:
    file = write(tmp_path / "a.zip")
    file.write_bytes(b"#!/bin/sh\nexit\n" + file.read_bytes())
    assert read_all(ZipArchive(file)) == CONTENT


def test_extra_fields_of_local_headers_may_be_long(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for n in (0, 60, 64, 65, 500):
            info = zipfile.ZipInfo(f"{n}.png")
            info.extra = struct.pack("<HH", 0x7777, n) + bytes(n)
            archive.writestr(info, b"content" * n)
    assert read_all(ZipArchive(tmp_path / "a.zip")) == {f"{n}.png": b"content" * n for n in (0, 60, 64, 65, 500)}


def test_large_zips_have_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 65,535 members; and offsets of more than 32 bits, in a file with a hole of 5 GB."""
    many = {f"{i:06d}.png": b"" for i in range(70_000)}
    assert [name.decode() for name in ZipArchive(write(tmp_path / "many.zip", many)).names] == sorted(many)
    with open(tmp_path / "far.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("near.png", b"near")
        file.seek(5 << 30)
        archive.start_dir = 5 << 30  # where the next member goes
        archive.writestr("far.png", b"far away")
        with archive.open(zipfile.ZipInfo("long.png"), "w", force_zip64=True) as member:
            member.write(b"as if it were long")
    far = read_all(ZipArchive(tmp_path / "far.zip"))
    assert far == {"near.png": b"near", "far.png": b"far away", "long.png": b"as if it were long"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_every_process_opens_the_file_for_itself(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip"))
    ours = os.readlink(f"/proc/self/fd/{archive._handle()}") if os.path.exists("/proc/self/fd") else None
    queue = get_context("fork").SimpleQueue()

    def read() -> None:
        archive._file.close()  # what the parent has opened is of no use
        try:
            queue.put((archive._owner, read_all(archive), archive._owner == os.getpid()))
        except (OSError, ValueError) as error:
            queue.put((0, error, False))

    process = get_context("fork").Process(target=read)
    process.start()
    owner, content, is_own = queue.get()
    process.join()
    assert owner == os.getpid()
    assert content == CONTENT
    assert is_own
    assert read_all(archive) == CONTENT
    assert ours is None or ours == str(tmp_path / "a.zip")


def test_a_process_may_be_spawned(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip"))
    copy = pickle.loads(pickle.dumps(archive))
    assert copy._file is None
    assert read_all(copy) == CONTENT


def test_threads_share_it(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip", method=zipfile.ZIP_DEFLATED))
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.extend(read_all(archive) == CONTENT for _ in range(20))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80


def refused(file: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ZipArchive(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flag", [1, 1 << 13])
def test_an_encrypted_member(tmp_path: Path, flag: int) -> None:
    file = write(tmp_path / "a.zip", {"a.png": b"1"})
    content = bytearray(file.read_bytes())
    place = content.index(b"PK\1\2") + 8
    content[place : place + 2] = struct.pack("<H", flag)
    file.write_bytes(content)
    refused(file, rf"^a.png in {file} is encrypted: write the zip file without a password\.$")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_packed_in_another_way(tmp_path: Path, method: int) -> None:
    file = write(tmp_path / "a.zip", {"a.png": b"1"}, method)
    refused(file, rf"^a.png in {file} is packed by method {method}: write the zip file with stored members")


def test_a_bomb_is_refused_by_its_declared_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.zip", {"a.png": bytes(10_001)}, zipfile.ZIP_DEFLATED)
    assert len(ZipArchive(file).read("a.png")) == 10_001
    with pytest.raises(ValueError, match="10,001 bytes, more than the 10,000 that are read of such a file"):
        ZipArchive(file).read("a.png", at_most=10_000)
    monkeypatch.setattr(zip_archive, "MOST_BYTES", 10_000)
    refused(file, r"a.png in .* would have 10,001 bytes, and at most 10,000 are read: remove it")


def test_a_bomb_that_lies_of_its_size_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.zip", {"a.png": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    content = file.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 100))
    file.write_bytes(content)
    unpacked: list[int] = []

    class Counting:
        """zlib's, which notes how much comes out of it."""

        def __init__(self, real) -> None:
            self.real = real

        def decompress(self, *arguments) -> bytes:
            unpacked.append(len(content := self.real.decompress(*arguments)))
            return content

    real = zlib.decompressobj

    def counting(bits: int) -> Counting:
        return Counting(real(bits))

    monkeypatch.setattr(zip_archive.zlib, "decompressobj", counting)
    with pytest.raises(ValueError, match="damaged in the zip file, its size or its checksum is wrong"):
        ZipArchive(file).read("a.png")
    assert unpacked == [101]


def test_every_cut_and_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Of no damage comes other content, nor any error but a sentence."""
    content = {"a.png": b"some bytes", "b.png": b"and others"}
    whole = write(tmp_path / "a.zip", content).read_bytes()
    broken = tmp_path / "b.zip"
    for damaged in [whole[:n] for n in range(len(whole))] + [
        whole[:i] + bytes([whole[i] ^ bits]) + whole[i + 1 :] for i in range(len(whole)) for bits in (1, 0xFF)
    ]:
        broken.write_bytes(damaged)
        try:
            found = read_all(ZipArchive(broken))
        except ValueError:
            continue
        # Names have no checksum; what belongs to one that is still there is right.
        assert all(member in content.values() for member in found.values())


def test_offsets_and_sizes_beyond_the_file(tmp_path: Path) -> None:
    content = write(tmp_path / "a.zip", {"a.png": b"content"}).read_bytes()
    for where in (struct.pack("<Q", (1 << 64) - 1), struct.pack("<Q", 1 << 40)):
        # The only member's offset in 64 bits, in an extra field of 12 bytes.
        place, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
        member = bytearray(content[place:end]) + struct.pack("<HH", 1, 8) + where
        member[30:32], member[42:46] = struct.pack("<H", 12), struct.pack("<I", 0xFFFFFFFF)
        tail = bytearray(content[end:])
        tail[12:16] = struct.pack("<I", len(member))
        (tmp_path / "b.zip").write_bytes(content[:place] + member + tail)
        refused(tmp_path / "b.zip", "b.zip is damaged, its list of members cannot be read: copy it again")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"no zip file at all" * 10, b"PK\5\6" + bytes(10), b"PK\6\7" + bytes(16) + b"PK\5\6" + b"\xff" * 18],
)
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", r"a\.zip is (no zip file, or it is cut short|damaged, its list .*): copy it again\.$")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ZipArchive(tmp_path / "nowhere.zip")
    os.mkfifo(tmp_path / "pipe.zip")
    refused(tmp_path / "pipe.zip", "is no file, but a pipe, a device or a folder")
    refused(tmp_path, "is no file, but a pipe, a device or a folder")


def test_a_file_that_was_replaced_is_not_read_by_the_old_list(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip"))
    late = pickle.loads(pickle.dumps(archive))
    write(tmp_path / "b.zip", {name: content[::-1] + b"1" for name, content in CONTENT.items()})
    (tmp_path / "b.zip").replace(tmp_path / "a.zip")
    assert read_all(archive) == CONTENT  # it is open
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'a.zip'} has changed since it was opened")):
        read_all(late)


def test_a_member_that_is_not_there(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip"))
    with pytest.raises(FileNotFoundError, match=r"there is no \.\./a\.png in"):
        archive.read("../a.png")


def test_a_path_that_looks_like_a_way_out_is_a_name_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    archive = ZipArchive(write(tmp_path / "a.zip", {"../secret.png": b"inside", "/etc/passwd": b"also"}))
    for name, content in {"../secret.png": b"inside", "/etc/passwd": b"also"}.items():
        file = zip_archive.opened(f"{tmp_path / 'a.zip'}/{name}", archive)
        assert file.read() == content


def test_its_table_is_small(tmp_path: Path) -> None:
    archive = ZipArchive(write(tmp_path / "a.zip"))
    assert archive.names.itemsize + archive._rows.itemsize == 21 + 30
    assert isinstance(archive.names, np.ndarray)
