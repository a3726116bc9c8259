"""The configs go where the package goes, and are found by their names."""

import re
from pathlib import Path

import pytest
import yaml

from gan_lightning.cli import main
from gan_lightning.commands import configs
from tests.helpers.command_line import printed_config, refused

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "configs"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_wheel_holds_every_config_model_of_the_zoo_and_part_of_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    setuptools = pytest.importorskip("setuptools", "77")
    from setuptools.config.pyprojecttoml import apply_configuration

    monkeypatch.chdir(ROOT)
    distribution = apply_configuration(setuptools.Distribution(), ROOT / "pyproject.toml")
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    build.manifest_files = {}
    packed = {Path(file).as_posix() for file in build.find_data_files("gan_lightning", "gan_lightning")}
    expected = {f"gan_lightning/{path.relative_to(ROOT).as_posix()}" for path in SOURCE.rglob("*.*")}
    assert packed >= {*expected, "gan_lightning/py.typed"}
    for kind in ("zoo/*/*", "studio/page/*"):
        data = {file.relative_to(ROOT).as_posix() for file in (ROOT / "gan_lightning").glob(kind)}
        assert data
        assert packed >= data


def test_in_a_checkout_they_are_those_at_the_top(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert configs.home().resolve() == SOURCE
    monkeypatch.setattr(configs, "_PACKAGE", tmp_path / "gan_lightning")  # a system that knows no links
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "quickstart.yaml").touch()
    assert configs.home() == tmp_path / "configs"
    (tmp_path / "configs" / "quickstart.yaml").unlink()
    with pytest.raises(FileNotFoundError, match="The shipped configs are missing"):
        configs.home()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "dcgan_mnist", "--config", "trainer/gpu"],
        ["--config=dcgan_mnist", "-c", "trainer/gpu"],
        ["--config", "dcgan_mnist.yaml", "--config=trainer/gpu.yaml"],
        ["--config", str(SOURCE / "dcgan_mnist.yaml"), "-c", str(SOURCE / "trainer" / "gpu.yaml")],
    ],
)
def test_a_name_is_as_good_as_a_path(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    config = printed_config(capsys, "fit", *arguments)
    assert config["model"]["class_path"] == "gan_lightning.DCGAN"
    assert config["trainer"]["max_steps"] == 20000
    assert config["trainer"]["accelerator"] == "gpu"


def test_a_file_of_ones_own_comes_before_a_name() -> None:
    Path("quickstart").write_text("name: mine")
    assert configs.by_name(["--config", "quickstart", "--name", "quickstart"]) == [
        *("--config", "quickstart", "--name", "quickstart")
    ]
    assert configs.by_name(["--model", "quickstart"]) == ["--model", "quickstart"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dcgan_mnits", "no file and no shipped config dcgan_mnits: did you mean dcgan_mnist"),
        ("configs/quickstart.yaml", "no shipped config configs/quickstart.yaml: did you mean quickstart?"),
        ("mine/other.yaml", "no file and no shipped config mine/other.yaml. `gan-lightning configs` lists them."),
    ],
)
def test_a_name_that_is_none(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = refused(capsys, "fit", "--config", name).splitlines()
    assert says in line
    (line,) = refused(capsys, "configs", name).splitlines()
    assert says in line


def test_the_list_says_what_each_trains_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line.split()[0]: line for line in lines if line}
    assert re.fullmatch(r"quickstart +DCGAN on Digits +2,400 +.+ \(measured\)", told["quickstart"])
    for path in SOURCE.glob("*.yaml"):
        steps = yaml.safe_load(path.read_text())["trainer"]["max_steps"]
        assert f" {steps:,} " in told[path.stem]
        assert re.search(r"\((measured|estimated)\)$", told[path.stem]), f"{path.name} does not say how long it takes"
    for path in (SOURCE / "trainer").glob("*.yaml"):
        assert len(told[f"trainer/{path.stem}"].split()) > 3


def test_one_is_written_to_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "quickstart"]) == 0
    assert capsys.readouterr().out == (SOURCE / "quickstart.yaml").read_text()


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_name_configs_as_every_installation_has_them(page: Path) -> None:
    given = set(re.findall(r"--config[ =]([^\s`]+)", page.read_text()))
    assert given - {*configs.names()} - {"configs/quickstart.yaml"} == set()
