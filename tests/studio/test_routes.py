"""Who may ask the studio for what: other sites, other users, other files, too much."""

import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra `studio` is not installed")
pytest.importorskip("httpx", reason="the test client needs httpx")

from starlette.testclient import TestClient

from gan_lightning.studio import routes
from gan_lightning.studio.routes import application
from gan_lightning.studio.server import is_loopback
from gan_lightning.studio.studio import Studio
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import refused
from tests.helpers.games import vivid
from tests.helpers.processes import wait_until
from tests.helpers.studio import generator_of, png, studio_of

HERE = "http://127.0.0.1"
PAGE = Path(routes.__file__).parent / "page"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    (tmp_path / "runs").mkdir()
    made = studio_of(generator_of(vivid(DCGAN), tmp_path / "model"), runs=tmp_path / "runs")
    yield made
    made.jobs.end()


@pytest.fixture
def user(studio: Studio) -> Callable[[], TestClient]:
    """A new browser of the same studio at each call."""
    app = application(studio, ["127.0.0.1"])
    return lambda: TestClient(app, base_url=HERE)


def asked(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"generator": str(tmp_path / "model"), **more}


class TestSites:
    def test_a_name_that_leads_here_from_elsewhere_is_refused(self, studio: Studio) -> None:
        app = application(studio, ["127.0.0.1"])
        assert TestClient(app, base_url="http://rebound.example").get("/").status_code == 400
        assert TestClient(app, base_url=HERE).get("/").status_code == 200

    @pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://127.0.0.1:9"])
    def test_another_sites_page_is_refused(self, user: Any, origin: str) -> None:
        assert user().post("/api/listing", headers={"origin": origin}).status_code == 403
        assert user().post("/api/listing", headers={"origin": HERE}).status_code == 200

    def test_the_browser_is_told_to_load_nothing_from_elsewhere(self, user: Any) -> None:
        for path in ("/", "/page/main.js", "/api/none"):
            policy = user().get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert not re.search(r"https?:|\*|unsafe", policy)

    def test_the_page_names_no_other_host(self) -> None:
        known = {"http://www.w3.org/2000/svg"}  # The name of a kind of element, which nothing is loaded from.
        for file in PAGE.iterdir():
            assert {*re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./-]*", file.read_text())} <= known, file.name

    @pytest.mark.parametrize(("host", "is_own"), [("127.0.0.1", True), ("::1", True), ("localhost", True)])
    def test_loopback(self, host: str, is_own: bool) -> None:
        assert is_loopback(host) == is_own
        assert not any(map(is_loopback, ["0.0.0.0", "192.168.0.2", "::", "example.org"]))


class TestFiles:
    @pytest.mark.parametrize(
        "path",
        [
            "/page/../../../../../../../../etc/hostname",
            "/page/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fhostname",
            "/page/%2fetc%2fhostname",
            "/etc/hostname",
            "/file=/etc/hostname",
            "/page/__init__.py",
            "/page/",
        ],
    )
    def test_no_other_file_is_read(self, user: Any, path: str) -> None:
        answer = user().get(path)
        assert answer.status_code in (404, 405)
        assert Path("/etc/hostname").read_text().strip() not in answer.text

    @pytest.mark.parametrize("file", ["/etc/hostname", "../../../../etc/hostname", "samples/../metrics.csv"])
    def test_none_of_a_run_but_its_pictures(self, user: Any, tmp_path: Path, file: str) -> None:
        run = tmp_path / "runs" / "a"
        run.mkdir()
        (run / "metrics.csv").write_text("step,loss\n1,2\n")
        answer = user().post("/api/run_picture", json={"run": "a", "picture": file})
        assert (answer.status_code, "no picture" in answer.json()["error"]) == (400, True)
        assert user().post("/api/run", json={"run": "../a"}).status_code == 400

    def test_no_generator_but_those_offered(self, user: Any) -> None:
        answer = user().post("/api/offer", json={"generator": "/etc/hostname"})
        assert (answer.status_code, answer.json()["error"]) == (400, "There is no generator '/etc/hostname'.")


class TestUploads:
    def test_too_much(self, user: Any) -> None:
        answer = user().post("/api/give?name=a.png", content=bytes((32 << 20) + 1))
        assert (answer.status_code, answer.json()["error"]) == (413, "More than 32 MiB: give a smaller file.")
        assert user().post("/api/listing", content=bytes((1 << 20) + 1)).status_code == 413

    def test_latents_that_unpack_to_more_than_may_be_sent(self, user: Any, tmp_path: Path) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, space=np.array("z"), latents=np.zeros((1, 9 << 20), np.float32))
        assert len(content.getvalue()) < 1 << 20
        answer = user().post("/api/open", params=asked(tmp_path), content=content.getvalue())
        assert answer.status_code == 400
        assert "unpacked it has more than 32 MiB" in answer.json()["error"]

    @pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4"])
    def test_what_is_no_picture(self, user: Any, content: bytes) -> None:
        answer = user().post("/api/give?name=../../a%20b.png", content=content)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("a b.png cannot be read: ")

    def test_too_many_pixels(self, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gan_lightning.studio.uploads.MOST_PIXELS", 100)
        assert "16 x 16 pixels" in user().post("/api/give?name=a.png", content=png(16)).json()["error"]

    @pytest.mark.parametrize(
        ("given", "word"),
        [
            ({"choice": {"seed": -1}}, "seed must be a whole number"),
            ({"choice": {"seed": True}}, "seed must be a whole number"),
            ({"choice": {"truncation": "1"}}, "truncation must be a finite number"),
            ({"choice": {"strengths": {"sefa_00": 1e9}}}, "between -100 and 100"),
            ({"choice": {"mood": 1}}, "no 'mood'"),
            ({"choice": []}, "a JSON object"),
            ({"choice": {"components": {"x": 1}}}, "by their places"),
            ({"choice": {"text": "a" * 501}}, "at most 500 characters"),
        ],
    )
    def test_a_wrong_choice_is_a_sentence(self, user: Any, tmp_path: Path, given: dict[str, Any], word: str) -> None:
        answer = user().post("/api/picture", json=asked(tmp_path, **given))
        assert answer.status_code == 400
        assert word in answer.json()["error"]

    @pytest.mark.parametrize(
        "brushes", [None, [], [["dab", 1, 1]], [["dab", 1, 1, 1, "red"]], [["line", 0.5, 1, 1, 1]]]
    )
    def test_wrong_brushes_too(self, user: Any, tmp_path: Path, brushes: Any) -> None:
        assert user().post("/api/paint", json=asked(tmp_path, brushes=brushes)).status_code == 400

    def test_no_json(self, user: Any) -> None:
        assert user().post("/api/listing", content=b"{").json()["error"] == "What was sent is no JSON."


class TestUsers:
    def test_one_users_photograph_and_latents_are_not_anothers(self, user: Any, tmp_path: Path) -> None:
        first, second = user(), user()
        assert first.post("/api/give?name=a.png", content=png()).status_code == 200
        latent = first.post("/api/latents", json=asked(tmp_path, choice={"seed": 9})).content
        assert first.post("/api/open", params=asked(tmp_path), content=latent).status_code == 200
        shown = [each.post("/api/picture", json=asked(tmp_path)).json() for each in (first, second)]
        assert [each["origin"] for each in shown] == ["file", None]
        assert shown[0]["picture"] != shown[1]["picture"]
        answer = second.post("/api/invert", json=asked(tmp_path))
        assert answer.json()["error"] == "There is no photograph yet: give one."
        assert second.post("/api/job").json() == {"state": "none"}

    def test_a_cookie_that_was_made_up_is_nobodys(self, user: Any, tmp_path: Path) -> None:
        first, second = user(), user()
        first.post("/api/give?name=a.png", content=png())
        (cookie,) = first.cookies.jar
        second.cookies.set(cookie.name, "made up")
        assert second.post("/api/invert", json=asked(tmp_path)).status_code == 400
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "strict"

    def test_work_is_cancelled_and_the_next_begins(
        self, user: Any, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = user(), user()
        for each in (first, second):
            each.post("/api/give?name=a.png", content=png())
        assert first.post("/api/invert", json=asked(tmp_path, steps=2000)).json()["state"] in ("waiting", "running")
        wait_until(lambda: first.post("/api/job").json()["done"] > 0)
        second.post("/api/invert", json=asked(tmp_path, steps=1))
        assert "is not done yet" in first.post("/api/invert", json=asked(tmp_path)).json()["error"]
        assert second.post("/api/job").json()["state"] == "waiting"
        second.post("/api/picture", json=asked(tmp_path))  # Sliders are answered meanwhile.
        first.post("/api/cancel")
        wait_until(lambda: second.post("/api/job").json()["state"] == "done")
        assert first.post("/api/job").json()["state"] == "cancelled"
        assert first.post("/api/picture", json=asked(tmp_path)).json()["origin"] is None
        assert second.post("/api/picture", json=asked(tmp_path)).json()["origin"] == "photograph"


def test_pictures_of_users_at_once_are_each_ones_own(user: Any, tmp_path: Path) -> None:
    alone = [user().post("/api/picture", json=asked(tmp_path, choice={"seed": seed})).json() for seed in range(8)]
    together: dict[int, Any] = {}

    def ask(seed: int) -> None:
        together[seed] = user().post("/api/picture", json=asked(tmp_path, choice={"seed": seed})).json()

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(8)] == alone


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--ckpt", "nothing.ckpt"], "There is no checkpoint nothing.ckpt."),
        (["--runs", "nothing"], "--runs nothing is no folder"),
        (["--runs", ".", "--host", "203.0.113.1"], "cannot be listened at"),
        (["--runs", ".", "--port", "70000"], "cannot be listened at"),
    ],
)
def test_a_wrong_command_is_a_sentence(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert word in refused(capsys, "studio", *arguments)
