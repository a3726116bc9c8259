"""CONTRIBUTING.md's table of hooks against the games that have them."""

import re
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule

from gan_lightning import variants
from gan_lightning.games import AdversarialModule
from gan_lightning.games.old_hooks import OLD_HOOKS

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def table() -> set[str]:
    """The names in the first column of the tables of hooks."""
    section = CONTRIBUTING.read_text().partition("## The hooks of a game")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def games() -> list[type]:
    """Every game of the package, variants and the kinds that they derive from."""
    kinds = [kind for kind in vars(variants).values() if isinstance(kind, type) and issubclass(kind, AdversarialModule)]
    return list(
        dict.fromkeys(level for kind in kinds for level in kind.__mro__ if issubclass(level, AdversarialModule))
    )


def overridden() -> set[str]:
    """What a game has in another form than the game above it, and is not Lightning's."""
    found = set()
    for kind in games():
        for name in vars(kind):
            above = [level for level in kind.__mro__[1:] if issubclass(level, AdversarialModule)]
            if not name.startswith("_") and any(name in vars(level) for level in above):
                found.add(name)
    return found - {*dir(LightningModule), *dir(LightningDataModule), *OLD_HOOKS}


def test_the_table_has_every_hook_that_a_game_overrides() -> None:
    missing = overridden() - table()
    assert not missing, f"no row in CONTRIBUTING.md's table of hooks: {', '.join(sorted(missing))}"


def test_the_table_names_nothing_else() -> None:
    known = {name for kind in games() for name in (*dir(kind), *getattr(kind, "__annotations__", {}))}
    unknown = table() - known - {"attributes", "hook"}  # attributes: set in a constructor
    assert not unknown, f"CONTRIBUTING.md's table of hooks names {', '.join(sorted(unknown))}, and no game has these"
