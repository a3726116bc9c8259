"""The notebooks run from top to bottom, at a reduced length."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.processes import PATIENCE

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

SHORTER = {
    "mode_collapse.ipynb": ("steps = 2000", "steps = 20", 3),
    "quickstart.ipynb": ("steps = 2400", "steps = 40", 4),
    "vanishing_gradients.ipynb": (
        "steps, updates, updates_of_lines = 1000, 1000, 400",
        "steps, updates, updates_of_lines = 20, 20, 20",
        3,
    ),
}
"""What to replace in a notebook so that it runs in seconds, by what, and how many pictures it shows."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    full, short, n_pictures = SHORTER[path.name]
    assert sum(full in cell.source for cell in notebook.cells) == 1, f"{path.name} no longer has the line {full!r}"
    for cell in notebook.cells:
        cell.source = cell.source.replace(full, short)
    NotebookClient(notebook, timeout=int(PATIENCE), resources={"metadata": {"path": str(tmp_path)}}).execute()
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) == n_pictures
