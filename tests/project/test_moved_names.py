"""Names that modules once had go on working, and lead to the modules themselves."""

import sys
from importlib import import_module

import pytest

import gan_lightning
from gan_lightning.moved_names import MOVED


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
