"""The page in a real browser, headless Chromium, against the command in a process of its own."""

import base64
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_lightning.inference.edit import read_latents
from gan_lightning.inference.pretrained import save_pretrained
from gan_lightning.networks import ConvGenerator
from gan_lightning.variants import DCGAN, Colorization, ConditionalGAN, StyleGAN2
from tests.helpers.games import vivid
from tests.helpers.processes import PATIENCE, wait_until
from tests.helpers.studio import pixels, png

pytest.importorskip("starlette", reason="the extra `studio` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: install Debian's package `chromium`"),
]
MS = PATIENCE * 1000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with a generator of 64 pixels of full width, one with classes, one of styles, a colouriser and a run."""
    home = tmp_path_factory.mktemp("studio")
    run = home / "runs" / "a_run"
    (run / "samples").mkdir(parents=True)
    (run / "samples" / "step_00000001.png").write_bytes(png(24))
    (run / "metrics.csv").write_text("step,train/loss\n1,0.5\n2,0.25\n")
    save_pretrained(DCGAN((3, 64, 64), generator=ConvGenerator), home / "wide")
    save_pretrained(vivid(ConditionalGAN, num_classes=10), home / "classes")
    save_pretrained(vivid(StyleGAN2), home / "styles")
    save_pretrained(vivid(Colorization, image_shape=(3, 16, 16)), home / "colours")
    command = [sys.executable, "-m", "gan_lightning", "studio", "--ckpt", "wide", "classes", "styles", "colours"]
    process = subprocess.Popen([*command, "--runs", "runs", "--port", "0"], cwd=home, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    assert process.wait(PATIENCE) == 143


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page of a new user, which must ask for nothing elsewhere and raise no error."""
    context = browser.new_context(accept_downloads=True, viewport={"width": 1400, "height": 1000})
    made, wrong = context.new_page(), []
    made.set_default_timeout(MS)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else wrong.append(asked.url)
    )
    made.goto(address)
    made.locator("#variations img").nth(7).wait_for()
    yield made
    context.close()
    assert not wrong


def shown(page: Any, place: str = "#picture") -> str:
    return page.locator(place).get_attribute("src")


def shown_href(page: Any, place: str) -> str:
    return page.locator(place).get_attribute("href")


def made(page: Any, place: str = "#picture") -> int:
    return int(page.locator(place).get_attribute("data-made") or 0)


def change(page: Any, do: Any, place: str = "#picture") -> None:
    """Do something, and wait for the next picture."""
    before = made(page, place)
    do()
    wait_until(lambda: made(page, place) > before)


def slide(page: Any, slider: str, value: float) -> None:
    change(
        page,
        lambda: page.locator(f"#{slider}").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
        ),
    )


def finish(page: Any) -> None:
    page.locator("#job").wait_for(state="visible")
    page.locator("#job").wait_for(state="hidden")


def drag(page: Any, place: str) -> None:
    box = page.locator(place).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=8)
    page.mouse.up()


def test_sliders_move_the_picture_and_back(page: Any) -> None:
    first, command = shown(page), page.locator("#command").text_content()
    assert command == "gan-lightning generate --ckpt wide --n 1 --seed 0 --out picture"
    times = []
    for step in range(20):
        slide(page, "strengths-sefa_00", -3 + 0.3 * step)
        times.append(float(page.locator("#picture").get_attribute("data-ms")))
    print(f"64 x 64: a slider is answered in {np.median(times):.0f} ms (median), {max(times):.0f} ms at most")
    assert shown(page) != first
    assert "--direction sefa_00=2.7" in page.locator("#command").text_content()
    change(page, lambda: page.click("#reset"))
    assert (shown(page), page.locator("#command").text_content()) == (first, command)
    change(page, lambda: page.locator("#variations button").first.click())
    assert "--seed 1" in page.locator("#command").text_content()


def test_classes(page: Any) -> None:
    page.select_option("#generator", "classes")
    wait_until(lambda: "--ckpt classes" in page.locator("#command").text_content())
    change(page, lambda: page.select_option("#label", "7"))
    assert "--labels 7" in page.locator("#command").text_content()


def test_a_brush_is_undone_applied_and_undone(page: Any) -> None:
    first = shown(page)
    drag(page, "#canvas")
    page.click("#undo-stroke")
    assert page.locator("#paint").is_disabled()
    for tool in ("dab", "line", "warp"):
        page.click(f"[data-tool={tool}]")
        drag(page, "#canvas")
    change(page, lambda: (page.click("#paint"), finish(page)))
    assert shown(page) != first
    assert page.locator("#origin").text_content() == "from a brush"
    change(page, lambda: page.click("#undo"))
    assert shown(page) == first


def test_a_photograph_is_found_edited_and_saved(page: Any, tmp_path: Path) -> None:
    (tmp_path / "ramp.png").write_bytes(png(80))
    page.set_input_files("#drop-photo input", tmp_path / "ramp.png")
    page.fill("#steps", "5")
    change(page, lambda: (page.locator("#invert:enabled").click(), finish(page)))
    assert np.array_equal(pixels(shown(page, "#edited img"))[..., 0], pixels_of(png(80)))
    slide(page, "strengths-sefa_00", 2)
    for button, name in (("#save-picture", "picture.png"), ("#save-latent", "latent.npz")):
        with page.expect_download() as saved:
            page.click(button)
        saved.value.save_as(tmp_path / name)
    assert np.array_equal(pixels_of((tmp_path / "picture.png").read_bytes()), pixels(shown(page)))
    assert read_latents(tmp_path / "latent.npz").latents.shape == (1, 100)
    before = shown(page)
    change(page, lambda: page.click("#forget"))
    change(page, lambda: page.set_input_files("#open-latent", tmp_path / "latent.npz"))
    assert shown(page) == before


def test_two_images_are_composed(page: Any, tmp_path: Path) -> None:
    assert page.locator("#compose-panel").is_hidden()  # A DCGAN has no styles.
    page.select_option("#generator", "styles")
    page.locator("#compose-panel").wait_for()
    wait_until(lambda: "--ckpt styles" in page.locator("#command").text_content())
    other = shown(page)
    page.click("#keep")
    page.locator("#other").wait_for()
    assert shown(page, "#other") == other
    change(page, lambda: page.locator("#variations button").first.click())
    drag(page, "#canvas")
    change(page, lambda: page.click("#compose"), "#composed")
    blended = shown(page, "#composed img")
    assert blended not in (other, shown(page))
    assert np.ptp(pixels(shown_href(page, "#save-map"))) == 255
    page.click("#clear")
    page.click("#box")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] - 1)
    page.mouse.up()
    assert page.locator("#paint").is_disabled()  # A box alone paints nothing.
    page.select_option("#mode", "transfer")
    change(page, lambda: page.click("#compose"), "#composed")
    assert "transfer" in page.locator("#compose-command").text_content()
    assert "--box 0 0 16 16" in page.locator("#compose-command").text_content()
    with page.expect_download() as saved:
        page.click("#save-other")
    saved.value.save_as(tmp_path / "other.npz")
    assert read_latents(tmp_path / "other.npz").space == "w+"


def test_long_work_is_cancelled(page: Any, tmp_path: Path) -> None:
    (tmp_path / "ramp.png").write_bytes(png(80))
    page.set_input_files("#drop-photo input", tmp_path / "ramp.png")
    page.fill("#steps", "2000")
    before = shown(page)
    page.locator("#invert:enabled").click()
    page.locator("#cancel").click()
    page.locator("#job").wait_for(state="hidden")
    assert (shown(page), page.locator("#message").is_visible()) == (before, False)


def test_a_bad_upload_is_a_sentence(page: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page.set_input_files("#drop-photo input", tmp_path / "bad.png")
    page.locator("#message:visible").wait_for()
    assert "bad.png cannot be read: not an image" in page.locator("#message").text_content()
    assert page.locator("#invert").is_disabled()


def test_two_users_see_their_own(page: Any, browser: Any, address: str) -> None:
    drag(page, "#canvas")
    change(page, lambda: (page.click("#paint"), finish(page)))
    other = browser.new_context().new_page()
    other.goto(address)
    other.locator("#variations img").nth(7).wait_for(timeout=MS)
    assert other.locator("#origin").text_content() == ""
    assert shown(other) != shown(page)
    other.context.close()


def test_hints_colour_a_drawing(page: Any, tmp_path: Path) -> None:
    (tmp_path / "drawing.png").write_bytes(png(16))
    page.select_option("#generator", "colours")
    page.locator("#drop-given").wait_for()
    change(page, lambda: page.set_input_files("#drop-given input", tmp_path / "drawing.png"), "#translated")
    first = shown(page, "#translated")
    box = page.locator("#drop-given canvas").bounding_box()
    middle = {"x": box["width"] * 11.5 / 16, "y": box["height"] * 4.5 / 16}  # of the pixel in column 11, row 4
    change(page, lambda: page.locator("#drop-given canvas").click(position=middle), "#translated")
    assert shown(page, "#translated") != first
    assert "--hints '11,4,#d22f27'" in page.locator("#translate-command").text_content()
    change(page, lambda: page.click("#undo-hint"), "#translated")
    assert shown(page, "#translated") == first


def test_a_run_is_followed(page: Any) -> None:
    page.click("#tab-runs")
    page.locator("#curves figcaption", has_text="train/loss").wait_for()
    page.locator("#run-picture[src^=blob]").wait_for()
    assert page.locator("#step-name").text_content() == "samples/step_00000001.png"
    page.click("#tab-runs")
    page.locator("#sampler").wait_for()


def test_no_file_is_read_by_an_address(page: Any, address: str) -> None:
    secret = Path("/etc/hostname").read_text().strip()
    for path in ("page/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fhostname", "file=/etc/hostname", "etc/hostname"):
        answer = page.request.get(address + path)
        assert answer.status in (404, 405)
        assert secret not in answer.text()


def pixels_of(content: bytes) -> Any:
    return pixels("data:image/png;base64," + base64.b64encode(content).decode())
