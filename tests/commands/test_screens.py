"""Random web pages: files, going on, and a real browser's screenshots."""

import errno
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules import ScreenshotsDataModule
from datamodules.components.screens import compile_html, parse
from gan_lightning.commands import screens
from gan_lightning.commands.browser import camera
from tests.helpers.command_line import refused, run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that a stand-in for the browser is shown; it fails at the fifth."""
    pages: list[str] = []

    @contextmanager
    def stand_in(size: int, browser: str | None = None) -> Iterator[Callable[[str], bytes]]:
        def shoot(page: str) -> bytes:
            pages.append(page)
            if len(pages) == 5:
                raise OSError(errno.ENOSPC, "No space left on device")
            content = io.BytesIO()
            Image.new("RGB", (size, size)).save(content, "PNG")
            return content.getvalue()

        yield shoot

    monkeypatch.setattr(screens, "camera", stand_in)
    return pages


def test_pages_are_written_and_gone_on_with(
    taken: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "screens"
    command = ["screens", "--out", str(out), "--n", "6", "--size", "48", "--seed", "3"]
    assert run(*command) == 1
    assert len(list(out.glob("*.png"))) == 4
    assert "of another seed" in refused(capsys, *command[:-1], "4")
    assert run(*command) == 0
    assert "6 pages are in" in capsys.readouterr().out
    assert len(taken) == 7
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{number:05d}.{suffix}" for number in range(6) for suffix in ("gui", "html", "png")
    )
    for number, page in zip(range(6), [*taken[:4], *taken[5:]], strict=True):
        assert (out / f"{number:05d}.html").read_text() == page
        assert parse((out / f"{number:05d}.gui").read_text())
    assert len(ScreenshotsDataModule(str(out), image_size=48, batch_size=1, val_share=0.0).splits.train) == 6
    assert "exists and is not an empty folder" in refused(capsys, *command)


def test_a_missing_package_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "playwright.sync_api", None)
    sentence = refused(capsys, "screens", "--out", str(tmp_path / "screens"), "--n", "1")
    assert "the package playwright, which is not installed: pip install 'gan-lightning[screens]'" in sentence


def test_a_browser_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("playwright")
    sentence = refused(capsys, "screens", "--out", str(tmp_path / "s"), "--n", "1", "--browser", str(tmp_path / "none"))
    assert "Chromium does not start" in sentence
    assert "--browser PATH" in sentence


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install Debian's package `chromium`")
def test_a_real_screenshot_shows_the_buttons() -> None:
    pytest.importorskip("playwright")
    cell = "single {\nsmall-title, text, btn-%s\n}\n"
    program = "header {\nbtn-active\n}\n" + "".join(f"row {{\n{cell % colour}}}\n" for colour in ("green", "red"))
    with camera(200) as shoot:
        pixels = np.asarray(Image.open(io.BytesIO(shoot(compile_html(program))))).astype(int)
        assert pixels.shape == (200, 200, 3)
        rows = {}
        for name, colour in {"blue": (51, 122, 183), "green": (92, 184, 92), "red": (217, 83, 79)}.items():
            near = np.abs(pixels - colour).max(axis=2) < 12
            assert near.sum() > 20, name
            rows[name] = np.flatnonzero(near.any(axis=1)).mean()
        assert rows["blue"] < rows["green"] < rows["red"]
        # The same page once more has the same pixels.
        again = np.asarray(Image.open(io.BytesIO(shoot(compile_html(program)))))
        assert (again == pixels).all()
