"""The recorded figures against the documents that show them, and the command that runs a row again."""

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmarks import results
from benchmarks.results import Figure, Row
from gan_lightning.commands.configs import names
from gan_lightning.variants import InfoGAN, Pix2Pix, StarGAN
from tests.helpers.games import VARIANTS

ROOT = Path(__file__).parents[2]
ROWS = results.rows()
CITED: dict[str, dict[str, str]] = yaml.safe_load(results.RECORD.read_text())["cited"]
PAGES = ("README.md", "docs/results.md")
ALL_PAGES = ("README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))
RANGE = re.compile(r"-?\d+(?:\.\d+)?(?: %| dB| s)? \(-?\d+(?:\.\d+)? to -?\d+(?:\.\d+)?\)")
FIGURE = re.compile(r"\d[\d,]*\.\d+|\d+(?: ?%| dB| [MG]B| times| seconds| m?s\b)")
"""What looks like a figure: a decimal, or a number of percent, decibels, bytes or seconds."""
NO_PROSE = re.compile(
    r"^ {4,}[^\n]*$|^ *```.*?^ *```|`[^`\n]*`|(\[\d{4}\.\d+)?\]\([^)]*\)|<[^>]*>|arXiv \d{4}\.\d+",
    re.MULTILINE | re.DOTALL,
)
"""Code, addresses, pictures and numbers of papers."""


def shown_in(page: str) -> str:
    return " ".join((ROOT / page).read_text().split())


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_row_is_proved_and_shown(row: Row) -> None:
    text = shown_in(row.page)
    for figure in row.figures:
        varies = len(set(figure.recorded.values())) > 1
        assert len(figure.recorded) >= (3 if varies else 2) or "two seeds" in text, figure.name
        assert figure.margin > 0, figure.name
        assert (figure.find is None) != (figure.column is None), figure.name
        assert figure.shown() in text, f"{row.page} does not show {figure.name} as {figure.shown()}"
    assert f"python -m benchmarks results {row.name}" in text or "python -m benchmarks results ROW" in text
    for command in row.commands:
        words = results.command_line(command, Path("out/row-3/version_0"), 3)
        assert words[:2] == [sys.executable, "-m"]
        for name in (word for word in words if word.startswith("configs/")):
            assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", PAGES)
def test_no_range_is_shown_that_was_not_recorded(page: str) -> None:
    recorded = {figure.shown() for row in ROWS.values() for figure in row.figures}
    shown = set(RANGE.findall(shown_in(page)))
    assert shown, "no range at all"
    assert shown <= recorded


def unproved(text: str, proved: set[str]) -> list[str]:
    """The figures in the prose and tables of a page that are in none of the proved phrases."""
    prose = " ".join(NO_PROSE.sub(" ", text).split())
    for phrase in sorted(proved, key=len, reverse=True):
        prose = re.sub(rf"(?<![\d.]){re.escape(phrase)}(?!\d|\.\d)", " ", prose)
    return FIGURE.findall(prose)


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_figure_of_a_page_is_recorded_or_cited(page: str) -> None:
    shown = {(row.page, figure.shown()) for row in ROWS.values() for figure in row.figures}
    recorded = {value for of, value in shown if of == page or "(" in value}  # a range stands on several pages
    assert unproved((ROOT / page).read_text(), recorded | set(CITED.get(page, {}))) == []


@pytest.mark.parametrize(("page", "phrase"), [(page, phrase) for page, phrases in CITED.items() for phrase in phrases])
def test_what_is_cited_is_shown_with_its_source(page: str, phrase: str) -> None:
    text, source = shown_in(page), CITED[page][phrase]
    assert phrase in text
    assert source in text if source.startswith("arXiv ") else (ROOT / source).is_file()


def test_a_figure_that_nothing_proves_is_noticed() -> None:
    text = (
        "FID 7.2 (6.4 to 8.1), in `0.5` and 12.3, 97 % of 10,000 after 8 seconds (arXiv 1701.07875), 17.25 and 7.2.\n"
    )
    assert unproved(text, {"7.2 (6.4 to 8.1)", "7.2"}) == ["12.3", "97 %", "8 seconds", "17.25"]
    assert unproved("    --lr 0.5\n\n```\n1.5\n```\n[1406.2661](https://arxiv.org/abs/1406.2661)", set()) == []


def test_the_quickstart_takes_as_long_as_was_measured() -> None:
    (seconds,) = (figure.recorded.values() for figure in ROWS["quickstart"].figures if figure.name == "seconds")
    header = f"# On two CPU cores: {min(seconds):.0f} to {max(seconds):.0f} s (measured)."
    assert header in (ROOT / "configs/quickstart.yaml").read_text()


LARGEST = {
    "`InfoGAN`, 64 x 64": partial(InfoGAN, image_shape=(3, 64, 64)),
    "`Pix2Pix`, 256 x 256, no EMA": partial(Pix2Pix, image_shape=(3, 256, 256)),
    "`StarGAN`, 128 x 128, no EMA": partial(StarGAN, image_shape=(3, 128, 128), num_classes=5),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_memory_of_the_largest_games_is_what_the_page_says(name: str) -> None:
    with torch.device("meta"):
        game = LARGEST[name]()
    generator, discriminator = (
        sum(weight.numel() for weight in network.parameters()) for network in (game.generator, game.discriminator)
    )
    if name.endswith("no EMA"):
        sum_of_bytes, total = f"{(generator + discriminator) / 1e6:.1f}e6 x 20", 20 * (generator + discriminator)
    else:
        sum_of_bytes = f"{generator / 1e6:.1f}e6 x 24 + {discriminator / 1e6:.1f}e6 x 20"
        total = 24 * generator + 20 * discriminator
    row = f"| {name} | {generator:,} | {discriminator:,} | {sum_of_bytes} = {total / 1e9:.1f} GB |"
    assert row in shown_in("docs/reliability.md")


def figure(**other: Any) -> Figure:
    recorded = {"seed 0": 0.5, "seed 1": 0.75, "seed 1, two threads": 0.7}
    return Figure("score", **{"recorded": recorded, "margin": 0.125, "find": r"score +(\S+)", "digits": 2, **other})


def test_a_figure_is_shown_as_mean_and_range() -> None:
    assert figure().shown() == "0.65 (0.50 to 0.75)"
    assert figure(unit=" %", digits=1).shown() == "0.7 % (0.5 to 0.8)"
    assert figure(recorded={"seed 0": 8, "seed 1": 8}, digits=0, unit=" modes").shown() == "8 modes"


def test_a_value_holds_within_the_range_and_its_margin() -> None:
    values = {0.37: False, 0.375: True, 0.5: True, 0.7: True, 0.875: True, 0.88: False}
    assert {value: figure().holds(value) for value in values} == values
    assert not figure().holds(float("nan"))


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Row:
    """A row whose command prints a score that depends on the seed, and writes another into metrics.csv."""
    script = "import sys; print(sys.argv); print('score', 0.6 + int(sys.argv[sys.argv.index('--seed_everything') + 1]))"
    monkeypatch.setattr(
        results,
        "command_line",
        lambda command, run, seed: [sys.executable, "-c", script, "--seed_everything", str(seed)],
    )
    made = Row("row", "a row", "README.md", ["gan-lightning fit"], [figure(), figure(find=None, column="val/fid")])
    monkeypatch.setattr(results, "rows", lambda: {"row": made})
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "metrics.csv").write_text("step,val/fid,loss\n10,0.9,1\n20,0.55,\n30,,2\n")
    monkeypatch.setattr(results, "run_directory", lambda row, seed, out: out / "made" if out.name == "read" else out)
    return made


def test_what_holds_and_what_does_not(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = [results.found(one, "the score 0.6 of 1\n", tmp_path / "made") for one in row.figures]
    assert values == [0.6, 0.55]
    with pytest.raises(ValueError, match="holds nothing like"):
        results.found(row.figures[0], "nothing", tmp_path)
    with pytest.raises(ValueError, match="no value of val/kid"):
        results.found(figure(find=None, column="val/kid"), "", tmp_path / "made")
    assert results.verdict(row.figures[0], 0.6) == (
        "holds: score 0.6, recorded 0.5 to 0.75 in 3 runs, widened by 0.125"
    )
    assert results.verdict(row.figures[0], 1.6).startswith("DOES NOT HOLD: score 1.6")


def test_the_command(
    row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "run_directory", lambda row, seed, out: out / str(seed))
    row.figures.pop()  # that of metrics.csv, which this command does not write
    results.main([])
    assert "row: a row\n    score: 0.65 (0.50 to 0.75)\n" in capsys.readouterr().out
    results.main(["row", "--out", str(tmp_path)])
    assert "seed 0 holds: score 0.6, recorded" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        results.main(["row", "--out", str(tmp_path), "--seeds", "0", "1"])
    assert stopped.value.code == 1
    said = capsys.readouterr().out
    assert "seed 0 holds: score 0.6" in said
    assert "seed 1 DOES NOT HOLD: score 1.6" in said
    (tmp_path / "0").mkdir()
    with pytest.raises(SystemExit) as refused:
        results.main(["row", "--out", str(tmp_path)])
    assert refused.value.code == 2
    assert "is of an earlier run" in capsys.readouterr().err


def test_a_command_that_fails_is_no_figure(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "command_line", lambda *_: [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(SystemExit, match=r"row, seed 0: no figure.*exit status 3"):
        results.main(["row", "--out", str(tmp_path / "new")])


def test_a_fit_writes_where_its_figures_are_looked_for(tmp_path: Path) -> None:
    row = next(iter(ROWS.values()))
    run = results.run_directory(row, 3, tmp_path)
    words = results.command_line("gan-lightning fit --config configs/quickstart.yaml", run, 3)
    assert words[2:4] == ["gan_lightning", "fit"]
    assert words[-6:] == [
        *("--seed_everything", "3", "--name", f"{row.name}-3", "--trainer.default_root_dir", str(tmp_path)),
    ]
    assert results.command_line("benchmarks labels --ckpt {run}/last.ckpt", run, 3)[2:] == [
        *("benchmarks", "labels", "--ckpt", f"{run}/last.ckpt"),
    ]


# As `benchmarks labels`, `modes` and `traffic`, `gan-lightning evaluate` and `carry_out` print them.
PRINTED = """\
held-out images whose category is matched to their class: 91.00% {0: 6, 1: 1}
10000 samples whose category is matched to the class they show: 92.50% {0: 6, 1: 1}
| K | seed | modes covered | high quality |
| 0 | 3 | 6 of 8 | 15% |
| 5 | 3 | 7 of 8 | 40% |
fid_classifier  26.4321
| DCGAN | 6.9 | 13.9 | 2.00 |
| DCGAN, accumulate 4 | 6.9 | 55.4 | 8.00 |
| WGANGP, n_critic 5 | 25.9 | 54.2 | 2.09 |
| CycleGAN, width 16 | 26.1 | 52.1 | 2.00 |
177 drawings, red or blue at a point: a difference of 30.9 levels within 5 pixels, 4.3 elsewhere; more near it in 99.4%
with the reference: mean colour 33.8 levels from the reference's, histogram 0.471
without it: mean colour 37.9 levels from the reference's, histogram 0.483
PSNR 17.4 dB alone, 17.9 dB with hints as in training, 18.4 dB with the true palettes
    val/classifier_score         1.068147897720337
val/frechet_sound_classifier     261.39044189453125
| HiFiGAN | 0.812 | 0.020 |
| librosa, 32 iterations | 0.111 | 1.128 |
took 61.3 s
"""


def test_every_figure_is_found_in_what_is_printed() -> None:
    found = {
        (row.name, figure.name): results.found(figure, PRINTED, Path())
        for row in ROWS.values()
        for figure in row.figures
        if figure.find is not None
    }
    assert found[("infogan_digits", "held-out digits")] == 91
    assert found[("infogan_digits", "samples")] == 92.5
    colours = [30.9, 4.3, 99.4, 33.8, 37.9, 0.471, 0.483, 17.4, 17.9, 18.4]
    assert [value for (row, _), value in found.items() if row == "colorization_openmoji"] == colours
    assert [value for (row, _), value in found.items() if row == "modes"] == [6, 15, 7, 40]
    traffic = [6.9, 13.9, 2.0, 6.9, 55.4, 8.0, 25.9, 54.2, 2.09, 26.1, 52.1, 2.0]
    assert [value for (row, _), value in found.items() if row == "traffic"] == traffic
    assert {value for (row, _), value in found.items() if row.endswith("_mnist")} == {26.4321}
    assert [value for (row, _), value in found.items() if row == "wave_gan_drums"] == pytest.approx(
        [1.0681, 261.39], 1e-4
    )
    assert [value for (row, _), value in found.items() if row == "hifi_gan_drums"] == [0.812, 0.111, 0.020, 1.128]


PICTURES = yaml.safe_load(results.RECORD.read_text())["pictures"]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_whose_command_is_recorded_is_shown(name: str) -> None:
    picture = f"docs/images/variants/{name}.png"
    assert f'<img src="{picture}"' in (ROOT / "README.md").read_text()
    assert (ROOT / picture).stat().st_size < 60_000
    words = PICTURES[name].split()
    assert words[:3] == ["gan-lightning", "fit", "--config"]
    assert words[3] in names()
    assert words[words.index("--name") + 1] == name


@pytest.mark.parametrize("variant", [variant.__name__ for variant in VARIANTS])
def test_every_variant_has_its_picture(variant: str) -> None:
    (line,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| `{variant}` |"))
    (picture,) = re.findall(r'<img src="([^"]+)"', line)
    assert (ROOT / picture).is_file()
