"""The commented file tree in README.md and CONTRIBUTING.md against the folders and files that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md")
TREE = re.compile(r"^```\n(gan_lightning/\n.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"(?P<indent> *)(?P<names>[\w./]+(?: [\w./]+)*)(?:  +(?P<comment>\S.*))?")
PACKAGES = ("gan_lightning", "datamodules", "tests", "benchmarks")


def tree_of(page: str) -> str:
    found = TREE.search((ROOT / page).read_text())
    assert found, f"{page} has no commented file tree that begins with gan_lightning/"
    return found[1]


def paths_of(tree: str) -> dict[Path, str]:
    """The paths that a tree names, two spaces a level, with their comments."""
    paths: dict[Path, str] = {}
    above: list[Path] = []
    for line in tree.splitlines():
        entry = ENTRY.fullmatch(line)
        assert entry, f"not a line of a tree: {line}"
        del above[len(entry["indent"]) // 2 :]
        names = entry["names"].split()
        paths |= {Path(*above, name): entry["comment"] or "" for name in names}
        above.append(Path(names[-1]))
    return paths


def test_the_pages_show_the_same_tree() -> None:
    assert tree_of("README.md") == tree_of("CONTRIBUTING.md"), "change both pages"


@pytest.mark.parametrize("page", PAGES)
def test_all_that_a_tree_names_is_there(page: str) -> None:
    missing = [str(path) for path in paths_of(tree_of(page)) if not (ROOT / path).exists()]
    assert not missing, f"{page}: there is no {', '.join(missing)}: change the tree"


@pytest.mark.parametrize("page", PAGES)
def test_a_tree_names_every_room(page: str) -> None:
    shown = paths_of(tree_of(page))
    rooms = {path.parent.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    # The folders of tests are named after the rooms; their line says so.
    rooms -= {Path("tests", folder.name) for folder in (ROOT / "gan_lightning").iterdir()}
    unnamed = [str(room) for room in sorted(rooms - {*shown})]
    assert not unnamed, f"{page}: the tree has no line for {', '.join(unnamed)}"
    bare = [str(path) for path, comment in shown.items() if not comment and path != Path("gan_lightning")]
    assert not bare, f"{page}: the tree says nothing of {', '.join(bare)}"


def test_a_wrong_tree_is_seen() -> None:
    paths = paths_of(
        "gan_lightning/\n  losses/            pure functions\n    a.py b.py        two\ndatamodules/    data\n"
    )
    assert [*map(str, paths)] == [
        "gan_lightning",
        "gan_lightning/losses",
        "gan_lightning/losses/a.py",
        "gan_lightning/losses/b.py",
        "datamodules",
    ]
    assert paths[Path("gan_lightning/losses/b.py")] == "two"
