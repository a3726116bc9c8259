"""The house: imports go down and never in a circle, and private parts of libraries stay in one room."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "gan_lightning.cli",
    "gan_lightning.commands",
    "gan_lightning.studio",
    "gan_lightning.variants",
    "gan_lightning.callbacks",
    "gan_lightning.inference",
    "gan_lightning.games",
    "gan_lightning.metrics",
    "gan_lightning.networks",
    "gan_lightning.optimizers",
    "gan_lightning.augmentations",
    "gan_lightning.regularizers",
    "gan_lightning.losses",
    "gan_lightning.loggers",
    "gan_lightning.trainer",
    "gan_lightning.visualization",
    "gan_lightning.arguments",
    "gan_lightning",
    "datamodules",
)
"""From top to bottom, as in the README. A module imports from its own room and from those below."""
INTERNALS = ("gan_lightning.trainer.internals", "gan_lightning.commands.parser_internals")
DOCUMENTED = {"_exit"}
"""Names of Python's own library that are public all the same: ``os._exit``."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the packages, parsed."""
    found = {}
    for package in ("gan_lightning", "datamodules"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(name: str, tree: ast.Module, running: bool = False) -> Iterator[tuple[str, int]]:
    """The modules of ours that one imports, with the line; ``running``: only as it is imported itself."""
    for node in _outside_functions(tree) if running else ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative imports are not used here"
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [part if part in modules() else str(node.module) for part in parts]
        else:
            continue
        yield from ((imported, node.lineno) for imported in names if imported in modules())


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            continue
        yield node
        yield from _outside_functions(node)


def room(module: str) -> str:
    return next(room for room in ROOMS if module == room or module.startswith(f"{room}."))


def test_every_module_has_a_room() -> None:
    loose = {path.stem for path in (ROOT / "gan_lightning").glob("*.py")} - {
        "__init__",
        "__main__",
        "cli",
        "moved_names",
    }
    assert not loose, f"{loose} lie loose in gan_lightning/: give each a room"
    folders = {path.parent.name for path in (ROOT / "gan_lightning").glob("*/__init__.py")}
    assert folders == {name.rpartition(".")[2] for name in ROOMS[1:-2]}


def test_imports_go_down() -> None:
    up = [
        f"{name}:{line} imports {imported}"
        for name, tree in modules().items()
        if name != "gan_lightning.__main__"
        for imported, line in imports(name, tree)
        if ROOMS.index(room(imported)) < ROOMS.index(room(name))
    ]
    assert not up, "\n".join(up)


def test_no_circle() -> None:
    arrows = {name: {imported for imported, _ in imports(name, tree, running=True)} for name, tree in modules().items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for imported in arrows[name]:
                visit(imported, (*way, name))
            done.add(name)

    for name in arrows:
        visit(name, ())


def private_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Private names that a module uses, but for those of ``self`` and ``cls``, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from ((part, node.lineno) for part in (*str(node.module).split("."), *(a.name for a in node.names)))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            yield from ((str(part.value), node.lineno) for part in node.args[1:2] if isinstance(part, ast.Constant))


def own_private_names() -> set[str]:
    """Private names that our own modules define."""
    names = set()
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and ast.unparse(node.value) == "self"
            ):
                names.add(node.attr)
    return names


def test_private_parts_of_libraries_stay_in_one_room() -> None:
    own = own_private_names()
    foreign = [
        f"{name}:{line} uses {used}"
        for name, tree in modules().items()
        if name not in INTERNALS
        for used, line in private_names(tree)
        if used.startswith("_") and not used.startswith("__") and used not in own | DOCUMENTED
    ]
    assert not foreign, "\n".join(foreign)


@pytest.mark.parametrize("wrong", ["from gan_lightning.cli import main", "import gan_lightning.variants"])
def test_an_arrow_that_goes_up_is_seen(wrong: str) -> None:
    (imported, _) = next(imports("gan_lightning.losses.terms", ast.parse(wrong)))
    assert ROOMS.index(room(imported)) < ROOMS.index("gan_lightning.losses")
