"""The command that makes the picture on the page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from gan_lightning.games.hints import Hint
from gan_lightning.inference.edit import Direction
from gan_lightning.studio.choices import Choice
from gan_lightning.studio.generators import SEFA

LATENT_FILE, OTHER_FILE = "latent.npz", "other.npz"


def sample_command(source: str, choice: Choice, directions: dict[str, Direction], has_base: bool, points: bool) -> str:
    """The command of a sample, of a sample along directions, or of latents that are saved first.

    Args:
        source: What ``--ckpt`` is given.
        choice: What is shown.
        directions: Those of the generator, by name.
        has_base: Whether it is of latents that were found or painted, and not of a sample.
        points: Whether the model makes points in the plane.
    """
    if has_base or choice.components or choice.changes_noise or (choice.follows and (choice.codes or choice.domain)):
        words = ["generate", "--ckpt", source, "--latents", LATENT_FILE, "--out", "picture"]
        return f"# save the latent first\n{_line(words)}"
    words = ["--n", "1000" if points else "1", "--seed", str(choice.seed)]
    words += [] if choice.label is None else ["--labels", choice.label]
    words += [] if choice.text is None else ["--text", choice.text]
    words += [] if choice.truncation is None else ["--truncation", f"{choice.truncation:g}"]
    if not choice.follows:
        words += [] if choice.domain is None else ["--domain", choice.domain]
        if choice.codes:
            words += ["--codes", *(f"{name}={value:g}" for name, value in choice.codes.items())]
        return _line(["generate", "--ckpt", source, *words, "--out", "picture"])
    followed = [f"{name}={strength:g}" for name, strength in choice.follows.items()]
    lines = []
    if any(directions[name].source == SEFA for name in choice.follows if name in directions):
        n = sum(direction.source == SEFA for direction in directions.values())
        found = ["directions", "--ckpt", source, "--method", SEFA, "--n", str(n), "--out", "directions/sefa"]
        lines.append(_line(found))
    lines.append(_line(["edit", "--ckpt", source, "--direction", *followed, *words, "--out", "picture"]))
    return "\n".join(lines)


def translate_command(
    source: str,
    file: str,
    direction: str | None,
    attributes: dict[str, bool],
    seed: int,
    hints: Sequence[Hint],
    reference: str | None,
) -> str:
    """The command of a translation."""
    words = ["translate", "--ckpt", source, "--input", file]
    words += [] if direction is None else ["--direction", direction]
    if attributes:
        words += ["--attributes", *(name if on else f"{name}=0" for name, on in attributes.items())]
    words += ["--hints", *map(str, hints)] if hints else []
    words += [] if reference is None else ["--reference", reference]
    words += ["--seed", str(seed)] if seed else []
    return _line([*words, "--out", "translated"])


def _line(words: Sequence[Any]) -> str:
    return shlex.join(["gan-lightning", *map(str, words)])
