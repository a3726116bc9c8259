"""Names that modules and functions once had go on working, and lead to the modules and functions themselves."""

import sys
from importlib import import_module
from pkgutil import resolve_name

import pytest
import torch

import gan_lightning
from gan_lightning.moved_names import MOVED
from gan_lightning.visualization import scatter_plot


@pytest.mark.parametrize("old", sorted(MOVED))
def test_a_module_is_found_by_its_old_name(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)  # An old checkpoint may have been loaded before.
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MOVED[old]}"):
        found = import_module(old)
    assert found is import_module(MOVED[old])
    assert found.__name__ == MOVED[old]


def test_what_a_package_exports_is_found_where_it_was() -> None:
    for name in ("losses", "regularizers", "optimizers", "loggers", "networks", "callbacks", "metrics", "variants"):
        package = import_module(f"gan_lightning.{name}")
        assert getattr(package, "__path__", None), f"{name} is no package"
    assert gan_lightning.optimizers.DCGANAdam.__module__ == "gan_lightning.optimizers.adam"


def test_a_name_of_no_module_is_still_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("gan_lightning.nothing_of_that_name")


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("gan_lightning.optimizers.look_ahead", "Judge", "NetworkFunction"),
        ("gan_lightning.optimizers.look_ahead", "looked_ahead", "unrolled_network"),
        ("gan_lightning.losses.reported", "nobody_listens", "without_reports"),
        ("gan_lightning.variants.LAPGAN", "take", "load_level"),
        ("gan_lightning.variants.StarGAN", "seen", "predict_attributes"),
    ],
)
def test_a_renamed_function_is_found_by_its_old_name(place: str, old: str, new: str) -> None:
    owner = resolve_name(place)
    assert getattr(owner, old) is getattr(owner, new)


def test_the_plot_of_points_takes_its_old_name_and_argument() -> None:
    points = torch.zeros(1, 2)
    window = scatter_plot.Window((0.0, 0.0), 1.0)
    outputs = window.cells()[:, 1]
    old = scatter_plot.draw_scatter(points, window, verdicts=outputs)
    assert torch.equal(old, scatter_plot.plot_scatter(points, window, outputs=outputs))
    assert not torch.equal(old, scatter_plot.plot_scatter(points, window))
