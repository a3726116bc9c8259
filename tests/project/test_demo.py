"""The page of docs/demo in headless Chromium, on files alone: its pictures are those of the package."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_lightning.games.hints import Hint
from gan_lightning.inference import from_pretrained, interpolate, zoo
from gan_lightning.visualization.images import to_uint8
from tests.helpers.processes import PATIENCE, wait_until

DEMO = Path(__file__).parents[2] / "docs" / "demo"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SAMPLERS = ["conditional_gan_mnist", "dcgan_celeba", "dcgan_digits", "dcgan_fashion_mnist", "gan_cls_openmoji"]


def filler() -> Any:
    """The script that fills the folder, as a module."""
    spec = importlib.util.spec_from_file_location("fill", DEMO / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_all_there_and_asks_for_nothing_elsewhere() -> None:
    pages = filler().PAGE
    assert {*pages} == {path.name for path in DEMO.iterdir() if path.is_file()} - {"fill.py"}
    texts = {name: (DEMO / name).read_text() for name in pages}
    assert not [name for name, text in texts.items() if "//" in re.sub(r"(?<!:)// .*", "", text)]
    imported = {name for text in texts.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    assert imported - {*pages} == {f"vendor/{filler().PARTS[0]}"}


def test_an_unknown_model_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill = filler()
    monkeypatch.setattr(fill, "fetch_runtime", lambda folder: None)
    assert fill.main(["--out", str(tmp_path), "--models", "dcgan_digit"]) == 1
    assert capsys.readouterr().err == (
        "fill.py: There is no model 'dcgan_digit' in the zoo: did you mean zoo:dcgan_digits?\n"
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the filled folder."""
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install Debian's package `chromium`")
    if shutil.which("npm") is None:
        pytest.skip("there is no npm, which gets onnxruntime-web")
    site = tmp_path_factory.mktemp("site")
    try:
        filler().fill(site, zoo.names())
    except subprocess.CalledProcessError:
        pytest.skip("npm reaches no registry, so there is no onnxruntime-web")
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(site)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    found = re.search(r"port (\d+)", server.stdout.readline())
    assert found is not None
    yield f"http://127.0.0.1:{found[1]}/"
    server.terminate()
    server.wait(PATIENCE)


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    """The page, which must ask for nothing elsewhere and raise no error."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made, wrong = browser.new_page(viewport={"width": 1000, "height": 900}), []
        made.set_default_timeout(PATIENCE * 1000)
        made.on("pageerror", lambda error: wrong.append(str(error)))
        made.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        made.on(
            "request",
            lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else wrong.append(asked.url),
        )
        made.goto(address)
        yield made
        browser.close()
    assert not [each for each in wrong if "favicon" not in each and "404" not in each]


def open_model(page: Any, name: str) -> None:
    page.select_option("#model", name)
    page.locator(f"#model[data-open={name}]").wait_for()


def made(page: Any) -> int:
    return int(page.locator("#picture").get_attribute("data-made") or 0)


def change(page: Any, do: Any) -> float:
    """Do something and wait for its picture; returns the milliseconds of the network."""
    before = made(page)
    do()
    wait_until(lambda: made(page) > before)
    return float(page.locator("#picture").get_attribute("data-ms"))


def put(page: Any, field: str, value: object) -> float:
    """Set a control, as a user does; returns the milliseconds of the network."""
    script = """(control, value) => { control.value = value;
        for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind)); }"""
    return change(page, lambda: page.locator(f"#{field}").evaluate(script, str(value)))


def pixels(page: Any, canvas: str = "#picture") -> NDArray[np.int64]:
    """What a canvas shows: H x W x 3."""
    script = """canvas => { const { width, height } = canvas;
        return [height, width, ...canvas.getContext("2d").getImageData(0, 0, width, height).data]; }"""
    height, width, *data = page.locator(canvas).evaluate(script)
    return np.array(data).reshape(height, width, 4)[..., :3]


def assert_shows(page: Any, image: Tensor) -> None:
    """The picture is an image, C x H x W in [-1, 1], but for the rounding of a level."""
    wanted = to_uint8(image).permute(1, 2, 0).numpy().astype(int)
    shown = pixels(page)
    assert shown.shape[:2] == wanted.shape[:2]
    assert abs(shown - wanted).max() <= 1
    assert wanted.std() > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_are_those_of_the_package(page: Any, name: str) -> None:
    game: Any = from_pretrained(f"zoo:{name}")
    open_model(page, name)
    chosen: dict[str, Any] = {}
    if name == "conditional_gan_mnist":
        put(page, "label", 7)
        chosen = {"labels": [7]}
    if name == "gan_cls_openmoji":
        put(page, "text", "Red HEART, zebra-crossing")
        chosen = {"texts": ["Red HEART, zebra-crossing"]}
    times = [put(page, "from", number) for number in (*range(1, 20), 5)]
    assert_shows(page, game.sample(1, seed=0, start=5, **chosen)[0])
    print(f"{name}: {np.median(times):.1f} ms (median), {max(times):.1f} ms at most")
    put(page, "to", 9)
    put(page, "way", 0.5)
    middle = torch.cat([*interpolate(game, 5, 9, 3, seed=0, **chosen)])[1]
    assert_shows(page, middle)
    # A slider takes the place of one number of the latent.
    put(page, "way", 0)
    put(page, "z2", -3)
    latent = game.latents_of_samples(5, 6, 0, None)
    latent[0, 2] = -3
    if "texts" in chosen:
        assert_shows(page, game(latent, game.tokenizer.encode(chosen["texts"]))[0])
    else:
        assert_shows(page, game.render(latent, *(torch.tensor(each) for each in chosen.values()))[0])


@pytest.mark.slow
def test_words_are_the_tokenizer_s(page: Any) -> None:
    game: Any = from_pretrained("zoo:gan_cls_openmoji")
    texts = [
        *game.texts[:20],
        "",
        "  ",
        "zzz",
        "RED-heart!",
        "flag: Åland Islands",
        "心 heart心",
        "a b c d e f g h i j",
    ]
    script = """async ([texts, tokenizer, length]) => {
        const { tokens } = await import("./tokens.js");
        return texts.map(text => tokens(text, JSON.parse(tokenizer), length)); }"""
    shown = page.evaluate(script, [texts, game.tokenizer.json, game.tokenizer.max_tokens])
    assert shown == game.tokenizer.encode(texts).tolist()


@pytest.mark.slow
def test_a_drawing_is_coloured_as_by_the_package(page: Any) -> None:
    game: Any = from_pretrained("zoo:colorization_openmoji")
    open_model(page, "colorization_openmoji")
    drawing = torch.from_numpy(pixels(page, "#drawing")[..., 0] / 127.5 - 1).float()[None, None]
    assert drawing.min() < 0 < drawing.max()
    assert_shows(page, game.translate(drawing)[0])
    page.check("[name=tool][value=hint]")
    box = page.locator("#drawing").bounding_box()
    times = [
        change(page, lambda: page.mouse.click(box["x"] + box["width"] * 0.516, box["y"] + box["height"] * 0.391))
        for _ in range(10)
    ]
    print(f"colorization_openmoji: {np.median(times):.1f} ms (median), {max(times):.1f} ms at most")
    # 32 pixels: 0.516 and 0.391 of them are in the middle of column 16 and row 12; #d22f27 is the colour at first.
    assert_shows(page, game.translate(drawing, hints=[Hint(16, 12, (0xD2, 0x2F, 0x27))])[0])
    page.check("[name=tool][value=pen]")
    page.mouse.move(box["x"] + 60, box["y"] + 250)
    page.mouse.down()
    change(page, lambda: page.mouse.move(box["x"] + 260, box["y"] + 250, steps=4))
    page.mouse.up()
    assert change(page, lambda: page.click("#clear")) > 0
    assert_blank(page)


def assert_blank(page: Any) -> None:
    assert pixels(page, "#drawing").min() == 255
