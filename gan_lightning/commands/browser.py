"""Screenshots of pages by a headless Chromium."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

VIEWPORT = 800
"""Width and height of the pages, in pixels of the browser."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def camera(size: int, browser: str | None = None) -> Iterator[Callable[[str], bytes]]:
    """Start a browser with one page, and yield what makes the screenshot of a text of HTML, as PNG.

    The page is shown at 800 x 800 and resized. It can load nothing, and runs no script.

    Args:
        size: Width and height of the screenshots.
        browser: Path of a Chromium. None: the first that is found, or else playwright's own.

    Raises:
        ModuleNotFoundError: playwright is not installed.
        ValueError: There is no browser, or it does not start.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Screenshots are made by the package playwright, which is not installed: pip install "
            "'gan-lightning[screens]'."
        ) from error
    found = browser or next((path for name in _NAMES if (path := shutil.which(name))), None)
    with sync_playwright() as driver:
        try:
            # In containers, whose user is root, Chromium starts without its sandbox alone; the pages are our own.
            made = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            raise ValueError(
                f"Chromium does not start ({_first_line(error)}): install Debian's package chromium, or run "
                "`playwright install chromium`, or name one, --browser PATH."
            ) from error
        try:
            context = made.new_context(
                viewport={"width": VIEWPORT, "height": VIEWPORT}, java_script_enabled=False, offline=True
            )
            page = context.new_page()

            def shoot(text: str) -> bytes:
                page.set_content(text, wait_until="load")
                return _resized(page.screenshot(), size)

            yield shoot
        finally:
            made.close()


def _resized(png: bytes, size: int) -> bytes:
    from PIL import Image

    from datamodules.components.decoding import read

    content = io.BytesIO()
    read(io.BytesIO(png), 3).resize((size, size), Image.Resampling.LANCZOS).save(content, "PNG")
    return content.getvalue()


def _first_line(error: Any) -> str:
    return str(error).strip().split("\n")[0].rstrip(".:")
