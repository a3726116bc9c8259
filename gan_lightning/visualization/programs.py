"""Programs of web pages as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.components.screens import ProgramError, compile_html
from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.media import Medium


class PageProgram(Medium):
    """Programs of web pages, and the pages that they are compiled to. An example is the text of a program."""

    name = "programs"
    suffix = ".gui"

    def page(self, example: str) -> str | None:
        """The page that a program is compiled to; None: the language does not allow the program."""
        try:
            return compile_html(example)
        except ProgramError:
            return None

    def save(self, path: Path, example: str) -> None:
        """Write a program, and before it, where the language allows it, its page, of the same name with .html."""
        page = self.page(example)
        if page is None:
            path.with_suffix(".html").unlink(missing_ok=True)  # of another program
        else:
            write_atomically(path.with_suffix(".html"), page.encode())
        write_atomically(path, example.encode())

    def log(self, logger: Any, name: str, examples: Sequence[str], step: int) -> None:
        if hasattr(logger, "log_text"):  # Weights & Biases
            logger.log_text(name, columns=["program"], data=[[example] for example in examples], step=step)
        elif add_text := getattr(getattr(logger, "experiment", None), "add_text", None):  # TensorBoard
            for number, example in enumerate(examples):
                add_text(f"{name}/{number}", f"```\n{example}```", step)
